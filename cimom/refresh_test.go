package cimom_test

import (
	"errors"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// A provider of classes: they come, change and go while it runs.
func TestRefresh(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	first := cim.NewClass("First", nil).Dynamic().Key("Id", cim.String).Build(`root\cimv2`)
	p := &namedProvider{classes: []*cim.Class{first}}
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	other := &refusing{}
	if err := m.Register(other); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, `root\cimv2`)
	put(t, s, cim.Class{Name: "Mine", Superclass: "First", Qualifiers: cim.Qualifiers{
		{Name: "Dynamic", Value: cim.Bool(true)}, {Name: "Provider", Value: cim.Str("BuiltIn")}}}, cim.PutClassOptions{})
	e, err := s.(cim.Subscriber).Subscribe(t.Context(), "SELECT * FROM __ClassOperationEvent", cim.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	event := func() string {
		t.Helper()
		batch, err := e.Next(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return batch[0].Class().Name + " " + batch[0].Get("TargetClass").Object().Class().Name
	}
	refresh := func(want cim.Status, classes ...*cim.Class) {
		t.Helper()
		p.classes = classes
		if err := m.Refresh(p); cim.StatusOf(err) != want {
			t.Errorf("Refresh: %v, want %v", err, want)
		}
	}
	second := cim.NewClass("Second", first).Dynamic().Property("More", cim.String).Build("")
	refresh(0, first, second)
	if got := event(); got != "__ClassCreationEvent Second" {
		t.Errorf("the event: %s", got)
	}
	if got := query(t, s, "SELECT * FROM Second"); len(got) != 1 {
		t.Errorf("instances of a class that came: %v", got)
	}
	refresh(0, first, second) // nothing
	refresh(0, first)
	if got := event(); got != "__ClassDeletionEvent Second" {
		t.Errorf("the event: %s", got)
	}
	if _, err := s.GetClass(t.Context(), "Second", cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a class that went: %v", err)
	}
	wider := cim.NewClass("First", nil).Dynamic().Key("Id", cim.String).Property("Wide", cim.Uint32).Build(`root\cimv2`)
	refresh(0, wider)
	if c, err := s.GetClass(t.Context(), "Mine", cim.GetOptions{}); err != nil || c.Property("Wide") == nil {
		t.Errorf("a stored class below one that changed: %v, %v", c, err)
	}
	refresh(cim.ErrInvalidSuperclass, cim.NewClass("Third", second).Build(""))
	refresh(cim.ErrAlreadyExists, cim.NewClass("Listed", nil).Build(`root\cimv2`))
	if c, err := s.GetClass(t.Context(), "First", cim.GetOptions{}); err != nil || c.Property("Wide") == nil {
		t.Errorf("after a refresh that failed: %v, %v", c, err)
	}
	refresh(0)
	if _, err := s.GetClass(t.Context(), "Mine", cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a stored class below one that went: %v", err)
	}
	refresh(0, first)
	if _, err := s.GetClass(t.Context(), "Mine", cim.GetOptions{}); err != nil {
		t.Errorf("a stored class below one that came back: %v", err)
	}
	if err := m.Refresh(&outside{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a provider that is not registered: %v", err)
	}
}
