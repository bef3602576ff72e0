package lists

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool"
)

// CheckName tells whether something is a host name or an address. A host name has
// labels of letters, digits, hyphens and underscores, and its last is no number.
func CheckName(name string) error {
	if isAddress(name) || isHostName(name) {
		return nil
	}
	return fmt.Errorf("%s is not a name or an address", quoted(name))
}

// quoted is a text for a message: on one line, and not endless.
func quoted(s string) string {
	const most = 80
	if len(s) > most {
		cut := most
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		return fmt.Sprintf("%q…", s[:cut])
	}
	return fmt.Sprintf("%q", s)
}

func isAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for _, c := range []byte(l) {
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != "" // else it is a broken address
}

// CheckTag tells whether something can be a tag: up to 64 octets of printable
// characters, without spaces and what stands between tags in lists and filters.
func CheckTag(tag string) error {
	if tag == "" || len(tag) > 64 || strings.ContainsAny(tag, "|,:;\"'") ||
		strings.ContainsFunc(tag, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return fmt.Errorf("%s cannot be a tag: one has up to 64 letters, without spaces, quotes and | , : ;", quoted(tag))
	}
	return nil
}

// check looks at what a list says of a server, and writes it as the pool does.
func check(s *pool.Server) error {
	s.Name, s.Address = strings.TrimSuffix(s.Name, "."), strings.TrimSuffix(s.Address, ".")
	if err := CheckName(s.Name); err != nil {
		return err
	}
	if s.Address != "" {
		if err := CheckName(s.Address); err != nil {
			return err
		}
	}
	if len(s.Tags) > maxTags {
		return fmt.Errorf("%s has more than %d tags", s.Name, maxTags)
	}
	for _, t := range s.Tags {
		if err := CheckTag(t); err != nil {
			return err
		}
	}
	if err := checkEndpoint(s.Endpoint); err != nil {
		return err
	}
	switch s.Transport {
	case pool.Automatic, pool.WinRM, pool.DCOM, pool.Both:
	default:
		return fmt.Errorf("%s is not a transport; there are winrm, dcom and both", quoted(string(s.Transport)))
	}
	if s.Thumbprint != "" {
		pin := strings.NewReplacer(":", "", " ", "").Replace(s.Thumbprint)
		if b, err := hex.DecodeString(pin); err != nil || len(b) != 32 {
			return fmt.Errorf("%s is not a thumbprint, which is SHA-256 in 64 hexadecimal digits", quoted(s.Thumbprint))
		}
	}
	if err := s.Clean(); err != nil {
		if c := (*cim.Error)(nil); errors.As(err, &c) {
			return fmt.Errorf("%s: %s", quoted(s.Name), c.Detail)
		}
		return err
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || CheckName(u.Hostname()) != nil {
		return fmt.Errorf("%s is not an endpoint, as in https://web01.corp.example:5986/wsman", quoted(endpoint))
	}
	if port := u.Port(); port != "" {
		if _, err := net.LookupPort("tcp", port); err != nil {
			return fmt.Errorf("%s is not an endpoint: its port is not one", quoted(endpoint))
		}
	}
	return nil
}
