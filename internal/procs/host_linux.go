package procs

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// HostMemory returns the memory of the host.
func HostMemory() (Memory, error) {
	pfs, err := procfs.NewDefaultFS()
	if err != nil {
		return Memory{}, err
	}
	m, err := pfs.Meminfo()
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

// Host returns the activity of the host since boot.
func Host() (HostStat, error) {
	pfs, err := procfs.NewDefaultFS()
	if err != nil {
		return HostStat{}, err
	}
	s, err := pfs.Stat()
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

// LoadAverage returns the load of the host.
func LoadAverage() (Load, error) {
	pfs, err := procfs.NewDefaultFS()
	if err != nil {
		return Load{}, err
	}
	l, err := pfs.LoadAvg()
	if err != nil {
		return Load{}, err
	}
	return Load{One: l.Load1, Five: l.Load5, Fifteen: l.Load15}, nil
}

// CPUs returns the logical processors.
func CPUs() ([]CPU, error) {
	pfs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, err
	}
	infos, err := pfs.CPUInfo()
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
