package metrics

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Service counts what the service does; it is a service.Observer. Counting takes no
// memory once a label has been seen.
type Service struct {
	admitted, refused prometheus.Counter
	proven, unproven  [2]prometheus.Counter // over winrm, dcom
	requests          *prometheus.CounterVec
	byName            sync.Map // operation to operationMetrics
	durations         *prometheus.HistogramVec
	faults            *prometheus.CounterVec
	byCode            sync.Map // uint32 to prometheus.Counter
	codes             atomic.Int32
	otherCode         prometheus.Counter
}

type operationMetrics struct {
	count    prometheus.Counter
	duration prometheus.Observer
}

// mostCodes is how many codes of faults have a line of their own.
const mostCodes = 200

// InUse is what callers of WinRM have in use at the moment of a scrape.
type InUse struct{ Connections, Operations, Shells, ShellUsers uint32 }

// Service makes the counters of a service.
func (r *Registry) Service() *Service {
	connections := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "casement_winrm_connections_total",
		Help: "Connections of WinRM that came, by whether the firewall and MaxConnections let them in."}, []string{"result"})
	signIns := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "casement_sign_ins_total",
		Help: "Proofs of identity that came to their end, by transport and by whether they were accepted."}, []string{"transport", "result"})
	s := &Service{
		admitted: connections.WithLabelValues("admitted"), refused: connections.WithLabelValues("refused"),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "casement_winrm_requests_total",
			Help: "Requests of WinRM that were answered, by operation."}, []string{"operation"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "casement_winrm_request_duration_seconds",
			Help:    "How long requests of WinRM took, from the whole request to the whole answer; Receive and Pull wait for what is to come.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}}, []string{"operation"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "casement_winrm_faults_total",
			Help: "Requests of WinRM that were answered by a fault, by its code in hexadecimal."}, []string{"code"}),
	}
	for i, transport := range []string{"winrm", "dcom"} {
		s.proven[i], s.unproven[i] = signIns.WithLabelValues(transport, "success"), signIns.WithLabelValues(transport, "failure")
	}
	s.otherCode = s.faults.WithLabelValues("other")
	r.all.MustRegister(connections, signIns, s.requests, s.durations, s.faults)
	return s
}

// Uses has the gauges of what is in use told by a function, at each scrape.
func (r *Registry) Uses(now func() InUse) {
	for _, g := range []struct {
		name, help string
		of         func(InUse) uint32
	}{
		{"casement_winrm_connections", "Connections of WinRM that are open.", func(u InUse) uint32 { return u.Connections }},
		{"casement_winrm_operations", "Operations of WinRM in progress.", func(u InUse) uint32 { return u.Operations }},
		{"casement_winrm_shells", "Remote shells that are open.", func(u InUse) uint32 { return u.Shells }},
		{"casement_winrm_shell_users", "Users who own a remote shell.", func(u InUse) uint32 { return u.ShellUsers }},
	} {
		r.all.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, func() float64 { return float64(g.of(now())) }))
	}
}

// Connection counts one that came.
func (s *Service) Connection(admitted bool) {
	if admitted {
		s.admitted.Inc()
	} else {
		s.refused.Inc()
	}
}

// Request counts one that was answered. operation is one of a fixed list of words.
func (s *Service) Request(operation string, code uint32, took time.Duration) {
	m, ok := s.byName.Load(operation)
	if !ok {
		m, _ = s.byName.LoadOrStore(operation, operationMetrics{s.requests.WithLabelValues(operation), s.durations.WithLabelValues(operation)})
	}
	o := m.(operationMetrics) //nolint:errcheck // nothing else is stored
	o.count.Inc()
	o.duration.Observe(took.Seconds())
	if code != 0 {
		s.fault(code).Inc()
	}
}

// fault is the counter of a code. Codes can come from providers, so that after a
// number of them the rest is counted together.
func (s *Service) fault(code uint32) prometheus.Counter {
	if c, ok := s.byCode.Load(code); ok {
		return c.(prometheus.Counter) //nolint:errcheck // nothing else is stored
	}
	if s.codes.Add(1) > mostCodes {
		s.codes.Add(-1)
		return s.otherCode
	}
	c, _ := s.byCode.LoadOrStore(code, s.faults.WithLabelValues(fmt.Sprintf("0x%08X", code)))
	return c.(prometheus.Counter) //nolint:errcheck // nothing else is stored
}

// SignIn counts a proof that came to its end.
func (s *Service) SignIn(transport string, proven bool) {
	i := 0
	if transport == "dcom" {
		i = 1
	}
	if proven {
		s.proven[i].Inc()
	} else {
		s.unproven[i].Inc()
	}
}
