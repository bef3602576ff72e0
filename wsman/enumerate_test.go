package wsman_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// body decodes a message with this content of s:Body.
func body(t *testing.T, content string) *wsman.Message {
	t.Helper()
	m, err := wsman.Decode([]byte(request("<s:Body/>", `<s:Body xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" xmlns:q="urn:q">`+content+`</s:Body>`)), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReadEnumerate(t *testing.T) {
	wql := &wsman.Filter{Dialect: wsman.DialectWQL, Text: "select * from Win32_Service where State='Running' and X<3"}
	for _, tt := range []struct {
		xml  string
		want wsman.Enumerate
	}{
		{`<n:Enumerate/>`, wsman.Enumerate{}},
		{`<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements><w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">select * from Win32_Service where State='Running' and X&lt;3</w:Filter></n:Enumerate>`,
			wsman.Enumerate{Optimize: true, MaxElements: 32000, Filter: wql}},
		{`<n:Enumerate><n:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL"> select * from Win32_Service where State='Running' and X&lt;3
</n:Filter><w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode><b:PolymorphismMode>None</b:PolymorphismMode></n:Enumerate>`,
			wsman.Enumerate{Filter: wql, Mode: wsman.EnumerateObjectAndEPR, Polymorphism: wsman.PolymorphismNone}},
		{`<n:Enumerate><w:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter"><w:SelectorSet><w:Selector Name="StartMode">Auto</w:Selector><w:Selector Name="State">Stopped</w:Selector></w:SelectorSet></w:Filter></n:Enumerate>`,
			wsman.Enumerate{Filter: &wsman.Filter{Dialect: wsman.DialectSelector, Selectors: wsman.SelectorSet{{Name: "StartMode", Value: "Auto"}, {Name: "State", Value: "Stopped"}}}}},
		{`<n:Enumerate><w:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"><b:AssociatedInstances><b:Object><a:Address>` + anonymous + `</a:Address><a:ReferenceParameters><w:ResourceURI>u</w:ResourceURI><w:SelectorSet><w:Selector Name="Name">winrm</w:Selector></w:SelectorSet></a:ReferenceParameters></b:Object><b:AssociationClassName>A</b:AssociationClassName><b:Role>Dependent</b:Role><b:ResultClassName>R</b:ResultClassName><b:ResultRole>Antecedent</b:ResultRole><b:IncludeResultProperty>P</b:IncludeResultProperty><b:IncludeResultProperty>Q</b:IncludeResultProperty></b:AssociatedInstances></w:Filter></n:Enumerate>`,
			wsman.Enumerate{Filter: &wsman.Filter{Dialect: wsman.DialectAssociation, Association: &wsman.AssociationFilter{
				Object:           wsman.EPR{Address: anonymous, ResourceURI: "u", Selectors: wsman.SelectorSet{{Name: "Name", Value: "winrm"}}},
				AssociationClass: "A", Role: "Dependent", ResultClass: "R", ResultRole: "Antecedent", Properties: []string{"P", "Q"}}}}},
	} {
		got, err := body(t, tt.xml).ReadEnumerate()
		if err != nil || !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", tt.xml, got, err, tt.want)
			continue
		}
		doc, err := wsman.AppendMessage(nil, &wsman.Header{Action: wsman.ActionEnumerate}, got)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wsman.Decode(doc, "")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := m.ReadEnumerate(); err != nil || !reflect.DeepEqual(*again, tt.want) {
			t.Errorf("written %s: %+v, %v", doc, again, err)
		}
	}
	for xml, code := range map[string]wsman.Code{
		`<n:Enumerate><w:EnumerationMode>Other</w:EnumerationMode></n:Enumerate>`:   wsman.CodeEnumerationModeUnsupported,
		`<n:Enumerate><b:PolymorphismMode>Other</b:PolymorphismMode></n:Enumerate>`: wsman.CodePolymorphismModeUnsupported,
		`<n:Enumerate><w:MaxElements>0</w:MaxElements></n:Enumerate>`:               wsman.CodeInvalidParameter,
		`<n:Enumerate><w:Filter>a</w:Filter><n:Filter>b</n:Filter></n:Enumerate>`:   wsman.CodeEnumerateCannotProcessFilter,
		`<n:Enumerate><w:Filter><b:AssociationInstances/></w:Filter></n:Enumerate>`: wsman.CodeEnumerateCannotProcessFilter,
		`<n:Other/>`: wsman.CodeSchemaValidationError,
	} {
		if _, err := body(t, xml).ReadEnumerate(); !reflect.DeepEqual(err != nil && errorsIs(err, code), true) {
			t.Errorf("%s: %v", xml, err)
		}
	}
}

func errorsIs(err error, code wsman.Code) bool {
	f, ok := err.(*wsman.Fault)
	return ok && f.Is(code)
}

// Items, EndOfSequence and EnumerationContext come in either namespace
// (spec/peers.md F27).
func TestReadItems(t *testing.T) {
	for _, ns := range []string{"n", "w"} {
		xml := strings.ReplaceAll(`<n:PullResponse><@:EnumerationContext> uuid:1 </@:EnumerationContext><@:Items><q:X><q:a>1</q:a></q:X><a:EndpointReference><a:Address>h</a:Address></a:EndpointReference><w:Item><q:X/><a:EndpointReference><a:Address>i</a:Address></a:EndpointReference></w:Item></@:Items><@:EndOfSequence/></n:PullResponse>`, "@", ns)
		var items []string
		got, err := body(t, xml).ReadPullResponse(func(r *soap.Reader) error {
			it, err := wsman.ReadItem(r)
			s := string(it.Object.XML)
			if it.EPR != nil {
				s += "|" + it.EPR.Address
			}
			items = append(items, s)
			return err
		})
		want := []string{"<q:X><q:a>1</q:a></q:X>", "|h", "<q:X/>|i"}
		if err != nil || got.Context != "uuid:1" || !got.EndOfSequence || !reflect.DeepEqual(items, want) {
			t.Errorf("%s: %+v %q %v", ns, got, items, err)
		}
		count := 0
		if _, err := body(t, xml).ReadPullResponse(func(*soap.Reader) error { count++; return nil }); err != nil || count != 3 {
			t.Errorf("%s: items that are left unread are skipped: %d, %v", ns, count, err)
		}
	}
}

func TestPullNeedsContext(t *testing.T) {
	p, err := body(t, `<n:Pull><n:EnumerationContext>c</n:EnumerationContext><n:MaxTime>PT5S</n:MaxTime><n:MaxElements>100000</n:MaxElements></n:Pull>`).ReadPull()
	if err != nil || p.Context != "c" || p.MaxElements != 100000 || p.MaxTime != 5e9 {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := body(t, `<n:Pull/>`).ReadPull(); !errorsIs(err, wsman.CodeInvalidEnumerationContext) {
		t.Error(err)
	}
	if _, err := body(t, `<n:Release/>`).ReadRelease(); !errorsIs(err, wsman.CodeInvalidEnumerationContext) {
		t.Error(err)
	}
}

func TestIdentify(t *testing.T) {
	w := soap.NewWriter(nil)
	if err := wsman.EncodeIdentify(w); err != nil {
		t.Fatal(err)
	}
	m, err := wsman.Decode(w.Bytes(), "")
	if err != nil || !m.IsIdentify() || m.Action != "" {
		t.Fatalf("%s: %v", w.Bytes(), err)
	}
	// An answer of a Windows server, as its users post it.
	const doc = `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor><wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>`
	m, err = wsman.DecodeResponse([]byte(doc), "")
	if err != nil {
		t.Fatal(err)
	}
	id, err := m.ReadIdentifyResponse()
	if err != nil || id.ProductVendor != "Microsoft Corporation" || id.ProductVersion != "OS: 0.0.0 SP: 0.0 Stack: 3.0" || len(id.ProtocolVersion) != 1 {
		t.Errorf("%+v %v", id, err)
	}
	w.Reset()
	if err := wsman.EncodeIdentifyResponse(w, id); err != nil {
		t.Fatal(err)
	}
	want, _ := canonical([]byte(doc))
	if got, err := canonical(w.Bytes()); err != nil || got != want {
		t.Errorf("%s\n%s %v", got, want, err)
	}
}

func TestFragmentBody(t *testing.T) {
	x, err := body(t, `<w:XmlFragment><q:Name>winrm</q:Name></w:XmlFragment>`).ReadXMLFragment()
	if err != nil || string(x.Content.XML) != "<q:Name>winrm</q:Name>" || x.Nil {
		t.Errorf("%+v %v", x, err)
	}
	r := x.Content.Reader(soap.Limits{})
	if err := r.Root(); err != nil || r.URI(r.Space()) != "urn:q" {
		t.Errorf("the fragment lost its namespace: %v", err)
	}
}

func TestSelectorWithEPR(t *testing.T) {
	inner := wsman.EPR{Address: anonymous, ResourceURI: "u", Selectors: wsman.SelectorSet{{Name: "k", Value: "v"}}}
	h := wsman.Header{Action: wsman.ActionGet, Selectors: wsman.SelectorSet{{Name: "Antecedent", EPR: &inner}}}
	doc, err := wsman.AppendMessage(nil, &h, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wsman.Decode(doc, "")
	if err != nil || !m.Selectors.Equal(h.Selectors) || !reflect.DeepEqual(m.Selectors, h.Selectors) {
		t.Errorf("%s: %+v %v", doc, m.Selectors, err)
	}
}
