package procs

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/prometheus/procfs"
)

// Of every process here procfs must say the same, as far as it does not change meanwhile.
func TestReadingAgainstProcfs(t *testing.T) {
	pfs, err := procfs.NewDefaultFS()
	if err != nil {
		t.Fatal(err)
	}
	pids, err := PIDs()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		pr, err := pfs.Proc(pid)
		if err != nil {
			continue
		}
		st, err1 := pr.Stat()
		p, err := One(pid, All)
		again, err2 := pr.Stat()
		if errors.Is(err, ErrNotExist) || err1 != nil || err2 != nil {
			continue
		}
		if err != nil {
			t.Errorf("process %d: %v", pid, err)
			continue
		}
		if st.Comm != again.Comm || st.RSS != again.RSS || st.VSize != again.VSize || st.UTime != again.UTime || st.STime != again.STime {
			continue // it runs
		}
		compared++
		want := Process{PID: pid, PPID: st.PPID, PGID: st.PGRP, Session: st.Session, Name: st.Comm, Priority: st.Priority,
			Nice: st.Nice, Threads: st.NumThreads, VirtualBytes: uint64(st.VSize), ResidentBytes: uint64(st.ResidentMemory())}
		got := Process{PID: p.PID, PPID: p.PPID, PGID: p.PGID, Session: p.Session, Name: p.Name, Priority: p.Priority,
			Nice: p.Nice, Threads: p.Threads, VirtualBytes: p.VirtualBytes, ResidentBytes: p.ResidentBytes}
		if got.PID != want.PID || got.Name != want.Name || got.PPID != want.PPID || got.Session != want.Session || got.Threads != want.Threads ||
			got.Nice != want.Nice || got.Priority != want.Priority || got.VirtualBytes != want.VirtualBytes || got.ResidentBytes != want.ResidentBytes {
			t.Errorf("process %d:\n got %+v\nwant %+v", pid, got, want)
		}
		if s, err := pr.NewStatus(); err == nil && p.Known&Status != 0 {
			if uint64(p.UID) != s.UIDs[0] || uint64(p.EGID) != s.GIDs[1] || p.PeakVirtualBytes != s.VmPeak || p.SwapBytes != s.VmSwap {
				t.Errorf("process %d: status %+v, procfs says %+v", pid, p, s)
			}
		}
		if c, err := pr.CmdLine(); err == nil && len(c) > 0 && (len(p.Cmdline) < len(c) || !slices.Equal(p.Cmdline[:len(c)], c)) {
			t.Errorf("process %d: command line %q, procfs says %q", pid, p.Cmdline, c)
		}
		if e, err := pr.Executable(); err == nil && e != p.Exe {
			t.Errorf("process %d: program %q, procfs says %q", pid, p.Exe, e)
		}
		for try := 1; ; try++ { // it may open and close one at any time
			now, gone := One(pid, FDs)
			n, err := pr.FileDescriptorsLen()
			if gone != nil || err != nil || now.FDs == n {
				break
			}
			if try == 20 {
				t.Errorf("process %d: %d descriptors, procfs says %d", pid, now.FDs, n)
				break
			}
		}
	}
	if compared == 0 {
		t.Skip("no process stood still")
	}
}

func TestIOAgainstProcfs(t *testing.T) {
	p := Process{}
	if !p.parseIO([]byte("rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 18446744073709551615\ncancelled_write_bytes: -7\n")) {
		t.Fatal("a whole file was refused")
	}
	if p.ReadChars != 1 || p.WriteChars != 2 || p.ReadCalls != 3 || p.WriteCalls != 4 || p.ReadBytes != 5 || p.WriteBytes != 1<<63-1 {
		t.Errorf("%+v", p)
	}
	for _, bad := range []string{"", "rchar: 1\n", "rchar: x\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\n"} {
		if (&Process{}).parseIO([]byte(bad)) {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestCmdline(t *testing.T) {
	for in, want := range map[string][]string{
		"":                    nil,
		"a\x00":               {"a"},
		"a\x00\x00":           {"a", ""},
		"a\x00b c\x00":        {"a", "b c"},
		"\x00":                {""},
		"sshd: root@pts/0":    {"sshd: root@pts/0"},
		"x\x00\x00y\x00z\x00": {"x", "", "y", "z"},
	} {
		if got := parseCmdline([]byte(in)); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func FuzzProcessFiles(f *testing.F) {
	for _, name := range []string{"stat", "status", "io", "cmdline"} {
		if b, err := os.ReadFile("/proc/self/" + name); err == nil {
			f.Add(b)
		}
	}
	f.Add([]byte("1 (a) (b\nc) R 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Process
		_, _ = p.parseStat(b)
		p.parseStatus(b)
		p.parseIO(b)
		joined := 0
		for _, a := range parseCmdline(b) {
			joined += len(a) + 1
		}
		if len(b) > 0 && joined != len(b) && joined != len(b)+1 {
			t.Errorf("the arguments of %q have %d bytes", b, joined)
		}
	})
}
