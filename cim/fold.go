package cim

import (
	"strings"
	"unicode/utf8"
)

// Fold lower-cases a CIM name for comparison; names compare case-blind. Plain
// lower-case ASCII is returned as it is, without an allocation.
func Fold(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf {
			return strings.ToLower(s)
		}
	}
	return s
}

// EqualFold tells whether two CIM names are the same, case-blind.
func EqualFold(a, b string) bool {
	return a == b || strings.EqualFold(a, b)
}

// foldInto lower-cases the ASCII name s into buf; ok is false where s is
// longer than buf or not ASCII.
func foldInto(buf []byte, s string) (folded []byte, ok bool) {
	if len(s) > len(buf) {
		return nil, false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return nil, false
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return buf[:len(s)], true
}
