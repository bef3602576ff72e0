// Package metrics is what Prometheus reads of the service, the pool and the
// exporter. Names begin with casement_; no label takes a value from a peer that is
// not bounded here.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry has the metrics of one process.
type Registry struct{ all *prometheus.Registry }

// New has the metrics of the process itself: Go's, the system's, and the version.
func New(version string) *Registry {
	r := &Registry{prometheus.NewRegistry()}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "casement_build_info", Help: "The version that runs; the value is 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}})
	info.Set(1)
	r.all.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// scrapes is how many are answered at a time.
const scrapes = 4

// Handler answers /metrics.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.all, promhttp.HandlerOpts{MaxRequestsInFlight: scrapes, Timeout: 20 * time.Second, ErrorHandling: promhttp.ContinueOnError})
}

// Listen opens the address for Serve, host:port. It is one of this machine's own:
// metrics tell much and ask nobody who reads them. In front of others goes a proxy
// that asks.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	if err := CheckAddress(address); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", address)
}

// CheckAddress tells why Listen would refuse an address, nil where it would not.
func CheckAddress(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not an address and a port, as in 127.0.0.1:9985", address)
	}
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
		return fmt.Errorf("%s is not this machine alone: metrics have no sign-in, so they are served on a loopback address, as in 127.0.0.1:9985; a reverse proxy that asks for one can serve others", address)
	}
	return nil
}

// Serve answers /metrics until ctx ends.
func (r *Registry) Serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", r.Handler())
	s := &http.Server{
		Handler: loopbackNames(mux), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 3 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := context.AfterFunc(ctx, func() {
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.Shutdown(wait) != nil {
			s.Close()
		}
	})
	defer ended()
	err := s.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// loopbackNames refuses what a page of a browser could ask for under a name of its
// own that leads to this machine.
func loopbackNames(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && host != "[::1]" && (err != nil || !ip.Unmap().IsLoopback()) {
			http.Error(w, "this is not the host that you look for", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
