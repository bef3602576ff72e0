package host

import (
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// LocalAccounts are the accounts by which people sign in to the service. They are accounts of this machine, beside
// the Unix users, and hide a Unix user or group of the same name: a class of Windows has one namespace for both,
// and ignores case.
type LocalAccounts struct {
	Users  []LocalUser
	Groups []LocalGroup
}

// LocalUser is a user of LocalAccounts.
type LocalUser struct {
	Name, FullName, Description string
	SID                         security.SID
	Disabled                    bool
}

// LocalGroup is a group of LocalAccounts. A built-in one counts as one of this machine, as in Windows.
type LocalGroup struct {
	Name, Description string
	SID               security.SID
	Members           []LocalMember
}

// LocalMember is a member of a group. Domain is "" for accounts of this machine.
type LocalMember struct {
	Domain, Name string
	// Class is Win32_UserAccount, Win32_Group or Win32_SystemAccount.
	Class string
}

// localAccounts are those of the service, none where it tells none.
func (p *Provider) localAccounts() (LocalAccounts, error) {
	if p.o.LocalAccounts == nil {
		return LocalAccounts{}, nil
	}
	return p.o.LocalAccounts()
}

// user tells the account of that name.
func (a LocalAccounts) user(name string) (LocalUser, bool) {
	for _, u := range a.Users {
		if cim.EqualFold(u.Name, name) {
			return u, true
		}
	}
	return LocalUser{}, false
}

// hasGroup tells whether there is a group of that name.
func (a LocalAccounts) hasGroup(name string) bool {
	for _, g := range a.Groups {
		if cim.EqualFold(g.Name, name) {
			return true
		}
	}
	return false
}

// members gives the members of the groups, once each.
func (a LocalAccounts) members(server, own string, f func(*memberRow) error) error {
	for _, g := range a.Groups {
		seen := map[string]bool{}
		for _, m := range g.Members {
			domain := m.Domain
			if domain == "" {
				domain = own
			}
			id := cim.Fold(domain + `\` + m.Name)
			if seen[id] {
				continue
			}
			seen[id] = true
			if err := f(&memberRow{server: server, domain: own, group: g.Name, class: m.Class, userDomain: domain, user: m.Name}); err != nil {
				return err
			}
		}
	}
	return nil
}

// text is a description, the comment before the full name.
func (u LocalUser) text() string {
	if s := strings.TrimSpace(u.Description); s != "" {
		return s
	}
	return u.FullName
}
