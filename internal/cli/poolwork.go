//go:build !nonats

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool"
	"github.com/spf13/cobra"
)

func init() {
	poolCommands = append(poolCommands, poolRefresh, poolRun, poolQuery, poolService, poolWork)
}

const poolExitCodes = "\n\nExit codes: 0 done on every server, 1 where any failed, 2 wrong command line."

// poolTask are the flags of a command that starts a work.
type poolTask struct{ noWait bool }

func (t *poolTask) flags(c *cobra.Command) {
	c.Flags().BoolVar(&t.noWait, "no-wait", false, "only start it, for 'casement pool serve' to do, and print its name")
}

// do starts a work, waits for its end, shows what each server gave, and fails
// where one did.
func (t *poolTask) do(c *cobra.Command, s Streams, f *poolFlags, operand string, kind pool.Kind, parameters any, show func(context.Context, *pool.Pool, pool.Work, []pool.Result) error) error {
	a, err := pool.NewAction(kind, parameters)
	if err != nil {
		return usageError("%w", err)
	}
	ctx := c.Context()
	p, err := pool.Open(ctx, f.options(nil))
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // what was written is on the disk
	targets, err := pickServers(p, operand)
	if err != nil {
		return err
	}
	w, err := p.Start(ctx, a, targets, whoAmI())
	if err != nil {
		return err
	}
	if t.noWait {
		if f.nats == "" && p.Holder() {
			fmt.Fprintln(s.Err, "Nobody serves the pool now: it waits for 'casement pool serve' or 'casement up'.")
		}
		_, err := fmt.Fprintln(s.Out, w.ID)
		return err
	}
	w, results, err := waitForWork(ctx, s, p, f, w.ID)
	if err != nil {
		return err
	}
	if err := show(ctx, p, w, results); err != nil {
		return err
	}
	return reportWork(s, results)
}

// waitForWork waits until a work has ended. While nobody else holds the pool, this
// process does the work. The first Ctrl-C cancels it, the second leaves it.
func waitForWork(c context.Context, s Streams, p *pool.Pool, f *poolFlags, id string) (pool.Work, []pool.Result, error) {
	ctx, leave := context.WithCancelCause(c)
	defer leave(nil)
	var all sync.WaitGroup
	defer all.Wait()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	if f.nats == "" {
		all.Go(func() {
			if err := p.Serve(serving, pool.ServeOptions{WhileHolder: true}); err != nil {
				leave(err)
			}
		})
	}
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	all.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-serving.Done():
				return
			case <-interrupts:
			}
			if n > 0 {
				leave(fmt.Errorf("left; 'casement pool work %s' shows how it went on", id))
				return
			}
			if err := p.Cancel(ctx, id); err != nil {
				leave(err)
			}
		}
	})
	var taken atomic.Bool
	if f.nats != "" {
		hint := time.AfterFunc(waitingAfter, func() {
			if !taken.Load() {
				fmt.Fprintf(s.Err, "casement: nobody takes it yet: no worker runs, or none is admitted ('casement pool workers list'); Ctrl-C cancels it (%s)\n", id)
			}
		})
		defer hint.Stop()
	}
	_, isTerminal := terminal(s.Err)
	began := time.Now()
	w, results, err := p.Wait(ctx, id, func(w pool.Work, _ []pool.Result) bool {
		taken.Store(w.Tally.Waiting < len(w.Targets))
		if isTerminal {
			fmt.Fprintf(s.Err, "\r\x1b[K%s", progressOf(w, time.Since(began)))
		}
		return false
	})
	if isTerminal {
		fmt.Fprint(s.Err, "\r\x1b[K")
	}
	if err != nil && c.Err() != nil {
		err = fmt.Errorf("%w; 'casement pool work %s' shows how it went on", err, id)
	}
	return w, results, err
}

// progressOf is how far a work is: 187 of 212 · 2 failed · 23 waiting · 41 s.
func progressOf(w pool.Work, took time.Duration) string {
	t := w.Tally
	text := fmt.Sprintf("%d of %d", t.Done+t.Failed+t.Cancelled+t.Unknown, len(w.Targets))
	for _, part := range []struct {
		n    int
		word string
	}{{t.Failed, "failed"}, {t.Unknown, "unknown"}, {t.Cancelled, "cancelled"}, {t.Running, "running"}, {t.Waiting, "waiting"}} {
		if part.n > 0 {
			text += fmt.Sprintf(" · %d %s", part.n, part.word)
		}
	}
	return fmt.Sprintf("%s · %d s", text, took/time.Second)
}

// reportWork shows the servers that failed, as a table on the standard error.
func reportWork(s Streams, results []pool.Result) error {
	l := listing{format: "table", columns: []string{"Server", "State", "Code", "Words"}}
	for _, r := range results {
		if r.State != pool.Done {
			l.add(r.Server, string(r.State), r.Code, r.Words)
		}
	}
	if len(l.rows) == 0 {
		return nil
	}
	if len(results) == 1 {
		r := results[0]
		return fmt.Errorf("%s: %s: %s", r.Server, r.State, strings.TrimSpace(r.Code+" "+r.Words))
	}
	fmt.Fprintf(s.Err, "\n%d of %d servers are not done:\n\n", len(l.rows), len(results))
	var whole bytes.Buffer // no terminal, so that the end of a line is not cut off: that is what to do
	if err := l.print(&whole); err != nil {
		return err
	}
	if _, err := whole.WriteTo(s.Err); err != nil {
		return err
	}
	return &exitError{code: exitFailure}
}

func poolRefresh(s Streams, f *poolFlags) *cobra.Command {
	var t poolTask
	c := &cobra.Command{Use: "refresh [SERVERS]", Short: "Ask servers for all that is shown of them, now", Args: operands(0, 1, "at most one operand"),
		Long: "Ask servers, all without SERVERS, for all that is shown of them.\n\n" + poolHelp + poolExitCodes, Example: "  casement pool refresh\n  casement pool refresh tag:web"}
	t.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		operand := "all"
		if len(args) > 0 {
			operand = args[0]
		}
		return t.do(c, s, f, operand, pool.KindRefresh, pool.RefreshParameters{}, func(_ context.Context, _ *pool.Pool, w pool.Work, _ []pool.Result) error {
			_, err := fmt.Fprintf(s.Out, "%d of %d answer.\n", w.Tally.Done, len(w.Targets))
			return err
		})
	}
	return c
}

func poolRun(s Streams, f *poolFlags) *cobra.Command {
	var t poolTask
	var p pool.RunParameters
	var timeout time.Duration
	c := &cobra.Command{Use: "run SERVERS -- COMMAND...", Short: "Run a command on many servers", Args: operands(2, -1, "servers and a command"),
		Long: "Run a command line on servers, with an empty input; each line of output shows its server. It is\n" +
			"run once on each: where a server is lost in the middle the outcome is unknown, and it is not\n" +
			"repeated. Several words are joined with blanks, and read by the shell of each server: quote them\n" +
			"all as one where that matters. Ctrl-C cancels, and once more leaves.\n\n" + poolHelp + poolExitCodes,
		Example: "  casement pool run tag:web -- uptime\n  casement pool run all -- 'ipconfig /all | findstr IPv4'"}
	t.flags(c)
	c.Flags().StringVarP(&p.Directory, "directory", "d", "", "where the command starts (default: the account's home)")
	c.Flags().DurationVar(&timeout, "limit", 10*time.Minute, "how long it may run on each, an hour at most")
	c.RunE = func(c *cobra.Command, args []string) error {
		p.Command, p.Timeout = strings.Join(args[1:], " "), int(timeout/time.Second)
		return t.do(c, s, f, args[0], pool.KindRun, p, func(ctx context.Context, p *pool.Pool, w pool.Work, results []pool.Result) error {
			var mu sync.Mutex
			for _, r := range results {
				out := &prefixWriter{mu: &mu, w: harmless{s.Out}, prefix: r.Server}
				if err := pourOutput(ctx, p, w.ID, r, out); err != nil {
					return err
				}
				if err := out.end(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}

// pourOutput writes what a server printed.
func pourOutput(ctx context.Context, p *pool.Pool, id string, r pool.Result, w io.Writer) error {
	text, err := p.Output(ctx, id, r.Server)
	if err != nil {
		return nil //nolint:nilerr // it printed nothing
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if r.Cut {
		_, err = io.WriteString(w, "\n(there was more)\n")
	}
	return err
}

func poolQuery(s Streams, f *poolFlags) *cobra.Command {
	var t poolTask
	var p pool.QueryParameters
	c := &cobra.Command{Use: "query SERVERS WQL", Short: "Ask many servers one question", Args: operands(2, 2, "servers and a query"),
		Long: "Ask servers a question in WQL; each row shows its server. Values are the texts that the server\n" +
			"sent, numbers too.\n\n" + poolHelp + poolExitCodes, Example: "  casement pool query tag:web \"SELECT Name, State FROM Win32_Service WHERE StartMode='Auto'\""}
	t.flags(c)
	format := formatFlag(c)
	c.Flags().StringVarP(&p.Namespace, "namespace", "n", "", `namespace (default root\cimv2)`)
	c.Flags().IntVar(&p.Limit, "rows", 0, "how many rows are wanted of each server (default 10000)")
	c.RunE = func(c *cobra.Command, args []string) error {
		p.WQL = args[1]
		return t.do(c, s, f, args[0], pool.KindQuery, p, func(ctx context.Context, p *pool.Pool, w pool.Work, results []pool.Result) error {
			return printRows(ctx, s, p, *format, w, results)
		})
	}
	return c
}

// printRows prints the rows of all servers as one table for each list of columns.
func printRows(ctx context.Context, s Streams, p *pool.Pool, format string, w pool.Work, results []pool.Result) error {
	var l listing
	flush := func() error {
		if len(l.rows) == 0 {
			return nil
		}
		return l.print(s.Out)
	}
	for _, r := range results {
		text, err := p.Output(ctx, w.ID, r.Server)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(strings.NewReader(text))
		lines.Buffer(nil, pool.MaxOutput+1)
		for lines.Scan() {
			names, values, err := orderedRow(lines.Bytes())
			if err != nil {
				return fmt.Errorf("%s: its answer cannot be read: %w", r.Server, err)
			}
			if names = append([]string{hostColumn}, names...); strings.Join(names, "\x00") != strings.Join(l.columns, "\x00") {
				if err := flush(); err != nil {
					return err
				}
				l = listing{format: format, columns: names}
			}
			l.add(append([]any{r.Server}, values...)...)
		}
		if r.Cut {
			fmt.Fprintf(s.Err, "%s has more rows than are shown\n", r.Server)
		}
	}
	return flush()
}

// orderedRow reads an object of JSON in the order of its names; what is no text is
// shown as JSON.
func orderedRow(line []byte) (names []string, values []any, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.Join(err, errors.New("it is not an object"))
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, nil, err
		}
		text, null := "", string(raw) == "null"
		if !null && json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		names, values = append(names, fmt.Sprint(t)), append(values, text)
	}
	return names, values, nil
}

func poolService(s Streams, f *poolFlags) *cobra.Command {
	var t poolTask
	c := &cobra.Command{Use: "service SERVERS NAME ACTION", Short: "Start, stop and set a service on many servers", Args: operands(3, 3, "servers, a service and what to do"),
		Long: "ACTION is start, stop, restart, pause, resume, or a start mode: automatic, manual, disabled.\n\n" + poolHelp + poolExitCodes, Example: "  casement pool service tag:web W32Time restart"}
	t.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return t.do(c, s, f, args[0], pool.KindService, pool.ServiceParameters{Service: args[1], Do: strings.ToLower(args[2])}, func(_ context.Context, _ *pool.Pool, w pool.Work, _ []pool.Result) error {
			_, err := fmt.Fprintf(s.Out, "%d of %d done.\n", w.Tally.Done, len(w.Targets))
			return err
		})
	}
	return c
}

func poolWork(s Streams, f *poolFlags) *cobra.Command {
	var cancel bool
	c := &cobra.Command{Use: "work [ID [SERVER]]", Short: "List works; show one, or what it printed on a server", Args: operands(0, 2, "a work and a server at most"),
		Long:    "List the works of the last 30 days, the newest first; with ID show one, server by server; with\nSERVER too, what it printed there.\n\nExit codes: 0 shown, 1 no such work, 2 wrong command line.",
		Example: "  casement pool work\n  casement pool work 20261120-140211-3f2a9c01d7\n  casement pool work 20261120-140211-3f2a9c01d7 --cancel"}
	format := formatFlag(c)
	c.Flags().BoolVar(&cancel, "cancel", false, "drop what waits of it, and tell what runs to stop")
	c.RunE = func(c *cobra.Command, args []string) error {
		if cancel && len(args) != 1 {
			return usageError("--cancel wants the name of one work")
		}
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			switch {
			case len(args) == 0:
				return listWorks(ctx, s, p, *format)
			case cancel:
				if err := p.Cancel(ctx, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintln(s.Out, "Cancelled: what waits is dropped, and what runs is told to stop.")
				return err
			}
			_, results, err := p.Work(ctx, args[0])
			if err != nil {
				return err
			}
			if len(args) == 2 {
				return printOutput(ctx, s, p, args[0], args[1], results)
			}
			l := listing{format: *format, columns: []string{"Server", "State", "Code", "Words", "Took", "Worker"}}
			for _, r := range results {
				took := ""
				if !r.Began.IsZero() && !r.Ended.IsZero() {
					took = r.Ended.Sub(r.Began).Round(time.Millisecond).String()
				}
				l.add(r.Server, string(r.State), r.Code, r.Words, took, r.Worker)
			}
			return l.print(s.Out)
		})
	}
	return c
}

// printOutput prints what a work printed on a server, or that it printed nothing.
func printOutput(ctx context.Context, s Streams, p *pool.Pool, id, server string, results []pool.Result) error {
	n := slices.IndexFunc(results, func(r pool.Result) bool { return strings.EqualFold(r.Server, server) })
	if n < 0 {
		return fmt.Errorf("%s is none of the servers of this work; 'casement pool work %s' shows them", server, id)
	}
	r := results[n]
	text, err := p.Output(ctx, id, r.Server)
	if errors.Is(err, cim.ErrNotFound) {
		_, err := fmt.Fprintf(s.Err, "%s printed nothing: %s\n", r.Server, printable(strings.TrimSpace(strings.Join([]string{string(r.State), r.Code, r.Words}, " "))))
		return err
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(harmless{s.Out}, text)
	return err
}

func listWorks(ctx context.Context, s Streams, p *pool.Pool, format string) error {
	works, err := p.Works(ctx)
	if err != nil {
		return err
	}
	l := &listing{format: format, columns: []string{"ID", "Action", "State", "Servers", "Done", "Failed", "By", "Created"}}
	for _, w := range works {
		created := rfc3339(w.Created)
		if format == "table" {
			created = ago(time.Since(w.Created))
		}
		l.add(w.ID, string(w.Action.Kind), string(w.Tally.State()), len(w.Targets), w.Tally.Done, w.Tally.Failed+w.Tally.Unknown, w.By, created)
	}
	if width := terminalWidth(s.Out); format == "table" && width > 0 {
		l, _ = l.fitted(width, fitting{cut: []cut{{"By", 6}}, spare: []string{"By", "Done"}})
	}
	return l.print(s.Out)
}
