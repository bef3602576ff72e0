package quota

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func wantLimit(t *testing.T, err error, want ExceededError) {
	t.Helper()
	var e *ExceededError
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want %s exceeded", err, want.Limit)
	}
	if *e != want {
		t.Fatalf("got %+v, want %+v", *e, want)
	}
}

func must(t *testing.T) func(Release, error) Release {
	return func(r Release, err error) Release {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func TestShellLimits(t *testing.T) {
	limits := Limits{MaxConcurrentUsers: 2, MaxShellsPerUser: 2}
	l := New(Options{Limits: func() Limits { return limits }})
	ok := must(t)
	a1 := ok(l.Shell("alice", ""))
	a2 := ok(l.Shell("alice", ""))
	_, err := l.Shell("alice", "")
	wantLimit(t, err, ExceededError{Limit: MaxShellsPerUser, Key: "alice", Max: 2, Current: 2})
	b := ok(l.Shell("bob", ""))
	_, err = l.Shell("carol", "")
	wantLimit(t, err, ExceededError{Limit: MaxConcurrentUsers, Max: 2, Current: 2})

	a1()
	a1() // a second call must not free alice's other shell
	if n := l.Shells("alice"); n != 1 {
		t.Fatalf("alice owns %d shells after one release, want 1", n)
	}
	if _, err = l.Shell("carol", ""); !errors.Is(err, &ExceededError{Limit: MaxConcurrentUsers}) {
		t.Fatalf("carol came in while alice still has a shell: %v", err)
	}
	a2()
	c := ok(l.Shell("carol", ""))
	limits.MaxConcurrentUsers = 1 // live setting: holds from the next request on
	ok(l.Shell("carol", ""))()
	c()
	b()
	if len(l.counts) != 0 {
		t.Fatalf("accounts remain after everything was released: %v", l.counts)
	}
}

func TestOperationLimits(t *testing.T) {
	l := New(Options{
		Limits: func() Limits { return Limits{MaxConcurrentOperationsPerUser: 3} },
		Plugin: func(string) PluginLimits {
			return PluginLimits{MaxConcurrentOperations: 3, MaxConcurrentOperationsPerUser: 2, MaxConcurrentCommandsPerShell: 1}
		},
	})
	ok := must(t)
	ok(l.Operation("a", "p"))
	ok(l.Operation("a", "p"))
	_, err := l.Operation("a", "p")
	wantLimit(t, err, ExceededError{Limit: MaxConcurrentOperationsPerUser, Plugin: "p", Key: "a", Max: 2, Current: 2})
	if n := l.Operations("a"); n != 2 {
		t.Fatalf("a refused operation was charged: %d", n)
	}
	ok(l.Operation("a", ""))
	_, err = l.Operation("a", "")
	wantLimit(t, err, ExceededError{Limit: MaxConcurrentOperationsPerUser, Key: "a", Max: 3, Current: 3})
	ok(l.Operation("b", "p"))
	_, err = l.Operation("b", "p")
	wantLimit(t, err, ExceededError{Limit: MaxConcurrentOperations, Plugin: "p", Max: 3, Current: 3})

	done := ok(l.Command("shell-1", "p"))
	_, err = l.Command("shell-1", "p")
	wantLimit(t, err, ExceededError{Limit: MaxConcurrentCommandsPerShell, Plugin: "p", Key: "shell-1", Max: 1, Current: 1})
	done()
	ok(l.Command("shell-1", "p"))
}

func TestPluginShellLimits(t *testing.T) {
	l := New(Options{
		Limits: func() Limits { return Limits{} },
		Plugin: func(string) PluginLimits {
			return PluginLimits{MaxConcurrentUsers: 2, MaxShells: 3, MaxShellsPerUser: 2}
		},
	})
	ok := must(t)
	ok(l.Shell("a", "p"))
	ok(l.Shell("a", "p"))
	_, err := l.Shell("a", "p")
	wantLimit(t, err, ExceededError{Limit: MaxShellsPerUser, Plugin: "p", Key: "a", Max: 2, Current: 2})
	ok(l.Shell("b", "p"))
	_, err = l.Shell("b", "p")
	wantLimit(t, err, ExceededError{Limit: MaxShells, Plugin: "p", Max: 3, Current: 3})
	_, err = l.Shell("c", "p")
	wantLimit(t, err, ExceededError{Limit: MaxConcurrentUsers, Plugin: "p", Max: 2, Current: 2})
}

func TestCheckShell(t *testing.T) {
	l := New(Options{Limits: func() Limits { return Limits{MaxProcessesPerShell: 25, MaxMemoryPerShellMB: 1} }})
	if err := l.CheckShell("s", 24, 1<<20); err != nil {
		t.Fatal(err)
	}
	wantLimit(t, l.CheckShell("s", 25, 0), ExceededError{Limit: MaxProcessesPerShell, Key: "s", Max: 25, Current: 25})
	wantLimit(t, l.CheckShell("s", 1, 3<<20), ExceededError{Limit: MaxMemoryPerShellMB, Key: "s", Max: 1, Current: 3})
}

func TestZeroMeansNoLimit(t *testing.T) {
	l := New(Options{Limits: func() Limits { return Limits{} }})
	for i := range 500 {
		must(t)(l.Connection())
		must(t)(l.Shell(fmt.Sprint("u", i), "p"))
		if err := l.CheckShell("s", i, 1<<40); err != nil {
			t.Fatal(err)
		}
	}
	must(t)(l.Operation("u1", "p"))
	if u := l.Usage(); u != (Usage{Connections: 500, Operations: 1, Shells: 500, ShellUsers: 500}) {
		t.Fatalf("usage %+v", u)
	}
}

// The limit is never passed, whatever the interleaving.
func TestConcurrent(t *testing.T) {
	const max = 7
	l := New(Options{Limits: func() Limits { return Limits{MaxConnections: max} }})
	var now, peak, refused atomic.Int32
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 200 {
				release, err := l.Connection()
				if err != nil {
					refused.Add(1)
					continue
				}
				n := now.Add(1)
				for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
				}
				now.Add(-1)
				release()
			}
		})
	}
	wg.Wait()
	if p := peak.Load(); p > max {
		t.Fatalf("%d connections at once, limit %d", p, max)
	}
	if len(l.counts) != 0 {
		t.Fatalf("accounts remain: %v", l.counts)
	}
}
