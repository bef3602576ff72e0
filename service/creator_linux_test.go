package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
)

// TestCreatorOfConsumer: what administrators store acts as the built-in
// Administrator's Unix user, never as root, and files are opened as the
// service's own user or not at all.
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
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.creatorIdentity(administrators)
	folder, openErr := p.openFolder(context.Background(), administrators, dir)
	if own.UID == 0 {
		if err == nil || openErr == nil {
			t.Errorf("administrators act as root: %v %v", id, err)
		}
		// Mapped to another user: programs run as that one, files are refused.
		if err := store.SetUnixUser("Administrator", "nobody", false); err != nil {
			t.Fatal(err)
		}
		if id, err = p.creatorIdentity(administrators); err != nil || id.UnixUser != "nobody" {
			t.Errorf("%v %v", id, err)
		}
		if _, err := p.openFolder(context.Background(), administrators, dir); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("the file of another user: %v", err)
		}
	} else {
		if err != nil || id.UID != own.UID || openErr != nil {
			t.Fatalf("%v %v %v", id, err, openErr)
		}
		f, err := folder.Append("log")
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		folder.Close()
		if _, err := os.Stat(filepath.Join(dir, "log")); err != nil {
			t.Error(err)
		}
	}
	// An account without a Unix user of its own cannot write what the service's user owns.
	ann, err := store.AddUser(accounts.NewUser{Name: "ann", Password: "Secret-1-Secret"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.openFolder(context.Background(), cim.Caller{Token: &security.Token{User: ann.SID}}, dir); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("the service's files as ann: %v", err)
	}
	for name, token := range map[string]*security.Token{"nobody": nil, "a stranger": {User: security.SIDUsers}} {
		if id, err := p.creatorIdentity(cim.Caller{Token: token}); err == nil {
			t.Errorf("%s is %v", name, id)
		}
	}
}
