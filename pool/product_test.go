package pool

import (
	"strings"
	"testing"
	"unicode"
)

// FuzzProduct reads whatever a host may say of itself in Identify.
func FuzzProduct(f *testing.F) {
	f.Add("Microsoft Corporation", "OS: 6.1.7601 SP: 1.0 Stack: 2.0")
	f.Add("Microsoft", "OS: OS: Stack:")
	f.Add("", "OS: \x1b[2J Stack: 99999999999999999999.1.-1")
	f.Fuzz(func(t *testing.T, vendor, version string) {
		p := parseProduct(vendor, version)
		for _, s := range []string{p.os, p.stack} {
			if len([]rune(s)) > maxWord+1 || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%q gives %q", version, s)
			}
		}
		_ = p.tooOld()
		_ = releaseOf(p.os)
	})
}
