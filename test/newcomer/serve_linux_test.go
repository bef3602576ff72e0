package newcomer

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// listening are the local addresses, in the hexadecimal of /proc, on which a
// process listens with TCP.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	own := map[string]bool{}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Skipf("the sockets of a process cannot be listed: %v", err)
	}
	for _, fd := range fds {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var list []string
	for _, table := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && own[f[9]] {
				list = append(list, f[1])
			}
		}
	}
	return list
}

func portFree(port string) bool {
	l, err := net.Listen("tcp", ":"+port)
	if err == nil {
		l.Close()
	}
	return err == nil
}

const listenerURI = "winrm/config/listener"

// A bare serve and a client have no listener and open no port; a server is
// manageable from its first start, and a listener that up made stays.
func TestServeRoles(t *testing.T) {
	people(t, func(t *testing.T, p person) {
		for _, args := range [][]string{nil, {"--role", "client"}} {
			state := filepath.Join(p.home, "state"+strings.Join(args, ""))
			defer forgetPolicy(state)
			m := p.start(t, append([]string{"serve", "--state", state}, args...)...)
			if l := listening(t, m.cmd.Process.Pid); len(l) != 0 {
				t.Errorf("serve %q listens on %q", args, l)
			}
			if out := p.must(t, "winrm", "--state", state, "enumerate", listenerURI); strings.TrimSpace(out) != "" {
				t.Errorf("serve %q has listeners: %s", args, out)
			}
			m.end(syscall.SIGTERM)
		}
		if !portFree("5985") {
			t.Skip("another program has port 5985, which a server needs")
		}
		state := filepath.Join(p.home, "server")
		defer forgetPolicy(state)
		for _, args := range [][]string{{"--role", "server"}, nil} { // the second start finds what the first one kept
			m := p.start(t, append([]string{"serve", "--state", state, "--dcom-port", "0"}, args...)...)
			l := listening(t, m.cmd.Process.Pid)
			const all = "00000000000000000000000000000000:" // [::]
			elsewhere := func(address string) bool { return !strings.HasPrefix(address, all) }
			if len(l) != 3 || !slices.Contains(l, all+"1761") || slices.ContainsFunc(l, elsewhere) { // 5985, and the two of DCOM
				t.Errorf("a server listens on %q", l)
			}
			for _, address := range ownAddresses(t) {
				if answer := identify(t, "http://"+net.JoinHostPort(address, "5985")+"/wsman"); !strings.HasPrefix(answer, "200 ") {
					t.Errorf("Identify at %s: %s", address, answer)
				}
			}
			out := p.must(t, "winrm", "--state", state, "enumerate", listenerURI)
			for _, want := range []string{"Address = *", "Transport = HTTP", "Port = 5985"} {
				if strings.Count(out, want) != 1 {
					t.Errorf("the listeners of a server: %s", out)
				}
			}
			m.end(syscall.SIGTERM)
		}
		_, errOut, code := p.run(t, "serve", "--state", state, "--role", "toaster")
		if code != 2 || !strings.Contains(errOut, "want server or client") {
			t.Errorf("an unknown role: exit code %d, %s", code, errOut)
		}
	})
}

// ownAddresses are this machine's own addresses, loopback among them.
func ownAddresses(t *testing.T) []string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			list = append(list, n.IP.String())
		}
	}
	return list
}

// forgetPolicy removes what a start as root leaves outside of its folder.
func forgetPolicy(state string) {
	if err := os.Remove(policyPath(state)); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
		panic(err)
	}
}
