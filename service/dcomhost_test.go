package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// ends counts what was served and ended.
type ends struct{ began, ended atomic.Int32 }

func (e *ends) serve(dcomPorts) (io.Closer, error) { e.began.Add(1); return e, nil }

// Close implements io.Closer.
func (e *ends) Close() error { e.ended.Add(1); return nil }

// testHost is the half of a service over a new state folder, which Bootstrap has
// seen.
func testHost(t *testing.T, o Options) (*dcomHost, *ends) {
	t.Helper()
	state, err := OpenState(t.TempDir(), StateOptions{Create: true, Service: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	if err := state.bootstrapDCOM(""); err != nil {
		t.Fatal(err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &ends{}
	return newDCOMHost(state, o, e.serve), e
}

func (h *dcomHost) apply(t *testing.T, changes ...settings.Change) {
	t.Helper()
	hiveApply(t, h.state, changes...)
}

func (h *dcomHost) begin(t *testing.T) {
	t.Helper()
	end := h.serve(t.Context())
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// until waits for a status, which follows the hive.
func (h *dcomHost) until(t *testing.T, what string, ok func(DCOMStatus) bool) DCOMStatus {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		s := h.status()
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %+v", what, s)
		}
	}
}

func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", address); err != nil {
		t.Errorf("nothing listens on %s: %v", address, err)
	} else {
		c.Close()
	}
	return a.Port()
}

// The half is served on the loopback address by default, and follows EnableDCOM
// and the address while it runs.
func TestDCOMHostFollowsTheHive(t *testing.T) {
	h, e := testHost(t, Options{DCOMPort: -1})
	h.begin(t)
	s := h.status()
	if a := netip.MustParseAddrPort(s.Resolver); !a.Addr().IsLoopback() || s.Level != 4 {
		t.Fatalf("%+v", s)
	}
	portOf(t, s.Resolver)
	portOf(t, s.WMI)
	enable := func(text string) settings.Change {
		return settings.Change{Key: settings.KeyOle, Name: "EnableDCOM", Value: registry.SZ(text)}
	}
	h.apply(t, enable("N"))
	h.until(t, "EnableDCOM N", func(s DCOMStatus) bool { return s.Resolver == "" })
	if c, err := net.Dial("tcp", s.Resolver); err == nil {
		c.Close()
		t.Error("the port is still open with EnableDCOM N")
	}
	if _, err := h.set(t.Context(), true); err == nil || !strings.Contains(err.Error(), "EnableDCOM") {
		t.Errorf("started with EnableDCOM N: %v", err)
	}
	h.apply(t, enable("Y"))
	h.until(t, "EnableDCOM Y", func(s DCOMStatus) bool { return s.Resolver != "" })
	all, err := settings.SetDCOMAddress("*")
	if err != nil {
		t.Fatal(err)
	}
	h.apply(t, all)
	h.until(t, "all addresses", func(s DCOMStatus) bool {
		a, err := netip.ParseAddrPort(s.Resolver)
		return err == nil && a.Addr().IsUnspecified()
	})
	if e.began.Load() != 3 || e.ended.Load() != 2 {
		t.Errorf("%d began, %d ended", e.began.Load(), e.ended.Load())
	}
}

// winmgmt /standalonehost and /sharedhost take effect when WMI starts next
// (checklist 0.08, 1.10), and 'net stop winmgmt' and 'net start winmgmt' do that.
func TestStandaloneHostTakesEffectAtTheNextStart(t *testing.T) {
	h, _ := testHost(t, Options{DCOMPort: -1})
	h.begin(t)
	before := h.status()
	other := freeTCPPort(t)
	h.apply(t, settings.Change{Key: settings.KeyWMIApplication, Name: "Endpoints", Value: registry.MultiSZ("ncacn_ip_tcp,0," + other)})
	changes, port := h.state.Snapshot().DCOM.StandaloneHost(6)
	h.apply(t, changes...)
	time.Sleep(20 * time.Millisecond)
	if s := h.status(); s != before {
		t.Errorf("it took effect at once: %+v, before %+v", s, before)
	}
	for _, step := range []struct{ run, changed bool }{{false, true}, {false, false}, {true, true}, {true, false}} {
		changed, err := h.set(t.Context(), step.run)
		if err != nil || changed != step.changed {
			t.Fatalf("run %v: changed %v, %v", step.run, changed, err)
		}
		if open := h.status().Resolver != ""; open != step.run {
			t.Errorf("run %v: %+v", step.run, h.status())
		}
	}
	if s := h.status(); portOf(t, s.WMI) != port || s.Level != 6 {
		t.Errorf("standalone: %+v, want port %d and level 6", s, port)
	}
	h.apply(t, settings.SharedHost()...)
	if _, err := h.set(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := h.set(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if s := h.status(); portOf(t, s.WMI) == port || s.Level != 4 {
		t.Errorf("shared: %+v", s)
	}
}

func freeTCPPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Where port 135 cannot be had the service says so, and what to do.
func TestDCOMHostWithoutThePort(t *testing.T) {
	for _, row := range []struct {
		err  error
		want string
	}{{syscall.EACCES, "may not listen on port 135"}, {syscall.EADDRINUSE, "port 135, where clients of DCOM look, is taken"}} {
		var log strings.Builder
		h, _ := testHost(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Listen: func(_ context.Context, _, address string) (net.Listener, error) {
				if address != "127.0.0.1:135" {
					t.Errorf("%s is listened on", address)
				}
				return nil, &net.OpError{Op: "listen", Err: row.err}
			}})
		end := h.serve(t.Context())
		s := h.status()
		if s.Resolver != "" || s.Err == nil || !strings.Contains(s.Err.Error(), row.want) || !strings.Contains(s.Err.Error(), "--dcom-port") {
			t.Errorf("%v: %+v", row.err, s)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		if strings.Count(log.String(), "WMI over DCOM is not served") != 1 {
			t.Errorf("%v: the log is %s", row.err, &log)
		}
	}
}

// A free port that clients know stays the same from stop to start; where another
// program has taken it since, there is another one.
func TestDCOMHostKeepsItsFreePort(t *testing.T) {
	refuse := ""
	h, _ := testHost(t, Options{DCOMPort: -1, Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
		if address == refuse {
			return nil, &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}
		}
		var lc net.ListenConfig
		return lc.Listen(ctx, network, address)
	}})
	h.begin(t)
	first := h.status().Resolver
	restart := func() string {
		for _, run := range []bool{false, true} {
			if changed, err := h.set(t.Context(), run); err != nil || !changed {
				t.Fatalf("run %v: %v, %v", run, changed, err)
			}
		}
		return h.status().Resolver
	}
	if again := restart(); again != first {
		t.Errorf("%s became %s", first, again)
	}
	refuse = first
	if other := restart(); other == first || portOf(t, other) == 0 {
		t.Errorf("%s is taken, and is served at %s", first, other)
	}
}

func TestDCOMHostOff(t *testing.T) {
	h, e := testHost(t, Options{DCOMPort: -1, NoDCOM: true})
	if _, err := h.set(t.Context(), true); !errors.Is(err, errDCOMNoService) {
		t.Errorf("started without a service: %v", err)
	}
	h.begin(t)
	if s := h.status(); s != (DCOMStatus{}) || e.began.Load() != 0 {
		t.Errorf("%+v, %d began", s, e.began.Load())
	}
}
