package wsmanserver_test

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"testing"
	"unicode/utf16"
)

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// Bad input: what is no message gets a fault that says so, and the service
// serves on.
func TestBadInput(t *testing.T) {
	_, w := serve(t)
	good := request{action: get, uri: wmi("CT_Only")}
	text := good.envelopeText()
	for _, c := range []struct {
		name, body, subcode string
		code                uint32
	}{
		{"empty element", `<a/>`, "w:SchemaValidationError", 0},
		{"text", "hello", "w:SchemaValidationError", 0},
		{"broken XML", text[:len(text)-20], "w:SchemaValidationError", 0},
		{"wrong end tag", strings.Replace(text, "</s:Header>", "</s:Head>", 1), "w:SchemaValidationError", 0},
		{"DTD", `<!DOCTYPE x [<!ENTITY a "b">]>` + text, "w:SchemaValidationError", 0},
		{"entity", strings.Replace(text, "<s:Body>", "<s:Body>&a;", 1), "w:SchemaValidationError", 0},
		{"SOAP 1.1", strings.ReplaceAll(text, "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"), "", 0x8033800D},
		{"no body", strings.Replace(text, "<s:Body></s:Body>", "", 1), "w:SchemaValidationError", 0},
		{"invalid UTF-8", strings.Replace(text, "CT_Only", "CT_\xff\xfe", 1), "w:SchemaValidationError", 0},
		{"deep nesting", strings.Replace(text, "<s:Body>", "<s:Body>"+strings.Repeat("<x>", 5000), 1), "w:SchemaValidationError", 0},
		{"action", strings.Replace(text, get, "urn:odd", 1), "a:ActionNotSupported", 0},
	} {
		a := w.post(soapUTF8, strings.NewReader(c.body))
		if a.status != http.StatusInternalServerError {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
			continue
		}
		f := a.fault()
		if c.subcode != "" && f.Subcode != c.subcode || c.code != 0 && f.Detail.Fault.Code != c.code {
			t.Errorf("%s: %s 0x%08X %s", c.name, f.Subcode, f.Detail.Fault.Code, f.Reason)
		}
	}
	w.ok(good)
	for _, c := range []struct {
		name, path, method string
		status             int
	}{
		{"wrong path", "/other", http.MethodPost, http.StatusNotFound},
		{"path below", "/wsman/below", http.MethodPost, http.StatusNotFound},
		{"GET", "/wsman", http.MethodGet, http.StatusMethodNotAllowed},
	} {
		a := w.post(soapUTF8, strings.NewReader(text), func(r *http.Request) { r.URL.Path, r.Method = c.path, c.method })
		if a.status != c.status || a.body != "" {
			t.Errorf("%s: %d %q, want %d", c.name, a.status, a.body, c.status)
		}
	}
	if a := w.post(soapUTF8, strings.NewReader(text), func(r *http.Request) { r.URL.Path = "/WSMAN/" }); a.status != http.StatusOK {
		t.Errorf("a path in other case with a slash: %d", a.status)
	}
	for _, credentials := range []string{"Basic !!!", "Basic " + base64.StdEncoding.EncodeToString([]byte("nocolon")), "Negotiate AAAA", "Odd x", "Negotiate"} {
		a := w.post(soapUTF8, strings.NewReader(text), func(r *http.Request) { r.Header.Set("Authorization", credentials) })
		if a.status != http.StatusUnauthorized || a.body != "" {
			t.Errorf("Authorization: %s: %d", credentials, a.status)
		}
	}
}

// A request in UTF-16 gets its answer, and its fault, in UTF-16.
func TestUTF16(t *testing.T) {
	_, w := serve(t)
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		send := func(text string) string {
			t.Helper()
			body := order.AppendUint16(nil, 0xFEFF)
			for _, u := range utf16.Encode([]rune(text)) {
				body = order.AppendUint16(body, u)
			}
			a := w.post("application/soap+xml;charset=UTF-16", strings.NewReader(string(body)))
			if !strings.Contains(a.header.Get("Content-Type"), "UTF-16") || len(a.body) < 2 {
				t.Fatalf("%s: %v", name, a.header)
			}
			var units []uint16
			for i := 0; i+1 < len(a.body); i += 2 {
				units = append(units, order.(binary.ByteOrder).Uint16([]byte(a.body[i:])))
			}
			if units[0] != 0xFEFF {
				t.Errorf("%s: the answer begins with %04X", name, units[0])
			}
			return string(utf16.Decode(units))
		}
		if got := send(request{action: get, uri: wmi("CT_Only")}.envelopeText()); !strings.Contains(got, ">one<") {
			t.Errorf("%s: %s", name, got)
		}
		if got := send(request{action: get, uri: wmi("CT_Ünknown")}.envelopeText()); !strings.Contains(got, "DestinationUnreachable") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
