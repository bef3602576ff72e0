package cimom

import (
	"testing"

	"github.com/casementhq/casement/cim"
)

// TestUnobservedOperations: without a subscription to them the events about
// operations cost no memory, and the counting none either.
func TestUnobservedOperations(t *testing.T) {
	m := New(Options{})
	defer m.Close()
	src := newSource(m, nil, "Some")
	class := cim.NewClass("C", nil).Key("Id", cim.String).Build(`root\cimv2`)
	r := &Request{Namespace: `root\cimv2`, Class: class}
	path := cim.ObjectPath{Class: "C", Keys: []cim.Key{{Name: "Id", Value: cim.Str("1")}}}
	f := func() error { return nil }
	call := func() {
		if err := src.observed(r, operation{kind: OpGet, path: path}, f); err != nil {
			t.Error(err)
		}
	}
	if n := testing.AllocsPerRun(1000, call); n != 0 {
		t.Errorf("%v allocations for each operation", n)
	}
	if n := src.record.in(r.Namespace).Calls()[OpGet]; n != 1001 {
		t.Errorf("%d calls are counted, want 1001", n)
	}
	s, err := m.Open(t.Context(), cim.Caller{Token: serviceToken}, `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.(cim.Subscriber).Subscribe(t.Context(), `SELECT * FROM __TimerEvent`, cim.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if n := testing.AllocsPerRun(1000, call); n != 0 {
		t.Errorf("%v allocations for each operation where somebody wants other events", n)
	}
}

func BenchmarkUnobservedOperation(b *testing.B) {
	m := New(Options{})
	defer m.Close()
	src := newSource(m, nil, "Some")
	r := &Request{Namespace: `root\cimv2`, Class: cim.NewClass("C", nil).Key("Id", cim.String).Build(`root\cimv2`)}
	f := func() error { return nil }
	b.Run("counted", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := src.observed(r, operation{kind: OpGet}, f); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := protect(f); err != nil {
				b.Fatal(err)
			}
		}
	})
}
