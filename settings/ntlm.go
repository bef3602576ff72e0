package settings

import (
	"strings"

	"github.com/casementhq/casement/registry"
)

// KeyNTLM is where Windows keeps "Network security: Restrict NTLM".
const KeyNTLM = `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0`

// Names of the values of KeyNTLM.
const (
	RestrictReceivingNTLM = "RestrictReceivingNTLMTraffic"
	RestrictSendingNTLM   = "RestrictSendingNTLMTraffic"
	AllowedNTLMServers    = "ClientAllowedNTLMServers"
)

// NTLM says who may use NTLM. The zero value lets everybody.
type NTLM struct {
	// Receiving is RestrictReceivingNTLMTraffic, REG_DWORD: 0, the default, takes
	// NTLM; 1 takes it for accounts of this machine alone; 2 takes none.
	Receiving uint32
	// Sending is RestrictSendingNTLMTraffic, REG_DWORD: 0, the default, and 1
	// permit clients of this machine to use NTLM; 2 forbids it.
	Sending uint32
	// Servers is ClientAllowedNTLMServers, REG_MULTI_SZ: the hosts for which Sending
	// does not count. One * in an entry stands for anything.
	Servers []string
}

// LoadNTLM reads the restrictions. A damaged value is a Problem and forbids.
func LoadNTLM(r Reader) (n NTLM, bad []Problem) {
	restriction := func(name string) uint32 {
		v, src, ok := r.Value(KeyNTLM, name)
		if !ok {
			return 0
		}
		level, _ := v.Uint()
		if v.Type() != registry.TypeDWORD || level > 2 {
			bad = append(bad, problem(name, KeyNTLM, name, src, "want a REG_DWORD of 0 to 2; NTLM is switched off until then"))
			return 2
		}
		return uint32(level)
	}
	n.Receiving, n.Sending = restriction(RestrictReceivingNTLM), restriction(RestrictSendingNTLM)
	if v, src, ok := r.Value(KeyNTLM, AllowedNTLMServers); ok {
		if n.Servers, ok = v.Strings(); !ok {
			bad = append(bad, problem(AllowedNTLMServers, KeyNTLM, AllowedNTLMServers, src, "want a REG_MULTI_SZ"))
		}
	}
	return n, bad
}

// Accepts tells whether the service takes NTLM for accounts of this machine, or of
// a domain.
func (n NTLM) Accepts(domain bool) bool { return n.Receiving == 0 || n.Receiving == 1 && !domain }

// SendsTo tells whether a client may use NTLM with a host, by the name as it was
// typed.
func (n NTLM) SendsTo(host string) bool {
	if n.Sending < 2 {
		return true
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	for _, s := range n.Servers {
		s = strings.ToLower(strings.TrimSpace(s))
		if before, after, wild := strings.Cut(s, "*"); s == host || wild && len(host) >= len(before)+len(after) &&
			strings.HasPrefix(host, before) && strings.HasSuffix(host, after) {
			return true
		}
	}
	return false
}
