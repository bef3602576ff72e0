package script

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/casementhq/casement/internal/cli"
)

// program runs the command under the name that it was called by.
func program() {
	os.Exit(cli.Main(os.Args, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"casement": program, "winrm": program, "winrs": program, "reg": program, "net": program,
		"mofcomp": program, "winmgmt": program, "wmimgmt.msc": program, "gpedit.msc": program, "gpresult": program, "gpupdate": program,
		"Configure-SMRemoting.exe": program, "netsh": program, "NETSH.EXE": program,
		"DCOMCNFG": program, "dcomcnfg.exe": program})
}

// TestScripts runs the scripts of this folder.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: ".",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CASEMENT_STATE", filepath.Join(e.WorkDir, "state"))
			e.Setenv("HOME", e.WorkDir)
			port, err := freePort()
			if err != nil {
				return err
			}
			e.Setenv("FREEPORT", port)
			return reachable(e.WorkDir)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"up": up, "down": down, "code": code, "other": other, "until": until, "policy": policy, "damage": damage, "typed": typed, "scrape": scrape},
	})
}

// freePort is a port of TCP that nobody uses.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// reachable lets the service's own user come through to the state folder when
// the tests run as root.
func reachable(dir string) error {
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // #nosec G302 -- a folder of this test
			return err
		}
	}
	return nil
}

// running is the service of a script.
type running struct {
	cmd  *exec.Cmd
	done chan error
}

var services sync.Map // *testscript.TestScript: *running

// up starts the service: up [serve] [ARGS...]. Without serve it is casement up
// with free ports. It sets HTTP, HTTPS, DCOM, their ports as HTTPPORT and so on, and, the first
// time, PASSWORD.
func up(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("up cannot be negated")
	}
	line := []string{"up", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--no-hosts", "--dcom-port", "0"}
	if len(args) > 0 && args[0] == "serve" {
		line, args = []string{"serve", "--dcom-port", "0"}, args[1:]
	}
	path, err := exec.LookPath("casement")
	ts.Check(err)
	cmd := exec.Command(path, append(line, args...)...) // #nosec G204 -- the test's own binary
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "CASEMENT_STATE="+ts.Getenv("CASEMENT_STATE"), "HOME="+ts.Getenv("HOME"))
	log, err := os.Create(ts.MkAbs("service.log"))
	ts.Check(err)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	log.Close()
	r := &running{cmd, make(chan error, 1)}
	services.Store(ts, r)
	ts.Defer(func() { stop(ts) })
	ready := make(chan map[string]string, 1)
	go func() {
		facts := map[string]string{}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) == 2 {
				facts[fields[0]] = fields[1]
			}
			if strings.Contains(lines.Text(), "Ctrl-C ends it.") {
				ready <- facts
			}
		}
		r.done <- cmd.Wait()
	}()
	select {
	case facts := <-ready:
		for label, name := range map[string]string{"HTTP": "HTTP", "HTTPS": "HTTPS", "DCOM": "DCOM", "Password": "PASSWORD"} {
			if v := facts[label]; v != "" {
				ts.Setenv(name, v)
			}
			if u, err := url.Parse(facts[label]); err == nil && u.Port() != "" {
				ts.Setenv(name+"PORT", u.Port())
			}
		}
	case err := <-r.done:
		r.done <- err
		ts.Fatalf("the service ended: %v: %s", err, ts.ReadFile("service.log"))
	case <-time.After(20 * time.Second):
		ts.Fatalf("the service is not ready: %s", ts.ReadFile("service.log"))
	}
}

// down ends the service.
func down(ts *testscript.TestScript, neg bool, _ []string) {
	if _, runs := services.Load(ts); neg || !runs {
		ts.Fatalf("no service runs")
	}
	stop(ts)
}

func stop(ts *testscript.TestScript) {
	v, runs := services.LoadAndDelete(ts)
	if !runs {
		return
	}
	r := v.(*running)
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.done:
	case <-time.After(15 * time.Second):
		_ = r.cmd.Process.Kill()
		<-r.done
		ts.Fatalf("the service did not end by itself")
	}
}

// code runs a program and checks its exit code: code N PROGRAM [ARGS...].
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until runs a program again and again until it succeeds, or with ! until it
// fails: what a running service follows takes it a moment.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: until PROGRAM [ARGS...]")
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[0], args[1:]...)
		if (err != nil) == neg {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("still %v", err)
		}
	}
}

// damage FILE overwrites a piece in the middle of every page of a file, but of
// the first two, with other bytes.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage FILE")
	}
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	for at := 2*4096 + 100; at < len(b); at += 4096 {
		for n := at; n < min(at+64, len(b)); n++ {
			b[n] ^= 0x5A
		}
	}
	ts.Check(os.WriteFile(path, b, 0o600))
}
