package soap

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is the character encoding of a document. An answer is sent in the
// encoding of its request.
type Encoding uint8

// The encodings that WS-Management permits.
const (
	UTF8 Encoding = iota
	UTF16LE
	UTF16BE
)

func (e Encoding) String() string {
	if e == UTF8 {
		return "UTF-8"
	}
	return "UTF-16"
}

// ToUTF8 removes the byte order mark and transcodes UTF-16. The encoding is
// taken from the byte order mark, else from the charset parameter of the
// content type ("" if it had none; case does not matter), else from the first
// bytes. UTF-8 input is returned without being copied. Unpaired surrogates,
// an odd number of bytes and other charsets are errors that wrap ErrEncoding.
func ToUTF8(data []byte, charset string) ([]byte, Encoding, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		return data[3:], UTF8, nil
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		out, err := fromUTF16(data[2:], false)
		return out, UTF16LE, err
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		out, err := fromUTF16(data[2:], true)
		return out, UTF16BE, err
	}
	little := len(data) >= 2 && data[0] == '<' && data[1] == 0
	big := len(data) >= 2 && data[0] == 0 && data[1] == '<'
	switch strings.ToLower(charset) {
	case "utf-8", "utf8", "us-ascii":
		return data, UTF8, nil
	case "":
		if !little && !big {
			return data, UTF8, nil
		}
	case "utf-16", "utf16":
		// Without a mark, the first bytes tell; little-endian is what
		// Windows means.
	case "utf-16le":
		big = false
	case "utf-16be":
		big = true
	default:
		return nil, UTF8, &SyntaxError{Msg: "charset is neither UTF-8 nor UTF-16", Err: ErrEncoding}
	}
	if big {
		out, err := fromUTF16(data, true)
		return out, UTF16BE, err
	}
	out, err := fromUTF16(data, false)
	return out, UTF16LE, err
}

func fromUTF16(b []byte, big bool) ([]byte, error) {
	if len(b)%2 != 0 {
		return nil, &SyntaxError{Offset: len(b), Msg: "UTF-16 text of an odd number of bytes", Err: ErrEncoding}
	}
	unit := func(i int) rune {
		if big {
			return rune(b[i])<<8 | rune(b[i+1])
		}
		return rune(b[i+1])<<8 | rune(b[i])
	}
	out := make([]byte, 0, len(b)/2+len(b)/16)
	for i := 0; i < len(b); i += 2 {
		u := unit(i)
		switch {
		case u < utf8.RuneSelf:
			out = append(out, byte(u))
		case !utf16.IsSurrogate(u):
			out = utf8.AppendRune(out, u)
		default:
			r := utf8.RuneError
			if i+3 < len(b) {
				r = utf16.DecodeRune(u, unit(i+2))
			}
			if r == utf8.RuneError {
				return nil, &SyntaxError{Offset: i, Msg: "unpaired UTF-16 surrogate", Err: ErrEncoding}
			}
			out = utf8.AppendRune(out, r)
			i += 2
		}
	}
	return out, nil
}

// AppendEncoded appends UTF-8 text to dst in the given encoding. UTF-16 gets
// a byte order mark first.
func AppendEncoded(dst, text []byte, e Encoding) []byte {
	if e == UTF8 {
		return append(dst, text...)
	}
	put := func(u uint16) {
		if e == UTF16BE {
			dst = append(dst, byte(u>>8), byte(u))
		} else {
			dst = append(dst, byte(u), byte(u>>8))
		}
	}
	put(0xFEFF)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		if r < 0x10000 {
			put(uint16(r))
			continue
		}
		hi, lo := utf16.EncodeRune(r)
		put(uint16(hi))
		put(uint16(lo))
	}
	return dst
}
