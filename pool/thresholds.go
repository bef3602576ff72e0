package pool

import (
	"fmt"
	"time"
)

// Thresholds say from when on a resource needs attention. A value of 0 switches one
// off.
type Thresholds struct {
	CPU           float64 `json:"cpu"`            // percent that is used
	Memory        uint64  `json:"memory"`         // octets that are free
	MemoryPercent float64 `json:"memory_percent"` // of memory that is free
	DiskPercent   float64 `json:"disk_percent"`   // of a volume that is free
	Critical      int     `json:"critical"`       // critical events of 24 hours
	Services      bool    `json:"services"`       // automatic services that do not run
}

// DefaultThresholds are those of Server Manager, with memory under 5 % and volumes
// under 10 % besides. See spec/console.md 3.10.
func DefaultThresholds() Thresholds {
	return Thresholds{CPU: 85, Memory: 2 << 20, MemoryPercent: 5, DiskPercent: 10, Critical: 1, Services: true}
}

// alerts are the thresholds that a snapshot passes. One that was passed before keeps
// when that began.
func (t Thresholds) alerts(s *Snapshot, before []Alert, now time.Time) []Alert {
	var list []Alert
	pass := func(resource, value, threshold string) {
		a := Alert{Resource: resource, Value: value, Threshold: threshold, First: now, Count: 1}
		for _, b := range before {
			if b.Resource == resource {
				a.First, a.Count = b.First, b.Count+1
			}
		}
		list = append(list, a)
	}
	if c := s.Counters; c != nil {
		if c.CPU != nil && t.CPU > 0 && *c.CPU >= t.CPU {
			pass("CPU", fmt.Sprintf("%d %%", int(*c.CPU)), fmt.Sprintf("%.0f %%", t.CPU))
		}
		if c.Available != nil {
			t.memory(s.Facts, *c.Available, pass)
		}
	}
	for _, d := range s.Disks {
		if d.Size > 0 && t.DiskPercent > 0 && percent(d.Free, d.Size) < t.DiskPercent {
			pass("Disk "+d.Name, fmt.Sprintf("%d %% free", int(percent(d.Free, d.Size))), fmt.Sprintf("%.0f %% free", t.DiskPercent))
		}
	}
	if s.Services != nil && t.Services {
		for _, name := range s.Services.Stopped {
			pass("Service "+name, "stopped", "start type Automatic")
		}
	}
	if e := s.Events; e != nil && e.Critical != nil && t.Critical > 0 && *e.Critical >= t.Critical {
		pass("Events", fmt.Sprintf("%d critical", *e.Critical), fmt.Sprintf("%d critical", t.Critical))
	}
	return list
}

// memory passes one of two thresholds, the absolute one first.
func (t Thresholds) memory(f *Facts, free uint64, pass func(resource, value, threshold string)) {
	switch {
	case t.Memory > 0 && free < t.Memory:
		pass("Memory", fmt.Sprintf("%.1f MiB free", float64(free)/(1<<20)), fmt.Sprintf("%.1f MiB free", float64(t.Memory)/(1<<20)))
	case f != nil && f.Memory > 0 && t.MemoryPercent > 0 && percent(free, f.Memory) < t.MemoryPercent:
		pass("Memory", fmt.Sprintf("%d %% free", int(percent(free, f.Memory))), fmt.Sprintf("%.0f %% free", t.MemoryPercent))
	}
}

func percent(part, whole uint64) float64 { return 100 * float64(part) / float64(whole) }
