package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/adtest"
)

// service is a running `casement up`.
type service struct {
	http, https, user, password string
	dcom                        string   // host:port
	as                          string   // the name of a subtest
	uid                         int      // whom it belongs to
	apart                       bool     // in a network of its own, where port 135 is free
	enter                       []string // what the command line begins with
	keytab                      string   // keys of a machine account
	prepare                     func(state string) error
	dir                         string
	cmd                         *exec.Cmd
	log                         *logBuffer

	once sync.Once
	err  error
}

// nobody is the ordinary user that root lends a service to.
const nobody = 65534

var (
	own        = &service{as: "as this user", uid: os.Geteuid(), log: &logBuffer{}}
	ordinary   = &service{as: "as an ordinary user", uid: nobody, log: &logBuffer{}}
	affiliated = &service{as: "in a domain", uid: os.Geteuid(), log: &logBuffer{}}
	enrolled   = &service{as: "on a machine that joined a domain", uid: os.Geteuid(), log: &logBuffer{}}
	alone      = &service{as: "in a network of its own", uid: os.Geteuid(), apart: true, log: &logBuffer{}}
)

// running gives the service that all tests of this package share, and starts it when the first one asks. It belongs to whoever
// runs the tests; that of root gives root up and keeps a helper that does not.
func running(t *testing.T) *service {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: peers run against the real binary")
	}
	return own.start(t)
}

// everywhere runs a test against the service, and, where root runs the tests, against that of an ordinary user, too.
func everywhere(t *testing.T, test func(*testing.T, *service)) {
	t.Helper()
	running(t)
	if os.Geteuid() == 0 {
		own.as = "as root"
	}
	t.Run(own.as, func(t *testing.T) { test(t, own) })
	if os.Geteuid() == 0 {
		t.Run(ordinary.as, func(t *testing.T) { test(t, ordinary.start(t)) })
	}
}

func (s *service) start(t *testing.T) *service {
	t.Helper()
	s.once.Do(func() { s.err = s.launch() })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range []*service{own, ordinary, alone, affiliated, enrolled} {
		if err := s.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		if code != 0 && s.cmd != nil {
			fmt.Fprintf(os.Stderr, "--- what casement up wrote (%s) ---\n%s\n", s.as, s.log)
		}
	}
	adtest.Close()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

func top() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// built is the folder of program, once that is there.
var built string

// program is bin/casement, built once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "casement-interop-")
	if err != nil {
		return "", err
	}
	built = dir
	if err := os.Chmod(dir, 0o755); err != nil { // for the ordinary user
		return "", err
	}
	name := filepath.Join(dir, "casement")
	build := exec.Command("go", "build", "-trimpath", "-o", name, "./cmd/casement")
	build.Dir, build.Env = top(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("go build ./cmd/casement: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return name, nil
})

// launch starts `casement up` in a folder of its own, on free ports, and returns when the lines of access have been printed.
func (s *service) launch() error {
	binary, err := program()
	if err != nil {
		return err
	}
	// As root the service gives root up, and must still reach its state.
	if s.dir, err = os.MkdirTemp("", "casement-interop-"); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(s.dir, 0o711), os.Chown(s.dir, s.uid, -1)); err != nil {
		return err
	}
	args := []string{binary, "up", "--state", filepath.Join(s.dir, "state"), "--http", "127.0.0.1:0", "--https", "127.0.0.1:0"}
	if s.prepare != nil {
		if err := s.prepare(args[3]); err != nil {
			return err
		}
	}
	if s.keytab != "" {
		args = append(args, "--keytab", s.keytab)
	}
	if s.apart { // each program becomes the next one; the route is there to be seen
		args = append([]string{"unshare", "-n", "sh", "-c", `ip link set lo up && ip route add 198.51.100.0/24 dev lo && exec "$@"`, "sh"}, args...)
	}
	args = append(slices.Clone(s.enter), args...)
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "CASEMENT_HOSTS="+filepath.Join(s.dir, "hosts.json"))
	s.cmd.Stderr = s.log
	if s.uid != os.Geteuid() {
		s.cmd.Env = append(s.cmd.Env, "HOME="+s.dir)
		s.cmd.SysProcAttr = asUser(uint32(s.uid))
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ready := make(chan error, 1)
	go s.readAccess(out, ready)
	select {
	case err = <-ready:
	case <-time.After(30 * time.Second):
		err = errors.New("casement up did not print HTTP, HTTPS, User and Password within 30 s")
	}
	if err != nil {
		return fmt.Errorf("%w; it wrote:\n%s", errors.Join(err, s.stop()), s.log)
	}
	return nil
}

// readAccess takes the addresses and the password out of what `casement up` prints, and keeps reading until it ends.
func (s *service) readAccess(out io.Reader, ready chan<- error) {
	lines := bufio.NewScanner(out)
	told := false
	for lines.Scan() {
		word, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		rest = strings.TrimSpace(rest)
		switch strings.TrimSuffix(word, ":") {
		case "HTTP":
			s.http = rest
		case "HTTPS":
			s.https = rest
		case "DCOM":
			s.dcom = strings.TrimPrefix(rest, "dcom://")
		case "User":
			s.user = rest
		case "Password":
			s.password, _, _ = strings.Cut(rest, " ")
			fmt.Fprintln(s.log, "Password ...")
			continue
		}
		fmt.Fprintln(s.log, lines.Text())
		if !told && s.http != "" && s.https != "" && s.user != "" && s.password != "" {
			told = true
			ready <- nil
		}
	}
	if !told {
		ready <- errors.New("casement up ended before it had printed HTTP, HTTPS, User and Password")
	}
}

// stop ends the service, if it runs, as systemd does, and insists that it goes.
func (s *service) stop() error {
	defer os.RemoveAll(s.dir) //nolint:errcheck // a folder that stays behind breaks nothing
	if s.cmd == nil || s.cmd.Process == nil || s.cmd.ProcessState != nil {
		return nil
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("casement up ended with %w after SIGTERM", err)
		}
		return nil
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		return errors.New("casement up did not end within 20 s of SIGTERM")
	}
}

// environ names the service for a peer; secrets go by the environment, never by the command line.
func (s *service) environ() []string {
	return append(os.Environ(),
		"CASEMENT_HTTP="+s.http, "CASEMENT_HTTPS="+s.https, "CASEMENT_DCOM="+s.dcom,
		"CASEMENT_USER="+s.user, "CASEMENT_PASSWORD="+s.password,
		"PYTHONWARNINGS=ignore", "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=*", "no_proxy=*")
}

// command is a program that is to reach the service, with what it needs to know in its environment.
func (s *service) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if s.apart {
		name, args = "nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", s.cmd.Process.Pid), name}, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = s.environ()
	return cmd
}

// logBuffer keeps the last part of what the service wrote.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > 1<<20 {
		l.buf.Next(l.buf.Len() / 2)
	}
	return l.buf.Write(p)
}

// String leaves the records of the audit out: there is one for each message.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out strings.Builder
	for line := range strings.Lines(l.buf.String()) {
		if !strings.Contains(line, " msg=audit ") {
			out.WriteString(line)
		}
	}
	return out.String()
}
