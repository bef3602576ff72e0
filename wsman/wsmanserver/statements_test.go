package wsmanserver_test

import (
	"net/http"
	"strings"
	"testing"
)

// Statements 21 to 27 and 43 of the WinRM specification: what the headers of a
// request must be.
func TestHeaderStatements(t *testing.T) {
	s, w := serve(t, "MaxEnvelopeSizekb", "64")
	os := request{action: get, uri: wmi("Win32_Service"), selectors: map[string]string{"Name": "WinRM"}}
	edit := func(f func(*request)) request { r := os; f(&r); return r }

	big := edit(func(r *request) { r.body = strings.Repeat(" ", 65<<10) })
	if a := w.do(big); a.status != http.StatusRequestEntityTooLarge || a.body != "" {
		t.Errorf("21: a request over MaxEnvelopeSizekb: %d %q, want 413 and nothing", a.status, a.body)
	}
	w.do(edit(func(r *request) { r.envelope = 8191 })).wantFault("22", "w:EncodingLimit", "MinimumEnvelopeLimit", 0x8033807E)
	w.ok(edit(func(r *request) { r.envelope = 8192 }))
	w.do(edit(func(r *request) { r.noReply = true })).wantFault("24", "a:MessageInformationHeaderRequired", "", 0)
	w.do(edit(func(r *request) { r.header = `<a:ReplyTo><a:Address>http://elsewhere/</a:Address></a:ReplyTo>` })).
		wantFault("25", "w:UnsupportedFeature", "AddressingMode", 0)
	w.do(edit(func(r *request) { r.header = `<a:FaultTo><a:Address>http://elsewhere/</a:Address></a:FaultTo>` })).
		wantFault("25 FaultTo", "w:UnsupportedFeature", "AddressingMode", 0)
	w.do(edit(func(r *request) { r.messageID = "-" })).wantFault("26", "a:InvalidMessageInformationHeader", "", 0)
	w.do(edit(func(r *request) { r.messageID = "uuid:" + strings.Repeat("x", 2048) })).wantFault("4.2 long MessageID", "a:InvalidMessageInformationHeader", "", 0)
	w.do(edit(func(r *request) { r.header = `<w:Locale xml:lang="de-DE" s:mustUnderstand="true"/>` })).
		wantFault("27", "w:UnsupportedFeature", "Locale", 0x80338087)
	w.do(edit(func(r *request) { r.header = `<p:DataLocale xml:lang="de-DE" s:mustUnderstand="true"/>` })).
		wantFault("4.2 DataLocale", "w:UnsupportedFeature", "DataLocale", 0)
	w.do(edit(func(r *request) { r.header = `<x:Odd xmlns:x="urn:x" s:mustUnderstand="true"/>` })).
		wantFault("4.2 unknown header", "", "", 0x80338010)
	a := w.ok(edit(func(r *request) {
		r.header = `<w:Locale xml:lang="de-DE" s:mustUnderstand="false"/><p:DataLocale xml:lang="de-DE" s:mustUnderstand="false"/>` +
			`<p:SessionId s:mustUnderstand="false">uuid:1</p:SessionId><p:OperationID s:mustUnderstand="false">uuid:2</p:OperationID>` +
			`<p:SequenceId s:mustUnderstand="false">1</p:SequenceId><p:ActivityId s:mustUnderstand="false">uuid:3</p:ActivityId>` +
			`<w:RequestEPR/><w:RequestTotalItemsCountEstimate/><x:Odd xmlns:x="urn:x"/>`
	}))
	if strings.Contains(a.body, "OperationID") || strings.Contains(a.body, "SequenceId") {
		t.Errorf("4.8: the service has no robust connections and says otherwise:\n%s", a.body)
	}
	if a.text("RelatesTo") != "uuid:11111111-2222-3333-4444-555555555555" || a.text("Action") != get+"Response" || a.text("To") != anonymous {
		t.Errorf("the headers of the answer:\n%s", a.body)
	}
	if !strings.Contains(a.body, `xml:lang="en-US"`) {
		t.Errorf("4.2: the answer does not say its language:\n%s", a.body)
	}
	for _, alias := range []string{"wmicimv2/Win32_Service", "winrm/config", "cimv2/Win32_Service"} {
		w.do(edit(func(r *request) { r.uri = alias })).wantFault("43 "+alias, "a:DestinationUnreachable", "InvalidResourceURI", 0x8033803B)
	}
	// 23: an hour becomes MaxTimeoutms.
	s.Set("MaxTimeoutms", "500")
	slow := request{action: wmi("Win32_Service") + "/Slow", uri: wmi("Win32_Service"), selectors: os.selectors, timeout: "PT3600S",
		body: `<x:Slow_INPUT xmlns:x="` + wmi("Win32_Service") + `"/>`}
	w.do(slow).wantFault("23", "w:TimedOut", "", 2150858793)
}

// Options that must be complied with: section 4.2, [MS-WSMV] notes 50 and 52.
func TestOptionsMustComply(t *testing.T) {
	_, w := serve(t)
	const must = `<w:OptionSet><w:Option Name="Odd" MustComply="true">1</w:Option></w:OptionSet>`
	const may = `<w:OptionSet><w:Option Name="Odd">1</w:Option></w:OptionSet>`
	w.ok(request{action: get, uri: wmi("Win32_Service"), selectors: map[string]string{"Name": "WinRM"}, header: must})
	w.ok(request{action: get, uri: nsConfig, header: may})
	w.do(request{action: get, uri: nsConfig, header: must}).wantFault("config", "w:InvalidOptions", "", 0)
	w.do(request{action: create, uri: nsShell + "/cmd", header: must, body: `<rsp:Shell/>`}).wantFault("shell", "w:InvalidOptions", "", 0)
}

// Statements 48, 49 and 51: Identify and Basic in clear text.
func TestIdentify(t *testing.T) {
	s, w := serve(t)
	const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>` +
		`<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>`
	nobody := w.as("", "")
	header := func(r *http.Request) { r.Header.Set("WSMANIDENTIFY", "unauthenticated") }
	t.Run("unauthenticated", func(t *testing.T) {
		a := nobody.post(soapUTF8, strings.NewReader(identify), header)
		if a.status != http.StatusOK || a.text("ProtocolVersion") != "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" ||
			!strings.HasPrefix(a.text("ProductVersion"), "OS: 0.0.0 SP: 0.0 ") || strings.Contains(a.body, "SecurityProfile") {
			t.Errorf("48: %d\n%s", a.status, a.body)
		}
		if v := a.text("ProductVendor"); v != "Casement" {
			t.Errorf("4.5: the vendor is %q", v)
		}
	})
	t.Run("withoutHeader", func(t *testing.T) {
		a := nobody.post(soapUTF8, strings.NewReader(identify))
		if a.status != http.StatusUnauthorized || len(a.header.Values("WWW-Authenticate")) == 0 {
			t.Errorf("49: %d %v, want 401 with schemes", a.status, a.header)
		}
	})
	t.Run("headerOpensNothingElse", func(t *testing.T) {
		a := nobody.post(soapUTF8, strings.NewReader(request{action: get, uri: nsConfig}.envelopeText()), header)
		if a.status != http.StatusUnauthorized || a.body != "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("authenticated", func(t *testing.T) {
		a := w.post(soapUTF8, strings.NewReader(identify))
		profiles := a.texts("SecurityProfileName")
		if a.status != http.StatusOK || len(profiles) != 4 || strings.Contains(a.text("ProductVersion"), "OS: 0.0.0 ") {
			t.Errorf("4.5: %d\n%s", a.status, a.body)
		}
	})
	t.Run("basicInClear", func(t *testing.T) {
		clear := *w
		clear.url = s.HTTP
		a := clear.post(soapUTF8, strings.NewReader(identify))
		if a.status != http.StatusUnauthorized || a.body != "" {
			t.Errorf("51: Basic over HTTP: %d %s", a.status, a.body)
		}
		for _, scheme := range a.header.Values("WWW-Authenticate") {
			if strings.HasPrefix(scheme, "Basic") {
				t.Error("51: a password is asked for that would come in clear text")
			}
		}
		s.Set("Service/AllowUnencrypted", "true")
		if a := clear.post(soapUTF8, strings.NewReader(identify)); a.status != http.StatusOK {
			t.Errorf("3.3: with AllowUnencrypted: %d", a.status)
		}
		s.Set("Service/AllowUnencrypted", "false")
		if a := clear.post(soapUTF8, strings.NewReader(identify)); a.status != http.StatusUnauthorized {
			t.Errorf("3.3: AllowUnencrypted is false again: %d", a.status)
		}
	})
	t.Run("basicOff", func(t *testing.T) {
		s.Set("Service/Auth/Basic", "false")
		if a := w.post(soapUTF8, strings.NewReader(identify)); a.status != http.StatusUnauthorized {
			t.Errorf("Basic is off and its connection goes on: %d", a.status)
		}
	})
}
