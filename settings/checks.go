package settings

import (
	"strings"

	"github.com/casementhq/casement/security"
)

// checkURLPrefix accepts letters, digits, _ and /, not blank, without / at either end.
// See [MS-WSMV] 2.2.4.6.
func checkURLPrefix(s string) (string, string) {
	if s == "" {
		return "", "is blank"
	}
	if s[0] == '/' || s[len(s)-1] == '/' {
		return "", "begins or ends with /"
	}
	for _, c := range []byte(s) {
		if !isAlnum(c) && c != '_' && c != '/' {
			return "", "holds something else than letters, digits, _ and /"
		}
	}
	return s, ""
}

// checkCbt accepts the levels in any case. See [MS-WSMV] 2.2.4.34.
func checkCbt(s string) (string, string) {
	for _, level := range []string{"Strict", "Relaxed", "None"} {
		if strings.EqualFold(strings.TrimSpace(s), level) {
			return level, ""
		}
	}
	return "", "is not Strict, Relaxed or None"
}

// checkThumbprint accepts a SHA-1 thumbprint of 40 hexadecimal digits, with the blanks
// that the certificate dialog prints, or nothing.
func checkThumbprint(s string) (string, string) {
	s = strings.ToUpper(strings.ReplaceAll(s, " ", ""))
	if s != "" && !isThumbprint(s) {
		return "", "is not a thumbprint of 40 hexadecimal digits"
	}
	return s, ""
}

func checkSDDL(s string) (string, string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", "is blank"
	}
	if _, err := security.ParseSDDL(s); err != nil {
		return "", "is not a security descriptor: " + err.Error()
	}
	return s, ""
}

func isThumbprint(s string) bool {
	if len(s) != 40 {
		return false
	}
	for _, c := range []byte(s) {
		if !isHex(c) {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
