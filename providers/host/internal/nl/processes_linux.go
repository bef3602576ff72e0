package nl

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink"
)

// WatchProcesses sends what the kernel tells of processes until ctx ends. It fails where the service may not ask,
// which takes CAP_NET_ADMIN. In a container the kernel may accept and tell nothing.
func WatchProcesses(ctx context.Context, events chan<- ProcessEvent) error {
	raw, done, failed := make(chan netlink.ProcEvent, 256), make(chan struct{}), make(chan error, 1)
	if err := netlink.ProcEventMonitor(raw, done, failed); err != nil {
		close(done)
		return fmt.Errorf("watch processes over netlink: %w", err)
	}
	defer func() {
		close(done)
		for range raw { // until the reader of the socket has ended
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-raw:
			if !open {
				return fmt.Errorf("watch processes over netlink: %w", <-failed)
			}
			event, ok := processEvent(e)
			if !ok {
				continue
			}
			select {
			case events <- event:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// processEvent passes over threads and what neither begins nor ends a program.
func processEvent(e netlink.ProcEvent) (ProcessEvent, bool) {
	if e.Msg == nil || e.Msg.Pid() != e.Msg.Tgid() {
		return ProcessEvent{}, false
	}
	switch m := e.Msg.(type) {
	case *netlink.ExecProcEvent:
		return ProcessEvent{PID: int(m.ProcessTgid)}, true
	case *netlink.ExitProcEvent:
		return ProcessEvent{PID: int(m.ProcessTgid), Ended: true, Code: m.ExitCode}, true
	}
	return ProcessEvent{}, false
}
