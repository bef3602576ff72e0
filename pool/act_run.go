package pool

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// How long a command may run.
const (
	runLimit    = 10 * time.Minute
	longestRun  = time.Hour
	lastWords   = 10 * time.Second // to end a command and its shell
	longestLine = 8191             // of cmd, in characters
)

// RunParameters are those of KindRun: a command line that the server's shell
// reads, with an empty input. Code is its exit code, the output what it printed.
type RunParameters struct {
	Command   string `json:"command"`
	Directory string `json:"directory,omitempty"`
	// Timeout is in seconds; 0 is ten minutes, and an hour is the most.
	Timeout int `json:"timeout,omitempty"`
}

var actRun = act{limit: longestRun + time.Minute, check: checkRun, do: doRun}

func checkRun(raw json.RawMessage) error {
	p, err := parse[RunParameters](raw)
	switch {
	case err != nil:
		return err
	case strings.TrimSpace(p.Command) == "":
		return invalid("the command is empty")
	case len(p.Command) > longestLine:
		return invalid(fmt.Sprintf("the command is longer than %d characters", longestLine))
	case p.Timeout < 0 || time.Duration(p.Timeout)*time.Second > longestRun:
		return invalid("a command may run for an hour")
	}
	return nil
}

func doRun(ctx context.Context, j *job) (Result, error) {
	p, err := parse[RunParameters](j.parameters)
	if err != nil {
		return Result{}, err
	}
	limit := runLimit
	if p.Timeout > 0 {
		limit = time.Duration(p.Timeout) * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, tooLong(limit))
	defer cancel()
	c, err := j.proven(ctx)
	if err != nil {
		return Result{}, err
	}
	return command(ctx, j, c, p.Command, p.Directory)
}

// command runs a command line and keeps what fits of its output.
func command(ctx context.Context, j *job, c *casement.Connection, line, directory string) (Result, error) {
	shell, err := c.Shell(ctx, wsmanclient.ShellOptions{WorkingDirectory: directory, CodePage: 65001})
	if err != nil {
		return Result{}, err
	}
	var out bounded
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		shell.Close(end) //nolint:errcheck // the server ends a shell that nobody uses
	}()
	j.sent = true
	cmd, err := shell.Start(ctx, wsmanclient.CommandOptions{Command: line, Stdout: &out, Stderr: &out})
	if err != nil {
		return Result{}, err
	}
	defer cmd.Close() //nolint:errcheck // the shell goes with it
	_ = cmd.Stdin.Close()
	code, err := cmd.Wait(ctx)
	if err != nil {
		if ctx.Err() != nil {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords/2)
			defer cancel()
			_ = cmd.Signal(end, winrs.SignalTerminate)
			err = context.Cause(ctx)
		}
		r := outcomeOf(j, err)
		if _, long := err.(tooLong); long { //nolint:errorlint // it is context's cause as it stands
			r = Result{State: OutcomeUnknown, Words: err.Error()}
		}
		r.Output, r.Cut = out.text()
		return r, nil
	}
	r := Result{State: Done, Code: fmt.Sprint(code), Words: "exit code"}
	if code != 0 {
		r.State = Failed
	}
	r.Output, r.Cut = out.text()
	return r, nil
}

// tooLong is the end of a command that had the time that was asked for.
type tooLong time.Duration

func (t tooLong) Error() string {
	return fmt.Sprintf("it had not ended after %v and was told to stop; what it did until then is not known", time.Duration(t))
}

// bounded keeps the first MaxOutput octets that are written.
type bounded struct {
	mu  sync.Mutex
	b   []byte
	cut bool
}

// Write implements io.Writer. It takes all and keeps what fits.
func (o *bounded) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	room := MaxOutput - len(o.b)
	if len(b) > room {
		o.cut = true
	}
	o.b = append(o.b, b[:min(room, len(b))]...)
	return len(b), nil
}

func (o *bounded) text() (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.ToValidUTF8(string(o.b), "\uFFFD"), o.cut
}
