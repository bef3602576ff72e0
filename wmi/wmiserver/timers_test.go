package wmiserver

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// The sink timer of [MS-WMI] 3.1.2: a sink that does not answer is given up after 30 seconds, its operation is cancelled, and the log says
// why.
func TestSinkTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		g := newGate()
		p := newPeer(t, Options{Opener: manager(t, g), Callbacks: anonymous, Logger: log.logger()})
		sink := p.sinks.new(1)
		never := make(chan struct{})
		defer close(never)
		hang := hangingSink{sink, make(chan struct{}, 8), never}
		p.server.dial = func(context.Context, *dcom.ObjRef, string, manner) (proxy, error) { return hang, nil }
		g.let <- 1
		begun := time.Now()
		want(t, "ExecQueryAsync", p.queryAsync(p.login(cimtest.Namespace), "SELECT * FROM Test_Slow", sink), 0)
		<-g.ended
		if took := time.Since(begun); took != sinkTimer {
			t.Errorf("given up after %v", took)
		}
		p.idle()
		if n := len(hang.called); n != 1 {
			t.Errorf("%d calls, want no other after the one without an answer", n)
		}
		if !strings.Contains(log.String(), "no answer within 30s") {
			t.Errorf("the log: %s", log.String())
		}
	})
}

// The backup timer of [MS-WMI] 3.1.2: a pause ends after 15 minutes.
func TestBackupTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, Options{Repository: &keeper{}})
		s := p.login("root")
		if err := p.server.paused.begin(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if err := p.server.paused.begin(); cim.StatusOf(err) != cim.ErrInvalidOperation {
			t.Errorf("a second Pause: %v", err)
		}
		begun := time.Now()
		p.query(s, "SELECT * FROM __NAMESPACE", 0)
		if took := time.Since(begun); took != 5*time.Minute {
			t.Errorf("the call waited %v", took)
		}
	})
}

// Timeouts of Next and of call results are what the client says, to the millisecond.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		p := newPeer(t, Options{Opener: manager(t, g)})
		e := p.query(p.login(cimtest.Namespace), "SELECT * FROM Test_Slow", 0x30)
		for timeout, least := range map[int32]time.Duration{1234: 1234 * time.Millisecond, 0: 0, 60_000: time.Minute} {
			begun := time.Now()
			list, code := p.next(e, timeout, 1)
			if took := time.Since(begun); took < least || took > least+atHand || len(list) > 0 || code != resultTimedOut {
				t.Errorf("Next(%d): %v, %#x", timeout, took, code)
			}
		}
		begun := time.Now()
		if code := p.enumStatus(e, iwbem.OpSkip, &iwbem.SkipRequest{Timeout: 500, Count: 1}); code != resultTimedOut || time.Since(begun) != 500*time.Millisecond {
			t.Errorf("Skip(500): %#x, %v", code, time.Since(begun))
		}
		p.release(e)
		<-g.ended
	})
}
