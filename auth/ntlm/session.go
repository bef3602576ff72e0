package ntlm

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/casementhq/casement/auth"
)

// signatureSize is the length of a message signature. See [MS-NLMP] 2.2.2.9.
const signatureSize = 16

// Session is a finished exchange. It implements [auth.Context], and the three methods that SPNEGO needs of
// NTLM alone.
type Session struct {
	identity   auth.Identity
	flags      uint32
	sessionKey []byte
	mic        bool
	out, in    *direction // nil without message protection
}

// direction is the state of one way: keys, cipher stream, sequence number.
type direction struct {
	mac      hash.Hash
	key      []byte // of the cipher, to start it anew
	cipher   *rc4.Cipher
	sequence uint32
	encrypt  bool // checksums are encrypted
	broken   bool // a check failed
}

func newSession(id auth.Identity, flags uint32, sessionKey []byte, client, mic bool) *Session {
	s := &Session{identity: id, flags: flags, sessionKey: sessionKey, mic: mic}
	if protects(flags) && !id.Anonymous {
		s.out = newDirection(flags, sessionKey, client)
		s.in = newDirection(flags, sessionKey, !client)
		s.identity.Protected = flags&flagSeal != 0
	}
	return s
}

func newDirection(flags uint32, sessionKey []byte, fromClient bool) *direction {
	key := sealKey(flags, sessionKey, fromClient)
	return &direction{
		mac:     hmac.New(md5.New, signKey(sessionKey, fromClient)),
		key:     key,
		cipher:  newRC4(key),
		encrypt: flags&flagKeyExchange != 0,
	}
}

// sum hashes sequence number and buffers. See [MS-NLMP] 3.4.4.2.
func (d *direction) sum(bufs []auth.Buffer, sig *[signatureSize]byte) {
	var seq [4]byte
	binary.LittleEndian.PutUint32(seq[:], d.sequence)
	d.mac.Reset()
	d.mac.Write(seq[:])
	for i := range bufs {
		d.mac.Write(bufs[i].Data)
	}
	var full [md5.Size]byte
	d.mac.Sum(full[:0])
	sig[0] = 1
	copy(sig[4:12], full[:8])
	copy(sig[12:], seq[:])
}

// finish encrypts the checksum where a key was exchanged, and counts the message.
func (d *direction) finish(sig *[signatureSize]byte) {
	if d.encrypt {
		d.cipher.XORKeyStream(sig[4:12], sig[4:12])
	}
	d.sequence++
}

func (d *direction) crypt(bufs []auth.Buffer) {
	for i := range bufs {
		if !bufs[i].SignOnly {
			d.cipher.XORKeyStream(bufs[i].Data, bufs[i].Data)
		}
	}
}

// check computes the expected signature of plaintext buffers and compares.
func (d *direction) check(bufs []auth.Buffer, signature []byte) error {
	var want [signatureSize]byte
	d.sum(bufs, &want)
	d.finish(&want)
	if subtle.ConstantTimeCompare(want[:], signature) != 1 {
		d.broken = true
		return fmt.Errorf("ntlm: message %d: %w", d.sequence-1, auth.ErrMessageAltered)
	}
	return nil
}

// String and GoString show no key, which printing the fields would.
func (s *Session) String() string { return "ntlm.Session of " + s.identity.String() }

// GoString is String.
func (s *Session) GoString() string { return s.String() }

// Identity implements [auth.Context].
func (s *Session) Identity() auth.Identity { return s.identity }

// SessionKey implements [auth.Context]. It returns the exported session key, 16 bytes.
func (s *Session) SessionKey() []byte { return bytes.Clone(s.sessionKey) }

// SignatureSize implements [auth.Context]: 16, or 0 when neither signing nor sealing was negotiated.
func (s *Session) SignatureSize() int {
	if s.out == nil {
		return 0
	}
	return signatureSize
}

// Seal implements [auth.Context]. See [MS-NLMP] 3.4.6.
func (s *Session) Seal(bufs []auth.Buffer) ([]byte, error) {
	if !s.identity.Protected {
		return nil, fmt.Errorf("ntlm: seal: %w", auth.ErrNotProtected)
	}
	var sig [signatureSize]byte
	s.out.sum(bufs, &sig)
	s.out.crypt(bufs)
	s.out.finish(&sig)
	return sig[:], nil
}

// Unseal implements [auth.Context]. See [MS-NLMP] 3.4.7.
func (s *Session) Unseal(bufs []auth.Buffer, signature []byte) error {
	if !s.identity.Protected {
		return fmt.Errorf("ntlm: unseal: %w", auth.ErrNotProtected)
	}
	if s.in.broken {
		return fmt.Errorf("ntlm: a former message failed its check: %w", auth.ErrMessageAltered)
	}
	s.in.crypt(bufs)
	err := s.in.check(bufs, signature)
	if err != nil {
		for i := range bufs {
			if !bufs[i].SignOnly {
				clear(bufs[i].Data)
			}
		}
	}
	return err
}

// Sign implements [auth.Context]. See [MS-NLMP] 3.4.8.
func (s *Session) Sign(bufs []auth.Buffer) ([]byte, error) {
	if s.out == nil {
		return nil, fmt.Errorf("ntlm: sign: %w", auth.ErrNotProtected)
	}
	var sig [signatureSize]byte
	s.out.sum(bufs, &sig)
	s.out.finish(&sig)
	return sig[:], nil
}

// Verify implements [auth.Context]. See [MS-NLMP] 3.4.9.
func (s *Session) Verify(bufs []auth.Buffer, signature []byte) error {
	if s.in == nil {
		return fmt.Errorf("ntlm: verify: %w", auth.ErrNotProtected)
	}
	if s.in.broken {
		return fmt.Errorf("ntlm: a former message failed its check: %w", auth.ErrMessageAltered)
	}
	return s.in.check(bufs, signature)
}
