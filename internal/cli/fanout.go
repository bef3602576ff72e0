package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/spf13/cobra"
)

// fanout are the flags of a command that may go to several hosts at once.
type fanout struct {
	file     string
	parallel int
}

func (f *fanout) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "hosts", "", "file with the hosts, one a line, in place of HOST; # begins a comment")
	c.Flags().IntVar(&f.parallel, "parallel", 16, "how many hosts are asked at the same time")
}

// split takes the hosts off the operands: a list with commas, or those of --hosts.
func (f *fanout) split(args []string) (hosts, rest []string, err error) {
	if f.parallel < 1 {
		return nil, nil, usageError("--parallel must be at least 1")
	}
	if f.file != "" {
		hosts, err = readHostList(f.file)
		return hosts, args, err
	}
	if len(args) == 0 {
		return nil, nil, usageError("HOST is missing")
	}
	if isMoniker(args[0]) { // it has commas of its own
		return args[:1], args[1:], nil
	}
	for h := range strings.SplitSeq(args[0], ",") {
		if h = strings.TrimSpace(h); h != "" {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 {
		return nil, nil, usageError("HOST is empty")
	}
	return hosts, args[1:], nil
}

func readHostList(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--hosts: %w", err)
	}
	defer f.Close()
	var list []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); isMoniker(line) {
			list = append(list, line)
			continue
		}
		list = append(list, strings.Fields(line)...)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--hosts %s: %w", file, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("--hosts %s: no host is in it", file)
	}
	return list, nil
}

// hostError is what went wrong with one host.
type hostError struct {
	host string
	err  error
}

// each runs do for every host, several at a time, and reports those that failed:
// the error itself for a single host, else a table on the standard error.
func (f *fanout) each(ctx context.Context, s Streams, d *dialer, hosts []string, do func(ctx context.Context, host string, c *casement.Connection) error) error {
	failures := make([]hostError, len(hosts))
	slots := make(chan struct{}, f.parallel)
	var all sync.WaitGroup
	for n, host := range hosts {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			failures[n] = hostError{host, context.Cause(ctx)}
			continue
		}
		all.Go(func() {
			defer func() { <-slots }()
			failures[n] = hostError{host, one(ctx, d, host, do)}
		})
	}
	all.Wait()
	return report(s, failures)
}

// one runs do on a connection of its own.
func one(ctx context.Context, d *dialer, host string, do func(ctx context.Context, host string, c *casement.Connection) error) error {
	c, err := d.dial(ctx, host)
	if err != nil {
		return explain(ctx, host, err)
	}
	defer c.Close() //nolint:errcheck // what matters was said before
	return explain(ctx, host, do(ctx, host, c))
}

func report(s Streams, failures []hostError) error {
	t := listing{format: "table", columns: []string{"Host", "Error"}}
	for _, f := range failures {
		if f.err == nil {
			continue
		}
		if len(failures) == 1 {
			return f.err
		}
		t.add(f.host, strings.TrimPrefix(f.err.Error(), f.host+": "))
	}
	if len(t.rows) == 0 {
		return nil
	}
	fmt.Fprintf(s.Err, "\n%d of %d hosts failed:\n\n", len(t.rows), len(failures))
	if err := t.print(s.Err); err != nil {
		return err
	}
	return &exitError{code: exitFailure}
}

// rows prints the instances of several hosts as they come.
type rows struct {
	mu   sync.Mutex
	out  rowWriter
	many bool // the host is shown
}

// pour prints what an enumerator gives, batch by batch.
func (r *rows) pour(ctx context.Context, host string, e cim.Enumerator) (err error) {
	defer func() {
		if cerr := e.Close(); err == nil {
			err = cerr
		}
	}()
	if !r.many {
		host = ""
	}
	for {
		batch, err := e.Next(ctx, 0)
		if len(batch) > 0 {
			if werr := r.write(host, batch); werr != nil {
				return werr
			}
		}
		if err != nil {
			return endOf(err)
		}
	}
}

func (r *rows) write(host string, batch []*cim.Instance) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.out.write(host, batch); err != nil {
		return fmt.Errorf("print the rows: %w", err)
	}
	return nil
}
