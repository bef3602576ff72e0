package adtest

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Close()
	os.Exit(code)
}

// The domain gives tickets to its users, for its services, in AES, and its keytabs open them.
func TestDomain(t *testing.T) {
	d := Shared(t)
	cache := d.Login(t, Alice)
	tool := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), d.Env(cache)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	// kvno decrypts the tickets with the keytab.
	for service, computer := range map[string]string{"HTTP/server.corp.test": Server, "HTTP/server": Server, "RPCSS/server.corp.test": Server, "HOST/client.corp.test": Client} {
		if out := tool("kvno", "-k", d.Keytab(computer), service); !strings.Contains(out, "keytab entry valid") {
			t.Errorf("%s", out)
		}
	}
	if out := tool("klist", "-f", "-e"); !strings.Contains(out, "aes256-cts-hmac-sha1-96, aes256-cts-hmac-sha1-96") || !strings.Contains(out, "Flags: F") {
		t.Errorf("tickets are not of AES, or not forwardable:\n%s", out)
	}
	if sid := d.SIDOf(Alice); sid.Domain() != d.SID || sid.RID() < 1000 {
		t.Errorf("the SID of a user is %s in the domain %s", sid, d.SID)
	}
}

// A member has joined: winbind there knows the users, and so does its name service switch, and NTLM is verified with the member's own account.
func TestJoined(t *testing.T) {
	d := Shared(t)
	m := d.Joined(t)
	for _, tt := range []struct {
		line string
		want string
	}{
		{`wbinfo --check-secret`, "succeeded"},
		{`wbinfo --own-domain`, NetBIOS},
		{`id -u 'CORP\alice'`, strconv.Itoa(FirstUID + int(d.SIDOf(Alice).RID()))},
		{`wbinfo --authenticate='CORP\alice%` + Password + `'`, "challenge/response password authentication succeeded"},
	} {
		in := m.Enter()
		if out, err := exec.Command(in[0], append(in[1:], "sh", "-c", tt.line)...).CombinedOutput(); err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: %v\n%s", tt.line, err, out)
		}
	}
}
