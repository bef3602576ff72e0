package pool

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/settings"
)

// counted counts the connections that a gatherer opens.
func counted(n *atomic.Int32) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// Probes and full refreshes of a server share one connection, a probe collects nothing,
// and another account has a connection of its own.
func TestProbesShareAConnection(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: simulated{version: "10.0.20348"}.opener(t)})
	entry, as := entryOf(t, s)
	var dialled atomic.Int32
	g := newTestGatherer(t, gatherOptions{DialContext: counted(&dialled), Examine: noDoctor})
	first := g.refresh(t.Context(), entry, as, Snapshot{}, asking{})
	got := first
	for range 3 {
		got = g.refresh(t.Context(), entry, as, got, asking{})
	}
	if n := dialled.Load(); n != 1 || got.State != Online {
		t.Errorf("%d connections, %s because %s", n, got.State, got.Reason)
	}
	if !got.Full.Equal(first.Full) || got.Facts != first.Facts || !got.Contact.After(first.Contact) || !got.Tried.After(first.Tried) {
		t.Errorf("the data was collected again, or the probes are not noted: %+v", got)
	}
	as.Credentials.Password = "not it"
	got = g.refresh(t.Context(), entry, as, got, asking{byHand: true})
	if n := dialled.Load(); n < 2 || got.State != CredentialsNotValid {
		t.Errorf("another password: %d connections, %s", n, got.State)
	}
	as.Credentials = auth.Credentials{Username: s.User, Password: s.Password}
	entry.Paused = true
	before := dialled.Load()
	if got = g.refresh(t.Context(), entry, as, got, asking{full: true}); got.State != Paused || got.Level != LevelNone || got.Reason != "" || dialled.Load() != before {
		t.Errorf("paused: %s %q, %d connections more", got.State, got.Reason, dialled.Load()-before)
	}
}

// A server that comes back is asked for everything at once; while it was away, what was
// known of it stayed.
func TestComesBack(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: simulated{version: "10.0.20348"}.opener(t)})
	entry, as := entryOf(t, s)
	g := newTestGatherer(t, gatherOptions{Examine: noDoctor})
	up := g.refresh(t.Context(), entry, as, Snapshot{}, asking{})
	s.Apply(settings.SetAllowRemoteAccess(false))
	once := g.refresh(t.Context(), entry, as, up, asking{})
	if once.State != Online || once.Pending != ManagementDisabled || once.Missed != 1 {
		t.Errorf("once: %s, pending %s, missed %d", once.State, once.Pending, once.Missed)
	}
	down := g.refresh(t.Context(), entry, as, once, asking{})
	if down.State != ManagementDisabled || down.Level != LevelBlocked || down.Facts == nil || !down.Full.Equal(up.Full) || !down.Contact.Equal(up.Contact) {
		t.Errorf("down: %+v", down)
	}
	s.Apply(settings.SetAllowRemoteAccess(true))
	back := g.refresh(t.Context(), entry, as, down, asking{})
	if back.State != Online || !back.Full.After(up.Full) || back.Missed != 0 || back.Code != "" || back.Check != "" {
		t.Errorf("back: %+v", back)
	}
}

// Where the entry wants both, DCOM that does not work needs attention, and the state is
// that of WinRM: no launch right, in spec/console.md 3.3.
func TestBothTransports(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: simulated{version: "10.0.20348"}.opener(t)})
	entry, as := entryOf(t, s)
	entry.Transport = Both
	g := newTestGatherer(t, gatherOptions{})
	got := g.refresh(t.Context(), entry, as, Snapshot{}, asking{full: true})
	if got.State != Online || got.DCOMTrouble != "" || got.Transport != WinRM {
		t.Errorf("healthy: %s, DCOM %q", got.State, got.DCOMTrouble)
	}
	s = casementtest.New(t, casementtest.Options{})
	entry, as = entryOf(t, s)
	entry.Transport = Both
	s.AddUser("reader", "Read-1", "Remote Management Users")
	protectNamespace(t, s, "(A;;0x21;;;AU)")
	plain := signIn{Credentials: auth.Credentials{Username: "reader", Password: "Read-1"}}
	got = g.refresh(t.Context(), entry, plain, Snapshot{}, asking{full: true})
	if got.State.Level() == LevelBlocked || got.Level != LevelAttention || !strings.Contains(got.DCOMTrouble, "lacks Remote Launch") {
		t.Errorf("no launch right: %s, level %s, %q", got.State, got.Level, got.DCOMTrouble)
	}
	entry.ResolverPort = portOf(t, closedPort(t))
	got = g.refresh(t.Context(), entry, as, Snapshot{}, asking{full: true})
	if got.State != Online || got.Level != LevelAttention || !strings.Contains(got.Reason, "DCOM: ") || got.DCOMTrouble == "" {
		t.Errorf("no port 135: %s, level %s, %q", got.State, got.Level, got.Reason)
	}
}

// Who does not wait any more gets what was known.
func TestCancelledRefresh(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	must(t, err)
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	g := newTestGatherer(t, gatherOptions{Examine: noDoctor, DialContext: func(context.Context, string, string) (net.Conn, error) {
		cancel()
		return net.Dial("tcp", l.Addr().String())
	}})
	prev := Snapshot{Server: "x", State: Online, Reason: "known"}
	got := g.refresh(ctx, Server{Name: "x", Transport: WinRM}, signIn{Credentials: auth.Credentials{Username: "u", Password: "p"}}, prev, asking{full: true, byHand: true})
	if got.State != Online || got.Reason != "known" || !got.Tried.IsZero() {
		t.Errorf("%+v", got)
	}
}
