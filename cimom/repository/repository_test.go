package repository

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/cim"
)

var ctx = context.Background()

// both runs a test on a file and in memory.
func both(t *testing.T, f func(t *testing.T, r *Repository)) {
	t.Run("file", func(t *testing.T) { f(t, open(t, filepath.Join(t.TempDir(), "r"))) })
	t.Run("memory", func(t *testing.T) { f(t, Memory()) })
}

func open(t testing.TB, path string) *Repository {
	t.Helper()
	r, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func update(t testing.TB, r *Repository, f func(*Tx) error) {
	t.Helper()
	if err := r.Update(ctx, f); err != nil {
		t.Fatal(err)
	}
}

const testNamespace = `root\Test`

func indexedQualifier() cim.Qualifier { return cim.Qualifier{Name: "Indexed", Value: cim.Bool(true)} }

func thing() *cim.Class {
	return cim.NewClass("My_Thing", nil).Key("Id", cim.Uint32).Key("Name", cim.String).
		Property("Text", cim.String).Property("Group", cim.String, indexedQualifier()).Build(testNamespace)
}

func newThing(class *cim.Class, id uint32, name, text, group string) *cim.Instance {
	return cim.MakeInstance(class, []cim.Value{cim.U32(id), cim.Str(name), cim.Str(text), cim.Str(group)})
}

// empty deletes every instance of a class.
func empty(t testing.TB, r *Repository, class *cim.Class) {
	t.Helper()
	all := scan(t, r, class, 1000)
	update(t, r, func(tx *Tx) error {
		for _, i := range all {
			path, _ := i.Path()
			if err := tx.Delete(class, path); err != nil {
				return err
			}
		}
		return nil
	})
}

func scan(t testing.TB, r *Repository, class *cim.Class, batch int) (list []*cim.Instance) {
	t.Helper()
	var at Position
	for !at.End() {
		n := 0
		var err error
		if at, err = r.Scan(ctx, class, at, batch, func(i *cim.Instance) bool {
			n++
			list = append(list, Keep(i))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if n > batch {
			t.Fatalf("a batch of %d", n)
		}
	}
	return list
}

func TestInstances(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		class := thing()
		i := newThing(class, 7, "Seven", "a", "g")
		update(t, r, func(tx *Tx) error { return tx.Create(i) })
		err := r.Update(ctx, func(tx *Tx) error { return tx.Create(newThing(class, 7, "SEVEN", "b", "g")) })
		if !errors.Is(err, cim.ErrAlreadyExists) {
			t.Errorf("creating twice: %v", err)
		}
		// T-81: the order of keys and the case of names and values do not count.
		for _, text := range []string{`My_Thing.Id=7,Name="Seven"`, `my_thing.NAME="sEVEN",id=7`, `MY_THING.Name="SEVEN",ID="7"`} {
			path, err := cim.ParsePath(text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Get(ctx, class, path)
			if err != nil || !got.Equal(i) {
				t.Errorf("%s: %v, %v", text, got, err)
			}
		}
		missing, _ := cim.ParsePath(`My_Thing.Id=8,Name="Seven"`)
		if _, err := r.Get(ctx, class, missing); !errors.Is(err, cim.ErrNotFound) {
			t.Error(err)
		}
		half, _ := cim.ParsePath(`My_Thing.Id=8`)
		if _, err := r.Get(ctx, class, half); !errors.Is(err, cim.ErrInvalidObjectPath) {
			t.Error(err)
		}
		changed := newThing(class, 7, "seven", "c", "h")
		update(t, r, func(tx *Tx) error { return tx.Put(changed) })
		if got := scan(t, r, class, 10); len(got) != 1 || !got[0].Equal(changed) {
			t.Errorf("%v", got)
		}
		if err := r.Update(ctx, func(tx *Tx) error { return tx.Put(newThing(class, 9, "x", "", "")) }); !errors.Is(err, cim.ErrNotFound) {
			t.Errorf("changing what is not there: %v", err)
		}
		path, _ := changed.Path()
		update(t, r, func(tx *Tx) error { return tx.Delete(class, path) })
		if err := r.Update(ctx, func(tx *Tx) error { return tx.Delete(class, path) }); !errors.Is(err, cim.ErrNotFound) {
			t.Errorf("deleting twice: %v", err)
		}
	})
}

func TestScanAndLookup(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		class := thing()
		const n = 2500
		update(t, r, func(tx *Tx) error {
			for i := range n {
				if err := tx.Create(newThing(class, uint32(i), "n", "text", fmt.Sprint("Group", i%10))); err != nil {
					return err
				}
			}
			return nil
		})
		if c, err := r.Count(ctx, class); err != nil || c != n {
			t.Errorf("%d, %v", c, err)
		}
		seen := map[string]bool{}
		for _, i := range scan(t, r, class, 100) {
			seen[i.Get("Id").String()] = true
		}
		if len(seen) != n {
			t.Errorf("%d seen", len(seen))
		}
		for _, property := range []string{"Group", "Text"} {
			want := map[string]int{"Group": n / 10, "Text": n}[property]
			value := map[string]string{"Group": "gROUP3", "Text": "TEXT"}[property]
			got := 0
			for at := (Position{}); !at.End(); {
				var err error
				if at, err = r.Lookup(ctx, class, class.PropertyIndex(property), cim.Str(value), at, 33, func(i *cim.Instance) bool { got++; return true }); err != nil {
					t.Fatal(err)
				}
			}
			if got != want {
				t.Errorf("%s: %d, want %d", property, got, want)
			}
		}
		empty(t, r, class)
		if got := scan(t, r, class, 100); len(got) > 0 {
			t.Errorf("%d left", len(got))
		}
	})
}

func TestNamespaces(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		class := thing()
		update(t, r, func(tx *Tx) error {
			for _, n := range []Namespace{{Name: `root\a`, Created: true, Security: []byte{1, 0, 4}, RequiresEncryption: true}, {Name: `root\A\b`}, {Name: `root\ab`}} {
				if err := tx.PutNamespace(n); err != nil {
					return err
				}
			}
			deep := *class
			deep.Namespace = `ROOT\a\b`
			if err := tx.PutClass(&deep); err != nil {
				return err
			}
			return tx.Create(newThing(deep.Seal(), 1, "x", "", "g"))
		})
		list, damaged, err := r.Namespaces(ctx)
		if err != nil || len(damaged) > 0 || len(list) != 3 || list[0].Name != `root\a` || string(list[0].Security) != "\x01\x00\x04" || !list[0].RequiresEncryption || list[2].Security != nil {
			t.Fatalf("%+v %v %v", list, damaged, err)
		}
		// T-92
		update(t, r, func(tx *Tx) error { return tx.DeleteNamespace(`Root\A`) })
		list, _, _ = r.Namespaces(ctx)
		if len(list) != 1 || list[0].Name != `root\ab` {
			t.Errorf("%+v", list)
		}
		left := 0
		_ = r.store.View(ctx, countAll(&left))
		if left != 4 { // the other namespace twice, a layout twice
			t.Errorf("%d records left", left)
		}
		if err := r.Update(ctx, func(tx *Tx) error { return tx.DeleteNamespace(`Root\A`) }); !errors.Is(err, cim.ErrNotFound) {
			t.Error(err)
		}
	})
}
