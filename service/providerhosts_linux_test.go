package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/adtest"
	"github.com/casementhq/casement/internal/testlog"
	"github.com/casementhq/casement/privilege"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
)

// The test program is the privilege helper and the provider hosts as well.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == HelperCommand:
		exitWith(privilege.ServeInherited(context.Background(), privilege.ServeOptions{PolicyPath: os.Args[2]}))
	case len(os.Args) == 4 && os.Args[1] == HostCommand:
		exitWith(ServeProviderHost(context.Background(), os.Args[2], os.Args[3], standardStreams{os.Stdin, os.Stdout}, slog.Default()))
	}
	code := m.Run()
	adtest.Close()
	os.Exit(code)
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

type standardStreams struct{ in, out *os.File }

func (s standardStreams) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s standardStreams) Write(b []byte) (int, error) { return s.out.Write(b) }
func (s standardStreams) Close() error                { return s.in.Close() }

// machine is a service that root started, with a privilege helper and accounts
// that are mapped to Unix users: ann to daemon, bob to bin, eve to nobody's.
type machine struct {
	state *State
	start shell.Starter
	svc   *Service
	log   *testlog.Text
	dir   string // of files, where everybody may go
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start provider hosts of other users")
	}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	m := &machine{log: &testlog.Text{}}
	var err error
	if m.dir, err = os.MkdirTemp("", "casement-hosts-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(m.dir) })
	if err := os.Chmod(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if m.state, err = OpenState(filepath.Join(t.TempDir(), "state"), StateOptions{Create: true, Logger: slog.New(slog.NewTextHandler(m.log, nil))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.state.Close() })
	for name, unix := range map[string]string{"ann": "daemon", "bob": "bin", "eve": ""} {
		if _, err := m.state.Accounts.AddUser(accounts.NewUser{Name: name, Password: "Secret-1-Secret", UnixUser: unix}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.state.Accounts.SetUnixUser("Administrator", "root", true); err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.Chmod(filepath.Dir(policy), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := privilege.WritePolicy(policy, privilege.Policy{Users: []string{"daemon", "bin"}}); err != nil {
		t.Fatal(err)
	}
	helper, err := privilege.StartHelper(context.Background(), privilege.HelperOptions{Argv: []string{os.Args[0], HelperCommand, policy}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := helper.Close(); err != nil {
			t.Error(err)
		}
	})
	m.start = helper
	m.open(t, helper)
	t.Cleanup(func() { m.close(t) })
	return m
}

func (m *machine) open(t testing.TB, starter shell.Starter) {
	t.Helper()
	var err error
	if m.svc, err = New(m.state, Options{Starter: starter, Logger: m.state.Logger}); err != nil {
		t.Fatal(err)
	}
}

// close ends the service, with which its hosts end.
func (m *machine) close(t testing.TB) {
	t.Helper()
	if m.svc == nil {
		return
	}
	if err := m.svc.Close(); err != nil {
		t.Error(err)
	}
	m.svc = nil
	if left := hostProcesses(t); len(left) > 0 {
		t.Errorf("provider hosts outlive their service: %v", left)
	}
	if t.Failed() {
		t.Logf("the log of the service:\n%s", m.log)
	}
}

func (m *machine) session(t testing.TB, account, namespace string) cim.Session {
	t.Helper()
	token, err := m.state.Accounts.Token(account, accounts.TokenOptions{LocalAccountTokenFilterPolicy: true})
	if err != nil {
		t.Fatal(err)
	}
	return m.sessionOf(t, &token, namespace)
}

// sessionOf is a session of who has a token.
func (m *machine) sessionOf(t testing.TB, token *security.Token, namespace string) cim.Session {
	t.Helper()
	s, err := m.svc.CIM.Open(context.Background(), cim.Caller{Token: token}, namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// names are what a query finds.
func names(ctx context.Context, s cim.Session, query string) ([]string, error) {
	e, err := s.Query(ctx, query, cim.QueryOptions{})
	if err != nil {
		return nil, err
	}
	list, err := cim.Collect(ctx, e)
	var out []string
	for _, i := range list {
		text, _ := i.Get("Name").Str()
		out = append(out, text)
	}
	slices.Sort(out)
	return out, err
}

// put makes a file, or a folder where the name ends with a slash.
func (m *machine) put(t testing.TB, name, owner string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(m.dir, name)
	var err error
	if strings.HasSuffix(name, "/") {
		err = os.Mkdir(path, 0o700)
	} else {
		err = os.WriteFile(path, []byte("content of "+name), 0o600)
	}
	id, idErr := shell.LookupIdentity(owner)
	if err = errors.Join(err, idErr); err == nil {
		err = errors.Join(os.Chown(path, int(id.UID), int(id.GID)), os.Chmod(path, mode))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// hostProcesses are the provider hosts that descend from this process, with
// their user ids, as /proc tells it.
func hostProcesses(t testing.TB) map[int]string {
	t.Helper()
	out := map[int]string{}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range lines {
		line, err := os.ReadFile(name)
		if args := strings.Split(string(line), "\x00"); err != nil || len(args) < 2 || args[1] != HostCommand {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || !strings.HasPrefix(exe, os.Args[0]) {
			continue
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
				out[pid] = strings.Join(strings.Fields(ids), " ")
			}
		}
	}
	return out
}

func theHost(t testing.TB) int {
	t.Helper()
	all := hostProcesses(t)
	if len(all) != 1 {
		t.Fatalf("the provider hosts are %v, want one", all)
	}
	for pid := range all {
		return pid
	}
	return 0
}

// Everybody sees the files that the Unix user of the account may see: in a
// process of that user, which Win32_Process shows.
func TestFilesAreSeenAsTheirCaller(t *testing.T) {
	m := newMachine(t)
	m.put(t, "secret/", "daemon", 0o700)
	secret := m.put(t, "secret/diary.txt", "daemon", 0o600)
	in := "SELECT Name FROM CIM_DataFile WHERE Path = '" + m.dir + "/secret/'"
	is := "SELECT Name FROM CIM_DataFile WHERE Name = '" + secret + "'"
	of := "ASSOCIATORS OF {Win32_Directory.Name='" + m.dir + "/secret'} WHERE AssocClass = CIM_DirectoryContainsFile"
	for account, want := range map[string][]string{"ann": {secret}, "Administrator": {secret}, "bob": nil} {
		s := m.session(t, account, `root\cimv2`)
		for _, query := range []string{in, is, of} {
			got, err := names(t.Context(), s, query)
			if query == of && account == "bob" && err == nil && len(got) == 0 {
				continue
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %s: %v, %v; want %v", account, query, got, err, want)
			}
		}
	}
	for _, query := range []string{in, is} {
		if got, err := names(t.Context(), m.session(t, "eve", `root\cimv2`), query); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("an account without a Unix user sees %v, %v", got, err)
		}
	}
	// daemon and bin are the users 1 and 2; the Administrator, whose user is the
	// service's own, needed no host.
	hosts := hostProcesses(t)
	var uids []string
	for pid, uid := range hosts {
		uids = append(uids, uid)
		query := "SELECT Name, CommandLine FROM Win32_Process WHERE ProcessId = " + strconv.Itoa(pid)
		e, err := m.session(t, "Administrator", `root\cimv2`).Query(t.Context(), query, cim.QueryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		seen, err := cim.Collect(t.Context(), e)
		if err != nil || len(seen) != 1 {
			t.Fatalf("%v, %v", seen, err)
		}
		if line, _ := seen[0].Get("CommandLine").Str(); !strings.Contains(line, HostCommand+" CasementFiles") {
			t.Errorf("Win32_Process shows the host as %q", line)
		}
	}
	slices.Sort(uids)
	uids = slices.Compact(uids) // a user may have more than one
	if want := []string{"1 1 1 1", "2 2 2 2"}; !slices.Equal(uids, want) {
		t.Errorf("the hosts run as %q, want %q", uids, want)
	}
	// What has no bound needs no host.
	m.close(t)
	m.open(t, shell.Direct{})
	if _, err := names(t.Context(), m.session(t, "ann", `root\cimv2`), "SELECT Name FROM CIM_DataFile"); !errors.Is(err, cim.ErrProviderNotCapable) {
		t.Errorf("the whole disk: %v", err)
	}
	if hosts := hostProcesses(t); len(hosts) > 0 {
		t.Errorf("hosts were started to refuse: %v", hosts)
	}
}

// A method acts as the Unix user of the account: what it makes belongs to that
// user, and what that user may not do it refuses.
func TestFilesAreChangedAsTheirCaller(t *testing.T) {
	m := newMachine(t)
	m.put(t, "anns/", "daemon", 0o755)
	m.put(t, "bobs/", "bin", 0o755)
	page := m.put(t, "anns/page", "daemon", 0o644)
	do := func(account, method, file, to string, want uint64) {
		t.Helper()
		path := cim.ObjectPath{Class: "CIM_DataFile", Keys: []cim.Key{{Name: "Name", Value: cim.Str(file)}}}
		var in cim.Arguments
		if to != "" {
			in = cim.Arguments{{Name: "FileName", Value: cim.Str(to)}}
		}
		r, err := m.session(t, account, `root\cimv2`).Invoke(t.Context(), path, method, in, cim.OperationOptions{})
		if got, _ := r.ReturnValue.Uint(); err != nil || got != want {
			t.Errorf("%s: %s of %s returns %d, %v; want %d", account, method, file, got, err, want)
		}
	}
	owner := func(file, want string) {
		t.Helper()
		out, err := exec.Command("stat", "-c", "%U", file).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s belongs to %q (%v), want %q", file, got, err, want)
		}
	}
	do("bob", "Delete", page, "", 2)
	do("bob", "Rename", page, m.dir+"/bobs/page", 2)
	do("bob", "Copy", page, m.dir+"/anns/copy", 2)
	owner(page, "daemon")
	do("bob", "Copy", page, m.dir+"/bobs/copy", 0)
	owner(m.dir+"/bobs/copy", "bin")
	do("ann", "Copy", page, m.dir+"/anns/copy", 0)
	owner(m.dir+"/anns/copy", "daemon")
	do("ann", "Rename", page, m.dir+"/anns/other", 0)
	owner(m.dir+"/anns/other", "daemon")
	do("ann", "Delete", m.dir+"/anns/other", "", 0)
	do("ann", "Delete", m.dir+"/bobs/copy", "", 2)
	if left, err := os.ReadDir(m.dir + "/anns"); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// An idle host ends between once and twice the interval of
// __ObjectProviderCacheControl after its last operation. T-105.
func TestIdleHostsEnd(t *testing.T) {
	m := newMachine(t)
	set := cim.ObjectPath{Class: "__ObjectProviderCacheControl", Singleton: true}
	root := m.session(t, "Administrator", "root")
	control, err := root.Get(t.Context(), set, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := control.Set("ClearAfter", cim.Time(cim.Interval(time.Second))); err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), control, cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	m.close(t)
	m.open(t, shell.Direct{}) // it counts from the next start
	s := m.session(t, "ann", `root\cimv2`)
	query := "SELECT Name FROM CIM_DataFile WHERE Name = '/etc/passwd'"
	if _, err := names(t.Context(), s, query); err != nil {
		t.Fatal(err)
	}
	last, pid := time.Now(), theHost(t)
	for len(hostProcesses(t)) > 0 {
		if time.Since(last) > 10*time.Second {
			t.Fatalf("the idle host %d is still there", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if idle := time.Since(last); idle < 900*time.Millisecond || idle > 4*time.Second {
		t.Errorf("the host ended after %v", idle)
	}
	if got, err := names(t.Context(), s, query); err != nil || len(got) != 1 || theHost(t) == pid {
		t.Errorf("%v, %v", got, err)
	}
	if strings.Contains(m.log.String(), "has failed") || strings.Contains(m.log.String(), "is killed") {
		t.Errorf("an idle host did not end by itself: %s", m.log)
	}
}

// crowd makes a folder of files that fill more than any pipe.
func (m *machine) crowd(t testing.TB, n int) (query string) {
	t.Helper()
	dir := m.put(t, "crowd/", "daemon", 0o755)
	for i := range n {
		if err := os.WriteFile(fmt.Sprintf("%s/file-%05d.txt", dir, i), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return "SELECT * FROM CIM_DataFile WHERE Path = '" + dir + "/'"
}

// What becomes of its host fails the operation and none after it.
func TestLostHosts(t *testing.T) {
	m := newMachine(t)
	query := m.crowd(t, 5000)
	for what, c := range map[string]struct {
		signal syscall.Signal
		want   error
	}{
		"killed":  {syscall.SIGKILL, cim.ErrProviderFailure},
		"hanging": {syscall.SIGSTOP, cim.ErrTimedOut},
	} {
		t.Run(what, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			s := m.session(t, "ann", `root\cimv2`)
			e, err := s.Query(ctx, query, cim.QueryOptions{OperationOptions: cim.OperationOptions{Timeout: 3 * time.Second}})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if _, err := e.Next(ctx, 1); err != nil {
				t.Fatal(err)
			}
			lost := hostProcesses(t)
			for pid := range lost {
				if err := syscall.Kill(pid, c.signal); err != nil {
					t.Fatal(err)
				}
			}
			rest, err := cim.Collect(ctx, e)
			var failure *cim.Error
			if errors.As(err, &failure); what == "killed" && !strings.Contains(failure.Detail, "ended the connection") {
				t.Errorf("the caller is told %v", err)
			}
			if !errors.Is(err, c.want) || len(rest) >= 4999 {
				t.Errorf("%d instances, %v; want %v", len(rest), err, c.want)
			}
			if got, err := names(ctx, s, query); err != nil || len(got) != 5000 {
				t.Errorf("the next one: %d names, %v", len(got), err)
			}
			for pid := range hostProcesses(t) {
				if c.signal == syscall.SIGKILL && lost[pid] != "" {
					t.Errorf("the host %d is still there", pid)
				}
			}
		})
	}
}

// A host that needs more than __ProviderHostQuotaConfiguration gives it is
// killed, and no more of them are started than that permits.
func TestQuotaOfHosts(t *testing.T) {
	m := newMachine(t)
	root := m.session(t, "Administrator", "root")
	path := cim.ObjectPath{Class: "__ProviderHostQuotaConfiguration", Singleton: true}
	limit := func(property string, v cim.Value) {
		t.Helper()
		quota, err := root.Get(t.Context(), path, cim.GetOptions{})
		if err == nil {
			err = errors.Join(quota.Set(property, v), root.Put(t.Context(), quota, cim.PutOptions{}))
		}
		if err != nil {
			t.Fatal(err)
		}
		m.close(t)
		m.open(t, shell.Direct{})
		root = m.session(t, "Administrator", "root")
	}
	query := m.crowd(t, 5000)
	limit("ProcessLimitAllHosts", cim.U32(1))
	if got, err := names(t.Context(), m.session(t, "ann", `root\cimv2`), query); err != nil || len(got) != 5000 {
		t.Errorf("%d names, %v", len(got), err)
	}
	if got, err := names(t.Context(), m.session(t, "bob", `root\cimv2`), query); !errors.Is(err, cim.ErrProviderLoadFailure) {
		t.Errorf("the second host: %d names, %v", len(got), err)
	}
	limit("MemoryPerHost", cim.U64(1<<20))
	e, err := m.session(t, "ann", `root\cimv2`).Query(t.Context(), query, cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	_, err = e.Next(t.Context(), 1)
	for end := time.Now().Add(5 * time.Second); err == nil && len(hostProcesses(t)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a host that is too large lives on")
		}
	}
	if _, err := cim.Collect(t.Context(), e); !errors.Is(err, cim.ErrProviderFailure) {
		t.Errorf("the answer of a host that was too large: %v", err)
	}
	m.close(t)
	if !strings.Contains(m.log.String(), "MemoryPerHost") {
		t.Errorf("the log does not say why the host ended: %s", m.log)
	}
}

// A service does not start, for another, what is no provider.
func TestHostsKnowTheirProviders(t *testing.T) {
	for _, name := range []string{"", "CasementHost", "../x"} {
		if err := ServeProviderHost(t.Context(), name, "BOX", nil, nil); err == nil {
			t.Errorf("%q was served", name)
		}
	}
}

func BenchmarkListFiles(b *testing.B) {
	m := newMachine(b)
	m.crowd(b, 10_000)
	for _, c := range []struct{ where, account string }{{"in process", "Administrator"}, {"in a host", "ann"}} {
		for _, what := range []string{"Name", "Name, FileSize, LastModified", "*"} {
			b.Run(c.where+"/"+what, func(b *testing.B) {
				s := m.session(b, c.account, `root\cimv2`)
				b.ReportAllocs()
				for b.Loop() {
					e, err := s.Query(b.Context(), "SELECT "+what+" FROM CIM_DataFile WHERE Path = '"+m.dir+"/crowd/'", cim.QueryOptions{})
					if err != nil {
						b.Fatal(err)
					}
					if list, err := cim.Collect(b.Context(), e); err != nil || len(list) != 10_000 {
						b.Fatalf("%d, %v", len(list), err)
					}
				}
			})
		}
	}
}
