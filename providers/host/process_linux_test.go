package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// child starts a process that lives as long as the test.
func child(t testing.TB, name string, args ...string) int {
	t.Helper()
	c := exec.Command(name, args...)
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) { // until it has become the program
		if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.Process.Pid)); strings.TrimSpace(string(b)) == name {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return c.Process.Pid
}

func byHandle(pid int) query {
	return fixed(map[string]cim.Value{"Handle": cim.Str(strconv.Itoa(pid))})
}

// The expected values come from ps(1), stat(1) and readlink(1).
func TestProcessAgainstOtherPrograms(t *testing.T) {
	pid := child(t, "sleep", "60")
	id := strconv.Itoa(pid)
	ps := strings.Fields(output(t, "ps", "-o", "ppid=,nlwp=,vsz=,comm=,ni=,lstart=", "-p", id))
	started, err := time.ParseInLocation("Jan 2 15:04:05 2006", strings.Join(ps[6:], " "), time.Local)
	if err != nil {
		t.Fatal(err)
	}
	i := only(t, New(Options{}), "Win32_Process", byHandle(pid))
	vsz, _ := strconv.ParseUint(ps[2], 10, 64)
	expect(t, i, map[string]string{
		"Handle": id, "ProcessId": id, "ParentProcessId": ps[0], "ThreadCount": ps[1], "Name": ps[3], "Caption": "sleep",
		"VirtualSize": strconv.FormatUint(vsz<<10, 10), "CommandLine": "sleep 60", "ExecutionState": "4",
		"ExecutablePath": output(t, "readlink", "/proc/"+id+"/exe"), "CSName": output(t, "uname", "-n"),
		"HandleCount":       strconv.Itoa(strings.Count(output(t, "ls", "/proc/"+id+"/fd"), "\n") + 1),
		"CreationClassName": "Win32_Process", "CSCreationClassName": "Win32_ComputerSystem", "OSCreationClassName": "Win32_OperatingSystem",
		"TerminationDate": "null", "QuotaPagedPoolUsage": "null", "InstallDate": "null",
	})
	if ps[4] == "0" {
		expect(t, i, map[string]string{"Priority": "8"}) // normal
	}
	d, _ := i.Get("CreationDate").DateTime()
	if got, ok := d.Time(); !ok || got.Sub(started).Abs() > 2*time.Second {
		t.Errorf("CreationDate %v, ps says %v", d, started)
	}
	if private, _ := i.Get("PrivatePageCount").Uint(); private>>10 != mustUint(i, "PageFileUsage") || private == 0 {
		t.Errorf("PrivatePageCount %d bytes, PageFileUsage %d kB", private, mustUint(i, "PageFileUsage"))
	}
	if peak := mustUint(i, "PeakWorkingSetSize"); peak<<10 < mustUint(i, "WorkingSetSize")/2 || peak == 0 {
		t.Errorf("PeakWorkingSetSize %d kB", peak)
	}
}

func mustUint(i *cim.Instance, name string) uint64 {
	n, ok := i.Get(name).Uint()
	if !ok {
		return 0
	}
	return n
}

func TestEveryProcessIsListed(t *testing.T) {
	pid := child(t, "sleep", "60")
	handles := map[string]bool{}
	for _, i := range all(t, New(Options{}), "Win32_Process", projected("Win32_Process", "Name")) {
		handles[i.Get("Handle").String()] = true
		if !i.Get("CommandLine").IsNull() {
			t.Fatal("a property that was not asked for was read")
		}
	}
	for _, want := range []int{1, os.Getpid(), pid} {
		if !handles[strconv.Itoa(want)] {
			t.Errorf("process %d is not listed", want)
		}
	}
}

// stat is a line of /proc/[pid]/stat as proc(5) describes it.
func stat(pid int, comm string, state string, rest string) string {
	return fmt.Sprintf("%d (%s) %s %s\n", pid, comm, state, rest)
}

func fakeProc(t *testing.T) string {
	const busy = "1 7 7 0 -1 4194304 100 0 5 0 250 125 0 0 20 -5 3 0 6000 8192000 250 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
	const zombie = "1 8 8 0 -1 4194304 100 0 5 0 0 0 0 0 20 0 1 0 6100 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
	return root(t, map[string]string{
		"proc/stat":                  "cpu  1 2 3 4 5 6 7 0 0 0\ncpu0 1 2 3 4 5 6 7 0 0 0\nintr 1\nctxt 1\nbtime 1767225600\nprocesses 9\nprocs_running 1\nprocs_blocked 0\nsoftirq 10 0 1 2 3 4 0 0 0 0 0\n",
		"proc/sys/kernel/hostname":   "box\n",
		"proc/sys/kernel/osrelease":  "6.1.0-test\n",
		"etc/os-release":             "PRETTY_NAME=\"Test Linux 3\"\nVERSION_ID=3\n",
		"proc/7/stat":                stat(7, "a) (b\nc", "R", busy),
		"proc/7/status":              "Name:\ta) (b\\nc\nUmask:\t0022\nState:\tR (running)\nTgid:\t7\nPid:\t7\nUid:\t0\t1000\t0\t0\nGid:\t0\t100\t0\t0\nVmPeak:\t   9000 kB\nVmHWM:\t    1100 kB\nRssAnon:\t     600 kB\nVmSwap:\t      24 kB\n",
		"proc/7/cmdline":             "/opt/a b\x00--x\x00\x00",
		"proc/7/exe":                 "-> /opt/a b",
		"proc/7/io":                  "rchar: 11\nwchar: 12\nsyscr: 13\nsyscw: 14\nread_bytes: 15\nwrite_bytes: 16\ncancelled_write_bytes: 0\n",
		"proc/7/sessionid":           "4294967295",
		"proc/7/fd/0":                "-> /dev/null",
		"proc/7/fd/1":                "-> /dev/null",
		"proc/8/stat":                stat(8, "defunct", "Z", zombie),
		"proc/8/status":              "Name:\tdefunct\nState:\tZ (zombie)\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
		"proc/8/cmdline":             "",
		"proc/8/sessionid":           "3",
		"proc/9/":                    "", // it has ended: nothing but the folder is left
		"proc/10/stat":               stat(10, "hidden", "S", busy),
		"proc/self":                  "-> 7",
		"proc/acpi/":                 "",
		"usr/share/zoneinfo/ignored": "",
	})
}

func TestOddProcesses(t *testing.T) {
	p := New(Options{Root: fakeProc(t)})
	found := map[string]*cim.Instance{}
	for _, i := range all(t, p, "Win32_Process", query{}) {
		found[i.Get("Handle").String()] = i
	}
	if len(found) != 3 {
		t.Fatalf("processes %v, want 7, 8 and 10", found)
	}
	expect(t, found["7"], map[string]string{
		"Name": "a) (b\nc", "CommandLine": "/opt/a b --x ", "ExecutablePath": "/opt/a b", "ParentProcessId": "1",
		"KernelModeTime": "12500000", "UserModeTime": "25000000", "ThreadCount": "3", "Priority": "10", "ExecutionState": "3",
		"CreationDate": "20260101000100.000000+000", "VirtualSize": "8192000", "PageFaults": "105",
		"WorkingSetSize": strconv.Itoa(250 * os.Getpagesize()), "PeakVirtualSize": "9216000", "PeakWorkingSetSize": "1100",
		"PageFileUsage": "624", "PrivatePageCount": "638976", "HandleCount": "2", "SessionId": "0",
		"ReadTransferCount": "11", "WriteTransferCount": "12", "ReadOperationCount": "13", "WriteOperationCount": "14",
		"OSName": "Test Linux 3", "WindowsVersion": "3", "CSName": "box",
	})
	expect(t, found["8"], map[string]string{
		"Name": "defunct", "ExecutionState": "7", "CommandLine": "null", "ExecutablePath": "null", "ReadTransferCount": "null",
		"HandleCount": "null", "SessionId": "3", "WorkingSetSize": "0",
	})
	expect(t, found["10"], map[string]string{
		"Name": "hidden", "PeakWorkingSetSize": "null", "PageFileUsage": "null", "SessionId": "null",
	})
}

func TestProcessKeyReadsOneProcess(t *testing.T) {
	p := New(Options{Root: fakeProc(t)})
	for handle, want := range map[string]int{"7": 1, "9": 0, "07": 0, "x": 0, "-7": 0, "": 0, "99999999999": 0} {
		if n := len(all(t, p, "Win32_Process", fixed(map[string]cim.Value{"Handle": cim.Str(handle)}))); n != want {
			t.Errorf("Handle %q: %d instances, want %d", handle, n, want)
		}
	}
	if n := len(all(t, p, "Win32_Process", fixed(map[string]cim.Value{"ProcessId": cim.U32(8)}))); n != 1 {
		t.Errorf("ProcessId 8: %d instances", n)
	}
	both := fixed(map[string]cim.Value{"ProcessId": cim.U32(8), "Handle": cim.Str("7")})
	if n := len(all(t, p, "Win32_Process", both)); n != 0 {
		t.Errorf("two keys that contradict each other: %d instances", n)
	}
	live := New(Options{})
	one := testing.AllocsPerRun(3, func() { all(t, live, "Win32_Process", byHandle(os.Getpid())) })
	whole := testing.AllocsPerRun(3, func() { all(t, live, "Win32_Process", query{}) })
	if count := len(all(t, live, "Win32_Process", query{})); count > 10 && one > whole/3 {
		t.Errorf("one process takes %v allocations, all %d take %v", one, count, whole)
	}
}

func benchmarkProcesses(b *testing.B, q query) {
	p, c := New(Options{}), classNamed("Win32_Process")
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = 0
		err := p.list(context.Background(), c, q, func(*cim.Instance) error { n++; return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/process")
}

func BenchmarkProcessAll45(b *testing.B) { benchmarkProcesses(b, query{}) }

func BenchmarkProcess3(b *testing.B) {
	benchmarkProcesses(b, projected("Win32_Process", "Name", "ProcessId", "WorkingSetSize"))
}
