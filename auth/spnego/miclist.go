package spnego

import (
	"encoding/asn1"

	"github.com/casementhq/casement/auth"
)

// A mechListSigner is a context with rules of its own for the MIC over the list of mechanisms, as NTLM has.
type mechListSigner interface {
	NeedsMechListMIC() bool
	SignMechList(list []byte) ([]byte, error)
	VerifyMechList(list, mic []byte) error
}

// micExchange is the state of protecting the choice of a mechanism. See [RFC4178] 5.
type micExchange struct {
	list     []byte // DER of the initiator's list
	demanded bool   // the choice was not the initiator's first: without the peer's MIC there is no success
	sent     bool
	received bool
}

// wanted reports whether this side should sign, once the mechanism's context is there.
func (x *micExchange) wanted(c auth.Context) bool {
	if s, ok := c.(mechListSigner); ok && s.NeedsMechListMIC() {
		return true
	}
	return x.demanded || x.received
}

func (x *micExchange) sign(c auth.Context) ([]byte, error) {
	x.sent = true
	if s, ok := c.(mechListSigner); ok {
		return s.SignMechList(x.list)
	}
	return c.Sign([]auth.Buffer{{Data: x.list}})
}

func (x *micExchange) verify(c auth.Context, mic []byte) error {
	if x.received {
		return bad("a second signature of the list of mechanisms")
	}
	x.received = true
	if s, ok := c.(mechListSigner); ok {
		return s.VerifyMechList(x.list, mic)
	}
	return c.Verify([]auth.Buffer{{Data: x.list}}, mic)
}

// sameMech compares identifiers, taking both of Kerberos' for one.
func sameMech(a, b asn1.ObjectIdentifier) bool {
	if a.Equal(OIDKerberosMS) {
		a = OIDKerberos
	}
	if b.Equal(OIDKerberosMS) {
		b = OIDKerberos
	}
	return a.Equal(b)
}
