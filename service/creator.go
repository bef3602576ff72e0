package service

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/consumers"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
)

// registerConsumers registers the standard event consumers, which the manager
// closes.
func registerConsumers(m *cimom.Manager, o Options, p *people, files *userFiles) error {
	c, err := consumers.New(consumers.Options{
		Starter: o.Starter, Identity: p.creatorIdentity, AppendLine: files.appendLine, Report: consumers.Syslog(""),
		Dial: (&net.Dialer{}).DialContext, MachineName: machineName(), Log: o.Logger,
	})
	if err == nil {
		err = m.Register(c)
	}
	if err != nil {
		return fmt.Errorf("register the event consumers: %w", err)
	}
	return nil
}

// creatorIdentity is the Unix user as whom an event consumer acts: that of the
// account that created it. Consumers of administrators belong to their group,
// and so to the built-in Administrator. See spec/wmi.md 5.3.
func (p *people) creatorIdentity(creator cim.Caller) (shell.Identity, error) {
	if creator.Token == nil || creator.Token.User != security.SIDAdministrators {
		return p.unixIdentity(creator)
	}
	users, err := p.store.Users()
	if err != nil {
		return shell.Identity{}, err
	}
	for _, u := range users {
		if u.RID == security.RIDAdministrator {
			token := cimom.AdministratorsToken()
			token.User, token.UserName = u.SID, u.Name
			return p.unixIdentity(cim.Caller{Token: token})
		}
	}
	return shell.Identity{}, errors.New("there is no built-in Administrator to act as")
}

// creatorCaller is the caller that the creator of a permanent subscription
// stands for. An account stands for itself without elevation, as it was when
// it was not taken for an administrator. What its domain says of one that is of a
// domain is what it said when that account signed in last: nobody can be asked by
// a SID alone.
func (p *people) creatorCaller(sid security.SID) (cim.Caller, error) {
	if sid == security.SIDAdministrators {
		return cim.Caller{Token: cimom.AdministratorsToken()}, nil
	}
	users, err := p.store.Users()
	if err != nil {
		return cim.Caller{}, err
	}
	for _, u := range users {
		if u.SID == sid && !u.Disabled {
			t, err := p.store.Token(u.Name, accounts.TokenOptions{LogonType: security.LogonService})
			if err != nil {
				return cim.Caller{}, err
			}
			t = security.Filter(t)
			return cim.Caller{Token: &t}, nil
		}
	}
	if known, ok := p.store.Remembered(sid); ok {
		t, err := p.store.ForeignToken(known, security.LogonService)
		if err != nil {
			return cim.Caller{}, err
		}
		t = security.Filter(t)
		return cim.Caller{Token: &t}, nil
	}
	return cim.Caller{}, &cim.Error{Status: cim.ErrAccessDenied, Detail: "the creator " + sid.String() + " has no account here"}
}

// creatorStores keeps who stores a part of a permanent subscription, where only
// a domain knows that.
func (p *people) creatorStores(t *security.Token) error {
	if t.Has(security.SIDAdministrators) || !p.store.OfDomain(t) {
		return nil
	}
	if err := p.store.Remember(t); err != nil {
		return &cim.Error{Status: cim.ErrQuotaViolation, Detail: "who created it cannot be kept", Err: err}
	}
	return nil
}

// hasOwnFiles tells whether one who runs as the service's own user may have the
// files of that user, the state of the service among them: administrators, and
// accounts that were given that user by name.
func (p *people) hasOwnFiles(token *security.Token) bool {
	if token.Has(security.SIDAdministrators) {
		return true
	}
	if _, mapped, err := p.store.DomainUserOf(token); mapped || err != nil {
		return mapped
	}
	users, err := p.store.Users()
	return err == nil && slices.ContainsFunc(users, func(u accounts.User) bool { return u.SID == token.User && u.UnixUser != "" })
}
