package wmi

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// AuthenticationLevel is how calls are protected on their way: RPC_C_AUTHN_LEVEL_*, [MS-RPCE] 2.2.1.1.8. The numbers are those of cim.Protection.
type AuthenticationLevel uint8

// The authentication levels.
const (
	AuthenticationDefault      AuthenticationLevel = 0 // whatever both ends agree on
	AuthenticationNone         AuthenticationLevel = 1
	AuthenticationConnect      AuthenticationLevel = 2
	AuthenticationCall         AuthenticationLevel = 3
	AuthenticationPkt          AuthenticationLevel = 4
	AuthenticationPktIntegrity AuthenticationLevel = 5
	AuthenticationPktPrivacy   AuthenticationLevel = 6
)

// ImpersonationLevel is what a service may do as the caller: RPC_C_IMP_LEVEL_*. The numbers are those of cim.Impersonation.
type ImpersonationLevel uint8

// The impersonation levels. WMI needs at least Impersonate.
const (
	ImpersonationDefault     ImpersonationLevel = 0
	ImpersonationAnonymous   ImpersonationLevel = 1
	ImpersonationIdentify    ImpersonationLevel = 2
	ImpersonationImpersonate ImpersonationLevel = 3
	ImpersonationDelegate    ImpersonationLevel = 4
)

// The words of a level, by its number: in monikers and scripts, and with underscores in C.
var (
	authenticationWords = [...]string{"default", "none", "connect", "call", "pkt", "pktIntegrity", "pktPrivacy"}
	authenticationNames = [...]string{"DEFAULT", "NONE", "CONNECT", "CALL", "PKT", "PKT_INTEGRITY", "PKT_PRIVACY"}
	impersonationWords  = [...]string{"default", "anonymous", "identify", "impersonate", "delegate"}
	impersonationNames  = [...]string{"DEFAULT", "ANONYMOUS", "IDENTIFY", "IMPERSONATE", "DELEGATE"}
)

const (
	authenticationPrefix       = "RPC_C_AUTHN_LEVEL_"
	authenticationScriptPrefix = "wbemAuthenticationLevel"
	impersonationPrefix        = "RPC_C_IMP_LEVEL_"
	impersonationScriptPrefix  = "wbemImpersonationLevel"
)

// String is the word of a moniker: "pktPrivacy".
func (l AuthenticationLevel) String() string { return word(authenticationWords[:], int(l)) }

// RPC is the name in C: "RPC_C_AUTHN_LEVEL_PKT_PRIVACY".
func (l AuthenticationLevel) RPC() string {
	return authenticationPrefix + word(authenticationNames[:], int(l))
}

// Script is the name in scripts: "wbemAuthenticationLevelPktPrivacy".
func (l AuthenticationLevel) Script() string {
	return authenticationScriptPrefix + capital(word(authenticationWords[:], int(l)))
}

// ParseAuthenticationLevel reads a level in any of its spellings, case-blind, or as a number: ErrInvalidParameter.
func ParseAuthenticationLevel(s string) (AuthenticationLevel, error) {
	n := levelOf(s, authenticationWords[:], authenticationNames[:], authenticationPrefix, authenticationScriptPrefix)
	if n < 0 {
		return 0, invalid("%.40q is no authentication level; a call can have %s or pktPrivacy", s, strings.Join(authenticationWords[AuthenticationConnect:AuthenticationPktPrivacy], ", "))
	}
	return AuthenticationLevel(n), nil
}

// String is the word of a moniker: "impersonate".
func (l ImpersonationLevel) String() string { return word(impersonationWords[:], int(l)) }

// RPC is the name in C: "RPC_C_IMP_LEVEL_IMPERSONATE".
func (l ImpersonationLevel) RPC() string {
	return impersonationPrefix + word(impersonationNames[:], int(l))
}

// Script is the name in scripts: "wbemImpersonationLevelImpersonate".
func (l ImpersonationLevel) Script() string {
	return impersonationScriptPrefix + capital(word(impersonationWords[:], int(l)))
}

// ParseImpersonationLevel reads a level in any of its spellings, case-blind, or as a number: ErrInvalidParameter.
func ParseImpersonationLevel(s string) (ImpersonationLevel, error) {
	n := levelOf(s, impersonationWords[:], impersonationNames[:], impersonationPrefix, impersonationScriptPrefix)
	if n < 0 {
		return 0, invalid("%.40q is no impersonation level; WMI takes impersonate, and delegate where there is Kerberos", s)
	}
	return ImpersonationLevel(n), nil
}

func word(words []string, n int) string {
	if n < len(words) {
		return words[n]
	}
	return strconv.Itoa(n)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// levelOf is the number of a level, -1 for what is none.
func levelOf(s string, words, names []string, prefix, script string) int {
	s = strings.TrimSpace(s)
	for n := range words {
		if cim.EqualFold(s, words[n]) || cim.EqualFold(s, script+words[n]) || cim.EqualFold(s, prefix+names[n]) || s == strconv.Itoa(n) {
			return n
		}
	}
	return -1
}
