package cli

import (
	"encoding/json"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/casementhq/casement/service"
)

// signsIn checks a password against the state folder as a running service does.
func signsIn(t *testing.T, dir, user, password string) bool {
	t.Helper()
	st, err := service.OpenState(dir, service.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	_, err = st.Accounts.VerifyPassword(user, password, netip.MustParseAddr("192.0.2.1"))
	return err == nil
}

func TestUserLife(t *testing.T) {
	dir := state(t)
	cli(t, "s3cret pass\nrest", "casement", "user", "add", "alice", "--password-stdin", "--full-name", "Alice L.").want(t, 0, "alice was added", "S-1-5-21-")
	if !signsIn(t, dir, "alice", "s3cret pass") || signsIn(t, dir, "alice", "wrong") {
		t.Error("alice does not sign in with her password, or with another")
	}
	cli(t, "x\n", "casement", "user", "add", "ALICE", "--password-stdin").want(t, 1, "exists")
	cli(t, "", "casement", "user", "add", "bob").want(t, 2, "--password-stdin or --generate")
	cli(t, "\n", "casement", "user", "add", "bob", "--password-stdin").want(t, 1, "empty")
	cli(t, "x\n", "casement", "user", "add", "a/b", "--password-stdin").want(t, 1, "not usable")
	r := cli(t, "", "casement", "user", "passwd", "alice", "--generate").want(t, 0)
	m := regexp.MustCompile(`Password: (\S+)`).FindStringSubmatch(r.out)
	if m == nil || !signsIn(t, dir, "alice", m[1]) || signsIn(t, dir, "alice", "s3cret pass") {
		t.Errorf("the new password: %v in %q", m, r.out)
	}
	cli(t, "", "casement", "user", "disable", "alice").want(t, 0)
	if signsIn(t, dir, "alice", m[1]) {
		t.Error("a disabled user signs in")
	}
	cli(t, "", "casement", "user", "enable", "alice").want(t, 0)
	if !signsIn(t, dir, "alice", m[1]) {
		t.Error("an enabled user does not sign in")
	}
	var list []struct {
		Name, FullName, UnixUser string
		Enabled, Password        bool
	}
	r = cli(t, "", "casement", "user", "list", "-o", "json").want(t, 0)
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 2 || list[1].Name != "alice" || list[1].FullName != "Alice L." || !list[1].Enabled || !list[1].Password || list[0].Password {
		t.Errorf("list: %v %+v", err, list)
	}
	cli(t, "", "casement", "user", "delete", "alice").want(t, 0)
	cli(t, "", "casement", "user", "delete", "alice").want(t, 1, "no such user", "casement user list")
	cli(t, "", "casement", "user", "delete", "Administrator").want(t, 1, "built-in")
	cli(t, "", "casement", "user", "passwd", "nobody1", "--generate").want(t, 1, "no such user")
	cli(t, "", "casement", "user", "frob").want(t, 2, `"frob"`)
	cli(t, "", "casement", "user", "add").want(t, 2, "one user name")
	cli(t, "", "casement", "user", "list", "-o", "yaml").want(t, 2, "table")
}

func TestUserUnix(t *testing.T) {
	dir := state(t)
	cli(t, "x\n", "casement", "user", "add", "alice", "--password-stdin", "--unix", "no-such-user-here").want(t, 1, "no-such-user-here")
	cli(t, "x\n", "casement", "user", "add", "alice", "--password-stdin", "--unix", "root").want(t, 1, "--allow-root")
	cli(t, "x\n", "casement", "user", "add", "alice", "--password-stdin", "--unix", "root", "--allow-root").want(t, 0, "warning", "as root")
	unix := func() string {
		st, err := service.OpenState(dir, service.StateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		u, err := st.Accounts.LookupUser("alice")
		if err != nil {
			t.Fatal(err)
		}
		return u.UnixUser
	}
	if u := unix(); u != "root" {
		t.Errorf("mapped to %q", u)
	}
	cli(t, "", "casement", "user", "map", "alice", "--unix", "daemon").want(t, 0, "run as daemon")
	if u := unix(); u != "daemon" {
		t.Errorf("mapped to %q", u)
	}
	cli(t, "", "casement", "user", "map", "alice", "--unix", "root").want(t, 1)
	cli(t, "", "casement", "user", "map", "alice").want(t, 0, "service's own user")
	if u := unix(); u != "" {
		t.Errorf("mapped to %q", u)
	}
}

func TestGroups(t *testing.T) {
	state(t)
	cli(t, "x\n", "casement", "user", "add", "alice", "--password-stdin").want(t, 0)
	for _, group := range []string{"Administrators", "Remote Management Users", "WinRMRemoteWMIUsers__"} {
		cli(t, "", "casement", "group", "add", group, "alice").want(t, 0, "alice was added to")
		cli(t, "", "casement", "group", "list", group).want(t, 0, `\alice`, "S-1-5-21-")
		cli(t, "", "casement", "group", "add", group, "alice").want(t, 1, "exists")
		cli(t, "", "casement", "group", "remove", group, "alice").want(t, 0)
		cli(t, "", "casement", "group", "remove", group, "alice").want(t, 1, "not a member")
	}
	cli(t, "", "casement", "group", "list").want(t, 0, "Remote Management Users", "S-1-5-32-580")
	cli(t, "", "casement", "group", "add", "Nobodies", "alice").want(t, 1, "no such group", "casement group list")
	cli(t, "", "casement", "group", "create", "Operators", "--comment", "c").want(t, 0)
	cli(t, "", "casement", "group", "add", "Operators", "S-1-5-21-1-2-3-1234", "alice").want(t, 0)
	cli(t, "", "casement", "group", "list", "Operators", "-o", "csv").want(t, 0, "S-1-5-21-1-2-3-1234,S-1-5-21-1-2-3-1234")
	cli(t, "", "casement", "group", "delete", "Operators").want(t, 0)
	cli(t, "", "casement", "group", "delete", "Administrators").want(t, 1, "built-in")
}

func TestNet(t *testing.T) {
	dir := state(t)
	cli(t, "pw 1\n", "net", "user", "alice", "*", "/add", "/fullname:Alice").want(t, 0)
	if !signsIn(t, dir, "alice", "pw 1") {
		t.Error("alice does not sign in")
	}
	cli(t, "", "net", "user", "alice", "hunter2").want(t, 2, "everybody", "'*'")
	if strings.Contains(cli(t, "", "net", "user", "bob", "hunter2", "/add").want(t, 2).err, "hunter2") {
		t.Error("the refused password is printed")
	}
	cli(t, "pw 2\n", "NET.EXE", "user", "alice", "*").want(t, 0)
	cli(t, "", "net", "localgroup", "WinRMRemoteWMIUsers__", "alice", "/add").want(t, 0)
	cli(t, "", "net", "localgroup", "WinRMRemoteWMIUsers__", "alice", "/add").want(t, 2, "1378")
	cli(t, "", "net", "localgroup", "WinRMRemoteWMIUsers__").want(t, 0, "\nalice\n")
	cli(t, "", "net", "user", "alice").want(t, 0, "Full name        Alice", "*WinRMRemoteWMIUsers__")
	// As the document writes it: the switch stands before the member.
	cli(t, "", "net", "localgroup", "WinRMRemoteWMIUsers__", "/delete", "alice").want(t, 0)
	cli(t, "", "net", "localgroup", "WinRMRemoteWMIUsers__", "alice", "/delete").want(t, 2, "1377")
	cli(t, "", "net", "localgroup", "Nobodies", "alice", "/add").want(t, 2, "1376")
	cli(t, "", "net", "localgroup", "Mine", "/add", "/comment:ours").want(t, 0)
	cli(t, "", "net", "localgroup").want(t, 0, "*Mine", "*Administrators")
	cli(t, "", "net", "localgroup", "Mine", "/delete").want(t, 0)
	cli(t, "", "net", "user", "alice", "/active:no").want(t, 0)
	if signsIn(t, dir, "alice", "pw 2") {
		t.Error("a user that is not active signs in")
	}
	cli(t, "", "net", "user").want(t, 0, "alice", "Administrator")
	cli(t, "", "net", "user", "alice", "/delete").want(t, 0)
	cli(t, "", "net", "user", "alice").want(t, 2, "2221")
	for _, bad := range [][]string{{}, {"frob"}, {"user", "x", "/frob"}, {"localgroup", "a", "b"}, {"localgroup", "a", "b", "/add", "/delete"}, {"user", "a", "b", "c"}} {
		cli(t, "", append([]string{"net"}, bad...)...).want(t, 2, "net /?")
	}
}

// Someone else's state folder is refused with the code of Windows.
func TestStateOfAnother(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every folder")
	}
	dir := state(t)
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	cli(t, "", "casement", "user", "list").want(t, 1, "access is denied (5)", "sudo")
	cli(t, "", "reg", "query", "HKLM").want(t, 1, "access is denied (5)", "sudo")
}
