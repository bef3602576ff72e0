package settings

import (
	"slices"
	"strings"
)

// ClientCertificate is what mappings look at in a certificate that was verified.
type ClientCertificate struct {
	// Issuers are the thumbprints of the certificates that signed it: one, but for
	// authorities that were certified twice.
	Issuers []string
	// Subjects are its names.
	Subjects []string
}

// MatchCertMapping returns the mapping that holds for a client certificate and a
// resource URI: of the enabled ones that match, those with the longest Subject, of these
// the one with the longest URI. ok is false when none matches or two are equal; the
// request is then refused. See [MS-WSMV] 3.1.4.1.35.
func MatchCertMapping(list []CertMapping, cert ClientCertificate, uri string) (m CertMapping, ok bool) {
	for _, c := range list {
		if !c.Enabled || !matchURI(c.URI, uri) ||
			!slices.ContainsFunc(cert.Issuers, func(i string) bool { return strings.EqualFold(c.Issuer, i) }) ||
			!slices.ContainsFunc(cert.Subjects, func(s string) bool { return matchSubject(c.Subject, s) }) {
			continue
		}
		switch {
		case m.URI == "" || len(c.Subject) > len(m.Subject) || len(c.Subject) == len(m.Subject) && len(c.URI) > len(m.URI):
			m, ok = c, true
		case len(c.Subject) == len(m.Subject) && len(c.URI) == len(m.URI):
			ok = false
		}
	}
	if !ok {
		return CertMapping{}, false
	}
	return m, true
}

func matchSubject(pattern, s string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	// Of the same length: EqualFold alone takes a long s for an s, and the sign of Kelvin for a K.
	if !wild {
		return len(pattern) == len(s) && strings.EqualFold(pattern, s)
	}
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

func matchURI(pattern, s string) bool {
	prefix, wild := strings.CutSuffix(pattern, "*")
	if !wild {
		return strings.EqualFold(pattern, s)
	}
	return hasPrefixFold(s, prefix)
}
