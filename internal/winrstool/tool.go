package winrstool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/winrmtool"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Exit codes of Run beside the remote command's own.
const (
	ExitFailure     = 1
	ExitUsage       = 2
	ExitInterrupted = 130 // the second Ctrl-C
)

// codeUTF8 is the code page of UTF-8.
const codeUTF8 = 65001

// Tool runs winrs commands.
type Tool struct {
	Connector winrmtool.Connector
	In        io.Reader // nil: the command's input ends at once
	Out, Err  io.Writer
	// CodePage is that of the streams; 0 is UTF-8, 65001.
	CodePage uint32
	// Password asks the user for the password of an account; nil cannot ask.
	Password func(ctx context.Context, user string) (string, error)
	// EchoOff stops the echo of what is typed and returns how to bring it
	// back; nil where there is no terminal.
	EchoOff func() (restore func(), err error)
	// Interrupts delivers Ctrl-C and Ctrl-Break: the first goes to the remote
	// command, the second ends winrs. nil delivers none.
	Interrupts <-chan os.Signal
}

// Run carries out one command line, without the program's name, and returns
// the exit code: the remote command's where there is one.
func (t *Tool) Run(ctx context.Context, args []string) int {
	c, err := Parse(args)
	if err != nil {
		return t.fail(err)
	}
	if c.Help {
		fmt.Fprint(t.Out, helpText)
		return 0
	}
	if c.NoEcho && t.EchoOff != nil {
		restore, err := t.EchoOff()
		if err != nil {
			return t.fail(fmt.Errorf("switch the echo off: %w", err))
		}
		defer restore()
	}
	client, err := t.open(ctx, c)
	if err != nil {
		return t.fail(err)
	}
	defer client.Close() //nolint:errcheck // the answer is known by then
	code, err := t.command(ctx, c, client)
	if err != nil {
		return t.fail(err)
	}
	return code
}

// fail prints what went wrong and returns the exit code.
func (t *Tool) fail(err error) int {
	var wrong *UsageError
	if errors.As(err, &wrong) {
		fmt.Fprintln(t.Err, "Winrs error:", wrong.Message)
		return ExitUsage
	}
	var stopped *interruptedError
	if errors.As(err, &stopped) {
		return ExitInterrupted
	}
	var f *wsman.Fault
	if !errors.As(err, &f) {
		fmt.Fprintln(t.Err, "Winrs error:", err)
		return ExitFailure
	}
	fmt.Fprintln(t.Err, "Winrs error:", f.Text())
	if f.Code == codeCodePage {
		fmt.Fprintln(t.Err, "Try another code page first, for instance: chcp 437")
	}
	fmt.Fprintf(t.Err, "\nError number:  %d 0x%08X\n", int32(uint32(f.Code)), uint32(f.Code))
	if text, ok := winrmtool.Message(uint32(f.Code)); ok {
		fmt.Fprintln(t.Err, text)
	}
	return ExitFailure
}

const codeCodePage wsman.Code = 0x80338140

// open makes the client. Without a host and a user it is the local session.
func (t *Tool) open(ctx context.Context, c *Command) (*wsmanclient.Client, error) {
	if !c.HasRemote && !c.HasUser && !c.SSL {
		return t.Connector.Local(ctx)
	}
	at, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	o := wsmanclient.Options{Unencrypted: c.Unencrypted && !isHTTPS(at)}
	switch {
	case c.Delegate && c.HasUser:
		o.Scheme = wsmanclient.CredSSP
	case c.Delegate && o.Tickets.Usable(): // the present user's ticket is what there is to hand over
		o.Scheme, o.Delegate = wsmanclient.Kerberos, true
	case c.Delegate:
		return nil, wsman.NewFault(codeCredSSPCredentials, "/allowdelegate hands a user and a password over by CredSSP: give /username; or, with kinit, a ticket that can be forwarded")
	}
	if c.HasPassword {
		fmt.Fprintln(t.Err, "warning: /password on the command line can be read by everybody who lists the processes of this machine; leave it out to be asked")
	}
	if c.HasUser {
		password := c.Password
		if !c.HasPassword {
			if t.Password == nil {
				return nil, wsman.NewFault(wsman.CodeUserNameAndPasswordNeeded, "/username needs /password where nobody can be asked for it")
			}
			if password, err = t.Password(ctx, c.User); err != nil {
				return nil, wsman.NewFault(wsman.CodeUserNameAndPasswordNeeded, "/username needs /password: "+err.Error())
			}
		}
		o.Credentials = auth.Credentials{Username: c.User, Password: password}
	}
	return t.Connector.Remote(ctx, winrmtool.RemoteOptions{Endpoint: at, Options: o})
}

func isHTTPS(at string) bool {
	return len(at) > 8 && (at[:8] == "https://" || at[:8] == "HTTPS://")
}

// closeTimeout bounds how long the shell's deletion may take.
const closeTimeout = 10 * time.Second

// command runs the command in a shell of its own.
func (t *Tool) command(ctx context.Context, c *Command, client *wsmanclient.Client) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o := wsmanclient.ShellOptions{
		WorkingDirectory: c.Directory, Environment: c.Environment, CodePage: t.CodePage, NoProfile: c.NoProfile,
	}
	if o.CodePage == 0 {
		o.CodePage = codeUTF8
	}
	sh, err := client.CreateShell(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer stop()
		sh.Close(ctx) //nolint:errcheck // it goes by itself when it is idle
	}()
	cmd, err := sh.Start(ctx, wsmanclient.CommandOptions{Command: c.Line, ConsoleStdin: true, Stdout: t.Out, Stderr: t.Err})
	if err != nil {
		return 0, err
	}
	defer cmd.Close() //nolint:errcheck // the result is known
	done := make(chan struct{})
	defer close(done)
	go t.watch(ctx, cmd, cancel, done)
	go t.feed(cmd)
	code, err := cmd.Wait(ctx)
	return int(code), err
}

// feed sends the input to the command. A read of a terminal cannot be ended,
// so this goes on until the program does.
func (t *Tool) feed(cmd *wsmanclient.Command) {
	if t.In != nil {
		if _, err := io.Copy(cmd.Stdin, t.In); err != nil {
			return // the command has ended, or Wait tells why
		}
	}
	cmd.Stdin.Close() //nolint:errcheck // Wait tells
}

// interruptedError says that the user ended winrs.
type interruptedError struct{}

func (*interruptedError) Error() string { return "interrupted" }

// watch passes the first interrupt on and ends winrs with the second.
func (t *Tool) watch(ctx context.Context, cmd *wsmanclient.Command, end context.CancelCauseFunc, done <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case sig := <-t.Interrupts:
			if n > 0 {
				end(&interruptedError{})
				return
			}
			code := winrs.SignalCtrlC
			if sig == syscall.SIGQUIT {
				code = winrs.SignalCtrlBreak
			}
			go func() {
				if err := cmd.Signal(ctx, code); err != nil && ctx.Err() == nil {
					fmt.Fprintln(t.Err, "Winrs error: the interrupt did not reach the command; once more ends winrs:", err)
				}
			}()
		case <-done:
			return
		}
	}
}
