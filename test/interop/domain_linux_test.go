package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/adtest"
	"github.com/casementhq/casement/registry"
	machine "github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
)

// member is a service that is a member of a domain: it has the keytab of the computer server.
type member struct {
	*service
	domain *adtest.Domain
	host   string // its name, which peers find in a hosts file of their own
}

// inDomain gives the service that is a member of the shared domain. The domain's group Operators is in its Administrators, and bob in
// none of its groups.
func inDomain(t *testing.T) *member {
	t.Helper()
	d := adtest.Shared(t)
	m := &member{affiliated, d, "server." + adtest.DNSName}
	affiliated.once.Do(func() {
		affiliated.keytab = d.Keytab(adtest.Server)
		affiliated.prepare = resolverAt(fmt.Sprintf("127.61.%d.61", os.Getpid()%250+1), adtest.Server)
		affiliated.err = affiliated.launch()
	})
	if affiliated.err != nil {
		t.Fatal(affiliated.err)
	}
	m.letIn(t)
	return m
}

// letIn gives the domain's group Operators the rights of administrators.
func (m *member) letIn(t *testing.T) {
	t.Helper()
	m.tool(t, "group", "add", "Administrators", m.domain.SIDOf(adtest.Operators).String())
	t.Cleanup(func() { m.tool(t, "group", "remove", "Administrators", m.domain.SIDOf(adtest.Operators).String()) })
}

// resolverAt gives a service port 135 of an address, and names to tell clients in place of it: impacket takes no address that does not contain the
// name that it was given.
func resolverAt(address string, names ...string) func(string) error {
	return func(dir string) error {
		state, err := machine.OpenState(dir, machine.StateOptions{Create: true})
		if err != nil {
			return err
		}
		defer state.Close()
		return state.Hive.Update(func(tx *registry.Tx) error {
			return errors.Join(tx.Set(settings.KeyCasement, "DCOMAddress", registry.SZ(address)),
				tx.Set(settings.KeyCasement, "DCOMBindings", registry.MultiSZ(names...)))
		})
	}
}

// at is a URL of the service with its name.
func (m *member) at(url string) string { return strings.Replace(url, "127.0.0.1", m.host, 1) }

// tool runs casement on the state of the service.
func (m *member) tool(t *testing.T, args ...string) string {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "CASEMENT_STATE="+filepath.Join(m.dir, "state"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("casement %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// peer is a program that finds the domain, the service by its name, and the tickets of a user.
func (m *member) peer(t *testing.T, ctx context.Context, user string, name string, args ...string) *exec.Cmd {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, fmt.Appendf(nil, "127.0.0.1 localhost %s\n%s server\n%s %s dc1\n", m.host, strings.TrimSuffix(m.dcom, ":135"), m.domain.Address, m.domain.Controller), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"-m", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts, name}, args...)...)
	cmd.Env = append(m.environ(), m.domain.Env(m.domain.Login(t, user))...)
	cmd.Env = append(cmd.Env, "CASEMENT_HOST="+m.host, "CASEMENT_KDC="+m.domain.Address, "CASEMENT_REALM="+adtest.Realm,
		"CASEMENT_DOMAIN_USER="+user, "CASEMENT_DOMAIN_PASSWORD="+adtest.Password, "CASEMENT_STATE="+filepath.Join(m.dir, "state"))
	return cmd
}

// curl of Debian with MIT Kerberos: Negotiate with a ticket reaches Identify over HTTPS; over HTTP the proof is good and the clear message is
// refused. See [RFC4559].
func TestCurlKerberos(t *testing.T) {
	m := inDomain(t)
	for _, tt := range []struct{ what, url, user, want string }{
		{"over https", m.at(m.https), adtest.Alice, "200"},
		{"over https, in no group", m.at(m.https), adtest.Bob, "200"}, // Identify needs no right
		{"over http in the clear", m.at(m.http), adtest.Alice, "401"},
		{"by an alias that has no key", strings.Replace(m.https, "127.0.0.1", "localhost", 1), adtest.Alice, "401"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			dir := t.TempDir()
			body := filepath.Join(dir, "body")
			if err := os.WriteFile(body, []byte(identify), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"--silent", "--show-error", "--insecure", "--negotiate", "--user", ":", "--max-time", "30", "--data-binary", "@" + body,
				"--header", "Content-Type: application/soap+xml;charset=UTF-8", "--output", filepath.Join(dir, "answer"), "--write-out", "%{http_code}"}
			out, err := m.peer(t, t.Context(), tt.user, "curl", append(args, tt.url)...).Output()
			answer, _ := os.ReadFile(filepath.Join(dir, "answer"))
			if string(out) != tt.want {
				t.Fatalf("HTTP %s, want %s (%v): %s", out, tt.want, err, answer)
			}
			if tt.want == "200" {
				checkIdentity(t, string(answer), true)
			}
		})
	}
}

// pypsrp 0.9.1 and pywinrm 0.5.0 with MIT Kerberos, and impacket 0.13.1 with its own: sealed over HTTP by Negotiate and by Kerberos, over HTTPS with
// channel bindings, delegation, and WMI over DCOM.
func TestPeersKerberos(t *testing.T) {
	m := inDomain(t)
	interpreter := python(t, "krb5, gssapi, winrm, impacket")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	runPeerCommand(t, m.peer(t, ctx, adtest.Alice, interpreter, "domain_peer.py"))
}

// Statement 56 of spec/winrm.md 10, and the tools of this tree with the tickets of a user: casement, winrm and winrs over WinRM, casement over DCOM, a keytab in place of tickets, and
// the Unix user as whom commands run.
func TestToolsKerberos(t *testing.T) {
	m := inDomain(t)
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	user := filepath.Join(t.TempDir(), "state") // of the client, who has none
	run := func(t *testing.T, who string, args ...string) (string, error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := m.peer(t, ctx, who, binary, args...)
		cmd.Env = append(cmd.Env, "CASEMENT_USER=", "CASEMENT_PASSWORD=", "CASEMENT_STATE="+user, "CASEMENT_HOSTS="+user+".hosts")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	at, query := m.at(m.http), "SELECT Caption FROM Win32_OperatingSystem"
	for _, tt := range []struct {
		what, who string
		args      []string
		want      string // of what is printed; where it fails, after "!"
	}{
		{"casement over WinRM", adtest.Alice, []string{"query", at, query}, "Debian"},
		{"casement over WinRM, named", adtest.Alice, []string{"query", at, query, "--auth", "Kerberos", "--spn", "host"}, "Debian"},
		{"casement over DCOM", adtest.Alice, []string{"query", "dcom://server", query}, "Debian"},
		{"casement over DCOM with an authority", adtest.Alice, []string{"query", "dcom://server", query, "--authority", "Kerberos:server", "--impersonation", "delegate"}, "Debian"},
		{"winrm", adtest.Alice, []string{"winrm", "get", "wmicimv2/Win32_OperatingSystem", "-r:" + at}, "Debian"},
		{"winrm with a port in the name", adtest.Alice, []string{"winrm", "get", "wmicimv2/Win32_OperatingSystem", "-r:" + at, "-a:Kerberos", "-SPNPort"}, "Debian"},
		{"winrm with an address", adtest.Alice, []string{"winrm", "id", "-r:http://192.0.2.1", "-a:Kerberos"}, "!0x8033810B"},
		{"in no group", adtest.Bob, []string{"query", at, query}, "!denied"},
		{"a keytab of who is in no group", adtest.Alice, []string{"query", at, query, "--keytab", m.domain.Keytab(adtest.Client)}, "!denied"},
		{"a cache that is not there", adtest.Alice, []string{"query", at, query, "--ccache", user}, "!kinit"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			out, err := run(t, tt.who, tt.args...)
			if want, fails := strings.CutPrefix(tt.want, "!"); fails != (err != nil) || !strings.Contains(strings.ToLower(out), strings.ToLower(want)) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	// An account of a domain has a shell as the Unix user that it was mapped to, and none without.
	if out, err := run(t, adtest.Alice, "winrs", "-r:"+at, "id", "-un"); err == nil || !strings.Contains(out, "user map") {
		t.Errorf("a shell without a Unix user: %v: %s", err, out)
	}
	m.tool(t, "user", "map", `CORP\alice`, "--unix", "nobody")
	defer m.tool(t, "user", "map", `CORP\alice`)
	for _, args := range [][]string{{"winrs", "-r:" + at, "id", "-un"}, {"winrs", "-r:" + at, "-allowdelegate", "id", "-un"}, {"run", at, "--", "id", "-un"}} {
		if out, err := run(t, adtest.Alice, args...); err != nil || strings.TrimSpace(out) != "nobody" {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
	if list := m.tool(t, "user", "list"); !strings.Contains(list, `CORP\alice`) {
		t.Errorf("the list of users: %s", list)
	}
}
