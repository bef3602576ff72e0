package bus

import (
	"fmt"
	"strconv"
	"strings"
)

// Token makes a part of a key or topic of any text: small letters, digits, - and
// _ stay, every other octet becomes = and two hexadecimal digits. "" is "=".
func Token(text string) string {
	if text == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// Text reads what Token made; ok is false for what it would not have made.
func Text(token string) (text string, ok bool) {
	var b strings.Builder
	if token != "=" {
		for i := 0; i < len(token); i++ {
			if token[i] != '=' {
				b.WriteByte(token[i])
				continue
			}
			if i+3 > len(token) {
				return "", false
			}
			n, err := strconv.ParseUint(token[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 2
		}
	}
	return b.String(), Token(b.String()) == token
}
