// Package auth holds what every authentication mechanism of Casement has in common: token exchange,
// the identity that it proves, and the protection of messages afterwards. It knows no transport: HTTP
// and DCE/RPC frame the same contexts.
//
// A mechanism steps tokens through an Initiator or an Acceptor until it is done; only then is there a
// Context. Nothing may be believed about the peer before that.
package auth

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/casementhq/casement/security"
)

// Names of mechanisms, as they stand in [Identity.Mechanism]. CredSSP is none: the identity that it carries was
// proved by NTLM or Kerberos inside.
const (
	NTLM        = "NTLM"
	Kerberos    = "Kerberos"
	Basic       = "Basic"
	Certificate = "Certificate"
)

// Identity is who the peer proved to be. On an initiator it is the identity that was presented.
type Identity struct {
	// User and Domain are the account's names as the peer spelled them; Domain is empty for a local
	// account and for a name of the form user@realm, which then stands whole in User.
	User, Domain string
	// Workstation is the name that the client gave for its machine. It is not proved.
	Workstation string
	// Mechanism is one of NTLM, Kerberos, Basic and Certificate.
	Mechanism string
	// Anonymous says that the peer asked for no identity at all; User and Domain are empty then.
	Anonymous bool
	// Protected says that the context can seal messages: a session key exists and sealing was negotiated.
	Protected bool
	// Account is what a domain vouched for; nil for an account of this machine. Only an acceptor sets it, and only
	// from a proof that a domain controller answers for: the PAC of a ticket, or winbind's word.
	Account *DomainAccount
	// Until is when the proof ends, as a ticket does; zero says that it holds as long as its connection.
	Until time.Time
}

// Over tells whether the proof has ended at a moment.
func (id Identity) Over(now time.Time) bool { return !id.Until.IsZero() && !now.Before(id.Until) }

// DomainAccount is a domain's account as the domain describes it. What it does not tell is zero.
type DomainAccount struct {
	// Realm is the Kerberos realm, "CORP.EXAMPLE"; Domain the NetBIOS name, "CORP".
	Realm, Domain string
	// Name is the account's name in the domain, without either.
	Name string
	// SID and Groups come from the domain; a zero SID means that it gave none, as a plain MIT KDC does. Groups
	// hold no SID of the machine that verifies: a domain cannot make anybody a member there.
	SID    security.SID
	Groups []security.SID
}

// String gives DOMAIN\user, the user alone when there is no domain, or ANONYMOUS.
func (id Identity) String() string {
	switch {
	case id.Anonymous:
		return "ANONYMOUS"
	case id.Domain != "":
		return id.Domain + `\` + id.User
	default:
		return id.User
	}
}

// Buffer is one piece of a message that is protected as a whole. All pieces are covered by the signature,
// in their order; those that are not SignOnly are encrypted in place as well. See [MS-NLMP] 3.4.6.
type Buffer struct {
	Data     []byte
	SignOnly bool
}

// Context is the outcome of a finished exchange. It protects messages in both directions, each of which
// counts on its own. A Context is not safe for concurrent use within one direction; one goroutine may
// protect messages (Seal, Sign) while another checks them (Unseal, Verify).
type Context interface {
	// Identity returns who the peer is (acceptor) or who we said to be (initiator).
	Identity() Identity
	// SessionKey returns a copy of the exported session key, or nil when the mechanism made none.
	SessionKey() []byte
	// SignatureSize returns the length in bytes of what Seal returns, and Sign too unless the context is a
	// [VariableSizes].
	SignatureSize() int
	// Seal encrypts the buffers that are not SignOnly in place and returns the signature over all of them.
	// It fails with ErrNotProtected if the exchange did not agree on confidentiality.
	Seal(bufs []Buffer) (signature []byte, err error)
	// Unseal decrypts in place and always verifies. It fails with ErrMessageAltered when the signature or
	// the sequence number is not the expected one; the context is unusable from then on and the buffers
	// hold no plaintext.
	Unseal(bufs []Buffer, signature []byte) error
	// Sign returns the signature over all buffers and encrypts none.
	Sign(bufs []Buffer) ([]byte, error)
	// Verify checks such a signature, with the errors of Unseal.
	Verify(bufs []Buffer, signature []byte) error
}

// VariableSizes is a Context whose signatures are shorter without encryption, as Kerberos has them.
type VariableSizes interface {
	SignatureSizes() (sign, seal int)
}

// A Padder is a Context whose sealed messages end with padding, as Kerberos with RC4 has it outside of RPC. Whoever seals appends Padding
// zero bytes to the last buffer that is encrypted, and whoever unseals takes as many off; other messages fail.
type Padder interface {
	Padding() int
}

// A Delegator is a Context whose peer handed its own credentials over, by CredSSP or with a forwarded ticket.
type Delegator interface {
	// Delegated returns them, nil when there are none. Whoever takes them wipes them.
	Delegated() *Delegation
}

// Delegation are credentials of a caller, for use on their behalf at other hosts. It serves what they were
// handed over for, a shell, and leaves memory with it. Formatting or logging a value shows no secret.
type Delegation struct {
	// Credentials are the name and the password (CredSSP).
	Credentials Credentials
	// CCache is a Kerberos credential cache in the file format, version 4, with a ticket-granting ticket.
	CCache []byte
}

// Clone copies everything, so that each copy can be wiped by itself; nil of nil.
func (d *Delegation) Clone() *Delegation {
	if d == nil {
		return nil
	}
	c := *d
	c.CCache, c.Credentials.NTHash = bytes.Clone(d.CCache), bytes.Clone(d.Credentials.NTHash)
	return &c
}

// Wipe overwrites what can be overwritten and forgets the rest.
func (d *Delegation) Wipe() {
	if d == nil {
		return
	}
	clear(d.CCache)
	clear(d.Credentials.NTHash)
	*d = Delegation{}
}

// String names the user and hides the secrets.
func (d Delegation) String() string { return "delegated " + d.Credentials.String() }

// GoString hides the secrets in %#v.
func (d Delegation) GoString() string { return "auth.Delegation{" + d.String() + "}" }

// LogValue implements [slog.LogValuer] without secrets.
func (d Delegation) LogValue() slog.Value { return slog.StringValue(d.String()) }

// Initiator is the side that starts the exchange (a client). One that is an [io.Closer] as well is closed when it is
// given up before its end.
type Initiator interface {
	// Step takes the peer's token (nil for the first call) and returns the one to send. When done is
	// true no further token is awaited, though out may still have to be sent.
	Step(ctx context.Context, in []byte) (out []byte, done bool, err error)
	// Context returns the finished context, nil before Step said done.
	Context() Context
}

// Acceptor is the side that answers (a service). An error of Step is final: the exchange must start anew; what comes
// with the error as out tells the peer why. One that is an [io.Closer] as well is closed when it is given up before its
// end, and so is its Context.
type Acceptor interface {
	// Step takes the peer's token and returns the one to send back. When done is true the peer's proof is
	// complete; out may still have to be sent and may be empty.
	Step(ctx context.Context, in []byte) (out []byte, done bool, err error)
	// Context returns the finished context, nil before Step said done.
	Context() Context
}
