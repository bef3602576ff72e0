package service

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/internal/adtest"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wsman/wsmanserver"
)

// domainPeople are those of a new state folder.
func domainPeople(t *testing.T) *people {
	t.Helper()
	state, err := OpenState(t.TempDir(), StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	return &people{store: state.Accounts, state: state, winbind: newWinbind(state.Accounts)}
}

// signInNTLM proves an identity by NTLM in SPNEGO, and has a message sealed and opened.
func signInNTLM(t *testing.T, p *people, user, password string) (*security.Token, error) {
	t.Helper()
	acceptor := p.negotiate(wsmanserver.Peer{})
	client := ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: user, Password: password}})
	var token []byte
	for {
		out, done, err := client.Step(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		in, accepted, err := acceptor.Step(t.Context(), out)
		if err != nil {
			return nil, err
		}
		if token = in; done != accepted {
			t.Fatalf("the client is done: %v, the service: %v", done, accepted)
		}
		if done {
			break
		}
	}
	text := []byte("sealed with the key that the domain gave")
	message := slices.Clone(text)
	signature, err := client.Context().Seal([]auth.Buffer{{Data: message}})
	if err != nil {
		t.Fatal(err)
	}
	if err := acceptor.Context().Unseal([]auth.Buffer{{Data: message}}, signature); err != nil || !slices.Equal(message, text) {
		t.Errorf("the service opens %q: %v", message, err)
	}
	return p.token(t.Context(), acceptor.Context().Identity())
}

// NTLM of a domain is verified by winbind: the session key is the domain's, and so are the SID and the groups.
func TestDomainNTLM(t *testing.T) {
	d := adtest.Shared(t)
	t.Setenv("PATH", d.Winbind(t)+":"+os.Getenv("PATH"))
	p := domainPeople(t)
	if err := p.store.AddMember("Administrators", `CORP\Operators`); err != nil { // winbind knows its SID
		t.Fatal(err)
	}
	if name := p.store.AccountName(d.SIDOf(adtest.Operators)); !strings.EqualFold(name, `CORP\Operators`) {
		t.Errorf("the group is shown as %s", name)
	}
	for _, tt := range []struct {
		user, account string
		admin         bool
	}{
		{`CORP\alice`, adtest.Alice, true},
		{`corp\BOB`, adtest.Bob, false},
		{`corp.test\alice`, adtest.Alice, true},
	} {
		token, err := signInNTLM(t, p, tt.user, adtest.Password)
		if err != nil {
			t.Errorf("%s: %v", tt.user, err)
			continue
		}
		if token.User != d.SIDOf(tt.account) || token.Has(security.SIDAdministrators) != tt.admin || token.Filtered ||
			!token.Has(d.SIDOf("domain users")) || token.Domain != "CORP" || token.Realm != adtest.Realm || token.UserName != tt.account {
			t.Errorf("%s: %+v", tt.user, token)
		}
		if _, err := signInNTLM(t, p, tt.user, "wrong"); !errors.Is(err, auth.ErrLogonFailure) {
			t.Errorf("%s with a wrong password: %v", tt.user, err)
		}
	}
	if _, err := signInNTLM(t, p, `CORP\nobody`, adtest.Password); !errors.Is(err, auth.ErrLogonFailure) {
		t.Errorf("nobody: %v", err)
	}
	// A local account of the same name is somebody else.
	if _, err := p.store.AddUser(accounts.NewUser{Name: "bob", Password: "Local-1-word"}); err != nil {
		t.Fatal(err)
	}
	if token, err := signInNTLM(t, p, "bob", "Local-1-word"); err != nil || token.User == d.SIDOf(adtest.Bob) || token.Realm != "" {
		t.Errorf("the local bob: %+v, %v", token, err)
	}
	if _, err := signInNTLM(t, p, `CORP\bob`, "Local-1-word"); !errors.Is(err, auth.ErrLogonFailure) {
		t.Errorf("the local password for the domain's bob: %v", err)
	}
}

// Where no domain was joined, its accounts are refused with that reason, and guesses of them lock nobody out.
func TestDomainNTLMWithoutWinbind(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	p := domainPeople(t)
	if _, err := p.store.AddUser(accounts.NewUser{Name: "bob", Password: "Local-1-word"}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := signInNTLM(t, p, `CORP\bob`, "Local-1-word"); !errors.Is(err, auth.ErrLogonFailure) || !strings.Contains(err.Error(), "joined none") {
			t.Fatalf("an account of a domain: %v", err)
		}
	}
	if locked := p.store.Lockouts(); len(locked) != 0 {
		t.Errorf("%+v", locked)
	}
	if _, err := signInNTLM(t, p, "bob", "Local-1-word"); err != nil {
		t.Errorf("the local account: %v", err)
	}
}

// fakeWinbind is a wbinfo that knows the domain CORP and its accounts, and an
// ntlm_auth that writes down that it was started and refuses everybody.
func fakeWinbind(t *testing.T) (started func() int) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range map[string]string{
		"wbinfo":    "case $1 in --own-domain) echo CORP;; --domain-info=*) printf 'Alt_Name : corp.test\nActive Directory : Yes\nPrimary : Yes\n';; *) exit 1;; esac",
		"ntlm_auth": "echo x >>" + dir + "/started\necho 'Authenticated: No'\necho 'Authentication-Error: Logon failure'\necho .",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { // #nosec G306 -- it is run
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() int {
		b, _ := os.ReadFile(filepath.Join(dir, "started"))
		return len(b) / 2
	}
}

// Guesses of accounts of a domain are slowed down as those of local ones: a stranger does not have a program started, and the domain
// asked, as often as he likes. Who is turned away so has not failed once more.
func TestDomainGuessesAreSlowedDown(t *testing.T) {
	started := fakeWinbind(t)
	p := domainPeople(t)
	for range 30 {
		if _, err := signInNTLM(t, p, `CORP\alice`, "guess"); !errors.Is(err, auth.ErrLogonFailure) {
			t.Fatal(err)
		}
	}
	if n := started(); n < 5 || n > 7 {
		t.Errorf("30 guesses started ntlm_auth %d times, want the 5 that are free and hardly more", n)
	}
	locked := p.store.Lockouts()
	if len(locked) != 1 || locked[0].User != `corp\alice` || locked[0].Failures > 7 {
		t.Errorf("%+v", locked)
	}
}
