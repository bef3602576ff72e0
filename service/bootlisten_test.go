package service

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
)

// Where the standard port is taken another one is chosen and said; a second
// start keeps it.
func TestTakenPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:5985")
	if err == nil {
		defer taken.Close()
	} // else another program of this machine has it, which does as well
	s := at(t, t.TempDir(), testTime())
	b := bootstrap(t, s, BootstrapOptions{})
	if strings.Contains(b.HTTP, ":5985/") || len(b.Notes) == 0 || !strings.Contains(b.Notes[0], "Port 5985 is taken") {
		t.Errorf("%+v", b)
	}
	if !strings.Contains(b.Notes[0], strings.TrimSuffix(strings.TrimPrefix(b.HTTP, "http://127.0.0.1:"), "/wsman")) {
		t.Errorf("the note %q does not tell the port of %s", b.Notes[0], b.HTTP)
	}
	again := bootstrap(t, s, BootstrapOptions{})
	if again.HTTP != b.HTTP || again.HTTPS != b.HTTPS || len(again.Notes) != 0 {
		t.Errorf("the second time: %+v", again)
	}
	if again = bootstrap(t, s, freePorts); again.HTTP != b.HTTP {
		t.Errorf("port 0 moved the listener from %s to %s", b.HTTP, again.HTTP)
	}
	moved := bootstrap(t, s, BootstrapOptions{HTTP: "127.0.0.1:81"})
	if moved.HTTP != "http://127.0.0.1:81/wsman" || moved.HTTPS != b.HTTPS {
		t.Errorf("a named port: %+v", moved)
	}
}

// One listener receives for a port, so a wider one takes the loopback's place,
// and the firewall lets it in.
func TestListenOnAll(t *testing.T) {
	s := at(t, t.TempDir(), testTime())
	first := bootstrap(t, s, BootstrapOptions{})
	port := func(url string) uint64 {
		n, _ := strconv.ParseUint(strings.TrimSuffix(url[strings.LastIndex(url, ":")+1:], "/wsman"), 10, 16)
		return n
	}
	if firewall.WinRMEnabled(rulesOf(t, s), "HTTP", firewall.Private) {
		t.Error("the firewall is open for a listener on the loopback address")
	}
	bootstrap(t, s, BootstrapOptions{Listen: "0.0.0.0"})
	var all []string
	for _, l := range s.Snapshot().Listeners {
		all = append(all, l.Address+" "+l.Transport)
		if l.Address == loopback && (uint64(l.Port) == 5985 || uint64(l.Port) == 5986) {
			t.Errorf("%+v is in the way of the listener on all addresses", l)
		}
	}
	if !slices.Contains(all, "* HTTP") || !slices.Contains(all, "* HTTPS") {
		t.Errorf("listeners %q", all)
	}
	if port(first.HTTP) == 5985 && len(all) > 3 {
		t.Errorf("listeners %q", all)
	}
	for _, transport := range []string{"HTTP", "HTTPS"} {
		if !firewall.WinRMEnabled(rulesOf(t, s), transport, firewall.Private) {
			t.Errorf("the firewall is shut for %s", transport)
		}
	}
	for _, bad := range []BootstrapOptions{{Listen: "example.com"}, {HTTP: "127.0.0.1"}, {HTTP: "127.0.0.1:99999"}, {HTTPS: "here:1"}} {
		if _, err := s.Bootstrap(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func rulesOf(t *testing.T, s *State) []firewall.Rule {
	t.Helper()
	rules, bad := firewall.Rules(s.Snapshot().Reader.(*registry.Tree))
	if len(bad) > 0 {
		t.Error(bad)
	}
	return rules
}

// A server is manageable from its first start; a client and a machine without
// a role are not; what an administrator does later stays.
func TestRoles(t *testing.T) {
	for _, c := range []struct {
		role      Role
		listeners int
	}{{"", 0}, {RoleClient, 0}, {RoleServer, 1}} {
		dir := t.TempDir()
		s := at(t, dir, testTime())
		if c.role != "" {
			if _, err := s.SetRole(c.role); err != nil {
				t.Fatal(err)
			}
		}
		again := at(t, dir, testTime())
		if again.Role() != c.role {
			t.Errorf("the role %q is kept as %q", c.role, again.Role())
		}
		l := again.Snapshot().Listeners
		if len(l) != c.listeners {
			t.Errorf("role %q: %d listeners, want %d", c.role, len(l), c.listeners)
		}
		if open := firewall.WinRMEnabled(rulesOf(t, again), "HTTP", firewall.Private); open != (c.role == RoleServer) {
			t.Errorf("role %q: the firewall is open: %v", c.role, open)
		}
		if c.role != RoleServer {
			continue
		}
		if l[0].Address != "*" || l[0].Transport != "HTTP" || l[0].Port != 5985 {
			t.Errorf("the listener of a server is %+v", l[0])
		}
		err := again.Hive.Update(func(tx *registry.Tx) error {
			return tx.DeleteKey(`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener`)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.SetRole(RoleServer); err != nil {
			t.Fatal(err)
		}
		if n := len(again.Snapshot().Listeners); n != 0 {
			t.Errorf("a listener that was deleted came back with the role (%d)", n)
		}
	}
	if _, err := ParseRole("domain controller"); err == nil {
		t.Error("an unknown role is accepted")
	}
}

// Only a folder that is whole has a version: what a killed start left behind
// is taken up, and a tool does not mistake it for a state.
func TestUnfinishedFolder(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir, testTime())
	s.Close()
	if err := os.Remove(dir + "/format"); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"format-123", "hive.reg.new", "accounts.json.tmp"} {
		if err := os.WriteFile(dir+"/"+left, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenState(dir, StateOptions{}); err == nil {
		t.Error("half a folder was opened")
	}
	bootstrap(t, at(t, dir, testTime()), freePorts)
	if s, err := OpenState(dir, StateOptions{}); err != nil {
		t.Error(err)
	} else {
		s.Close()
	}
}
