//go:build unix

package consumers

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
)

func programs(t *testing.T) *Provider {
	return provider(t, Options{Starter: shell.Direct{}, Identity: func(c cim.Caller) (shell.Identity, error) {
		if c.Token != administrator {
			t.Error("not as the creator")
		}
		return shell.Current()
	}})
}

// program writes a shell script and gives its path.
func program(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "a program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// appears reads a file as soon as it is there.
func appears(t *testing.T, path string) string {
	t.Helper()
	for range 1000 {
		if b, err := os.ReadFile(path); err == nil {
			return string(b)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not appear", path)
	return ""
}

// ends waits until a process is gone.
func ends(t *testing.T, pid int) {
	t.Helper()
	for range 1000 {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d lives", pid)
}

// TestCommandLine: the words of the template are the arguments, and what the
// event holds is never read by a shell.
func TestCommandLine(t *testing.T) {
	const script = "{ printf '[%s]' \"$@\"; pwd -P; } > out.tmp\nmv out.tmp out\n"
	for _, tt := range []struct {
		name          string
		path, command func(program string) string
	}{
		{"5.4 first token", func(string) string { return "" }, func(p string) string { return `"` + p + `" a "b %x%"  %TargetInstance.Name%` }},
		{"5.4 path", func(p string) string { return p }, func(string) string { return `anything a "b %x%"  %TargetInstance.Name%` }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := programs(t)
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			path := program(t, dir, script)
			values := []any{"Name", "x", "CommandLineTemplate", tt.command(path), "WorkingDirectory", dir}
			if e := tt.path(path); e != "" {
				values = append(values, "ExecutablePath", e)
			}
			if err := consume(p, administrator, consumer(t, p, "CommandLineEventConsumer", values...), testEvent(t)); err != nil {
				t.Fatal(err)
			}
			if got, want := appears(t, filepath.Join(dir, "out")), `[a][b %x%][sh "x"; rm -rf /]`+dir+"\n"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// TestKillTimeout: a program ends with its timeout, or with the provider.
func TestKillTimeout(t *testing.T) {
	for _, seconds := range []uint32{1, 0} {
		p := programs(t)
		dir := t.TempDir()
		path := program(t, dir, "echo $$ > pid.tmp; mv pid.tmp pid; exec sleep 600\n")
		c := consumer(t, p, "CommandLineEventConsumer", "ExecutablePath", path, "WorkingDirectory", dir, "KillTimeout", cim.U32(seconds))
		if err := consume(p, administrator, c, testEvent(t)); err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(appears(t, filepath.Join(dir, "pid"))))
		if err != nil {
			t.Fatal(err)
		}
		if seconds == 0 {
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("the program outlives the provider: %v", err)
			}
			if err := consume(p, administrator, c, testEvent(t)); !errors.Is(err, cim.ErrShuttingDown) {
				t.Errorf("after Close: %v", err)
			}
		}
		ends(t, pid)
	}
}

// TestCommandLineRefusals has T-96.
func TestCommandLineRefusals(t *testing.T) {
	p := programs(t)
	run := func(token *security.Token, values ...any) error {
		return consume(p, token, consumer(t, p, "CommandLineEventConsumer", values...), testEvent(t))
	}
	if err := run(&security.Token{User: security.SIDUsers}, "ExecutablePath", "/bin/true"); !errors.Is(err, cim.ErrEssAuthzNotPrivileged) {
		t.Errorf("T-96 an ordinary creator: %v", err)
	}
	if err := run(nil, "ExecutablePath", "/bin/true"); !errors.Is(err, cim.ErrEssAuthzNotPrivileged) {
		t.Errorf("nobody: %v", err)
	}
	filtered := security.Filter(security.Token{User: security.SIDUsers, Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}})
	if err := run(&filtered, "ExecutablePath", "/bin/true"); !errors.Is(err, cim.ErrEssAuthzNotPrivileged) {
		t.Errorf("a filtered administrator: %v", err)
	}
	if err := run(administrator, "ExecutablePath", "/no/such/program"); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("no program: %v", err)
	}
	if err := run(administrator, "CommandLineTemplate", "%Nothing% x"); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("no program in this event: %v", err)
	}
	if err := run(administrator, "CommandLineTemplate", "%Name%/x"); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("a relative program: %v", err)
	}
}
