package machine

import (
	"context"
	"sort"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// User is an account of the server itself. See Win32_UserAccount.
type User struct {
	Name     string `json:"name"`
	Domain   string `json:"domain"`
	FullName string `json:"full_name,omitempty"`
	SID      string `json:"sid"`
	Disabled *bool  `json:"disabled,omitempty"`
	Locked   *bool  `json:"locked,omitempty"`
	// PasswordExpires is nil where the server does not tell.
	PasswordExpires *bool    `json:"password_expires,omitempty"`
	Description     string   `json:"description,omitempty"`
	Groups          []string `json:"groups,omitempty"`
	// LastSignIn is the zero time where the server does not tell.
	LastSignIn time.Time `json:"last_sign_in,omitzero"`
}

// Group is a group of the server itself. See Win32_Group.
type Group struct {
	Name        string   `json:"name"`
	Domain      string   `json:"domain"`
	SID         string   `json:"sid"`
	Description string   `json:"description,omitempty"`
	Members     []string `json:"members,omitempty"` // DOMAIN\name
}

const (
	maxAccounts    = 5000
	maxMemberships = 20000
)

// Accounts lists the local users and groups with who is in which. cut tells that
// there are more.
func Accounts(ctx context.Context, s cim.Session) (users []User, groups []Group, cut bool, err error) {
	more, err := rows(ctx, s, "SELECT * FROM Win32_UserAccount WHERE LocalAccount = TRUE", maxAccounts, func(r row) {
		users = append(users, User{
			Name: r.text("Name"), Domain: r.text("Domain"), FullName: r.text("FullName"), SID: r.text("SID"), Disabled: r.flag("Disabled"),
			Locked: r.flag("Lockout"), PasswordExpires: r.flag("PasswordExpires"), Description: r.text("Description"),
		})
	})
	if err != nil {
		return nil, nil, false, err
	}
	cut = more
	more, err = rows(ctx, s, "SELECT * FROM Win32_Group WHERE LocalAccount = TRUE", maxAccounts, func(r row) {
		groups = append(groups, Group{Name: r.text("Name"), Domain: r.text("Domain"), SID: r.text("SID"), Description: r.text("Description")})
	})
	if err != nil {
		return nil, nil, false, err
	}
	cut = cut || more
	byGroup, byUser := map[string][]string{}, map[string][]string{}
	more, err = rows(ctx, s, "SELECT * FROM Win32_GroupUser", maxMemberships, func(r row) {
		group, ok := accountOf(r.Get("GroupComponent"))
		member, ok2 := accountOf(r.Get("PartComponent"))
		if ok && ok2 {
			byGroup[strings.ToLower(group)] = append(byGroup[strings.ToLower(group)], member)
			_, name, _ := strings.Cut(group, `\`)
			byUser[strings.ToLower(member)] = append(byUser[strings.ToLower(member)], name)
		}
	})
	if err != nil {
		return nil, nil, false, err
	}
	last := lastSignIns(ctx, s)
	for n := range users {
		users[n].LastSignIn = last[strings.ToLower(users[n].Name)]
		users[n].Groups = byUser[strings.ToLower(users[n].Domain+`\`+users[n].Name)]
	}
	for n := range groups {
		groups[n].Members = byGroup[strings.ToLower(groups[n].Domain+`\`+groups[n].Name)]
	}
	sort.Slice(users, func(i, j int) bool { return strings.ToLower(users[i].Name) < strings.ToLower(users[j].Name) })
	sort.Slice(groups, func(i, j int) bool { return strings.ToLower(groups[i].Name) < strings.ToLower(groups[j].Name) })
	return users, groups, cut || more, nil
}

// lastSignIns are by name, in small letters. Not every server has the class.
func lastSignIns(ctx context.Context, s cim.Session) map[string]time.Time {
	last := map[string]time.Time{}
	_, _ = rows(ctx, s, "SELECT Name, LastLogon FROM Win32_NetworkLoginProfile", maxAccounts, func(r row) { //nolint:errcheck // as above
		name := strings.ToLower(r.text("Name"))
		if n := strings.LastIndexByte(name, '\\'); n >= 0 {
			name = name[n+1:]
		}
		if at := r.time("LastLogon"); at.After(last[name]) {
			last[name] = at
		}
	})
	return last
}

// accountOf is DOMAIN\name of a reference to an account.
func accountOf(v cim.Value) (string, bool) {
	text, ok := v.Str()
	if !ok {
		return "", false
	}
	path, err := cim.ParsePath(text)
	if err != nil {
		return "", false
	}
	d, _ := path.Key("Domain")
	n, _ := path.Key("Name")
	domain, _ := d.Str()
	name, _ := n.Str()
	return bounded(domain + `\` + name), name != ""
}
