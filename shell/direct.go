package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// exitNotFound is the exit code of a command that does not exist, as a
// Windows command interpreter leaves it.
const exitNotFound = 1

// Direct starts processes as the user of this process. A Spec of another user
// is refused unless this process is root.
type Direct struct{}

// Start implements Starter.
func (Direct) Start(ctx context.Context, s Spec) (*Job, error) {
	return StartWith(ctx, s, func(p *Pipes) (Controller, error) {
		return StartProcess(s, p.Child, ProcessOptions{})
	})
}

// StartWith checks s, opens the pipes, has start run the process at their
// other ends and joins both to a Job. It is for implementers of Starter.
// A command that wants PowerShell where there is none becomes a job that says
// so on stderr and ends with code 1.
func StartWith(ctx context.Context, s Spec, start func(*Pipes) (Controller, error)) (*Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := CheckCodePage(s.CodePage); err != nil {
		return nil, err
	}
	p, err := NewPipes()
	if err != nil {
		return nil, fmt.Errorf("shell: open pipes: %w", err)
	}
	defer p.CloseChild()
	ctrl, err := start(p)
	if errors.Is(err, ErrNoPowerShell) {
		word, _, _ := strings.Cut(strings.TrimSpace(s.Command), " ")
		_, _ = io.WriteString(p.Child[2], fmt.Sprintf("'%s' cannot be run: %s. Install PowerShell, or send a command of this host's shell.\n", word, ErrNoPowerShell))
		ctrl, err = nothing{Exit{Code: exitNotFound}}, nil
	}
	if err != nil {
		closeAll(p.Stdin, p.Stdout, p.Stderr)
		return nil, err
	}
	return NewJob(p.Stdin, p.Stdout, p.Stderr, s.CodePage, ctrl)
}

// nothing is the hold on a command that needed no process.
type nothing struct{ exit Exit }

func (n nothing) PID() int                           { return 0 }
func (n nothing) Signal(Signal) error                { return nil }
func (n nothing) Wait(context.Context) (Exit, error) { return n.exit, nil }
func (n nothing) Usage() (Usage, error)              { return Usage{}, nil }
func (n nothing) Close() error                       { return nil }

// ProcessOptions are for the starter, not for the caller.
type ProcessOptions struct {
	// DieWithParent kills the process when this one ends, however it ends
	// (Linux). The caller must not run this process on threads that end.
	DieWithParent bool
	// NoCgroup keeps the process in this process's control group.
	NoCgroup bool
}

// prepare resolves what both kinds of StartProcess need.
func prepare(s Spec) (program string, args, env []string, dir string, err error) {
	env = s.Env
	if env == nil {
		env = BaseEnv(s.Identity)
	}
	if dir, err = startDir(s); err != nil {
		return
	}
	program, args, err = argv(s, env)
	return
}

// startError says what was tried. A missing directory and a missing program
// give the same error number.
func startError(s Spec, program, dir string, err error) error {
	if _, e := os.Stat(dir); e != nil {
		return fmt.Errorf("shell: start in directory %s as user %s: %w", dir, s.Identity.UnixUser, e)
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("shell: start %s in %s as user %s: %w", program, dir, s.Identity.UnixUser, err)
}
