package doctor

import (
	"strings"

	"github.com/casementhq/casement/auth"
)

// account is who asks, for texts.
func (x *examination) account() string {
	if x.options.Credentials.Username == "" {
		return "the owner of the ticket"
	}
	return x.options.Credentials.Username
}

// user is the name without its domain.
func (x *examination) user() string {
	_, user := splitAccount(x.options.Credentials.Username)
	return user
}

func splitAccount(account string) (domain, user string) {
	if d, u, ok := strings.Cut(account, `\`); ok {
		return d, u
	}
	if u, d, ok := strings.Cut(account, "@"); ok {
		return d, u
	}
	return "", account
}

// localAccount tells whether the account is one of the machine itself: it names no
// domain, or the machine as its domain. A short name in front of an address may
// be either.
func (x *examination) localAccount() bool {
	account := x.options.Credentials.Username
	if account == "" || x.dcom.mechanism == auth.Kerberos || strings.Contains(account, "@") {
		return false
	}
	domain, _ := splitAccount(account)
	machine, _, _ := strings.Cut(x.target.Name, ".")
	return domain == "" || domain == "." || strings.EqualFold(domain, machine) || hasNoName(x.target.Name)
}

// builtIn tells whether the account is the built-in Administrator, which UAC does
// not filter, by its name: the RID is not told from outside.
func (x *examination) builtIn() bool { return strings.EqualFold(x.user(), "Administrator") }
