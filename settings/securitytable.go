package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"

	"github.com/casementhq/casement/registry"
)

// KeySecurity is the registry key of the descriptors that an administrator gave to
// resource URIs.
const KeySecurity = KeyWSMAN + `\Service\Security`

// SecurityEntry is one winrm/config/service/security: the descriptor of a resource URI.
// See [MS-WSMV] 3.1.4.1.29.4.
type SecurityEntry struct {
	URI        string
	SDDL       string
	ExactMatch bool // false: the URI is a prefix
	Parent     string
	Source     registry.Source
}

// SecurityTable is the list of entries of all plug-ins and of the hive.
type SecurityTable []SecurityEntry

// LoadSecurity returns the table: what the plug-ins bring, each replaced by the hive's
// entry for the same URI. A damaged entry is a Problem; the plug-in's own one stays.
func LoadSecurity(r Reader, plugins []Plugin) (SecurityTable, []Problem) {
	var t SecurityTable
	var bad []Problem
	for _, p := range plugins {
		for _, res := range p.Resources {
			for _, s := range res.Security {
				t = append(t, SecurityEntry{URI: s.URI, SDDL: s.SDDL, ExactMatch: s.ExactMatch, Parent: res.ResourceURI})
			}
		}
	}
	for _, name := range r.Keys(KeySecurity) {
		key := KeySecurity + `\` + name
		uriValue, _, _ := r.Value(key, "Uri")
		sddlValue, src, _ := r.Value(key, "Sddl")
		uri, _ := uriValue.Text()
		sddl, _ := sddlValue.Text()
		if _, why := checkSDDL(sddl); why != "" || uri == "" {
			bad = append(bad, problem("Security", key, "Sddl", src, "the entry is damaged"))
			continue
		}
		v, _, _ := r.Value(key, "ExactMatch")
		n, _ := v.Uint()
		e := SecurityEntry{URI: uri, SDDL: sddl, ExactMatch: n == 1, Source: src}
		if i := t.find(uri); i >= 0 {
			e.Parent = t[i].Parent
			t[i] = e
		} else {
			t = append(t, e)
		}
	}
	return t, bad
}

func (t SecurityTable) find(uri string) int {
	return slices.IndexFunc(t, func(e SecurityEntry) bool { return strings.EqualFold(e.URI, uri) })
}

// Find returns the entry of exactly this URI.
func (t SecurityTable) Find(uri string) (SecurityEntry, error) {
	if i := t.find(uri); i >= 0 {
		return t[i], nil
	}
	return SecurityEntry{}, fail(CodeResourceNotFound, "Security", "no entry for %q", clip(uri))
}

// SDDL returns the descriptor that decides about a resource URI: that of the exact
// entry, else of the longest prefix, else root. URIs compare without case.
func (t SecurityTable) SDDL(uri, root string) string {
	best, out := -1, root
	for _, e := range t {
		switch {
		case strings.EqualFold(e.URI, uri):
			return e.SDDL
		case !e.ExactMatch && len(e.URI) > best && hasPrefixFold(uri, e.URI):
			best, out = len(e.URI), e.SDDL
		}
	}
	return out
}

// PutSecurity gives a URI a descriptor. A URI that no plug-in resource covers has none
// to change: CodeConfigSDDLURL. A wrong descriptor is CodeSecurityDescriptor.
func PutSecurity(plugins []Plugin, uri, sddl string, exact bool) ([]Change, error) {
	if uri == "" || len(uri) > maxPluginText || strings.IndexFunc(uri, unicode.IsSpace) >= 0 {
		return nil, fail(CodeURIKey, "Security/Uri", "%q is no resource URI", clip(uri))
	}
	if !covered(plugins, uri) {
		return nil, fail(CodeConfigSDDLURL, "Security/Uri", "no plug-in serves %q", clip(uri))
	}
	sddl, why := checkSDDL(sddl)
	if why != "" {
		return nil, fail(CodeSecurityDescriptor, "Security/Sddl", "%s", why)
	}
	k := securityKey(uri)
	return []Change{
		{Key: k, Name: "Uri", Value: registry.SZ(uri)},
		{Key: k, Name: "Sddl", Value: registry.SZ(sddl)},
		{Key: k, Name: "ExactMatch", Value: dwordBool(exact)},
	}, nil
}

// DeleteSecurity removes the hive's entry for a URI; the plug-in's own one comes back.
func DeleteSecurity(r Reader, uri string) ([]Change, error) {
	k := securityKey(uri)
	if _, _, ok := r.Value(k, "Uri"); !ok {
		return nil, fail(CodeResourceNotFound, "Security", "the hive has no entry for %q", clip(uri))
	}
	return []Change{{Key: k, DeleteKey: true}}, nil
}

func covered(plugins []Plugin, uri string) bool {
	for _, p := range plugins {
		for _, r := range p.Resources {
			if strings.EqualFold(uri, r.ResourceURI) || !r.ExactMatch && hasPrefixFold(uri, strings.TrimSuffix(r.ResourceURI, "/")) {
				return true
			}
		}
	}
	return strings.EqualFold(strings.TrimSuffix(uri, "/"), wsman1+"/windows/shell/cmd") || strings.EqualFold(strings.TrimSuffix(uri, "/"), wsman1+"/windows/shell")
}

func securityKey(uri string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(uri)))
	return KeySecurity + `\` + hex.EncodeToString(sum[:16])
}
