package wsmanserver_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// [MS-WSMV] 3.1.4.1.38: class definitions in CIM-XML, and the paths of
// subclasses.
func TestClassMetadata(t *testing.T) {
	_, w := serve(t)
	const uri = "http://schemas.dmtf.org/wbem/cim-xml/2/cim-schema/2/*"
	of := func(class string) map[string]string {
		return map[string]string{"__cimnamespace": "root/cimv2", "ClassName": class}
	}
	const all = `<w:OptionSet><w:Option Name="IncludeQualifiers">true</w:Option><w:Option Name="IncludeInheritedElements">true</w:Option></w:OptionSet>`
	a := w.ok(request{action: get, uri: uri, selectors: of("ct_derived"), header: all})
	for _, want := range []string{`<CLASS NAME="CT_Derived"`, `SUPERCLASS="CT_Base"`, `NAME="ID"`, `NAME="Extra"`, `TYPE="uint32"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the class has no %s:\n%s", want, a.body)
		}
	}
	w.do(request{action: get, uri: uri, selectors: of("None")}).wantFault("unknown class", "a:DestinationUnreachable", "ResourceNotFound", 0)
	w.do(request{action: get, uri: uri}).wantFault("no selectors", "w:InvalidSelectors", "", 0)
	w.do(request{action: get, uri: uri, selectors: map[string]string{"__cimnamespace": "root/cimv2"}}).wantFault("no class", "w:InvalidSelectors", "", 0)
	w.do(request{action: put, uri: uri, selectors: of("CT_Base")}).wantFault("Put", "a:ActionNotSupported", "", 0)
	list := request{action: enumerate, uri: uri, selectors: of("CT_Base"), body: optimized(10, "")}
	if a := w.ok(list); len(a.texts("EndpointReference")) != 1 || !strings.Contains(a.body, "CT_Derived") {
		t.Errorf("subclass paths:\n%s", a.body)
	}
}

// Section 4.5 and statements 50 and 63: a local session needs no password, has
// no Identify and writes no certificate mapping.
func TestLocalSession(t *testing.T) {
	s, w := serve(t)
	local := *w
	local.url, local.user = "http://local/wsman", ""
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(s.Service.State.Dir, "local.sock"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	local.http = &http.Client{Transport: transport}
	if a := local.ok(request{action: get, uri: wmi("CT_Only")}); a.text("Value") != "one" {
		t.Errorf("%s", a.body)
	}
	const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>` +
		`<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>`
	local.post(soapUTF8, strings.NewReader(identify)).wantFault("50", "w:InternalError", "", 0x803380FC)
	mapping := request{action: create, uri: nsConfig + "/service/certmapping",
		selectors: map[string]string{"Issuer": strings.Repeat("A", 40), "Subject": "*", "URI": "*"},
		body:      `<x:CertMapping xmlns:x="` + nsConfig + `/service/certmapping"><x:UserName>u</x:UserName><x:Password>p</x:Password></x:CertMapping>`}
	local.do(mapping).wantFault("63", "w:InternalError", "", 0x80338152)
	listening := func(filter string) []string {
		local.set("Service/IPv4Filter", filter)
		return local.ok(request{action: get, uri: nsConfig + "/listener", selectors: map[string]string{"Address": "IP:127.0.0.1", "Transport": "HTTP"}}).texts("ListeningOn")
	}
	for filter, want := range map[string]int{"10.0.0.1-10.0.0.2": 0, "": 0, "127.0.0.0-127.0.0.9": 1, "*": 1} {
		if on := listening(filter); len(on) != want {
			t.Errorf("12: under the filter %q it listens on %v", filter, on)
		}
	}
	a := local.ok(request{action: create, uri: cmdURI, body: plainShell})
	if a.text("ClientIP") != "localhost" {
		t.Errorf("4.8: a local shell's ClientIP: %s", a.body)
	}
}

// Statement 74: what a plug-in must be, over the wire.
func TestPluginStatement(t *testing.T) {
	_, w := serve(t)
	plugin := func(action, name, resources string) reply {
		return w.do(request{action: action, uri: nsConfig + "/plugin", selectors: map[string]string{"Name": name},
			body: `<PlugInConfiguration xmlns="` + nsConfig + `/PluginConfiguration" Name="` + name + `" Filename="/bin/sh" SDKVersion="1" XmlRenderingType="text"><Resources>` + resources + `</Resources></PlugInConfiguration>`})
	}
	const good = `<Resource ResourceUri="http://example.org/x" SupportsOptions="true"><Capability Type="Get"/></Resource>`
	if a := plugin(create, "None", ""); a.status != http.StatusInternalServerError {
		t.Errorf("74: no resource: %d", a.status)
	}
	if a := plugin(create, "Both", `<Resource ResourceUri="http://example.org/x"><Capability Type="Shell"/><Capability Type="Get"/></Resource>`); a.status != http.StatusInternalServerError {
		t.Errorf("74: Shell beside Get: %d", a.status)
	}
	if a := plugin(create, "Mine", good); a.status != http.StatusOK {
		t.Errorf("4.3: Create: %s", a.body)
	}
	mine := map[string]string{"Name": "mine"}
	if a := w.ok(request{action: get, uri: nsConfig + "/plugin", selectors: mine}); !strings.Contains(a.body, `http://example.org/x`) {
		t.Errorf("4.3: Get: %s", a.body)
	}
	if a := w.ok(request{action: enumerate, uri: nsConfig + "/plugin", body: optimized(50, "")}); !strings.Contains(a.body, `Name="WMI Provider"`) || !strings.Contains(a.body, `Name="Mine"`) {
		t.Errorf("4.3: Enumerate: %s", a.body)
	}
	w.ok(request{action: remove, uri: nsConfig + "/plugin", selectors: mine})
	w.do(request{action: get, uri: nsConfig + "/plugin", selectors: mine}).wantFault("deleted", "a:DestinationUnreachable", "", 0)
	w.do(request{action: get, uri: nsConfig + "/plugin"}).wantFault("no selector", "w:InvalidSelectors", "", 0)
}

// Section 6: remote access that policy disables. Nothing is answered then, not even who
// this is, with and without a sign-in (spec 0.2(16)).
func TestRemoteAccessDisabled(t *testing.T) {
	s, w := serve(t)
	show := request{action: get, uri: wmi("CT_Only")}
	w.ok(show)
	const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>` +
		`<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>`
	anybody := func() reply {
		return w.as("", "").post(soapUTF8, strings.NewReader(identify), func(r *http.Request) { r.Header.Set("WSMANIDENTIFY", "unauthenticated") })
	}
	if a, b := anybody(), w.post(soapUTF8, strings.NewReader(identify)); a.status != http.StatusOK || b.status != http.StatusOK {
		t.Fatalf("Identify is not answered: %d %d", a.status, b.status)
	}
	var p registry.Policy
	p.Set(settings.KeyPolicy+`\Service`, "AllowAutoConfig", registry.DWORD(0))
	if err := os.WriteFile(filepath.Join(s.Service.State.Dir, "Registry.pol"), p.AppendPol(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	var a reply
	eventually(t, "remote access is refused", func() bool { a = w.do(show); return a.status != http.StatusOK })
	a.wantFault("6", "w:InternalError", "", 2150859229)
	w.post(soapUTF8, strings.NewReader(identify)).wantFault("Identify", "w:InternalError", "", 2150859229)
	if a := anybody(); a.status != http.StatusUnauthorized || strings.Contains(a.body, "ProductVendor") {
		t.Errorf("Identify without a sign-in: %d %s", a.status, a.body)
	}
}

// What an identity lost since it signed in counts with its next request, also
// on a connection that is open.
func TestLostIdentity(t *testing.T) {
	s, w := serve(t)
	s.AddUser("leaver", "Secret-1-word")
	grantEverything(s)
	leaver, show := w.as("leaver", "Secret-1-word"), request{action: get, uri: nsConfig}
	leaver.ok(show)
	if err := s.Service.State.Accounts.SetDisabled("leaver", true); err != nil {
		t.Fatal(err)
	}
	if a := leaver.do(show); a.status != http.StatusUnauthorized {
		t.Errorf("a disabled account: %d", a.status)
	}
	client, context := signIn(t, s.HTTPS, s, false)
	if context == nil {
		t.Fatal("NTLM is refused")
	}
	negotiated := *w
	negotiated.user, negotiated.http = "", client
	negotiated.ok(show)
	s.Set("Service/Auth/Negotiate", "false")
	if a := negotiated.do(show); a.status != http.StatusUnauthorized {
		t.Errorf("Negotiate is off and its connection goes on: %d", a.status)
	}
}
