package privilege

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/shell"
)

// The test program is the helper and the unprivileged service as well.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case "privilege-helper":
			if err := ServeInherited(context.Background(), ServeOptions{PolicyPath: os.Args[2]}); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "service":
			service(os.Args[2])
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// policyFile writes p where only root may write.
func policyFile(t *testing.T, p Policy) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "policy.json")
	if err := WritePolicy(path, p); err != nil {
		t.Fatal(err)
	}
	return path
}

func helperFor(t *testing.T, p Policy) (*Client, string) {
	t.Helper()
	needRoot(t)
	path := policyFile(t, p)
	c, err := StartHelper(testCtx(t), HelperOptions{Argv: []string{os.Args[0], "privilege-helper", path}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, path
}

func testCtx(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func as(t *testing.T, user string) shell.Identity {
	t.Helper()
	id, err := shell.LookupIdentity(user)
	if err != nil {
		t.Skip(err)
	}
	return id
}

// run returns the output of a command and closes its job.
func run(ctx context.Context, st shell.Starter, s shell.Spec) (stdout, stderr string, exit uint32, err error) {
	j, err := st.Start(ctx, s)
	if err != nil {
		return "", "", 0, err
	}
	defer j.Close()
	_ = j.Stdin().Close()
	errs := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(j.Stderr())
		errs <- string(b)
	}()
	out, err := io.ReadAll(j.Stdout())
	if err != nil {
		return "", "", 0, err
	}
	exit, err = j.Wait(ctx)
	return string(out), <-errs, exit, err
}

const whoami = `id -u; id -g; id -G; ls /proc/$$/fd; umask; pwd; cat /etc/shadow; echo seen >/dev/stderr; exit 7`

func checkWhoami(t *testing.T, id shell.Identity, out, stderr string, exit uint32) {
	t.Helper()
	uid, gid := strconv.Itoa(int(id.UID)), strconv.Itoa(int(id.GID))
	want := []string{uid, gid, gid, "0", "1", "2", "0022", "/"}
	if got := strings.Split(strings.TrimSuffix(out, "\n"), "\n"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.Contains(stderr, "Permission denied") || !strings.HasSuffix(stderr, "seen\n") || exit != 7 {
		t.Errorf("%q, %d", stderr, exit)
	}
}

func TestStartAsNobody(t *testing.T) {
	c, _ := helperFor(t, Policy{Users: []string{"nobody"}})
	id := as(t, "nobody")
	t.Setenv("CASEMENT_TEST_SECRET", "must not pass on")
	leak, err := os.Open("/etc/passwd") // inheritable on purpose
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	if _, err := unix.FcntlInt(leak.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	out, stderr, exit, err := run(testCtx(t), c, shell.Spec{Command: whoami, Identity: id})
	if err != nil {
		t.Fatal(err)
	}
	checkWhoami(t, id, out, stderr, exit)

	out, _, _, err = run(testCtx(t), c, shell.Spec{Command: "env", Identity: id})
	if err != nil || strings.Contains(out, "SECRET") || !strings.Contains(out, "USER=nobody\n") {
		t.Errorf("%q, %v", out, err)
	}
	// Only the name counts: a claimed uid changes nothing.
	id.UID, id.GID, id.Groups = 0, 0, []uint32{0}
	if out, _, _, err = run(testCtx(t), c, shell.Spec{Command: "id -u", Identity: id}); err != nil || out != "65534\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestStreams(t *testing.T) {
	c, _ := helperFor(t, Policy{Users: []string{"nobody"}})
	j, err := c.Start(testCtx(t), shell.Spec{Command: "cat", Identity: as(t, "nobody")})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	big := []byte(strings.Repeat("0123456789abcdef", 64<<10))
	go func() {
		_, _ = j.Stdin().Write(big)
		_ = j.Stdin().Close()
	}()
	got, err := io.ReadAll(j.Stdout())
	if err != nil || string(got) != string(big) {
		t.Errorf("%d bytes of %d came back, %v", len(got), len(big), err)
	}
}

func TestRefusals(t *testing.T) {
	c, path := helperFor(t, Policy{Users: []string{"nobody", "root", "no-such-user-here"}})
	for _, x := range []struct{ user, code string }{
		{"daemon", CodeRefused}, {"root", CodeRefused}, {"no-such-user-here", CodeNotExist}, {"-x", CodeInvalid}, {"", CodeInvalid},
	} {
		_, err := c.Start(testCtx(t), shell.Spec{Command: "id", Identity: shell.Identity{UnixUser: x.user}})
		var r *RefusedError
		if !errors.As(err, &r) || r.Code != x.code {
			t.Errorf("user %q: %v, want %s", x.user, err, x.code)
		}
	}
	nobody := as(t, "nobody")
	for _, s := range []shell.Spec{
		{Command: "no-such-program", SkipShell: true, Identity: nobody}, {Command: "id", Dir: "/nonexistent/x", Identity: nobody},
	} {
		if _, err := c.Start(testCtx(t), s); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if _, err := c.Start(testCtx(t), shell.Spec{Command: "id", Dir: "/root", Identity: nobody}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("directory of root: %v", err)
	}
	if _, err := c.Start(testCtx(t), shell.Spec{Command: strings.Repeat("x", maxMessage), Identity: nobody}); err == nil {
		t.Error("a command longer than a message was taken")
	}
	if _, err := c.ListenPrivileged(testCtx(t), "tcp", "127.0.0.1:22"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("port 22: %v", err)
	}
	if err := c.Firewall(testCtx(t), []firewall.KernelPort{{Port: 5985}}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("the packet filter: %v", err)
	}
	for _, r := range []request{{Op: opClose, Job: 99}, {Op: opSignal, Job: 99, Signal: shell.Kill}, {Op: opUsage, Job: 1}} {
		if _, _, err := c.do(testCtx(t), r, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a job that is not: %v", r.Op, err)
		}
	}
	// An administrator's change holds at once.
	if err := WritePolicy(path, Policy{Users: []string{"root"}, AllowRoot: true}); err != nil {
		t.Fatal(err)
	}
	if out, _, _, err := run(testCtx(t), c, shell.Spec{Command: "id -u", Identity: as(t, "root")}); out != "0\n" || err != nil {
		t.Errorf("root after it was permitted: %q, %v", out, err)
	}
	if _, err := c.Start(testCtx(t), shell.Spec{Command: "id", Identity: nobody}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("nobody after it was struck off: %v", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(testCtx(t), shell.Spec{Command: "id", Identity: as(t, "root")}); err == nil {
		t.Error("a policy that anybody can write was believed")
	}
}

// The helper changes the owner of what it is handed: only of pipes, then.
func TestForeignDescriptors(t *testing.T) {
	c, _ := helperFor(t, Policy{Users: []string{"nobody"}})
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	named, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	p, err := shell.NewPipes()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	good := p.Child
	start := request{Op: opStart, Start: &startRequest{User: "nobody", Command: "id"}}
	for name, fds := range map[string][]*os.File{
		"file": {good[0], file, good[2]}, "named pipe": {named, good[1], good[2]}, "wrong end": {good[0], good[1], p.Stderr},
	} {
		_, _, err := c.do(testCtx(t), start, nil, fds...)
		var r *RefusedError
		if !errors.As(err, &r) || r.Code != CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, f := range []*os.File{file, named} {
		if st, err := f.Stat(); err != nil || st.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s has changed its owner (%v)", f.Name(), err)
		}
	}
}

const daemonise = `setsid sh -c 'sleep 300 >/dev/null 2>&1 </dev/null & echo $!' & wait; sleep 300 & echo up; wait`

func startDaemon(t *testing.T, c *Client) (*shell.Job, []int) {
	t.Helper()
	j, err := c.Start(testCtx(t), shell.Spec{Command: daemonise, Identity: as(t, "nobody")})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n := 0
	for !strings.Contains(string(b[:n]), "up") {
		m, err := j.Stdout().Read(b[n:])
		if err != nil {
			t.Fatalf("%q, %v", b[:n], err)
		}
		n += m
	}
	pid, err := strconv.Atoi(strings.Fields(string(b[:n]))[0])
	if err != nil {
		t.Fatal(err)
	}
	return j, []int{pid, j.PID()}
}

func wantGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(b), ") Z ") {
			t.Errorf("process %d is still there: %s", pid, b)
		}
	}
}

func TestJobEnds(t *testing.T) {
	c, _ := helperFor(t, Policy{Users: []string{"nobody"}})
	j, pids := startDaemon(t, c)
	if n := j.Processes(); n != 3 {
		t.Errorf("%d processes, want the shell and two sleeps", n)
	}
	if err := j.Signal(shell.Terminate); err != nil {
		t.Error(err)
	}
	if exit, err := j.Wait(testCtx(t)); exit != 143 || err != nil {
		t.Errorf("%d, %v", exit, err)
	}
	if err := syscall.Kill(pids[0], 0); err != nil {
		t.Errorf("the daemon did not outlive the command: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	wantGone(t, pids)
}

func TestHelperEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	c, _ := helperFor(t, Policy{Users: []string{"nobody"}})
	j, pids := startDaemon(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantGone(t, pids)
	if _, err := j.Wait(testCtx(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("job of a closed helper: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Start(testCtx(t), shell.Spec{Command: "id", Identity: as(t, "nobody")}); !errors.Is(err, ErrClosed) {
		t.Errorf("start after the end: %v", err)
	}
	c.cmd = nil // waited for already
	for i := 0; runtime.NumGoroutine() > before && i < 100; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestLimitThroughHelper(t *testing.T) {
	c, _ := helperFor(t, Policy{Users: []string{"nobody"}})
	j, err := c.Start(testCtx(t), shell.Spec{Command: "for i in 1 2 3 4 5; do sleep 60 & done; wait",
		Identity: as(t, "nobody"), Limits: shell.Limits{MaxProcesses: 3}})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var le *shell.LimitError
	if exit, err := j.Wait(testCtx(t)); !errors.As(err, &le) || le.Limit != shell.LimitProcesses || exit != 137 {
		t.Errorf("%d, %v", exit, err)
	}
}

func TestMaxJobs(t *testing.T) {
	c, _ := helperFor(t, Policy{Users: []string{"nobody"}, MaxJobs: 1})
	s := shell.Spec{Command: "sleep 60", Identity: as(t, "nobody")}
	j, err := c.Start(testCtx(t), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(testCtx(t), s); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("second job: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if j, err = c.Start(testCtx(t), s); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
}

// A socket that came into other hands ends the helper.
func TestForeignSender(t *testing.T) {
	needRoot(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	path := policyFile(t, Policy{})
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	conn, err := unixConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(context.Background(), conn, ServeOptions{PolicyPath: path, PeerPID: os.Getpid()})
	}()
	c := exec.Command(python, "-c", `import os; os.write(3, b'{"id":1,"op":"hello","version":1}')`)
	c.ExtraFiles = []*os.File{ours}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("%v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the helper goes on")
	}
}

func TestPolicyFile(t *testing.T) {
	needRoot(t)
	path := policyFile(t, Policy{Users: []string{"alice"}, Ports: []uint16{80}})
	if p, err := LoadPolicy(path); err != nil || !slices.Equal(p.Users, []string{"alice"}) {
		t.Fatalf("%+v, %v", p, err)
	}
	link := filepath.Join(filepath.Dir(path), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadPolicy(link); err == nil {
		t.Error("a symbolic link was followed")
	}
	for _, step := range []struct {
		name  string
		spoil func() error
	}{
		{"writable", func() error { return os.Chmod(path, 0o620) }},
		{"other owner", func() error { return errors.Join(os.Chmod(path, 0o600), os.Chown(path, 65534, 65534)) }},
		{"writable directory", func() error { return errors.Join(os.Chown(path, 0, 0), os.Chmod(filepath.Dir(path), 0o777)) }},
		{"not JSON", func() error {
			return errors.Join(os.Chmod(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("{"), 0))
		}},
		{"gone", func() error { return os.Remove(path) }},
	} {
		if err := step.spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadPolicy(path); err == nil {
			t.Errorf("%s: believed", step.name)
		}
	}
}
