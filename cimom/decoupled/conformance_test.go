package decoupled

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// suite is the provider of the conformance suite.
func suite(t *testing.T) cimom.Provider {
	t.Helper()
	p := static.New(cimtest.Classes()...)
	if err := p.Add(cimtest.Instances()...); err != nil {
		t.Fatal(err)
	}
	for _, f := range cimtest.Methods() {
		p.Handle(cimtest.Namespace, f.Class, f.Name, f.Run)
	}
	return p
}

// listen makes a registrar on a socket that admits everybody.
func listen(t *testing.T) (g *Registrar, dial func(context.Context) (io.ReadWriteCloser, error)) {
	t.Helper()
	classes := map[string]*cim.Class{}
	for _, c := range cimtest.Classes() {
		classes[cim.Fold(c.Name)] = c
	}
	g = NewRegistrar(RegistrarOptions{
		UID:    func(net.Conn) (uint32, error) { return uint32(os.Getuid()), nil },
		Admit:  func(context.Context, uint32, string, string) error { return nil },
		Lookup: func(_, class string) *cim.Class { return classes[cim.Fold(class)] },
	})
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(g.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return g, func(ctx context.Context) (io.ReadWriteCloser, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

// serve serves a provider until the test ends.
func serve(t *testing.T, o ServeOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// connected waits until a provider is there.
func connected(t *testing.T, g *Registrar) {
	t.Helper()
	for len(g.Connected()) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the provider does not connect")
		}
	}
}

// TestConformance: a provider in another process answers as it does in this
// one: the conformance suite passes, over a manager whose provider is at the
// other end of a socket.
func TestConformance(t *testing.T) {
	g, dial := listen(t)
	serve(t, ServeOptions{Name: "Suite", Namespace: cimtest.Namespace, Provider: suite(t), Dial: dial})
	connected(t, g)
	p := g.Provider(cimtest.Namespace, "suite").(*remote)
	p.classes = cimtest.Classes()
	m := cimom.New(cimom.Options{})
	defer m.Close()
	if err := errors.Join(m.AddNamespace(cimom.Namespace{Name: cimtest.Namespace}), m.Register(p)); err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T) cim.Session {
		groups := []security.GroupEntry{{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone}}
		caller := cim.Caller{Token: &security.Token{User: security.SIDLocalSystem, Groups: groups}}
		s, err := m.Open(t.Context(), caller, cimtest.Namespace, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cimtest.Run(t, cimtest.Harness{Open: open})
}
