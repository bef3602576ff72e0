package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/host/internal/nl"
)

// follow runs the events of a class as long as the test and gives them as they come.
func follow(t *testing.T, p *Provider, class string) <-chan *cim.Instance {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	got, done := make(chan *cim.Instance, 10_000), make(chan error, 1)
	go func() {
		done <- p.Events(ctx, &cimom.Request{Class: classNamed(class)}, func(i *cim.Instance) error {
			got <- i.Clone()
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", class, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s goes on after its context", class)
		}
	})
	return got
}

// noLeaks is called first in a test: what it runs has to end with it.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// await is the event that fits, within five seconds; nil where there is none.
func await(got <-chan *cim.Instance, fits func(*cim.Instance) bool) *cim.Instance {
	timeout := time.After(5 * time.Second)
	for {
		select {
		case i := <-got:
			if fits(i) {
				return i
			}
		case <-timeout:
			return nil
		}
	}
}

func ofProcess(pid int) func(*cim.Instance) bool {
	return func(i *cim.Instance) bool { return i.Get("ProcessID").Equal(cim.U32(uint32(pid))) }
}

// TestProcessTraces follows a real process, whether or not the kernel tells of it.
func TestProcessTraces(t *testing.T) {
	noLeaks(t)
	for _, told := range []bool{true, false} {
		p := New(Options{})
		if !told {
			p.system.processes = nil
		}
		starts, stops := follow(t, p, "Win32_ProcessStartTrace"), follow(t, p, "Win32_ProcessStopTrace")
		time.Sleep(300 * time.Millisecond) // until both have seen what there is
		c := exec.Command("sleep", "600")
		if err := c.Start(); err != nil {
			t.Skip(err)
		}
		pid := c.Process.Pid
		i := await(starts, ofProcess(pid))
		if i == nil {
			t.Fatalf("told %v: the start of process %d is not seen", told, pid)
		}
		parent := syscall.Getpid()
		if !i.Get("ParentProcessID").Equal(cim.U32(uint32(parent))) || !i.Get("ProcessName").Equal(cim.Str("sleep")) {
			t.Errorf("told %v: parent %v, name %v; want %d and sleep", told, i.Get("ParentProcessID"), i.Get("ProcessName"), parent)
		}
		if sid := i.Get("Sid").Elems(); len(sid) < 12 || !sid[0].Equal(cim.U8(1)) {
			t.Errorf("told %v: the SID is %v", told, i.Get("Sid"))
		}
		time.Sleep(traceInterval + 500*time.Millisecond) // until the other one has seen it, too
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		i = await(stops, ofProcess(pid))
		if i == nil || !i.Get("ProcessName").Equal(cim.Str("sleep")) {
			t.Fatalf("told %v: the end of process %d: %v", told, pid, i)
		}
		if v := i.Get("ExitStatus"); !v.IsNull() && !v.Equal(cim.U32(143)) {
			t.Errorf("told %v: ExitStatus is %v, want 128 and SIGTERM, or NULL", told, v)
		}
	}
}

// TestToldProcesses shows what becomes of what the kernel tells: a process that is gone before anybody can look, and
// how processes end. The statuses are those of wait(2).
func TestToldProcesses(t *testing.T) {
	noLeaks(t)
	p := New(Options{})
	told := make(chan nl.ProcessEvent)
	p.system.processes = func(ctx context.Context, events chan<- nl.ProcessEvent) error {
		for {
			select {
			case e := <-told:
				events <- e
			case <-ctx.Done():
				return nil
			}
		}
	}
	stops := follow(t, p, "Win32_ProcessStopTrace")
	const pid = 4_000_000 // beyond what the kernel gives
	for _, tt := range []struct {
		status uint32
		want   uint32
	}{{0, 0}, {3 << 8, 3}, {9, 137}, {0x80 | 11, 139}} {
		told <- nl.ProcessEvent{PID: pid}
		told <- nl.ProcessEvent{PID: pid, Ended: true, Code: tt.status}
		i := await(stops, ofProcess(pid))
		if i == nil || !i.Get("ExitStatus").Equal(cim.U32(tt.want)) || !i.Get("ProcessName").IsNull() {
			t.Fatalf("status %#x: %v", tt.status, i)
		}
	}
}

// TestVolumeChange mounts a file system, where that is permitted.
func TestVolumeChange(t *testing.T) {
	noLeaks(t)
	dir := t.TempDir()
	if err := syscall.Mount("casement", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mount: %v", err)
	}
	if err := syscall.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}
	got := follow(t, New(Options{}), "Win32_VolumeChangeEvent")
	time.Sleep(300 * time.Millisecond)
	if err := syscall.Mount("casement", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	ours := func(i *cim.Instance) bool { return i.Get("DriveName").Equal(cim.Str(dir)) }
	i := await(got, ours)
	if err := syscall.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}
	if i == nil || !i.Get("EventType").Equal(cim.U16(2)) {
		t.Fatalf("after mount: %v, want the arrival of %s", i, dir)
	}
	if i := await(got, ours); i == nil || !i.Get("EventType").Equal(cim.U16(3)) {
		t.Errorf("after umount: %v, want its removal", i)
	}
}

// TestVolumeChangeOfAFixture shows which mounts are told of.
func TestVolumeChangeOfAFixture(t *testing.T) {
	noLeaks(t)
	const head = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
	dir := root(t, map[string]string{"proc/self/mountinfo": head})
	p := New(Options{Root: dir})
	changes := make(chan struct{})
	p.system.mountsChange = func(ctx context.Context, changed chan<- struct{}) error {
		for {
			select {
			case <-changes:
				changed <- struct{}{}
			case <-ctx.Done():
				return nil
			}
		}
	}
	got := follow(t, p, "Win32_VolumeChangeEvent")
	time.Sleep(100 * time.Millisecond)
	for _, step := range []struct{ mounts, drive, kind string }{
		{head + "2 1 8:17 / /mnt/usb rw - vfat /dev/sdb1 rw\n3 1 0:50 / /net rw - nfs4 server:/ rw\n4 1 0:51 / /sys/x rw - sysfs none rw\n", "/mnt/usb", "2"},
		{head, "/mnt/usb", "3"},
	} {
		path := filepath.Join(dir, "proc/self/mountinfo")
		if err := os.WriteFile(path, []byte(step.mounts), 0o600); err != nil {
			t.Fatal(err)
		}
		changes <- struct{}{}
		select {
		case i := <-got:
			expect(t, i, map[string]string{"DriveName": step.drive, "EventType": step.kind})
		case <-time.After(5 * time.Second):
			t.Fatalf("no event of %s", step.drive)
		}
	}
	if len(got) != 0 {
		t.Errorf("%d events more", len(got))
	}
}

// watchAll runs Watch as long as the test.
func watchAll(t *testing.T, p *Provider, class string, caller cim.Caller) <-chan [2]*cim.Instance {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	got, done := make(chan [2]*cim.Instance, 100), make(chan error, 1)
	c := classNamed(class)
	go func() {
		done <- p.Watch(ctx, &cimom.Request{Class: c, Caller: caller}, func(kind cimom.EventKinds, target, previous *cim.Instance) error {
			if kind != p.Watches(c) {
				return errors.New("another kind than it watches")
			}
			if previous != nil {
				previous = previous.Clone()
			}
			got <- [2]*cim.Instance{target.Clone(), previous}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", class, err)
		}
	})
	return got
}

// TestClockTells shows that the clocks tell each second.
func TestClockTells(t *testing.T) {
	noLeaks(t)
	got := watchAll(t, New(Options{}), "Win32_UTCTime", cim.Caller{})
	for range 2 {
		select {
		case pair := <-got:
			now, _ := pair[0].Get("Second").Int()
			before, _ := pair[1].Get("Second").Int()
			if now != (before+1)%60 || now != int64(time.Now().UTC().Second()) {
				t.Errorf("from second %d to %d at %v", before, now, time.Now().UTC())
			}
		case <-time.After(3 * time.Second):
			t.Fatal("the clock does not tell")
		}
	}
}

// TestNewEventsOfAJournal follows a recorded journal as two callers.
func TestNewEventsOfAJournal(t *testing.T) {
	noLeaks(t)
	for _, tt := range []struct {
		caller cim.Caller
		want   int
	}{{auditor(), 6}, {cim.Caller{}, 4}} {
		p, asked := fakeJournal(t, "cat entries\nexec sleep 600", nil)
		got := watchAll(t, p, "Win32_NTLogEvent", tt.caller)
		for n := range tt.want {
			select {
			case pair := <-got:
				if n == 0 {
					expect(t, pair[0], map[string]string{"Logfile": "System", "SourceName": "nginx", "Message": "it broke"})
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("only %d events", n)
			}
		}
		time.Sleep(50 * time.Millisecond)
		if len(got) != 0 {
			t.Errorf("%d events more than %d", len(got), tt.want)
		}
		if args := strings.TrimSpace(asked()); args[:strings.Index(args, " --root")] != "ENTRIES --follow --lines=0" {
			t.Errorf("journalctl %s", args)
		}
	}
}

// TestEventsThroughTheManager subscribes as the documentation of WMI does: to a clock and to the event log without
// WITHIN, and to a class above those of the events.
func TestEventsThroughTheManager(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	register(t, m, New(Options{}))
	s, err := m.Open(t.Context(), cim.Caller{Token: cimom.AdministratorsToken()}, Namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	next := func(query string) *cim.Instance {
		t.Helper()
		e, err := s.(cim.Subscriber).Subscribe(t.Context(), query, cim.SubscribeOptions{})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		t.Cleanup(func() { e.Close() })
		if !strings.Contains(query, "LocalTime") && !strings.Contains(query, "Trace") {
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if strings.Contains(query, "Trace") {
			time.Sleep(300 * time.Millisecond)
			child(t, "sleep", "60")
		}
		list, err := e.Next(ctx, 1)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return list[0]
	}
	i := next(`SELECT * FROM __InstanceModificationEvent WHERE TargetInstance ISA "Win32_LocalTime" AND TargetInstance.Second >= 0`)
	if c := i.Get("TargetInstance").Object().Class(); c.Name != "Win32_LocalTime" || c.Namespace != Namespace {
		t.Errorf("the event is about a %s of %s", c.Name, c.Namespace)
	}
	if i := next(`SELECT * FROM Win32_ProcessTrace WHERE ProcessName = 'sleep' AND ParentProcessID = ` + strconv.Itoa(os.Getpid())); i.Class().Name != "Win32_ProcessStartTrace" {
		t.Errorf("the event is a %s", i.Class().Name)
	}
	next(`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_NTLogEvent'`)
	if _, err := s.(cim.Subscriber).Subscribe(t.Context(), `SELECT * FROM __InstanceDeletionEvent WHERE TargetInstance ISA 'Win32_LocalTime'`, cim.SubscribeOptions{}); !errors.Is(err, cim.ErrEssRegistrationTooPrecise) {
		t.Errorf("what the clock does not tell: %v", err)
	}
}

// changes subscribes and gives the kinds and names of the events as they come.
func changes(t *testing.T, s cim.Session, query string) func() string {
	t.Helper()
	e, err := s.(cim.Subscriber).Subscribe(t.Context(), query, cim.SubscribeOptions{})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	t.Cleanup(func() { e.Close() })
	return func() string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		list, err := e.Next(ctx, 1)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		name, _ := list[0].Get("TargetInstance").Object().Get("Name").Str()
		return list[0].Class().Name + " " + name
	}
}

// TestFileEvents follows one file, which needs no listing of others.
func TestFileEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watched.txt")
	s := session(t, New(Options{}))
	next := changes(t, s, `SELECT * FROM __InstanceOperationEvent WITHIN 0.1 WHERE TargetInstance ISA 'CIM_DataFile' AND TargetInstance.Name = '`+path+`'`)
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"Creation", func() error { return os.WriteFile(path, []byte("one"), 0o600) }},
		{"Modification", func() error { return os.WriteFile(path, []byte("longer"), 0o600) }},
		{"Deletion", func() error { return os.Remove(path) }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		for got := next(); got != "__Instance"+step.what+"Event "+path; got = next() {
			if step.what != "Modification" && !strings.Contains(got, "Modification") {
				t.Fatalf("%s, want the %s of %s", got, step.what, path)
			}
		}
	}
	if _, err := s.(cim.Subscriber).Subscribe(t.Context(), `SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'CIM_DataFile'`, cim.SubscribeOptions{}); err == nil {
		t.Error("all files of the machine are polled")
	}
}

// changing is a service manager whose services change while they are listed.
type changing struct {
	*fakeServices
	mu sync.Mutex
}

func (c *changing) List(ctx context.Context, detailed bool) ([]Service, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, err := c.fakeServices.List(ctx, detailed)
	return slices.Clone(list), err
}

func (c *changing) set(name, state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.services {
		if c.services[n].Name == name {
			c.services[n].ActiveState = state
		}
	}
}

// TestServiceEvents follows a service that stops.
func TestServiceEvents(t *testing.T) {
	services := &changing{fakeServices: newFakeServices()}
	s := session(t, New(Options{Services: services}))
	next := changes(t, s, `SELECT * FROM __InstanceModificationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Win32_Service'`+
		` AND PreviousInstance.State = 'Running' AND TargetInstance.State = 'Stopped'`)
	services.set("slow", "active")
	services.set("ssh", "failed")
	if got := next(); got != "__InstanceModificationEvent ssh" {
		t.Errorf("the event is %s", got)
	}
}
