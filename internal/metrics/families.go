package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Family is a metric whose samples are told at each scrape. Names and labels are
// those of whoever wrote them down; NewFamilies checks them.
type Family struct {
	Name, Help string
	Counter    bool // it only grows, and its name ends with _total; else a gauge
	Labels     []string
}

// Sample is a value of a family: the values of its labels, in their order, which
// are text that a server may have supplied.
type Sample struct {
	Family int
	Labels []string
	Value  float64
}

type families struct {
	of      []Family
	descs   []*prometheus.Desc
	samples func(yield func(Sample) bool)
}

// Families has samples of families told by a sequence, at each scrape. No two
// samples of a scrape may have the same family and labels.
func (r *Registry) Families(of []Family, samples func(yield func(Sample) bool)) error {
	f := &families{of: of, samples: samples}
	for _, x := range of {
		f.descs = append(f.descs, prometheus.NewDesc(x.Name, x.Help, x.Labels, nil))
	}
	return r.all.Register(f)
}

// Describe implements prometheus.Collector.
func (f *families) Describe(to chan<- *prometheus.Desc) {
	for _, d := range f.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (f *families) Collect(to chan<- prometheus.Metric) {
	for s := range f.samples {
		kind := prometheus.GaugeValue
		if f.of[s.Family].Counter {
			kind = prometheus.CounterValue
		}
		m, err := prometheus.NewConstMetric(f.descs[s.Family], kind, s.Value, s.Labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(f.descs[s.Family], err)
		}
		to <- m
	}
}
