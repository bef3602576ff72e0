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
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// newTrace makes the hooks of --trace, which prints a line for each layer, and of
// --trace-soap, which writes the messages of WinRM; nil where neither is asked for.
func newTrace(w io.Writer, layers bool, soap *os.File) (*wsmanclient.Trace, *wmiclient.Trace) {
	if !layers && soap == nil {
		return nil, nil
	}
	t := &wsmanclient.Trace{}
	var d *wmiclient.Trace
	if layers {
		say := sayer(w)
		layerTrace(say, t)
		d = dcomTrace(say)
	}
	if soap == nil {
		return t, d
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
	return t, d
}

// say prints a line of a trace.
type say func(layer, format string, args ...any)

// sayer prints lines with the time since the start.
func sayer(w io.Writer) say {
	var mu sync.Mutex
	start := time.Now()
	return func(layer, format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%8.1f ms  %-8s %s\n", float64(time.Since(start).Microseconds())/1000, layer, printable(fmt.Sprintf(format, args...)))
	}
}

// orError says what happened, or the error.
func (s say) orError(layer string, err error, format string, args ...any) {
	if err != nil {
		format, args = format+": %v", append(args, err)
	}
	s(layer, format, args...)
}

// dcomTrace makes the hooks of WMI over DCOM.
func dcomTrace(say say) *wmiclient.Trace {
	return &wmiclient.Trace{
		RPC: &dcerpc.Trace{
			Connected: func(address string, err error) { say.orError("tcp", err, "%s", address) },
			Authenticated: func(t dcerpc.AuthType, l dcerpc.Level, id auth.Identity, err error) {
				say.orError("auth", err, "%s by %s, level %s", id, t, l)
			},
			Bound:  func(id, _ dcerpc.SyntaxID, err error) { say.orError("bind", err, "interface %s", id) },
			Closed: func(err error) { say("closed", "%v", err) },
		},
		Activated: func(host string, err error) { say.orError("activate", err, "%s", host) },
		LoggedIn:  func(resource string, err error) { say.orError("login", err, "%s", resource) },
		Called: func(method string, result uint32, took time.Duration, err error) {
			say.orError("call", err, "%s gave 0x%08X after %s", method, result, took.Round(10*time.Microsecond))
		},
		Without: func(what string, err error) { say.orError("without", err, "%s", what) },
	}
}

// layerTrace fills in the hooks of WinRM.
func layerTrace(say say, t *wsmanclient.Trace) {
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
