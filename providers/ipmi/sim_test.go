package ipmi

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/internal/ipmisim"
	"github.com/casementhq/casement/internal/testlog"
	"github.com/casementhq/casement/security"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is an object manager with this provider.
type host struct {
	t       *testing.T
	store   *Store
	log     *testlog.Text
	manager *cimom.Manager
	p       *Provider
}

func newHost(t *testing.T, devices ...Device) *host {
	t.Helper()
	h := &host{t: t, store: OpenStore(t.TempDir()), log: &testlog.Text{}}
	for _, d := range devices {
		if err := h.store.Put(d); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.manager = cimom.New(cimom.Options{Logger: log, Server: "HERE"})
	t.Cleanup(func() {
		if err := h.manager.Close(); err != nil {
			t.Error(err)
		}
		if strings.Contains(h.log.String(), ipmisim.Password) {
			t.Error("the log has the password of the BMC")
		}
	})
	h.p = New(Options{Store: h.store, Root: t.TempDir(), Domain: "here", Log: log})
	if err := h.manager.Register(h.p); err != nil {
		t.Fatal(err)
	}
	return h
}

func device(s *ipmisim.Sim, name string) Device {
	return Device{Name: name, Host: s.Host, Port: s.Port, User: ipmisim.User, Password: ipmisim.Password}
}

func token(groups ...security.SID) cim.Caller {
	t := &security.Token{User: security.SIDLocalSystem, Groups: []security.GroupEntry{{SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone}}}
	for _, g := range groups {
		t.Groups = append(t.Groups, security.GroupEntry{SID: g})
	}
	return cim.Caller{Token: t}
}

func (h *host) open(namespace string, caller cim.Caller) cim.Session {
	h.t.Helper()
	s, err := h.manager.Open(h.t.Context(), caller, namespace, cim.OpenOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { s.Close() })
	return s
}

func (h *host) admin() cim.Session { return h.open(Namespace, token(security.SIDAdministrators)) }

// query lists what a query finds.
func query(t *testing.T, s cim.Session, text string) []*cim.Instance {
	t.Helper()
	out, err := tryQuery(t, s, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func tryQuery(t *testing.T, s cim.Session, text string) (out []*cim.Instance, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	e, err := s.Query(ctx, text, cim.QueryOptions{})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return cim.Collect(ctx, e)
}

// values are properties of an instance as text.
func values(i *cim.Instance, names ...string) (out []string) {
	for _, n := range names {
		out = append(out, i.Get(n).String())
	}
	return out
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func is(t *testing.T, what string, err error, want cim.Status) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
