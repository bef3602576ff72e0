package wmi

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// Authority says how a connection authenticates: the strAuthority of ConnectServer. The zero value negotiates.
type Authority struct {
	// Kerberos is the principal of the target, a computer or its service principal name: "Kerberos:domain\server".
	Kerberos string
	// NTLMDomain is the domain of the user: "NTLMDomain:domain".
	NTLMDomain string
}

const (
	kerberosPrefix   = "Kerberos:"
	ntlmDomainPrefix = "NTLMDomain:"
)

// ParseAuthority reads an authority, case-blind: ErrInvalidParameter.
func ParseAuthority(s string) (Authority, error) {
	if s == "" {
		return Authority{}, nil
	}
	if p, ok := cutPrefixFold(s, kerberosPrefix); ok && p != "" {
		return Authority{Kerberos: p}, nil
	}
	if d, ok := cutPrefixFold(s, ntlmDomainPrefix); ok && d != "" {
		return Authority{NTLMDomain: d}, nil
	}
	return Authority{}, invalid("the authority %.60q is neither Kerberos:principal nor NTLMDomain:domain", s)
}

// String is the authority as ParseAuthority reads it.
func (a Authority) String() string {
	switch {
	case a.Kerberos != "":
		return kerberosPrefix + a.Kerberos
	case a.NTLMDomain != "":
		return ntlmDomainPrefix + a.NTLMDomain
	}
	return ""
}

// User gives the domain and the name of a user under the authority: of DOMAIN\user, of user with the authority's domain, of user@domain as it is.
// ErrInvalidParameter where both say a domain.
func (a Authority) User(user string) (domain, name string, err error) {
	domain, name, both := strings.Cut(user, `\`)
	if !both {
		return a.NTLMDomain, user, nil
	}
	if a.NTLMDomain != "" || strings.Contains(a.Kerberos, `\`) {
		return "", "", invalid("the user %.60q and the authority %.60q both name a domain", user, a)
	}
	return domain, name, nil
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !cim.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
