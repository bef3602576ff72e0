package settings

import (
	"strconv"
	"strings"
)

// Where the policies of CredSSP stand. The first is Credentials Delegation, the second Encryption Oracle Remediation.
const (
	KeyDelegation = `HKLM\SOFTWARE\Policies\Microsoft\Windows\CredentialsDelegation`
	KeyCredSSP    = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\CredSSP\Parameters`
)

// Delegation are the policies about handing credentials over by CredSSP. The zero value is that of a machine
// without policies: a client hands over to whom its user names, both ends refuse what CVE-2018-0886 permits a
// man in the middle.
type Delegation struct {
	// Fresh is AllowFreshCredentials, for services whose identity Kerberos or a certificate vouches for;
	// FreshNTLMOnly is AllowFreshCredentialsWhenNTLMOnly, for all of them. Deny is DenyFreshCredentials.
	Fresh, FreshNTLMOnly, Deny SPNPolicy
	// Oracle is AllowEncryptionOracle.
	Oracle EncryptionOracle
}

// Restricts tells whether a policy says to whom credentials may go.
func (d Delegation) Restricts() bool { return d.Fresh.Configured || d.FreshNTLMOnly.Configured }

// SPNPolicy is a policy with a list of service principal names.
type SPNPolicy struct {
	// Configured says that there is the policy, enabled or disabled.
	Configured bool
	// Names are the patterns of an enabled one, such as WSMAN/host, WSMAN/*.domain or WSMAN/*.
	Names []string
}

// Match tells whether the policy names a principal. Letters match in either case; one * of a pattern stands for
// any text.
func (p SPNPolicy) Match(spn string) bool {
	spn = strings.ToLower(spn)
	for _, pattern := range p.Names {
		before, after, wild := strings.Cut(strings.ToLower(strings.TrimSpace(pattern)), "*")
		if !wild && before == spn || wild && len(spn) >= len(before)+len(after) &&
			strings.HasPrefix(spn, before) && strings.HasSuffix(spn, after) && !strings.Contains(after, "*") {
			return true
		}
	}
	return false
}

// EncryptionOracle is how much of old versions of CredSSP is accepted.
type EncryptionOracle int

// Levels of [EncryptionOracle], in the registry 1, 0 and 2.
const (
	OracleMitigated    EncryptionOracle = iota // clients want version 5, services take old ones; the default
	OracleForceUpdated                         // both want version 5
	OracleVulnerable                           // both take version 2
)

// ClientMinVersion is the lowest version of a service that a client hands credentials to.
func (o EncryptionOracle) ClientMinVersion() int {
	if o == OracleVulnerable {
		return 2
	}
	return 5
}

// ServiceMinVersion is the lowest version of a client that a service accepts.
func (o EncryptionOracle) ServiceMinVersion() int {
	if o == OracleForceUpdated {
		return 5
	}
	return 2
}

// maxSPNs bounds the numbered values of a list.
const maxSPNs = 1024

// LoadDelegation reads the policies. A damaged one is a Problem, and closed: its list is empty, its level the default.
func LoadDelegation(r Reader) (Delegation, []Problem) {
	var d Delegation
	var problems []Problem
	for name, p := range map[string]*SPNPolicy{"AllowFreshCredentials": &d.Fresh,
		"AllowFreshCredentialsWhenNTLMOnly": &d.FreshNTLMOnly, "DenyFreshCredentials": &d.Deny} {
		var bad []Problem
		*p, bad = loadSPNs(r, name)
		problems = append(problems, bad...)
	}
	level, bad := loadDWORD(r, KeyCredSSP, "AllowEncryptionOracle", 1, 0, 2)
	d.Oracle = [...]EncryptionOracle{OracleForceUpdated, OracleMitigated, OracleVulnerable}[level]
	return d, append(problems, bad...)
}

// loadSPNs reads the switch of a policy and, where it is on, the values 1, 2, ... of the key of that name.
func loadSPNs(r Reader, name string) (SPNPolicy, []Problem) {
	if _, _, there := r.Value(KeyDelegation, name); !there {
		return SPNPolicy{}, nil
	}
	p := SPNPolicy{Configured: true}
	on, problems := loadDWORD(r, KeyDelegation, name, 0, 0, 1)
	if on == 0 {
		return p, problems
	}
	key := KeyDelegation + `\` + name
	for n := 1; n <= maxSPNs; n++ {
		v, src, ok := r.Value(key, strconv.Itoa(n))
		if !ok {
			break
		}
		text, isText := v.Text()
		if !isText {
			problems = append(problems, problem(name, key, strconv.Itoa(n), src, "want the REG_SZ of a service principal name"))
			continue
		}
		p.Names = append(p.Names, text)
	}
	return p, problems
}
