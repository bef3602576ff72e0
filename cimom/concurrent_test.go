package cimom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// Classes, instances, namespaces, their security and providers change while
// others read: every operation ends with one of the statuses that the change
// explains, and the end finds everything in order.
func TestChangesWhileReading(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	put(t, s, keyed("Top", ""), cim.PutClassOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	run := func(what string, f func(n int) error, expected ...cim.Status) {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				err := f(n)
				ok := err == nil || errors.Is(err, context.DeadlineExceeded)
				for _, status := range expected {
					ok = ok || errors.Is(err, status)
				}
				if !ok {
					t.Errorf("%s, round %d: %v", what, n, err)
					return
				}
			}
		})
	}
	w := s.(cim.ClassWriter)
	run("a class comes and goes", func(n int) error {
		c := keyed("Sub", "Top")
		if n%2 == 1 {
			return w.DeleteClass(ctx, "Sub", cim.OperationOptions{})
		}
		return w.PutClass(ctx, &c, cim.PutClassOptions{})
	}, cim.ErrClassHasInstances)
	run("its superclass changes", func(n int) error {
		c := keyed("Top", "")
		c.Properties = append(c.Properties, cim.Property{Name: fmt.Sprintf("P%d", n%3), Type: cim.Uint32})
		return w.PutClass(ctx, &c, cim.PutClassOptions{Conflict: cim.SafeConflict})
	}, cim.ErrClassHasInstances)
	run("an instance comes and goes", func(int) error {
		class, err := s.GetClass(ctx, "Sub", cim.GetOptions{})
		if err != nil {
			return err
		}
		i := cim.NewInstance(class)
		if err := i.Set("Id", cim.Str("1")); err != nil {
			return err
		}
		path, err := s.Create(ctx, i, cim.OperationOptions{})
		if err != nil {
			return err
		}
		return s.Delete(ctx, path, cim.OperationOptions{})
	}, cim.ErrNotFound, cim.ErrInvalidClass, cim.ErrInvalidProperty)
	run("a query", func(int) error {
		e, err := s.Query(ctx, `SELECT * FROM Top WHERE Note IS NULL`, cim.QueryOptions{})
		if err == nil {
			_, err = cim.Collect(ctx, e)
		}
		return err
	})
	run("a namespace comes and goes", func(n int) error {
		path := cim.ObjectPath{Class: "__NAMESPACE", Keys: []cim.Key{{Name: "Name", Value: cim.Str("there")}}}
		if n%2 == 1 {
			return s.Delete(ctx, path, cim.OperationOptions{})
		}
		class, err := s.GetClass(ctx, "__NAMESPACE", cim.GetOptions{})
		if err != nil {
			return err
		}
		i := cim.NewInstance(class)
		_, err = s.Create(ctx, i, cim.OperationOptions{})
		if errors.Is(err, context.DeadlineExceeded) { // the test is over
			return err
		}
		if !errors.Is(err, cim.ErrInvalidParameter) { // without a name
			return errors.New("a namespace without a name")
		}
		if err := i.Set("Name", cim.Str("there")); err != nil {
			return err
		}
		_, err = s.Create(ctx, i, cim.OperationOptions{})
		return err
	})
	run("a class in it", func(int) error {
		o, err := m.Open(ctx, administrator(), `root\cimv2\there`, cim.OpenOptions{})
		if err != nil {
			return err
		}
		defer o.Close()
		c := keyed("Mine", "")
		return o.(cim.ClassWriter).PutClass(ctx, &c, cim.PutClassOptions{})
	}, cim.ErrInvalidNamespace)
	run("security", func(int) error {
		_, err := s.Invoke(ctx, systemSecurity, "SetSD", cim.Arguments{{Name: "SD", Value: cim.Bytes(sdBytes(t, "O:BAG:BAD:(A;CI;0x6003f;;;BA)"))}}, cim.OperationOptions{})
		return err
	})
	run("providers", func(n int) error {
		return m.Register(&namedProvider{classes: []*cim.Class{cim.NewClass(fmt.Sprintf("R%d", n), nil).Dynamic().Key("Id", cim.String).Build(`root\cimv2`)}})
	})
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("a deadlock")
	}
	if r, err := call1(t, open(t, m, "root"), "Verify"); err != nil || r.ReturnValue.String() != "0" {
		t.Errorf("Verify: %v, %v", r, err)
	}
}

// A provider whose calls hang gets only so many of them, and the others go on.
func TestProviderCallsAreBounded(t *testing.T) {
	m := cimom.New(cimom.Options{ProviderCalls: 2})
	defer m.Close()
	if err := m.Register(&faulty{}); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, faultyNamespace)
	path := cim.ObjectPath{Class: "T_Hangs", Keys: []cim.Key{{Value: cim.U32(7)}}}
	for n := range 3 {
		want := cim.ErrTimedOut
		if n == 2 {
			want = cim.ErrServerTooBusy
		}
		o := cim.GetOptions{OperationOptions: cim.OperationOptions{Timeout: 30 * time.Millisecond}}
		if _, err := s.Get(t.Context(), path, o); !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v", n, err, want)
		}
	}
	put(t, s, keyed("Stored", ""), cim.PutClassOptions{})
	create(t, s, "Stored", map[string]cim.Value{"Id": cim.Str("1")})
	if got := query(t, s, "SELECT * FROM Stored"); len(got) != 1 {
		t.Errorf("another source: %v", got)
	}
}

// panicking panics wherever it is asked.
type panicking struct{ namedProvider }

func (p *panicking) Put(context.Context, *cimom.Request, *cim.Instance) error { panic("secret inside") }

func (p *panicking) Property(context.Context, *cimom.Request, cim.ObjectPath, string, string) (cim.Value, error) {
	panic("secret inside")
}

func (p *panicking) SetProperty(context.Context, *cimom.Request, cim.ObjectPath, string, string, cim.Value) error {
	panic("secret inside")
}

func TestPanicsOfOtherInterfaces(t *testing.T) {
	m := cimom.New(cimom.Options{ProviderCalls: 1}) // a panic gives its place back
	defer m.Close()
	p := &panicking{}
	p.classes = []*cim.Class{cim.NewClass("Here", nil).Dynamic().Key("Id", cim.String).Build(`root\cimv2`)}
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, `root\cimv2`)
	live := keyed("Half", "")
	live.Properties = append(live.Properties, cim.Property{Name: "Live", Type: cim.String, Qualifiers: cim.Qualifiers{
		{Name: "Dynamic", Value: cim.Bool(true)}, {Name: "Provider", Value: cim.Str("BuiltIn")}}})
	put(t, s, live, cim.PutClassOptions{})
	_, err := s.Create(t.Context(), make1(t, s, "Half", map[string]cim.Value{"Id": cim.Str("1"), "Live": cim.Str("x")}), cim.OperationOptions{})
	if !errors.Is(err, cim.ErrProviderFailure) {
		t.Errorf("SetProperty: %v", err)
	}
	if _, err := s.Get(t.Context(), instancePath("Half", "1"), cim.GetOptions{}); !errors.Is(err, cim.ErrProviderFailure) {
		t.Errorf("Property: %v", err)
	}
	if err := s.Put(t.Context(), make1(t, s, "Here", map[string]cim.Value{"Id": cim.Str("1")}), cim.PutOptions{}); !errors.Is(err, cim.ErrProviderFailure) {
		t.Errorf("Put: %v", err)
	}
	e, err := s.Enumerate(t.Context(), "Half", cim.EnumerateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Next(t.Context(), 1); !errors.Is(err, cim.ErrProviderFailure) || errors.Is(err, io.EOF) {
		t.Errorf("Property in a list: %v", err)
	}
}

// recording notes which classes it was asked to change.
type recording struct {
	namedProvider
	name   string
	asked  []string
	refuse error
}

func (r *recording) ProviderName() string { return r.name }

func (r *recording) Put(_ context.Context, q *cimom.Request, i *cim.Instance) error {
	r.asked = append(r.asked, fmt.Sprintf("put %s %d", q.Class.Name, i.Len()))
	return r.refuse
}

func (r *recording) Delete(_ context.Context, q *cimom.Request, path cim.ObjectPath) error {
	r.asked = append(r.asked, "delete "+path.Relative()+" of "+q.Class.Name)
	return r.refuse
}

// An update and a deletion go to the providers of the classes above too; any
// failure fails an update, and the topmost decides a deletion. See spec/wmi.md
// 2.2.
func TestWritesGoToSuperclasses(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	base := cim.NewClass("Base", nil).Dynamic().Key("Id", cim.String).Property("A", cim.String).Build(`root\cimv2`)
	derived := cim.NewClass("Derived", base).Dynamic().Property("B", cim.String).Build("")
	upper, lower := &recording{name: "Upper"}, &recording{name: "Lower"}
	upper.classes, lower.classes = []*cim.Class{base}, []*cim.Class{derived}
	if err := errors.Join(m.Register(upper), m.Register(lower)); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, `root\cimv2`)
	instance := make1(t, s, "Derived", map[string]cim.Value{"Id": cim.Str("1"), "A": cim.Str("a"), "B": cim.Str("b")})
	if err := s.Put(t.Context(), instance, cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	path := instancePath("Derived", "1")
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(upper.asked, lower.asked), `[put Base 2 delete Base.Id="1" of Base] [put Derived 3 delete Derived.Id="1" of Derived]`; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	upper.refuse = cim.ErrReadOnly
	if err := s.Put(t.Context(), instance, cim.PutOptions{}); !errors.Is(err, cim.ErrReadOnly) {
		t.Errorf("an update that the topmost refuses: %v", err)
	}
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); !errors.Is(err, cim.ErrReadOnly) {
		t.Errorf("a deletion that the topmost refuses: %v", err)
	}
	upper.refuse, lower.refuse = nil, cim.ErrReadOnly
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
		t.Errorf("a deletion that only the lower one refuses: %v", err)
	}
}
