package wsmanclient

import (
	"context"
	"crypto/tls"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// Trace has hooks that are called as an operation goes through its layers, as
// net/http/httptrace has. Each may be nil, may be called from several
// goroutines, and must not block. Secrets do not reach a hook: in the
// envelopes that Request and Response are given, the contents of elements
// named Password and of CredSSP's or certificate mappings' secrets are blanked.
type Trace struct {
	// Resolved tells the addresses of the host's name; err says why there are none.
	Resolved func(host string, addresses []string, err error)
	// Connected tells of a TCP connection, or why there is none.
	Connected func(address string, err error)
	// TLSDone tells of a TLS handshake.
	TLSDone func(state tls.ConnectionState)
	// Offered tells the schemes that the server offers.
	Offered func(schemes []string)
	// Mechanism tells the scheme that is about to be used.
	Mechanism func(scheme Scheme)
	// Authenticated tells that the connection is proved, and the identity presented.
	Authenticated func(scheme string, id auth.Identity)
	// Request tells of each message before it is sent. The bytes are valid during the call.
	Request func(action string, envelope []byte)
	// Response tells of each answer. The bytes are valid during the call.
	Response func(status int, sealed bool, envelope []byte)
	// Fault tells of an answer that is a fault.
	Fault func(f *wsman.Fault)
	// Retry tells that a message is sent again, and why.
	Retry func(action string, err error)
	// Closed tells that a connection is no longer used; err is nil where the client closed it.
	Closed func(err error)
}

type traceKey struct{}

// WithTrace returns a context whose operations call the hooks of t, instead of
// those of Options.Trace.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// ContextTrace is the trace that WithTrace put into ctx, or nil.
func ContextTrace(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

func (c *Client) trace(ctx context.Context) *Trace {
	if t := ContextTrace(ctx); t != nil {
		return t
	}
	if c.opts.Trace != nil {
		return c.opts.Trace
	}
	return &Trace{}
}

func (t *Trace) resolved(host string, addresses []string, err error) {
	if t.Resolved != nil {
		t.Resolved(host, addresses, err)
	}
}

func (t *Trace) connected(address string, err error) {
	if t.Connected != nil {
		t.Connected(address, err)
	}
}

func (t *Trace) tlsDone(state tls.ConnectionState) {
	if t.TLSDone != nil {
		t.TLSDone(state)
	}
}

func (t *Trace) offered(schemes []string) {
	if t.Offered != nil {
		t.Offered(schemes)
	}
}

func (t *Trace) mechanism(s Scheme) {
	if t.Mechanism != nil {
		t.Mechanism(s)
	}
}

func (t *Trace) authenticated(scheme string, id auth.Identity) {
	if t.Authenticated != nil {
		t.Authenticated(scheme, id)
	}
}

func (t *Trace) request(action string, envelope []byte) {
	if t.Request != nil {
		t.Request(action, wsman.BlankSecrets(envelope))
	}
}

func (t *Trace) response(r *httpauth.Response) {
	if t.Response != nil {
		t.Response(r.Status, r.Sealed, wsman.BlankSecrets(r.Body))
	}
}

func (t *Trace) fault(f *wsman.Fault) {
	if t.Fault != nil {
		t.Fault(f)
	}
}

func (t *Trace) retry(action string, err error) {
	if t.Retry != nil {
		t.Retry(action, err)
	}
}

func (t *Trace) closed(err error) {
	if t.Closed != nil {
		t.Closed(err)
	}
}
