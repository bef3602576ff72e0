package cimxml_test

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/cimxml"
	"github.com/casementhq/casement/wsman/internal/soap"
)

var whole = cimxml.GetOptions{IncludeQualifiers: true, IncludeClassOrigin: true, IncludeInherited: true, IncludeHierarchy: true}

func read(t testing.TB, s string) (*cim.Class, error) {
	t.Helper()
	r := soap.NewReader([]byte(s), soap.Limits{})
	if err := r.Root(); err != nil {
		t.Fatal(err)
	}
	return cimxml.ReadClass(r)
}

// The form is that of DSP0201 section 5 with the DERIVATION attribute of public
// implementations; the class is one that their tests ask for.
const number = `<CLASS NAME="X_HugeNumber" SUPERCLASS="X_Number" DERIVATION="X_Number,X_ManagedElement">` +
	`<QUALIFIER NAME="Version" TYPE="string" TOSUBCLASS="false" TRANSLATABLE="true"><VALUE>177</VALUE></QUALIFIER>` +
	`<PROPERTY NAME="Description" TYPE="string" PROPAGATED="true"></PROPERTY>` +
	`<PROPERTY NAME="Number" TYPE="uint64" CLASSORIGIN="X_Number" PROPAGATED="true"><QUALIFIER NAME="key" TYPE="boolean" OVERRIDABLE="false"><VALUE>true</VALUE></QUALIFIER></PROPERTY>` +
	`<PROPERTY NAME="Magnitude" TYPE="uint32"><VALUE>7</VALUE></PROPERTY>` +
	`<PROPERTY NAME="MagnitudeObj" TYPE="string"><QUALIFIER NAME="EmbeddedInstance" TYPE="string"><VALUE>X_SmallNumber</VALUE></QUALIFIER></PROPERTY>` +
	`<PROPERTY.ARRAY NAME="TwoTestObjects" TYPE="string"><QUALIFIER NAME="EmbeddedObject" TYPE="boolean"><VALUE>true</VALUE></QUALIFIER></PROPERTY.ARRAY>` +
	`<PROPERTY.REFERENCE NAME="Antecedent" REFERENCECLASS="CIM_ManagedElement"/>` +
	`<PROPERTY.ARRAY NAME="Kinds" TYPE="uint16"><QUALIFIER NAME="Values" TYPE="string" TRANSLATABLE="true"><VALUE.ARRAY><VALUE>1</VALUE><VALUE>..</VALUE></VALUE.ARRAY></QUALIFIER></PROPERTY.ARRAY>` +
	`<METHOD NAME="SpellMagnitude" TYPE="string"></METHOD>` +
	`<METHOD NAME="TestEmbedded" TYPE="uint32"><QUALIFIER NAME="static" TYPE="boolean"><VALUE>true</VALUE></QUALIFIER>` +
	`<PARAMETER.ARRAY NAME="objectsArray" TYPE="string"><QUALIFIER NAME="EmbeddedInstance" TYPE="string"><VALUE>X_TestObject</VALUE></QUALIFIER>` +
	`<QUALIFIER NAME="in" TYPE="boolean"><VALUE>true</VALUE></QUALIFIER><QUALIFIER NAME="out" TYPE="boolean"><VALUE>true</VALUE></QUALIFIER></PARAMETER.ARRAY>` +
	`<PARAMETER.REFERENCE NAME="where" REFERENCECLASS="X_Place"/></METHOD></CLASS>`

// TestReadClass checks each element against what DSP0201 says that it means.
// See [MS-WSMV] 3.1.4.1.38.
func TestReadClass(t *testing.T) {
	c, err := read(t, number)
	if err != nil {
		t.Fatal(err)
	}
	c.Seal()
	if c.Name != "X_HugeNumber" || c.Superclass != "X_Number" || strings.Join(c.Derivation, " ") != "X_Number X_ManagedElement" {
		t.Errorf("class %s < %s, %v", c.Name, c.Superclass, c.Derivation)
	}
	if q := c.Qualifiers[0]; q.Flavor != cim.Amended || c.Qualifiers.Text("version") != "177" {
		t.Errorf("qualifier Version has flavor %#x and text %q", q.Flavor, c.Qualifiers.Text("version"))
	}
	for _, want := range []struct {
		name, refClass, origin string
		typ                    cim.Type
		key                    bool
		value                  string
	}{
		{"Description", "", "", cim.String, false, "null"},
		{"Number", "", "X_Number", cim.Uint64, true, "null"},
		{"Magnitude", "", "X_HugeNumber", cim.Uint32, false, "7"},
		{"MagnitudeObj", "X_SmallNumber", "X_HugeNumber", cim.Object, false, "null"},
		{"TwoTestObjects", "", "X_HugeNumber", cim.Object.Array(), false, "null"},
		{"Antecedent", "CIM_ManagedElement", "X_HugeNumber", cim.Reference, false, "null"},
		{"Kinds", "", "X_HugeNumber", cim.Uint16.Array(), false, "null"},
	} {
		p := c.Property(want.name)
		if p == nil {
			t.Errorf("there is no %s", want.name)
			continue
		}
		if p.Type != want.typ || p.RefClass != want.refClass || p.Key != want.key || p.Origin != want.origin ||
			p.Default.String() != want.value || p.Default.Type() != want.typ {
			t.Errorf("%+v, want %+v", *p, want)
		}
	}
	if q := c.Property("Number").Qualifiers[0]; q.Flavor != cim.ToSubClass|cim.NotOverridable {
		t.Errorf("qualifier key has flavor %#x", q.Flavor)
	}
	if v, _ := c.Property("Kinds").Qualifiers.Get("Values"); v.String() != "{1, ..}" {
		t.Errorf("Values is %s", v)
	}
	m := c.Method("TestEmbedded")
	if m == nil || !m.Static || m.Return != cim.Uint32 || len(m.In) != 2 || len(m.Out) != 1 {
		t.Fatalf("method TestEmbedded is %+v", m)
	}
	if p := m.In[0]; p.Type != cim.Object.Array() || p.RefClass != "X_TestObject" || m.Out[0].Name != p.Name {
		t.Errorf("parameter %+v", p)
	}
	if p := m.In[1]; p.Type != cim.Reference || p.RefClass != "X_Place" { // neither way is said: in
		t.Errorf("parameter %+v", p)
	}
}

// TestClassesComeBack carries the classes of the conformance suite there and
// back, and lets encoding/xml read what was written.
func TestClassesComeBack(t *testing.T) {
	for _, c := range cimtest.Classes() {
		b := cimxml.AppendClass([]byte("x"), c, whole)
		if b[0] != 'x' {
			t.Fatal("AppendClass does not append")
		}
		b = b[1:]
		if err := xml.Unmarshal(b, new(struct{})); err != nil {
			t.Errorf("%s: %v in %s", c.Name, err, b)
		}
		back, err := read(t, string(b))
		if err != nil {
			t.Errorf("%s: %v in %s", c.Name, err, b)
			continue
		}
		back.Namespace = c.Namespace
		equal(t, back.Seal(), c)
	}
}

func equal(t *testing.T, got, want *cim.Class) {
	t.Helper()
	if got.Name != want.Name || got.Superclass != want.Superclass || strings.Join(got.Derivation, ",") != strings.Join(want.Derivation, ",") {
		t.Errorf("class %s < %v, want %s < %v", got.Name, got.Derivation, want.Name, want.Derivation)
	}
	qualifiers(t, want.Name, got.Qualifiers, want.Qualifiers)
	if len(got.Properties) != len(want.Properties) || len(got.Methods) != len(want.Methods) {
		t.Fatalf("%s has %d properties and %d methods, want %d and %d", want.Name, len(got.Properties), len(got.Methods), len(want.Properties), len(want.Methods))
	}
	for i, w := range want.Properties {
		g := got.Properties[i]
		if g.Name != w.Name || g.Type != w.Type || g.RefClass != w.RefClass || g.Key != w.Key || g.Origin != w.Origin ||
			g.Default.IsNull() != w.Default.IsNull() || !w.Default.IsNull() && !g.Default.Equal(w.Default) {
			t.Errorf("%s: %+v, want %+v", want.Name, g, w)
		}
		qualifiers(t, want.Name+"."+w.Name, g.Qualifiers, w.Qualifiers)
	}
	for i, w := range want.Methods {
		g := got.Methods[i]
		if g.Name != w.Name || g.Return != w.Return || g.Static != w.Static || g.Origin != w.Origin {
			t.Errorf("%s: %+v, want %+v", want.Name, g, w)
		}
		parameters(t, want.Name+"."+w.Name, g.In, w.In)
		parameters(t, want.Name+"."+w.Name, g.Out, w.Out)
		qualifiers(t, want.Name+"."+w.Name, g.Qualifiers, w.Qualifiers)
	}
}

func parameters(t *testing.T, where string, got, want []cim.Parameter) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d parameters, want %d", where, len(got), len(want))
		return
	}
	for i, w := range want {
		g := got[i]
		if g.Name != w.Name || g.Type != w.Type || g.RefClass != w.RefClass || g.Optional != w.Optional {
			t.Errorf("%s: %+v, want %+v", where, g, w)
		}
		qualifiers(t, where+"("+w.Name+")", g.Qualifiers, w.Qualifiers)
	}
}

func qualifiers(t *testing.T, where string, got, want cim.Qualifiers) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has qualifiers %v, want %v", where, got, want)
		return
	}
	for i, w := range want {
		if g := got[i]; g.Name != w.Name || g.Flavor != w.Flavor || !g.Value.Equal(w.Value) {
			t.Errorf("%s: qualifier %+v, want %+v", where, g, w)
		}
	}
}

func TestReferenceArrays(t *testing.T) {
	c := cim.NewClass("C", nil).Property("Refs", cim.Reference.Array()).
		Method("M", cim.Untyped, cim.In("Refs", cim.Reference.Array()), cim.InOut("Both", cim.Sint8), cim.Out("O", cim.Datetime)).Build(`root\x`)
	back, err := read(t, string(cimxml.AppendClass(nil, c, whole)))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, back.Seal(), c)
}

// TestOptions: [MS-WSMV] 3.1.4.2 names the three options of a Get.
func TestOptions(t *testing.T) {
	base := cim.NewClass("B", nil).Key("K", cim.String).Property("P", cim.Uint8).Build(`root\x`)
	c := cim.NewClass("D", base).Description("text").Property("Q", cim.Uint8, cim.Units("Bytes")).Build("")
	for _, test := range []struct {
		o             cimxml.GetOptions
		has, hasNever []string
	}{
		{cimxml.GetOptions{}, []string{`NAME="Q"`}, []string{`NAME="K"`, "CLASSORIGIN", "Units", "Description"}},
		{cimxml.GetOptions{IncludeQualifiers: true}, []string{"Units", "Description"}, []string{`NAME="K"`}},
		{cimxml.GetOptions{IncludeInherited: true}, []string{`NAME="K"`, `PROPAGATED="true"`, `NAME="Key"`, `DERIVATION="B"`}, []string{"CLASSORIGIN", "Units"}},
		{cimxml.GetOptions{IncludeInherited: true, IncludeClassOrigin: true}, []string{`CLASSORIGIN="B"`, `CLASSORIGIN="D"`}, nil},
	} {
		s := string(cimxml.AppendClass(nil, c, test.o))
		for _, part := range test.has {
			if !strings.Contains(s, part) {
				t.Errorf("%+v: %s is not in %s", test.o, part, s)
			}
		}
		for _, part := range test.hasNever {
			if strings.Contains(s, part) {
				t.Errorf("%+v: %s is in %s", test.o, part, s)
			}
		}
		if got := cimxml.ParseGetOptions(test.o.OptionSet()); got != test.o {
			t.Errorf("options come back as %+v, were %+v", got, test.o)
		}
	}
	e := cimxml.EnumerateOptions{IncludeSubClasses: true, ExcludeClass: true}
	if got := cimxml.ParseEnumerateOptions(e.OptionSet()); got != e {
		t.Errorf("options come back as %+v, were %+v", got, e)
	}
}

func TestPath(t *testing.T) {
	b := cimxml.AppendPath(nil, `root\cimv2`, "Win32_Service")
	r := soap.NewReader(b, soap.Limits{})
	if err := r.Root(); err != nil {
		t.Fatal(err)
	}
	epr, err := wsman.ReadEPR(r)
	if err != nil {
		t.Fatal(err)
	}
	namespace, class, ok := cimxml.ParsePath(&epr)
	if !ok || namespace != `root\cimv2` || class != "Win32_Service" {
		t.Errorf("%q, %q, %v", namespace, class, ok)
	}
	if v, _ := epr.Selectors.Get("__cimnamespace"); v != "root/cimv2" {
		t.Errorf("the namespace is selected as %q", v)
	}
	for _, uri := range []string{"", "http://elsewhere", cimxml.ResourceURI} {
		if _, _, ok := cimxml.ParsePath(&wsman.EPR{ResourceURI: uri}); ok {
			t.Errorf("%q is taken for the path of a class", uri)
		}
	}
}

func TestBadClasses(t *testing.T) {
	for name, test := range map[string]struct {
		xml  string
		want cim.Status
	}{
		"no name":         {`<CLASS/>`, cim.ErrInvalidClass},
		"unknown type":    {`<CLASS NAME="C"><PROPERTY NAME="P" TYPE="uint128"/></CLASS>`, cim.ErrInvalidCimType},
		"no type":         {`<CLASS NAME="C"><PROPERTY NAME="P"/></CLASS>`, cim.ErrInvalidCimType},
		"wrong value":     {`<CLASS NAME="C"><PROPERTY NAME="P" TYPE="uint8"><VALUE>256</VALUE></PROPERTY></CLASS>`, cim.ErrTypeMismatch},
		"no element name": {`<CLASS NAME="C"><METHOD TYPE="uint8"/></CLASS>`, cim.ErrInvalidClass},
		"too many":        {`<CLASS NAME="C">` + strings.Repeat(`<METHOD NAME="M"/>`, 5000) + `</CLASS>`, cim.ErrTooMuchData},
	} {
		if _, err := read(t, test.xml); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func FuzzReadClass(f *testing.F) {
	f.Add([]byte(number))
	for _, c := range cimtest.Classes() {
		f.Add(cimxml.AppendClass(nil, c, whole))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := soap.NewReader(b, soap.Limits{})
		if r.Root() != nil {
			return
		}
		c, err := cimxml.ReadClass(r)
		if err != nil {
			return
		}
		again, err := read(t, string(cimxml.AppendClass(nil, c, whole)))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(again.Properties) != len(c.Properties) || len(again.Methods) != len(c.Methods) {
			t.Fatal("something was lost")
		}
	})
}
