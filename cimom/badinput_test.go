package cimom_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
)

// Classes above themselves cannot be stored, and where a repository has some,
// made by another program, they are not served and everything else is.
func TestCyclicClasses(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	root := open(t, m, "root")
	for _, tt := range []struct {
		text string
		want cim.Status
		line string
	}{
		{"class A : A { };", cim.ErrInvalidSuperclass, "1"},
		{"class A : B { };\nclass B : A { };", cim.ErrInvalidSuperclass, "1"},
		{"class A { [key] string Id; };\nclass B : A { };\nclass C : B { };\nclass A : C { };", cim.ErrCircularReference, "4"},
	} {
		if r := compile(t, root, tt.text); returned(r) != tt.want || r.Out.Get("Line").String() != tt.line || r.Out.Get("Message").IsNull() {
			t.Errorf("%q: %v, want %v in line %s", tt.text, r, tt.want, tt.line)
		}
	}
	s := open(t, m, `root\default`)
	for class, super := range map[string]string{"A": "", "B": "A", "C": "B"} {
		if c, err := s.GetClass(t.Context(), class, cim.GetOptions{}); err != nil || c.Superclass != super {
			t.Errorf("%s afterwards: %v, %v", class, c, err)
		}
	}

	repo := repository.Memory()
	defer repo.Close()
	err := repo.Update(t.Context(), func(tx *repository.Tx) error {
		err := tx.PutNamespace(repository.Namespace{Name: `root\cimv2`})
		for class, super := range map[string]string{"One": "Two", "Two": "One", "Self": "Self", "Below": "Self", "Good": "", "Better": "Good"} {
			c := keyed(class, super)
			c.Namespace = `root\cimv2`
			err = errors.Join(err, tx.PutClass(c.Seal()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	damaged := cimom.New(cimom.Options{Repository: repo, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer damaged.Close()
	s = open(t, damaged, `root\cimv2`)
	r, err := call1(t, open(t, damaged, "root"), "Verify")
	if err != nil {
		t.Fatal(err)
	}
	problems := r.Out.Get("Problems").String()
	for _, class := range []string{"One", "Two", "Self", "Below"} {
		if _, err := s.GetClass(t.Context(), class, cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
			t.Errorf("%s: %v", class, err)
		}
		if _, err := s.Enumerate(t.Context(), class, cim.EnumerateOptions{}); !errors.Is(err, cim.ErrInvalidClass) {
			t.Errorf("instances of %s: %v", class, err)
		}
		if !strings.Contains(problems, `root\cimv2:`+class) || !strings.Contains(log.String(), class) {
			t.Errorf("nothing is said of %s: %s", class, problems)
		}
	}
	create(t, s, "Better", map[string]cim.Value{"Id": cim.Str("1")})
	if got := query(t, s, "SELECT * FROM Good"); len(got) != 1 {
		t.Errorf("%d instances of what is sound", len(got))
	}
	// who puts a sound class in place of one makes the others whole
	put(t, s, keyed("Self", ""), cim.PutClassOptions{})
	if _, err := s.GetClass(t.Context(), "Below", cim.GetOptions{}); err != nil {
		t.Errorf("below a class that was repaired: %v", err)
	}
}

// liar is a provider whose answers are not what it said that they would be.
type liar struct {
	classes []*cim.Class
	yielded atomic.Int64
}

func newLiar() *liar {
	l := &liar{}
	for _, name := range []string{"L_Good", "L_Types", "L_Names", "L_Fewer", "L_More", "L_Nil", "L_Flood"} {
		l.classes = append(l.classes, cim.NewClass(name, nil).Dynamic().Key("Id", cim.String).Property("Size", cim.Uint32).
			Method("Do", cim.Uint32).Build(faultyNamespace))
	}
	return l
}

func (l *liar) Classes() []*cim.Class { return l.classes }

// make is an instance of a class that is called like the one that was asked for.
func (l *liar) make(name string) *cim.Instance {
	b := cim.NewClass(name, nil).Dynamic()
	switch name {
	case "L_Nil":
		return nil
	case "L_Types":
		b = b.Key("Id", cim.String).Property("Size", cim.String)
	case "L_Names":
		b = b.Key("Id", cim.String).Property("Length", cim.Uint32)
	case "L_Fewer":
		b = b.Key("Id", cim.String)
	case "L_More":
		b = b.Key("Id", cim.String).Property("Size", cim.Uint32).Property("More", cim.Uint32)
	default:
		b = b.Key("Id", cim.String).Property("Size", cim.Uint32)
	}
	i := cim.NewInstance(b.Build(faultyNamespace))
	_ = i.Set("Id", cim.Str("1"))
	return i
}

func (l *liar) List(_ context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	if r.Class.Name != "L_Flood" {
		return yield(l.make(r.Class.Name))
	}
	i := l.make(r.Class.Name)
	if err := i.Set("Id", cim.Str(strings.Repeat("x", 1000))); err != nil {
		return err
	}
	for {
		l.yielded.Add(1)
		if err := yield(i); err != nil {
			return err
		}
	}
}

func (l *liar) Get(_ context.Context, r *cimom.Request, _ cim.ObjectPath) (*cim.Instance, error) {
	return l.make(r.Class.Name), nil
}

func (l *liar) Invoke(context.Context, *cimom.Request, cim.ObjectPath, string, cim.Arguments) (cim.Result, error) {
	return cim.Result{ReturnValue: cim.Str("no number")}, nil
}

// A provider whose instances are of another class than it registered, though
// called the same, fails its own operations and no others.
func TestLyingProvider(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	if err := m.Register(newLiar()); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, faultyNamespace)
	for _, class := range []string{"L_Types", "L_Names", "L_Fewer", "L_More", "L_Nil"} {
		e, err := s.Enumerate(t.Context(), class, cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if list, err := cim.Collect(t.Context(), e); len(list) != 0 || !errors.Is(err, cim.ErrProviderFailure) {
			t.Errorf("%s: Enumerate: %v, %v", class, list, err)
		}
		if i, err := s.Get(t.Context(), instancePath(class, "1"), cim.GetOptions{}); !errors.Is(err, cim.ErrProviderFailure) {
			t.Errorf("%s: Get: %v, %v", class, i, err)
		}
		e, err = s.Query(t.Context(), "SELECT * FROM "+class+" WHERE Size=1", cim.QueryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if list, err := cim.Collect(t.Context(), e); len(list) != 0 || !errors.Is(err, cim.ErrProviderFailure) {
			t.Errorf("%s: Query: %v, %v", class, list, err)
		}
	}
	if r, err := s.Invoke(t.Context(), instancePath("L_Good", "1"), "Do", nil, cim.OperationOptions{}); !errors.Is(err, cim.ErrProviderFailure) {
		t.Errorf("a method without its number: %v, %v", r, err)
	}
	if got := query(t, s, "SELECT * FROM L_Good"); len(got) != 1 {
		t.Errorf("what is true: %v", got)
	}
}

// A provider that never stops gets no further than its reader, whatever the
// reader does, and takes no memory meanwhile.
func TestFloodingProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := cimom.New(cimom.Options{})
		defer m.Close()
		l := newLiar()
		if err := m.Register(l); err != nil {
			t.Fatal(err)
		}
		s := open(t, m, faultyNamespace)
		e, err := s.Enumerate(t.Context(), "L_Flood", cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		read := 0
		for range 50 {
			batch, err := e.Next(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			read += len(batch)
			synctest.Wait()
			if ahead := int(l.yielded.Load()) - read; ahead > 400 {
				t.Fatalf("the provider is %d instances ahead of its reader", ahead)
			}
		}
		if got := query(t, s, "SELECT * FROM L_Good"); len(got) != 1 {
			t.Errorf("another class meanwhile: %v", got)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		at := l.yielded.Load()
		if _, err := e.Next(t.Context(), 1); err != io.EOF || l.yielded.Load() != at {
			t.Errorf("after Close: %v, %s more", err, strconv.FormatInt(l.yielded.Load()-at, 10))
		}
	})
}
