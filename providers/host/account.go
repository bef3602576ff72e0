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
	p      *Provider
	domain string
	today  int64 // days since 1970
}

type userColumn = column[userRow]

func userText(name string, get func(*userRow) string) userColumn {
	return userColumn{name: name, get: func(r *userRow) cim.Value { return strOrNull(get(r)) }}
}

// userFlag is NULL where shadow(5) may not be read.
func userFlag(name string, get func(*userRow) bool) userColumn {
	return userColumn{name: name, need: accountShadow, get: func(r *userRow) cim.Value {
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
	userText("Description", func(r *userRow) string { return r.fullName }),
	userText("FullName", func(r *userRow) string { return r.fullName }),
	userText("SID", func(r *userRow) string { return r.p.sidOfUser(r.uid) }),
	{name: "SIDType", get: fixedValue[userRow](cim.U8(1))},           // user
	{name: "AccountType", get: fixedValue[userRow](cim.U32(0x0200))}, // normal account
	{name: "LocalAccount", get: fixedValue[userRow](cim.Bool(true))},
	{name: "Status", need: accountShadow, get: func(r *userRow) cim.Value {
		if !r.shadow {
			return cim.Value{}
		}
		if r.disabled() {
			return cim.Str("Degraded")
		}
		return cim.Str("OK")
	}},
	userFlag("Disabled", (*userRow).disabled),
	userFlag("PasswordRequired", func(r *userRow) bool { return r.password != "" }),
	userFlag("PasswordExpires", func(r *userRow) bool {
		n, err := strconv.Atoi(r.maxDays)
		return err == nil && n >= 0 && n < 99999
	}),
	userFlag("PasswordChangeable", func(r *userRow) bool {
		low, err1 := strconv.Atoi(r.minDays)
		high, err2 := strconv.Atoi(r.maxDays)
		return err1 != nil || err2 != nil || low <= high // shadow(5): the user cannot change it otherwise
	}),
}}

// disabled tells whether the account is locked by its password or has expired.
func (r *userRow) disabled() bool {
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
	name, one := q.text("Name")
	r := &userRow{p: p, domain: p.hostName(), today: p.now().Unix() / 86400}
	for _, u := range all {
		if one && !cim.EqualFold(u.name, name) {
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
	unixGroup
	domain string
}

var groupTable = &table[groupRow]{name: "Win32_Group", gather: gatherGroups, columns: []column[groupRow]{
	{name: "Name", get: func(r *groupRow) cim.Value { return cim.Str(r.name) }},
	{name: "Domain", get: func(r *groupRow) cim.Value { return strOrNull(r.domain) }},
	{name: "Caption", get: func(r *groupRow) cim.Value { return cim.Str(r.domain + `\` + r.name) }},
	{name: "SID", get: func(r *groupRow) cim.Value { return strOrNull(unixGroupSID(r.gid)) }},
	{name: "SIDType", get: fixedValue[groupRow](cim.U8(4))}, // alias: a local group
	{name: "LocalAccount", get: fixedValue[groupRow](cim.Bool(true))},
	{name: "Status", get: fixedStr[groupRow]("OK")},
}}

func gatherGroups(_ context.Context, p *Provider, _ uint32, q query, f func(*groupRow) error) error {
	all, err := p.groups()
	if err != nil {
		return err
	}
	name, one := q.text("Name")
	domain := p.hostName()
	for _, g := range all {
		if one && !cim.EqualFold(g.name, name) {
			continue
		}
		if err := f(&groupRow{g, domain}); err != nil {
			return err
		}
	}
	return nil
}

// memberRow is one user in one group.
type memberRow struct{ server, domain, group, user string }

var groupUserTable = &table[memberRow]{name: "Win32_GroupUser", gather: gatherMembers, columns: []column[memberRow]{
	{name: "GroupComponent", get: func(r *memberRow) cim.Value { return accountRef(r.server, "Win32_Group", r.domain, r.group) }},
	{name: "PartComponent", get: func(r *memberRow) cim.Value { return accountRef(r.server, "Win32_UserAccount", r.domain, r.user) }},
}}

// accountRef is the path of a user or a group.
func accountRef(server, class, domain, name string) cim.Value {
	p := cim.ObjectPath{Server: server, Namespace: Namespace, Class: class, Keys: []cim.Key{
		{Name: "Domain", Value: cim.Str(domain)}, {Name: "Name", Value: cim.Str(name)},
	}}
	return cim.Ref(p.String())
}

// gatherMembers gives the members that /etc/group names and each user's own group. Members that are no users of
// this machine are left out: there is no object to refer to.
func gatherMembers(_ context.Context, p *Provider, _ uint32, q query, f func(*memberRow) error) error {
	groups, err := p.groups()
	if err != nil {
		return err
	}
	users, err := p.users(false)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, u := range users {
		known[u.name] = true
	}
	domain := p.hostName()
	for _, g := range groups {
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
			if err := f(&memberRow{q.server, domain, g.name, m}); err != nil {
				return err
			}
		}
	}
	return nil
}
