package soap

import (
	"encoding/binary"
	"unicode/utf8"
)

// Classes of bytes. A name is scanned by class[b]&cName; the classes are
// or-ed together, so that one test afterwards tells whether the slow check of
// a name outside ASCII is needed.
const (
	cName  = 1 << iota // may stand in a name (not the colon)
	cStart             // may start a name
	cWide              // part of a multi-byte character
	cSpace             // blank, tab, CR, LF
	cText              // ends the fast scan of text: < & CR ]
	cAttr              // ends the fast scan of an attribute value: < & tab CR LF
)

var class = func() (t [256]uint8) {
	for c := 'a'; c <= 'z'; c++ {
		t[c] = cName | cStart
		t[c-32] = cName | cStart
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = cName
	}
	t['_'] = cName | cStart
	t['-'] |= cName
	t['.'] |= cName
	for c := 0x80; c < 0x100; c++ {
		t[c] = cName | cStart | cWide
	}
	for _, c := range " \t\r\n" {
		t[c] |= cSpace
	}
	for _, c := range "<&\r]" {
		t[c] |= cText
	}
	for _, c := range "<&\t\r\n" {
		t[c] |= cAttr
	}
	return t
}()

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// invalidChar returns the offset of the first byte that is not part of a
// valid UTF-8 sequence of XML characters, or -1.
// See XML 1.0 section 2.2.
func invalidChar(b []byte) int {
	i := 0
	for i < len(b) {
		i += plainASCII(b[i:])
		for end := min(i+8, len(b)); i < end; {
			n := charLen(b[i:])
			if n == 0 {
				return i
			}
			i += n
		}
	}
	return -1
}

// plainASCII returns how many bytes at the start of b, in steps of eight, are
// ASCII and no control character. A byte below 0x20 borrows and so gets its
// high bit set; bytes above a borrow do not matter any more.
func plainASCII(b []byte) int {
	i := 0
	for ; i+32 <= len(b); i += 32 {
		c := b[i : i+32 : i+32]
		x, y := binary.LittleEndian.Uint64(c), binary.LittleEndian.Uint64(c[8:])
		v, w := binary.LittleEndian.Uint64(c[16:]), binary.LittleEndian.Uint64(c[24:])
		if (x|y|v|w|(x-ones*0x20)|(y-ones*0x20)|(v-ones*0x20)|(w-ones*0x20))&highs != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		if (x|(x-ones*0x20))&highs != 0 {
			break
		}
	}
	return i
}

// charLen returns the length of the XML character at the start of b, or 0.
func charLen(b []byte) int {
	c := b[0]
	if c < utf8.RuneSelf {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return 0
		}
		return 1
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n <= 1 || !isChar(r) {
		return 0
	}
	return n
}

// isChar reports whether r is a character of XML 1.0.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// validWideName checks a name that has characters outside ASCII. The bytes
// are known to be valid UTF-8. See XML 1.0 (fifth edition) section 2.3.
func validWideName(name []byte) bool {
	first := true
	for len(name) > 0 {
		r, n := utf8.DecodeRune(name)
		name = name[n:]
		if r < utf8.RuneSelf {
			first = false // the scan has checked it
			continue
		}
		if !isNameStart(r) && (first || !isNameRest(r)) {
			return false
		}
		first = false
	}
	return true
}

func isNameStart(r rune) bool {
	return r >= 0xC0 && r <= 0xD6 || r >= 0xD8 && r <= 0xF6 || r >= 0xF8 && r <= 0x2FF ||
		r >= 0x370 && r <= 0x37D || r >= 0x37F && r <= 0x1FFF || r >= 0x200C && r <= 0x200D ||
		r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF || r >= 0x3001 && r <= 0xD7FF ||
		r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

func isNameRest(r rune) bool {
	return r == 0xB7 || r >= 0x300 && r <= 0x36F || r >= 0x203F && r <= 0x2040
}

// IsName reports whether s is an XML name without a colon.
func IsName(s string) bool {
	if s == "" || class[s[0]]&cStart == 0 {
		return false
	}
	all := uint8(0)
	for i := 0; i < len(s); i++ {
		if class[s[i]]&cName == 0 {
			return false
		}
		all |= class[s[i]]
	}
	if all&cWide == 0 {
		return true
	}
	return utf8.ValidString(s) && validWideName([]byte(s))
}

// IsSpace reports whether b holds nothing but XML white space.
func IsSpace(b []byte) bool {
	for _, c := range b {
		if class[c]&cSpace == 0 {
			return false
		}
	}
	return true
}

// TrimSpace removes XML white space on both sides.
func TrimSpace(b []byte) []byte {
	for len(b) > 0 && class[b[0]]&cSpace != 0 {
		b = b[1:]
	}
	for len(b) > 0 && class[b[len(b)-1]]&cSpace != 0 {
		b = b[:len(b)-1]
	}
	return b
}
