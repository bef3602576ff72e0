package pool

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/casementhq/casement/cim"
)

// Limits of what is written about a server, in octets and pieces.
const (
	longestName = 253
	maxTags     = 64
	maxTag      = 64
	maxNote     = 4096
	maxFormer   = 16
)

// Clean brings an entry into its one form and tells what is wrong with it:
// cim.ErrInvalidParameter. Blanks around are taken off, tags are sorted and stand
// once, the thumbprint is in small letters and without colons.
func (s *Server) Clean() error {
	s.Name, s.Address, s.Endpoint = strings.TrimSpace(s.Name), strings.TrimSpace(s.Address), strings.TrimSpace(s.Endpoint)
	s.Thumbprint = strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(s.Thumbprint))
	s.Transport = Transport(strings.ToLower(string(s.Transport)))
	for n := range s.Tags {
		s.Tags[n] = strings.ToLower(strings.TrimSpace(s.Tags[n]))
	}
	slices.Sort(s.Tags)
	s.Tags = slices.Compact(s.Tags)
	switch {
	case !isHost(s.Name):
		return s.wrong("this is not a name or an address")
	case s.Address != "" && !isHost(s.Address):
		return s.wrong("its address " + s.Address + " is not a name or an address")
	case s.Endpoint != "" && !isEndpoint(s.Endpoint):
		return s.wrong("its endpoint is not a URL of WinRM, as https://" + s.Name + ":5986/wsman is")
	case !slices.Contains([]Transport{Automatic, WinRM, DCOM, Both}, s.Transport):
		return s.wrong("its transport is not winrm, dcom, both or empty")
	case s.Thumbprint != "" && !isSHA256(s.Thumbprint):
		return s.wrong("its thumbprint is not a SHA-256 in hexadecimal")
	case len(s.Tags) > maxTags:
		return s.wrong(fmt.Sprintf("it has more than %d tags", maxTags))
	case len(s.Former) > maxFormer || slices.ContainsFunc(s.Former, func(n string) bool { return !isHost(n) }):
		return s.wrong("its former names are not names, or too many")
	case len(s.Note) > maxNote:
		return s.wrong(fmt.Sprintf("its note is longer than %d octets", maxNote))
	case len(s.Credential) > longestName || len(s.AddedBy) > longestName:
		return s.wrong("the name of its credential, or of who added it, is too long")
	}
	for _, tag := range s.Tags {
		if !isTag(tag) {
			return s.wrong("its tag " + tag + " has blanks, commas or colons, or is too long")
		}
	}
	return nil
}

func (s *Server) wrong(detail string) error {
	name := strings.ToValidUTF8(s.Name, "?")
	if len(name) > 80 {
		name = name[:80]
	}
	return &cim.Error{Status: cim.ErrInvalidParameter, Operation: "check the server", Path: name, Detail: detail}
}

// isHost tells whether text is a host name or an IP address.
func isHost(text string) bool {
	if a, err := netip.ParseAddr(text); err == nil {
		return !strings.ContainsFunc(a.Zone(), func(r rune) bool { // the name of an interface, and nothing of a command
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
		})
	}
	if text == "" || len(text) > longestName || strings.HasPrefix(text, "-") || strings.Contains(text, "..") || strings.Trim(text, ".") != text {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}

func isEndpoint(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && isHost(u.Hostname()) && u.User == nil && u.RawQuery == "" && u.Fragment == "" && len(text) < 1024
}

func isSHA256(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

func isTag(tag string) bool {
	return tag != "" && len(tag) <= maxTag && !strings.ContainsFunc(tag, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`,:;"'`, r)
	})
}
