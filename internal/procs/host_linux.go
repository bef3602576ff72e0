package procs

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// HostMemory is [Table.HostMemory] of this host.
func HostMemory() (Memory, error) {
	t, err := local()
	if err != nil {
		return Memory{}, err
	}
	return t.HostMemory()
}

// HostMemory returns the memory of the host.
func (t *Table) HostMemory() (Memory, error) {
	m, err := t.fs.Meminfo()
	if err != nil {
		return Memory{}, err
	}
	return Memory{
		Total: m.MemTotalBytes, Free: m.MemFreeBytes, Available: m.MemAvailableBytes,
		Buffers: m.BuffersBytes, Cached: m.CachedBytes,
		SwapTotal: m.SwapTotalBytes, SwapFree: m.SwapFreeBytes,
		CommitLimit: m.CommitLimitBytes, Committed: m.CommittedASBytes, Slab: m.SlabBytes,
	}, nil
}

// Host is [Table.Host] of this host.
func Host() (HostStat, error) {
	t, err := local()
	if err != nil {
		return HostStat{}, err
	}
	return t.Host()
}

// Host returns the activity of the host since boot.
func (t *Table) Host() (HostStat, error) {
	s, err := t.fs.Stat()
	if err != nil {
		return HostStat{}, err
	}
	h := HostStat{
		Total: times(s.CPUTotal), CPU: make(map[int]CPUTimes, len(s.CPU)),
		Interrupts: &s.IRQTotal, ContextSwitches: &s.ContextSwitches, ProcessesCreated: &s.ProcessCreated,
		Running: &s.ProcessesRunning, Blocked: &s.ProcessesBlocked,
	}
	for n, c := range s.CPU {
		h.CPU[int(n)] = times(c)
	}
	return h, nil
}

func times(c procfs.CPUStat) CPUTimes {
	d := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	return CPUTimes{
		User: d(c.User), Nice: d(c.Nice), System: d(c.System), Idle: d(c.Idle), IOWait: d(c.Iowait),
		IRQ: d(c.IRQ), SoftIRQ: d(c.SoftIRQ), Steal: d(c.Steal), Guest: d(c.Guest),
	}
}

// LoadAverage is [Table.LoadAverage] of this host.
func LoadAverage() (Load, error) {
	t, err := local()
	if err != nil {
		return Load{}, err
	}
	return t.LoadAverage()
}

// LoadAverage returns the load of the host.
func (t *Table) LoadAverage() (Load, error) {
	l, err := t.fs.LoadAvg()
	if err != nil {
		return Load{}, err
	}
	return Load{One: l.Load1, Five: l.Load5, Fifteen: l.Load15}, nil
}

// CPUs is [Table.CPUs] of this host.
func CPUs() ([]CPU, error) {
	t, err := local()
	if err != nil {
		return nil, err
	}
	return t.CPUs()
}

// CPUs returns the logical processors.
func (t *Table) CPUs() ([]CPU, error) {
	infos, err := t.fs.CPUInfo()
	if err != nil {
		return nil, err
	}
	out := make([]CPU, len(infos))
	for i, c := range infos {
		out[i] = CPU{
			Number: int(c.Processor), Vendor: c.VendorID, ModelName: c.ModelName,
			Family: c.CPUFamily, Model: c.Model, Stepping: c.Stepping, Microcode: c.Microcode,
			MHz: c.CPUMHz, CacheBytes: cacheBytes(c.CacheSize), PhysicalID: c.PhysicalID, CoreID: c.CoreID,
			CoresPerPackage: int(c.CPUCores), Threads: int(c.Siblings), Flags: c.Flags,
		}
	}
	return out, nil
}

// cacheBytes reads "36608 KB".
func cacheBytes(s string) uint64 {
	n, unit, _ := strings.Cut(strings.TrimSpace(s), " ")
	v, err := strconv.ParseUint(n, 10, 32)
	if err != nil {
		return 0
	}
	if unit == "KB" {
		return v << 10
	}
	return v
}
