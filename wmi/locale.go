package wmi

import "strings"

// ParseLocales reads a list of preferred locales with commas between them. A locale is MS_ with the hexadecimal LCID, MS_409, or a name, en-US.
// ErrInvalidParameter. See [MS-WMI] 2.2.29.
func ParseLocales(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	locales := strings.Split(s, ",")
	for i, l := range locales {
		locales[i] = strings.TrimSpace(l)
		if !isLCID(locales[i]) && !isLocaleName(locales[i]) {
			return nil, invalid("the locale %.40q is neither MS_ with a hexadecimal number nor a name such as en-US", l)
		}
	}
	return locales, nil
}

func isLCID(s string) bool {
	digits, ok := cutPrefixFold(s, "MS_")
	return ok && len(digits) >= 1 && len(digits) <= 8 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// isLocaleName tells whether s looks like a name of [MS-LCID]: a language of two or three letters and subtags.
func isLocaleName(s string) bool {
	language, rest, more := strings.Cut(s, "-")
	if len(language) < 2 || len(language) > 3 || !isAlphanumeric(language) || strings.ContainsAny(language, "0123456789") {
		return false
	}
	for more {
		var tag string
		tag, rest, more = strings.Cut(rest, "-")
		if len(tag) < 1 || len(tag) > 8 || !isAlphanumeric(tag) {
			return false
		}
	}
	return true
}

func isAlphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return true
}
