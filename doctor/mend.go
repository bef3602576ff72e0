package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Over carries commands out over a connection: settings of WinRM and values of
// the registry as such, which needs no shell, and on a Casement host groups of
// firewall rules and policies, too; everything else in a shell, and over DCOM as a
// process.
func Over(c *casement.Connection) Runner { return over{c} }

type over struct{ *casement.Connection }

// Run implements Runner.
func (o over) Run(ctx context.Context, line string) error {
	if a := native(line, o.Client() != nil); a != nil {
		return a.do(ctx, o.Connection)
	}
	line = strings.TrimPrefix(line, ownPrefix)
	if o.Client() != nil {
		return runShell(ctx, o.Connection, line)
	}
	return runProcess(ctx, o.Connection, line)
}

// maxOutput bounds what is kept of a command's output.
const maxOutput = 4 << 10

// tail keeps the end of what is written.
type tail struct{ b []byte }

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	t.b = t.b[max(0, len(t.b)-maxOutput):]
	return len(b), nil
}

// runShell runs a line in a shell over WinRM.
func runShell(ctx context.Context, c *casement.Connection, line string) error {
	shell, err := c.Shell(ctx, wsmanclient.ShellOptions{CodePage: 65001})
	if err != nil {
		return err
	}
	defer shell.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it ends by itself, too
	out := &tail{}
	code, err := shell.Run(ctx, wsmanclient.CommandOptions{Command: line, Stdout: out, Stderr: out}, nil)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("exit code %d: %s", int32(code), clean(strings.TrimSpace(string(out.b)))) //nolint:gosec // as Windows shows it
	}
	return nil
}

// processWait is how long a process that was started over DCOM is waited for.
const processWait = 30 * time.Second

// runProcess starts a line as a process over DCOM, and waits for its end. Its
// exit code is not told: whether it helped shows when the check runs again.
func runProcess(ctx context.Context, c *casement.Connection, line string) error {
	s, err := c.Session(ctx, `root\cimv2`)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what matters was done
	in := cim.Arguments{{Name: "CommandLine", Value: cim.Str("cmd.exe /c " + line)}}
	r, err := s.Invoke(ctx, cim.ObjectPath{Class: "Win32_Process"}, "Create", in, cim.OperationOptions{})
	if err != nil {
		return err
	}
	if err := returned("Win32_Process.Create", r); err != nil {
		return err
	}
	id, _ := r.Out.Get("ProcessId").Uint()
	ctx, cancel := context.WithTimeout(ctx, processWait)
	defer cancel()
	for {
		rows, err := s.Query(ctx, fmt.Sprintf("SELECT ProcessId FROM Win32_Process WHERE ProcessId = %d", id), cim.QueryOptions{})
		if err != nil {
			return err
		}
		some, err := rows.Next(ctx, 1)
		running := len(some) > 0
		rows.Close() //nolint:errcheck // what matters was read
		switch {
		case running:
		case err == nil || errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("process %d has not ended in %s", id, processWait)
		}
	}
}
