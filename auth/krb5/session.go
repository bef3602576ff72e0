package krb5

import (
	"bytes"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/auth"
)

// Session is a finished exchange. It implements [auth.Context], [auth.VariableSizes], [auth.Delegator] and [auth.Padder].
//
// What Seal returns is, with AES, the header of a wrap token of [RFC4121] 4.2.6.2 and everything that its rotation puts before the
// encrypted data: 60 bytes with AES-SHA1, 64 and 72 with AES-SHA2, 45 with RC4; in DCE style 76, 80, 88 and 45. What Sign returns is a MIC
// token. Unseal takes whatever rotation a peer chose, as long as all but the data itself stands in the signature.
type Session struct {
	identity  auth.Identity
	key       types.EncryptionKey
	dce       bool
	delegated *auth.Delegation
	out, in   *direction
}

// direction is one way: its keys, its number, and whether a check failed.
type direction struct {
	protector
	sequence uint64
	learn    bool // the first message tells its number
	broken   bool
}

// protector makes and checks tokens of one direction.
type protector interface {
	// sizes are the lengths of a MIC token and of what seal returns.
	sizes() (sign, seal int)
	seal(bufs []auth.Buffer, sequence uint64) ([]byte, error)
	unseal(bufs []auth.Buffer, signature []byte, sequence uint64) error
	sign(bufs []auth.Buffer, sequence uint64) ([]byte, error)
	verify(bufs []auth.Buffer, signature []byte, sequence uint64) error
	// number is what a signature says of its sequence number, nothing verified; 0 if it says nothing.
	number(signature []byte) uint64
}

// sessionOptions are what an exchange agreed on.
type sessionOptions struct {
	identity       auth.Identity
	key            types.EncryptionKey
	initiator      bool
	acceptorSubkey bool // key was the acceptor's choice
	dce            bool
	flags          uint32
	send, receive  uint32 // the first sequence numbers
	delegated      *auth.Delegation
}

func newSession(o sessionOptions) (*Session, error) {
	s := &Session{identity: o.identity, key: o.key, dce: o.dce, delegated: o.delegated}
	s.identity.Protected = o.flags&flagConf != 0
	out, in := &direction{sequence: uint64(o.send)}, &direction{sequence: uint64(o.receive)}
	for _, d := range []struct {
		*direction
		fromInitiator bool
	}{{out, o.initiator}, {in, !o.initiator}} {
		var err error
		if o.key.KeyType == etypeID.RC4_HMAC {
			d.protector = newRC4(o.key.KeyValue, d.fromInitiator, o.dce)
		} else if d.protector, err = newCFX(o.key, d.fromInitiator, o.acceptorSubkey, o.dce); err != nil {
			return nil, fmt.Errorf("krb5: keys of the session: %w", err)
		}
	}
	// Who did not ask for an order of messages counts from any number: Windows signs the list of mechanisms with 0 then, as at RPC's level
	// Connect. From the first message on, the order is the same as for everybody.
	in.learn = o.flags&(flagReplay|flagSequence) == 0
	if o.flags&(flagConf|flagInteg) != 0 {
		s.out, s.in = out, in
	}
	return s, nil
}

// String and GoString show no key, which printing the fields would.
func (s *Session) String() string { return "krb5.Session of " + s.identity.String() }

// GoString is String.
func (s *Session) GoString() string { return s.String() }

// Identity implements [auth.Context].
func (s *Session) Identity() auth.Identity { return s.identity }

// SessionKey implements [auth.Context]: the key that protects the messages, the acceptor's sub-key if there is one.
func (s *Session) SessionKey() []byte { return bytes.Clone(s.key.KeyValue) }

// Delegated implements [auth.Delegator]: a copy, since each shell of a connection wipes its own.
func (s *Session) Delegated() *auth.Delegation {
	if s.delegated == nil {
		return nil
	}
	return &auth.Delegation{CCache: bytes.Clone(s.delegated.CCache)}
}

// SignatureSize implements [auth.Context]: what Seal returns.
func (s *Session) SignatureSize() int {
	_, seal := s.SignatureSizes()
	return seal
}

// SignatureSizes implements [auth.VariableSizes]; 0 and 0 when the initiator asked for no protection.
func (s *Session) SignatureSizes() (sign, seal int) {
	if s.out == nil {
		return 0, 0
	}
	return s.out.sizes()
}

// Padding implements [auth.Padder]: 1 with RC4 outside of DCE style, else 0.
func (s *Session) Padding() int {
	if s.key.KeyType == etypeID.RC4_HMAC && !s.dce {
		return 1
	}
	return 0
}

// Seal implements [auth.Context]. See [RFC4121] 4.2.4 and [MS-KILE] 3.4.5.4.1.
func (s *Session) Seal(bufs []auth.Buffer) ([]byte, error) {
	if s.out == nil || !s.identity.Protected {
		return nil, fmt.Errorf("krb5: seal: %w", auth.ErrNotProtected)
	}
	signature, err := s.out.seal(bufs, s.out.sequence)
	if err != nil {
		return nil, fmt.Errorf("krb5: seal: %w", err)
	}
	s.out.sequence++
	return signature, nil
}

// Unseal implements [auth.Context].
func (s *Session) Unseal(bufs []auth.Buffer, signature []byte) error {
	if s.in == nil || !s.identity.Protected {
		return fmt.Errorf("krb5: unseal: %w", auth.ErrNotProtected)
	}
	err := s.in.check(bufs, signature, s.in.unseal)
	if err != nil {
		for i := range bufs {
			if !bufs[i].SignOnly {
				clear(bufs[i].Data)
			}
		}
	}
	return err
}

// Sign implements [auth.Context]. See [RFC4121] 4.2.6.1.
func (s *Session) Sign(bufs []auth.Buffer) ([]byte, error) {
	if s.out == nil {
		return nil, fmt.Errorf("krb5: sign: %w", auth.ErrNotProtected)
	}
	signature, err := s.out.sign(bufs, s.out.sequence)
	if err != nil {
		return nil, fmt.Errorf("krb5: sign: %w", err)
	}
	s.out.sequence++
	return signature, nil
}

// Verify implements [auth.Context].
func (s *Session) Verify(bufs []auth.Buffer, signature []byte) error {
	if s.in == nil {
		return fmt.Errorf("krb5: verify: %w", auth.ErrNotProtected)
	}
	return s.in.check(bufs, signature, s.in.verify)
}

// check lets one message through and counts it. After a failure no further one passes: the connection carries messages in order, so a
// wrong one was put there by somebody.
func (d *direction) check(bufs []auth.Buffer, signature []byte, open func([]auth.Buffer, []byte, uint64) error) error {
	if d.broken {
		return altered("a former message failed its check")
	}
	if d.learn {
		d.sequence, d.learn = d.number(signature), false
	}
	if err := open(bufs, signature, d.sequence); err != nil {
		d.broken = true
		return altered("message %d: %v", d.sequence, err)
	}
	d.sequence++
	return nil
}
