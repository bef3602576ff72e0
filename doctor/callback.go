package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// callbackTry is an asynchronous query whose host is watched on its way back to
// this machine. See spec/wmi.md 1.7.
type callbackTry struct {
	async *wmiclient.Async
	ports wmiclient.SinkPorts
	// denied is why the operation did not even begin, dropped that the host gave
	// it up before it dialled.
	denied  error
	sealed  bool // the namespace demands encryption
	dropped bool

	mu      sync.Mutex
	steps   []wmiclient.Callback
	ended   bool
	rows    int
	failed  error
	changed chan struct{} // closed with the next change
}

// hasSinks tells whether callbacks are to be tried.
func hasSinks(_ Target, o Options) bool { return o.Sinks != nil }

// callbackQuery costs the host nothing and has an end.
const callbackQuery = "SELECT __RELPATH FROM __NAMESPACE"

// callBack begins an asynchronous query.
func (x *examination) callBack(ctx context.Context) *callbackTry {
	t := &callbackTry{changed: make(chan struct{})}
	traced := wmiclient.WithTrace(ctx, &wmiclient.Trace{CalledBack: t.step})
	a, err := x.dcom.session.QueryAsync(traced, callbackQuery, cim.QueryOptions{})
	if err != nil {
		t.denied = err
		return t
	}
	t.async, t.ports = a, a.Ports()
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.read(a)
	}()
	x.atEnd(func() {
		a.Close() //nolint:errcheck // what it tells was asked before
		<-done
	})
	return t
}

// read takes what is pushed until Close.
func (t *callbackTry) read(a *wmiclient.Async) {
	for {
		list, err := a.Next(context.Background(), 100)
		t.mu.Lock()
		t.rows += len(list)
		if err != nil {
			t.ended = true
			if !errors.Is(err, io.EOF) {
				t.failed = err
			}
			t.change()
		}
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// maxSteps bounds what a host that connects again and again leaves behind.
const maxSteps = 256

func (t *callbackTry) step(b wmiclient.Callback) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.steps) < maxSteps {
		t.steps = append(t.steps, b)
		t.change()
	}
}

// change wakes who waits. mu is held.
func (t *callbackTry) change() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// wait waits until enough is known, or ctx ends.
func (t *callbackTry) wait(ctx context.Context, enough func() bool) bool {
	for {
		t.mu.Lock()
		ok, changed := enough(), t.changed
		t.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// waitProved is wait, but for a host whose identity this machine could not verify: it
// calls in another way soon, or not at all.
func (t *callbackTry) waitProved(ctx context.Context, enough func() bool) bool {
	failed := false
	if t.wait(ctx, func() bool { failed = t.unproven() != nil; return failed || enough() }) && !failed {
		return true
	}
	soon, cancel := context.WithTimeout(ctx, quietTime)
	defer cancel()
	return t.wait(soon, enough)
}

// find gives the last step that f takes. mu is held.
func (t *callbackTry) find(f func(wmiclient.Callback) bool) *wmiclient.Callback {
	for n := len(t.steps) - 1; n >= 0; n-- {
		if f(t.steps[n]) {
			return &t.steps[n]
		}
	}
	return nil
}

// came is a connection that was let in, to a port or to any for 0. mu is held.
func (t *callbackTry) came(port uint16) *wmiclient.Callback {
	return t.find(func(b wmiclient.Callback) bool {
		return b.Leg == wmiclient.CallbackConnected && b.Err == nil && (port == 0 || b.Port == port)
	})
}

// shutOut is a connection that this machine's own firewall refused. mu is held.
func (t *callbackTry) shutOut() *wmiclient.Callback {
	return t.find(func(b wmiclient.Callback) bool { return b.Leg == wmiclient.CallbackConnected && b.Err != nil })
}

// called is the call of the sink, one that was let through before others. mu is
// held.
func (t *callbackTry) called() *wmiclient.Callback {
	if b := t.find(func(b wmiclient.Callback) bool { return b.Leg == wmiclient.CallbackCalled && b.Err == nil }); b != nil {
		return b
	}
	return t.find(func(b wmiclient.Callback) bool { return b.Leg == wmiclient.CallbackCalled })
}

// unproven is an identity that this machine could not verify. mu is held.
func (t *callbackTry) unproven() *wmiclient.Callback {
	return t.find(func(b wmiclient.Callback) bool { return b.Leg == wmiclient.CallbackProved && b.Err != nil })
}

// notVerified is why this machine could not verify the host; "" where it could, or
// nobody tried.
func (t *callbackTry) notVerified() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.unproven(); b != nil {
		return "the host proves an identity that this machine cannot verify, and calls with none other: " + b.Err.Error()
	}
	return ""
}

// onlyUnproven tells whether the host tried to prove an identity, could not, and
// called in no other way.
func (t *callbackTry) onlyUnproven() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.called() == nil && t.unproven() != nil
}

// checked tells whether this machine refused the call since it takes the host's own
// account alone.
func (t *callbackTry) checked() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.called()
	return b != nil && errors.Is(b.Err, settings.ErrCheckedCallback)
}

// arrived tells whether the operation came to its end: the sink was called.
func (t *callbackTry) arrived() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended && t.failed == nil
}

// seen are the steps in words.
func (t *callbackTry) seen() (seen []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range t.steps {
		var s string
		switch b.Leg {
		case wmiclient.CallbackConnected:
			s = fmt.Sprintf("a connection from %s to port %d", b.Peer, b.Port)
		case wmiclient.CallbackResolved:
			s = fmt.Sprintf("%s asked where the sink is, and was told", b.Peer)
		case wmiclient.CallbackProved:
			s = fmt.Sprintf("%s proved to be %s", b.Peer, b.Identity)
			if b.Err != nil {
				s = fmt.Sprintf("%s tried to prove an identity", b.Peer)
			}
		case wmiclient.CallbackCalled:
			s = fmt.Sprintf("a call from %s at level %d (%s) as %s", b.Peer, b.Level, b.Level, b.Identity)
		}
		if b.Err != nil {
			s += ": refused: " + b.Err.Error()
		}
		seen = append(seen, s)
	}
	return seen
}

// authenticated tells whether the sink was called with a proved identity.
func (t *callbackTry) authenticated() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.called()
	return b != nil && b.Err == nil && b.Level > dcerpc.LevelNone && !b.Identity.Anonymous
}

// whereTo are the ports of this machine that the host calls.
func (t *callbackTry) whereTo() string {
	if t.ports.Resolver == 0 {
		return fmt.Sprint(t.ports.Objects)
	}
	return fmt.Sprintf("%d, %d", t.ports.Resolver, t.ports.Objects)
}

// first is the port that is called first.
func (t *callbackTry) first() uint16 {
	if t.ports.Resolver == 0 {
		return t.ports.Objects
	}
	return t.ports.Resolver
}

// gaveUp finds out whether the host drops such an operation at once, which it does
// without a word where it may show no identity: what it still tries can be
// cancelled, and what it dropped cannot.
func (x *examination) gaveUp(ctx context.Context) bool {
	a, err := x.dcom.session.QueryAsync(ctx, callbackQuery, cim.QueryOptions{})
	if err != nil {
		return false
	}
	select {
	case <-time.After(dropTime):
	case <-ctx.Done():
	}
	return errors.Is(a.Close(), wmiclient.ErrNeverCalled)
}

// dropTime is how long a host may take to drop what it will not try, quietTime how
// long silence is before that is asked.
const (
	dropTime  = 300 * time.Millisecond
	quietTime = time.Second
)

// demandsPrivacy tells whether the namespace refuses calls that are not sealed.
func (x *examination) demandsPrivacy(ctx context.Context) bool {
	s := x.dcom.session.At(wmi.AuthenticationPktIntegrity)
	defer s.Close() //nolint:errcheck // nothing is under way
	err := query(ctx, s, callbackQuery, func(*cim.Instance) {})
	return cim.StatusOf(err) == cim.ErrAccessDenied
}
