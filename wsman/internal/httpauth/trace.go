package httpauth

import (
	"crypto/tls"

	"github.com/casementhq/casement/auth"
)

// Trace has hooks that a client connection calls as it goes, each of which may be nil. They must not block.
type Trace struct {
	// Connected tells of a new TCP connection; state is nil without TLS.
	Connected func(remote string, state *tls.ConnectionState)
	// Unauthorized tells of an answer 401 and the schemes that it offers.
	Unauthorized func(schemes []string)
	// Authenticated tells that a handshake is done, with the identity presented.
	Authenticated func(scheme string, id auth.Identity)
	// Response tells of each answer to a message.
	Response func(status int, sealed bool)
	// Closed tells why a connection is no longer used; err is nil after Close.
	Closed func(err error)
}

func (t *Trace) connected(remote string, state *tls.ConnectionState) {
	if t != nil && t.Connected != nil {
		t.Connected(remote, state)
	}
}

func (t *Trace) unauthorized(schemes []string) {
	if t != nil && t.Unauthorized != nil {
		t.Unauthorized(schemes)
	}
}

func (t *Trace) authenticated(scheme string, id auth.Identity) {
	if t != nil && t.Authenticated != nil {
		t.Authenticated(scheme, id)
	}
}

func (t *Trace) response(status int, sealed bool) {
	if t != nil && t.Response != nil {
		t.Response(status, sealed)
	}
}

func (t *Trace) closed(err error) {
	if t != nil && t.Closed != nil {
		t.Closed(err)
	}
}
