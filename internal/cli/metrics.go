package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"

	"github.com/casementhq/casement/internal/metrics"
	"github.com/casementhq/casement/service"
)

// serviceMetrics are what --metrics serves; nil serves nothing.
type serviceMetrics struct {
	registry *metrics.Registry
	listener net.Listener
}

// openMetrics listens, and has what the service does counted.
func openMetrics(ctx context.Context, address string, o *service.Options) (*serviceMetrics, error) {
	if address == "" {
		return nil, nil
	}
	l, err := metrics.Listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	m := &serviceMetrics{metrics.New(versionNumber()), l}
	o.Observer = m.registry.Service()
	return m, nil
}

func (m *serviceMetrics) close() {
	if m != nil {
		m.listener.Close()
	}
}

// serve answers until stop is called, which waits for the end.
func (m *serviceMetrics) serve(ctx context.Context, svc *service.Service, log *slog.Logger) (stop func() error) {
	if m == nil {
		return func() error { return nil }
	}
	m.registry.Uses(func() metrics.InUse {
		u := svc.WinRM.Usage()
		return metrics.InUse{Connections: u.Connections, Operations: u.Operations, Shells: u.Shells, ShellUsers: u.ShellUsers}
	})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.registry.Serve(ctx, m.listener, log) }()
	log.Info("metrics are served", "url", "http://"+m.listener.Addr().String()+"/metrics")
	return func() error {
		cancel()
		return <-ended
	}
}

// versionNumber is that of this binary, as 'casement version' prints it.
func versionNumber() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}
