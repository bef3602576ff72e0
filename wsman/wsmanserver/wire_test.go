package wsmanserver_test

import (
	"bytes"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
)

// wire is a client that is no more than HTTP and text, so that a test sees
// what is on the wire.
type wire struct {
	t              testing.TB
	url            string
	user, password string
	http           *http.Client
}

// newWire speaks to a service over HTTPS with Basic.
func newWire(t testing.TB, s *casementtest.Server) *wire {
	w := &wire{t: t, url: s.HTTPS, user: s.User, password: s.Password}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 8} // #nosec G402 -- a test
	w.http = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return w
}

// as is the same client for another user.
func (w *wire) as(user, password string) *wire {
	o := *w
	o.user, o.password = user, password
	return &o
}

// request is a message to send. Its zero fields get what a client sends.
type request struct {
	action, uri string
	selectors   map[string]string
	header      string // more headers, as XML
	body        string
	timeout     string // OperationTimeout
	envelope    int    // MaxEnvelopeSize
	noReply     bool   // leaves ReplyTo out
	messageID   string
}

const (
	nsTransfer = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
	nsEnum     = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
	nsShell    = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	nsConfig   = "http://schemas.microsoft.com/wbem/wsman/1/config"
	nsWMI      = "http://schemas.microsoft.com/wbem/wsman/1/wmi"
	anonymous  = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"

	get, put, create, remove = nsTransfer + "/Get", nsTransfer + "/Put", nsTransfer + "/Create", nsTransfer + "/Delete"
	enumerate, pull, release = nsEnum + "/Enumerate", nsEnum + "/Pull", nsEnum + "/Release"
)

func (r request) envelopeText() string {
	var b strings.Builder
	b.WriteString(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" ` +
		`xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" ` +
		`xmlns:n="` + nsEnum + `" xmlns:rsp="` + nsShell + `" xmlns:cfg="` + nsConfig + `" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<s:Header><a:To>http://host/wsman</a:To><w:ResourceURI s:mustUnderstand="true">` + r.uri + `</w:ResourceURI>`)
	if !r.noReply && !strings.Contains(r.header, "<a:ReplyTo>") {
		b.WriteString(`<a:ReplyTo><a:Address s:mustUnderstand="true">` + anonymous + `</a:Address></a:ReplyTo>`)
	}
	id := r.messageID
	if id == "" {
		id = "uuid:11111111-2222-3333-4444-555555555555"
	}
	b.WriteString(`<a:Action s:mustUnderstand="true">` + r.action + `</a:Action><a:MessageID>` + strings.TrimPrefix(id, "-") + `</a:MessageID>`)
	if r.envelope > 0 {
		b.WriteString(`<w:MaxEnvelopeSize s:mustUnderstand="true">` + strconv.Itoa(r.envelope) + `</w:MaxEnvelopeSize>`)
	}
	if r.timeout != "" {
		b.WriteString(`<w:OperationTimeout>` + r.timeout + `</w:OperationTimeout>`)
	}
	if len(r.selectors) > 0 {
		b.WriteString(`<w:SelectorSet>`)
		for name, value := range r.selectors {
			b.WriteString(`<w:Selector Name="` + name + `">`)
			_ = xml.EscapeText(&b, []byte(value))
			b.WriteString(`</w:Selector>`)
		}
		b.WriteString(`</w:SelectorSet>`)
	}
	b.WriteString(r.header + `</s:Header><s:Body>` + r.body + `</s:Body></s:Envelope>`)
	return b.String()
}

// reply is what came back.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	err    error
}

const soapUTF8 = "application/soap+xml;charset=UTF-8"

func (w *wire) post(contentType string, body io.Reader, edit ...func(*http.Request)) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url, body)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.user != "" {
		req.SetBasicAuth(w.user, w.password)
	}
	req.Header.Set("Content-Type", contentType)
	for _, f := range edit {
		f(req)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return reply{t: w.t, err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{t: w.t, status: resp.StatusCode, header: resp.Header, body: string(text), err: err}
}

func (w *wire) do(r request) reply {
	w.t.Helper()
	return w.post(soapUTF8, strings.NewReader(r.envelopeText()))
}

// ok is do for a request that must be answered.
func (w *wire) ok(r request) reply {
	w.t.Helper()
	a := w.do(r)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s on %s: %d %v\n%s", r.action, r.uri, a.status, a.err, a.body)
	}
	return a
}

// wireFault is a fault as encoding/xml reads it.
type wireFault struct {
	Code    string `xml:"Body>Fault>Code>Value"`
	Subcode string `xml:"Body>Fault>Code>Subcode>Value"`
	Reason  string `xml:"Body>Fault>Reason>Text"`
	Detail  struct {
		URI   string `xml:"FaultDetail"`
		Fault struct {
			Code    uint32 `xml:"Code,attr"`
			Machine string `xml:"Machine,attr"`
			Message struct {
				Text     string `xml:",chardata"`
				Provider struct {
					Name  string `xml:"provider,attr"`
					Path  string `xml:"path,attr"`
					Inner struct {
						Code uint32 `xml:"Code,attr"`
					} `xml:"WSManFault"`
				} `xml:"ProviderFault"`
			} `xml:"Message"`
		} `xml:"WSManFault"`
	} `xml:"Body>Fault>Detail"`
}

func (a reply) fault() wireFault {
	a.t.Helper()
	var f wireFault
	if err := xml.Unmarshal([]byte(a.body), &f); err != nil {
		a.t.Fatalf("%d is no fault: %v\n%s", a.status, err, a.body)
	}
	return f
}

// wantFault wants HTTP 500 with a subcode ("w:QuotaLimit"), the last part of
// the fault detail ("" for any) and the code of the WSManFault (0 for any).
func (a reply) wantFault(what, subcode, detail string, code uint32) {
	a.t.Helper()
	if a.err != nil {
		a.t.Errorf("%s: %v", what, a.err)
		return
	}
	if a.status != http.StatusInternalServerError {
		a.t.Errorf("%s: HTTP %d, want a fault\n%s", what, a.status, a.body)
		return
	}
	f := a.fault()
	if f.Subcode != subcode || detail != "" && !strings.HasSuffix(f.Detail.URI, "/"+detail) || code != 0 && f.Detail.Fault.Code != code {
		a.t.Errorf("%s: %s %s %d (0x%08X), want %s %s %d\n%s", what, f.Subcode, f.Detail.URI, f.Detail.Fault.Code, f.Detail.Fault.Code,
			subcode, detail, code, a.body)
	}
}

// text is the text of the first element with a local name, "" without one.
func (a reply) text(local string) string {
	all := a.texts(local)
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// texts are the texts of all elements with a local name.
func (a reply) texts(local string) []string {
	var list []string
	d := xml.NewDecoder(strings.NewReader(a.body))
	depth := 0
	for {
		tok, err := d.Token()
		if err != nil {
			return list
		}
		switch x := tok.(type) {
		case xml.StartElement:
			if depth > 0 {
				depth++
			} else if x.Name.Local == local {
				depth = 1
				list = append(list, "")
			}
		case xml.EndElement:
			if depth > 0 {
				depth--
			}
		case xml.CharData:
			if depth > 0 {
				list[len(list)-1] += string(x)
			}
		}
	}
}

// names are the local names of the elements directly below the first element
// with a local name, in order.
func (a reply) names(local string) []string {
	var list []string
	d := xml.NewDecoder(strings.NewReader(a.body))
	depth := 0
	for {
		tok, err := d.Token()
		if err != nil {
			return list
		}
		switch x := tok.(type) {
		case xml.StartElement:
			if depth == 1 {
				list = append(list, x.Name.Local)
			}
			if depth > 0 || x.Name.Local == local && list == nil {
				depth++
			}
		case xml.EndElement:
			if depth > 0 {
				depth--
			}
		}
	}
}

func wmi(class string) string { return nsWMI + "/root/cimv2/" + class }

// optimized is the body of an Enumerate that wants items at once.
func optimized(most int, more string) string {
	return fmt.Sprintf(`<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>%d</w:MaxElements>%s</n:Enumerate>`, most, more)
}

func wqlFilter(query string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(query))
	return `<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">` + b.String() + `</w:Filter>`
}

func pullBody(context string, most int) string {
	return fmt.Sprintf(`<n:Pull><n:EnumerationContext>%s</n:EnumerationContext><n:MaxElements>%d</n:MaxElements></n:Pull>`, context, most)
}

// configPut changes one setting below winrm/config: "Service", "Auth", ... are
// elements of path.
func (w *wire) set(path, value string) reply {
	w.t.Helper()
	parts := strings.Split(path, "/")
	body := value
	for i := len(parts) - 1; i >= 0; i-- {
		body = "<cfg:" + parts[i] + ">" + body + "</cfg:" + parts[i] + ">"
	}
	return w.do(request{action: put, uri: nsConfig, body: "<cfg:Config>" + body + "</cfg:Config>"})
}
