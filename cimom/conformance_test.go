package cimom_test

import (
	"errors"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
)

func administrator() cim.Caller {
	return cim.Caller{Token: &security.Token{
		User: security.SIDLocalSystem,
		Groups: []security.GroupEntry{
			{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone},
		},
	}}
}

// served is a manager that serves the fixtures of the conformance suite.
func served(t testing.TB) *cimom.Manager {
	t.Helper()
	m := cimom.New(cimom.Options{Server: "HOST"})
	t.Cleanup(func() { m.Close() })
	if err := m.AddNamespace(cimom.Namespace{Name: cimtest.Namespace}); err != nil {
		t.Fatal(err)
	}
	p := static.New(cimtest.Classes()...)
	if err := p.Add(cimtest.Instances()...); err != nil {
		t.Fatal(err)
	}
	for _, f := range cimtest.Methods() {
		p.Handle(cimtest.Namespace, f.Class, f.Name, f.Run)
	}
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, m *cimom.Manager, namespace string) cim.Session {
	t.Helper()
	s, err := m.Open(t.Context(), administrator(), namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	m := served(t)
	cimtest.Run(t, cimtest.Harness{Open: func(t *testing.T) cim.Session { return open(t, m, cimtest.Namespace) }})
}

// TestTranscript shows that a transcript does not depend on the run, that the
// suite leaves no trace, and that Compare sees a difference.
func TestTranscript(t *testing.T) {
	m := served(t)
	s := open(t, m, cimtest.Namespace)
	first := cimtest.Transcript(t.Context(), s)
	second := cimtest.Transcript(t.Context(), s)
	if diff := cimtest.Compare(first, second, nil); len(diff) > 0 {
		t.Errorf("two transcripts differ: %q", diff)
	}
	other := cim.NewInstance(cimtest.Classes()[0])
	for _, c := range cimtest.Classes() {
		if c.Name == "CT_Part" {
			other = cim.NewInstance(c)
		}
	}
	if err := other.Set("ID", cim.Str("p9")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), other, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := cimtest.Compare(first, cimtest.Transcript(t.Context(), s), cimtest.LostByWSMan); len(diff) == 0 {
		t.Error("a further instance makes no difference")
	}
}

func TestCreateOrUpdate(t *testing.T) {
	s := open(t, served(t), cimtest.Namespace)
	class, err := s.GetClass(t.Context(), "CT_Item", cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i := cim.NewInstance(class)
	for n := range uint32(2) {
		if err := errors.Join(i.Set("ID", cim.Str("n")), i.Set("Value", cim.U32(n))); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), i, cim.PutOptions{Mode: cim.CreateOrUpdate}); err != nil {
			t.Fatal(err)
		}
		path, _ := i.Path()
		got, err := s.Get(t.Context(), path, cim.GetOptions{})
		if err != nil || !got.Get("Value").Equal(cim.U32(n)) {
			t.Errorf("after put %d: %v, %v", n, got, err)
		}
	}
}

func TestWriteOfWhatCannotBe(t *testing.T) {
	s := open(t, served(t), "root")
	class, err := s.GetClass(t.Context(), "__thisNAMESPACE", cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), cim.NewInstance(class), cim.OperationOptions{}); !errors.Is(err, cim.ErrProviderNotCapable) {
		t.Errorf("Create: %v, want WBEM_E_PROVIDER_NOT_CAPABLE", err)
	}
}
