package newcomer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func policyPath(state string) string {
	sum := sha256.Sum256([]byte(state))
	return "/var/lib/casement-helper/" + hex.EncodeToString(sum[:8]) + ".json"
}

// status is what the kernel says of a process.
func status(t *testing.T, pid int) map[string]string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

func children(t *testing.T, pid int) []int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(files) == 0 {
		t.Skipf("the children of a process cannot be listed: %v", err)
	}
	var list []int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		for word := range strings.FieldsSeq(string(b)) {
			var n int
			if _, err := fmt.Sscan(word, &n); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// serviceUser is whom the service becomes: casement, or else nobody.
func serviceUser(t *testing.T) *user.User {
	t.Helper()
	u, err := user.Lookup("casement")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Skip("there is neither a user casement nor a user nobody")
	}
	return u
}

// Started as root, the process that reads the network is an ordinary user for
// good, on every thread; a small helper keeps root and ends with it.
func TestServiceIsNotRoot(t *testing.T) {
	needRoot(t)
	p := self(t)
	own := serviceUser(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	m := p.start(t, up(state)...)
	pid := m.cmd.Process.Pid
	if len(listening(t, pid)) != 5 { // HTTP, HTTPS, the two of DCOM, and the console
		t.Errorf("the process does not listen itself")
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(threads) < 2 {
		t.Fatal(len(threads), err)
	}
	for _, thread := range threads {
		var tid int
		if _, err := fmt.Sscan(thread.Name(), &tid); err != nil {
			t.Fatal(err)
		}
		s := status(t, tid)
		want := func(field string, values ...string) {
			t.Helper()
			if !slices.Contains(values, s[field]) {
				t.Errorf("thread %d has %s %s, want %q", tid, field, s[field], values)
			}
		}
		four := func(id string) string { return strings.Join([]string{id, id, id, id}, " ") }
		want("Uid", four(own.Uid))
		want("Gid", four(own.Gid))
		want("Groups", own.Gid, "")
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
			want(set, "0000000000000000")
		}
		want("NoNewPrivs", "1")
	}
	helpers := children(t, pid)
	if len(helpers) != 1 || !strings.HasPrefix(status(t, helpers[0])["Uid"], "0 ") {
		t.Fatalf("the helper: %v", helpers)
	}
	if !strings.Contains(m.err.String(), "user="+own.Username) {
		t.Errorf("it does not say as whom it serves: %s", &m.err)
	}
	for _, f := range []string{".", "accounts.json", "hive.reg", "certificates"} {
		info, err := os.Stat(filepath.Join(state, f))
		if err != nil || fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid) != own.Uid {
			t.Errorf("%s does not belong to the service's user (%v)", f, err)
		}
	}
	m.end(syscall.SIGTERM)
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", helpers[0])); err == nil && strings.Contains(string(b), "privilege-helper") {
		t.Error("the helper lives on")
	}

	// Without its helper a service does not go on as if nothing had happened.
	m = p.start(t, "up", "--state", state)
	if err := syscall.Kill(children(t, m.cmd.Process.Pid)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-m.done
	if code := m.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(m.err.String(), "privilege helper has ended") {
		t.Errorf("after the helper's death: exit code %d, %s", code, &m.err)
	}
}

// Commands run as the Unix user that root mapped the account to, at once; as
// root only with the flag, which is said at every start.
func TestMappedUsers(t *testing.T) {
	needRoot(t)
	p := self(t)
	own := serviceUser(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	m := p.start(t, up(state)...)
	url, password := m.field("HTTP"), ""
	whoami := func(account, password string) (string, int) {
		t.Helper()
		q := p
		q.env = []string{"CASEMENT_USER=" + account, "CASEMENT_PASSWORD=" + password}
		out, errOut, code := q.run(t, "run", url, "--", "id -u; id -g; id -Gn")
		if code != 0 {
			return out + errOut, code
		}
		return strings.Join(strings.Fields(out), " "), code
	}
	as := func(u string) string {
		t.Helper()
		e, err := user.Lookup(u)
		if err != nil {
			t.Skipf("there is no user %s here", u)
		}
		g, err := user.LookupGroupId(e.Gid)
		if err != nil {
			t.Fatal(err)
		}
		return e.Uid + " " + e.Gid + " " + g.Name
	}
	if got, _ := whoami("Administrator", m.field("Password")); got != as(own.Username) {
		t.Errorf("the Administrator's commands run as %s, want %s", got, as(own.Username))
	}
	for line := range strings.Lines(p.must(t, "user", "add", "--state", state, "alice", "--generate")) {
		if rest, ok := strings.CutPrefix(line, "Password: "); ok {
			password, _, _ = strings.Cut(rest, " ")
		}
	}
	p.must(t, "group", "add", "--state", state, "Administrators", "alice")
	p.must(t, "reg", "add", `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`, "/v", "LocalAccountTokenFilterPolicy",
		"/t", "REG_DWORD", "/d", "1", "--state", state)
	for _, unix := range []string{"daemon", "bin"} {
		p.must(t, "user", "map", "--state", state, "alice", "--unix", unix)
		if got, _ := whoami("alice", password); !strings.HasPrefix(got, as(unix)) {
			t.Errorf("alice, mapped to %s, runs as %s", unix, got)
		}
	}
	p.must(t, "user", "map", "--state", state, "alice")
	if got, _ := whoami("alice", password); got != as(own.Username) {
		t.Errorf("alice, mapped no more, runs as %s", got)
	}
	if _, errOut, code := p.run(t, "user", "map", "--state", state, "alice", "--unix", "root"); code != 1 || !strings.Contains(errOut, "--allow-root") {
		t.Errorf("a mapping to root without the flag: exit code %d, %s", code, errOut)
	}
	if got, _ := whoami("alice", password); got != as(own.Username) {
		t.Errorf("after a refused mapping alice runs as %s", got)
	}
	p.must(t, "user", "map", "--state", state, "alice", "--unix", "root", "--allow-root")
	if got, _ := whoami("alice", password); !strings.HasPrefix(got, "0 0") {
		t.Errorf("alice, mapped to root, runs as %s", got)
	}
	m.end(syscall.SIGTERM)
	m = p.start(t, "up", "--state", state)
	if !strings.Contains(m.err.String(), "runs commands as root") || !strings.Contains(m.err.String(), "account=alice") {
		t.Errorf("the mapping to root is not said at start: %s", &m.err)
	}
	m.end(syscall.SIGTERM)

	// What the service's user could write into the accounts file permits nothing.
	if err := os.Remove(policyPath(state)); err != nil {
		t.Fatal(err)
	}
	m = p.start(t, "up", "--state", state)
	if got, code := whoami("alice", password); code == 0 {
		t.Errorf("without root's permission alice runs as %s", got)
	}
	if !strings.Contains(m.err.String(), "casement user map alice --unix root") {
		t.Errorf("a mapping without permission is not said at start: %s", &m.err)
	}
	m.end(syscall.SIGTERM)
}

// WMI over DCOM is on port 135 where that can be had: by the helper. Who may not
// have it is told so, and serves everything else.
func TestDCOMPort(t *testing.T) {
	people(t, func(t *testing.T, p person) {
		if dials("127.0.0.1:135") {
			t.Skip("another program has port 135")
		}
		low, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
		if err != nil {
			t.Fatal(err)
		}
		may := p.uid == 0 || len(strings.TrimSpace(string(low))) < 3
		state := filepath.Join(p.home, "state")
		defer forgetPolicy(state)
		m := p.start(t, "up", "--state", state, "--http", "127.0.0.1:0", "--https", "127.0.0.1:0")
		switch said := m.field("DCOM"); {
		case may && said != "dcom://127.0.0.1:135":
			t.Errorf("it says %s", &m.out)
		case !may && (!strings.Contains(said, "may not listen on port 135") || !strings.Contains(m.err.String(), "WMI over DCOM is not served")):
			t.Errorf("it says %s and logs %s", &m.out, &m.err)
		}
		p.must(t, "query", "here", "SELECT Caption FROM Win32_OperatingSystem")
		if may {
			q := p
			q.env = []string{"CASEMENT_USER=Administrator", "CASEMENT_PASSWORD=" + m.field("Password")}
			q.must(t, "query", "dcom://127.0.0.1", "SELECT Caption FROM Win32_OperatingSystem")
		}
		m.end(syscall.SIGTERM)
	})
}

// The service, which is not root, gets low ports through the helper.
func TestLowPort(t *testing.T) {
	needRoot(t)
	if !portFree("80") {
		t.Skip("another program has port 80")
	}
	p := self(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	m := p.start(t, "up", "--state", state, "--http", "127.0.0.1:80", "--https", "127.0.0.1:0")
	if m.field("HTTP") != "http://127.0.0.1:80/wsman" {
		t.Errorf("it says %s", &m.out)
	}
	if answer := identify(t, "http://127.0.0.1:80/wsman"); !strings.HasPrefix(answer, "200 ") {
		t.Errorf("Identify on port 80: %s", answer)
	}
	m.end(syscall.SIGTERM)
}

// Behind sudo the entry goes to the hosts file of who called it, and belongs
// to that user; a link in the home is followed with that user's rights only.
func TestUpBehindSudo(t *testing.T) {
	needRoot(t)
	p := self(t)
	caller := ordinary(t)
	// The system knows the caller's home by the user database.
	if out, err := usermod(caller.name, caller.home); err != nil {
		t.Skipf("usermod: %v: %s", err, out)
	}
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	p.env = []string{fmt.Sprintf("SUDO_UID=%d", caller.uid), "SUDO_USER=" + caller.name}
	m := p.start(t, up(state)...)
	checkEntry(t, caller, m.field("HTTP"), m.field("Password"))
	checkFiles(t, caller, state)
	if _, err := os.Stat(filepath.Join(p.home, ".config")); err == nil {
		t.Error("root has an entry of its own")
	}
	caller.must(t, "query", "here", "SELECT Caption FROM Win32_OperatingSystem")
	m.end(syscall.SIGTERM)

	config := filepath.Join(caller.home, ".config", "casement")
	target := filepath.Join(p.home, "roots")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(config); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, config); err != nil {
		t.Fatal(err)
	}
	_, errOut, code := p.run(t, "up", "--state", state)
	if code != 1 || !strings.Contains(errOut, "--no-hosts") {
		t.Errorf("with a link into root's folder: exit code %d, %s", code, errOut)
	}
	if left, err := os.ReadDir(target); err != nil || len(left) > 0 {
		t.Errorf("root's folder holds %v (%v)", left, err)
	}
}

// A folder that the service's user cannot reach is refused with the reason.
func TestUnreachableState(t *testing.T) {
	needRoot(t)
	p := self(t)
	if err := os.Chmod(p.home, 0o700); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	_, errOut, code := p.run(t, up(state)...)
	if code != 1 || !strings.Contains(errOut, "cannot reach the state folder") || !strings.Contains(errOut, serviceUser(t).Username) {
		t.Errorf("exit code %d, %s", code, errOut)
	}
}
