package service

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"strings"
	"time"

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
	return &t, err
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

// resolveDomainName finds the SID of an account of a domain by asking winbind,
// where this machine has joined one.
func resolveDomainName(name string) (sid security.SID, shown string, err error) {
	text, err := wbinfo("--name-to-sid", name)
	if err != nil {
		return sid, "", err
	}
	if text, _, _ = strings.Cut(text, " "); text == "" {
		return sid, "", errors.New("winbind gives no SID")
	}
	if sid, err = security.ParseSID(text); err != nil {
		return sid, "", err
	}
	shown, err = wbinfo("--sid-to-name", sid.String())
	if at := strings.LastIndexByte(shown, ' '); err == nil && at > 0 { // the kind of account is the last word
		return sid, shown[:at], nil
	}
	return sid, name, nil
}

// wbinfo asks winbind.
func wbinfo(args ...string) (string, error) {
	program, err := exec.LookPath("wbinfo")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output() // #nosec G204 -- no shell stands between
	return strings.TrimSpace(string(out)), err
}
