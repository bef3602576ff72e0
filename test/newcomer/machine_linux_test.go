package newcomer

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/testlog"
)

// built is the real binary, as it is shipped: without cgo.
var built struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.path != "" {
		os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(code)
}

func binary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: runs the real binary")
	}
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "casement-bin-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "casement")
		cmd := exec.Command("go", "build", "-trimpath", "-o", built.path, "../../cmd/casement")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err = errors.Join(err, os.Chmod(dir, 0o755)); err != nil { // #nosec G302 -- other users run it
			built.err = errors.New(err.Error() + ": " + string(out))
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// person is a user of this system with a home.
type person struct {
	name string
	uid  int
	cred *syscall.Credential // nil: the user of the test
	home string
	env  []string
}

// people are those as whom this test can run: root, and an ordinary user.
func people(t *testing.T, each func(t *testing.T, p person)) {
	t.Helper()
	binary(t)
	t.Run("root", func(t *testing.T) {
		needRoot(t)
		each(t, self(t))
	})
	t.Run("user", func(t *testing.T) {
		if os.Geteuid() != 0 {
			each(t, self(t))
			return
		}
		each(t, ordinary(t))
	})
}

func needRoot(t *testing.T) {
	t.Helper()
	binary(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// home makes a short-named folder of a user, which others can pass through.
func home(t *testing.T, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, uid, -1)); err != nil { // #nosec G302 -- the service's user passes through
		t.Fatal(err)
	}
	return dir
}

func self(t *testing.T) person {
	return person{uid: os.Geteuid(), home: home(t, os.Geteuid())}
}

func ordinary(t *testing.T) person {
	t.Helper()
	p := person{name: newUser(t)}
	u, err := user.Lookup(p.name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	p.uid, p.cred = int(uid), &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} // #nosec G115 -- parsed as such
	p.home = home(t, p.uid)
	return p
}

// command is casement as a person runs it, in a clean environment.
func (p person) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, built.path, args...)
	cmd.Dir = p.home
	cmd.Env = append([]string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, p.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred, Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs casement to its end.
func (p person) run(t *testing.T, args ...string) (out, errOut string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := p.command(ctx, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// must is run, and insists on success.
func (p person) must(t *testing.T, args ...string) string {
	t.Helper()
	out, errOut, code := p.run(t, args...)
	if code != 0 {
		t.Fatalf("casement %q: exit code %d\n%s%s", args, code, out, errOut)
	}
	return out
}

// machine is a running casement up or casement serve.
type machine struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err testlog.Text
	done     chan struct{}
}

// start runs `casement up` or `serve` until it says that it serves.
func (p person) start(t *testing.T, args ...string) *machine {
	t.Helper()
	return startMachine(t, p.command(context.WithoutCancel(t.Context()), args...))
}

func startMachine(t *testing.T, cmd *exec.Cmd) *machine {
	t.Helper()
	args := cmd.Args[1:]
	m := &machine{t: t, cmd: cmd, done: make(chan struct{})}
	m.cmd.Stdout, m.cmd.Stderr = &m.out, &m.err
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait()
		close(m.done)
	}()
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		<-m.done
	})
	for end := time.Now().Add(30 * time.Second); !strings.Contains(m.out.String(), "Ctrl-C ends it."); time.Sleep(5 * time.Millisecond) {
		select {
		case <-m.done:
			t.Fatalf("casement %q ended: %s%s", args, &m.out, &m.err)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("casement %q does not serve: %s%s", args, &m.out, &m.err)
		}
	}
	return m
}

// field is the rest of the line that begins with a word.
func (m *machine) field(word string) string {
	for line := range strings.Lines(m.out.String()) {
		if first, rest, _ := strings.Cut(strings.TrimSpace(line), " "); first == word {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// end sends a signal to the whole foreground, as a terminal does for Ctrl-C,
// and insists on exit code 0.
func (m *machine) end(sig syscall.Signal) {
	m.t.Helper()
	if err := syscall.Kill(-m.cmd.Process.Pid, sig); err != nil {
		m.t.Fatal(err)
	}
	select {
	case <-m.done:
	case <-time.After(20 * time.Second):
		m.t.Fatalf("it does not end after %v: %s", sig, &m.err)
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		m.t.Errorf("exit code %d after %v: %s", code, sig, &m.err)
	}
}

// identify asks who is there, as a stranger.
func identify(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} // #nosec G402 -- only whether somebody answers
	body := `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	req.Header.Set("WSMANIDENTIFY", "unauthenticated")
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return resp.Status + " " + string(b)
}
