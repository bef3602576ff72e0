package credssp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/casementhq/casement/auth"
)

// InitiatorOptions configure an [Initiator].
type InitiatorOptions struct {
	// Inner makes the negotiation inside, an spnego.Initiator. Its context must be able to seal. Required.
	Inner func() auth.Initiator
	// Credentials are what is handed over; they need a name and the password itself. Required.
	Credentials auth.Credentials
	// Version is the highest version that is offered; the default is 6.
	Version int
	// MinVersion is the lowest version of a service that gets the credentials; the default is 5, below which a man
	// in the middle can forge pubKeyAuth. 2 takes every service.
	MinVersion int
	// Permit is asked before the credentials leave, once the service has proved that it knows the key of the
	// negotiation: who we are there and by which mechanism, and the certificates that the service showed, of
	// which nobody has verified more than that the service has the key of the first. Nil permits.
	Permit func(id auth.Identity, shown []*x509.Certificate) error
	// TLS is the base of the configuration of TLS, for its versions and cipher suites; the default is TLS 1.2 and
	// newer. Certificates are not checked, whatever it says.
	TLS *tls.Config
}

// Initiator is the client's side of one exchange. It implements [auth.Initiator]. Close it if it is given up
// before its end.
type Initiator struct {
	o        InitiatorOptions
	channel  *channel
	inner    auth.Initiator
	innerEnd bool
	phase    initiatorPhase
	peer     int // the service's version; 0: not known
	nonce    []byte
	key      []byte
	secured  auth.Context // of the negotiation
	context  *Context
}

type initiatorPhase int

const (
	inHandshake initiatorPhase = iota
	handshakeSent
	inNegotiation
	awaitProof
	initiatorEnd
)

// NewInitiator starts nothing yet.
func NewInitiator(o InitiatorOptions) *Initiator {
	if o.Version == 0 {
		o.Version = Version
	}
	if o.MinVersion == 0 {
		o.MinVersion = HashVersion
	}
	return &Initiator{o: o, channel: newChannel(o.TLS, nil)}
}

// Context implements [auth.Initiator]. It is a *Context.
func (i *Initiator) Context() auth.Context {
	if i.context == nil {
		return nil
	}
	return i.context
}

// Close ends what an exchange that is given up has begun.
func (i *Initiator) Close() error {
	i.channel.close()
	i.phase = initiatorEnd
	return nil
}

// Step implements [auth.Initiator]. Errors: ErrBadToken, ErrBadBindings where the TLS channel ends elsewhere,
// ErrUnsupported for a service that is too old, *StatusError for what the service refuses, and those of the
// negotiation and of Permit.
func (i *Initiator) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if i.phase == initiatorEnd {
		return nil, false, bad("the exchange is over")
	}
	if len(in) > maxToken {
		err = bad("token of %d bytes, at most %d are accepted", len(in), maxToken)
	} else {
		out, err = i.step(ctx, in)
	}
	if err != nil {
		i.Close() //nolint:errcheck // never fails
		i.context = nil
		return nil, false, err
	}
	if done = i.context != nil; done {
		i.Close() //nolint:errcheck // never fails
	}
	return out, done, nil
}

func (i *Initiator) step(ctx context.Context, in []byte) ([]byte, error) {
	switch i.phase {
	case inHandshake:
		out, err := i.channel.handshake(in)
		if err != nil || !i.channel.done {
			return out, err
		}
		i.phase = handshakeSent
		if len(out) > 0 { // TLS 1.3: the service answers once more
			return out, nil
		}
		return i.begin(ctx)
	case handshakeSent:
		plain, err := i.channel.read(make([]byte, 0, len(in)+1), in)
		if err != nil {
			return nil, err
		}
		if len(plain) > 0 {
			return nil, bad("the service speaks first")
		}
		return i.begin(ctx)
	}
	r, err := i.receive(in)
	if err != nil {
		return nil, err
	}
	if i.phase == inNegotiation {
		return i.negotiate(ctx, r)
	}
	return i.finish(ctx, r)
}

// begin sends the first token of the negotiation. See [MS-CSSP] 3.1.5, step 2.
func (i *Initiator) begin(ctx context.Context) ([]byte, error) {
	if i.o.Credentials.Username == "" || i.o.Credentials.Password == "" {
		return nil, errors.New("credssp: a name and a password are needed, to be handed over")
	}
	shown := i.channel.certificates()
	if len(shown) == 0 {
		return nil, bad("the service shows no certificate")
	}
	var err error
	if i.key, err = publicKey(shown[0]); err != nil {
		return nil, err
	}
	i.inner = i.o.Inner()
	token, end, err := i.inner.Step(ctx, nil)
	if err != nil {
		return nil, err
	}
	i.innerEnd, i.phase = end, inNegotiation
	return i.send(&tsRequest{negoToken: token})
}

// receive opens a token and checks the version, which stays the same in one exchange.
func (i *Initiator) receive(in []byte) (*tsRequest, error) {
	plain, err := i.channel.read(make([]byte, 0, len(in)+1), in)
	if err != nil {
		return nil, err
	}
	r := &tsRequest{}
	if err := r.decode(plain); err != nil {
		return nil, err
	}
	if r.errorCode != 0 {
		return nil, &StatusError{r.errorCode}
	}
	switch {
	case r.version < MinVersion, i.peer != 0 && r.version != i.peer:
		return nil, bad("version %d of the service", r.version)
	case r.version < i.o.MinVersion:
		return nil, fmt.Errorf("credssp: the service has version %d of the protocol, which does not protect the credentials; at least %d is demanded: %w",
			r.version, i.o.MinVersion, auth.ErrUnsupported)
	}
	i.peer = r.version
	return r, nil
}

// version is the one that both sides know.
func (i *Initiator) version() int { return min(i.o.Version, i.peer) }

func (i *Initiator) send(r *tsRequest) ([]byte, error) {
	r.version = i.o.Version
	b, err := r.encode()
	if err != nil {
		return nil, fmt.Errorf("credssp: request: %w", err)
	}
	return i.channel.write(b)
}

// negotiate takes the negotiation on. The last token goes with the proof. See [MS-CSSP] 3.1.5, step 3.
func (i *Initiator) negotiate(ctx context.Context, r *tsRequest) ([]byte, error) {
	if r.pubKeyAuth != nil || r.authInfo != nil {
		return nil, bad("the service is ahead of the negotiation")
	}
	token, err := i.feed(ctx, r.negoToken)
	if err != nil {
		return nil, err
	}
	if i.secured = i.early(); i.secured == nil {
		if len(token) == 0 {
			return nil, bad("the negotiation stands still")
		}
		return i.send(&tsRequest{negoToken: token})
	}
	if i.secured, err = protected(i.secured); err != nil {
		return nil, err
	}
	out := tsRequest{}
	if len(token) > 0 {
		out.negoToken = token
	}
	if i.version() >= HashVersion {
		i.nonce = make([]byte, nonceSize)
		rand.Read(i.nonce) //nolint:errcheck // never fails
		out.nonce = i.nonce
	}
	if out.pubKeyAuth, err = wrap(i.secured, proof(i.version(), true, i.nonce, i.key)); err != nil {
		return nil, err
	}
	i.phase = awaitProof
	return i.send(&out)
}

// feed steps the negotiation.
func (i *Initiator) feed(ctx context.Context, token []byte) ([]byte, error) {
	if i.innerEnd {
		if len(token) > 0 {
			return nil, bad("a token for a negotiation that is done")
		}
		return nil, nil
	}
	out, end, err := i.inner.Step(ctx, token)
	i.innerEnd = end
	return out, err
}

// An earlyBird is a negotiation that has its key before the service has confirmed, as SPNEGO has.
type earlyBird interface{ MechanismContext() auth.Context }

// early is the context of the negotiation as soon as there is one.
func (i *Initiator) early() auth.Context {
	if i.innerEnd {
		return i.inner.Context()
	}
	if e, ok := i.inner.(earlyBird); ok {
		return e.MechanismContext()
	}
	return nil
}

// finish verifies the service's proof and hands the credentials over. See [MS-CSSP] 3.1.5, step 5.
func (i *Initiator) finish(ctx context.Context, r *tsRequest) ([]byte, error) {
	if r.authInfo != nil {
		return nil, bad("authInfo of a service")
	}
	// The end of SPNEGO, with the service's signature of the list of mechanisms, comes before what is sealed.
	token, err := i.feed(ctx, r.negoToken)
	if err != nil {
		return nil, err
	}
	if !i.innerEnd || len(token) > 0 {
		return nil, bad("the service proves itself before the end of the negotiation")
	}
	if err := checkProof(i.secured, bytes.Clone(r.pubKeyAuth), proof(i.version(), false, i.nonce, i.key)); err != nil {
		return nil, err
	}
	id := i.inner.Context().Identity()
	if i.o.Permit != nil {
		if err := i.o.Permit(id, i.channel.certificates()); err != nil {
			return nil, err
		}
	}
	plain, err := encodeCredentials(i.o.Credentials)
	if err != nil {
		return nil, fmt.Errorf("credssp: credentials: %w", err)
	}
	defer wipe(plain)
	sealed, err := wrap(i.secured, plain)
	if err != nil {
		return nil, err
	}
	out, err := i.send(&tsRequest{authInfo: sealed})
	if err != nil {
		return nil, err
	}
	i.context = &Context{channel: i.channel, identity: id}
	return out, nil
}
