package ntlm

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/casementhq/casement/auth"
)

// AcceptorOptions configure a service's side of the exchange. Secrets and NetBIOSName are required.
type AcceptorOptions struct {
	// Secrets returns the NT hash of an account. domain and user are as the client spelled them, compare them
	// without regard to case; domain may be empty, the machine's name, or that of a domain. For an unknown or
	// disabled account it returns auth.ErrLogonFailure; any other error is reported beside that one.
	Secrets func(ctx context.Context, domain, user string) (ntHash [16]byte, err error)
	// PassThrough gives who verifies the response of an account of a domain; nil where the account is one of Secrets'.
	// The default has no domains.
	PassThrough func(domain, user string) Verifier
	// NetBIOSName is the machine's name, at most 15 characters, in capitals.
	NetBIOSName string
	// NetBIOSDomain is the domain of a member machine; empty repeats NetBIOSName, as a workgroup machine does.
	NetBIOSDomain string
	// DNSName and DNSDomain are the fully qualified names; empty ones are not sent.
	DNSName, DNSDomain string
	// ChannelBindings are those of the TLS channel that carries the exchange; nil means no TLS.
	ChannelBindings *auth.ChannelBindings
	// Hardening says how far channel bindings are demanded; the default is Relaxed.
	Hardening auth.Hardening
	// Services are the service classes, such as HTTP, of which a client may believe this to be one: who signs in
	// to cifs/host is being relayed. Clients that name no target pass, as do all at the level None. The default
	// permits every class. The host is not compared: a service cannot know all names that lead to it.
	Services []string
	// AllowAnonymous lets a client in that claims no identity. Its context protects nothing. The default
	// refuses it.
	AllowAnonymous bool
	// AllowWeakKeys permits sessions with 56 and 40 bit sealing keys. The default demands 128 bits.
	AllowWeakKeys bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Rand is the source of the challenge; nil is crypto/rand.Reader.
	Rand io.Reader
}

// Acceptor is the service's side of one exchange. It implements [auth.Acceptor].
type Acceptor struct {
	opts      AcceptorOptions
	negotiate []byte
	challenge []byte
	nonce     [8]byte
	flags     uint32 // granted in the challenge
	session   *Session
	finished  bool
}

// NewAcceptor awaits a NEGOTIATE message.
func NewAcceptor(opts AcceptorOptions) *Acceptor {
	if opts.NetBIOSDomain == "" {
		opts.NetBIOSDomain = opts.NetBIOSName
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	return &Acceptor{opts: opts}
}

// Context implements [auth.Acceptor].
func (a *Acceptor) Context() auth.Context {
	if a.session == nil {
		return nil
	}
	return a.session
}

// Step implements [auth.Acceptor]: NEGOTIATE gives CHALLENGE, AUTHENTICATE gives the verdict. Errors:
// ErrBadToken, ErrUnsupported, ErrLogonFailure, ErrBadBindings. See [MS-NLMP] 3.2.5.1.
func (a *Acceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	switch {
	case a.finished:
		return nil, false, badToken("exchange is over")
	case a.negotiate == nil:
		out, err = a.greet(in)
		a.finished = err != nil
		return out, false, err
	}
	a.finished = true
	if err = a.judge(ctx, in); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}

// greet answers NEGOTIATE. See [MS-NLMP] 3.2.5.1.1.
func (a *Acceptor) greet(in []byte) ([]byte, error) {
	var neg negotiate
	if err := neg.decode(in); err != nil {
		return nil, err
	}
	flags := neg.flags & acceptorFlags
	if flags&flagUnicode != 0 {
		flags &^= flagOEM
	}
	if flags&(flagUnicode|flagOEM) == 0 {
		return nil, badToken("the client names no character set")
	}
	if err := a.acceptable(flags); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(a.opts.Rand, a.nonce[:]); err != nil {
		return nil, fmt.Errorf("ntlm: no randomness for the challenge: %w", err)
	}
	a.flags = flags | flagRequestTarget | flagNTLM | flagAlwaysSign | flagTargetInfo | flagTargetServer
	ch := challenge{flags: a.flags, serverChallenge: a.nonce, targetName: a.opts.NetBIOSName}
	for _, name := range []struct {
		id uint16
		s  string
	}{
		{avNbDomainName, a.opts.NetBIOSDomain},
		{avNbComputerName, a.opts.NetBIOSName},
		{avDNSDomainName, a.opts.DNSDomain},
		{avDNSComputerName, a.opts.DNSName},
	} {
		if name.s != "" {
			ch.targetInfo = append(ch.targetInfo, avPair{name.id, utf16le(name.s)})
		}
	}
	now := binary.LittleEndian.AppendUint64(nil, filetime(a.opts.Now()))
	ch.targetInfo = append(ch.targetInfo, avPair{avTimestamp, now})
	out, err := ch.encode()
	if err != nil {
		return nil, err
	}
	a.negotiate, a.challenge = bytes.Clone(in), out
	return out, nil
}

// acceptable refuses clients that want protection weaker than our policy.
func (a *Acceptor) acceptable(flags uint32) error {
	if protects(flags) && flags&flag128 == 0 && !a.opts.AllowWeakKeys {
		return fmt.Errorf("ntlm: the client lacks 128 bit keys: %w", auth.ErrUnsupported)
	}
	return nil
}

// judge verifies AUTHENTICATE. See [MS-NLMP] 3.2.5.1.2.
func (a *Acceptor) judge(ctx context.Context, in []byte) error {
	var msg authenticate
	if err := msg.decode(in); err != nil {
		return err
	}
	flags := msg.flags & a.flags
	if err := a.acceptable(flags); err != nil {
		return err
	}
	id := auth.Identity{User: msg.user, Domain: msg.domain, Workstation: msg.workstation, Mechanism: auth.NTLM}
	if msg.user == "" {
		return a.anonymous(&msg, id, flags)
	}
	if len(msg.ntResponse) < 16+clientChallengeFixed {
		return fmt.Errorf("ntlm: no NTLMv2 response (NTLMv1 and LM are not accepted): %w", auth.ErrLogonFailure)
	}
	var client clientChallenge
	if err := client.decode(msg.ntResponse[16:]); err != nil {
		return err
	}
	var base []byte
	var err error
	if elsewhere := a.elsewhere(&msg); elsewhere != nil {
		base, id.Account, err = a.passThrough(ctx, elsewhere, &msg)
	} else {
		base, err = a.verify(ctx, &msg)
	}
	if err != nil {
		return err
	}
	sessionKey, err := openKey(&msg, flags, base)
	if err != nil {
		return err
	}
	mic := client.pairs.flags()&avFlagMIC != 0
	if mic && !a.micMatches(&msg, in, sessionKey) {
		return fmt.Errorf("ntlm: the messages of the exchange were changed on their way: %w", auth.ErrLogonFailure)
	}
	if err := a.opts.Hardening.Check(a.opts.ChannelBindings, client.pairs.bindings()); err != nil {
		return fmt.Errorf("ntlm: %w", err)
	}
	if err := a.addressed(client.pairs); err != nil {
		return err
	}
	a.session = newSession(id, flags, sessionKey, false, mic)
	return nil
}

// addressed refuses a proof that was made for a service of another class. See [MS-NLMP] 2.2.2.1, MsvAvTargetName.
func (a *Acceptor) addressed(pairs avPairs) error {
	raw, _ := pairs.get(avTargetName)
	if len(raw) == 0 || len(a.opts.Services) == 0 || a.opts.Hardening == auth.None {
		return nil
	}
	name, err := fromUTF16(raw)
	if err != nil {
		return err
	}
	class, _, _ := strings.Cut(name, "/")
	for _, s := range a.opts.Services {
		if strings.EqualFold(s, class) {
			return nil
		}
	}
	return fmt.Errorf("ntlm: the client signs in to %.100q, which is another service: %w", name, auth.ErrLogonFailure)
}

func (a *Acceptor) anonymous(msg *authenticate, id auth.Identity, flags uint32) error {
	if !a.opts.AllowAnonymous || len(msg.ntResponse) != 0 || len(msg.lmResponse) > 1 {
		return fmt.Errorf("ntlm: no user name: %w", auth.ErrLogonFailure)
	}
	id.Domain, id.Anonymous = "", true
	a.session = newSession(id, flags, nil, false, false)
	return nil
}

// verify checks the response against the account's hash and returns the session base key. An unknown account
// costs the same work as a wrong password: it is verified against a hash that nothing hashes to.
func (a *Acceptor) verify(ctx context.Context, msg *authenticate) ([]byte, error) {
	hash, lookup := a.opts.Secrets(ctx, msg.domain, msg.user)
	if lookup != nil {
		if _, err := io.ReadFull(rand.Reader, hash[:]); err != nil {
			return nil, fmt.Errorf("ntlm: %w: no randomness: %w", auth.ErrLogonFailure, err)
		}
	}
	// Besides the domain as sent, clients are known to derive from its capitals, or from none at all.
	var base []byte
	for _, domain := range []string{msg.domain, upper(msg.domain), ""} {
		key := ntowfv2(hash, msg.user, domain)
		want := proof(key, a.nonce, msg.ntResponse[16:])
		if hmac.Equal(want, msg.ntResponse[:16]) {
			base = hmacMD5(key, want)
		}
	}
	switch {
	case lookup != nil && !errors.Is(lookup, auth.ErrLogonFailure):
		return nil, fmt.Errorf("ntlm: %w: account lookup: %w", auth.ErrLogonFailure, lookup)
	case lookup != nil || base == nil:
		return nil, fmt.Errorf("ntlm: %w", auth.ErrLogonFailure)
	}
	return base, nil
}

// openKey returns the exported session key.
func openKey(msg *authenticate, flags uint32, base []byte) ([]byte, error) {
	if flags&flagKeyExchange == 0 || flags&(flagSign|flagSeal) == 0 {
		return base, nil
	}
	if len(msg.encryptedKey) != 16 {
		return nil, badToken("session key of %d bytes", len(msg.encryptedKey))
	}
	return rc4Once(base, msg.encryptedKey), nil
}

// micMatches recomputes the integrity code over the three messages. See [MS-NLMP] 3.1.5.1.2.
func (a *Acceptor) micMatches(msg *authenticate, in, sessionKey []byte) bool {
	if !msg.hasMIC {
		return false
	}
	blank := bytes.Clone(in)
	clear(blank[micOffset : micOffset+16])
	return hmac.Equal(msg.mic[:], hmacMD5(sessionKey, a.negotiate, a.challenge, blank))
}
