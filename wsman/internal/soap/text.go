package soap

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// fastText is how far text is scanned before the search for the next tag is
// left to bytes.IndexByte.
const fastText = 128

// special returns the offset at or after i of the first byte that ends the
// fast scan of text (< & CR ]); stop if there is none before it, or the offset
// where the scan gave up.
func special(d []byte, i, stop int) int {
	for ; i+8 <= stop; i += 8 {
		x := binary.LittleEndian.Uint64(d[i:])
		lt, amp, cr, end := x^ones*'<', x^ones*'&', x^ones*'\r', x^ones*']'
		// The lowest high bit marks the first match; those above it may be false.
		m := ((lt-ones)&^lt | (amp-ones)&^amp | (cr-ones)&^cr | (end-ones)&^end) & highs
		if m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < stop && class[d[i]]&cText == 0 {
		i++
	}
	return i
}

// readText reads character data up to the next tag. It reports false for
// white space outside the document element, which gives no token.
func (r *Reader) readText() (bool, error) {
	d, p := r.data, r.pos
	i := special(d, p, min(len(d), p+fastText))
	if i < len(d) && d[i] == '<' {
		r.text = d[p:i:i]
	} else {
		n := bytes.IndexByte(d[i:], '<')
		if n < 0 {
			n = len(d) - i
		}
		raw := d[p : i+n : i+n]
		i += n
		r.text = raw
		if bytes.IndexByte(raw, '&') >= 0 || bytes.IndexByte(raw, '\r') >= 0 || bytes.IndexByte(raw, ']') >= 0 {
			if err := r.decodeText(raw, p); err != nil {
				return false, err
			}
		}
	}
	r.pos = i
	if len(r.stack) == 0 && !r.inner {
		if !IsSpace(d[p:i]) {
			return false, r.fail(p, "text outside the document element", nil)
		}
		return false, nil
	}
	return true, nil
}

// decodeText resolves references and normalises line ends.
func (r *Reader) decodeText(raw []byte, at int) error {
	if i := bytes.Index(raw, []byte("]]>")); i >= 0 {
		return r.fail(at+i, "]]> in text", nil)
	}
	buf := r.buf[:0]
	for k := 0; k < len(raw); {
		n := bytes.IndexByte(raw[k:], '&')
		if n < 0 {
			n = len(raw) - k
		}
		buf = appendLines(buf, raw[k:k+n])
		if k += n; k >= len(raw) {
			break
		}
		var m int
		var err error
		if buf, m, err = r.reference(buf, raw[k:], at+k); err != nil {
			return err
		}
		k += m
	}
	r.buf, r.text = buf, buf
	return nil
}

// appendLines appends text with CR LF and CR turned into LF.
func appendLines(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\r')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(append(dst, s[:i]...), '\n')
		s = s[i+1:]
		if len(s) > 0 && s[0] == '\n' {
			s = s[1:]
		}
	}
}

// reference resolves the reference at the start of s and returns its length.
// Only the five predefined entities and character references exist.
func (r *Reader) reference(dst, s []byte, at int) ([]byte, int, error) {
	// The longest is &#x0010FFFF; with room for some leading zeros.
	end := bytes.IndexByte(s[:min(len(s), 16)], ';')
	if end < 2 {
		return dst, 0, r.fail(at, "& is not the start of a reference", nil)
	}
	name := s[1:end]
	if name[0] != '#' {
		switch string(name) {
		case "lt":
			return append(dst, '<'), end + 1, nil
		case "gt":
			return append(dst, '>'), end + 1, nil
		case "amp":
			return append(dst, '&'), end + 1, nil
		case "quot":
			return append(dst, '"'), end + 1, nil
		case "apos":
			return append(dst, '\''), end + 1, nil
		}
		return dst, 0, r.fail(at, "entity is not declared", nil)
	}
	digits, base := name[1:], rune(10)
	if len(digits) > 0 && digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	v, ok := rune(0), len(digits) > 0
	for _, c := range digits {
		n := rune(strings.IndexByte("0123456789abcdef", c|0x20))
		if c < 'A' {
			n = rune(c) - '0'
		}
		if n < 0 || n >= base || v > utf8.MaxRune {
			ok = false
			break
		}
		v = v*base + n
	}
	if !ok || !isChar(v) {
		return dst, 0, r.fail(at, "character reference to no XML character", nil)
	}
	return utf8.AppendRune(dst, v), end + 1, nil
}
