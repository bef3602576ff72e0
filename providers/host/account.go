package host

import (
	"context"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

const accountShadow uint32 = 1

type userRow struct {
	unixUser
	own    *LocalUser // an account of the service; the rest is that of a Unix user
	p      *Provider
	domain string
	today  int64 // days since 1970
}

type userColumn = column[userRow]

func userText(name string, get func(*userRow) string) userColumn {
	return userColumn{name: name, get: func(r *userRow) cim.Value { return strOrNull(get(r)) }}
}

// userFlag is NULL where shadow(5) may not be read, and own for an account of the service.
func userFlag(name string, own func(*LocalUser) bool, get func(*userRow) bool) userColumn {
	return userColumn{name: name, need: accountShadow, get: func(r *userRow) cim.Value {
		if r.own != nil {
			return cim.Bool(own(r.own))
		}
		if !r.shadow {
			return cim.Value{}
		}
		return cim.Bool(get(r))
	}}
}

func userCaption(r *userRow) string { return r.domain + `\` + r.name }

var userTable = &table[userRow]{name: "Win32_UserAccount", gather: gatherUsers, columns: []userColumn{
	userText("Name", func(r *userRow) string { return r.name }),
	userText("Domain", func(r *userRow) string { return r.domain }),
	userText("Caption", userCaption),
	userText("Description", func(r *userRow) string {
		if r.own != nil {
			return r.own.text()
		}
		return r.fullName
	}),
	userText("FullName", func(r *userRow) string { return r.fullName }),
	userText("SID", (*userRow).sid),
	{name: "SIDType", get: fixedValue[userRow](cim.U8(1))},           // user
	{name: "AccountType", get: fixedValue[userRow](cim.U32(0x0200))}, // normal account
	{name: "LocalAccount", get: fixedValue[userRow](cim.Bool(true))},
	{name: "Status", need: accountShadow, get: func(r *userRow) cim.Value {
		if !r.shadow && r.own == nil {
			return cim.Value{}
		}
		if r.disabled() {
			return cim.Str("Degraded")
		}
		return cim.Str("OK")
	}},
	userFlag("Disabled", func(u *LocalUser) bool { return u.Disabled }, (*userRow).disabled),
	userFlag("PasswordRequired", always, func(r *userRow) bool { return r.password != "" }),
	userFlag("PasswordExpires", notSo, func(r *userRow) bool {
		n, err := strconv.Atoi(r.maxDays)
		return err == nil && n >= 0 && n < 99999
	}),
	userFlag("PasswordChangeable", always, func(r *userRow) bool {
		low, err1 := strconv.Atoi(r.minDays)
		high, err2 := strconv.Atoi(r.maxDays)
		return err1 != nil || err2 != nil || low <= high // shadow(5): the user cannot change it otherwise
	}),
}}

// Accounts of the service need a password to sign in, which does not expire and can be changed.
func always(*LocalUser) bool { return true }
func notSo(*LocalUser) bool  { return false }

// sid is that of the account. Where the service tells its accounts, a Unix user that one is mapped to has its own.
func (r *userRow) sid() string {
	switch {
	case r.own != nil:
		return r.own.SID.String()
	case r.p.o.LocalAccounts != nil:
		return unixUserSID(r.uid)
	default:
		return r.p.sidOfUser(r.uid)
	}
}

// disabled tells whether the account is locked by its password or has expired.
func (r *userRow) disabled() bool {
	if r.own != nil {
		return r.own.Disabled
	}
	if strings.HasPrefix(r.password, "!") || strings.HasPrefix(r.password, "*") {
		return true
	}
	n, err := strconv.ParseInt(r.expireDays, 10, 64)
	return err == nil && n >= 0 && r.today >= n
}

// sidOfUser is the SID of the Casement account that is mapped to a Unix user, else S-1-22-1-uid.
func (p *Provider) sidOfUser(uid uint32) string {
	if p.o.Account != nil {
		if sid, _, _, ok := p.o.Account(uid); ok {
			return sid.String()
		}
	}
	return unixUserSID(uid)
}

func gatherUsers(_ context.Context, p *Provider, need uint32, q query, f func(*userRow) error) error {
	if local, ok := q.fixed("LocalAccount"); ok {
		if b, ok := local.Bool(); ok && !b {
			return nil
		}
	}
	all, err := p.users(need&accountShadow != 0)
	if err != nil {
		return err
	}
	own, err := p.localAccounts()
	if err != nil {
		return err
	}
	name, one := q.text("Name")
	r := &userRow{p: p, domain: p.hostName(), today: p.now().Unix() / 86400}
	for n := range own.Users {
		u := &own.Users[n]
		if one && !cim.EqualFold(u.Name, name) {
			continue
		}
		r.own, r.unixUser = u, unixUser{name: u.Name, fullName: u.FullName}
		if err := f(r); err != nil {
			return err
		}
	}
	r.own = nil
	for _, u := range all {
		if one && !cim.EqualFold(u.name, name) {
			continue
		}
		if _, hidden := own.user(u.name); hidden {
			continue
		}
		r.unixUser = u
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

type groupRow struct {
	name, domain, sid, description string
}

var groupTable = &table[groupRow]{name: "Win32_Group", gather: gatherGroups, columns: []column[groupRow]{
	{name: "Name", get: func(r *groupRow) cim.Value { return cim.Str(r.name) }},
	{name: "Domain", get: func(r *groupRow) cim.Value { return strOrNull(r.domain) }},
	{name: "Caption", get: func(r *groupRow) cim.Value { return cim.Str(r.domain + `\` + r.name) }},
	{name: "SID", get: func(r *groupRow) cim.Value { return strOrNull(r.sid) }},
	{name: "Description", get: func(r *groupRow) cim.Value { return strOrNull(r.description) }},
	{name: "SIDType", get: fixedValue[groupRow](cim.U8(4))}, // alias: a local group
	{name: "LocalAccount", get: fixedValue[groupRow](cim.Bool(true))},
	{name: "Status", get: fixedStr[groupRow]("OK")},
}}

func gatherGroups(_ context.Context, p *Provider, _ uint32, q query, f func(*groupRow) error) error {
	all, err := p.groups()
	if err != nil {
		return err
	}
	own, err := p.localAccounts()
	if err != nil {
		return err
	}
	name, one := q.text("Name")
	domain := p.hostName()
	for _, g := range own.Groups {
		if one && !cim.EqualFold(g.Name, name) {
			continue
		}
		if err := f(&groupRow{g.Name, domain, g.SID.String(), g.Description}); err != nil {
			return err
		}
	}
	for _, g := range all {
		if one && !cim.EqualFold(g.name, name) || own.hasGroup(g.name) {
			continue
		}
		if err := f(&groupRow{g.name, domain, unixGroupSID(g.gid), ""}); err != nil {
			return err
		}
	}
	return nil
}

// memberRow is one account in one group.
type memberRow struct{ server, domain, group, class, userDomain, user string }

var groupUserTable = &table[memberRow]{name: "Win32_GroupUser", gather: gatherMembers, columns: []column[memberRow]{
	{name: "GroupComponent", get: func(r *memberRow) cim.Value { return accountRef(r.server, "Win32_Group", r.domain, r.group) }},
	{name: "PartComponent", get: func(r *memberRow) cim.Value { return accountRef(r.server, r.class, r.userDomain, r.user) }},
}}

// accountRef is the path of a user or a group.
func accountRef(server, class, domain, name string) cim.Value {
	p := cim.ObjectPath{Server: server, Namespace: Namespace, Class: class, Keys: []cim.Key{
		{Name: "Domain", Value: cim.Str(domain)}, {Name: "Name", Value: cim.Str(name)},
	}}
	return cim.Ref(p.String())
}

// gatherMembers gives the members of the service's groups, those that /etc/group names, and each user's own group.
// Members of Unix groups that are no users of this machine are left out: there is no object to refer to.
func gatherMembers(_ context.Context, p *Provider, _ uint32, q query, f func(*memberRow) error) error {
	groups, err := p.groups()
	if err != nil {
		return err
	}
	users, err := p.users(false)
	if err != nil {
		return err
	}
	own, err := p.localAccounts()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, u := range users {
		known[u.name] = true
	}
	domain := p.hostName()
	if err := own.members(q.server, domain, f); err != nil {
		return err
	}
	for _, g := range groups {
		if own.hasGroup(g.name) {
			continue
		}
		seen := map[string]bool{}
		members := g.members
		for _, u := range users {
			if u.gid == g.gid {
				members = append(members, u.name)
			}
		}
		for _, m := range members {
			if seen[m] || !known[m] {
				continue
			}
			seen[m] = true
			if err := f(&memberRow{q.server, domain, g.name, "Win32_UserAccount", domain, m}); err != nil {
				return err
			}
		}
	}
	return nil
}
