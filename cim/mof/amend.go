package mof

import (
	"strconv"
	"strings"
)

// ParseLocale reads the name of a locale, "MS_409": the hexadecimal number of
// a language. The namespace of its texts is the name in lower case.
func ParseLocale(name string) (language uint16, ok bool) {
	if len(name) < 4 || !strings.EqualFold(name[:3], "MS_") {
		return 0, false
	}
	n, err := strconv.ParseUint(name[3:], 16, 16)
	return uint16(n), err == nil
}
