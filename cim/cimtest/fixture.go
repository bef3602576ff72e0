package cimtest

import (
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
)

// Namespace is where the classes of the suite live.
const Namespace = `root\cimtest`

// scalar is a type with the values that the fixture "full" has for it: one,
// and the elements of an array.
type scalar struct {
	typ   cim.Type
	value cim.Value
	array []cim.Value
}

var scalars = []scalar{
	{cim.Sint8, cim.Int(cim.Sint8, -128), []cim.Value{cim.Int(cim.Sint8, -1), cim.Int(cim.Sint8, 127)}},
	{cim.Uint8, cim.U8(255), []cim.Value{cim.U8(0), cim.U8(255), cim.U8(10)}},
	{cim.Sint16, cim.S16(-32768), []cim.Value{cim.S16(-1), cim.S16(32767)}},
	{cim.Uint16, cim.U16(65535), []cim.Value{cim.U16(1), cim.U16(65535)}},
	{cim.Sint32, cim.S32(-2147483648), []cim.Value{cim.S32(2147483647)}},
	{cim.Uint32, cim.U32(4294967295), []cim.Value{cim.U32(1), cim.U32(4294967295)}},
	{cim.Sint64, cim.S64(-9223372036854775808), []cim.Value{cim.S64(-1), cim.S64(9223372036854775807)}},
	{cim.Uint64, cim.U64(18446744073709551615), []cim.Value{cim.U64(1), cim.U64(18446744073709551615)}},
	{cim.Real32, cim.Real(cim.Real32, 0.1), []cim.Value{cim.Real(cim.Real32, -1.5), cim.Real(cim.Real32, 2)}},
	{cim.Real64, cim.Real(cim.Real64, 1.0/3), []cim.Value{cim.Real(cim.Real64, 1e300)}},
	{cim.Boolean, cim.Bool(true), []cim.Value{cim.Bool(true), cim.Bool(false)}},
	{cim.String, cim.Str("Grüße <&> \"x\" 'y' \\z\ttab 漢字 😀"), []cim.Value{cim.Str("one"), cim.Str(""), cim.Str(" two ")}},
	{cim.Char16, cim.Uint(cim.Char16, 'A'), []cim.Value{cim.Uint(cim.Char16, 'a'), cim.Uint(cim.Char16, 0x20AC)}},
	{cim.Datetime, cim.Time("20240229235959.123456+060"), []cim.Value{cim.Time("19980525133015.000000+000")}},
}

// property is the name of the property of a type: "Sint8", "Sint8Array".
func (s scalar) property(array bool) string {
	name := s.typ.String()
	name = strings.ToUpper(name[:1]) + name[1:]
	if array {
		name += "Array"
	}
	return name
}

type fixture struct {
	classes   map[string]*cim.Class
	order     []*cim.Class
	instances []*cim.Instance
}

func (f *fixture) class(b *cim.ClassBuilder) *cim.Class {
	c := b.Build(Namespace)
	f.classes[c.Name] = c
	f.order = append(f.order, c)
	return c
}

var theFixture = sync.OnceValue(func() *fixture {
	f := &fixture{classes: map[string]*cim.Class{}}
	f.makeClasses()
	f.makeInstances()
	return f
})

// Classes are the classes of the suite, superclasses first.
func Classes() []*cim.Class { return theFixture().order }

// Instances are the instances of the suite; a test serves copies of them.
func Instances() []*cim.Instance {
	var out []*cim.Instance
	for _, i := range theFixture().instances {
		out = append(out, i.Clone())
	}
	return out
}

func (f *fixture) makeClasses() {
	element := f.class(cim.NewClass("CT_Element", nil).Abstract().Description("What the suite looks at.").
		Key("ID", cim.String).Property("Caption", cim.String, cim.Writable()))
	f.class(cim.NewClass("CT_Embedded", nil).Property("Number", cim.Uint32).Property("Text", cim.String))
	types := cim.NewClass("CT_Types", element).Dynamic()
	for _, s := range scalars {
		types.Property(s.property(false), s.typ).Property(s.property(true), s.typ.Array())
	}
	types.Property("Span", cim.Datetime, cim.IsInterval())
	types.Ref("Other", "CT_Element").Object("Inner", "CT_Embedded")
	types.Add(cim.Property{Name: "Inners", Type: cim.Object.Array(), RefClass: "CT_Embedded"})
	addMethods(types)
	f.class(cim.NewClass("CT_Derived", f.class(types)).Property("Extra", cim.Uint32))
	part := f.class(cim.NewClass("CT_Part", element).Dynamic())
	f.class(cim.NewClass("CT_Item", element).Dynamic().
		Property("Value", cim.Uint32, cim.Writable()).Property("Texts", cim.String.Array(), cim.Writable()).Property("Fixed", cim.String))
	f.class(cim.NewClass("CT_Keys", nil).Dynamic().Key("Text", cim.String).Key("Number", cim.Uint32).
		Key("Signed", cim.Sint64).Key("Flag", cim.Boolean).Property("Note", cim.String))
	f.class(cim.NewClass("CT_Only", nil).Dynamic().Singleton().Property("Value", cim.String).
		Method("Touch", cim.Uint32))
	contains := f.class(cim.NewClass("CT_Contains", nil).Dynamic().Association().
		KeyRef("Whole", "CT_Types").KeyRef("Component", part.Name).Property("Label", cim.String))
	f.class(cim.NewClass("CT_ContainsMain", contains).Property("Since", cim.Datetime))
	f.class(cim.NewClass("CT_Number", nil).Dynamic().Key("N", cim.Uint32).Property("Word", cim.String).Property("Even", cim.Boolean))
}

// add makes an instance out of names and values.
func (f *fixture) add(class string, pairs ...any) *cim.Instance {
	i := f.make(class, pairs...)
	f.instances = append(f.instances, i)
	return i
}

func (f *fixture) make(class string, pairs ...any) *cim.Instance {
	i := cim.NewInstance(f.classes[class])
	for n := 0; n+1 < len(pairs); n += 2 {
		if err := i.Set(pairs[n].(string), pairs[n+1].(cim.Value)); err != nil {
			panic(err) // the fixtures are constants
		}
	}
	return i
}

// Numbers is how many instances class CT_Number has: N from 0 up.
const Numbers = 300

var words = [...]string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}

func (f *fixture) makeInstances() {
	full := f.add("CT_Types", "ID", cim.Str("full"), "Caption", cim.Str("every type"),
		"Span", cim.Time("00000001132312.000001:000"), "Other", cim.Ref(`CT_Part.ID="p1"`))
	empty := f.add("CT_Types", "ID", cim.Str("empty"), "String", cim.Str(""))
	for _, s := range scalars {
		set(full, s.property(false), s.value)
		set(full, s.property(true), cim.Array(s.typ, s.array))
		set(empty, s.property(true), cim.Array(s.typ, nil))
	}
	inner := func(n uint32, text cim.Value) cim.Value {
		return cim.Obj(f.make("CT_Embedded", "Number", cim.U32(n), "Text", text))
	}
	set(full, "Inner", inner(7, cim.Str("in")))
	set(full, "Inners", cim.Array(cim.Object, []cim.Value{inner(1, cim.Str("a")), inner(2, cim.Null(cim.String))}))
	f.add("CT_Types", "ID", cim.Str("null"))
	f.add("CT_Derived", "ID", cim.Str("derived"), "Caption", cim.Str("more"), "Extra", cim.U32(5), "Uint32", cim.U32(9))
	for _, id := range []string{"p1", "p2", `C:\x "q"`} {
		f.add("CT_Part", "ID", cim.Str(id), "Caption", cim.Str("part "+id))
	}
	f.add("CT_Item", "ID", cim.Str("fixed"), "Value", cim.U32(1), "Fixed", cim.Str("stays"))
	f.add("CT_Keys", "Text", cim.Str("a,b=c"), "Number", cim.U32(1), "Signed", cim.S64(-2), "Flag", cim.Bool(true), "Note", cim.Str("first"))
	f.add("CT_Keys", "Text", cim.Str("A"), "Number", cim.U32(1), "Signed", cim.S64(-2), "Flag", cim.Bool(false), "Note", cim.Str("second"))
	f.add("CT_Only", "Value", cim.Str("the one"))
	ref := func(class, id string) cim.Value {
		return cim.Ref(cim.ObjectPath{Class: class, Keys: []cim.Key{{Name: "ID", Value: cim.Str(id)}}}.String())
	}
	f.add("CT_Contains", "Whole", ref("CT_Types", "full"), "Component", ref("CT_Part", "p1"), "Label", cim.Str("l1"))
	f.add("CT_Contains", "Whole", ref("CT_Types", "full"), "Component", ref("CT_Part", `C:\x "q"`))
	f.add("CT_ContainsMain", "Whole", ref("CT_Types", "full"), "Component", ref("CT_Part", "p2"), "Since", cim.Time("20200101000000.000000+000"))
	f.add("CT_ContainsMain", "Whole", ref("CT_Types", "full"), "Component", ref("CT_Part", "p1"))
	f.add("CT_Contains", "Whole", ref("CT_Types", "derived"), "Component", ref("CT_Part", "p1"))
	for n := range Numbers {
		f.add("CT_Number", "N", cim.U32(uint32(n)), "Word", cim.Str(words[n%10]), "Even", cim.Bool(n%2 == 0))
	}
}

func set(i *cim.Instance, name string, v cim.Value) {
	if err := i.Set(name, v); err != nil {
		panic(err) // the fixtures are constants
	}
}
