package mof

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/casementhq/casement/cim"
)

func TestPrintedClass(t *testing.T) {
	const text = `[Abstract, Description("a \"b\"\n") : ToSubClass Amended]
class Base
{
  [Key, Read, MaxLen(256)] string Name;
  sint32 N[] = {1, -2};
};
`
	const below = `[Own(1.0) : ToInstance DisableOverride, Values{"x", "y"} : Restricted]
class Below : Base
{
  [Units("bytes")] sint32 N[];
  Base ref Parent = "Base.Name=\"x\"";
  object Any;
  char16 C = 'c';
  datetime T = "00000001120032.000000:000";
  real64 R = 1.0;
  boolean B = TRUE;
  [Implemented, Static] uint32 Make([In] string Name, [In, Out] Base Given[], [In, Optional] boolean Now = FALSE);
  void Long(
    [In] string AParameterWithALongName,
    [In] string AnotherParameterWithALongName,
    [In] string ThirdParameterWithALongName);
};
`
	classes, _, err := Definitions(oneFile{"a.mof", []byte(text + below)}, "a.mof")
	if err != nil {
		t.Fatal(err)
	}
	// what an override does not change stands there again
	for i, want := range []string{text, strings.Replace(below, "N[];", "N[] = {1, -2};", 1)} {
		if got := string(AppendClass(nil, classes[i], PrintOptions{})); got != want {
			t.Errorf("%s\nwant:\n%s", got, want)
		}
	}
	// only a superclass shows that a default alone was changed
	classes, _, err = Definitions(oneFile{"a.mof", []byte(text + "[Terminal] class Other : Base { string Name = \"n\"; };")}, "a.mof")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(AppendClass(nil, classes[1], PrintOptions{})), "[Terminal]\nclass Other : Base\n{\n};\n"; got != want {
		t.Error(got)
	}
	if got, want := string(AppendClass(nil, classes[1], PrintOptions{Super: classes[0]})), "[Terminal]\nclass Other : Base\n{\n  string Name = \"n\";\n};\n"; got != want {
		t.Error(got)
	}
}

func TestPrintedInstance(t *testing.T) {
	const text = `class Inner { string S; };
		class A { [Key] string K; uint32 N = 5; Inner I; Inner List[]; string None[]; string Unset; };
		instance of A { K = "C:\\ \"x\" \t\x0001"; N = NULL; I = instance of Inner { S = "s"; }; List = {instance of Inner { }}; None = {}; };`
	_, instances, err := Definitions(oneFile{"a.mof", []byte(text)}, "a.mof")
	if err != nil {
		t.Fatal(err)
	}
	const want = `instance of A
{
  K = "C:\\ \"x\" \t\x0001";
  N = NULL;
  I = instance of Inner
  {
    S = "s";
  };
  List = {instance of Inner
  {
  }};
  None = {};
};
`
	got := AppendInstance(nil, instances[0])
	if string(got) != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	classes := text[:strings.Index(text, "instance of A")]
	_, again, err := Definitions(oneFile{"a.mof", append([]byte(classes), got...)}, "a.mof")
	if err != nil || !again[0].Equal(instances[0]) {
		t.Errorf("%v %v", again, err)
	}
	if got := string(AppendInstance(nil, cim.ClassObject(instances[0].Get("I").Object().Class()))); got != "class Inner\n{\n  string S;\n};\n" {
		t.Error(got)
	}
}

// Generated classes print as themselves.
func TestGeneratedClassesPrintAsThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := generator{t: t}
		var classes []*cim.Class
		for n := range rapid.IntRange(1, 4).Draw(t, "classes") {
			d := &cim.Class{Name: fmt.Sprintf("Class%d", n), Namespace: `root\test`, Qualifiers: g.qualifiers()}
			var super *cim.Class
			if at := rapid.IntRange(0, n).Draw(t, "super"); at < n {
				super = classes[at]
				d.Superclass = super.Name
			}
			for i := range rapid.IntRange(0, 5).Draw(t, "properties") {
				p := g.property(fmt.Sprintf("P%d_%d", n, i))
				if super != nil && len(super.Properties) > 0 && rapid.Bool().Draw(t, "override") {
					old := rapid.SampledFrom(super.Properties).Draw(t, "overridden")
					p = cim.Property{Name: old.Name, Type: old.Type, RefClass: old.RefClass, Qualifiers: p.Qualifiers, Default: g.value(old.Type)}
				}
				if !slices.ContainsFunc(d.Properties, func(o cim.Property) bool { return o.Name == p.Name }) {
					d.Properties = append(d.Properties, p)
				}
			}
			for i := range rapid.IntRange(0, 2).Draw(t, "methods") {
				d.Methods = append(d.Methods, g.method(fmt.Sprintf("M%d_%d", n, i)))
			}
			whole, err := cim.Derive(super, d.Seal())
			if cim.StatusOf(err) == cim.ErrOverrideNotAllowed {
				t.Skip("a qualifier that may not be changed")
			}
			if err != nil {
				t.Fatal(err)
			}
			classes = append(classes, whole)
		}
		roundTrip(t, nil, classes)
	})
}

// generator makes parts of classes that Derive accepts.
type generator struct{ t *rapid.T }

var types = []cim.Type{cim.Sint8, cim.Uint8, cim.Sint16, cim.Uint16, cim.Sint32, cim.Uint32, cim.Sint64, cim.Uint64,
	cim.Real32, cim.Real64, cim.Boolean, cim.String, cim.Datetime, cim.Char16, cim.Reference, cim.Object}

func (g generator) value(t cim.Type) cim.Value {
	switch {
	case rapid.IntRange(0, 3).Draw(g.t, "null") == 0 || t.Elem() == cim.Object:
		return cim.Null(t)
	case t.IsArray():
		elems := make([]cim.Value, rapid.IntRange(0, 3).Draw(g.t, "length"))
		for i := range elems {
			elems[i] = g.scalar(t.Elem())
		}
		return cim.Array(t.Elem(), elems)
	}
	return g.scalar(t)
}

func (g generator) scalar(t cim.Type) cim.Value {
	switch {
	case t.IsSigned():
		return cim.Int(t, rapid.Int64().Draw(g.t, "int"))
	case t.IsUnsigned(), t == cim.Char16:
		return cim.Uint(t, rapid.Uint64().Draw(g.t, "uint"))
	case t == cim.Real32:
		return cim.Real(t, float64(rapid.Float32().Draw(g.t, "real32")))
	case t == cim.Real64:
		return cim.Real(t, rapid.Float64().Draw(g.t, "real64"))
	case t == cim.Boolean:
		return cim.Bool(rapid.Bool().Draw(g.t, "bool"))
	case t == cim.Datetime:
		return cim.Time(rapid.SampledFrom([]cim.DateTime{"20260131235959.123456+060", "00000001120032.000000:000", "19980416******.000000+***"}).Draw(g.t, "time"))
	case t == cim.Reference:
		return cim.Ref(rapid.String().Draw(g.t, "ref"))
	}
	return cim.Str(rapid.String().Draw(g.t, "string"))
}

func (g generator) qualifiers() cim.Qualifiers {
	var list cim.Qualifiers
	for _, name := range []string{"Description", "Own", "Units", "Write", "Values", "MappingStrings"} {
		if !rapid.Bool().Draw(g.t, name) {
			continue
		}
		q := cim.Qualifier{Name: name, Value: cim.Bool(true), Flavor: defaultFlavor(name)}
		if name != "Write" {
			q.Value = rapid.SampledFrom([]func() cim.Value{
				func() cim.Value { return cim.Str(rapid.String().Draw(g.t, "text")) },
				func() cim.Value { return cim.Bool(rapid.Bool().Draw(g.t, "flag")) },
				func() cim.Value { return cim.S32(rapid.Int32().Draw(g.t, "number")) },
				func() cim.Value { return cim.Real(cim.Real64, float64(rapid.Int32().Draw(g.t, "real"))/4) },
				func() cim.Value {
					return cim.Strs(append([]string{}, rapid.SliceOfN(rapid.String(), 0, 3).Draw(g.t, "texts")...))
				},
				func() cim.Value {
					return cim.Array(cim.Sint32, []cim.Value{cim.S32(rapid.Int32().Draw(g.t, "number")), cim.S32(0)})
				},
			}).Draw(g.t, "value")()
			q.Flavor = cim.Flavor(rapid.SampledFrom([]int{0, 1, 2, 3, 0x13, 0x11, 0x82, 0x80, int(q.Flavor)}).Draw(g.t, "flavor"))
		}
		list = append(list, q)
	}
	return list
}

func (g generator) typed() (t cim.Type, class string) {
	t = rapid.SampledFrom(types).Draw(g.t, "type")
	if t == cim.Reference || t == cim.Object {
		class = rapid.SampledFrom([]string{"", "Class0"}).Draw(g.t, "class")
	}
	if rapid.IntRange(0, 3).Draw(g.t, "array") == 0 {
		t = t.Array()
	}
	return t, class
}

func (g generator) property(name string) cim.Property {
	p := cim.Property{Name: name, Qualifiers: g.qualifiers()}
	p.Type, p.RefClass = g.typed()
	p.Default = g.value(p.Type)
	return p
}

func (g generator) method(name string) cim.Method {
	m := cim.Method{Name: name, Qualifiers: g.qualifiers(), Static: rapid.Bool().Draw(g.t, "static")}
	if rapid.Bool().Draw(g.t, "returns") {
		m.Return = rapid.SampledFrom(types).Draw(g.t, "return")
		if m.Return == cim.Reference {
			m.Return = cim.Untyped
		}
	}
	for id := range rapid.IntRange(0, 4).Draw(g.t, "parameters") {
		p := cim.Parameter{Name: fmt.Sprintf("A%d", id), Qualifiers: g.qualifiers()}
		p.Type, p.RefClass = g.typed()
		p.Default = g.value(p.Type)
		way := rapid.IntRange(1, 3).Draw(g.t, "way")
		for bit, name := range map[int]string{1: "In", 2: "Out"} {
			if way&bit != 0 {
				p.Qualifiers = append(p.Qualifiers, cim.Qualifier{Name: name, Value: cim.Bool(true)})
			}
		}
		p.Qualifiers = append(p.Qualifiers, cim.Qualifier{Name: "ID", Value: cim.S32(int32(id))})
		if way&1 != 0 {
			m.In = append(m.In, p)
		}
		if way&2 != 0 {
			m.Out = append(m.Out, p)
		}
	}
	return m
}

// What steers a terminal stands escaped in the text, and is read again as it
// was: the controls of ISO 6429 in both forms, the marks that turn the
// direction of writing, and invisible characters.
func TestPrintedTextSteersNothing(t *testing.T) {
	const hostile = "a\x1b[2J\u009b2J\u202eb\u200bc\u00ad\ufeff d\u00a0é漢😀"
	class := cim.NewClass("A", nil).Key("K", cim.String).Build("root")
	i := cim.NewInstance(class)
	if err := i.Set("K", cim.Str(hostile)); err != nil {
		t.Fatal(err)
	}
	text := string(AppendInstance(nil, i))
	if want := `K = "a\x001B[2J\x009B2J\x202Eb\x200Bc\x00AD\xFEFF d` + "\u00a0é漢😀\";"; !strings.Contains(text, want) {
		t.Errorf("%q, want %q in it", text, want)
	}
	_, again, err := Definitions(oneFile{"a.mof", []byte("class A { [Key] string K; };\n" + text)}, "a.mof")
	if err != nil || len(again) != 1 {
		t.Fatalf("%v, %v", again, err)
	}
	if got, _ := again[0].Get("K").Str(); got != hostile {
		t.Errorf("read again it is %q", got)
	}
}
