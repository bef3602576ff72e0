package registry

import (
	"fmt"
	"strings"
	"unicode"
)

// Limits of names, as on Windows, and of data, which are ours.
const (
	maxKeyName   = 255     // UTF-8 bytes are counted, Windows counts UTF-16 units
	maxValueName = 16383   // as above
	maxDepth     = 512     // keys below the root
	maxData      = 1 << 20 // bytes of one value
)

// SplitKey splits a key path into its parts below the root. It accepts the root as
// HKLM or HKEY_LOCAL_MACHINE in any case, and trims blanks around each backslash, as
// the documents print them. An empty result is the root itself.
func SplitKey(key string) ([]string, error) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimSpace(key), `\`), `\`)
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if !strings.EqualFold(parts[0], "HKLM") && !strings.EqualFold(parts[0], "HKEY_LOCAL_MACHINE") {
		return nil, fmt.Errorf("registry: key %q: the root must be HKLM or HKEY_LOCAL_MACHINE", clip(key))
	}
	parts = parts[1:]
	if len(parts) > maxDepth {
		return nil, fmt.Errorf("registry: key %q: %d levels, the limit is %d", clip(key), len(parts), maxDepth)
	}
	for _, p := range parts {
		if err := checkName("key", p, maxKeyName); err != nil {
			return nil, err
		}
		if p == "" {
			return nil, fmt.Errorf("registry: key %q: an empty key name", clip(key))
		}
	}
	return parts, nil
}

// JoinKey is the inverse of SplitKey, with the short root HKLM.
func JoinKey(parts ...string) string { return strings.Join(append([]string{"HKLM"}, parts...), `\`) }

func checkName(what, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("registry: %s name of %d bytes, the limit is %d", what, len(s), limit)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return fmt.Errorf("registry: %s name %q holds a control character or bad UTF-8", what, clip(s))
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// fold makes names compare without case.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 {
			return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
		}
	}
	return strings.ToLower(s)
}
