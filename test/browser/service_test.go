package browser

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is the real binary.
var built struct {
	sync.Once
	path string
	err  string
}

func TestMain(m *testing.M) {
	reserve()
	code := m.Run()
	giveBack()
	if built.path != "" {
		os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(code)
}

func binary(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		dir, err := os.MkdirTemp("", "casement-browser-")
		if err != nil {
			built.err = err.Error()
			return
		}
		_ = os.Chmod(dir, 0o755)
		built.path = filepath.Join(dir, "casement")
		cmd := exec.Command("go", "build", "-trimpath", "-o", built.path, "./cmd/casement")
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = err.Error() + ": " + string(out)
		}
	})
	if built.err != "" {
		t.Fatal(built.err)
	}
	return built.path
}

// text is written by a process and read by a test.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// machine is a `casement up` of its own.
type machine struct {
	t        *testing.T
	dir      string
	ns       string // the network namespace that it serves in, "" for ours
	cmd      *exec.Cmd
	out, err text
	done     chan struct{}
	enter    []string // what leads into its namespaces
	env      []string // more of its environment
	// What it printed.
	http, dcom, console, user, password string
}

// up starts a machine with a console, on free ports; more are more flags.
func up(t *testing.T, more ...string) *machine {
	t.Helper()
	m := newMachine(t)
	m.start(append([]string{"--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--dcom-port", "0"}, more...)...)
	return m
}

// newMachine makes the folder of a machine that ends with the test.
func newMachine(t *testing.T) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "cz-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	_ = os.Chmod(dir, 0o755)
	return &machine{t: t, dir: dir}
}

func (m *machine) start(args ...string) {
	m.t.Helper()
	m.cmd = m.command(append([]string{"up", "--state", filepath.Join(m.dir, "state")}, args...)...)
	if m.ns != "" {
		m.cmd.Args = append([]string{"ip", "netns", "exec", m.ns}, append([]string{m.cmd.Path}, m.cmd.Args[1:]...)...)
		ip, err := exec.LookPath("ip")
		if err != nil {
			m.t.Fatal(err)
		}
		m.cmd.Path = ip
	}
	m.out, m.err, m.done = text{}, text{}, make(chan struct{})
	m.cmd.Stdout, m.cmd.Stderr = &m.out, &m.err
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait()
		close(m.done)
	}()
	m.t.Cleanup(m.kill)
	for end := time.Now().Add(30 * time.Second); !strings.Contains(m.out.String(), "Ctrl-C ends it."); time.Sleep(10 * time.Millisecond) {
		select {
		case <-m.done:
			m.t.Fatalf("casement up ended: %s%s", &m.out, &m.err)
		default:
		}
		if time.Now().After(end) {
			m.t.Fatalf("casement up does not serve: %s%s", &m.out, &m.err)
		}
	}
	m.http, m.dcom, m.console, m.user = m.field("HTTP"), m.field("DCOM"), m.field("Console"), m.field("User")
	if p := m.field("Password"); p != "" {
		m.password = p
	}
}

// kill ends it at once, as a loss of power would.
func (m *machine) kill() {
	_ = syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL)
	<-m.done
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

// command is casement as the owner of the machine's state folder runs it.
func (m *machine) command(args ...string) *exec.Cmd {
	line := append(append(slices.Clone(m.enter), binary(m.t)), args...)
	cmd := exec.CommandContext(context.WithoutCancel(m.t.Context()), line[0], line[1:]...)
	cmd.Dir = m.dir
	cmd.Env = append([]string{"HOME=" + m.dir, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "CASEMENT_HOSTS=" + filepath.Join(m.dir, "hosts.json")}, m.env...)
	return cmd
}

// must runs casement with the machine's state folder in its place, and insists on success.
func (m *machine) must(stdin string, args ...string) string {
	m.t.Helper()
	cmd := m.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("casement %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// state is the flag of the machine's folder.
func (m *machine) state() string { return "--state=" + filepath.Join(m.dir, "state") }

// spki is the key of the console's certificate, as Chromium takes it.
func (m *machine) spki() string {
	m.t.Helper()
	u, err := url.Parse(m.console)
	if err != nil {
		m.t.Fatal(err)
	}
	c, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true}) // only what it shows
	if err != nil {
		m.t.Fatal(err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
