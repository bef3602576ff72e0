package wsmanserver_test

import (
	"context"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
)

// slow gives every batch of an enumeration after a second.
type slow struct{ cim.Opener }

func (s slow) Open(ctx context.Context, caller cim.Caller, namespace string, o cim.OpenOptions) (cim.Session, error) {
	session, err := s.Opener.Open(ctx, caller, namespace, o)
	return slowSession{session}, err
}

type slowSession struct{ cim.Session }

func (s slowSession) Enumerate(ctx context.Context, class string, o cim.EnumerateOptions) (cim.Enumerator, error) {
	e, err := s.Session.Enumerate(ctx, class, o)
	return slowEnumerator{e}, err
}

type slowEnumerator struct{ cim.Enumerator }

func (e slowEnumerator) Next(ctx context.Context, most int) ([]*cim.Instance, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
		return e.Enumerator.Next(ctx, most)
	}
}

// Section 3.1: MaxTimeoutms bounds every request but Pull, which its own
// OperationTimeout and MaxTime bound; nothing is lost when they end it.
func TestPullOutlastsMaxTimeout(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: slow{machine(t)},
		Settings: map[string]string{"Service/Auth/Basic": "true", "MaxTimeoutms": "500"}})
	w := newWire(t, s)
	uri := wmi("Win32_Service")
	context := w.ok(request{action: enumerate, uri: uri, body: `<n:Enumerate/>`}).text("EnumerationContext")
	w.do(request{action: pull, uri: uri, body: pullBody(context, 1), timeout: "PT0.5S"}).wantFault("OperationTimeout of a Pull", "w:TimedOut", "", 2150858793)
	w.do(request{action: pull, uri: uri, body: `<n:Pull><n:EnumerationContext>` + context + `</n:EnumerationContext><n:MaxTime>PT0.5S</n:MaxTime></n:Pull>`}).
		wantFault("MaxTime of a Pull", "n:TimedOut", "", 0x8033801C)
	for _, timeout := range []string{"", "PT30S"} {
		a := w.ok(request{action: pull, uri: uri, body: pullBody(context, 1), timeout: timeout})
		if n := len(a.texts("Name")); n != 1 {
			t.Errorf("timeout %q: %d items\n%s", timeout, n, a.body)
		}
	}
}
