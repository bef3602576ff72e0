//go:build linux

package procs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The expected values come from ps(1), a program of other people.
func TestOneAgainstPS(t *testing.T) {
	ps, err := exec.LookPath("ps")
	if err != nil {
		t.Skip("ps is not installed")
	}
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	time.Sleep(50 * time.Millisecond) // exec has happened
	pid := c.Process.Pid
	out, err := exec.Command(ps, "-o", "ppid=,pgid=,sid=,uid=,gid=,nlwp=,comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	p, err := One(pid, All)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{strconv.Itoa(p.PPID), strconv.Itoa(p.PGID), strconv.Itoa(p.Session),
		strconv.Itoa(int(p.UID)), strconv.Itoa(int(p.GID)), strconv.Itoa(p.Threads), p.Name}
	if want := strings.Fields(string(out)); !slices.Equal(got, want) {
		t.Errorf("got %v, ps says %v", got, want)
	}
	if p.Known&(Stat|Status|Cmdline|Exe) != Stat|Status|Cmdline|Exe {
		t.Errorf("known %b", p.Known)
	}
	if !slices.Equal(p.Cmdline, []string{"sleep", "60"}) {
		t.Errorf("cmdline %q", p.Cmdline)
	}
	if p.ResidentBytes == 0 || p.VirtualBytes < p.ResidentBytes {
		t.Errorf("memory %d of %d", p.ResidentBytes, p.VirtualBytes)
	}
	if d := time.Since(p.StartTime); d < -2*time.Second || d > 10*time.Second {
		t.Errorf("start time %v is %v ago", p.StartTime, d)
	}
	again, err := One(pid, Stat)
	if err != nil || !again.StartTime.Equal(p.StartTime) {
		t.Errorf("start time moved: %v, then %v (%v)", p.StartTime, again.StartTime, err)
	}
}

// A process that replaces its program again and again has a command line at every moment: while execve has not written
// the new one, its file is empty, and the parent knows of its success before.
func TestCommandLineWhileLoading(t *testing.T) {
	for range 100 {
		c := exec.Command("/bin/sh", "-c", "exec sleep 60")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(5 * time.Millisecond); time.Now().Before(end); {
			p, err := One(c.Process.Pid, Cmdline)
			if err != nil || p.Known&Cmdline == 0 || len(p.Cmdline) == 0 {
				t.Errorf("process %d (%s) has no command line: %v", c.Process.Pid, p.Name, err)
				break
			}
		}
		c.Process.Kill()
		c.Wait()
	}
}

// Whether a program is being loaded is told from the lines that a kernel shows of sleep(1), before and after, and to
// another user.
func TestStartCode(t *testing.T) {
	const head = "15568 (sl) e (ep) R 15563 15532 11868 0 -1 4194304 64 0 0 0 0 0 0 0 20 0 1 0 1170320 180224 0 18446744073709551615 "
	for tail, want := range map[string]string{
		"0 0 140735931902430 0 0":                         codeLoading,
		"94680916209664 94680916227593 140735931894880 0": "94680916209664",
		"1 1 0 0 0": codeHidden,
		"":          codeHidden,
	} {
		if got := startCode([]byte(head + tail)); got != want {
			t.Errorf("%q is %s, want %s", tail, got, want)
		}
	}
	if startCode(nil) != codeHidden {
		t.Error("an empty line is something")
	}
	// one that erased its arguments is not waited for
	begin := time.Now()
	s := &scratch{data: make([]byte, 4096)}
	dir := t.TempDir()
	for name, content := range map[string]string{"stat": head + "94680916209664 94680916227593 0", "cmdline": ""} {
		if err := os.MkdirAll(filepath.Join(dir, "7"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "7", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.open(dir, 7)
	if b, err := s.cmdline(&Process{VirtualBytes: 1, StartTime: begin}); err != nil || len(b) > 0 || time.Since(begin) > loadingWait/2 {
		t.Errorf("%q, %v after %v", b, err, time.Since(begin))
	}
}

func TestGoneProcess(t *testing.T) {
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{c.Process.Pid, 0, -1} {
		if _, err := One(pid, All); !errors.Is(err, ErrNotExist) {
			t.Errorf("pid %d: %v, want ErrNotExist", pid, err)
		}
	}
}

func TestListHoldsSelf(t *testing.T) {
	ps, err := List(context.Background(), Cmdline)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(ps, func(p Process) bool { return p.PID == os.Getpid() })
	if i < 0 {
		t.Fatal("this process is not in the list")
	}
	if !slices.Equal(ps[i].Cmdline, os.Args) {
		t.Errorf("own command line %q, want %q", ps[i].Cmdline, os.Args)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := List(ctx, Stat); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled list: %v", err)
	}
}

func TestHost(t *testing.T) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	kb, err := strconv.ParseUint(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	m, err := HostMemory()
	if err != nil {
		t.Fatal(err)
	}
	if m.Total == nil || *m.Total != kb<<10 {
		t.Errorf("total memory %v, want %d", m.Total, kb<<10)
	}
	h, err := Host()
	if err != nil || h.Total.Idle <= 0 || len(h.CPU) == 0 {
		t.Errorf("host stat %+v, %v", h, err)
	}
	if _, err := LoadAverage(); err != nil {
		t.Error(err)
	}
	cpus, err := CPUs()
	if err != nil || len(cpus) != len(h.CPU) {
		t.Errorf("%d processors, stat has %d (%v)", len(cpus), len(h.CPU), err)
	}
	if n := cacheBytes("36608 KB"); n != 36608<<10 {
		t.Errorf("cache size %d", n)
	}
}

func BenchmarkList(b *testing.B) {
	for b.Loop() {
		if _, err := List(context.Background(), Stat|Cmdline|Exe); err != nil {
			b.Fatal(err)
		}
	}
}
