//go:build !nonats

package cli

import (
	"context"
	"log/slog"

	"github.com/casementhq/casement/internal/metrics"
	"github.com/casementhq/casement/pool"
	"github.com/spf13/cobra"
)

// metricsFlag lets a command that works for the pool serve what it does as metrics.
func (f *poolFlags) metricsFlag(c *cobra.Command) {
	c.Flags().StringVar(&f.metrics, "metrics", "", "serve /metrics for Prometheus on this address of this machine alone, as in 127.0.0.1:9987; it has no sign-in")
}

// openMetrics listens, and has what this process does for the pool counted. What it
// gives serves p until it is called again, which waits for the end.
func (f *poolFlags) openMetrics(ctx context.Context, o *pool.Options, log *slog.Logger) (serve func(p *pool.Pool) (stop func()), err error) {
	if f.metrics == "" {
		return func(*pool.Pool) func() { return func() {} }, nil
	}
	if err := metrics.CheckAddress(f.metrics); err != nil {
		return nil, usageError("--metrics: %w", err)
	}
	r := metrics.New(versionNumber())
	o.Observer = r.Pool()
	return func(p *pool.Pool) func() {
		l, err := metrics.Listen(ctx, f.metrics)
		if err != nil {
			log.Error("metrics are not served", "error", err)
			return func() {}
		}
		r.Counts(p.Count)
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := r.Serve(ctx, l, log); err != nil {
				log.Error("metrics are not served any more", "error", err)
			}
		}()
		log.Info("metrics are served", "url", "http://"+l.Addr().String()+"/metrics")
		return func() {
			cancel()
			<-done
		}
	}, nil
}
