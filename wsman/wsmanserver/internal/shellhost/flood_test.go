package shellhost

import (
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
