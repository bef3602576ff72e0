package wsmanclient

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
)

// CommandOptions are the options of Shell.Start.
type CommandOptions struct {
	// Command is the command line, or a program whose Arguments follow. The
	// host's shell reads it.
	Command   string
	Arguments []string
	// ConsoleStdin gives the command a console as its input, as winrs does,
	// instead of a pipe; a program that reads to the end of its input then
	// never ends. See [MS-WSMV] 3.1.4.11.
	ConsoleStdin bool
	// SkipShell runs the program without the host's shell between. Windows
	// heeds it before 2012 R2 only.
	SkipShell bool
	// NoOptions sends neither of the two options above.
	NoOptions bool
	// Contact is told with false when the service was silent for longer than it
	// may be, and with true when it is heard again; nil is not told. The command
	// then outlives a network that is away for a while: Receive is sent again,
	// for up to four minutes. What an answer that was lost carried is lost. It is
	// called by one goroutine at a time and must return soon.
	Contact func(heard bool)
	// Stdout and Stderr receive the output. Where one is nil, the output is
	// read from the Command's field of that name.
	Stdout, Stderr io.Writer
}

// Command is a command that runs in a shell. Its output is fetched from the
// moment on when it is started; what nobody reads is held up to 1 MiB for each
// stream, then the command waits.
type Command struct {
	// Stdin is the command's input; Close ends it. A Write returns when the
	// service has taken the data.
	Stdin io.WriteCloser
	// Stdout and Stderr give the output to its end; nil where CommandOptions
	// had a writer.
	Stdout, Stderr io.Reader

	shell *Shell
	input *stdin
	in    *incarnation
	id    string
	watch *contact // nil without CommandOptions.Contact
	out   map[string]io.Writer
	pipes []*pipe
	stop  context.CancelFunc
	done  chan struct{} // closed when the output has ended

	mu       sync.Mutex
	state    winrs.CommandState
	exitCode uint32
	hasCode  bool
	err      error
	closing  bool
}

// Start runs a command. ctx covers the start alone: the command goes on until
// it ends or Close is called, which must be called in any case. When the
// quota of operations is used up (0x803381A6), the shell is made anew once. See
// [MS-WSMV] 3.1.4.11.
func (s *Shell) Start(ctx context.Context, o CommandOptions) (*Command, error) {
	cmd, life, err := s.start(ctx, &o)
	if err != nil {
		return nil, err
	}
	go cmd.receive(life)
	return cmd, nil
}

// start runs a command whose output nobody fetches yet: receive does, with the
// context life.
func (s *Shell) start(ctx context.Context, o *CommandOptions) (cmd *Command, life context.Context, err error) {
	for attempt := 0; ; attempt++ {
		in, err := s.hold()
		if err != nil {
			return nil, nil, err
		}
		id, err := s.command(ctx, in, o)
		if err == nil {
			cmd := s.newCommand(in, id, o)
			life, cmd.stop = context.WithCancel(context.WithoutCancel(ctx))
			return cmd, life, nil
		}
		full := errors.Is(err, wsman.CodeQuotaMaxOperations)
		if full && attempt == 0 {
			s.c.trace(ctx).retry(winrs.ActionCommand, err)
			if again := s.renew(ctx, in); again != nil {
				err = errors.Join(err, again)
				full = false
			}
		}
		s.drop(ctx, in)
		if !full || attempt > 0 {
			return nil, nil, err
		}
	}
}

func (s *Shell) command(ctx context.Context, in *incarnation, o *CommandOptions) (string, error) {
	r := &RequestOptions{}
	if !o.NoOptions {
		r.MustUnderstand = true
		r.Options = wsman.OptionSet{{Name: winrs.OptionConsoleStdin, Value: boolean(o.ConsoleStdin)},
			{Name: winrs.OptionSkipShell, Value: boolean(o.SkipShell)}}
	}
	m, err := s.c.send(ctx, &call{action: winrs.ActionCommand, resource: in.epr.ResourceURI, select_: in.epr.Selectors,
		opts: r, body: &winrs.CommandLine{Command: o.Command, Arguments: o.Arguments}})
	if err != nil {
		return "", err
	}
	resp, err := winrs.ReadCommandResponse(m)
	if err != nil {
		return "", err
	}
	return resp.CommandID, nil
}

func boolean(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

func (s *Shell) newCommand(in *incarnation, id string, o *CommandOptions) *Command {
	cmd := &Command{shell: s, in: in, id: id, out: map[string]io.Writer{}, done: make(chan struct{})}
	if o.Contact != nil {
		cmd.watch = &contact{tell: o.Contact}
	}
	cmd.input = &stdin{cmd: cmd}
	cmd.Stdin = cmd.input
	output := func(name string, w io.Writer) io.Reader {
		if w != nil {
			cmd.out[name] = w
			return nil
		}
		p := newPipe()
		cmd.out[name], cmd.pipes = p, append(cmd.pipes, p)
		return p
	}
	cmd.Stdout = output("stdout", o.Stdout)
	cmd.Stderr = output("stderr", o.Stderr)
	return cmd
}

// ID is the CommandId.
func (cmd *Command) ID() string { return cmd.id }

// Signal sends a signal: winrs.SignalCtrlC, SignalCtrlBreak or SignalTerminate.
// See [MS-WSMV] 3.1.4.12.
func (cmd *Command) Signal(ctx context.Context, code string) error {
	m, err := cmd.call(ctx, winrs.ActionSignal, nil, nil, &winrs.Signal{CommandID: cmd.id, Code: code})
	if err != nil {
		return err
	}
	return m.End()
}

// call sends a message about the command to its shell.
func (cmd *Command) call(ctx context.Context, action string, o *RequestOptions, memory *[]byte, body wsman.Body) (*wsman.Message, error) {
	return cmd.shell.c.send(ctx, &call{action: action, resource: cmd.in.epr.ResourceURI, select_: cmd.in.epr.Selectors, opts: o,
		memory: memory, body: body})
}

// Wait waits until the command has ended and all of its output was taken, and
// returns its exit code. When ctx ends first the command goes on.
func (cmd *Command) Wait(ctx context.Context) (exitCode uint32, err error) {
	select {
	case <-cmd.done:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	cmd.mu.Lock()
	defer cmd.mu.Unlock()
	return cmd.exitCode, cmd.err
}

// terminateTimeout bounds how long the end of a command waits for the service.
const terminateTimeout = 10 * time.Second

// closeGrace is how long a Receive may take to be answered after Terminate.
const closeGrace = 500 * time.Millisecond

// Close ends the command where it still runs, and stops fetching its output.
func (cmd *Command) Close() error {
	cmd.mu.Lock()
	first := !cmd.closing
	cmd.closing = true
	cmd.mu.Unlock()
	for _, p := range cmd.pipes {
		p.abandon()
	}
	if !first {
		<-cmd.done
		return nil
	}
	select {
	case <-cmd.done:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), terminateTimeout)
	defer cancel()
	err := cmd.Signal(ctx, winrs.SignalTerminate)
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-cmd.done: // the Receive under way was answered, its connection lives on
	case <-grace.C:
	}
	cmd.stop()
	<-cmd.done
	if isGone(err) {
		return nil
	}
	return err
}

// Run starts a command, gives it input, and waits for its end. Where ctx ends,
// the command is ended too. o.Stdout and o.Stderr receive the output; nil
// discards it. stdin nil sends nothing, not even the end of the input, which
// saves a message; a command that reads its input then waits, and wants an empty
// reader. A Read of stdin that is under way when the command ends is not waited
// for.
func (s *Shell) Run(ctx context.Context, o CommandOptions, stdin io.Reader) (exitCode uint32, err error) {
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	cmd, life, err := s.start(ctx, &o)
	if err != nil {
		return 0, err
	}
	defer cmd.Close() //nolint:errcheck // the result is known
	if stdin == nil {
		// Nothing else is to be done meanwhile: no goroutine fetches the output.
		end := context.AfterFunc(ctx, func() { cmd.Close() }) //nolint:errcheck // the result is known
		cmd.receive(life)
		if !end() {
			return 0, context.Cause(ctx)
		}
		return cmd.Wait(ctx)
	}
	go cmd.receive(life)
	fed := make(chan error, 1)
	go func() {
		_, err := cmd.input.feed(stdin, true)
		fed <- err
	}()
	select {
	case err := <-fed:
		if err != nil && !isGone(err) && !errors.Is(err, io.ErrClosedPipe) {
			return 0, err
		}
	case <-cmd.done: // it did not want all of it
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return cmd.Wait(ctx)
}
