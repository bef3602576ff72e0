//go:build !nonats

package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/casementhq/casement/pool"
	"github.com/spf13/cobra"
)

func init() { poolCommands = append(poolCommands, poolServe, poolWorker) }

func poolServe(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "serve", Short: "Ask the servers again and again, and do the pool's work", Args: operands(0, 0, "no operand"),
		Long: "Ask every server each minute whether it answers and each ten minutes for everything, and do what\n" +
			"others start with --no-wait, until SIGTERM or Ctrl-C. Several may run; each task is done by one.\n\nExit codes: 0 stopped, 1 failed.",
		Example: "  casement pool serve\n  casement pool serve --metrics 127.0.0.1:9987"}
	f.metricsFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.serve(c, s, pool.ServeOptions{Schedule: true}, "The pool is served. Ctrl-C stops.")
	}
	return c
}

func poolWorker(s Streams, f *poolFlags) *cobra.Command {
	c := &cobra.Command{Use: "worker --nats URL", Short: "Do work for a pool on a cluster", Args: operands(0, 0, "no operand"),
		Long: "Take refreshes and tasks of the pool on a cluster and do them, until SIGTERM or Ctrl-C. The\n" +
			"worker's key is printed: it opens no credential before 'casement pool workers add KEY' admits it.\n\nExit codes: 0 stopped, 1 failed, 2 wrong command line.",
		Example: "  casement pool worker --nats tls://nats1:4222 --nats-cert worker.pem --nats-key worker.key \\\n" +
			"    --nats-ca ca.pem --identity worker.identity"}
	f.metricsFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.nats == "" {
			return usageError("--nats URL is missing; a pool in a folder is served by 'casement pool serve'")
		}
		return f.serve(c, s, pool.ServeOptions{}, "The worker takes tasks. Ctrl-C stops.")
	}
	return c
}

func (f *poolFlags) serve(c *cobra.Command, s Streams, o pool.ServeOptions, ready string) error {
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(s.Err, nil))
	options := f.options(log)
	serveMetrics, err := f.openMetrics(ctx, &options, log)
	if err != nil {
		return err
	}
	p, err := pool.Open(ctx, options)
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // what was written is on the disk
	if f.nats != "" {
		key, err := p.Key()
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Out, "key:", key)
	}
	defer serveMetrics(p)()
	fmt.Fprintln(s.Out, ready)
	if err := p.Serve(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
