package machine

import (
	"context"
	"errors"
	"sort"
	"strings"

	"github.com/casementhq/casement/cim"
)

// Performance is what a server does at the moment. What it does not tell is nil.
type Performance struct {
	CPU       *float64 `json:"cpu"`       // percent of all processors
	Available *uint64  `json:"available"` // memory, octets
	Memory    *uint64  `json:"memory"`    // all of it, octets
	Top       []Load   `json:"top,omitempty"`
	// Missing says which part is not there and why.
	Missing []string `json:"missing,omitempty"`
}

// Load is what one process takes.
type Load struct {
	Name    string  `json:"name"`
	Process uint64  `json:"process"`
	CPU     float64 `json:"cpu"` // percent of one processor
	Memory  uint64  `json:"memory"`
}

const (
	maxProcesses = 10000
	topProcesses = 8
)

// PerformanceNow reads the counters. It fails where none can be read.
func PerformanceNow(ctx context.Context, s cim.Session) (*Performance, error) {
	p := &Performance{}
	var failures []error
	part := func(name, query string, take func(row)) {
		if _, err := rows(ctx, s, query, maxProcesses, take); err != nil {
			failures = append(failures, err)
			p.Missing = append(p.Missing, name+": "+bounded(err.Error()))
		}
	}
	part("processor", "SELECT PercentProcessorTime FROM Win32_PerfFormattedData_PerfOS_Processor WHERE Name = '_Total'", func(r row) {
		if n := r.number("PercentProcessorTime"); n != nil {
			v := float64(*n)
			p.CPU = &v
		}
	})
	part("memory", "SELECT AvailableBytes FROM Win32_PerfFormattedData_PerfOS_Memory", func(r row) { p.Available = r.number("AvailableBytes") })
	part("size of the memory", "SELECT TotalVisibleMemorySize FROM Win32_OperatingSystem", func(r row) {
		if n := r.number("TotalVisibleMemorySize"); n != nil { // in kB
			v := *n << 10
			p.Memory = &v
		}
	})
	part("processes", "SELECT Name, IDProcess, PercentProcessorTime, WorkingSet FROM Win32_PerfFormattedData_PerfProc_Process", func(r row) {
		name := r.text("Name")
		if name == "_Total" || strings.EqualFold(name, "Idle") {
			return
		}
		p.Top = append(p.Top, Load{Name: name, Process: r.or("IDProcess", 0), CPU: float64(r.or("PercentProcessorTime", 0)), Memory: r.or("WorkingSet", 0)})
	})
	sort.SliceStable(p.Top, func(i, j int) bool {
		if p.Top[i].CPU != p.Top[j].CPU {
			return p.Top[i].CPU > p.Top[j].CPU
		}
		return p.Top[i].Memory > p.Top[j].Memory
	})
	p.Top = p.Top[:min(len(p.Top), topProcesses)]
	if len(failures) == 4 {
		return p, errors.Join(failures...)
	}
	return p, nil
}
