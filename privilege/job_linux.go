package privilege

import (
	"context"
	"errors"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/casementhq/casement/shell"
)

var _ shell.Starter = (*Client)(nil)

// Start implements shell.Starter: the helper starts s as s.Identity.UnixUser,
// whom it looks up itself. A refusal is a *RefusedError.
func (c *Client) Start(ctx context.Context, s shell.Spec) (*shell.Job, error) {
	if s.Env == nil {
		s.Env = shell.BaseEnv(s.Identity)
	}
	for _, v := range append(slices.Concat(s.Args, s.Env), s.Command, s.Dir) {
		if !utf8.ValidString(v) {
			return nil, &RefusedError{Code: CodeInvalid, Text: "the command or its environment is not UTF-8"}
		}
	}
	return shell.StartWith(ctx, s, func(p *shell.Pipes) (shell.Controller, error) {
		j := &remoteJob{c: c, ended: make(chan struct{})}
		r := request{Op: opStart, Start: &startRequest{
			User: s.Identity.UnixUser, Command: s.Command, Args: s.Args, SkipShell: s.SkipShell, Env: s.Env, Dir: s.Dir,
			MaxProcesses: s.Limits.MaxProcesses, MaxMemoryMB: s.Limits.MaxMemoryMB,
		}}
		if _, _, err := c.do(ctx, r, j, p.Child[:]...); err != nil {
			return nil, err
		}
		return j, nil
	})
}

// remoteJob is the hold on a job through the helper.
type remoteJob struct {
	c   *Client
	id  uint64
	pid int

	once  sync.Once
	ended chan struct{}
	exit  shell.Exit
	err   error
}

func (j *remoteJob) end(a reply) {
	j.once.Do(func() {
		j.exit = shell.Exit{Code: a.Exit, Limit: a.Limit}
		if a.Code != "" {
			j.err = &RefusedError{Code: a.Code, Text: a.Text}
		}
		close(j.ended)
	})
}

func (j *remoteJob) lost() {
	j.once.Do(func() {
		j.err = ErrClosed
		close(j.ended)
	})
}

// PID implements shell.Controller.
func (j *remoteJob) PID() int { return j.pid }

// Wait implements shell.Controller.
func (j *remoteJob) Wait(ctx context.Context) (shell.Exit, error) {
	select {
	case <-ctx.Done():
		return shell.Exit{}, ctx.Err()
	case <-j.ended:
		return j.exit, j.err
	}
}

// Signal implements shell.Controller.
func (j *remoteJob) Signal(s shell.Signal) error {
	_, _, err := j.c.do(context.Background(), request{Op: opSignal, Job: j.id, Signal: s}, nil)
	return err
}

// Usage implements shell.Controller.
func (j *remoteJob) Usage() (shell.Usage, error) {
	a, _, err := j.c.do(context.Background(), request{Op: opUsage, Job: j.id}, nil)
	return shell.Usage{Processes: a.Processes, MemoryBytes: a.MemoryBytes}, err
}

// Close implements shell.Controller. A helper that is gone has ended the job.
func (j *remoteJob) Close() error {
	_, _, err := j.c.do(context.Background(), request{Op: opClose, Job: j.id}, nil)
	if errors.Is(err, ErrClosed) {
		j.lost()
		return nil
	}
	if err == nil {
		select { // the report of the end may come after the answer
		case <-j.ended:
		case <-j.c.readDone:
		}
	}
	j.lost()
	j.c.mu.Lock()
	delete(j.c.jobs, j.id)
	j.c.mu.Unlock()
	return err
}
