package soap

import "unicode/utf8"

// esc tells which bytes need attention: 1 in text and attribute values, 2 in
// attribute values only.
var esc = func() (t [256]uint8) {
	for c := range 0x20 {
		t[c] = 1
	}
	t['\t'], t['\n'] = 2, 2
	t['"'] = 2
	t['<'], t['>'], t['&'] = 1, 1, 1
	for c := 0x80; c < 0x100; c++ {
		t[c] = 1
	}
	return t
}()

// appendEscaped appends s as character data or, between double quotes, as an
// attribute value. Control characters other than tab, CR and LF become a
// question mark, as Windows writes them; bytes that are not UTF-8, and the two
// characters that XML lacks, become U+FFFD. CR is written as a reference, for
// a reader would turn it into LF. See [MS-WSMV] 3.1.4.1.
func appendEscaped[T string | []byte](dst []byte, s T, attr bool) []byte {
	mask := uint8(1)
	if attr {
		mask = 3
	}
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if esc[c]&mask == 0 {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := decodeRune(s[i:])
			if r == utf8.RuneError && n <= 1 || !isChar(r) {
				dst = append(dst, s[from:i]...)
				dst = append(dst, "\uFFFD"...)
				from = i + n
			}
			i += n
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '&':
			dst = append(dst, "&amp;"...)
		case '"':
			dst = append(dst, "&quot;"...)
		case '\t':
			dst = append(dst, "&#x9;"...)
		case '\n':
			dst = append(dst, "&#xA;"...)
		case '\r':
			dst = append(dst, "&#xD;"...)
		default:
			dst = append(dst, '?')
		}
		i++
		from = i
	}
	return append(dst, s[from:]...)
}

func decodeRune[T string | []byte](s T) (rune, int) {
	var b [utf8.UTFMax]byte
	n := copy(b[:], s)
	return utf8.DecodeRune(b[:n])
}
