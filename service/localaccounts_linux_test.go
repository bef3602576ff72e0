package service_test

import (
	"os"
	"strings"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
)

// The accounts by which people sign in are users and groups of this machine, as Windows' tools look for them.
func TestAccountsAreUsersOfTheMachine(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	s.AddUser("Root", "Passw0rd!", "WinRMRemoteWMIUsers__") // hides the Unix user root
	c, err := casement.Dial(t.Context(), s.HTTP, casement.Options{User: s.User, Password: s.Password, HostsFile: "-"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	one := func(query string) *cim.Instance {
		t.Helper()
		rows, err := c.Query(t.Context(), "", query)
		if err != nil {
			t.Fatal(err)
		}
		list, err := cim.Collect(t.Context(), rows)
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %d instances, %v", query, len(list), err)
		}
		return list[0]
	}
	administrators := one("SELECT * FROM Win32_Group WHERE SID = 'S-1-5-32-544'")
	if name := administrators.Get("Name").String(); name != "Administrators" {
		t.Errorf("S-1-5-32-544 is %s", name)
	}
	host := administrators.Get("Domain").String()
	if builtIn := one("SELECT * FROM Win32_UserAccount WHERE Name = 'Administrator'"); !strings.HasSuffix(builtIn.Get("SID").String(), "-500") ||
		!strings.HasPrefix(builtIn.Get("SID").String(), "S-1-5-21-") || builtIn.Get("Domain").String() != host {
		t.Errorf("Administrator is %s of %s", builtIn.Get("SID"), builtIn.Get("Domain"))
	}
	one("SELECT * FROM Win32_GroupUser WHERE GroupComponent = \"Win32_Group.Domain='" + host + "',Name='Administrators'\"")
	members := one("ASSOCIATORS OF {Win32_Group.Domain='" + host + "',Name='WinRMRemoteWMIUsers__'} WHERE ResultClass = Win32_UserAccount")
	if name := members.Get("Name").String(); name != "Root" {
		t.Errorf("the member of WinRMRemoteWMIUsers__ is %s", name)
	}
	if root := one("SELECT * FROM Win32_UserAccount WHERE Name = 'root'"); root.Get("Name").String() != "Root" || !strings.HasPrefix(root.Get("SID").String(), "S-1-5-21-") {
		t.Errorf("root is %s, %s", root.Get("Name"), root.Get("SID"))
	}
	if _, err := os.Stat("/etc/group"); err == nil {
		if daemon := one("SELECT * FROM Win32_Group WHERE Name = 'daemon'"); !strings.HasPrefix(daemon.Get("SID").String(), "S-1-22-2-") {
			t.Errorf("the Unix group daemon is %s", daemon.Get("SID"))
		}
	}
}
