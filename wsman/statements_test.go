package wsman_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

const anonymous = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"

// request builds a Get with the headers of a client; replace changes parts of
// the text.
func request(replace ...string) string {
	doc := `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"><s:Header>` +
		`<a:To>http://server:5985/wsman</a:To>` +
		`<w:ResourceURI s:mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Service</w:ResourceURI>` +
		`<a:ReplyTo><a:Address s:mustUnderstand="true">` + anonymous + `</a:Address></a:ReplyTo>` +
		`<a:Action s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action>` +
		`<w:MaxEnvelopeSize s:mustUnderstand="true">51200</w:MaxEnvelopeSize>` +
		`<a:MessageID>uuid:B0AA1D80-F74F-4C39-8280-66273FB14D07</a:MessageID>` +
		`<w:Locale xml:lang="en-US" s:mustUnderstand="false"/><p:DataLocale xml:lang="en-US" s:mustUnderstand="false"/>` +
		`<w:SelectorSet><w:Selector Name="NAME">WINRM</w:Selector></w:SelectorSet>` +
		`<w:OperationTimeout>PT60.000S</w:OperationTimeout>` +
		`</s:Header><s:Body/></s:Envelope>`
	return strings.NewReplacer(replace...).Replace(doc)
}

func check(doc string) (*wsman.Message, *wsman.Fault) {
	m, err := wsman.Decode([]byte(doc), "")
	var f *wsman.Fault
	if err == nil {
		f = m.Check(wsman.Rules{MaxEnvelopeSize: 500 << 10, MaxTimeout: time.Minute})
	} else if !errors.As(err, &f) {
		panic("Decode returned an error that is not a fault")
	}
	return m, f
}

func TestHeaderStatements(t *testing.T) {
	const detail = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"
	replyTo := `<a:ReplyTo><a:Address s:mustUnderstand="true">` + anonymous + `</a:Address></a:ReplyTo>`
	for _, tt := range []struct {
		statement string
		doc       string
		code      wsman.SOAPCode
		subcode   wsman.Subcode
		detail    string
	}{
		{"a client's request passes", request(), "", "", ""},
		{"MaxEnvelopeSize 8191: EncodingLimit [V 3.1.4.1.7]", request("51200", "8191"), wsman.Sender, "w:EncodingLimit", detail + "MinimumEnvelopeLimit"},
		{"MaxEnvelopeSize 8192 passes [V 3.1.4.1.7]", request("51200", "8192"), "", "", ""},
		{"MaxEnvelopeSize 0: EncodingLimit [V 3.1.4.1.7]", request("51200", "0"), wsman.Sender, "w:EncodingLimit", detail + "MinimumEnvelopeLimit"},
		{"no ReplyTo [V 3.1.4.1.3]", request(replyTo, ""), wsman.Sender, "a:MessageInformationHeaderRequired", ""},
		{"ReplyTo not anonymous [V 3.1.4.1.3]", request(anonymous, "http://elsewhere/"), wsman.Sender, "w:UnsupportedFeature", detail + "AddressingMode"},
		{"FaultTo not anonymous [V 3.1.4.1.4]", request(replyTo, replyTo+"<a:FaultTo><a:Address>http://elsewhere/</a:Address></a:FaultTo>"), wsman.Sender, "w:UnsupportedFeature", detail + "AddressingMode"},
		{"FaultTo anonymous passes [V 3.1.4.1.4]", request(replyTo, replyTo+strings.ReplaceAll(replyTo, "ReplyTo", "FaultTo")), "", "", ""},
		{"empty MessageID [V 3.1.4.1.5]", request("uuid:B0AA1D80-F74F-4C39-8280-66273FB14D07", ""), wsman.Sender, "a:InvalidMessageInformationHeader", ""},
		{"MessageID of 2048 characters passes [V 3.1.4.1.5]", request("uuid:B0AA1D80-F74F-4C39-8280-66273FB14D07", strings.Repeat("x", 2048)), "", "", ""},
		{"MessageID of 2049 characters [V 3.1.4.1.5]", request("uuid:B0AA1D80-F74F-4C39-8280-66273FB14D07", strings.Repeat("x", 2049)), wsman.Sender, "a:InvalidMessageInformationHeader", ""},
		{"Locale mustUnderstand [V 3.1.4.1.8]", request(`<w:Locale xml:lang="en-US" s:mustUnderstand="false"/>`, `<w:Locale xml:lang="en-US" s:mustUnderstand="true"/>`), wsman.Sender, "w:UnsupportedFeature", detail + "Locale"},
		{"DataLocale mustUnderstand [V 3.1.4.1.8]", request(`<p:DataLocale xml:lang="en-US" s:mustUnderstand="false"/>`, `<p:DataLocale xml:lang="en-US" s:mustUnderstand="1"/>`), wsman.Sender, "w:UnsupportedFeature", detail + "DataLocale"},
		{"FragmentTransfer mustUnderstand=false [V 3.1.4.1.18]", request("<w:OperationTimeout>", `<w:FragmentTransfer s:mustUnderstand="false">Name</w:FragmentTransfer><w:OperationTimeout>`), wsman.Sender, "a:InvalidMessageInformationHeader", ""},
		{"FragmentTransfer mustUnderstand=true passes [V 3.1.4.1.18]", request("<w:OperationTimeout>", `<w:FragmentTransfer s:mustUnderstand="true">Name</w:FragmentTransfer><w:OperationTimeout>`), "", "", ""},
		{"unknown header with mustUnderstand [V 3.1.4.1]", request("<w:OperationTimeout>", `<x:Y xmlns:x="urn:x" s:mustUnderstand="true"/><w:OperationTimeout>`), wsman.MustUnderstand, "", ""},
		{"unknown header without it passes [V 3.1.4.1]", request("<w:OperationTimeout>", `<x:Y xmlns:x="urn:x" s:mustUnderstand="false"/><w:OperationTimeout>`), "", "", ""},
		{"ActivityId of 2049 characters", request("<w:OperationTimeout>", `<p:ActivityId>`+strings.Repeat("x", 2049)+`</p:ActivityId><w:OperationTimeout>`), wsman.Sender, "a:InvalidMessageInformationHeader", ""},
		{"negative timeout [recorded]", request("PT60.000S", "PT-1S"), wsman.Sender, "a:InvalidMessageInformationHeader", ""},
		{"alias in ResourceURI [W uri-prefixes]", request("http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Service", "wmicimv2/Win32_Service"), wsman.Sender, "a:DestinationUnreachable", detail + "InvalidResourceURI"},
		{"duplicate selector, other case [V 3.1.4.1.2]", request("</w:SelectorSet>", `<w:Selector Name="name">x</w:Selector></w:SelectorSet>`), wsman.Sender, "w:InvalidSelectors", detail + "DuplicateSelectors"},
		{"two Action headers", request("<w:OperationTimeout>", `<a:Action>x</a:Action><w:OperationTimeout>`), wsman.Sender, "a:InvalidMessageInformationHeader", ""},
		{"SOAP 1.1", strings.ReplaceAll(request(), "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"), wsman.VersionMismatch, "", ""},
		{"not XML", "hello", wsman.Sender, "w:SchemaValidationError", ""},
		{"a DTD", "<!DOCTYPE x>" + request(), wsman.Sender, "w:SchemaValidationError", ""},
	} {
		m, f := check(tt.doc)
		switch {
		case tt.code == "" && f != nil:
			t.Errorf("%s: %v", tt.statement, f)
		case tt.code != "" && f == nil:
			t.Errorf("%s: accepted", tt.statement)
		case f != nil && (f.SOAPCode != tt.code || f.Subcode != tt.subcode || f.Detail != tt.detail):
			t.Errorf("%s: %s %s %s", tt.statement, f.SOAPCode, f.Subcode, f.Detail)
		}
		if strings.Contains(tt.statement, "selector") && m.MessageID == "" {
			t.Errorf("%s: the answer could not relate to the request", tt.statement)
		}
	}
}

func TestEffectiveValues(t *testing.T) {
	m, f := check(request("PT60.000S", "PT3600S", "51200", "99999999"))
	if f != nil || m.OperationTimeout != time.Minute || m.MaxEnvelopeSize != 500<<10 {
		t.Errorf("PT3600S with MaxTimeoutms 60000 counts 60 s [V 3.1.4.1.6]: %v %v %d", f, m.OperationTimeout, m.MaxEnvelopeSize)
	}
	m, f = check(request(`<w:OperationTimeout>PT60.000S</w:OperationTimeout>`, "", `<w:MaxEnvelopeSize s:mustUnderstand="true">51200</w:MaxEnvelopeSize>`, ""))
	if f != nil || m.OperationTimeout != time.Minute || m.MaxEnvelopeSize != 500<<10 {
		t.Errorf("absent: %v %v %d", f, m.OperationTimeout, m.MaxEnvelopeSize)
	}
	if v, ok := m.Selectors.Get("name"); !ok || v != "WINRM" || !m.Selectors.Equal(wsman.SelectorSet{{Name: "Name", Value: "winrm"}}) {
		t.Error("selectors depend on case [V 3.1.4.1.2]")
	}
}

func TestUTF16Request(t *testing.T) {
	doc := soap.AppendEncoded(nil, []byte(request()), soap.UTF16LE)
	m, err := wsman.Decode(doc, "UTF-16")
	if err != nil || !m.UTF16() || m.Action != wsman.ActionGet {
		t.Errorf("%v %v", m.Header, err)
	}
	if _, err := wsman.Decode([]byte(request()), "iso-8859-1"); !errors.Is(err, wsman.CodeCharacterSet) {
		t.Errorf("another charset: %v", err)
	}
}

func TestBodyStrict(t *testing.T) {
	for _, doc := range []string{
		request("<s:Body/>", "<s:Body><x></s:Body>"), request("<s:Body/>", "<s:Body/><s:Body/>"),
		request("<s:Body/>", "<s:Body>text</s:Body>"), request("</s:Envelope>", "</s:Envelope><x/>"), request("<s:Body/>", ""),
	} {
		m, err := wsman.Decode([]byte(doc), "")
		if err == nil {
			err = m.End()
		}
		if err == nil {
			t.Errorf("accepted: %s", doc[len(doc)-80:])
		}
	}
}

func TestDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"PT180.000S": 180 * time.Second, "P0DT0H0M36S": 36 * time.Second, "PT20S": 20 * time.Second, "P1DT2H3M4.5S": 26*time.Hour + 3*time.Minute + 4500*time.Millisecond,
		"PT0.0000000019S": 1, "PT0S": 0, "P1Y": 365 * 24 * time.Hour, "P2147483647D": -1, "PT9223372036S": 9223372036 * time.Second,
		"": -1, "P": -1, "PT": -1, "P1DT": -1, "PT-1S": -1, "-PT1S": -1, "PT1": -1, "1S": -1, "PT1.S": -1, "PT1.5M": -1, "PT1S1M": -1, "P1H": -1, "PT1S1S": -1,
		"PT9223372037S": -1, "PT99999999999999999999S": -1, "PT.5S": -1, "PT1.2.3S": -1, " PT1S": -1, "P106751DT24H": -1,
	} {
		got, err := wsman.ParseDuration(s)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	if got := wsman.FormatDuration(90500 * time.Millisecond); got != "PT90.500S" {
		t.Error(got)
	}
	if got := wsman.FormatInterval(26*time.Hour + 36*time.Second); got != "P1DT2H0M36S" {
		t.Error(got)
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT180.000S", "P0DT0H0M36S", "P1Y2M3DT4H5M6.789S", "PT-1S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := wsman.ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q: %d", s, d)
		}
		if e, err := wsman.ParseDuration(wsman.FormatDuration(d)); err != nil || e != d.Truncate(time.Millisecond) {
			t.Fatalf("%q: %v, %v, %v", s, d, e, err)
		}
	})
}

// FuzzEnvelope: never panics, an error is a fault, and what is accepted
// encodes to something that is accepted.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(request()))
	f.Add([]byte(request("<s:Body/>", `<s:Body><n:Pull xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><n:EnumerationContext>x</n:EnumerationContext></n:Pull></s:Body>`)))
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := wsman.Decode(doc, "")
		if err != nil {
			var fault *wsman.Fault
			if !errors.As(err, &fault) || fault.SOAPCode == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		body, err := readBody(m)
		if err != nil {
			return
		}
		out, err := wsman.AppendMessage(nil, &m.Header, body)
		if err != nil {
			return
		}
		again, err := wsman.Decode(out, "")
		if err == nil {
			err = again.End()
		}
		if err != nil {
			t.Fatalf("%s\n%s\n%v", doc, out, err)
		}
	})
}

// FuzzFault: never panics, and a fault that was read can be written and read.
func FuzzFault(f *testing.F) {
	f.Add([]byte(`<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="5" Machine="x"><f:Message><f:ProviderFault>t</f:ProviderFault></f:Message></f:WSManFault></s:Detail></s:Fault>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := wsman.Decode(faultEnvelope(string(body)), "")
		if err != nil || !m.IsFault() {
			return
		}
		fault, err := m.ReadFault()
		if err != nil {
			return
		}
		_ = fault.Error()
		out, err := wsman.AppendMessage(nil, &m.Header, fault)
		if err != nil {
			t.Fatal(err)
		}
		_, err = wsman.DecodeResponse(out, "")
		var again *wsman.Fault
		if !errors.As(err, &again) || !again.Remote || again.Code != fault.Code {
			t.Fatalf("%s\n%v", bytes.TrimSpace(out), err)
		}
	})
}
