package host

import (
	"context"
	"sync"
	"time"

	"github.com/casementhq/casement/internal/procs"
)

// loadMeter measures the load of the processors over one second. A reading that another call made within the last ten
// seconds is the start of the next measurement, so that a monitor that polls does not wait; calls within one second
// have the same result.
type loadMeter struct {
	mu     sync.Mutex
	at     time.Time
	last   map[int]procs.CPUTimes
	result map[int]float64 // of the measurement that ended at at; nil: none did
}

// measure is the load in percent by processor number; nil where it is not known.
func (m *loadMeter) measure(ctx context.Context, p *Provider) map[int]float64 {
	t, err := p.openProcs()
	if err != nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	age := time.Since(m.at)
	if m.result != nil && age < loadSpan {
		return m.result
	}
	if m.last == nil || age > loadKeep {
		s, err := t.Host()
		if err != nil {
			return nil
		}
		m.at, m.last, m.result = time.Now(), s.CPU, nil
	}
	if wait := loadSpan - time.Since(m.at); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
	s, err := t.Host()
	if err != nil {
		return nil
	}
	m.result = loads(m.last, s.CPU)
	m.at, m.last = time.Now(), s.CPU
	return m.result
}

// loads is the share of time between two readings in which a processor was not idle, in percent.
func loads(before, after map[int]procs.CPUTimes) map[int]float64 {
	out := map[int]float64{}
	for n, b := range after {
		a, ok := before[n]
		if !ok {
			continue
		}
		idle := b.Idle + b.IOWait - a.Idle - a.IOWait
		total := idle + b.User + b.Nice + b.System + b.IRQ + b.SoftIRQ + b.Steal -
			(a.User + a.Nice + a.System + a.IRQ + a.SoftIRQ + a.Steal)
		if total > 0 {
			out[n] = min(max(100*float64(total-idle)/float64(total), 0), 100)
		}
	}
	return out
}
