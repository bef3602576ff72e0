//go:build !linux

package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/casementhq/casement/internal/procs"
)

// Process is a job's process on this machine. On this system only the command
// itself is held, not what it starts, and limits are not enforced.
type Process struct {
	proc      *os.Process
	ended     chan struct{}
	exit      Exit
	err       error
	closeOnce sync.Once
}

// StartProcess runs s with child as its standard streams, as the user of this
// process.
func StartProcess(s Spec, child [3]*os.File, _ ProcessOptions) (*Process, error) {
	program, args, env, dir, err := prepare(s)
	if err != nil {
		return nil, err
	}
	pr, err := os.StartProcess(program, args, &os.ProcAttr{Dir: dir, Env: env, Files: child[:], Sys: sysProcAttr()})
	if err != nil {
		return nil, startError(s, program, dir, err)
	}
	p := &Process{proc: pr, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		st, err := pr.Wait()
		if err != nil {
			p.err = fmt.Errorf("shell: wait for process %d: %w", pr.Pid, err)
			return
		}
		p.exit = exitOf(st)
	}()
	return p, nil
}

// PID implements Controller.
func (p *Process) PID() int { return p.proc.Pid }

// Wait implements Controller.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	case <-p.ended:
		return p.exit, p.err
	}
}

// Usage implements Controller; it sees the command only.
func (p *Process) Usage() (Usage, error) {
	q, err := procs.One(p.proc.Pid, procs.Stat)
	if errors.Is(err, procs.ErrNotExist) {
		return Usage{}, nil
	}
	return Usage{Processes: 1, MemoryBytes: q.ResidentBytes}, err
}

// Close implements Controller.
func (p *Process) Close() error {
	p.closeOnce.Do(func() {
		_ = p.Signal(Kill)
		<-p.ended
	})
	return nil
}
