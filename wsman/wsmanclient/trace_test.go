package wsmanclient_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// TestTrace: the layers in their order.
func TestTrace(t *testing.T) {
	f := &fake{t: t, answer: func(*wsman.Message) (wsman.Body, error) { return nil, wsman.NewFault(wsman.CodeResourceNotFound, "") }}
	address := serve(t, f)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []string
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprintf(format, args...))
	}
	trace := &wsmanclient.Trace{
		Resolved:      func(host string, list []string, err error) { tell("resolved %s %v", host, err) },
		Connected:     func(_ string, err error) { tell("connected %v", err) },
		TLSDone:       func(tls.ConnectionState) { tell("tls") },
		Mechanism:     func(s wsmanclient.Scheme) { tell("mechanism %s", s) },
		Authenticated: func(scheme string, id auth.Identity) { tell("authenticated %s %s", scheme, id) },
		Request:       func(action string, _ []byte) { tell("request %s", last(action)) },
		Response:      func(status int, sealed bool, _ []byte) { tell("response %d %v", status, sealed) },
		Fault:         func(f *wsman.Fault) { tell("fault %08X", uint32(f.Code)) },
		Closed:        func(err error) { tell("closed %v", err) },
	}
	c := client(t, "http://localhost:"+port, "", func(o *wsmanclient.Options) { o.DialContext = nil })
	ctx := wsmanclient.WithTrace(t.Context(), trace)
	if _, err := c.Get(ctx, config, nil); err == nil {
		t.Error("no fault")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	got := strings.Join(told, "; ")
	want := "request Get; mechanism Basic; resolved localhost <nil>; connected <nil>; response 500 false; fault 80338000; closed <nil>"
	// A host name may have two addresses, of which one refuses.
	got = strings.Replace(got, "connected dial tcp [::1]:"+port+": connect: connection refused; ", "", 1)
	if got != want {
		t.Errorf("told:\n%s\nwant:\n%s", got, want)
	}
}

// TestSOAPTraceHidesSecrets: passwords of certificate mappings do not reach a
// trace, whatever they look like; what a command reads does.
func TestSOAPTraceHidesSecrets(t *testing.T) {
	f := &fake{t: t, answer: func(*wsman.Message) (wsman.Body, error) {
		return wsman.BodyFunc(nil), nil
	}}
	f.answer = func(*wsman.Message) (wsman.Body, error) { return nil, nil }
	var b bytes.Buffer
	c := client(t, "http://h", serve(t, f), func(o *wsmanclient.Options) { o.Trace = wsmanclient.SOAPTrace(&b) })
	const body = `<c:certmapping xmlns:c="http://schemas.microsoft.com/wbem/wsman/1/config/service/certmapping" RunAsPassword='geheim4'>` +
		`<c:UserName>anna</c:UserName><c:Password>geheim1</c:Password><Password xml:space="preserve">geheim2
</Password><PASSWORD>geheim3</PASSWORD><c:Note>password is not here</c:Note></c:certmapping>`
	if _, err := c.Put(t.Context(), config, []byte(body), nil); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	if strings.Contains(s, "geheim") || strings.Contains(s, "dTpw") {
		t.Errorf("the trace shows a secret: %s", s)
	}
	for _, part := range []string{">>> ", "anna", "password is not here", "***", "<<< HTTP 200, in the clear"} {
		if !strings.Contains(s, part) {
			t.Errorf("the trace lacks %q: %s", part, s)
		}
	}
}
