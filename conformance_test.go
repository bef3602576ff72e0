package casement_test

import (
	"errors"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
)

// manager is an object manager with the suite's classes.
func manager(t testing.TB) *cimom.Manager {
	t.Helper()
	m := cimom.New(cimom.Options{})
	p := static.New(cimtest.Classes()...)
	err := errors.Join(m.AddNamespace(cimom.Namespace{Name: cimtest.Namespace}), p.Add(cimtest.Instances()...))
	for _, f := range cimtest.Methods() {
		p.Handle(cimtest.Namespace, f.Class, f.Name, f.Run)
	}
	if err = errors.Join(err, m.Register(p)); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestConformanceOverWinRM runs the suite of cim.Session from our client over
// sealed HTTP to our service.
func TestConformanceOverWinRM(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: manager(t)})
	conn, err := casement.Dial(t.Context(), s.HTTP, casement.Options{User: s.User, Password: s.Password, HostsFile: "-"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cimtest.Run(t, cimtest.Harness{Lost: cimtest.LostByWSMan, Open: func(t *testing.T) cim.Session {
		session, err := conn.Session(t.Context(), cimtest.Namespace)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}})
}
