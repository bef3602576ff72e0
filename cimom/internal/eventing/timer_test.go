package eventing

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
)

func firings(t *testing.T, s *Subscription, d time.Duration) uint64 {
	t.Helper()
	e := within(t, s, d)
	if e == nil {
		return 0
	}
	n, _ := e.Get("NumFirings").Uint()
	return n
}

func interval(host *fakeHost, id string, ms uint32, skip bool) *cim.Instance {
	return host.new("__IntervalTimerInstruction", "TimerId", cim.Str(id), "IntervalBetweenEvents", cim.U32(ms), "SkipIfPassed", cim.Bool(skip))
}

func TestIntervalTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, log := newHub(t, host, Limits{})
		one := subscribe(t, h, alice, `SELECT * FROM __TimerEvent WHERE TimerId = 'one'`)
		h.Stored(cimv2, interval(host, "one", 1500, false), time.Time{})
		h.Stored(cimv2, interval(host, "two", 100, false), time.Time{})
		h.Stored(cimv2, interval(host, "quick", 1, false), time.Time{})
		began := time.Now()
		for n := range 3 {
			if got := firings(t, one, 2*time.Second); got != 1 {
				t.Fatalf("NumFirings is %d", got)
			}
			if took, want := time.Since(began), time.Duration(n+1)*1500*time.Millisecond; took != want {
				t.Errorf("event %d after %v, want %v", n, took, want)
			}
		}
		h.Stored(cimv2, interval(host, "one", 4000, false), time.Time{}) // changed
		if got := firings(t, one, 3999*time.Millisecond); got != 0 {
			t.Error("the timer fires at its old interval")
		}
		if got := firings(t, one, 2*time.Millisecond); got != 1 {
			t.Errorf("NumFirings is %d", got)
		}
		i := interval(host, "one", 4000, false)
		path, _ := i.Path()
		h.Removed(cimv2, i.Class(), path)
		if got := firings(t, one, time.Minute); got != 0 {
			t.Error("a removed timer fires")
		}
		if !log.has("quick") {
			t.Error("an interval of a millisecond is not reported")
		}
	})
}

// TestMissedFirings shows T-101: for a reader that does not come, for a hub
// that was stopped, and with SkipIfPassed.
func TestMissedFirings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		merged := subscribe(t, h, alice, `SELECT * FROM __TimerEvent WHERE TimerId = 'merged'`)
		skipped := subscribe(t, h, alice, `SELECT * FROM __TimerEvent WHERE TimerId = 'skipped'`)
		h.Stored(cimv2, interval(host, "merged", 1000, false), time.Time{})
		h.Stored(cimv2, interval(host, "skipped", 1000, true), time.Time{})
		time.Sleep(5500 * time.Millisecond)
		if got := firings(t, merged, time.Millisecond); got != 5 {
			t.Errorf("nobody read five firings: NumFirings is %d", got)
		}
		if got := firings(t, merged, time.Second); got != 1 {
			t.Errorf("then NumFirings is %d", got)
		}
		if got := firings(t, skipped, time.Millisecond); got != 1 {
			t.Errorf("with SkipIfPassed NumFirings is %d", got)
		}
		// stopped for a while
		synctest.Wait()
		skipped.queue.take(0)
		stopped := time.Now().Add(-4500 * time.Millisecond)
		h.Stored(cimv2, interval(host, "merged", 1000, false), stopped)
		h.Stored(cimv2, interval(host, "skipped", 1000, true), stopped)
		if got := firings(t, merged, time.Millisecond); got != 4 {
			t.Errorf("stopped for four periods and a half: NumFirings is %d", got)
		}
		for skipped.queue.take(0) != nil {
			t.Error("an event of SkipIfPassed comes late")
		}
		if got := firings(t, skipped, 600*time.Millisecond); got != 1 {
			t.Errorf("the next in time has NumFirings %d", got)
		}
	})
}

func TestAbsoluteTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		s := subscribe(t, h, alice, `SELECT * FROM __TimerEvent`)
		at := func(id string, when time.Time, skip bool) {
			h.Stored(cimv2, host.new("__AbsoluteTimerInstruction", "TimerId", cim.Str(id), "SkipIfPassed", cim.Bool(skip),
				"EventDateTime", cim.Time(cim.AtTime(when))), time.Time{})
		}
		at("later", time.Now().Add(90*time.Minute), false)
		at("passed", time.Now().Add(-time.Hour), false)
		at("skipped", time.Now().Add(-time.Hour), true)
		e := within(t, s, time.Second)
		if id, _ := e.Get("TimerId").Str(); id != "passed" {
			t.Errorf("first %q fires", id)
		}
		if e := within(t, s, 89*time.Minute); e != nil {
			t.Errorf("then %v fires", e.Get("TimerId"))
		}
		e = within(t, s, 2*time.Minute)
		if id, _ := e.Get("TimerId").Str(); id != "later" || !e.Get("NumFirings").Equal(cim.U32(1)) {
			t.Errorf("then %q fires", id)
		}
		synctest.Wait()
		if host.fired != 3 {
			t.Errorf("%d absolute timers are over, want 3", host.fired)
		}
	})
}
