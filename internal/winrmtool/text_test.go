package winrmtool

import (
	"bytes"
	"strings"
	"testing"

	"github.com/casementhq/casement/wsman"
)

// The transcripts of spec section 1.5; the XML is made after [MS-WSMV] and
// holds what each transcript shows.
const shellXML = `<rsp:Shell xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" xml:lang="en-US">
<rsp:ShellId>0A6E6A01-8AB2-4037-86CC-BFC826A1244E</rsp:ShellId>
<rsp:ResourceUri>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</rsp:ResourceUri>
<rsp:Owner>FABRIKAM\myAccount</rsp:Owner><rsp:ClientIP>::1</rsp:ClientIP><rsp:IdleTimeOut>PT180.000S</rsp:IdleTimeOut>
<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>
<rsp:ShellRunTime>P0DT0H0M36S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M35S</rsp:ShellInactivity></rsp:Shell>`

const shellText = `Shell
    ShellId = 0A6E6A01-8AB2-4037-86CC-BFC826A1244E
    ResourceUri = http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd
    Owner = FABRIKAM\myAccount
    ClientIP = ::1
    IdleTimeOut = PT180.000S
    InputStreams = stdin
    OutputStreams = stdout stderr
    ShellRunTime = P0DT0H0M36S
    ShellInactivity = P0DT0H0M35S
`

const associationXML = `<p:Win32_DependentService xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_DependentService"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xsi:type="p:Win32_DependentService_Type">
<p:Antecedent><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>
<a:ReferenceParameters><w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Service</w:ResourceURI>
<w:SelectorSet><w:Selector Name="Name">RpcSs</w:Selector></w:SelectorSet></a:ReferenceParameters></p:Antecedent>
<p:TypeOfDependency xsi:nil="true"/></p:Win32_DependentService>`

const associationText = `Win32_DependentService
    Antecedent
        Address = http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous
        ReferenceParameters
            ResourceURI = http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Service
            SelectorSet
                Selector: Name = RpcSs
    TypeOfDependency = null
`

const listenerXML = `<cfg:Listener xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config/listener" xml:lang="en-US"><cfg:Address>*</cfg:Address>` +
	`<cfg:Transport>HTTP</cfg:Transport><cfg:Port>5985</cfg:Port><cfg:Hostname/><cfg:Enabled>true</cfg:Enabled><cfg:URLPrefix>wsman</cfg:URLPrefix>` +
	`<cfg:CertificateThumbprint></cfg:CertificateThumbprint><cfg:ListeningOn>10.0.0.5</cfg:ListeningOn><cfg:ListeningOn>127.0.0.1</cfg:ListeningOn>` +
	`<cfg:ListeningOn>::1</cfg:ListeningOn><cfg:ListeningOn>fe80::1%12</cfg:ListeningOn></cfg:Listener>`

const listenerText = `Listener
    Address = *
    Transport = HTTP
    Port = 5985
    Hostname
    Enabled = true
    URLPrefix = wsman
    CertificateThumbprint
    ListeningOn = 10.0.0.5, 127.0.0.1, ::1, fe80::1%12
`

const policyXML = `<cfg:Client xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config/client"><cfg:AllowUnencrypted Source="GPO">false</cfg:AllowUnencrypted>` +
	`<cfg:Auth><cfg:Basic Source="GPO">true</cfg:Basic></cfg:Auth><cfg:TrustedHosts Source="GPO"></cfg:TrustedHosts></cfg:Client>`

const policyText = `Client
    AllowUnencrypted = false [Source="GPO"]
    Auth
        Basic = true [Source="GPO"]
    TrustedHosts [Source="GPO"]
`

func TestText(t *testing.T) {
	for name, c := range map[string]struct{ xml, want string }{
		"shell":       {shellXML, shellText},
		"association": {associationXML, associationText},
		"listener":    {listenerXML, listenerText},
		"policy":      {policyXML, policyText},
		"output": {`<p:StopService_OUTPUT xmlns:p="http://x/Win32_Service"><p:ReturnValue>0</p:ReturnValue></p:StopService_OUTPUT>`,
			"StopService_OUTPUT\n    ReturnValue = 0\n"},
		"complex siblings stand apart": {`<a><b><c>1</c></b><b><c>2</c></b></a>`, "a\n    b\n        c = 1\n    b\n        c = 2\n"},
		"references and sections":      {"<a><b>x &lt;&amp;&#65; <![CDATA[<y>]]></b></a>", "a\n    b = x <&A <y>\n"},
	} {
		n, err := parseXML([]byte(c.xml))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := n.text(); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestCreatedAndIdentifyText(t *testing.T) {
	created := createdNode(wsman.EPR{Address: wsman.Anonymous, ResourceURI: wsman.ResourceListener,
		Selectors: wsman.SelectorSet{{Name: "Address", Value: "*"}, {Name: "Transport", Value: "HTTPS"}}})
	const want = `ResourceCreated
    Address = http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous
    ReferenceParameters
        ResourceURI = http://schemas.microsoft.com/wbem/wsman/1/config/listener
        SelectorSet
            Selector: Address = *, Transport = HTTPS
`
	if got := created.text(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	id := identifyNode(&wsman.IdentifyResponse{ProtocolVersion: []string{"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"},
		ProductVendor: "Casement", ProductVersion: "OS: 10.0.17763 SP: 0.0 Stack: 3.0",
		SecurityProfiles: []string{"http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/spnego-kerberos"}})
	const wantID = `IdentifyResponse
    ProtocolVersion = http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd
    ProductVendor = Casement
    ProductVersion = OS: 10.0.17763 SP: 0.0 Stack: 3.0
    SecurityProfiles
        SecurityProfileName = http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/spnego-kerberos
`
	if got := id.text(); got != wantID {
		t.Errorf("%s\nwant\n%s", got, wantID)
	}
}

func TestPretty(t *testing.T) {
	n, err := parseXML([]byte(`<c:A xmlns:c="u" x="1&quot;2"><c:B>v</c:B><c:C/><c:D><c:E> s </c:E></c:D></c:A>`))
	if err != nil {
		t.Fatal(err)
	}
	spare, err := parseXML([]byte(`<a xmlns:q="1" xmlns:r="2" xmlns:t="3" r:x="t:y"/>`))
	if err != nil || spare.pretty() != "<a xmlns:r=\"2\" xmlns:t=\"3\" r:x=\"t:y\"/>\n" {
		t.Errorf("%v %s", err, spare.pretty())
	}
	const want = "<c:A xmlns:c=\"u\" x=\"1&quot;2\">\n    <c:B>v</c:B>\n    <c:C/>\n    <c:D>\n        <c:E> s </c:E>\n    </c:D>\n</c:A>\n"
	if got := n.pretty(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestPrintError(t *testing.T) {
	f := wsman.NewFault(wsman.CodeDestinationUnreachable, "No answer.")
	var b bytes.Buffer
	PrintError(&b, f)
	want := "WSManFault\n    Message = No answer.\n\nError number:  -2144108526 0x80338012\n" + wsman.CodeDestinationUnreachable.Text() + "\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	PrintError(&b, wsman.NewFault(wsman.CodeWMISingleton, "Keys are missing.").WithProvider("WMI", "path"))
	want = `WSManFault
    Message
        ProviderFault
            WSManFault
                Message = Keys are missing.

Error number:  -2144108294 0x803380FA
`
	if !strings.HasPrefix(b.String(), want) {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}

func TestParseXMLRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"empty": "", "two": "<a/><b/>", "open": "<a>", "crossed": "<a><b></a></b>", "text": "x<a/>",
		"document type": `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "entity": "<a>&b;</a>",
		"deep": strings.Repeat("<a>", maxDepth+1) + strings.Repeat("</a>", maxDepth+1), "encoding": `<?xml version="1.0" encoding="latin1"?><a/>`,
	} {
		if _, err := parseXML([]byte(doc)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParseXML(f *testing.F) {
	for _, s := range []string{shellXML, associationXML, listenerXML, policyXML} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := parseXML(data)
		if err != nil {
			return
		}
		again, err := parseXML(n.xml())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v: %q", err, n.xml())
		}
		if !bytes.Equal(again.xml(), n.xml()) || again.text() != n.text() {
			t.Fatalf("%q is read back as %q", n.xml(), again.xml())
		}
	})
}
