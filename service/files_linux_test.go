package service

import (
	"os"
	"testing"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/cim"
)

// Files are changed as the Unix user of the caller: the service does it for those who run as the service's own user,
// and for nobody else.
func TestWhoseFilesAreChanged(t *testing.T) {
	store, err := accounts.Create(t.TempDir(), "HOST", accounts.Options{Hash: ntlm.NTHash})
	if err != nil {
		t.Fatal(err)
	}
	p := &people{store: store}
	token, err := store.Token("Administrator", accounts.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	may := func() bool {
		a, err := p.files(cim.Caller{Token: &token})
		return err == nil && a != nil
	}
	if os.Geteuid() == 0 {
		if may() {
			t.Error("an account without a Unix user changes the files of root")
		}
		if err := store.SetUnixUser("Administrator", "nobody", false); err != nil {
			t.Fatal(err)
		}
		if may() {
			t.Error("files of root are changed for nobody")
		}
		if err := store.SetUnixUser("Administrator", "root", true); err != nil {
			t.Fatal(err)
		}
	}
	if !may() {
		t.Error("the service's own user may not change its files")
	}
	if _, err := store.AddUser(accounts.NewUser{Name: "reader", Password: "Passw0rd!x"}); err != nil {
		t.Fatal(err)
	}
	if token, err = store.Token("reader", accounts.TokenOptions{}); err != nil {
		t.Fatal(err)
	}
	if may() {
		t.Error("an account that is no administrator and mapped to nobody changes the files of the service")
	}
	if _, err := p.files(cim.Caller{}); err == nil {
		t.Error("files are changed for nobody at all")
	}
}
