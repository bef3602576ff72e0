package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/internal/kdctest"
)

// withHosts runs a test in a process of its own, in a view of the file system where names of hosts are known: Kerberos wants names. It tells whether
// this is that process.
func withHosts(t *testing.T, names ...string) bool {
	t.Helper()
	const inside = "CASEMENT_TEST_HOSTS"
	if os.Getenv(inside) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can have a view of the file system of its own")
	}
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost "+strings.Join(names, " ")+"\n"), 0o644); err != nil { // #nosec G306 -- everybody reads it
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(hosts), 0o755); err != nil { // #nosec G302 -- likewise
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), inside+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// A forwarded ticket is the identity of casement, winrs and winrm inside of the shell that it came with, over WinRM and DCOM, and so is the user at the
// second host; without delegation there is none, and the tools say what is missing.
func TestForwardedTicket(t *testing.T) {
	const realm, domain, word = "HOP.TEST", "hop.test", "Alice's password"
	if !withHosts(t, "first."+domain, "second."+domain) {
		return
	}
	k := kdctest.Start(t, realm)
	k.AddPrincipal("alice", word)
	var servers [2]*casementtest.Server
	for i, name := range []string{"first", "second"} { // with another Unix user at each
		s := casementtest.New(t, casementtest.Options{})
		principals := []string{"HTTP/" + name + "." + domain, "host/" + name + "." + domain, "RPCSS/" + name + "." + domain}
		for _, p := range principals {
			k.AddPrincipal(p, "")
		}
		if _, err := s.Service.State.AddKeytab(k.Keytab(principals...)); err != nil {
			t.Fatal(err)
		}
		if err := s.Service.State.Accounts.AddMember("Administrators", "alice@"+realm); err != nil {
			t.Fatal(err)
		}
		if err := s.Service.State.Accounts.SetUnixUser("alice@"+realm, []string{"nobody", "daemon"}[i], false); err != nil {
			t.Fatal(err)
		}
		s.HTTP, s.DCOM = strings.Replace(s.HTTP, "127.0.0.1", name+"."+domain, 1), strings.Replace(s.DCOM, "127.0.0.1", name+"."+domain, 1)
		servers[i] = s
	}
	first, second := servers[0], servers[1]
	k.Admin("modprinc +ok_as_delegate HTTP/first." + domain)
	k.Setenv(t)
	t.Setenv("KRB5CCNAME", "FILE:"+k.CCache("alice", word, "-f"))
	state(t)
	dir := programs(t)
	config, err := os.ReadFile(k.Config)
	if err == nil {
		err = os.WriteFile(dir+"/krb5.conf", config, 0o644) // #nosec G306 -- for the shell's user
	}
	if err != nil {
		t.Fatal(err)
	}
	shell := func(line string, flags ...string) run {
		t.Helper()
		line = fmt.Sprintf("unset KRB5CCNAME; export KRB5_CONFIG=%s/krb5.conf; exec %s/%s", dir, dir, line)
		return cli(t, "", append(append([]string{"winrs", "-r:" + first.HTTP}, flags...), line)...)
	}
	for line, want := range map[string]string{
		"casement query " + second.HTTP + " 'SELECT Name FROM Win32_OperatingSystem' -o csv":        "Name",
		"casement query dcom://" + second.DCOM + " 'SELECT Name FROM Win32_OperatingSystem' -o csv": "Name",
		"winrm get winrm/config/service/auth -r:" + second.HTTP:                                     "CredSSP = false",
		"winrs -r:" + second.HTTP + " id -un":                                                       "daemon",
	} {
		shell(line, "-allowdelegate").want(t, 0, want)
		shell(line).want(t, 1, "there are no tickets", "opened with delegation")
	}
}
