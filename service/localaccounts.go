package service

import (
	"strings"

	"github.com/casementhq/casement/providers/host"
	"github.com/casementhq/casement/security"
)

// localAccounts are the accounts of the state folder as Win32_UserAccount, Win32_Group and Win32_GroupUser show
// them.
func (p *people) localAccounts() (host.LocalAccounts, error) {
	users, err := p.store.Users()
	if err != nil {
		return host.LocalAccounts{}, err
	}
	groups, err := p.store.Groups()
	if err != nil {
		return host.LocalAccounts{}, err
	}
	var out host.LocalAccounts
	classes := map[security.SID]string{}
	for _, u := range users {
		classes[u.SID] = "Win32_UserAccount"
		out.Users = append(out.Users, host.LocalUser{Name: u.Name, FullName: u.FullName, Description: u.Comment, SID: u.SID, Disabled: u.Disabled})
	}
	for _, g := range groups {
		classes[g.SID] = "Win32_Group"
	}
	for _, g := range groups {
		l := host.LocalGroup{Name: g.Name, Description: g.Comment, SID: g.SID}
		for _, sid := range g.Members {
			l.Members = append(l.Members, p.localMember(sid, classes))
		}
		out.Groups = append(out.Groups, l)
	}
	return out, nil
}

// localMember names a member of a group; a well-known SID is a system account, and what else is not of this machine
// is an account of a domain.
func (p *people) localMember(sid security.SID, classes map[security.SID]string) host.LocalMember {
	m := host.LocalMember{Class: classes[sid]}
	domain, name, qualified := strings.Cut(p.store.AccountName(sid), `\`)
	if !qualified {
		domain, name = "", domain
	}
	m.Domain, m.Name = domain, name
	switch _, _, wellKnown := security.WellKnownName(sid); {
	case m.Class != "":
		m.Domain = "" // of this machine, built-in groups too
	case wellKnown:
		m.Class, m.Domain = "Win32_SystemAccount", "" // of this machine, as in Windows
	default:
		m.Class = "Win32_UserAccount"
	}
	return m
}
