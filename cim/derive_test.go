package cim_test

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

func flag(name string, f ...cim.Flavor) cim.Qualifier {
	q := cim.Qualifier{Name: name, Value: cim.Bool(true)}
	for _, one := range f {
		q.Flavor |= one
	}
	return q
}

func property(name string, t cim.Type, q ...cim.Qualifier) cim.Property {
	return cim.Property{Name: name, Type: t, Qualifiers: q}
}

func method(name string, ret cim.Type, in, out []cim.Parameter, q ...cim.Qualifier) cim.Method {
	return cim.Method{Name: name, Return: ret, In: in, Out: out, Qualifiers: q}
}

func withID(name string, t cim.Type, id int64) cim.Parameter {
	return cim.Parameter{Name: name, Type: t, Qualifiers: cim.Qualifiers{flag("In"), {Name: "ID", Value: cim.Int(cim.Sint32, id)}}}
}

func mustDerive(t *testing.T, super, declared *cim.Class) *cim.Class {
	t.Helper()
	c, err := cim.Derive(super, declared)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDeriveRules has a declaration for each rule of spec/wmi.md 2.2 and 2.7
// with the code that the WMI documentation gives it; 0 is allowed.
func TestDeriveRules(t *testing.T) {
	top := func(name string, q []cim.Qualifier, p ...cim.Property) *cim.Class {
		return mustDerive(t, nil, &cim.Class{Name: name, Qualifiers: q, Properties: p})
	}
	keyed := top("Keyed", nil, property("Id", cim.String, flag("Key")), property("Size", cim.Uint32))
	keyless := top("Keyless", []cim.Qualifier{flag("Abstract")}, property("Note", cim.String))
	plain := top("Plain", nil, property("Note", cim.String, cim.Qualifier{Name: "Tag", Value: cim.Str("a"), Flavor: cim.ToSubClass | cim.NotOverridable}),
		property("Soft", cim.String, cim.Qualifier{Name: "Tag", Value: cim.Str("a"), Flavor: cim.ToSubClass}))
	dynamic := top("Dyn", []cim.Qualifier{flag("Dynamic"), {Name: "Provider", Value: cim.Str("p")}}, property("Id", cim.String, flag("Key")))
	terminal := top("Last", []cim.Qualifier{flag("Terminal")})
	single := top("One", []cim.Qualifier{flag("Singleton")})
	doing := mustDerive(t, nil, &cim.Class{Name: "Doing", Methods: []cim.Method{
		method("Do", cim.Uint32, []cim.Parameter{withID("A", cim.String, 0)}, nil, flag("Implemented", cim.ToSubClass))}})
	below := mustDerive(t, keyed, &cim.Class{Name: "Below", Superclass: "Keyed"})
	long := strings.Repeat("n", 256)
	many := make([]cim.Property, 1025)
	for i := range many {
		many[i] = property("P"+strings.Repeat("x", i%200)+string(rune('a'+i/200)), cim.Uint8)
	}
	sub := func(super *cim.Class, c cim.Class) *cim.Class {
		c.Name, c.Superclass = "Sub", super.Name
		return &c
	}
	props := func(p ...cim.Property) cim.Class { return cim.Class{Properties: p} }
	quals := func(q ...cim.Qualifier) cim.Class { return cim.Class{Qualifiers: q} }
	meths := func(m ...cim.Method) cim.Class { return cim.Class{Methods: m} }
	ref := func(name string) cim.Property { return property(name, cim.Reference) }
	in := func(p ...cim.Parameter) []cim.Parameter { return p }

	tests := []struct {
		what     string
		super    *cim.Class
		declared *cim.Class
		want     cim.Status
	}{
		{"an inherited class", keyed, sub(keyed, cim.Class{}), 0},
		{"another superclass", keyed, sub(plain, cim.Class{}), cim.ErrInvalidSuperclass},
		{"no superclass", nil, sub(plain, cim.Class{}), cim.ErrInvalidSuperclass},
		{"its own superclass", below, &cim.Class{Name: "KEYED", Superclass: "Below"}, cim.ErrCircularReference},
		{"below a terminal class", terminal, sub(terminal, cim.Class{}), cim.ErrInvalidSuperclass},
		{"terminal and abstract", nil, &cim.Class{Name: "C", Qualifiers: cim.Qualifiers{flag("Terminal"), flag("Abstract")}}, cim.ErrInvalidQualifier},
		{"abstract below abstract", keyless, sub(keyless, quals(flag("Abstract"))), 0},
		{"abstract below concrete", plain, sub(plain, quals(flag("Abstract"))), cim.ErrCannotBeAbstract},
		{"T-80: a singleton below a class with keys", keyed, sub(keyed, quals(flag("Singleton"))), cim.ErrCannotBeSingleton},
		{"T-80: a singleton below no singleton", plain, sub(plain, quals(flag("Singleton"))), cim.ErrCannotBeSingleton},
		{"a singleton below an abstract class", keyless, sub(keyless, quals(flag("Singleton"))), 0},
		{"a key in a singleton", single, sub(single, props(property("Id", cim.String, flag("Key")))), cim.ErrCannotBeSingleton},
		{"not dynamic below dynamic", dynamic, sub(dynamic, cim.Class{}), cim.ErrInvalidSuperclass},
		{"dynamic below dynamic", dynamic, sub(dynamic, quals(flag("Dynamic"))), 0},
		{"association and indication", nil, &cim.Class{Name: "C", Qualifiers: cim.Qualifiers{flag("Association"), flag("Indication")}}, cim.ErrInvalidQualifier},
		{"an association of one", nil, &cim.Class{Name: "C", Qualifiers: cim.Qualifiers{flag("Association")}, Properties: []cim.Property{ref("A")}}, cim.ErrInvalidAssociation},
		{"an association of two", nil, &cim.Class{Name: "C", Qualifiers: cim.Qualifiers{flag("Association")}, Properties: []cim.Property{ref("A"), ref("B")}}, 0},
		{"an association of three", nil, &cim.Class{Name: "C", Qualifiers: cim.Qualifiers{flag("Association")}, Properties: []cim.Property{ref("A"), ref("B"), ref("C")}}, cim.ErrInvalidAssociation},

		{"T-73: a name that begins with _", nil, &cim.Class{Name: "_x"}, cim.ErrInvalidParameter},
		{"T-73: a name that ends with _", nil, &cim.Class{Name: "x_"}, cim.ErrInvalidParameter},
		{"a name with a blank", nil, &cim.Class{Name: "x y"}, cim.ErrInvalidParameter},
		{"a name that begins with a digit", nil, &cim.Class{Name: "1x"}, cim.ErrInvalidParameter},
		{"no name", nil, &cim.Class{}, cim.ErrInvalidParameter},
		{"a long class name", nil, &cim.Class{Name: long}, cim.ErrClassNameTooWide},
		{"a long property name", plain, sub(plain, props(property(long, cim.String))), cim.ErrPropertyNameTooWide},
		{"a long method name", plain, sub(plain, meths(method(long, 0, nil, nil))), cim.ErrMethodNameTooWide},
		{"a long qualifier name", plain, sub(plain, quals(flag(long))), cim.ErrQualifierNameTooWide},
		{"1025 properties", nil, &cim.Class{Name: "C", Properties: many}, cim.ErrTooManyProperties},
		{"1024 properties", nil, &cim.Class{Name: "C", Properties: many[:1024]}, 0},

		{"an inherited qualifier changed", plain, sub(plain, props(property("Note", cim.String, cim.Qualifier{Name: "tag", Value: cim.Str("b")}))), cim.ErrOverrideNotAllowed},
		{"an inherited qualifier repeated", plain, sub(plain, props(property("Note", cim.String, cim.Qualifier{Name: "tag", Value: cim.Str("a")}))), 0},
		{"an overridable qualifier changed", plain, sub(plain, props(property("Soft", cim.String, cim.Qualifier{Name: "tag", Value: cim.Str("b")}))), 0},
		{"a qualifier that is not inherited", plain, sub(plain, quals(flag("Other", cim.Propagated))), cim.ErrPropagatedQualifier},
		{"a qualifier of type uint64 beyond sint32", plain, sub(plain, quals(cim.Qualifier{Name: "Q", Value: cim.U64(1 << 40)})), cim.ErrInvalidQualifierType},
		{"a qualifier of type datetime", plain, sub(plain, quals(cim.Qualifier{Name: "Q", Value: cim.Time("00000001120032.000000:000")})), cim.ErrInvalidQualifierType},
		{"a qualifier given twice", plain, sub(plain, quals(flag("Q"), flag("q"))), cim.ErrInvalidQualifier},
		{"Key(FALSE)", plain, sub(plain, props(property("K", cim.String, cim.Qualifier{Name: "Key", Value: cim.Bool(false)}))), cim.ErrInvalidQualifier},

		{"T-79: another type", keyed, sub(keyed, props(property("size", cim.Uint64))), cim.ErrUpdateTypeMismatch},
		{"the same type", keyed, sub(keyed, props(cim.Property{Name: "size", Type: cim.Uint32, Default: cim.U32(3)})), 0},
		{"a default of another type", keyed, sub(keyed, props(cim.Property{Name: "size", Type: cim.Uint32, Default: cim.Str("x")})), cim.ErrTypeMismatch},
		{"an array as a key", nil, &cim.Class{Name: "C", Properties: []cim.Property{property("K", cim.String.Array(), flag("Key"))}}, cim.ErrCannotBeKey},
		{"a real as a key", nil, &cim.Class{Name: "C", Properties: []cim.Property{property("K", cim.Real64, flag("Key"))}}, cim.ErrCannotBeKey},
		{"an object as a key", nil, &cim.Class{Name: "C", Properties: []cim.Property{property("K", cim.Object, flag("Key"))}}, cim.ErrCannotBeKey},
		{"an indexed array", nil, &cim.Class{Name: "C", Properties: []cim.Property{property("K", cim.Uint8.Array(), flag("Indexed"))}}, cim.ErrCannotBeKey},
		{"a key more", keyed, sub(keyed, props(property("Id2", cim.String, flag("Key")))), cim.ErrCannotChangeKeyInheritance},
		{"an inherited property as a key", keyed, sub(keyed, props(property("Size", cim.Uint32, flag("Key")))), cim.ErrCannotChangeKeyInheritance},
		{"an inherited property as a key below a keyless class", keyless, sub(keyless, props(property("Note", cim.String, flag("Key")))), 0},
		{"a key below a keyless class", keyless, sub(keyless, props(property("Id", cim.String, flag("Key")))), 0},
		{"an inherited property as an index", keyed, sub(keyed, props(property("Size", cim.Uint32, flag("Indexed")))), cim.ErrCannotChangeIndexInheritance},
		{"a system property with qualifiers", plain, sub(plain, props(property("__CLASS", cim.String, flag("Q")))), cim.ErrSystemProperty},
		{"a type that is none", plain, sub(plain, props(property("P", 77))), cim.ErrInvalidCimType},
		{"CIMTYPE that fits", plain, sub(plain, props(cim.Property{Name: "P", Type: cim.Reference, RefClass: "X", Qualifiers: cim.Qualifiers{{Name: "CIMTYPE", Value: cim.Str("ref:X")}}})), 0},
		{"CIMTYPE that does not fit", plain, sub(plain, props(property("P", cim.Uint8, cim.Qualifier{Name: "CIMTYPE", Value: cim.Str("string")}))), cim.ErrInvalidCimType},
		{"a property twice", plain, sub(plain, props(property("P", cim.Uint8), property("p", cim.Uint8))), cim.ErrInvalidParameter},

		{"the same signature", doing, sub(doing, meths(method("do", cim.Uint32, in(withID("A", cim.String, 0)), nil))), 0},
		{"another signature", doing, sub(doing, meths(method("do", cim.Uint32, in(withID("A", cim.Uint32, 0)), nil))), cim.ErrPropagatedMethod},
		{"another return type", doing, sub(doing, meths(method("do", cim.Uint64, in(withID("A", cim.String, 0)), nil))), cim.ErrPropagatedMethod},
		{"an ID missing", plain, sub(plain, meths(method("M", 0, in(withID("A", cim.String, 0), cim.Parameter{Name: "B", Type: cim.String}), nil))), cim.ErrMissingParameterID},
		{"an ID twice", plain, sub(plain, meths(method("M", 0, in(withID("A", cim.String, 0), withID("B", cim.String, 0)), nil))), cim.ErrInvalidParameterID},
		{"an ID below 0", plain, sub(plain, meths(method("M", 0, in(withID("A", cim.String, -1)), nil))), cim.ErrInvalidParameterID},
		{"a gap in the IDs", plain, sub(plain, meths(method("M", 0, in(withID("A", cim.String, 0), withID("B", cim.String, 2)), nil))), cim.ErrNonconsecutiveParameterIds},
		{"an ID on the return value", plain, sub(plain, meths(method("M", 0, nil, in(withID("ReturnValue", cim.Uint32, 0))))), cim.ErrParameterIDOnRetval},
		{"in and out of one type", plain, sub(plain, meths(method("M", 0, in(withID("A", cim.String, 0)), in(withID("A", cim.String, 0))))), 0},
		{"in and out of two types", plain, sub(plain, meths(method("M", 0, in(withID("A", cim.String, 0)), in(withID("A", cim.Uint8, 0))))), cim.ErrInvalidDuplicateParameter},
		{"an array returned", plain, sub(plain, meths(method("M", cim.Uint8.Array(), nil, nil))), cim.ErrInvalidMethodParameters},
	}
	for _, tt := range tests {
		_, err := cim.Derive(tt.super, tt.declared)
		if got := cim.StatusOf(err); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
}

// TestDeriveInherits: what descends and what does not, and that a declaration
// comes out of the whole class again.
func TestDeriveInherits(t *testing.T) {
	super := mustDerive(t, nil, &cim.Class{
		Name: "A", Namespace: `root\x`,
		Qualifiers: cim.Qualifiers{flag("Abstract"), {Name: "Version", Value: cim.Str("1"), Flavor: cim.ToSubClass}, {Name: "Here", Value: cim.Str("1"), Flavor: cim.ToInstance}},
		Properties: []cim.Property{property("Id", cim.String, flag("Key")), {Name: "Count", Type: cim.Uint32, Default: cim.U32(7)}},
		Methods:    []cim.Method{method("Do", cim.Uint32, nil, nil, flag("Implemented", cim.ToSubClass))},
	})
	declared := (&cim.Class{
		Name: "B", Superclass: "A", Namespace: `root\x`,
		Qualifiers: cim.Qualifiers{{Name: "Own", Value: cim.Int(cim.Sint32, 3), Flavor: cim.ToSubClass}},
		Properties: []cim.Property{{Name: "Count", Type: cim.Uint32, Default: cim.U32(9), Origin: "A"}, {Name: "More", Type: cim.Boolean, Default: cim.Null(cim.Boolean), Origin: "B"}},
	}).Seal()
	b := mustDerive(t, super, declared)
	if b.IsAbstract() || b.Qualifiers.Text("Version") != "1" || b.Qualifiers.Text("Here") != "" || !b.IsA("a") {
		t.Errorf("qualifiers of B: %v", b.Qualifiers)
	}
	if p := b.Property("ID"); p == nil || !p.Key || p.Origin != "A" || p.Qualifiers[0].Flavor&cim.Propagated == 0 {
		t.Errorf("the key of B: %+v", p)
	}
	if p := b.Property("Count"); !p.Default.Equal(cim.U32(9)) || p.Origin != "A" {
		t.Errorf("Count: %+v", p)
	}
	if m := b.Method("do"); m == nil || m.Origin != "A" || !m.Qualifiers.True("Implemented") {
		t.Errorf("the method of B: %+v", m)
	}
	if got := b.Declaration(super); !reflect.DeepEqual(got, declared) {
		t.Errorf("declaration\n%+v, want\n%+v", got, declared)
	}
	again := mustDerive(t, super, b) // the whole class is a declaration too
	if !reflect.DeepEqual(again, b) {
		t.Errorf("derived from itself\n%+v, want\n%+v", again, b)
	}
	if got := super.Declaration(nil); !reflect.DeepEqual(got, super) {
		t.Errorf("declaration of a top class\n%+v, want\n%+v", got, super)
	}
}

func TestCIMType(t *testing.T) {
	for want, p := range map[string]cim.Property{
		"uint32": {Type: cim.Uint32.Array()}, "ref:X": {Type: cim.Reference, RefClass: "X"},
		"ref": {Type: cim.Reference}, "object": {Type: cim.Object, RefClass: "object"}, "object:X": {Type: cim.Object, RefClass: "X"},
	} {
		if got := p.CIMType(); got != want {
			t.Errorf("%+v: %s, want %s", p, got, want)
		}
	}
}

func TestValidClassName(t *testing.T) {
	for name, want := range map[string]cim.Status{"Win32_X": 0, "__X": cim.ErrInvalidParameter, "x_": cim.ErrInvalidParameter, strings.Repeat("x", 300): cim.ErrClassNameTooWide} {
		if err := cim.ValidClassName(name); cim.StatusOf(err) != want || err != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// TestDeriveLimits: what is too large is refused at once. 200,000 members
// compared with each other would take minutes.
func TestDeriveLimits(t *testing.T) {
	const huge = 200_000
	names := make([]string, huge)
	for i := range names {
		names[i] = "N" + strconv.Itoa(i)
	}
	c := func() *cim.Class { return &cim.Class{Name: "Huge"} }
	properties, methods, qualifiers, parameters := c(), c(), c(), c()
	parameters.Methods = []cim.Method{{Name: "Do"}}
	for _, n := range names {
		properties.Properties = append(properties.Properties, property(n, cim.Uint8))
		methods.Methods = append(methods.Methods, cim.Method{Name: n})
		qualifiers.Qualifiers = append(qualifiers.Qualifiers, flag(n))
		parameters.Methods[0].In = append(parameters.Methods[0].In, cim.Parameter{Name: n, Type: cim.Uint8})
	}
	for name, tt := range map[string]struct {
		class *cim.Class
		want  cim.Status
	}{
		"properties": {properties, cim.ErrTooManyProperties}, "methods": {methods, cim.ErrTooMuchData},
		"qualifiers": {qualifiers, cim.ErrTooMuchData}, "parameters": {parameters, cim.ErrTooMuchData},
	} {
		began := time.Now()
		if _, err := cim.Derive(nil, tt.class); cim.StatusOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: refused after %v", name, took)
		}
	}
	last := mustDerive(t, nil, &cim.Class{Name: "C0"})
	for n := 1; ; n++ {
		next, err := cim.Derive(last, &cim.Class{Name: "C" + strconv.Itoa(n), Superclass: last.Name})
		if err != nil {
			if cim.StatusOf(err) != cim.ErrTooMuchData || n != cim.MaxDerivation+1 {
				t.Errorf("class %d of a line: %v", n, err)
			}
			break
		}
		last = next
	}
	half := c()
	half.Methods = methods.Methods[:600]
	super := mustDerive(t, nil, half)
	if _, err := cim.Derive(super, &cim.Class{Name: "More", Superclass: "Huge", Methods: methods.Methods[600:1100]}); cim.StatusOf(err) != cim.ErrTooMuchData {
		t.Errorf("1100 methods with the inherited ones: %v", err)
	}
}
