package service

import (
	"strings"
	"testing"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
)

// TestCreatorOfConsumer: what administrators store acts as the built-in
// Administrator's Unix user, never as root, and the service's own files are
// for administrators and for whom that user was given by name.
func TestCreatorOfConsumer(t *testing.T) {
	store, err := accounts.Create(t.TempDir(), "HOST", accounts.Options{Hash: ntlm.NTHash})
	if err != nil {
		t.Fatal(err)
	}
	p := &people{store: store}
	administrators := cim.Caller{Token: &security.Token{User: security.SIDAdministrators}}
	own, err := shell.Current()
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.creatorIdentity(administrators)
	isOwn, ownErr := p.isOwn(administrators)
	if own.UID == 0 {
		if err == nil || ownErr == nil {
			t.Errorf("administrators act as root: %v %v", id, err)
		}
		if err := store.SetUnixUser("Administrator", "nobody", false); err != nil {
			t.Fatal(err)
		}
		if id, err = p.creatorIdentity(administrators); err != nil || id.UnixUser != "nobody" {
			t.Errorf("%v %v", id, err)
		}
		if own, err := p.isOwn(administrators); err != nil || own {
			t.Errorf("the files of nobody are root's: %v, %v", own, err)
		}
		if err := store.SetUnixUser("Administrator", "root", true); err != nil {
			t.Fatal(err)
		}
		if own, err := p.isOwn(administrators); err != nil || !own {
			t.Errorf("mapped to root with permission: %v, %v", own, err)
		}
	} else if err != nil || id.UID != own.UID || ownErr != nil || !isOwn {
		t.Fatalf("%v %v %v %v", id, err, isOwn, ownErr)
	}
	// An account without a Unix user of its own has none, and one that is no
	// administrator at the moment has not the files of the service either.
	for name, groups := range map[string][]string{"reader": nil, "admin": {"Administrators"}} {
		if _, err := store.AddUser(accounts.NewUser{Name: name, Password: "Secret-1-Secret"}); err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			if err := store.AddMember(g, name); err != nil {
				t.Fatal(err)
			}
		}
		token, err := store.Token(name, accounts.TokenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		token = security.Filter(token)
		if own, err := p.isOwn(cim.Caller{Token: &token}); err == nil {
			t.Errorf("%s has the files of the service: %v", name, own)
		}
	}
	for name, token := range map[string]*security.Token{"nobody": nil, "a stranger": {User: security.SIDUsers}} {
		if id, err := p.creatorIdentity(cim.Caller{Token: token}); err == nil {
			t.Errorf("%s is %v", name, id)
		}
	}
}

// TestFilteredAdministratorIsNotTheService: an administrator whom User Account
// Control filters, and whom another group lets open a shell, is not given the
// service's own user there: as that one he would change accounts and hive, and be
// elevated. Whoever is elevated may do that anyway.
func TestFilteredAdministratorIsNotTheService(t *testing.T) {
	store, err := accounts.Create(t.TempDir(), "HOST", accounts.Options{Hash: ntlm.NTHash})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.AddUser(accounts.NewUser{Name: "manager", Password: "Secret-1-Secret"}); err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"Administrators", accounts.RemoteWMIUsers} {
		if err := store.AddMember(group, "manager"); err != nil {
			t.Fatal(err)
		}
	}
	p := &people{store: store}
	run := func(elevated bool) (shell.Identity, error) {
		token, err := store.Token("manager", accounts.TokenOptions{LocalAccountTokenFilterPolicy: elevated})
		if err != nil {
			t.Fatal(err)
		}
		return p.unixIdentity(cim.Caller{Token: &token, Remote: true})
	}
	if id, err := run(false); err == nil || !strings.Contains(err.Error(), "casement user map manager") {
		t.Errorf("filtered, commands run as %+v: %v", id, err)
	}
	own, err := shell.Current()
	if err != nil {
		t.Fatal(err)
	}
	switch id, err := run(true); {
	case own.UID == 0 && (err == nil || !strings.Contains(err.Error(), "runs as root")):
		t.Errorf("elevated, at a service of root: %+v, %v", id, err)
	case own.UID != 0 && (err != nil || id.UID != own.UID):
		t.Errorf("elevated: %+v, %v", id, err)
	}
}
