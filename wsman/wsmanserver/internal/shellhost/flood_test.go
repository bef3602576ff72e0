package shellhost

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/quota"
	"github.com/casementhq/casement/shell"
)

// A caller starts many commands of one shell at the same moment, over as many
// connections. MaxProcessesPerShell holds as if they had come one by one.
func TestCommandsAtTheSameMomentAreCounted(t *testing.T) {
	const most = 3
	id, err := shell.Current()
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{
		Starter: shell.Direct{},
		Ledger:  quota.New(quota.Options{Limits: func() quota.Limits { return quota.Limits{MaxProcessesPerShell: most} }}),
		Limits:  func() Limits { return Limits{IdleTimeout: time.Minute, MaxProcesses: most} },
	})
	t.Cleanup(func() { _ = h.Close() })
	s, err := h.Create(Owner{Key: "S-1-5-21-1-2-3-1000"}, Spec{Identity: id, OutputStreams: "stdout stderr"})
	if err != nil {
		t.Fatal(err)
	}
	var started atomic.Int32
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for range 16 {
		wg.Go(func() {
			<-begin
			_, err := s.Run(t.Context(), "", "exec sleep 20", nil, false, false, func() {})
			var over *quota.ExceededError
			switch {
			case err == nil:
				started.Add(1)
			case !errors.As(err, &over):
				t.Error(err)
			}
		})
	}
	close(begin)
	wg.Wait()
	if n := started.Load(); n == 0 || n > most {
		t.Errorf("%d commands were started at once, %d processes are permitted", n, most)
	}
}

// A caller starts many commands that print much, lets them end, and never asks
// for their output. The service must not keep all of it in memory; and of what
// is asked for in the end nothing may be missing.
func TestOutputThatNobodyFetchesIsBounded(t *testing.T) {
	const commands, size = 32, 600_000
	id, err := shell.Current()
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{Starter: shell.Direct{}, Ledger: unlimited(), Limits: func() Limits { return Limits{IdleTimeout: time.Minute} }})
	t.Cleanup(func() { _ = h.Close() })
	s, err := h.Create(Owner{Key: "S-1-5-21-1-2-3-1000"}, Spec{Identity: id, OutputStreams: "stdout stderr"})
	if err != nil {
		t.Fatal(err)
	}
	var all []*Command
	held := func() (n int) {
		for _, c := range all {
			c.mu.Lock()
			n += len(c.out[0].data)
			c.mu.Unlock()
		}
		return n
	}
	for range commands {
		c, err := s.Run(t.Context(), "", "head -c 600000 /dev/zero", nil, false, false, func() {})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for last := -1; last != held(); time.Sleep(100 * time.Millisecond) {
		last = held()
	}
	if n := held(); n > shellBuffered+(commands+1)*(64<<10) {
		t.Errorf("%d bytes wait in memory", n)
	}
	for i, c := range all {
		got := 0
		for done := false; !done; {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			err := c.Receive(ctx, nil, 1<<20, func(o Output) {
				for _, chunk := range o.Chunks {
					got += len(chunk.Data)
				}
				done = o.Done
			})
			cancel()
			if err != nil {
				t.Fatal(i, err)
			}
		}
		if got != size {
			t.Errorf("command %d gave %d bytes", i, got)
		}
		s.Terminate(c)
	}
	if n := s.unread.Load(); n != 0 {
		t.Errorf("%d bytes are counted when everything was read", n)
	}
}

func unlimited() *quota.Ledger {
	return quota.New(quota.Options{Limits: func() quota.Limits { return quota.Limits{} }})
}
