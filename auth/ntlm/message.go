package ntlm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"github.com/casementhq/casement/auth"
)

// maxToken bounds a whole message. Real ones stay below 2 kB.
const maxToken = 1 << 16

// signature opens every message. See [MS-NLMP] 2.2.1.
var signature = []byte("NTLMSSP\x00")

// version is what we put where a message has room for it: no product, revision 15. See [MS-NLMP] 2.2.2.10.
var version = [8]byte{0: 10, 7: 15}

// message types
const (
	typeNegotiate    = 1
	typeChallenge    = 2
	typeAuthenticate = 3
)

func badToken(format string, args ...any) error {
	return fmt.Errorf("ntlm: %s: %w", fmt.Sprintf(format, args...), auth.ErrBadToken)
}

// header checks signature, type and length of a message.
func header(b []byte, messageType uint32, least int) error {
	switch {
	case len(b) > maxToken:
		return badToken("message of %d bytes, at most %d are accepted", len(b), maxToken)
	case len(b) < least || !bytes.HasPrefix(b, signature):
		return badToken("not an NTLM message")
	}
	if got := binary.LittleEndian.Uint32(b[8:]); got != messageType {
		return badToken("message type %d, expected %d", got, messageType)
	}
	return nil
}

// field returns the payload that the eight bytes at position at describe; it aliases b. Payloads may not
// reach into the fixed part, whose length is fixed.
func field(b []byte, at, fixed int) ([]byte, error) {
	n := int(binary.LittleEndian.Uint16(b[at:]))
	if n == 0 {
		return nil, nil
	}
	off := int64(binary.LittleEndian.Uint32(b[at+4:]))
	if off < int64(fixed) || off+int64(n) > int64(len(b)) {
		return nil, badToken("field at %d lies outside of the message", at)
	}
	return b[off : off+int64(n)], nil
}

// writer lays out a message: a fixed part first, payloads behind it.
type writer struct{ b []byte }

func newWriter(messageType uint32, fixed int) *writer {
	w := &writer{b: make([]byte, fixed, 512)}
	copy(w.b, signature)
	binary.LittleEndian.PutUint32(w.b[8:], messageType)
	return w
}

func (w *writer) uint32(at int, v uint32) { binary.LittleEndian.PutUint32(w.b[at:], v) }

// field appends a payload and describes it at position at.
func (w *writer) field(at int, payload []byte) error {
	if len(payload) > 0xffff {
		return fmt.Errorf("ntlm: field of %d bytes does not fit into a message", len(payload))
	}
	binary.LittleEndian.PutUint16(w.b[at:], uint16(len(payload)))
	binary.LittleEndian.PutUint16(w.b[at+2:], uint16(len(payload)))
	w.uint32(at+4, uint32(len(w.b)))
	w.b = append(w.b, payload...)
	return nil
}

// text decodes a name in the negotiated character set. OEM names are taken if they are ASCII, the part that
// all OEM code pages have in common.
func text(b []byte, flags uint32) (string, error) {
	if flags&flagUnicode != 0 {
		return fromUTF16(b)
	}
	for _, c := range b {
		if c >= 0x80 || c == 0 {
			return "", badToken("name in an OEM character set is not ASCII")
		}
	}
	return string(b), nil
}

// encodeText is the inverse of text.
func encodeText(s string, flags uint32) []byte {
	if flags&flagUnicode != 0 {
		return utf16le(s)
	}
	return []byte(s)
}

func fromUTF16(b []byte) (string, error) {
	if len(b)%2 != 0 {
		return "", badToken("name of %d bytes is not UTF-16", len(b))
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
		if units[i] == 0 {
			return "", badToken("name with a null character")
		}
	}
	s := string(utf16.Decode(units))
	if !bytes.Equal(utf16le(s), b) {
		return "", badToken("name is not valid UTF-16")
	}
	return s, nil
}
