package interop

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// service is a running `casement up`.
type service struct {
	http, https, user, password string
	state, binary               string
	cmd                         *exec.Cmd
	log                         *logBuffer
}

var (
	shared     *service
	sharedErr  error
	sharedOnce sync.Once
)

// errNotYet says that this tree has no service to run the peers against.
var errNotYet = errors.New("this bin/casement has no `up` yet")

// running gives the service that all tests of this package share, and starts it when the first one asks.
func running(t *testing.T) *service {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: peers run against the real binary")
	}
	sharedOnce.Do(func() { shared, sharedErr = start() })
	if errors.Is(sharedErr, errNotYet) {
		t.Skip(sharedErr)
	}
	if sharedErr != nil {
		t.Fatal(sharedErr)
	}
	return shared
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		if err := shared.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		if code != 0 {
			fmt.Fprintf(os.Stderr, "--- what casement up wrote ---\n%s\n", shared.log)
		}
	}
	os.Exit(code)
}

func top() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// start builds the binary and starts `casement up`; it returns when the three lines of access have been printed.
func start() (*service, error) {
	dir, err := os.MkdirTemp("", "casement-interop-")
	if err != nil {
		return nil, err
	}
	s := &service{state: filepath.Join(dir, "state"), binary: filepath.Join(dir, "casement"), log: &logBuffer{}}
	build := exec.Command("go", "build", "-trimpath", "-o", s.binary, "./cmd/casement")
	build.Dir, build.Env = top(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build ./cmd/casement: %w\n%s", err, out)
	}
	if out, _ := exec.Command(s.binary, "up", "--help").CombinedOutput(); !bytes.Contains(out, []byte("--https")) {
		return nil, errNotYet
	}
	s.cmd = exec.Command(s.binary, "up", "--state", s.state, "--http", "127.0.0.1:0", "--https", "127.0.0.1:0")
	s.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go s.readAccess(out, ready)
	select {
	case err = <-ready:
	case <-time.After(30 * time.Second):
		err = errors.New("casement up did not print HTTP, HTTPS, User and Password within 30 s")
	}
	if err != nil {
		_ = s.stop()
		return nil, fmt.Errorf("%w; it wrote:\n%s", err, s.log)
	}
	return s, nil
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

// stop ends the service as systemd does, and insists that it goes.
func (s *service) stop() error {
	defer os.RemoveAll(filepath.Dir(s.binary))
	if s.cmd == nil || s.cmd.Process == nil {
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
		"CASEMENT_HTTP="+s.http, "CASEMENT_HTTPS="+s.https,
		"CASEMENT_USER="+s.user, "CASEMENT_PASSWORD="+s.password,
		"PYTHONWARNINGS=ignore", "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=*", "no_proxy=*")
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

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
