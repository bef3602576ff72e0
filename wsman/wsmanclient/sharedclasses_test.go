package wsmanclient_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// classHost answers everything with one envelope.
func classHost(t *testing.T, envelope string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		m, err := wsman.Decode(b, "")
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
		fmt.Fprint(w, strings.Replace(envelope, "REQUEST", m.MessageID, 1))
	}))
	t.Cleanup(s.Close)
	return s
}

const classEnvelope = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:p="urn:one">` +
	`<s:Header><a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse</a:Action><a:MessageID>uuid:1</a:MessageID><a:RelatesTo>REQUEST</a:RelatesTo></s:Header>` +
	`<s:Body><CLASS NAME="Shared" p:x="1"><PROPERTY NAME="Size" TYPE="uint64"></PROPERTY></CLASS></s:Body></s:Envelope>`

// A definition in the same words is one class for all hosts; one letter, another
// namespace, another meaning of a prefix or an answer that is not whole, and it is
// not.
func TestClassesAreShared(t *testing.T) {
	shared := &wsmanclient.Classes{}
	read := func(shared *wsmanclient.Classes, namespace, envelope string) (*cim.Class, error) {
		c, err := wsmanclient.New(classHost(t, envelope).URL, wsmanclient.Options{Scheme: wsmanclient.Basic, Unencrypted: true, Classes: shared,
			Credentials: auth.Credentials{Username: "u", Password: "p"},
			Settings: func() *settings.Client {
				return &settings.Client{AllowUnencrypted: true, NetworkDelayms: 5000, URLPrefix: "wsman", Auth: settings.Auth{Basic: true}}
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Session(namespace).GetClass(t.Context(), "Shared", cim.GetOptions{})
	}
	first, err := read(shared, `root\cimv2`, classEnvelope)
	if err != nil || first.Property("Size") == nil || first.Property("Size").Type != cim.Uint64 {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := read(shared, `root\cimv2`, strings.Replace(classEnvelope, "uuid:1", "uuid:2", 1)); again != first || err != nil {
		t.Errorf("another host's is another class, %v", err)
	}
	for name, other := range map[string][2]string{
		"a letter":    {`root\cimv2`, strings.Replace(classEnvelope, "uint64", "uint32", 1)},
		"a namespace": {`root\virtualization`, classEnvelope},
		"a prefix":    {`root\cimv2`, strings.Replace(classEnvelope, "urn:one", "urn:two", 1)},
	} {
		got, err := read(shared, other[0], other[1])
		if got == first || err != nil || got.Namespace != other[0] || got.Property("Size").Type.String() != map[bool]string{true: "uint32", false: "uint64"}[name == "a letter"] {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := read(shared, `root\cimv2`, strings.Replace(classEnvelope, "</s:Envelope>", "", 1)); err == nil {
		t.Errorf("half an answer gives %+v", got)
	}
	whole := strings.NewReplacer("<s:", "<t:", "</s:", "</t:", "xmlns:s=", "xmlns:t=").Replace(classEnvelope)
	half := strings.Replace(whole, "<t:Envelope ", `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" `, 1)
	if _, err := read(shared, `root\cimv2`, whole); err != nil {
		t.Error(err)
	}
	if got, err := read(shared, `root\cimv2`, half); err == nil {
		t.Errorf("an answer that ends otherwise than it began gives %+v", got)
	}
	if alone, err := read(nil, `root\cimv2`, classEnvelope); alone == first || err != nil {
		t.Errorf("a client that shares nothing has the class of another, %v", err)
	}
}
