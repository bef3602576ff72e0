package mof

import (
	"encoding/binary"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/casementhq/casement/cim"
)

// defaults parses a class and gives the default of its only property.
func defaultOf(t *testing.T, declaration string) cim.Value {
	t.Helper()
	f := parse(t, "class A { "+declaration+"; };")
	return f.Objects[0].Class.Declared.Properties[0].Default
}

func TestLiterals(t *testing.T) {
	for _, test := range []struct {
		declaration string
		want        cim.Value
	}{
		{`string X = "a\tb\n\"q\" \\ \x41\x4133\x00e9 \'"`, cim.Str("a\tb\n\"q\" \\ A\u4133\u00e9 '")},
		{`string X = "This" /* and */ " becomes"
			" a long string"`, cim.Str("This becomes a long string")},
		{`string X = "\xD83D\xDE00" "\xd83d" "\xde00"`, cim.Str("😀😀")},
		{`string X = "Größe 😀"`, cim.Str("Größe 😀")},
		{`string X = "enable\disable C:\Windows \xyz \\"`, cim.Str(`enable\disable C:\Windows \xyz \`)},
		{`string X = ""`, cim.Str("")},
		{"string X = \"one\n  two\"", cim.Str("one\n  two")},
		{`string X = NULL`, cim.Null(cim.String)},
		{`char16 X = '\''`, cim.Uint(cim.Char16, '\'')},
		{`char16 X = '\xD800'`, cim.Uint(cim.Char16, 0xD800)},
		{`uint32 X = 0xFFffFFff`, cim.U32(0xFFFFFFFF)},
		{`uint32 X = 0`, cim.U32(0)},
		{`uint32 X = 0777`, cim.U32(511)},
		{`uint32 X = 1101b`, cim.U32(13)},
		{`uint32 X = 0x1b`, cim.U32(27)},
		{`sint32 X = +5`, cim.S32(5)},
		{`sint32 X = -0x80000000`, cim.S32(-1 << 31)},
		{`uint64 X = 18446744073709551615`, cim.U64(1<<64 - 1)},
		{`real64 X = .5`, cim.Real(cim.Real64, 0.5)},
		{`real64 X = -1.25E-2`, cim.Real(cim.Real64, -0.0125)},
		{`boolean X = true`, cim.Bool(true)},
		{`datetime X = "00000001120032.000000:000"`, cim.Time("00000001120032.000000:000")},
		{`object ref X = "A.B=1"`, cim.Ref("A.B=1")},
		{`STRING X[] = {"a", "b" "c"}`, cim.Strs([]string{"a", "bc"})},
	} {
		if got := defaultOf(t, test.declaration); !got.Equal(test.want) {
			t.Errorf("%s is %v (%v)", test.declaration, got, got.Type())
		}
	}
}

func TestEncodings(t *testing.T) {
	const text = "// é\nclass A { string X = \"Größe 😀\"; };"
	units := utf16.Encode([]rune(text))
	for name, src := range map[string][]byte{
		"UTF-8":                []byte(text),
		"UTF-8 with a mark":    append([]byte{0xEF, 0xBB, 0xBF}, text...),
		"UTF-16 little endian": encode16(units, binary.LittleEndian, 0xFF, 0xFE),
		"UTF-16 big endian":    encode16(units, binary.BigEndian, 0xFE, 0xFF),
	} {
		f, err := Parse("a.mof", src, ParseOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := f.Objects[0].Class.Declared.Properties[0].Default; !got.Equal(cim.Str("Größe 😀")) {
			t.Errorf("%s: %v", name, got)
		}
	}
	f, err := Parse("a.mof", []byte("class A { string X = \"Gr\xf6\xdfe\"; };"), ParseOptions{})
	if err != nil || !f.Objects[0].Class.Declared.Properties[0].Default.Equal(cim.Str("Größe")) {
		t.Errorf("Latin-1: %v %v", f, err)
	}
}

func encode16(units []uint16, order binary.AppendByteOrder, mark ...byte) []byte {
	for _, u := range units {
		mark = order.AppendUint16(mark, u)
	}
	return mark
}

func TestNamespaces(t *testing.T) {
	for _, text := range []string{`root\\test`, `\\root\\test`, `\\\\.\\root\\test`, `root/test`, `//./root/test`} {
		f := parse(t, `#pragma namespace("`+text+`") class A { };`)
		if got := f.Objects[0].Namespace; got != `root\test` {
			t.Errorf("%s is %s", text, got)
		}
	}
}

func TestPragmasAndIncludes(t *testing.T) {
	fsys := fstest.MapFS{
		"sub/one.mof":      {Data: []byte(`#include("deep/two.mof") qualifier Own : ToInstance; class Two { };`)},
		"sub/deep/two.mof": {Data: []byte(`#pragma namespace("\\\\.\\root\\test") class One { };`)},
	}
	f, err := Parse("a.mof", []byte(`#PRAGMA AUTORECOVER
		#pragma amendment("MS_409")
		#pragma locale("en_US")
		#include ("sub\\one.mof")
		#pragma classflags("safeupdate", "updateonly")
		[Own] CLASS Three { };
		#pragma instanceflags("createonly")
		Instance Of Three { };`), ParseOptions{Include: fsys})
	if err != nil {
		t.Fatal(err)
	}
	if !f.Autorecover || f.Amendment != "MS_409" || len(f.Objects) != 4 {
		t.Fatalf("%+v", f)
	}
	for i, file := range []string{"sub/deep/two.mof", "sub/one.mof", "a.mof", "a.mof"} {
		if o := f.Objects[i]; o.Namespace != `root\test` || o.File != file {
			t.Errorf("%+v", o)
		}
	}
	three, last := f.Objects[2], f.Objects[3]
	if three.ClassFlags != SafeUpdate|UpdateOnly || three.InstanceFlags != 0 || last.InstanceFlags != CreateOnly {
		t.Errorf("%+v %+v", three, last)
	}
	if q := three.Class.Declared.Qualifiers[0]; q.Flavor != cim.ToInstance {
		t.Errorf("the declaration in the included file counts here too: %+v", q)
	}
}

// What flavors mean is spec/wmi.md 2.7.
func TestFlavorsOfQualifiers(t *testing.T) {
	for _, test := range []struct {
		text, name string
		want       cim.Flavor
	}{
		{`[Own] class A { };`, "Own", 0},
		{`[Description("x")] class A { };`, "Description", 0},
		{`[Association] class A { };`, "Association", cim.ToInstance | cim.ToSubClass | cim.NotOverridable},
		{`[Dynamic] class A { };`, "Dynamic", cim.ToInstance},
		{`[Own : ToInstance] class A { };`, "Own", cim.ToInstance},
		{`[Own : ToInstance ToSubClass DisableOverride Amended] class A { };`, "Own", cim.ToInstance | cim.ToSubClass | cim.NotOverridable | cim.Amended},
		{`[Units("x") : Amended] class A { };`, "Units", cim.ToSubClass | cim.Amended},
		{`[Units("x") : Restricted] class A { };`, "Units", 0},
		{`[Units("x") : ToInstance] class A { };`, "Units", cim.ToInstance},
		{`[Association : NotToInstance EnableOverride] class A { };`, "Association", cim.ToSubClass},
		{`qualifier Description : ToSubClass Amended; [Description("x")] class A { };`, "Description", cim.ToSubClass | cim.Amended},
		{`qualifier Description : ToSubClass; [Description("x") : ToInstance] class A { };`, "Description", cim.ToInstance},
		{`Qualifier Q : string = "y", Scope(any), Flavor(DisableOverride, ToSubclass, Translatable); [Q] class A { };`, "Q", cim.ToSubClass | cim.NotOverridable | cim.Amended},
	} {
		f := parse(t, test.text)
		q := f.Objects[0].Class.Declared.Qualifiers[0]
		if q.Name != test.name || q.Flavor != test.want {
			t.Errorf("%s: %+v, want flavor %02x", test.text, q, test.want)
		}
		if q.Name == "Q" && !q.Value.Equal(cim.Str("y")) {
			t.Errorf("%s: %v", test.text, q.Value)
		}
	}
}

func TestValuesOfQualifiers(t *testing.T) {
	for _, test := range []struct {
		text string
		want cim.Value
	}{
		{`Q`, cim.Bool(true)},
		{`Q(FALSE)`, cim.Bool(false)},
		{`Q(0x409)`, cim.S32(1033)},
		{`Q(-1)`, cim.S32(-1)},
		{`Q(4294967296)`, cim.S64(1 << 32)},
		{`Q(1.0)`, cim.Real(cim.Real64, 1)},
		{`Q("a" "b")`, cim.Str("ab")},
		{`Q{"a", "b"}`, cim.Strs([]string{"a", "b"})},
		{`Q({"a"})`, cim.Strs([]string{"a"})},
		{`Q{1, -2}`, cim.Array(cim.Sint32, []cim.Value{cim.S32(1), cim.S32(-2)})},
		{`Q{1, 4294967296}`, cim.Array(cim.Sint64, []cim.Value{cim.S64(1), cim.S64(1 << 32)})},
		{`Q{1, 0.5}`, cim.Array(cim.Real64, []cim.Value{cim.Real(cim.Real64, 1), cim.Real(cim.Real64, 0.5)})},
		{`Q{TRUE, FALSE}`, cim.Array(cim.Boolean, []cim.Value{cim.Bool(true), cim.Bool(false)})},
		{`Key(FALSE)`, cim.Bool(true)}, // the quirk of Windows 8 and later
		{`Static(FALSE)`, cim.Bool(true)},
	} {
		f := parse(t, "["+test.text+"] class A { };")
		if got := f.Objects[0].Class.Declared.Qualifiers[0].Value; !got.Equal(test.want) {
			t.Errorf("%s is %v (%v)", test.text, got, got.Type())
		}
	}
	f := parse(t, `class A { [Key(FALSE)] string K; [Static(FALSE)] void M(); };`)
	d := f.Objects[0].Class.Declared
	if !d.Properties[0].Key || !d.Methods[0].Static {
		t.Errorf("%+v", d)
	}
}

func TestMethods(t *testing.T) {
	f := parse(t, `class A {
		[Implemented] sint32 One([in, id(0)] sint32 InParam);
		void Two([in] A Given[32], [out] A ref Taken, [in, out] string Both = "x", [In, Optional] object Any);
		A Three();
		void Twice([In] uint8 X, [Out] uint8 Y, [Out] uint8 x); };`)
	m := f.Objects[0].Class.Declared.Methods
	if m[0].Return != cim.Sint32 || m[1].Return != cim.Untyped || m[2].Return != cim.Object || m[0].Static {
		t.Errorf("%+v", m)
	}
	var ids []string
	for _, list := range [][]cim.Parameter{m[1].In, m[1].Out} {
		for _, p := range list {
			id, _ := p.Qualifiers.Get("ID")
			ids = append(ids, p.Name+id.String()+p.Type.String()+p.RefClass)
		}
	}
	if got, want := strings.Join(ids, " "), "Given0object[]A Both2string Any3object Taken1refA Both2string"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if x, _ := m[3].Out[1].Qualifiers.Get("ID"); !x.Equal(cim.S32(0)) {
		t.Errorf("%+v", m[3])
	}
	if n, _ := m[1].In[0].Qualifiers.Get("MaxLen"); !n.Equal(cim.S32(32)) || !m[1].In[2].Optional || !m[1].In[1].Default.Equal(cim.Str("x")) {
		t.Errorf("%+v", m[1].In)
	}
}
