package wmio

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/casementhq/casement/cim"
)

var scalars = []cim.Type{
	cim.Sint8, cim.Uint8, cim.Sint16, cim.Uint16, cim.Sint32, cim.Uint32, cim.Sint64, cim.Uint64,
	cim.Real32, cim.Real64, cim.Boolean, cim.String, cim.Datetime, cim.Reference, cim.Char16, cim.Object,
}

// text has ASCII, Latin-1 and what is beyond, and words of the dictionary.
var text = rapid.OneOf(
	rapid.SampledFrom(append([]string{"ÄÖÜ ÿ", "漢字", "😀 x", "a" + string(rune(0x100))}, dictionary[:]...)),
	rapid.Map(rapid.StringN(0, 12, -1), func(s string) string {
		out := []rune{}
		for _, r := range s {
			if r != 0 && r != 0xFFFD {
				out = append(out, r)
			}
		}
		return string(out)
	}),
)

func drawScalar(t *rapid.T, typ cim.Type, depth int) cim.Value {
	switch {
	case typ == cim.Boolean:
		return cim.Bool(rapid.Bool().Draw(t, "bool"))
	case typ.IsReal():
		f := rapid.Float64().Draw(t, "real")
		if typ == cim.Real32 {
			f = float64(rapid.Float32().Draw(t, "real"))
		}
		if math.IsNaN(f) {
			f = 0
		}
		return cim.Real(typ, f)
	case typ.IsSigned():
		return cim.Int(typ, rapid.Int64().Draw(t, "int"))
	case typ.IsUnsigned(), typ == cim.Char16:
		return cim.Uint(typ, rapid.Uint64().Draw(t, "uint"))
	case typ == cim.Datetime:
		return cim.Time(rapid.SampledFrom([]cim.DateTime{"20260102030405.123456+060", "00000001020304.000005:000", "2026**********.******+***"}).Draw(t, "time"))
	case typ == cim.Reference:
		return cim.Ref(text.Draw(t, "ref"))
	case typ == cim.Object:
		c := drawClass(t, "Inner", depth-1)
		if rapid.Bool().Draw(t, "class object") {
			return cim.Obj(cim.ClassObject(c))
		}
		return cim.Obj(drawInstance(t, c, depth-1))
	}
	return cim.Str(text.Draw(t, "text"))
}

func drawValue(t *rapid.T, typ cim.Type, depth int) cim.Value {
	if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		return cim.Null(typ)
	}
	if !typ.IsArray() {
		return drawScalar(t, typ, depth)
	}
	elems := make([]cim.Value, rapid.IntRange(0, 4).Draw(t, "length"))
	for i := range elems {
		elems[i] = drawScalar(t, typ.Elem(), depth)
		if slotSize(typ.Elem()) == 4 && typ.Elem().Bits() == 0 && rapid.IntRange(0, 4).Draw(t, "null element") == 0 {
			elems[i] = cim.Null(typ.Elem())
		}
	}
	return cim.Array(typ.Elem(), elems)
}

func drawType(t *rapid.T, depth int) cim.Type {
	of := scalars
	if depth <= 0 {
		of = scalars[:len(scalars)-1]
	}
	typ := rapid.SampledFrom(of).Draw(t, "type")
	if rapid.IntRange(0, 2).Draw(t, "array") == 0 {
		typ = typ.Array()
	}
	return typ
}

func drawQualifiers(t *rapid.T, key bool) cim.Qualifiers {
	names := []string{"key", "read", "Description", "MappingStrings", "Värde", "漢", "provider", "x"}
	if !key {
		names = names[1:]
	}
	var q cim.Qualifiers
	for range rapid.IntRange(0, 3).Draw(t, "qualifiers") {
		name := rapid.SampledFrom(names).Draw(t, "qualifier")
		if _, has := q.Get(name); has {
			continue
		}
		typ := rapid.SampledFrom([]cim.Type{cim.Boolean, cim.String, cim.Sint32, cim.Real64}).Draw(t, "qualifier type")
		v := drawScalar(t, typ, 0)
		if rapid.IntRange(0, 3).Draw(t, "qualifier array") == 0 {
			v = cim.Array(typ, []cim.Value{v, v})
		}
		q = append(q, cim.Qualifier{Name: name, Value: v, Flavor: cim.Flavor(rapid.Byte().Draw(t, "flavor"))})
	}
	return q
}

func drawParameters(t *rapid.T, way string) []cim.Parameter {
	var list []cim.Parameter
	for n := range rapid.IntRange(0, 3).Draw(t, "parameters") {
		q := cim.Qualifiers{{Name: way, Value: cim.Bool(true)}, {Name: "ID", Value: cim.S32(int32(n)), Flavor: 0x11}}
		p := cim.Parameter{Name: fmt.Sprintf("%c%d", 'Z'-n, n), Type: drawType(t, 1), Qualifiers: append(q, drawQualifiers(t, false)...)}
		p.Default = cim.Null(p.Type)
		if p.Type.Elem() != cim.Object {
			p.Default = drawValue(t, p.Type, 0)
		}
		list = append(list, p)
	}
	return list
}

func drawClass(t *rapid.T, name string, depth int) *cim.Class {
	c := &cim.Class{Name: name, Qualifiers: drawQualifiers(t, false)}
	if rapid.Bool().Draw(t, "decorated") {
		c.Server, c.Namespace = "host", `root\cimv2`
	}
	for n := range rapid.IntRange(0, 3).Draw(t, "above") {
		c.Derivation = append(c.Derivation, fmt.Sprintf("Above%d", n))
	}
	origins := append([]string{name}, c.Derivation...)
	if len(c.Derivation) > 0 {
		c.Superclass = c.Derivation[0]
	}
	taken := map[string]bool{}
	for range rapid.IntRange(0, 9).Draw(t, "properties") {
		p := cim.Property{
			Name: rapid.SampledFrom([]string{"B", "a", "A1", "_x", "zz", "Zy", "key", "Ärger", "漢", "CSName", "Caption", "CreationClassName"}).Draw(t, "property"),
			Type: drawType(t, depth), Qualifiers: drawQualifiers(t, true), Origin: rapid.SampledFrom(origins).Draw(t, "origin"),
		}
		if taken[cim.Fold(p.Name)] {
			continue
		}
		taken[cim.Fold(p.Name)] = true
		p.Key = p.Qualifiers.True("Key")
		if e := p.Type.Elem(); e == cim.Reference || e == cim.Object {
			p.RefClass = rapid.SampledFrom([]string{"", "Other"}).Draw(t, "class")
		}
		p.Default = drawValue(t, p.Type, depth)
		c.Properties = append(c.Properties, p)
	}
	if depth > 0 {
		for n := range rapid.IntRange(0, 3).Draw(t, "methods") {
			m := cim.Method{Name: fmt.Sprintf("Method%d", n), Qualifiers: drawQualifiers(t, false), Origin: rapid.SampledFrom(origins).Draw(t, "origin"),
				In: drawParameters(t, "In"), Out: drawParameters(t, "Out")}
			if rapid.Bool().Draw(t, "returns") {
				m.Return = cim.Uint32
			}
			c.Methods = append(c.Methods, m)
		}
	}
	return c.Seal()
}

func drawInstance(t *rapid.T, c *cim.Class, depth int) *cim.Instance {
	values := make([]cim.Value, len(c.Properties))
	for n := range values {
		values[n] = c.Properties[n].Default
		if rapid.IntRange(0, 3).Draw(t, "set") > 0 {
			values[n] = drawValue(t, c.Properties[n].Type, depth)
		}
	}
	i := cim.MakeInstance(c, values)
	if rapid.IntRange(0, 4).Draw(t, "own qualifiers") == 0 {
		q := &cim.InstanceQualifiers{Object: cim.Qualifiers{flagged("dynamic", 1)}}
		if len(values) > 0 && rapid.Bool().Draw(t, "of properties") {
			q.Properties = make([]cim.Qualifiers, len(values))
			for n := range q.Properties {
				q.Properties[n] = drawQualifiers(t, false)
			}
		}
		i.SetQualifiers(q)
	}
	return i
}

func sameQualifiers(a, b cim.Qualifiers) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !cim.EqualFold(a[i].Name, b[i].Name) || a[i].Flavor != b[i].Flavor || !a[i].Value.Equal(b[i].Value) {
			return false
		}
	}
	return true
}

func sameParameters(a, b []cim.Parameter) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d parameters, want %d", len(a), len(b))
	}
	for i := range a {
		p, q := a[i], b[i]
		if p.Name != q.Name || p.Type != q.Type || p.RefClass != q.RefClass || !p.Default.Equal(q.Default) || !sameQualifiers(p.Qualifiers, q.Qualifiers) {
			return fmt.Errorf("parameter %+v, want %+v", p, q)
		}
	}
	return nil
}

// sameClass compares two classes in everything that the wire carries; methods
// go with definitions only.
func sameClass(a, b *cim.Class, methods bool) error {
	switch {
	case a.Name != b.Name || a.Superclass != b.Superclass || len(a.Derivation)+len(b.Derivation) > 0 && !reflect.DeepEqual(a.Derivation, b.Derivation):
		return fmt.Errorf("%s : %v, want %s : %v", a.Name, a.Derivation, b.Name, b.Derivation)
	case a.Server != b.Server || a.Namespace != b.Namespace:
		return fmt.Errorf("%s in %s, want %s in %s", a.Server, a.Namespace, b.Server, b.Namespace)
	case !sameQualifiers(a.Qualifiers, b.Qualifiers):
		return fmt.Errorf("qualifiers %v, want %v", a.Qualifiers, b.Qualifiers)
	case len(a.Properties) != len(b.Properties) || methods && len(a.Methods) != len(b.Methods):
		return fmt.Errorf("%d properties, %d methods", len(a.Properties), len(a.Methods))
	}
	for i := range a.Properties {
		p, q := a.Properties[i], b.Properties[i]
		if p.Name != q.Name || p.Type != q.Type || p.RefClass != q.RefClass || p.Key != q.Key || p.Origin != q.Origin ||
			!sameValue(p.Default, q.Default) || !sameQualifiers(p.Qualifiers, q.Qualifiers) {
			return fmt.Errorf("property %+v, want %+v", p, q)
		}
	}
	for i := range a.Methods {
		m, n := a.Methods[i], b.Methods[i]
		if m.Name != n.Name || m.Return != n.Return || m.Origin != n.Origin || !sameQualifiers(m.Qualifiers, n.Qualifiers) {
			return fmt.Errorf("method %+v, want %+v", m, n)
		}
		for _, err := range []error{sameParameters(m.In, n.In), sameParameters(m.Out, n.Out)} {
			if err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
		}
	}
	return nil
}

func sameValue(a, b cim.Value) bool {
	if a.Object() == nil || b.Object() == nil {
		if len(a.Elems()) > 0 && len(a.Elems()) == len(b.Elems()) && a.Type() == b.Type() {
			for i := range a.Elems() {
				if !sameValue(a.Elems()[i], b.Elems()[i]) {
					return false
				}
			}
			return true
		}
		return a.Equal(b)
	}
	return sameInstance(a.Object(), b.Object()) == nil
}

func sameInstance(a, b *cim.Instance) error {
	if a.IsClass() != b.IsClass() {
		return fmt.Errorf("class object %v, want %v", a.IsClass(), b.IsClass())
	}
	if err := sameClass(a.Class(), b.Class(), a.IsClass()); err != nil {
		return err
	}
	for n := range b.Len() {
		if !sameValue(a.At(n), b.At(n)) {
			return fmt.Errorf("%s is %v, want %v", b.Class().Properties[n].Name, a.At(n), b.At(n))
		}
	}
	p, q := a.Qualifiers(), b.Qualifiers()
	if (p == nil) != (q == nil) {
		return fmt.Errorf("qualifiers %v, want %v", p, q)
	}
	if p == nil {
		return nil
	}
	if !sameQualifiers(p.Object, q.Object) || len(p.Properties) != len(q.Properties) {
		return fmt.Errorf("qualifiers %v, want %v", p, q)
	}
	for n := range p.Properties {
		if !sameQualifiers(p.Properties[n], q.Properties[n]) {
			return fmt.Errorf("qualifiers %v, want %v", p.Properties[n], q.Properties[n])
		}
	}
	return nil
}

// Whatever is encoded is decoded as it was, by one that never saw it, with
// defaults marked and spelled out.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		here := &Codec{SpellDefaults: rapid.Bool().Draw(t, "spell"), EmptySignatures: rapid.Bool().Draw(t, "empty")}
		c := drawClass(t, "Class", 2)
		i := cim.ClassObject(c)
		if rapid.IntRange(0, 2).Draw(t, "definition") > 0 {
			i = drawInstance(t, c, 2)
		}
		unit, err := here.AppendUnit([]byte("before"), i)
		if err != nil {
			t.Fatal(err)
		}
		unit = unit[len("before"):]
		there := new(Codec)
		got, flags, err := there.Decode(unit)
		if err != nil || flags != 0 {
			t.Fatalf("%v %v: % x", flags, err, unit)
		}
		if err := sameInstance(got, i); err != nil {
			t.Fatal(err)
		}
		// what came goes back in the same octets
		if here.SpellDefaults || here.EmptySignatures {
			return
		}
		again, err := there.AppendUnit(nil, got)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(unit) {
			t.Fatalf("other octets\ngot  % x\nwant % x", again, unit)
		}
	})
}

// The packets of one enumeration bring each class once, over all of them.
func TestObjectArrayRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		here, there := new(Codec), new(Codec)
		w, r := here.NewArrayWriter(PacketNext), there.NewArrayReader()
		classes := []*cim.Class{drawClass(t, "One", 1), drawClass(t, "Two", 1), drawClass(t, "Three", 0)}
		for range rapid.IntRange(1, 3).Draw(t, "packets") {
			var objects []*cim.Instance
			for range rapid.IntRange(0, 6).Draw(t, "objects") {
				c := rapid.SampledFrom(classes).Draw(t, "class")
				if rapid.IntRange(0, 5).Draw(t, "definition") == 0 {
					objects = append(objects, cim.ClassObject(c))
				} else {
					objects = append(objects, drawInstance(t, c, 1))
				}
			}
			packet, err := w.Append(nil, objects)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Append(nil, packet)
			if err != nil {
				t.Fatalf("%v: % x", err, packet)
			}
			if len(got) != len(objects) {
				t.Fatalf("%d objects, want %d", len(got), len(objects))
			}
			for n := range got {
				if err := sameInstance(got[n], objects[n]); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
