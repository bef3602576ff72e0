package wmio

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

const (
	signature = 0x12345678 // [MS-WMIO] 2.2.77
	noRef     = 0xFFFFFFFF // a HeapRef to nothing, 2.2.69
	topBit    = 0x80000000 // of heap lengths and of references into the dictionary
	inherited = 0x4000     // in a PropertyType, 2.2.32
)

// dictionary are the strings that have numbers. See [MS-WMIO] 2.2.80.
var dictionary = [...]string{`"`, "key", "", "read", "write", "volatile", "provider", "dynamic", "cimwin32", "DWORD", "CIMTYPE"}

// cursor reads from the front of b. What is not there reads as zero and makes
// the cursor short for good.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.short = nil, true
		return nil
	}
	p := c.b[:n:n]
	c.b = c.b[n:]
	return p
}

func (c *cursor) u8() uint8 {
	if p := c.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if p := c.take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if p := c.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

// counted takes what a length that counts its own four octets describes,
// without the length. See [MS-WMIO] 2.2.73.
func (c *cursor) counted() []byte {
	n := c.u32()
	if n < 4 || n > math.MaxInt32 {
		c.short = true
		return nil
	}
	return c.take(int(n) - 4)
}

// encodedString takes an Encoded-String. See [MS-WMIO] 2.2.78.
func (c *cursor) encodedString() string {
	n := stringLength(c.b)
	p := c.take(n)
	if p == nil {
		c.short = true
		return ""
	}
	return decodeString(p)
}

// stringLength is the octets of the Encoded-String at the front of b, its
// flag and terminator included, or -1.
func stringLength(b []byte) int {
	if len(b) == 0 {
		return -1
	}
	if b[0]&1 == 0 {
		if n := bytes.IndexByte(b[1:], 0); n >= 0 {
			return n + 2
		}
		return -1
	}
	for n := 1; n+2 <= len(b); n += 2 {
		if b[n] == 0 && b[n+1] == 0 {
			return n + 2
		}
	}
	return -1
}

// decodeString is the text of a whole Encoded-String.
func decodeString(p []byte) string {
	if p[0]&1 != 0 {
		units := make([]uint16, 0, (len(p)-3)/2)
		for n := 1; n+2 < len(p); n += 2 {
			units = append(units, binary.LittleEndian.Uint16(p[n:]))
		}
		return string(utf16.Decode(units))
	}
	p = p[1 : len(p)-1]
	if ascii(p) {
		return string(p)
	}
	var s strings.Builder
	s.Grow(2 * len(p))
	for _, c := range p {
		s.WriteRune(rune(c))
	}
	return s.String()
}

func ascii(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p)&0x8080808080808080 != 0 {
			return false
		}
		p = p[8:]
	}
	for _, c := range p {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// appendString appends s as an Encoded-String: one octet for each character
// where all are below U+0100, else UTF-16. The text ends at its first NUL.
func appendString(dst []byte, s string) []byte {
	if n := strings.IndexByte(s, 0); n >= 0 {
		s = s[:n]
	}
	switch widest(s) {
	case narrow:
		dst = append(dst, 0)
		return append(append(dst, s...), 0)
	case latin:
		dst = append(dst, 0)
		for _, r := range s {
			dst = append(dst, byte(r))
		}
		return append(dst, 0)
	}
	dst = append(dst, 1)
	for _, r := range s {
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(hi))
			dst = binary.LittleEndian.AppendUint16(dst, uint16(lo))
			continue
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(r))
	}
	return append(dst, 0, 0)
}

// The widths of a text.
const (
	narrow = iota // ASCII
	latin         // below U+0100
	wide
)

func widest(s string) int {
	for n := 0; n < len(s); n++ {
		if s[n] < utf8.RuneSelf {
			continue
		}
		for _, r := range s[n:] {
			if r > 0xFF {
				return wide
			}
		}
		return latin
	}
	return narrow
}

// stringSize is the octets that appendString appends.
func stringSize(s string) int {
	if n := strings.IndexByte(s, 0); n >= 0 {
		s = s[:n]
	}
	switch widest(s) {
	case narrow:
		return len(s) + 2
	case latin:
		return utf8.RuneCountInString(s) + 2
	}
	n := 3
	for _, r := range s {
		n += 2 * utf16.RuneLen(r)
	}
	return n
}

// slotSize is the octets that a value of type t takes where it stands, 0 for
// a type that does not exist. See [MS-WMIO] 2.2.71.
func slotSize(t cim.Type) int {
	n := 0
	switch e := t.Elem(); e {
	case cim.String, cim.Datetime, cim.Reference, cim.Object:
		n = 4
	case cim.Boolean:
		n = 2
	default:
		n = e.Bits() / 8
	}
	if t.IsArray() && n > 0 {
		return 4
	}
	return n
}

// cimType reads a CimType, of which the upper half is not used.
func cimType(raw uint32) (t cim.Type, isInherited bool, err error) {
	t = cim.Type(raw & 0xFFFF)
	isInherited = t&inherited != 0
	t &^= inherited
	if t&^(cim.ArrayFlag|0xFF) != 0 || slotSize(t) == 0 {
		return 0, false, malformed("a type that does not exist")
	}
	return t, isInherited, nil
}
