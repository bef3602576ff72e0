//go:build !nonats

package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/console"
)

// Sign-in asks a real service: the right password gives the account with its groups,
// also that of somebody who may do nothing over WinRM; a wrong one, a stranger and an
// account that is disabled are refused alike.
func TestConsoleSignIn(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	st := s.Service.State
	if _, err := st.Accounts.AddGroup(console.OperatorsGroup, ""); err != nil {
		t.Fatal(err)
	}
	s.AddUser("ann", "Correct-Horse-7", console.OperatorsGroup)
	s.AddUser("bob", "Battery-Staple-8", "Administrators")
	s.AddUser("gone", "Battery-Staple-9")
	if err := st.Accounts.SetDisabled("gone", true); err != nil {
		t.Fatal(err)
	}
	p := consolePeople{st}
	has := func(a console.Account, sid, name string) bool {
		return slices.ContainsFunc(a.Groups, func(g console.Group) bool { return (sid == "" || g.SID == sid) && strings.HasSuffix(g.Name, name) })
	}
	a, err := p.signIn(t.Context(), "ann", "Correct-Horse-7")
	if err != nil || !strings.HasSuffix(a.User, `\ann`) || !strings.HasPrefix(a.SID, "S-1-5-21-") || !has(a, "", `\`+console.OperatorsGroup) || has(a, "S-1-5-32-544", "") {
		t.Errorf("ann: %+v, %v", a, err)
	}
	// the rights that User Account Control takes from an administrator over the network
	// are no matter of the console
	if a, err := p.signIn(t.Context(), "bob", "Battery-Staple-8"); err != nil || !has(a, "S-1-5-32-544", "Administrators") {
		t.Errorf("bob: %+v, %v", a, err)
	}
	for _, k := range [][2]string{{"ann", "wrong"}, {"nobody", "Correct-Horse-7"}, {"gone", "Battery-Staple-9"}, {"", "x"}, {`ELSEWHERE\ann`, "Correct-Horse-7"}} {
		if a, err := p.signIn(t.Context(), k[0], k[1]); !errors.Is(err, console.ErrWrongPassword) || a.User != "" {
			t.Errorf("%s with %s: %+v, %v", k[0], k[1], a, err)
		}
	}
	now, err := p.current(t.Context(), a.User)
	if err != nil || now.SID != a.SID {
		t.Errorf("as they are now: %+v, %v", now, err)
	}
	if err := st.Accounts.RemoveMember(console.OperatorsGroup, "ann"); err != nil {
		t.Fatal(err)
	}
	if now, err = p.current(t.Context(), a.User); err != nil || has(now, "", console.OperatorsGroup) {
		t.Errorf("taken out of the group: %+v, %v", now, err)
	}
	s.Close()
	if _, err := p.signIn(t.Context(), "ann", "Correct-Horse-7"); err == nil || errors.Is(err, console.ErrWrongPassword) {
		t.Errorf("without a service: %v", err)
	}
}
