package host

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// The logon types of Win32_LogonSession that a session here can have.
const (
	logonInteractive       = 2
	logonBatch             = 4
	logonService           = 5
	logonRemoteInteractive = 10
)

// logonType is the LogonType of a session. A login from another machine is a remote interactive one; what cron and at
// open is a batch, and the manager of a user's own services a service.
func (l *logon) logonType() uint32 {
	switch {
	case l.class == "manager" || l.class == "manager-early" || l.service == "systemd-user":
		return logonService
	case l.class == "background" || l.class == "background-light" || l.service == "cron" || l.service == "crond" || l.service == "atd":
		return logonBatch
	case l.remote:
		return logonRemoteInteractive
	}
	return logonInteractive
}

type logonRow struct {
	*logon
	p *Provider
}

var logonSessionTable = &table[logonRow]{name: "Win32_LogonSession", gather: gatherLogons, columns: []column[logonRow]{
	{name: "LogonId", get: func(r *logonRow) cim.Value { return cim.Str(r.id) }},
	{name: "LogonType", get: func(r *logonRow) cim.Value { return cim.U32(r.logonType()) }},
	{name: "AuthenticationPackage", get: func(r *logonRow) cim.Value { return strOrNull(r.service) }},
	{name: "StartTime", get: func(r *logonRow) cim.Value { return timeOrNull(r.since, r.p.location()) }},
	{name: "Status", get: fixedStr[logonRow]("OK")},
}}

func gatherLogons(_ context.Context, p *Provider, _ uint32, q query, f func(*logonRow) error) error {
	all, _ := p.logons()
	id, one := q.text("LogonId")
	for i := range all {
		if one && !cim.EqualFold(all[i].id, id) {
			continue
		}
		if err := f(&logonRow{&all[i], p}); err != nil {
			return err
		}
	}
	return nil
}

// loggedOnRow is a user of this machine in a session.
type loggedOnRow struct{ server, domain, user, id string }

var loggedOnUserTable = &table[loggedOnRow]{name: "Win32_LoggedOnUser", gather: gatherLoggedOn, columns: []column[loggedOnRow]{
	{name: "Antecedent", get: func(r *loggedOnRow) cim.Value { return accountRef(r.server, "Win32_UserAccount", r.domain, r.user) }},
	{name: "Dependent", get: func(r *loggedOnRow) cim.Value {
		path := cim.ObjectPath{Server: r.server, Namespace: Namespace, Class: "Win32_LogonSession",
			Keys: []cim.Key{{Name: "LogonId", Value: cim.Str(r.id)}}}
		return cim.Ref(path.String())
	}},
}}

// gatherLoggedOn leaves out sessions of users that are not of this machine: there is no account to refer to.
func gatherLoggedOn(_ context.Context, p *Provider, _ uint32, q query, f func(*loggedOnRow) error) error {
	all, _ := p.logons()
	if len(all) == 0 {
		return nil
	}
	users, err := p.users(false)
	if err != nil {
		return err
	}
	byName, byID := map[string]bool{}, map[uint32]string{}
	for _, u := range users {
		byName[u.name] = true
		if byID[u.uid] == "" {
			byID[u.uid] = u.name
		}
	}
	domain := p.hostName()
	for i := range all {
		name := all[i].user
		if !byName[name] && all[i].hasUID {
			name = byID[all[i].uid]
		}
		if !byName[name] {
			continue
		}
		if err := f(&loggedOnRow{q.server, domain, name, all[i].id}); err != nil {
			return err
		}
	}
	return nil
}
