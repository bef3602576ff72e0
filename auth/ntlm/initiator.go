package ntlm

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/casementhq/casement/auth"
)

// InitiatorOptions configure a client's side of the exchange.
type InitiatorOptions struct {
	// Credentials prove the identity; a user name is required. NTHash goes before Password.
	Credentials auth.Credentials
	// TargetName is the service principal name that the client believes to talk to, such as HTTP/host.
	// Empty says nothing about it.
	TargetName string
	// Workstation is sent as the client's machine name; empty sends none.
	Workstation string
	// ChannelBindings tie the proof to a TLS channel; nil sends none.
	ChannelBindings *auth.ChannelBindings
	// AllowWeakKeys permits sessions with 56 and 40 bit sealing keys. The default demands 128 bits.
	AllowWeakKeys bool
	// Now is the clock, used when the server names no time; nil is time.Now.
	Now func() time.Time
	// Rand is the source of challenges and keys; nil is crypto/rand.Reader.
	Rand io.Reader
}

// Initiator is the client's side of one exchange. It implements [auth.Initiator].
type Initiator struct {
	opts      InitiatorOptions
	offer     uint32
	negotiate []byte
	session   *Session
	finished  bool
}

// NewInitiator starts an exchange. The first Step takes no token and returns NEGOTIATE, the second takes
// CHALLENGE, returns AUTHENTICATE and is done: whether the server accepts it, the transport learns.
func NewInitiator(opts InitiatorOptions) *Initiator {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	return &Initiator{opts: opts, offer: initiatorFlags}
}

// Context implements [auth.Initiator].
func (i *Initiator) Context() auth.Context {
	if i.session == nil {
		return nil
	}
	return i.session
}

// Step implements [auth.Initiator]. Errors: ErrLogonFailure without usable credentials, ErrBadToken,
// ErrUnsupported for a server that offers too little. See [MS-NLMP] 3.1.5.1.
func (i *Initiator) Step(_ context.Context, in []byte) (out []byte, done bool, err error) {
	switch {
	case i.finished:
		return nil, false, badToken("exchange is over")
	case i.negotiate == nil:
		if len(in) != 0 {
			return nil, false, badToken("the initiator speaks first")
		}
		if err := i.usable(); err != nil {
			i.finished = true
			return nil, false, err
		}
		i.negotiate = (&negotiate{flags: i.offer}).encode()
		return i.negotiate, false, nil
	}
	i.finished = true
	out, err = i.answer(in)
	return out, err == nil, err
}

// usable checks the credentials.
func (i *Initiator) usable() error {
	c := &i.opts.Credentials
	if user, _ := c.Split(); user == "" {
		return fmt.Errorf("ntlm: no user name given: %w", auth.ErrLogonFailure)
	}
	if n := len(c.NTHash); n != 0 && n != 16 {
		return fmt.Errorf("ntlm: NT hash of %d bytes, expected 16: %w", n, auth.ErrLogonFailure)
	}
	return nil
}

// String and GoString show no secret, which printing the fields would.
func (i *Initiator) String() string { return "ntlm.Initiator for " + i.opts.Credentials.Username }

// GoString is String.
func (i *Initiator) GoString() string { return i.String() }

// answer turns a CHALLENGE into AUTHENTICATE. See [MS-NLMP] 3.1.5.1.2.
func (i *Initiator) answer(in []byte) ([]byte, error) {
	var ch challenge
	if err := ch.decode(in); err != nil {
		return nil, err
	}
	flags := ch.flags & (i.offer | flagTargetInfo)
	if err := i.acceptable(&ch, flags); err != nil {
		return nil, err
	}
	client := clientChallenge{time: filetime(i.opts.Now()), pairs: i.targetInfo(ch.targetInfo)}
	stamp, timed := ch.targetInfo.get(avTimestamp)
	if timed {
		client.time = binary.LittleEndian.Uint64(stamp)
	}
	if _, err := io.ReadFull(i.opts.Rand, client.challenge[:]); err != nil {
		return nil, fmt.Errorf("ntlm: no randomness for the challenge: %w", err)
	}
	user, domain := i.opts.Credentials.Split()
	// A domain in capitals gives the same key at servers that fold it before they derive and at those that do not.
	domain = strings.ToUpper(domain)
	key := ntowfv2(i.ntHash(), user, domain)
	temp := client.encode()
	ntProof := proof(key, ch.serverChallenge, temp)
	msg := authenticate{
		flags: flags, domain: domain, user: user, workstation: i.opts.Workstation,
		lmResponse: make([]byte, 24), ntResponse: append(ntProof[:16:16], temp...),
	}
	if !timed {
		msg.lmResponse = lmv2Response(key, ch.serverChallenge, client.challenge)
	}
	sessionKey, err := i.exchangeKey(&msg, hmacMD5(key, ntProof))
	if err != nil {
		return nil, err
	}
	out, err := msg.encode()
	if err != nil {
		return nil, err
	}
	mic := ch.targetInfo != nil
	if mic {
		copy(out[micOffset:], hmacMD5(sessionKey, i.negotiate, in, out))
	}
	id := auth.Identity{User: user, Domain: domain, Workstation: msg.workstation, Mechanism: auth.NTLM}
	i.session = newSession(id, flags, sessionKey, true, mic)
	return out, nil
}

// acceptable refuses servers whose choice is weaker than our policy.
func (i *Initiator) acceptable(ch *challenge, flags uint32) error {
	signs := flags&(flagSign|flagSeal) != 0
	switch {
	case flags&flagUnicode == 0:
		return fmt.Errorf("ntlm: the server does not speak Unicode: %w", auth.ErrUnsupported)
	case signs && flags&flagESS == 0:
		return fmt.Errorf("ntlm: the server lacks extended session security: %w", auth.ErrUnsupported)
	case signs && flags&flag128 == 0 && !i.opts.AllowWeakKeys:
		return fmt.Errorf("ntlm: the server lacks 128 bit keys: %w", auth.ErrUnsupported)
	}
	_, computer := ch.targetInfo.get(avNbComputerName)
	_, domain := ch.targetInfo.get(avNbDomainName)
	if signs && !computer && !domain {
		return fmt.Errorf("ntlm: the server names neither itself nor its domain: %w", auth.ErrLogonFailure)
	}
	return nil
}

// targetInfo copies the server's attributes and adds ours. What only a client may say is never copied, or a
// server in the middle could put words into our signed mouth. Without channel bindings the attribute is left
// out: some services take one of zeros for a wrong one.
func (i *Initiator) targetInfo(server avPairs) avPairs {
	if server == nil {
		return nil
	}
	pairs := server.without(avFlags, avSingleHost, avTargetName, avChannelBindings)
	// Of the server's flags only "constrained" (1) is passed on.
	pairs = pairs.set(avFlags, binary.LittleEndian.AppendUint32(nil, server.flags()&1|avFlagMIC))
	if i.opts.ChannelBindings != nil {
		hash := i.opts.ChannelBindings.MD5()
		pairs = pairs.set(avChannelBindings, hash[:])
	}
	return pairs.set(avTargetName, utf16le(i.opts.TargetName))
}

func (i *Initiator) ntHash() (hash [16]byte) {
	if h := i.opts.Credentials.NTHash; len(h) == len(hash) {
		copy(hash[:], h)
		return hash
	}
	return NTHash(i.opts.Credentials.Password)
}

// exchangeKey makes up the session key and encrypts it for the server, where that was negotiated.
func (i *Initiator) exchangeKey(msg *authenticate, base []byte) ([]byte, error) {
	if msg.flags&flagKeyExchange == 0 || msg.flags&(flagSign|flagSeal) == 0 {
		return base, nil
	}
	sessionKey := make([]byte, 16)
	if _, err := io.ReadFull(i.opts.Rand, sessionKey); err != nil {
		return nil, fmt.Errorf("ntlm: no randomness for the session key: %w", err)
	}
	msg.encryptedKey = rc4Once(base, sessionKey)
	return sessionKey, nil
}
