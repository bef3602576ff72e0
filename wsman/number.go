package wsman

import (
	"strconv"
	"strings"
)

// parseUint reads an xs:unsignedLong of up to the given number of bits.
func parseUint(s string, bits int) (uint64, bool) {
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(s), "+"), 10, bits)
	return v, err == nil
}

// clip shortens text of the peer for a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80]
	}
	return s
}
