package wscim

import (
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// kitchen is a class with a property of every type.
func kitchen() *cim.Class {
	c := &cim.Class{Name: "Kitchen", Namespace: `root\test`}
	add := func(name string, t cim.Type, key bool) {
		c.Properties = append(c.Properties, cim.Property{Name: name, Type: t, Key: key})
	}
	add("Id", cim.Uint32, true)
	add("Bool", cim.Boolean, false)
	add("I64", cim.Sint64, false)
	add("U64", cim.Uint64, false)
	add("R64", cim.Real64, false)
	add("Name", cim.String, true)
	add("Names", cim.String.Array(), false)
	add("None", cim.Uint8.Array(), false)
	add("When", cim.Datetime, false)
	add("Span", cim.Datetime, false)
	add("Ref", cim.Reference, false)
	add("Inner", cim.Object, false)
	add("Missing", cim.String, false)
	add("Empty", cim.String, false)
	add("C", cim.Char16, false)
	return c.Seal()
}

func inner() *cim.Class {
	return (&cim.Class{Name: "Spoon", Namespace: `root\test`, Properties: []cim.Property{
		{Name: "Size", Type: cim.Uint16}, {Name: "Deep", Type: cim.Object},
	}}).Seal()
}

func full(t *testing.T) *cim.Instance {
	t.Helper()
	i := cim.NewInstance(kitchen())
	spoon := cim.NewInstance(inner())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	deep := cim.NewInstance(inner())
	must(deep.Set("Size", cim.U16(2)))
	must(spoon.Set("Size", cim.U16(7)))
	must(spoon.Set("Deep", cim.Obj(deep)))
	must(i.Set("Id", cim.U32(9)))
	must(i.Set("Bool", cim.Bool(true)))
	must(i.Set("I64", cim.S64(-5)))
	must(i.Set("U64", cim.U64(18446744073709551615)))
	must(i.Set("R64", cim.Real(cim.Real64, 1e300)))
	must(i.Set("Name", cim.Str("a <b> & \"c\" ünïcödé")))
	must(i.Set("Names", cim.Strs([]string{"x", "", "z"})))
	must(i.Set("When", cim.Time("20240102030405.000100+060")))
	must(i.Set("Span", cim.Time("00000001020304.000000:000")))
	must(i.Set("Ref", cim.Ref(`root\test:Spoon.Key="v"`)))
	must(i.Set("Inner", cim.Obj(spoon)))
	must(i.Set("Empty", cim.Str("")))
	must(i.Set("C", cim.Uint(cim.Char16, 'é')))
	return i
}

// What is written for a class and read with it comes back whole.
func TestRoundTrip(t *testing.T) {
	i := full(t)
	var set Encoders
	xml, err := set.For(i.Class()).AppendInstance(nil, i)
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]*cim.Class{"Kitchen": i.Class(), "Spoon": inner()}
	d := Decoder{Classes: func(ns, c string) *cim.Class {
		if ns != `root\test` {
			t.Errorf("class %s is looked for in %q", c, ns)
		}
		return classes[c]
	}}
	got := decode(t, &d, xml)
	if !got.Equal(i) {
		for n := range i.Len() {
			if !got.At(n).Equal(i.At(n)) {
				t.Errorf("%s = %v, want %v\n%s", i.Class().Properties[n].Name, got.At(n), i.At(n), xml)
			}
		}
	}
}

func decode(t *testing.T, d *Decoder, xml []byte) *cim.Instance {
	t.Helper()
	r := soap.NewReader(xml, soap.Limits{})
	if err := r.Root(); err != nil {
		t.Fatalf("%v\n%s", err, xml)
	}
	i, err := d.Instance(r)
	if err != nil {
		t.Fatalf("%v\n%s", err, xml)
	}
	if k, err := r.Next(); k != soap.EOF || err != nil {
		t.Fatalf("after the instance: %v, %v", k, err)
	}
	return i
}

// Without class metadata every value stays text, "leaves them lexical".
func TestLexical(t *testing.T) {
	i := full(t)
	var set Encoders
	xml, err := set.For(i.Class()).AppendInstance(nil, i)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	got := decode(t, &d, xml)
	want := map[string]string{
		"Id": "9", "Bool": "true", "U64": "18446744073709551615", "Names": "{x, , z}", "None": "null",
		"When": "20240102030405.000100+060", "Span": "00000001020304.000000:000",
		"Ref": `root\test:Spoon.Key="v"`, "Missing": "null", "Empty": "", "Name": "a <b> & \"c\" ünïcödé",
	}
	for name, text := range want {
		if v := got.Get(name); v.String() != text {
			t.Errorf("%s = %q, want %q", name, v, text)
		}
	}
	if v, err := got.Get("Id").As(cim.Uint32); err != nil || !v.Equal(cim.U32(9)) {
		t.Errorf("Id as uint32: %v, %v", v, err)
	}
	if size := got.Get("Inner").Object().Get("Size"); size.String() != "7" {
		t.Errorf("Inner.Size = %v, want 7", size)
	}
	for o := got.Get("Inner").Object(); o != nil; o = o.Get("Deep").Object() {
		if o.Class().Name != "Spoon" {
			t.Errorf("an embedded object is of %q, want Spoon", o.Class().Name)
		}
	}
	again := decode(t, &d, xml)
	if again.Class() != got.Class() {
		t.Error("two instances of the same shape do not share their class")
	}
	if got.Get("Name").String() != want["Name"] {
		t.Error("reading a second instance changed the first")
	}
}

// A reference without a namespace is into the namespace of the class that holds it.
func TestReferenceWithoutNamespace(t *testing.T) {
	holder := (&cim.Class{Name: "Binding", Namespace: `root\subscription`, Properties: []cim.Property{{Name: "Filter", Type: cim.Reference}}}).Seal()
	for reference, want := range map[string]string{
		`__EventFilter.Name="a"`:              "/wmi/root/subscription/__EventFilter<",
		`root\default:__EventFilter.Name="a"`: "/wmi/root/default/__EventFilter<",
	} {
		i := cim.NewInstance(holder)
		if err := i.Set("Filter", cim.Ref(reference)); err != nil {
			t.Fatal(err)
		}
		text, err := new(Encoders).For(holder).AppendInstance(nil, i)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v", reference, text, err)
		}
	}
	pair := cim.ObjectPath{Namespace: `root\subscription`, Class: "Pair", Keys: []cim.Key{{Name: "One", Value: cim.Ref(`Part.Name="a"`)}}}
	if text := string(new(Encoders).AppendEPR(nil, pair)); !strings.Contains(text, "/wmi/root/subscription/Part<") {
		t.Errorf("a reference in a key: %s", text)
	}
}

// A null array stands once with xsi:nil="true". [MS-WSMV] 3.1.4.1.26.
func TestNullArrayStandsOnce(t *testing.T) {
	i := full(t)
	var set Encoders
	xml, err := set.For(i.Class()).AppendInstance(nil, i)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(xml), "<p:None"); n != 1 || !strings.Contains(string(xml), `m:IsNullArray="true"`) {
		t.Errorf("the null array stands %d times:\n%s", n, xml)
	}
}

// The instance of [MS-WSMV] 4.1.1 as its authors wrote it.
func TestSpecificationInstance(t *testing.T) {
	const xml = `<p:myclass xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/mynamespace/myclass">
<p:Data1>Hello World</p:Data1>
<p:id>1</p:id>
<cim:Location xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:wsman="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
<wsa:Address>
http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous
</wsa:Address>
<wsa:ReferenceParameters>
<wsman:ResourceURI>
http://schemas.microsoft.com/wbem/wsman/1/wmi/root/mynamespace/myclass
</wsman:ResourceURI>
<wsman:SelectorSet>
<wsman:Selector Name="id">1</wsman:Selector>
</wsman:SelectorSet>
</wsa:ReferenceParameters>
</cim:Location>
</p:myclass>`
	var d Decoder
	i := decode(t, &d, []byte(xml))
	if v := i.Get("data1").String(); v != "Hello World" {
		t.Errorf("Data1 = %q", v)
	}
	p, whole := i.Path()
	if !whole || p.String() != `root\mynamespace:myclass.id="1"` {
		t.Errorf("path = %q, %v", p, whole)
	}
}

func TestParseURI(t *testing.T) {
	tests := []struct {
		uri  string
		want Resource
		ok   bool
	}{
		{WMIBase + "/root/cimv2/Win32_Service", Resource{Namespace: `root\cimv2`, Class: "Win32_Service"}, true},
		{"HTTP://schemas.microsoft.com/WBEM/wsman/1/WMI/root/cimv2/*", Resource{Namespace: `root\cimv2`}, true},
		{DMTFBase + "/CIM_NumericSensor", Resource{Namespace: `root\hardware`, Class: "CIM_NumericSensor", DMTF: true}, true},
		{AllClasses, Resource{Namespace: `root\hardware`, DMTF: true}, true},
		{WMIBase, Resource{}, false},
		{WMIBase + "x/root/cimv2/C", Resource{}, false},
		{"wmicimv2/Win32_Service", Resource{}, false},
	}
	for _, tt := range tests {
		got, ok := ParseURI(tt.uri)
		if ok != tt.ok || got != tt.want {
			t.Errorf("ParseURI(%q) = %+v, %v", tt.uri, got, ok)
		}
	}
}

func TestDateTimes(t *testing.T) {
	for xml, want := range map[string]string{
		"2024-01-02T03:04:05Z":         "20240102030405.000000+000",
		"2024-01-02T03:04:05.25-05:30": "20240102030405.250000-330",
		"P0DT0H0M5S":                   "00000000000005.000000:000",
		"PT90M":                        "00000000013000.000000:000",
		"P3DT25H0.5S":                  "00000004010000.500000:000",
		"20240102******.000000+***":    "20240102******.000000+***",
	} {
		if d, err := parseDateTime(xml); err != nil || string(d) != want {
			t.Errorf("%s = %s, %v; want %s", xml, d, err, want)
		}
	}
	for _, bad := range []string{"", "P", "P1Y", "PT", "P1D2", "PT1.5H", "yesterday", "-P1D"} {
		if d, err := parseDateTime(bad); err == nil && bad != "PT" {
			t.Errorf("%q is accepted as %s", bad, d)
		}
	}
}

func FuzzInstance(f *testing.F) {
	f.Add([]byte(`<p:C xmlns:p="` + WMIBase + `/root/test/Kitchen"><p:Id>1</p:Id><p:Names>a</p:Names><p:Names>b</p:Names></p:C>`))
	f.Add([]byte(`<C><A><a:Address xmlns:a="` + soap.URIAddressing + `">x</a:Address></A><B><D>1</D><D>2</D></B></C>`))
	k := kitchen()
	f.Fuzz(func(t *testing.T, xml []byte) {
		for _, d := range []*Decoder{{}, {Classes: func(_, _ string) *cim.Class { return k }}} {
			r := soap.NewReader(xml, soap.Limits{})
			if r.Root() != nil {
				return
			}
			i, err := d.Instance(r)
			if err != nil {
				continue
			}
			if d.Classes == nil {
				continue
			}
			var set Encoders
			if _, err := set.For(i.Class()).AppendInstance(nil, i); err != nil {
				t.Errorf("an instance that was read cannot be written: %v", err)
			}
		}
	})
}
