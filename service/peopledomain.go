package service

import (
	"errors"
	"fmt"
	"os/user"
	"strings"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
)

// domainToken is the token of who a domain vouches for. A name of a domain is
// never looked up among the local accounts, and User Account Control filters
// nothing. See spec/winrm.md 5.7.
func (p *people) domainToken(a *auth.DomainAccount) (*security.Token, error) {
	t, err := p.store.ForeignToken(accounts.Foreign{User: a.SID, UserName: a.Name, Domain: a.Domain, Realm: a.Realm, Groups: a.Groups}, security.LogonNetwork)
	if err != nil {
		return nil, err
	}
	if _, acts := p.store.Remembered(t.User); acts { // what it stored has its groups of now
		if err := p.store.Remember(&t); err != nil {
			return nil, err
		}
	}
	return &t, nil
}

// domainIdentity is the Unix user as whom the commands of an account of a domain
// run: the one that an administrator mapped it to, else the one that the name
// service switch knows by its name, as winbind and SSSD do.
func (p *people) domainIdentity(t *security.Token) (shell.Identity, error) {
	name := t.Domain + `\` + t.UserName
	u, found, err := p.store.DomainUserOf(t)
	if err != nil {
		return shell.Identity{}, err
	}
	if found {
		id, err := shell.LookupIdentity(u.UnixUser)
		switch {
		case err != nil:
			return id, fmt.Errorf("the account %s is mapped to %s: %w", name, u.UnixUser, err)
		case id.UID == 0 && !u.AllowRoot:
			return id, fmt.Errorf("the account %s is mapped to root without permission to be", name)
		}
		return id, nil
	}
	forms := []string{name}
	if t.Realm != "" {
		forms = append(forms, t.UserName+"@"+t.Realm, t.UserName+"@"+strings.ToLower(t.Realm))
	}
	for _, form := range forms {
		id, err := shell.LookupIdentity(form)
		var unknown user.UnknownUserError
		switch {
		case errors.As(err, &unknown):
		case err != nil:
			return id, err
		case id.UID == 0:
			return id, fmt.Errorf("the account %s is root to the name service switch, and is not permitted to be", name)
		default:
			return id, nil
		}
	}
	return shell.Identity{}, fmt.Errorf("the account %s of a domain is mapped to no Unix user, and the name service switch knows none: 'casement user map '%s' --unix USER' gives it one", name, name)
}
