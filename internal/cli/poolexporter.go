//go:build !nonats

package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/metrics"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/exporter"
	"github.com/spf13/cobra"
)

func init() { poolCommands = append(poolCommands, poolExporter) }

func poolExporter(s Streams, f *poolFlags) *cobra.Command {
	var file, listen string
	c := &cobra.Command{Use: "exporter [SERVERS]", Short: "Serve queries to servers as metrics for Prometheus", Args: operands(0, 1, "one SERVERS at most"),
		Long: `Ask the servers of the pool the queries of a file at an interval, and serve what they answered last
as metrics, with nothing of Prometheus installed there. The file is JSON:

  {"interval": "1m", "timeout": "20s", "queries": [
    {"namespace": "root\\cimv2",
     "wql": "SELECT Name, FreeSpace FROM Win32_LogicalDisk WHERE DriveType = 3",
     "labels": {"volume": "Name"},
     "metrics": [{"name": "windows_volume_free_bytes", "help": "Free space.", "type": "gauge",
                  "value": "FreeSpace"}]}]}

labels are properties by the name of the label; the label server is always there. A value is a
property that is a number, a truth value or a time; without one the rows with the same labels are
counted. factor multiplies: 1024 makes kilobytes bytes. casement_server_up tells who answered. A
server gives at most 5,000 samples. Who joins or leaves the pool is seen at the next interval. The
metrics of the pool are there too.

Exit codes: 0 stopped, 1 failed, 2 wrong command line.`,
		Example: "  casement pool exporter --queries disks.json\n  casement pool exporter tag:web --queries web.json --listen 127.0.0.1:9986"}
	c.Flags().StringVar(&file, "queries", "", "file of the queries, JSON")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:9986", "address of this machine alone; /metrics has no sign-in")
	c.RunE = func(c *cobra.Command, args []string) error {
		if file == "" {
			return usageError("--queries FILE is missing")
		}
		if err := metrics.CheckAddress(listen); err != nil {
			return usageError("--listen: %w", err)
		}
		in, err := os.Open(file) // #nosec G304 -- the name is the user's to choose
		if err != nil {
			return fmt.Errorf("--queries: %w", err)
		}
		queries, err := exporter.ReadFile(in)
		in.Close()
		if err != nil {
			return usageError("--queries: %s: %w", file, err)
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		log := slog.New(slog.NewTextHandler(s.Err, nil))
		p, err := pool.Open(ctx, f.options(log))
		if err != nil {
			return err
		}
		defer p.Close() //nolint:errcheck // nothing is written
		servers := "all"
		if len(args) == 1 {
			servers = args[0]
		}
		return runExporter(ctx, log, p, queries, servers, listen)
	}
	return c
}

// runExporter serves until ctx ends.
func runExporter(ctx context.Context, log *slog.Logger, p *pool.Pool, queries *exporter.File, servers, listen string) error {
	l, err := metrics.Listen(ctx, listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer l.Close() //nolint:errcheck // it is closed by Serve as a rule
	ways := &poolWays{pool: p, open: map[string]*casement.Connection{}}
	defer ways.close()
	x := exporter.New(queries, func() []string {
		names, err := pickServers(p, servers)
		if err != nil {
			log.Warn("no servers are asked", "error", err)
		}
		awake := names[:0]
		for _, name := range names {
			if e, err := p.Get(name); err == nil && !e.Paused {
				awake = append(awake, name)
			}
		}
		ways.keep(awake)
		return awake
	}, ways, log)
	r := metrics.New(versionNumber())
	if err := r.Families(x.Families(), x.Samples); err != nil {
		return err
	}
	r.Counts(p.Count)
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	asking.Go(func() { x.Run(ctx) })
	defer asking.Wait()
	defer cancel()
	log.Info("metrics are served", "url", "http://"+l.Addr().String()+"/metrics")
	return r.Serve(ctx, l, log)
}

// poolWays keeps a connection to each server between intervals.
type poolWays struct {
	pool *pool.Pool
	mu   sync.Mutex
	open map[string]*casement.Connection
}

// Ask puts one query to a server. A connection over which a query failed is made anew
// for the next, with the credential of then.
func (w *poolWays) Ask(ctx context.Context, server, namespace, query string, row func(*cim.Instance) bool) error {
	c, err := w.connection(ctx, server)
	if err != nil {
		return err
	}
	e, err := c.Query(ctx, namespace, query)
	if err == nil {
		err = exporter.Rows(ctx, e, row)
	}
	if err != nil {
		w.forget(server, c)
	}
	return err
}

func (w *poolWays) connection(ctx context.Context, server string) (*casement.Connection, error) {
	w.mu.Lock()
	c := w.open[server]
	w.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := w.pool.Connect(ctx, server)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[server] = c // each server is asked one thing at a time
	return c, nil
}

func (w *poolWays) forget(server string, c *casement.Connection) {
	w.mu.Lock()
	if w.open[server] == c {
		delete(w.open, server)
	}
	w.mu.Unlock()
	_ = c.Close() // it is broken, or says so at the next query
}

// keep closes the connections to servers that are asked no more.
func (w *poolWays) keep(servers []string) {
	there := map[string]bool{}
	for _, s := range servers {
		there[s] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for s, c := range w.open {
		if !there[s] {
			delete(w.open, s)
			_ = c.Close() // nobody asks it
		}
	}
}

func (w *poolWays) close() { w.keep(nil) }
