package repository

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// every has a property of each type, scalar and array.
func every() (*cim.Class, []cim.Value) {
	inner := cim.NewClass("My_Inner", nil).Key("K", cim.String).Property("N", cim.Uint64).Build(testNamespace)
	object := cim.MakeInstance(inner, []cim.Value{cim.Str("k"), cim.U64(math.MaxUint64)})
	scalars := []cim.Value{
		cim.Bool(true), cim.Bool(false), cim.U8(255), cim.Int(cim.Sint8, -128), cim.U16(65535), cim.S16(-32768), cim.U32(math.MaxUint32),
		cim.S32(math.MinInt32), cim.U64(math.MaxUint64), cim.S64(math.MinInt64), cim.Real(cim.Real32, 1.5), cim.Real(cim.Real64, -math.Pi),
		cim.Real(cim.Real64, math.Inf(-1)), cim.Uint(cim.Char16, 0xD800), cim.Str(""), cim.Str("täxt\x00\n"), cim.Str(strings.Repeat("x", 100000)),
		cim.Time("20261121133000.123456-060"), cim.Time("00000001000000.000000:000"), cim.Ref(`\\.\root\cimv2:X.A="1"`),
		cim.Obj(object), cim.Obj(cim.ClassObject(inner)),
	}
	b := cim.NewClass("My_Every", nil).Key("Id", cim.Uint32)
	values := []cim.Value{cim.U32(1)}
	add := func(v cim.Value) {
		b.Property("P"+string(rune('A'+len(values)%26))+strings.Repeat("_", len(values)/26), v.Type())
		values = append(values, v)
	}
	for _, v := range scalars {
		add(v)
		add(cim.Null(v.Type()))
		add(cim.Array(v.Type(), []cim.Value{v, cim.Null(v.Type()), v}))
		add(cim.Array(v.Type(), nil))
		add(cim.Null(v.Type().Array()))
	}
	return b.Build(testNamespace), values
}

func TestEveryValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	r := open(t, path)
	class, values := every()
	i := cim.MakeInstance(class, values)
	update(t, r, func(tx *Tx) error { return tx.Create(i) })
	r.Close()
	r = open(t, path)
	p, _ := i.Path()
	got, err := r.Get(ctx, class, p)
	if err != nil {
		t.Fatal(err)
	}
	kept := scan(t, r, class, 1)[0]
	r.Close() // the file is not mapped any more
	for n, want := range values {
		for from, v := range map[string]cim.Value{"Get": got.At(n), "Scan": kept.At(n)} {
			if !v.Equal(want) || want.Object() != nil && want.Object().IsClass() != v.Object().IsClass() {
				t.Errorf("%s: %s %v is %v", from, want.Type(), want, v)
			}
		}
	}
}

// A class may gain, lose and change properties.
func TestEvolution(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		before := cim.NewClass("My_Class", nil).Key("Id", cim.Uint32).Property("Gone", cim.String).Property("Number", cim.String).Property("Bad", cim.String).Build(testNamespace)
		after := cim.NewClass("My_Class", nil).Key("Id", cim.Uint32).Add(cim.Property{Name: "New", Type: cim.Sint32, Default: cim.S32(-5)}).
			Add(cim.Property{Name: "BAD", Type: cim.Uint8, Default: cim.U8(9)}).Property("number", cim.Uint16).Build(testNamespace)
		update(t, r, func(tx *Tx) error {
			return tx.Create(cim.MakeInstance(before, []cim.Value{cim.U32(1), cim.Str("x"), cim.Str("77"), cim.Str("no number")}))
		})
		update(t, r, func(tx *Tx) error {
			return tx.Create(cim.MakeInstance(after, []cim.Value{cim.U32(2), cim.S32(3), cim.U8(4), cim.U16(5)}))
		})
		list := scan(t, r, after, 10)
		want := []string{"1 -5 9 77", "2 3 4 5"}
		for n, i := range list {
			var text []string
			for p := range i.Len() {
				text = append(text, i.At(p).String())
			}
			if got := strings.Join(text, " "); got != want[n] {
				t.Errorf("%s, want %s", got, want[n])
			}
		}
		if got := scan(t, r, before, 10); len(got) != 2 || !got[1].At(1).IsNull() || got[1].At(2).String() != "5" {
			t.Errorf("the old class reads %v", got)
		}
	})
}

func TestClasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	r := open(t, path)
	c := &cim.Class{
		Name: "My_Class", Superclass: "My_Base", Derivation: []string{"My_Base", "My_Top"}, Namespace: testNamespace, Server: "HERE",
		Qualifiers: cim.Qualifiers{{Name: "Description", Value: cim.Str("täxt"), Flavor: cim.Amended | cim.ToSubClass}, {Name: "Dynamic", Value: cim.Bool(true)}},
		Properties: []cim.Property{
			{Name: "Key", Type: cim.String, Key: true, Origin: "My_Class", Default: cim.Null(cim.String), Qualifiers: cim.Qualifiers{{Name: "key", Value: cim.Bool(true), Flavor: cim.ToInstance}}},
			{Name: "Ref", Type: cim.Reference, RefClass: "Other", Default: cim.Null(cim.Reference)},
			{Name: "List", Type: cim.Uint8.Array(), Default: cim.Array(cim.Uint8, []cim.Value{cim.U8(1), cim.U8(2)}), Qualifiers: cim.Qualifiers{{Name: "Values", Value: cim.Strs([]string{"a", "b"})}}},
		},
		Methods: []cim.Method{{
			Name: "Do", Return: cim.Uint32, Static: true, Origin: "My_Class", Qualifiers: cim.Qualifiers{{Name: "Implemented", Value: cim.Bool(true)}},
			In:  []cim.Parameter{{Name: "a", Type: cim.Object, RefClass: "Other", Optional: true, Qualifiers: cim.Qualifiers{{Name: "ID", Value: cim.S32(0)}}}},
			Out: []cim.Parameter{{Name: "b", Type: cim.String.Array(), Default: cim.Strs([]string{"x"})}},
		}},
	}
	update(t, r, func(tx *Tx) error {
		if err := tx.PutClass(c); err != nil {
			return err
		}
		return tx.HideClass(testNamespace, "Win32_Gone")
	})
	r.Close()
	r = open(t, path)
	list, damaged, err := r.Classes(ctx, strings.ToUpper(testNamespace))
	if err != nil || len(damaged) > 0 || len(list) != 2 {
		t.Fatal(list, damaged, err)
	}
	want := *c
	want.Server = "" // a repository may move to another machine
	if !reflect.DeepEqual(list[0].Declaration, &want) {
		t.Errorf("the declaration is\n%+v, want\n%+v", list[0].Declaration, &want)
	}
	if list[1].Name != "Win32_Gone" || list[1].Declaration != nil {
		t.Errorf("the mark is %+v", list[1])
	}
	update(t, r, func(tx *Tx) error { return tx.DeleteClass(testNamespace, "my_class") })
	if list, _, _ := r.Classes(ctx, testNamespace); len(list) != 1 {
		t.Errorf("%v", list)
	}
}

// Two references to one object are the same key.
func TestReferenceKeys(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		class := cim.NewClass("My_Link", nil).Association().KeyRef("A", "X").KeyRef("B", "Y").Build(testNamespace)
		create := func(a, b string) error {
			return r.Update(ctx, func(tx *Tx) error { return tx.Create(cim.MakeInstance(class, []cim.Value{cim.Ref(a), cim.Ref(b)})) })
		}
		if err := create(`X.A=1,B="x"`, `Y.K="y"`); err != nil {
			t.Fatal(err)
		}
		if err := create(`\\.\ROOT\test:x.b="X",a=1`, `root/test:Y="Y"`); cim.StatusOf(err) != cim.ErrAlreadyExists {
			t.Errorf("another spelling: %v", err)
		}
		if err := create(`X.A=1,B="x"`, `root\else:Y.K="y"`); err != nil {
			t.Errorf("another namespace: %v", err)
		}
	})
}

func TestLongAndOddKeys(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		class := thing()
		names := []string{"", strings.Repeat("k", 5000), strings.Repeat("k", 5001), "a\x00\x01name=b", "a\x00", "ÄÖ"}
		for _, n := range names {
			update(t, r, func(tx *Tx) error { return tx.Create(newThing(class, 1, n, n, "")) })
		}
		for _, n := range names {
			p, _ := newThing(class, 1, strings.ToUpper(n), "", "").Path()
			if i, err := r.Get(ctx, class, p); err != nil || i.Get("Text").String() != n {
				t.Errorf("%.20q: %v, %v", n, i, err)
			}
		}
	})
}

// The entries of an index follow the class and the instances.
func TestIndexFollows(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		plain := cim.NewClass("My_Thing", nil).Key("Id", cim.Uint32).Property("A", cim.String).Property("B", cim.Uint32).Build(testNamespace)
		withA := cim.NewClass("My_Thing", nil).Key("Id", cim.Uint32).Property("A", cim.String, indexedQualifier()).Property("B", cim.Uint32).Build(testNamespace)
		withB := cim.NewClass("My_Thing", nil).Key("Id", cim.Uint32).Property("A", cim.String).Property("B", cim.Uint32, indexedQualifier()).Build(testNamespace)
		write := func(class *cim.Class, put bool, id uint32, a string, b uint32) {
			t.Helper()
			i := cim.MakeInstance(class, []cim.Value{cim.U32(id), cim.Str(a), cim.U32(b)})
			update(t, r, func(tx *Tx) error {
				if put {
					return tx.Put(i)
				}
				return tx.Create(i)
			})
		}
		ids := func(class *cim.Class, property int, v cim.Value) (s string) {
			t.Helper()
			for at := (Position{}); !at.End(); {
				var err error
				if at, err = r.Lookup(ctx, class, property, v, at, 1, func(i *cim.Instance) bool { s += i.At(0).String(); return true }); err != nil {
					t.Fatal(err)
				}
			}
			return s
		}
		check := func(step, want string) {
			t.Helper()
			for _, class := range []*cim.Class{plain, withA, withB} {
				if got := ids(class, 1, cim.Str("X")) + " " + ids(class, 2, cim.Str("7")); got != want {
					t.Errorf("%s: %q, want %q", step, got, want)
				}
			}
			if p, err := r.Verify(ctx); err != nil || len(p) > 0 {
				t.Errorf("%s: %v %v", step, p, err)
			}
		}
		write(plain, false, 1, "x", 7)
		write(plain, false, 2, "y", 7)
		check("without", "1 12")
		write(withA, false, 3, "x", 8)
		check("indexed", "13 12")
		write(withA, true, 1, "y", 9)
		check("changed", "3 2")
		write(withB, true, 2, "x", 7)
		check("the other property", "23 2")
		write(plain, true, 3, "z", 7)
		check("without again", "2 23")
		write(withA, false, 4, "x", 7)
		check("indexed again", "24 234")
		p, _ := cim.ParsePath("My_Thing=2")
		update(t, r, func(tx *Tx) error { return tx.Delete(withA, p) })
		check("deleted", "4 34")
	})
}

// A lookup finds all that a query takes for equal.
func TestLookupEquality(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		class := cim.NewClass("My_Event", nil).Key("Id", cim.Uint32).Property("When", cim.Datetime, indexedQualifier()).
			Property("Who", cim.String, indexedQualifier()).Build(testNamespace)
		for n, v := range [][2]cim.Value{
			{cim.Time("20261121133000.000000+060"), cim.Str("Σίσυφος")},
			{cim.Time("20261121123000.000000+000"), cim.Str("ΣΊΣΥΦΟΣ")},
			{cim.Time("20261121123000.000000+***"), cim.Str("x")},
			{cim.Time("00000001000000.000000:000"), cim.Null(cim.String)},
		} {
			update(t, r, func(tx *Tx) error {
				return tx.Create(cim.MakeInstance(class, []cim.Value{cim.U32(uint32(n)), v[0], v[1]}))
			})
		}
		for _, c := range []struct {
			property int
			value    cim.Value
			want     string
		}{
			{1, cim.Time("20261121073000.000000-300"), "01"},
			{1, cim.Time("20261121123000.000000+***"), "2"}, // spec/wmi.md T-82
			{1, cim.Time("00000001000000.000000:000"), "3"},
			{2, cim.Str("σίσυφοσ"), "01"},
			{2, cim.Null(cim.String), "3"},
		} {
			got := ""
			at, err := r.Lookup(ctx, class, c.property, c.value, Position{}, 0, func(i *cim.Instance) bool { got += i.At(0).String(); return true })
			if err != nil || !at.End() || got != c.want {
				t.Errorf("%v: %q, want %q, %v", c.value, got, c.want, err)
			}
		}
	})
}
