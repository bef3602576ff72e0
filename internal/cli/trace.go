package cli

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// newTrace makes the hooks of --trace, which prints a line for each layer, and of
// --trace-soap, which writes the messages; nil where neither is asked for.
func newTrace(w io.Writer, layers bool, soap *os.File) *wsmanclient.Trace {
	if !layers && soap == nil {
		return nil
	}
	t := &wsmanclient.Trace{}
	if layers {
		layerTrace(w, t)
	}
	if soap == nil {
		return t
	}
	file, request, response := wsmanclient.SOAPTrace(soap), t.Request, t.Response
	t.Request = func(action string, envelope []byte) {
		file.Request(action, envelope)
		if request != nil {
			request(action, envelope)
		}
	}
	t.Response = func(status int, sealed bool, envelope []byte) {
		file.Response(status, sealed, envelope)
		if response != nil {
			response(status, sealed, envelope)
		}
	}
	return t
}

// layerTrace fills in hooks that print one line each, with the time since the start.
func layerTrace(w io.Writer, t *wsmanclient.Trace) {
	var mu sync.Mutex
	start := time.Now()
	say := func(layer, format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%8.1f ms  %-8s %s\n", float64(time.Since(start).Microseconds())/1000, layer, printable(fmt.Sprintf(format, args...)))
	}
	t.Resolved = func(host string, addresses []string, err error) {
		if err != nil {
			say("name", "%s: %v", host, err)
			return
		}
		say("name", "%s is %s", host, strings.Join(addresses, ", "))
	}
	t.Connected = func(address string, err error) {
		if err != nil {
			say("tcp", "%s: %v", address, err)
			return
		}
		say("tcp", "connected to %s", address)
	}
	t.TLSDone = func(state tls.ConnectionState) {
		subject := ""
		if len(state.PeerCertificates) > 0 {
			subject = ", certificate of " + state.PeerCertificates[0].Subject.String()
		}
		say("tls", "%s, %s%s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), subject)
	}
	t.Offered = func(schemes []string) { say("auth", "the server offers %s", strings.Join(schemes, ", ")) }
	t.Mechanism = func(scheme wsmanclient.Scheme) { say("auth", "trying %s", scheme) }
	t.Authenticated = func(scheme string, id auth.Identity) {
		say("auth", "%s by %s, messages can be sealed: %t", id, scheme, id.Protected)
	}
	t.Request = func(action string, envelope []byte) { say("request", "%s, %d bytes", action, len(envelope)) }
	t.Response = func(status int, sealed bool, envelope []byte) {
		say("answer", "HTTP %d, sealed: %t, %d bytes", status, sealed, len(envelope))
	}
	t.Fault = func(f *wsman.Fault) { say("fault", "%v", f) }
	t.Retry = func(action string, err error) { say("retry", "%s: %v", action, err) }
	t.Closed = func(err error) {
		if err != nil {
			say("closed", "%v", err)
			return
		}
		say("closed", "by us")
	}
}
