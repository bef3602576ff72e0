package console

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// workPatience is how long a page waits for a work that it began, before it shows the
// work's own page instead.
const workPatience = 10 * time.Second

// outcome is what came of a work on one server.
type outcome struct {
	Work   pool.Work
	Open   bool // it still runs
	Result pool.Result
	Output string
}

// perform begins a work on one server and waits a little for its end, so that the
// page tells what came of it where it was asked for. doing is how a failure begins:
// "Deleting anna on srv04".
func (c *Console) perform(rq *request, entry auditlog.Entry, a pool.Action, e Entry, doing string) (o outcome, err error) {
	entry.Targets = []string{e.Name}
	err = c.act(rq, entry, func(entry *auditlog.Entry) (err error) {
		if o.Work, err = c.pool.Start(rq.Context(), a, entry.Targets, rq.who.User); err != nil {
			return err
		}
		entry.Work = o.Work.ID
		c.works.forget()
		c.live.changed("flag")
		if o, err = c.outcomeOf(rq.Context(), o.Work); err != nil || o.Open {
			return err
		}
		switch o.Result.State {
		case pool.Done:
			return nil
		case pool.OutcomeUnknown:
			return &problem{Status: http.StatusBadGateway, Title: "Outcome unknown", Text: doing + ": the outcome is unknown, and it is not repeated by itself: " + o.Result.Words + ".",
				Next: "Load the page anew to see what is so now; Work has " + o.Work.ID + "."}
		default:
			return &problem{Status: http.StatusConflict, Title: "It failed", Text: doing + " failed: " + o.why() + ".", Next: "Work " + o.Work.ID + " has what was seen."}
		}
	})
	return o, err
}

// outcomeOf waits for the end of a work on one server.
func (c *Console) outcomeOf(ctx context.Context, w pool.Work) (outcome, error) {
	o := outcome{Work: w, Open: true}
	end := time.Now().Add(c.workLimit)
	for {
		w, results, err := c.pool.Work(ctx, w.ID)
		if err != nil {
			return o, err
		}
		for _, r := range results {
			if !r.Ended.IsZero() {
				o.Work, o.Result, o.Open = w, r, false
				if text, err := c.pool.Output(ctx, w.ID, r.Server); err == nil {
					o.Output = text
				}
				return o, nil
			}
		}
		if !time.Now().Before(end) {
			return o, nil
		}
		select {
		case <-ctx.Done():
			return o, nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answer is what the page says, which shows what is so now; or the work's own page
// while it runs.
func (o outcome) answer(doing, back string) result {
	if o.Open {
		return result{Message: doing + " …", Location: workPage(o.Work.ID)}
	}
	return result{Message: doing + ": done.", Location: back, Reload: true}
}

// why is what a server said about a failure: what was printed, before a number.
func (o outcome) why() string {
	code := o.Result.Code
	if code != "" && o.Result.Words != "" {
		code = o.Result.Words + " " + code
	}
	if said := inOneLine(o.Output); said != "" {
		return said + " (" + cmpOr(code, o.Result.Words) + ")"
	}
	return cmpOr(code, o.Result.Words)
}

// inOneLine is the text of a program in one line, of at most 400 characters.
func inOneLine(s string) string {
	var parts []string
	for line := range strings.Lines(s) {
		if line = strings.TrimRight(strings.TrimSpace(line), "."); line != "" {
			parts = append(parts, line)
		}
	}
	s = strings.Join(parts, ". ")
	if utf8.RuneCountInString(s) > 400 {
		s = string([]rune(s)[:400]) + "…"
	}
	return s
}

// maxPrinted bounds what is kept of what a command prints.
const maxPrinted = 64 << 10

// printed keeps the first octets that are written.
type printed struct {
	mu sync.Mutex
	b  []byte
}

// Write implements io.Writer. It takes all and keeps what fits.
func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.b = append(p.b, b[:min(len(b), maxPrinted-len(p.b))]...)
	return len(b), nil
}

// without is what was printed, with a secret taken out.
func (p *printed) without(secret string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.ReplaceAll(strings.ToValidUTF8(string(p.b), "\uFFFD"), secret, "…")
}

// runWithInput runs a command line that reads a secret from its input. It is no work of
// the pool, whose actions are written to a disk.
func (c *Console) runWithInput(ctx context.Context, e Entry, line, input, doing string) error {
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	conn, err := c.pool.Connect(ctx, e.Name)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the answer is there
	if conn.Client() == nil {
		return &problem{Status: http.StatusConflict, Title: "Not possible", Text: doing + " needs WinRM, and " + e.Name + " is reached over DCOM.", Next: "The doctor says why WinRM is not used."}
	}
	shell, err := conn.Shell(ctx, wsmanclient.ShellOptions{CodePage: 65001})
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = shell.Close(end) //nolint:errcheck // the server ends a shell that nobody uses
	}()
	var out printed
	cmd, err := shell.Start(ctx, wsmanclient.CommandOptions{Command: line, Stdout: &out, Stderr: &out})
	if err != nil {
		return err
	}
	defer cmd.Close() //nolint:errcheck // the shell goes with it
	_, err = cmd.Stdin.Write([]byte(input + "\r\n"))
	_ = cmd.Stdin.Close() //nolint:errcheck // a command that has ended needs no input
	code, waited := cmd.Wait(ctx)
	switch {
	case waited != nil:
		return waited
	case code != 0:
		o := outcome{Result: pool.Result{Code: countText(int(code)), Words: "exit code"}, Output: out.without(input)}
		return &problem{Status: http.StatusConflict, Title: "It failed", Text: doing + " failed: " + o.why() + "."}
	}
	return err
}
