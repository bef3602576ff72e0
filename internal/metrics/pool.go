//go:build !nonats

package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/casementhq/casement/pool"
)

// Pool counts what this process does for a pool; it is a pool.Observer.
type Pool struct {
	refreshes *prometheus.CounterVec
	durations *prometheus.HistogramVec
	results   *prometheus.CounterVec
}

// Pool makes the counters of a pool's work in this process.
func (r *Registry) Pool() *Pool {
	p := &Pool{
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "casement_pool_refreshes_total",
			Help: "Refreshes of servers by this process, by kind and by the level that they found."}, []string{"kind", "level"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "casement_pool_refresh_duration_seconds",
			Help: "How long the refresh of one server took, by kind.", Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 90}}, []string{"kind"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "casement_pool_results_total",
			Help: "Results of single servers in works, written by this process, by state."}, []string{"state"}),
	}
	r.all.MustRegister(p.refreshes, p.durations, p.results)
	return p
}

// Refreshed counts one refresh.
func (p *Pool) Refreshed(full bool, level pool.Level, took time.Duration) {
	kind := "probe"
	if full {
		kind = "full"
	}
	p.refreshes.WithLabelValues(kind, string(level)).Inc()
	p.durations.WithLabelValues(kind).Observe(took.Seconds())
}

// Finished counts one result.
func (p *Pool) Finished(state pool.WorkState) { p.results.WithLabelValues(string(state)).Inc() }

// countTime bounds what a scrape waits for the pool's store.
const countTime = 5 * time.Second

type poolCollector struct {
	count                                  func(context.Context) (pool.Counts, error)
	up, servers, stale, oldest, mean, wait *prometheus.Desc
}

// Counts has the gauges of a pool told by Pool.Count, at each scrape.
func (r *Registry) Counts(count func(context.Context) (pool.Counts, error)) {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	r.all.MustRegister(&poolCollector{
		count:   count,
		up:      d("casement_pool_up", "1 where the pool's store could be read, else 0."),
		servers: d("casement_pool_servers", "Servers of the pool by state, in the words of Server Manager, and by level.", "state", "level"),
		stale:   d("casement_pool_stale_servers", "Servers whose state is old: three probes without an answer, or twice the interval."),
		oldest:  d("casement_pool_oldest_refresh_seconds", "How long ago the server was asked for which that is longest ago."),
		mean:    d("casement_pool_mean_refresh_seconds", "How long ago servers were asked, on average."),
		wait:    d("casement_pool_waiting_tasks", "Tasks that wait for a worker or are with one, by queue.", "queue"),
	})
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.servers, c.stale, c.oldest, c.mean, c.wait} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), countTime) // Prometheus gives a collector no other
	defer cancel()
	now, err := c.count(ctx)
	if err != nil {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	for state, levels := range now.Servers {
		for level, n := range levels {
			gauge(c.servers, float64(n), string(state), string(level))
		}
	}
	gauge(c.stale, float64(now.Stale))
	if now.Asked > 0 {
		gauge(c.oldest, now.OldestAsked.Seconds())
		gauge(c.mean, now.MeanAsked.Seconds())
	}
	gauge(c.wait, float64(now.Refreshes), "refresh")
	gauge(c.wait, float64(now.Tasks), "work")
}
