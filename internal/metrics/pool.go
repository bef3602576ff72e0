package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// PoolNow is what a pool has at the moment of a scrape. States, levels and kinds are
// those of package pool, so their number is bounded.
type PoolNow struct {
	// Servers counts them by state and level.
	Servers map[[2]string]int
	// Stale counts those whose state is old.
	Stale int
	// RefreshSeconds are how long ago servers were last asked, the oldest and the
	// mean; negative where none was.
	OldestSeconds, MeanSeconds float64
	// Waiting counts tasks by queue.
	Waiting map[string]int
	// Results counts what works gave, by action and state, as far as works are kept.
	Results map[[2]string]int
}

type poolCollector struct {
	now                                             func() (PoolNow, error)
	up, servers, stale, oldest, mean, wait, results *prometheus.Desc
}

// Pool has the metrics of a pool told by a function, at each scrape.
func (r *Registry) Pool(now func() (PoolNow, error)) {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	r.all.MustRegister(&poolCollector{
		now:     now,
		up:      d("casement_pool_up", "1 where the pool's store could be read, else 0."),
		servers: d("casement_pool_servers", "Servers of the pool by state, in the words of Server Manager, and by level.", "state", "level"),
		stale:   d("casement_pool_stale_servers", "Servers that were not reached for three probes or twice the interval."),
		oldest:  d("casement_pool_oldest_refresh_seconds", "How long ago the server was last asked for which that is longest ago."),
		mean:    d("casement_pool_mean_refresh_seconds", "How long ago servers were last asked, on average."),
		wait:    d("casement_pool_waiting_tasks", "Tasks that wait for a worker, by queue.", "queue"),
		results: d("casement_pool_results", "Results of the works that are kept, by action and state.", "action", "state"),
	})
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.servers, c.stale, c.oldest, c.mean, c.wait, c.results} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	now, err := c.now()
	if err != nil {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	for _, k := range slices.SortedFunc(maps.Keys(now.Servers), comparePairs) {
		gauge(c.servers, float64(now.Servers[k]), k[0], k[1])
	}
	gauge(c.stale, float64(now.Stale))
	if now.OldestSeconds >= 0 {
		gauge(c.oldest, now.OldestSeconds)
		gauge(c.mean, now.MeanSeconds)
	}
	for _, q := range slices.Sorted(maps.Keys(now.Waiting)) {
		gauge(c.wait, float64(now.Waiting[q]), q)
	}
	for _, k := range slices.SortedFunc(maps.Keys(now.Results), comparePairs) {
		gauge(c.results, float64(now.Results[k]), k[0], k[1])
	}
}

func comparePairs(a, b [2]string) int { return slices.Compare(a[:], b[:]) }
