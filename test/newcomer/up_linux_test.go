package newcomer

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var onFreePorts = []string{"--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--dcom-port", "0"}

func up(state string, more ...string) []string {
	return append(append([]string{"up", "--state", state}, onFreePorts...), more...)
}

// The first up makes everything and says it, the second keeps everything and
// says no password; both serve until they are told to end.
func TestUp(t *testing.T) {
	people(t, func(t *testing.T, p person) {
		state := filepath.Join(p.home, "state")
		defer forgetPolicy(state)
		m := p.start(t, up(state)...)
		plain, secure, password := m.field("HTTP"), m.field("HTTPS"), m.field("Password")
		if m.field("User") != "Administrator" || len(password) < 20 {
			t.Errorf("it says %s", &m.out)
		}
		for _, u := range []string{plain, secure} {
			if answer := identify(t, u); !strings.HasPrefix(answer, "200 ") || !strings.Contains(answer, "IdentifyResponse") {
				t.Errorf("Identify at %s: %s", u, answer)
			}
		}
		if strings.Contains(m.err.String(), password) {
			t.Error("the password is in the log")
		}
		checkFiles(t, p, state)
		checkEntry(t, p, plain, password)
		p.must(t, "query", "here", "SELECT Caption FROM Win32_OperatingSystem")
		m.end(syscall.SIGINT)
		for _, u := range []string{plain, secure} {
			if parsed, err := url.Parse(u); err != nil || dials(parsed.Host) {
				t.Errorf("%s is still open (%v)", u, err)
			}
		}
		if _, err := os.Lstat(filepath.Join(state, "local.sock")); err == nil {
			t.Error("local.sock is left")
		}

		again := p.start(t, "up", "--state", state)
		if again.field("Password") != "" || strings.Contains(again.out.String(), password) {
			t.Errorf("the second up tells a password: %s", &again.out)
		}
		if again.field("HTTP") != plain || again.field("HTTPS") != secure {
			t.Errorf("the second up moved from %s and %s: %s", plain, secure, &again.out)
		}
		checkEntry(t, p, plain, password)
		p.must(t, "query", "here", "SELECT Caption FROM Win32_OperatingSystem")
		again.end(syscall.SIGTERM)
	})
}

func dials(address string) bool {
	c, err := net.Dial("tcp", address)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// checkFiles insists that nobody else can read what is secret.
func checkFiles(t *testing.T, p person, state string) {
	t.Helper()
	err := filepath.Walk(state, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Type() != os.ModeSocket && info.Mode().Type() != os.ModeSymlink && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	hosts := filepath.Join(p.home, ".config", "casement", "hosts.json")
	info, err := os.Stat(hosts)
	if err != nil || info.Mode().Perm() != 0o600 || int(info.Sys().(*syscall.Stat_t).Uid) != p.uid {
		t.Errorf("the hosts file: %v, %v", info, err)
	}
}

// checkEntry reads the person's hosts file.
func checkEntry(t *testing.T, p person, url, password string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.home, ".config", "casement", "hosts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Hosts []struct{ Name, URL, User, Password string }
	}
	if err := json.Unmarshal(b, &file); err != nil || len(file.Hosts) != 1 {
		t.Fatalf("the hosts file has %d entries (%v)", len(file.Hosts), err)
	}
	e := file.Hosts[0]
	if e.Name != "here" || e.URL != url || e.User != "Administrator" || e.Password != password {
		t.Errorf("the entry is %s %s %s, and whether its password is right: %v", e.Name, e.URL, e.User, e.Password == password)
	}
}

// Two services on one folder: the second says so, names the folder and ends;
// the first is unharmed.
func TestTwoServices(t *testing.T) {
	people(t, func(t *testing.T, p person) {
		state := filepath.Join(p.home, "state")
		defer forgetPolicy(state)
		m := p.start(t, up(state)...)
		for _, args := range [][]string{up(state), {"serve", "--state", state}} {
			out, errOut, code := p.run(t, args...)
			if code != 1 || out != "" || !strings.Contains(errOut, "another service runs on the state in "+state) {
				t.Errorf("casement %q: exit code %d, %s%s", args, code, out, errOut)
			}
		}
		if answer := identify(t, m.field("HTTP")); !strings.HasPrefix(answer, "200 ") {
			t.Errorf("the first service: %s", answer)
		}
		m.end(syscall.SIGTERM)
	})
}

// Where a listener cannot be opened, up says so and does not claim that it is;
// where none can, it fails.
func TestUpWithTakenPorts(t *testing.T) {
	binary(t)
	p := self(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	first := p.start(t, up(state)...)
	plain, secure := first.field("HTTP"), first.field("HTTPS")
	first.end(syscall.SIGTERM)
	take := func(raw string) {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", u.Host)
		if err != nil {
			t.Skipf("another program took the port: %v", err)
		}
		t.Cleanup(func() { l.Close() })
	}
	take(plain)
	m := p.start(t, "up", "--state", state)
	if m.field("HTTPS") != secure || !strings.HasPrefix(m.field("HTTP"), "is not open: ") || !strings.Contains(m.out.String(), plain) {
		t.Errorf("with a port taken: %s", &m.out)
	}
	m.end(syscall.SIGTERM)
	take(secure)
	out, errOut, code := p.run(t, "up", "--state", state)
	if code != 1 || out != "" || !strings.Contains(errOut, "no listener could be opened") {
		t.Errorf("with both ports taken: exit code %d, %s%s", code, out, errOut)
	}
}

// Which folder is the state: --state, $CASEMENT_STATE, $XDG_STATE_HOME, and
// for root /var/lib/casement. A folder of a later version is left alone.
func TestStateFolder(t *testing.T) {
	people(t, func(t *testing.T, p person) {
		made := func(dir string, env []string, args ...string) {
			t.Helper()
			defer forgetPolicy(dir)
			q := p
			q.env = env
			q.start(t, append([]string{"serve"}, args...)...).end(syscall.SIGTERM)
			if b, err := os.ReadFile(filepath.Join(dir, "format")); err != nil || string(b) != "1\n" {
				t.Errorf("no state in %s: %q, %v", dir, b, err)
			}
		}
		at := func(name string) string { return filepath.Join(p.home, name) }
		made(at("flag"), []string{"CASEMENT_STATE=" + at("env")}, "--state", at("flag"))
		made(at("env"), []string{"CASEMENT_STATE=" + at("env"), "XDG_STATE_HOME=" + at("xdg")})
		standard := "/var/lib/casement"
		if p.uid != 0 {
			made(at("xdg/casement"), []string{"XDG_STATE_HOME=" + at("xdg")})
			made(at(".local/state/casement"), nil)
			standard = at(".local/state/casement")
		}
		if help := p.must(t, "up", "--help"); !strings.Contains(help, standard) {
			t.Errorf("the help does not tell the folder %s: %s", standard, help)
		}
		if err := os.WriteFile(at("flag/format"), []byte("2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, errOut, code := p.run(t, up(at("flag"))...)
		if code != 1 || !strings.Contains(errOut, at("flag")) || !strings.Contains(errOut, "newer") {
			t.Errorf("a folder of a later version: exit code %d, %s", code, errOut)
		}
	})
}

// --listen opens more than the loopback address, and a later up keeps that.
func TestUpListens(t *testing.T) {
	people(t, func(t *testing.T, p person) {
		state := filepath.Join(p.home, "state")
		defer forgetPolicy(state)
		for _, args := range [][]string{{"up", "--state", state, "--listen", "0.0.0.0"}, {"up", "--state", state}} {
			m := p.start(t, args...)
			for _, raw := range []string{m.field("HTTP"), m.field("HTTPS")} {
				u, err := url.Parse(raw)
				if err != nil || u.Port() == "" {
					t.Fatalf("casement %q says %s", args, &m.out)
				}
				for _, address := range ownAddresses(t) {
					u.Host = net.JoinHostPort(address, u.Port())
					if answer := identify(t, u.String()); !strings.HasPrefix(answer, "200 ") {
						t.Errorf("casement %q: Identify at %s: %s", args, u, answer)
					}
				}
			}
			m.end(syscall.SIGTERM)
		}
		_, errOut, code := p.run(t, "up", "--state", state, "--listen", "example.com")
		if code != 1 || !strings.Contains(errOut, "want an IP address") {
			t.Errorf("a name in place of an address: exit code %d, %s", code, errOut)
		}
	})
}

// A folder that its user may not read is refused with the reason.
func TestForbiddenState(t *testing.T) {
	needRoot(t)
	p := ordinary(t)
	state := filepath.Join(p.home, "state")
	if err := os.Mkdir(state, 0o700); err != nil { // root's
		t.Fatal(err)
	}
	for _, args := range [][]string{up(state), {"serve", "--state", state}, {"winrm", "--state", state, "get", "winrm/config"}} {
		out, errOut, code := p.run(t, args...)
		said := out + errOut
		if code == 0 || !strings.Contains(said, state) || !strings.Contains(said, "access is denied") || !strings.Contains(said, "sudo") {
			t.Errorf("casement %q: exit code %d, %s", args, code, said)
		}
	}
}
