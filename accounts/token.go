package accounts

import (
	"slices"

	"github.com/casementhq/casement/security"
)

// TokenOptions says how the caller came in. The zero value is a network logon under User Account Control.
type TokenOptions struct {
	// LogonType decides between NETWORK, INTERACTIVE, SERVICE and BATCH. Default: network.
	LogonType security.LogonType
	// LocalAccountTokenFilterPolicy is the setting of that name: true gives local administrators their full
	// token over the network. Default: false, which filters it, except that of the built-in Administrator.
	LocalAccountTokenFilterPolicy bool
	// Elevated is for who is elevated on this machine itself, by what the system says: root and the owner of the
	// state act as the built-in Administrator also where that is disabled or no member of Administrators, which is
	// about those who sign in as it. Default: false.
	Elevated bool
}

// Token makes the token of a local user, who has already proved who they are. The error is a LogonError when the
// user is unknown or disabled by now.
func (s *Store) Token(name string, o TokenOptions) (security.Token, error) {
	st, err := s.current()
	if err != nil {
		return security.Token{}, logonError(name, err)
	}
	u, err := st.findUser(name)
	if err != nil {
		return security.Token{}, logonError(name, err)
	}
	if u.Disabled && !o.Elevated {
		return security.Token{}, logonError(name, ErrDisabled)
	}
	groups := []security.SID{st.MachineSID.WithRID(ridNone), security.SIDLocalAccount}
	if o.Elevated {
		groups = append(groups, security.SIDAdministrators)
	}
	t := st.token(st.MachineSID.WithRID(u.RID), groups, o.LogonType)
	t.UserName, t.Domain = u.Name, st.Machine
	if t.Has(security.SIDAdministrators) {
		t.Groups = append(t.Groups, security.GroupEntry{SID: security.SIDLocalAccountAdmin})
		network := o.LogonType == security.LogonNetwork
		if network && u.RID != security.RIDAdministrator && !o.LocalAccountTokenFilterPolicy {
			t = security.Filter(t)
		}
	}
	return t, nil
}

// Refresh makes the token anew that t was: who was deleted or disabled, or taken out of a group since, is refused
// with a LogonError. What was gained in rights of an administrator comes with the next logon. Identities that are no
// accounts, such as the service itself, stay what they are.
func (s *Store) Refresh(t *security.Token) (security.Token, error) {
	st, err := s.current()
	if err != nil {
		return security.Token{}, logonError(t.UserName, err)
	}
	const unix = 22
	var given []security.SID // that do not come of the groups here
	switch {
	case t.User.Domain() == st.MachineSID:
		n := slices.IndexFunc(st.Users, func(u userRecord) bool { return u.RID == t.User.RID() })
		if n < 0 {
			return security.Token{}, logonError(t.UserName, ErrNoSuchUser)
		}
		elevated := t.LogonType == security.LogonInteractive && t.User.RID() == security.RIDAdministrator && !t.Filtered // see TokenOptions
		if st.Users[n].Disabled && !elevated {
			return security.Token{}, logonError(t.UserName, ErrDisabled)
		}
		given = []security.SID{st.MachineSID.WithRID(ridNone), security.SIDLocalAccount}
		if elevated {
			given = append(given, security.SIDAdministrators)
		}
	case st.foreignSID(t.User), t.User.Authority() == unix:
		for _, g := range t.Groups {
			if g.SID.Domain() != st.MachineSID && !isBuiltin(g.SID) {
				given = append(given, g.SID)
			}
		}
	default:
		return *t, nil
	}
	fresh := st.token(t.User, given, t.LogonType)
	fresh.UserName, fresh.Domain, fresh.Realm = t.UserName, t.Domain, t.Realm
	if fresh.Has(security.SIDAdministrators) && t.HasForDeny(security.SIDLocalAccountAdmin) {
		fresh.Groups = append(fresh.Groups, security.GroupEntry{SID: security.SIDLocalAccountAdmin})
	}
	if !t.Has(security.SIDAdministrators) {
		fresh = security.Filter(fresh)
	}
	for _, g := range t.Groups {
		if !g.DenyOnly && !fresh.Has(g.SID) {
			return security.Token{}, logonError(t.UserName, ErrGroupLost)
		}
	}
	return fresh, nil
}

// UnixToken is the token of a user of this machine's system who has no account
// here: a plain user, with the SID S-1-22-1-uid. Only what the system itself
// says of a process may be believed for it.
func (s *Store) UnixToken(uid uint32, name string, logon security.LogonType) (security.Token, error) {
	st, err := s.current()
	if err != nil {
		return security.Token{}, logonError(name, err)
	}
	sid, err := security.NewSID(22, 1, uid)
	if err != nil {
		return security.Token{}, logonError(name, err)
	}
	t := st.token(sid, nil, logon)
	t.UserName, t.Domain = name, "Unix User"
	return t, nil
}

// isBuiltin reports whether sid is a group that every machine has (S-1-5-32-…).
func isBuiltin(sid security.SID) bool {
	sub := sid.SubAuthorities()
	return sid.Authority() == 5 && len(sub) == 2 && sub[0] == 32
}

// accountSID reports whether sid is one of a domain (S-1-5-21-…).
func accountSID(sid security.SID) bool {
	sub := sid.SubAuthorities()
	return sid.Authority() == 5 && len(sub) == 5 && sub[0] == 21
}

// token collects the groups: what every caller has, those given, and the local groups of which any of them is a
// member.
func (st *state) token(user security.SID, groups []security.SID, logon security.LogonType) security.Token {
	t := security.Token{User: user, LogonType: logon, Groups: make([]security.GroupEntry, 0, 16)}
	add := func(sid security.SID) {
		if !t.Has(sid) {
			t.Groups = append(t.Groups, security.GroupEntry{SID: sid})
		}
	}
	for _, g := range groups {
		add(g)
	}
	add(security.SIDEveryone)
	if user != st.MachineSID.WithRID(security.RIDGuest) {
		add(security.SIDAuthenticatedUsers)
		add(security.SIDThisOrganization)
	}
	add(logonSID(logon))
	for i := range st.Groups {
		if slices.ContainsFunc(st.Groups[i].Members, t.Has) {
			add(st.Groups[i].SID)
		}
	}
	t.Privileges = append(make([]security.Privilege, 0, len(userPrivileges)+len(adminPrivileges)), userPrivileges...)
	if t.Has(security.SIDAdministrators) {
		t.Privileges = append(t.Privileges, adminPrivileges...)
	}
	return t
}

func logonSID(logon security.LogonType) security.SID {
	switch logon {
	case security.LogonInteractive:
		return security.SIDInteractive
	case security.LogonService:
		return security.SIDService
	case security.LogonBatch:
		return security.SIDBatch
	default:
		return security.SIDNetwork
	}
}

// What Windows gives by default to users and to administrators.
var (
	userPrivileges  = []security.Privilege{security.SeChangeNotify, security.SeIncreaseWorkingSet, security.SeTimeZone, security.SeUndock}
	adminPrivileges = []security.Privilege{security.SeSecurity, security.SeTakeOwnership, security.SeBackup, security.SeRestore,
		security.SeDebug, security.SeShutdown, security.SeRemoteShutdown, security.SeLoadDriver,
		security.SeSystemEnvironment, security.SeSystemtime, security.SeImpersonate}
)
