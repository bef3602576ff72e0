package krb5

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"io"

	"github.com/casementhq/casement/auth"
)

// Sizes of tokens of [RFC4757] 7.2 and 7.3, with the GSS header in front.
const (
	rc4GSSHeader = 13 // tag, length and object identifier
	rc4MICSize   = rc4GSSHeader + 24
	rc4WrapSize  = rc4GSSHeader + 32
	rc4SaltMIC   = 15
	rc4SaltWrap  = 13
)

// rc4Session protects one direction with RC4-HMAC.
type rc4Session struct {
	checksumKey, numberKey, dataKey []byte // derived from the session's key
	fromInitiator                   bool
	dce                             bool
	random                          io.Reader
}

func newRC4(key []byte, fromInitiator, dce bool) *rc4Session {
	local := make([]byte, len(key))
	for i, b := range key {
		local[i] = b ^ 0xF0
	}
	var zero [4]byte
	return &rc4Session{
		checksumKey: hmacMD5(key, []byte("signaturekey\x00")), numberKey: hmacMD5(key, zero[:]), dataKey: hmacMD5(local, zero[:]),
		fromInitiator: fromInitiator, dce: dce, random: rand.Reader,
	}
}

func (r *rc4Session) sizes() (sign, seal int) { return rc4MICSize, rc4WrapSize }

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// stream is the cipher of a key, which always has 16 bytes.
func stream(key []byte) *rc4.Cipher {
	c, err := rc4.NewCipher(key)
	if err != nil {
		panic("krb5: " + err.Error())
	}
	return c
}

// frame writes the GSS header of a token over a message of which rest bytes stand elsewhere: they count, but not in DCE style. See
// [MS-KILE] 3.4.5.4.1 and 4.5.
func (r *rc4Session) frame(inner []byte, rest int) []byte {
	n := 11 + len(inner)
	if !r.dce {
		n += rest
	}
	b := []byte{0x60}
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	case n < 0x10000:
		b = append(b, 0x82, byte(n>>8), byte(n))
	case n < 0x1000000:
		b = append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		b = append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	b = append(b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02)
	return append(b, inner...)
}

// unframe undoes frame and returns the n bytes of the token itself.
func (r *rc4Session) unframe(token []byte, n, rest int) ([]byte, error) {
	if len(token) < n {
		return nil, errLength
	}
	inner := token[len(token)-n:]
	if !bytes.Equal(r.frame(inner, rest), token) {
		return nil, errHeader
	}
	return inner, nil
}

// checksum is the first half of an HMAC over the MD5 of everything. See [RFC4757] 7.2 and 7.3.
func (r *rc4Session) checksum(salt uint32, header, confounder []byte, bufs []auth.Buffer) []byte {
	h := md5.New()
	var s [4]byte
	binary.LittleEndian.PutUint32(s[:], salt)
	h.Write(s[:])
	h.Write(header)
	h.Write(confounder)
	for i := range bufs {
		h.Write(bufs[i].Data)
	}
	return hmacMD5(r.checksumKey, h.Sum(nil))[:8]
}

// plainNumber gives the sequence number and the direction, plain: encrypting it twice decrypts it.
func (r *rc4Session) plainNumber(sequence uint64) [8]byte {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], uint32(sequence))
	if !r.fromInitiator {
		copy(b[4:], []byte{0xFF, 0xFF, 0xFF, 0xFF})
	}
	return b
}

func (r *rc4Session) cryptNumber(b, checksum []byte) {
	stream(hmacMD5(r.numberKey, checksum)).XORKeyStream(b, b)
}

func (r *rc4Session) number(signature []byte) uint64 {
	for _, n := range []int{24, 32} { // MIC, wrap
		if inner := signature[max(0, len(signature)-n):]; len(inner) == n && (inner[0] == micHeader[0]) == (n == 24) {
			b := [8]byte(inner[8:16])
			r.cryptNumber(b[:], inner[16:24])
			return uint64(binary.BigEndian.Uint32(b[:]))
		}
	}
	return 0
}

// cipher encrypts confounder and data of one message.
func (r *rc4Session) cipher(sequence uint64) *rc4.Cipher {
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], uint32(sequence))
	return stream(hmacMD5(r.dataKey, number[:]))
}

func xor(c *rc4.Cipher, bufs []auth.Buffer) {
	for i := range bufs {
		if !bufs[i].SignOnly {
			c.XORKeyStream(bufs[i].Data, bufs[i].Data)
		}
	}
}

var (
	micHeader  = []byte{0x01, 0x01, 0x11, 0x00, 0xFF, 0xFF, 0xFF, 0xFF}
	wrapHeader = []byte{0x02, 0x01, 0x11, 0x00, 0x10, 0x00, 0xFF, 0xFF}
)

var errPadding = errors.New("the message does not end with the byte of padding that RC4 has")

// padding finds the last byte of the data, which is padding outside of DCE style.
func (r *rc4Session) padding(bufs []auth.Buffer) *byte {
	for i := len(bufs) - 1; i >= 0; i-- {
		if n := len(bufs[i].Data); !bufs[i].SignOnly && n > 0 {
			return &bufs[i].Data[n-1]
		}
	}
	return nil
}

func (r *rc4Session) seal(bufs []auth.Buffer, sequence uint64) ([]byte, error) {
	if !r.dce {
		// Whoever does not know [auth.Padder] does not end messages with a NUL, and nothing of theirs is overwritten.
		pad := r.padding(bufs)
		if pad == nil || *pad != 0 {
			return nil, errPadding
		}
		*pad = 1
	}
	inner := make([]byte, 0, 32)
	inner = append(inner, wrapHeader...)
	var confounder [rc4ConfounderSize]byte
	if _, err := io.ReadFull(r.random, confounder[:]); err != nil {
		return nil, err
	}
	sum := r.checksum(rc4SaltWrap, wrapHeader, confounder[:], bufs)
	number := r.plainNumber(sequence)
	r.cryptNumber(number[:], sum)
	c := r.cipher(sequence)
	c.XORKeyStream(confounder[:], confounder[:])
	xor(c, bufs)
	inner = append(append(append(inner, number[:]...), sum...), confounder[:]...)
	return r.frame(inner, sealedSize(bufs)), nil
}

func (r *rc4Session) unseal(bufs []auth.Buffer, signature []byte, sequence uint64) error {
	inner, err := r.unframe(signature, 32, sealedSize(bufs))
	if err != nil {
		return err
	}
	if err := r.opens(inner, wrapHeader, sequence); err != nil {
		return err
	}
	var confounder [rc4ConfounderSize]byte
	c := r.cipher(sequence)
	c.XORKeyStream(confounder[:], inner[24:32])
	xor(c, bufs)
	if !hmac.Equal(inner[16:24], r.checksum(rc4SaltWrap, wrapHeader, confounder[:], bufs)) {
		return errForgery
	}
	if !r.dce {
		pad := r.padding(bufs)
		if pad == nil || *pad != 1 {
			return errPadding
		}
		*pad = 0
	}
	return nil
}

// opens checks header and number of a token.
func (r *rc4Session) opens(inner, header []byte, sequence uint64) error {
	if !bytes.Equal(inner[:8], header) {
		return errHeader
	}
	got := [8]byte(inner[8:16])
	r.cryptNumber(got[:], inner[16:24])
	if got != r.plainNumber(sequence) {
		return errNumber
	}
	return nil
}

func (r *rc4Session) sign(bufs []auth.Buffer, sequence uint64) ([]byte, error) {
	sum := r.checksum(rc4SaltMIC, micHeader, nil, bufs)
	number := r.plainNumber(sequence)
	r.cryptNumber(number[:], sum)
	inner := append(append(bytes.Clone(micHeader), number[:]...), sum...)
	return r.frame(inner, 0), nil
}

func (r *rc4Session) verify(bufs []auth.Buffer, signature []byte, sequence uint64) error {
	inner, err := r.unframe(signature, 24, 0)
	if err != nil {
		return err
	}
	if err := r.opens(inner, micHeader, sequence); err != nil {
		return err
	}
	if !hmac.Equal(inner[16:24], r.checksum(rc4SaltMIC, micHeader, nil, bufs)) {
		return errForgery
	}
	return nil
}
