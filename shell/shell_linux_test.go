package shell

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func testCtx(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func me(t *testing.T) Identity {
	t.Helper()
	id, err := Current()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func start(t *testing.T, s Spec) *Job {
	t.Helper()
	if s.Identity.UnixUser == "" {
		s.Identity = me(t)
	}
	j, err := Direct{}.Start(testCtx(t), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// run returns everything that a command printed, and its exit code.
func run(t *testing.T, s Spec) (stdout, stderr string, exit uint32) {
	t.Helper()
	j := start(t, s)
	_ = j.Stdin().Close()
	errs := make(chan string)
	go func() {
		b, _ := io.ReadAll(j.Stderr())
		errs <- string(b)
	}()
	out, err := io.ReadAll(j.Stdout())
	if err != nil {
		t.Fatal(err)
	}
	stderr = <-errs
	exit, err = j.Wait(testCtx(t))
	if err != nil {
		t.Fatal(err)
	}
	return string(out), stderr, exit
}

func TestRun(t *testing.T) {
	tmp := t.TempDir()
	for _, c := range []struct {
		name, out, err string
		spec           Spec
		exit           uint32
	}{
		{name: "joined by blanks", spec: Spec{Command: "echo", Args: []string{`"a  b"`, "c"}}, out: "a  b c\n"},
		{name: "exit code", spec: Spec{Command: "exit 200"}, exit: 200},
		{name: "signal death", spec: Spec{Command: "kill -9 $$"}, exit: 137},
		{name: "both streams", spec: Spec{Command: "echo o; echo e >&2"}, out: "o\n", err: "e\n"},
		{name: "reopened stream", spec: Spec{Command: "echo e >/dev/stderr"}, err: "e\n"},
		{name: "argument vector", spec: Spec{Command: "printf", Args: []string{"%s|", "a  b", "$HOME"}, SkipShell: true}, out: "a  b|$HOME|"},
		{name: "directory", spec: Spec{Command: "pwd", Dir: tmp}, out: tmp + "\n"},
		{name: "own session", spec: Spec{Command: "test $(ps -o sid= -p $$) -eq $$ && echo leader"}, out: "leader\n"},
		{name: "code page 437", spec: Spec{Command: `printf 'é\342\202\254'`, CodePage: 437}, out: "\x82\x1a"},
		{name: "code page 1252", spec: Spec{Command: `printf '\342\202\254'`, CodePage: 1252}, out: "\x80"},
		{name: "utf-8", spec: Spec{Command: `printf '\377'`, CodePage: 65001}, out: "\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, stderr, exit := run(t, c.spec)
			if out != c.out || stderr != c.err || exit != c.exit {
				t.Errorf("got %q, %q, %d; want %q, %q, %d", out, stderr, exit, c.out, c.err, c.exit)
			}
		})
	}
}

func TestCleanEnvironment(t *testing.T) {
	t.Setenv("CASEMENT_TEST_SECRET", "must not pass on")
	id := me(t)
	env, err := MergeEnv(id, []Variable{{"TEMP", "/x=y"}, {"LANG", "de_DE"}, {"TEMP", "/z"}})
	if err != nil {
		t.Fatal(err)
	}
	out, _, _ := run(t, Spec{Command: "/usr/bin/env", SkipShell: true, Env: env, Identity: id})
	got := map[string]string{}
	for line := range strings.Lines(out) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		got[k] = v
	}
	want := map[string]string{"HOME": id.Home, "USER": id.UnixUser, "LOGNAME": id.UnixUser, "TEMP": "/z", "LANG": "de_DE", "PATH": DefaultPath}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s=%q, want %q", k, got[k], v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok && k != "SHELL" && k != "TZ" && k != jobMark {
			t.Errorf("unexpected variable %s", k)
		}
	}
	for _, bad := range []Variable{{"", "x"}, {"a=b", "x"}, {"a\x00", "x"}, {"a", "\x00"}} {
		if _, err := MergeEnv(id, []Variable{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestStdin(t *testing.T) {
	j := start(t, Spec{Command: "tr a-z A-Z", CodePage: 1252})
	if _, err := j.Stdin().Write([]byte("abc\x80")); err != nil {
		t.Fatal(err)
	}
	if err := j.Stdin().Close(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(j.Stdout())
	if err != nil || string(b) != "ABC\x80" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestRefusals(t *testing.T) {
	id := me(t)
	var cp *CodePageError
	for _, c := range []struct {
		name string
		spec Spec
		is   func(error) bool
	}{
		{"code page", Spec{Command: "true", CodePage: 12345, Identity: id}, func(e error) bool { return errors.As(e, &cp) && cp.Code() == 0x80338140 }},
		{"no identity", Spec{Command: "true"}, func(e error) bool { return true }},
		{"relative directory", Spec{Command: "true", Dir: `C:\temp`, Identity: id}, func(e error) bool { return errors.Is(e, fs.ErrNotExist) }},
		{"no directory", Spec{Command: "true", Dir: "/nonexistent/x", Identity: id}, func(e error) bool { return errors.Is(e, fs.ErrNotExist) && strings.Contains(e.Error(), "directory") }},
		{"no program", Spec{Command: "no-such-program", SkipShell: true, Identity: id}, func(e error) bool { return errors.Is(e, fs.ErrNotExist) }},
		{"NUL", Spec{Command: "true\x00", Identity: id}, func(e error) bool { return true }},
		{"empty", Spec{Command: " ", Identity: id}, func(e error) bool { return true }},
	} {
		if j, err := (Direct{}).Start(testCtx(t), c.spec); err == nil {
			j.Close()
			t.Errorf("%s: started", c.name)
		} else if !c.is(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPowerShell(t *testing.T) {
	dir := t.TempDir()
	id := me(t)
	env, _ := MergeEnv(id, []Variable{{"PATH", dir + ":/usr/bin:/bin"}})
	if _, err := lookPath("pwsh", "/usr/bin:/bin"); err == nil {
		t.Skip("PowerShell is installed here")
	}
	out, stderr, exit := run(t, Spec{Command: "PowerShell.exe -NoProfile", Env: env, Identity: id})
	if out != "" || exit != 1 || !strings.Contains(stderr, "PowerShell is not installed") || !strings.HasPrefix(stderr, "'PowerShell.exe'") {
		t.Errorf("without pwsh: %q, %q, %d", out, stderr, exit)
	}
	if err := os.WriteFile(filepath.Join(dir, "pwsh"), []byte("#!/bin/sh\nprintf '%s|' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []string{"powershell -c x", `"PowerShell.exe" -c x`, `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe -c x`} {
		if out, stderr, exit := run(t, Spec{Command: cmd, Env: env, Identity: id}); out != "-c|x|" || exit != 0 {
			t.Errorf("%s: %q, %q, %d", cmd, out, stderr, exit)
		}
	}
	if _, ok := powershell("powershellish"); ok {
		t.Error("a longer word was taken for PowerShell")
	}
}

func TestSignals(t *testing.T) {
	for sig, want := range map[Signal]uint32{Interrupt: 130, Break: 131, Terminate: 143, Kill: 137} {
		t.Run(sig.String(), func(t *testing.T) {
			j := start(t, Spec{Command: "ulimit -c 0; echo ready; exec sleep 60"})
			if _, err := io.ReadFull(j.Stdout(), make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			if err := j.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if exit, err := j.Wait(testCtx(t)); err != nil || exit != want {
				t.Errorf("exit %d, %v; want %d", exit, err, want)
			}
		})
	}
}

// gone reports when a process number names no living process.
func gone(t *testing.T, pid int) {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err == nil && !strings.Contains(string(b), ") Z ") {
		t.Errorf("process %d is still there: %s", pid, b)
	}
}

// daemonise leaves a process that has its own session and no parent of ours,
// and prints its number.
const daemonise = `setsid sh -c 'sleep 300 >/dev/null 2>&1 </dev/null & echo $!' & wait; echo up`

func TestCloseKillsDaemons(t *testing.T) {
	for _, noCgroup := range []bool{false, true} {
		t.Run("NoCgroup="+strconv.FormatBool(noCgroup), func(t *testing.T) {
			s := Spec{Command: daemonise, Identity: me(t)}
			j, err := StartWith(testCtx(t), s, func(p *Pipes) (Controller, error) {
				return StartProcess(s, p.Child, ProcessOptions{NoCgroup: noCgroup})
			})
			if err != nil {
				t.Fatal(err)
			}
			if has := j.ctrl.(*Process).cg != nil; !noCgroup && has != cgroupPossible() {
				t.Errorf("control group: %v, possible here: %v", has, cgroupPossible())
			}
			out, err := io.ReadAll(j.Stdout())
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.Fields(string(out))[0])
			if err != nil {
				t.Fatalf("%q: %v", out, err)
			}
			if exit, err := j.Wait(testCtx(t)); exit != 0 || err != nil {
				t.Fatalf("%d, %v", exit, err)
			}
			if err := syscall.Kill(pid, 0); err != nil {
				t.Fatalf("the daemon did not survive its parent: %v", err)
			}
			if n := j.Processes(); n != 1 {
				t.Errorf("%d processes, want the daemon", n)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			gone(t, pid)
			if p := j.ctrl.(*Process); p.cg != nil {
				if _, err := os.Stat(p.cg.dir); err == nil {
					t.Errorf("control group %s remains", p.cg.dir)
				}
			}
		})
	}
}

// cgroupPossible reports whether a group can be made below our own.
func cgroupPossible() bool {
	parent := cgroupParent()
	probe := filepath.Join(parent, "casement-test-probe")
	return parent != "" && os.Mkdir(probe, 0o755) == nil && os.Remove(probe) == nil
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name, command, limit string
		limits               Limits
	}{
		{"processes", "for i in 1 2 3 4 5 6; do sleep 60 & done; wait", LimitProcesses, Limits{MaxProcesses: 4}},
		{"memory", `exec python3 -c "b=bytearray(96<<20); import time; time.sleep(60)"`, LimitMemory, Limits{MaxMemoryMB: 48}},
	} {
		for _, noCgroup := range []bool{false, true} {
			t.Run(c.name+strconv.FormatBool(noCgroup), func(t *testing.T) {
				s := Spec{Command: c.command, Identity: me(t), Limits: c.limits}
				j, err := StartWith(testCtx(t), s, func(p *Pipes) (Controller, error) {
					return StartProcess(s, p.Child, ProcessOptions{NoCgroup: noCgroup})
				})
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				exit, err := j.Wait(testCtx(t))
				var le *LimitError
				if !errors.As(err, &le) || le.Limit != c.limit || exit != 137 {
					t.Errorf("exit %d, %v; want 137 and %s", exit, err, c.limit)
				}
			})
		}
	}
}

func TestUsage(t *testing.T) {
	j := start(t, Spec{Command: "sleep 60 & sleep 60 & echo ready; wait"})
	if _, err := io.ReadFull(j.Stdout(), make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if n := j.Processes(); n != 3 {
		t.Errorf("%d processes, want the shell and two sleeps", n)
	}
	if n := j.MemoryBytes(); n < 100<<10 || n > 100<<20 {
		t.Errorf("memory %d", n)
	}
}

// A process that nobody reads from stops; nothing piles up in this process.
func TestBackPressure(t *testing.T) {
	j := start(t, Spec{Command: "yes & echo $! >&2; wait"})
	var buf [16]byte
	if _, err := j.Stderr().Read(buf[:]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	time.Sleep(200 * time.Millisecond)
	runtime.ReadMemStats(&after)
	if d := int64(after.HeapAlloc) - int64(before.HeapAlloc); d > 4<<20 {
		t.Errorf("heap grew by %d while nobody read", d)
	}
	if _, err := io.ReadFull(j.Stdout(), make([]byte, 1<<20)); err != nil {
		t.Errorf("the stream did not go on: %v", err)
	}
}

func TestCloseWakesReaders(t *testing.T) {
	before := runtime.NumGoroutine()
	j := start(t, Spec{Command: "sleep 60"})
	done := make(chan error, 2)
	go func() { _, err := io.ReadAll(j.Stdout()); done <- err }()
	go func() { _, err := j.Stdin().Write(make([]byte, 1<<20)); done <- err }()
	time.Sleep(50 * time.Millisecond)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatal("a stream is still blocked after Close")
		}
	}
	for i := 0; runtime.NumGoroutine() > before && i < 100; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// A background process that keeps a stream open does not hold the caller.
func TestStreamEndsAfterCommand(t *testing.T) {
	began := time.Now()
	out, _, exit := run(t, Spec{Command: "sleep 60 & echo done"})
	if out != "done\n" || exit != 0 || time.Since(began) > 5*time.Second {
		t.Errorf("%q, %d after %v", out, exit, time.Since(began))
	}
}

// As another user: the kernel's own account of the process is the judge.
func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	id, err := LookupIdentity("nobody")
	if err != nil {
		t.Skip(err)
	}
	out, stderr, exit := run(t, Spec{Command: "id -u; id -g; id -G; cat /etc/shadow; ls /proc/self/fd | wc -l", Identity: id})
	f := strings.Fields(out)
	if len(f) < 4 || f[0] != strconv.Itoa(int(id.UID)) || f[1] != strconv.Itoa(int(id.GID)) || f[2] != f[1] || exit != 0 {
		t.Errorf("%q, %q, %d", out, stderr, exit)
	}
	if !strings.Contains(stderr, "Permission denied") {
		t.Errorf("reading /etc/shadow: %q", stderr)
	}
}

func TestLookupIdentity(t *testing.T) {
	id, err := LookupIdentity("root")
	if err != nil || id.UID != 0 || id.GID != 0 || id.Home != "/root" {
		t.Errorf("%+v, %v", id, err)
	}
	for _, name := range []string{"", "-x", "no-such-user-here", "a:b", "a b", "../x"} {
		if _, err := LookupIdentity(name); err == nil {
			t.Errorf("%q was found", name)
		}
	}
}
