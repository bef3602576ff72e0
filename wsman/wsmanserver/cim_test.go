package wsmanserver_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

var winRM = map[string]string{"Name": "WinRM"}

// Statements 28 to 30, 36 to 42 and 45 of the WinRM specification: one
// instance of CIM.
func TestInstanceStatements(t *testing.T) {
	_, w := serve(t)
	uri := wmi("Win32_Service")
	for _, selectors := range []map[string]string{{"NAME": "WINRM"}, {"name": "winrm"}} {
		if a := w.do(request{action: get, uri: uri, selectors: selectors}); a.text("ProcessId") != "42" {
			t.Errorf("28: selectors %v: %s", selectors, a.body)
		}
	}
	a := w.do(request{action: get, uri: wmi("Win32_QuotaSetting")})
	a.wantFault("29", "w:InvalidSelectors", "", 2150859002)
	if p := a.fault().Detail.Fault.Message.Provider; p.Name != "WMIv1 plugin for Windows Remote Management" || p.Inner.Code != 2150859002 {
		t.Errorf("29: the provider fault is %+v", p)
	}
	w.do(request{action: get, uri: wmi("CT_Unknown"), selectors: winRM}).wantFault("30 class", "a:DestinationUnreachable", "ResourceNotFound", 0x80338000)
	w.do(request{action: get, uri: uri, selectors: map[string]string{"Name": "none"}}).wantFault("30 instance", "a:DestinationUnreachable", "ResourceNotFound", 0x80338000)
	w.do(request{action: get, uri: nsWMI + "/root/none/X", selectors: winRM}).wantFault("unknown namespace", "a:DestinationUnreachable", "", 0)
	w.do(request{action: get, uri: "http://example.org/none"}).wantFault("unknown URI", "a:DestinationUnreachable", "InvalidResourceURI", 0)
	w.do(request{action: get, uri: uri, selectors: map[string]string{"Name": "WinRM", "State": "Running"}}).wantFault("extra selector", "w:InvalidSelectors", "UnexpectedSelectors", 0x8033805B)
	w.do(request{action: get, uri: wmi("CT_Many"), selectors: map[string]string{"N": "x"}}).wantFault("selector type", "w:InvalidSelectors", "TypeMismatch", 0)
	w.do(request{action: get, uri: uri, header: `<w:SelectorSet><w:Selector Name="Name">a</w:Selector><w:Selector Name="NAME">b</w:Selector></w:SelectorSet>`}).
		wantFault("duplicate selectors", "w:InvalidSelectors", "DuplicateSelectors", 0)
	w.ok(request{action: get, uri: wmi("CT_Only")})
	w.do(request{action: get, uri: wmi("CT_Only"), selectors: winRM}).wantFault("4.4 singleton with selector", "w:InvalidSelectors", "", 0)

	fragment := func(path string) request {
		return request{action: get, uri: uri, selectors: winRM, header: `<w:FragmentTransfer s:mustUnderstand="true">` + path + `</w:FragmentTransfer>`}
	}
	for path, want := range map[string]string{"ServicesDependedOn[1]": "RPCSS", "ServicesDependedOn[2]/text()": "HTTP", "State": "Running", "Win32_Service/State/text()": "Running"} {
		if a := w.ok(fragment(path)); strings.TrimSpace(a.text("XmlFragment")) != want {
			t.Errorf("36: %s: %s", path, a.body)
		}
	}
	w.do(fragment("state")).wantFault("37 fragment", "w:CannotProcessFilter", "", 0x80338093)
	w.ok(request{action: get, uri: strings.ToUpper(nsWMI) + "/ROOT/CIMV2/win32_SERVICE", selectors: winRM})
	w.do(fragment("/Win32_Service/State")).wantFault("38", "w:CannotProcessFilter", "", 0)
	w.do(fragment("")).wantFault("4.4 blank path", "w:InternalError", "", 0x80338109)
	may := fragment("State")
	may.header = strings.ReplaceAll(may.header, `"true"`, `"false"`)
	w.do(may).wantFault("39", "a:InvalidMessageInformationHeader", "", 0)

	a = w.ok(request{action: get, uri: uri, selectors: map[string]string{"Name": "Spooler"}})
	if n := strings.Count(a.body, "ServicesDependedOn"); n != 1 || !strings.Contains(a.body[strings.Index(a.body, "ServicesDependedOn"):], `xsi:nil="true"`) {
		t.Errorf("40: a NULL array stands %d times:\n%s", n, a.body)
	}
	w.do(request{action: get, uri: uri, selectors: map[string]string{"Name": "WinRM", "__cimnamespace": "root/other"}}).wantFault("41", "w:InternalError", "", 0x8033813B)
	w.ok(request{action: get, uri: uri, selectors: map[string]string{"Name": "WinRM", "__cimnamespace": "root/cimv2"}})
	w.ok(request{action: get, uri: "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_Sensor", selectors: map[string]string{"DeviceID": "fan1"}}) // 42
	w.do(request{action: get, uri: "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_Sensor", selectors: map[string]string{"DeviceID": "fan1", "__cimnamespace": "root/cimv2"}}).
		wantFault("42: another namespace", "a:DestinationUnreachable", "", 0)

	start := request{action: uri + "/StartService", uri: uri, selectors: winRM}
	w.do(start).wantFault("45", "x:InvalidRepresentation", "", 0)
	start.body = `<x:StartService_INPUT xmlns:x="` + uri + `"/>`
	if a := w.ok(start); a.text("ReturnValue") != "0" || a.text("Action") != uri+"/StartServiceResponse" {
		t.Errorf("45: %s", a.body)
	}
	start.action = uri + "/None"
	w.do(start).wantFault("4.4 unknown method", "a:ActionNotSupported", "", 0)
}

// Put, Create and Delete of section 4.3, and DataTransfer in UTF-16.
func TestWriteInstances(t *testing.T) {
	_, w := serve(t)
	uri := wmi("Win32_Service")
	instance := func(inner string) string {
		return `<x:Win32_Service xmlns:x="` + uri + `">` + inner + `</x:Win32_Service>`
	}
	a := w.ok(request{action: put, uri: uri, selectors: winRM, body: instance(`<x:StartMode>Disabled</x:StartMode>`)})
	if a.text("StartMode") != "Disabled" || a.text("ProcessId") != "42" {
		t.Errorf("4.3: Put answers with the whole instance:\n%s", a.body)
	}
	a = w.ok(request{action: create, uri: uri, body: instance(`<x:Name>New &amp; “blank one”</x:Name>`)})
	if a.text("Selector") != "New & “blank one”" || !strings.EqualFold(a.text("ResourceURI"), uri) {
		t.Errorf("4.3: Create answers with the reference:\n%s", a.body)
	}
	w.do(request{action: create, uri: uri, body: instance(`<x:Name>WINRM</x:Name>`)}).wantFault("twice", "w:AlreadyExists", "", 0x80338033)
	selectors := map[string]string{"Name": "New & “blank one”"}
	w.ok(request{action: get, uri: uri, selectors: selectors})
	w.ok(request{action: remove, uri: uri, selectors: selectors})
	w.do(request{action: get, uri: uri, selectors: selectors}).wantFault("deleted", "a:DestinationUnreachable", "ResourceNotFound", 0)
	w.do(request{action: put, uri: uri, selectors: winRM, body: instance(`<x:None>1</x:None>`)}).wantFault("unknown property", "x:InvalidRepresentation", "", 0)
	w.do(request{action: put, uri: uri, selectors: winRM}).wantFault("no body", "x:InvalidRepresentation", "", 0)
}

// Section 4.4: a fragment is written alone.
func TestPutFragment(t *testing.T) {
	_, w := serve(t)
	uri := wmi("Win32_Service")
	change := func(path, inner string) reply {
		return w.do(request{action: put, uri: uri, selectors: winRM, header: `<w:FragmentTransfer s:mustUnderstand="true">` + path + `</w:FragmentTransfer>`,
			body: `<w:XmlFragment xmlns:x="` + uri + `">` + inner + `</w:XmlFragment>`})
	}
	for _, c := range []struct{ path, inner, want string }{
		{"StartMode", "<x:StartMode>Manual</x:StartMode>", "Manual"},
		{"StartMode/text()", "Disabled", "Disabled"},
		{"ServicesDependedOn[2]", "<x:ServicesDependedOn>NEW</x:ServicesDependedOn>", "NEW"},
		{"ServicesDependedOn[3]/text()", "LAST", "LAST"},
	} {
		if a := change(c.path, c.inner); a.status != http.StatusOK || strings.TrimSpace(a.text("XmlFragment")) != c.want {
			t.Errorf("%s: %d\n%s", c.path, a.status, a.body)
		}
	}
	a := w.ok(request{action: get, uri: uri, selectors: winRM})
	if got := a.texts("ServicesDependedOn"); !slices.Equal(got, []string{"RPCSS", "NEW", "LAST"}) || a.text("StartMode") != "Disabled" || a.text("State") != "Running" {
		t.Errorf("after the fragments: %s", a.body)
	}
	change("ServicesDependedOn[9]", "<x:ServicesDependedOn>x</x:ServicesDependedOn>").wantFault("beyond the array", "w:CannotProcessFilter", "", 0)
	change("None", "<x:None>x</x:None>").wantFault("no property", "w:CannotProcessFilter", "", 0x80338093)
	w.do(request{action: remove, uri: uri, selectors: winRM, header: `<w:FragmentTransfer s:mustUnderstand="true">State</w:FragmentTransfer>`}).
		wantFault("Delete of a fragment", "a:ActionNotSupported", "", 0)
	w.do(request{action: get, uri: nsConfig, header: `<w:FragmentTransfer s:mustUnderstand="true">MaxTimeoutms</w:FragmentTransfer>`}).
		wantFault("fragment of the configuration", "a:ActionNotSupported", "", 0)
	w.do(request{action: get, uri: nsShell, header: `<w:FragmentTransfer s:mustUnderstand="true">x</w:FragmentTransfer>`}).
		wantFault("fragment of a shell", "w:UnsupportedFeature", "", 0x80338077)
}

// Statements 31 to 35, 44, 46 and 47: enumerations.
func TestEnumerationStatements(t *testing.T) {
	s, w := serve(t)
	all := nsWMI + "/root/cimv2/*"
	enum := func(uri string, most int, more string) reply {
		t.Helper()
		return w.do(request{action: enumerate, uri: uri, body: optimized(most, more)})
	}
	enum(wmi("Win32_Service"), 10, wqlFilter("select * from Win32_Service")).wantFault("31", "w:InternalError", "", 0x803380FB)
	a := enum(all, 10, wqlFilter("select StartMode, Name from Win32_Service where Name = 'WinRM'"))
	if names := a.names("XmlFragment"); !slices.Equal(names, []string{"Name", "StartMode"}) {
		t.Errorf("32: the properties come as %v\n%s", names, a.body)
	}
	enum(nsConfig+"/listener", 10, wqlFilter("select * from x")).wantFault("33", "n:FilteringNotSupported", "", 0)
	selector := func(name, value string) string {
		return `<w:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter"><w:SelectorSet><w:Selector Name="` + name + `">` + value + `</w:Selector></w:SelectorSet></w:Filter>`
	}
	enum(wmi("Win32_Service"), 10, selector("State", "it's")).wantFault("34", "n:CannotProcessFilter", "", 0)
	enum(wmi("Win32_Service"), 10, selector("ServicesDependedOn", "x")).wantFault("4.4 selector of an array", "n:CannotProcessFilter", "", 0)
	if a := enum(wmi("Win32_Service"), 10, selector("STATE", "running")); !slices.Equal(a.texts("Name"), []string{"WinRM"}) {
		t.Errorf("4.4: the selector filter: %s", a.body)
	}
	const polymorphism = `<b:PolymorphismMode xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd">%s</b:PolymorphismMode>`
	enum(all, 10, fmt.Sprintf(polymorphism, "None")+wqlFilter("select * from CT_Base")).wantFault("35", "b:PolymorphismModeNotSupported", "", 0x80338137)
	if a := enum(all, 10, fmt.Sprintf(polymorphism, "IncludeSubClassProperties")+wqlFilter("select * from CT_Base")); len(a.texts("ID")) != 2 {
		t.Errorf("4.4: the default mode beside a query:\n%s", a.body)
	}
	for mode, want := range map[string]int{"None": 1, "IncludeSubClassProperties": 2, "ExcludeSubClassProperties": 2} {
		a := enum(wmi("CT_Base"), 10, fmt.Sprintf(polymorphism, mode))
		if got := len(a.texts("ID")); got != want || strings.Contains(a.body, "Extra") != (mode == "IncludeSubClassProperties") {
			t.Errorf("4.4: %s gives %d instances:\n%s", mode, got, a.body)
		}
	}
	a = enum(wmi("Win32_Service"), 10, `<w:EnumerationMode>EnumerateEPR</w:EnumerationMode>`)
	if n := len(a.texts("EndpointReference")); n != 2 || strings.Contains(a.body, "ProcessId") {
		t.Errorf("44: %s", a.body)
	}
	a = enum(wmi("Win32_Service"), 10, `<w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>`)
	if n := len(a.texts("Item")); n != 2 || !strings.Contains(a.body, "ProcessId") {
		t.Errorf("4.4: objects with references: %s", a.body)
	}
	enum(wmi("Win32_Service"), 10, `<w:EnumerationMode>Odd</w:EnumerationMode>`).wantFault("4.4 mode", "w:UnsupportedFeature", "EnumerationMode", 0)
	enum(all, 10, wqlFilter("select from where")).wantFault("4.4 bad query", "n:CannotProcessFilter", "", 0)
	enum(all, 10, `<w:Filter Dialect="urn:odd">x</w:Filter>`).wantFault("4.4 dialect", "n:FilterDialectRequestedUnavailable", "", 0)
	w.do(request{action: enumerate, uri: wmi("Win32_Service"), selectors: winRM, body: optimized(1, "")}).wantFault("4.4 keys", "w:InternalError", "", 0x80338108)
	w.do(request{action: nsEnum + "/Renew", uri: wmi("Win32_Service")}).wantFault("4.4 Renew", "a:ActionNotSupported", "", 0)

	s.Set("MaxBatchItems", "100")
	a = enum(wmi("CT_Many"), 32000, "")
	if n := len(a.texts("N")); n == 0 || n > 100 {
		t.Errorf("47: Enumerate gives %d items", n)
	}
	context := a.text("EnumerationContext")
	a = w.ok(request{action: pull, uri: wmi("CT_Many"), body: pullBody(context, 100000)})
	if n := len(a.texts("N")); n == 0 || n > 100 {
		t.Errorf("47: Pull gives %d items", n)
	}
	w.do(request{action: pull, uri: wmi("Win32_Service"), body: pullBody(context, 1)}).wantFault("4.4 another resource", "w:InternalError", "", 0x803381AD)
	w.ok(request{action: release, uri: wmi("CT_Many"), body: `<n:Release><n:EnumerationContext>` + context + `</n:EnumerationContext></n:Release>`})
	w.do(request{action: pull, uri: wmi("CT_Many"), body: pullBody(context, 1)}).wantFault("after Release", "n:InvalidEnumerationContext", "", 0x8033801B)

	s.Set("Service/EnumerationTimeoutms", "500")
	context = enum(wmi("CT_Many"), 1, "").text("EnumerationContext")
	time.Sleep(900 * time.Millisecond)
	w.do(request{action: pull, uri: wmi("CT_Many"), body: pullBody(context, 1)}).wantFault("46", "n:InvalidEnumerationContext", "", 0x8033801B)
}
