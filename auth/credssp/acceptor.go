package credssp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/casementhq/casement/auth"
)

// AcceptorOptions configure an [Acceptor].
type AcceptorOptions struct {
	// Inner makes the negotiation inside, an spnego.Acceptor. Its context must be able to seal. Required.
	Inner func() auth.Acceptor
	// Certificate is the service's, with its key and its Leaf; it may be self-signed. Required.
	Certificate *tls.Certificate
	// Version is the version that is told; the default is 6.
	Version int
	// MinVersion is the lowest version of a client that is accepted; the default is 2, every one.
	MinVersion int
	// TLS is the base of the configuration of TLS, for its versions and cipher suites; the default is TLS 1.2 and
	// newer.
	TLS *tls.Config
}

// Acceptor is the service's side of one exchange. It implements [auth.Acceptor]. Close it if it is given up
// before its end.
type Acceptor struct {
	o        AcceptorOptions
	channel  *channel
	key      []byte
	inner    auth.Acceptor
	innerEnd bool
	phase    acceptorPhase
	rounds   int
	peer     int // the client's version; 0: not known
	secured  auth.Context
	context  *Context
}

type acceptorPhase int

const (
	acceptHandshake acceptorPhase = iota
	acceptNegotiation
	acceptCredentials
	acceptorEnd
)

// NewAcceptor fails for a certificate without a usable public key.
func NewAcceptor(o AcceptorOptions) (*Acceptor, error) {
	if o.Certificate == nil || o.Certificate.Leaf == nil {
		return nil, errors.New("credssp: the service has no certificate")
	}
	if o.Version == 0 {
		o.Version = Version
	}
	if o.MinVersion == 0 {
		o.MinVersion = MinVersion
	}
	key, err := publicKey(o.Certificate.Leaf)
	if err != nil {
		return nil, err
	}
	return &Acceptor{o: o, key: key, channel: newChannel(o.TLS, o.Certificate)}, nil
}

// Context implements [auth.Acceptor]. It is a *Context.
func (a *Acceptor) Context() auth.Context {
	if a.context == nil {
		return nil
	}
	return a.context
}

// Close ends what an exchange that is given up has begun.
func (a *Acceptor) Close() error {
	a.channel.close()
	a.phase = acceptorEnd
	return nil
}

// refusal is an error with a status that the client is told, if its version knows how.
type refusal struct {
	error
	status uint32
}

func (r *refusal) Unwrap() error { return r.error }

// Step implements [auth.Acceptor]. With an error, out may hold what tells the client. Errors: ErrBadToken,
// ErrBadBindings where the client's TLS channel ends elsewhere, ErrUnsupported for a client that is too old
// or hands over something else than a password, and those of the negotiation.
func (a *Acceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if a.phase == acceptorEnd {
		return nil, false, bad("the exchange is over")
	}
	a.rounds++
	switch {
	case len(in) > maxToken:
		err = bad("token of %d bytes, at most %d are accepted", len(in), maxToken)
	case a.rounds > maxRounds:
		err = bad("no end after %d tokens", maxRounds)
	default:
		out, err = a.step(ctx, in)
	}
	if err == nil && a.context == nil {
		return out, false, nil
	}
	a.Close() //nolint:errcheck // never fails
	if err != nil {
		var r *refusal
		if errors.As(err, &r) && a.channel.done && knowsErrors(min(a.peer, a.o.Version)) {
			told, _ := a.send(&tsRequest{errorCode: r.status}) // what cannot be sent is not sent
			out = append(out, told...)
		}
		return out, false, err
	}
	return out, true, nil
}

func (a *Acceptor) step(ctx context.Context, in []byte) ([]byte, error) {
	if a.phase == acceptHandshake {
		out, err := a.channel.handshake(in)
		if err != nil || !a.channel.done {
			return out, err
		}
		a.phase = acceptNegotiation
		// A client may have added its first request to the end of its handshake.
		rest := a.channel.pipe.in
		plain, err := a.channel.read(make([]byte, 0, len(in)+1), rest)
		if err != nil || len(plain) == 0 {
			return out, err
		}
		more, err := a.request(ctx, plain)
		return append(out, more...), err
	}
	plain, err := a.channel.read(make([]byte, 0, len(in)+1), in)
	if err != nil {
		return nil, err
	}
	return a.request(ctx, plain)
}

// request handles one request. Versions stay the same in one exchange.
func (a *Acceptor) request(ctx context.Context, plain []byte) ([]byte, error) {
	var r tsRequest
	if err := r.decode(plain); err != nil {
		return nil, err
	}
	if a.peer != 0 && r.version != a.peer || r.errorCode != 0 {
		return nil, bad("version %d and status 0x%08X of a client", r.version, r.errorCode)
	}
	a.peer = r.version
	if r.version < a.o.MinVersion {
		return nil, &refusal{fmt.Errorf("credssp: the client has version %d of the protocol, at least %d is demanded: %w",
			r.version, a.o.MinVersion, auth.ErrUnsupported), statusNotSupported}
	}
	if a.phase == acceptCredentials {
		return nil, a.take(&r)
	}
	return a.negotiate(ctx, &r)
}

// version is the one that both sides know.
func (a *Acceptor) version() int { return min(a.o.Version, a.peer) }

func (a *Acceptor) send(r *tsRequest) ([]byte, error) {
	r.version = a.o.Version
	b, err := r.encode()
	if err != nil {
		return nil, fmt.Errorf("credssp: request: %w", err)
	}
	return a.channel.write(b)
}

// negotiate takes the negotiation on, and answers the client's proof with ours. See [MS-CSSP] 3.1.5, steps 2 to 4.
func (a *Acceptor) negotiate(ctx context.Context, r *tsRequest) ([]byte, error) {
	if r.authInfo != nil {
		return nil, bad("credentials before the proof")
	}
	var out tsRequest
	switch {
	case !a.innerEnd && r.negoToken == nil:
		return nil, bad("no token for the negotiation")
	case a.innerEnd && r.negoToken != nil:
		return nil, bad("a token for a negotiation that is done")
	case !a.innerEnd:
		if a.inner == nil {
			a.inner = a.o.Inner()
		}
		token, end, err := a.inner.Step(ctx, r.negoToken)
		if err != nil {
			return nil, &refusal{err, statusLogonFailure}
		}
		a.innerEnd = end
		if len(token) > 0 {
			out.negoToken = token
		}
	}
	if r.pubKeyAuth == nil {
		if out.negoToken == nil {
			return nil, bad("neither a token nor a proof")
		}
		return a.send(&out)
	}
	if !a.innerEnd {
		return nil, bad("a proof before the end of the negotiation")
	}
	var err error
	if a.secured, err = protected(a.inner.Context()); err != nil {
		return nil, &refusal{err, statusLogonFailure}
	}
	if hashed := a.version() >= HashVersion; hashed != (r.nonce != nil) {
		return nil, &refusal{bad("version %d, and a nonce is there: %t", r.version, r.nonce != nil), statusLogonFailure}
	}
	if err := checkProof(a.secured, r.pubKeyAuth, proof(a.version(), true, r.nonce, a.key)); err != nil {
		return nil, &refusal{err, statusLogonFailure}
	}
	if out.pubKeyAuth, err = wrap(a.secured, proof(a.version(), false, r.nonce, a.key)); err != nil {
		return nil, err
	}
	a.phase = acceptCredentials
	return a.send(&out)
}

// take takes the credentials, the last message.
func (a *Acceptor) take(r *tsRequest) error {
	if r.authInfo == nil || r.negoToken != nil || r.pubKeyAuth != nil {
		return bad("no credentials after the proof")
	}
	plain, err := unwrap(a.secured, r.authInfo)
	if err != nil {
		return &refusal{err, statusLogonFailure}
	}
	defer wipe(plain)
	delegated, err := decodeCredentials(plain)
	if err != nil {
		return &refusal{err, statusNotSupported}
	}
	a.context = &Context{channel: a.channel, identity: a.secured.Identity(), delegated: delegated}
	return nil
}
