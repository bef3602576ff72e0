package host

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// perfMemoryRow has the numbers of /proc/meminfo in kilobytes and those of /proc/vmstat.
type perfMemoryRow struct {
	stamp
	available *uint64 // bytes, within the limits of a container
	meminfo   counters
	vmstat    counters
}

func perfMemory(name string, get func(*perfMemoryRow) cim.Value) column[perfMemoryRow] {
	return column[perfMemoryRow]{name: name, get: get}
}

func availableMemory(unit uint64) func(*perfMemoryRow) cim.Value {
	return func(r *perfMemoryRow) cim.Value {
		if r.available == nil {
			return cim.Value{}
		}
		return cim.U64(*r.available / unit)
	}
}

// inBytes is a sum of lines of /proc/meminfo.
func inBytes(names ...string) func(*perfMemoryRow) cim.Value {
	return func(r *perfMemoryRow) cim.Value { return r.meminfo.value(cim.Uint64, 1024, names...) }
}

// pages is a sum of lines of /proc/vmstat.
func pages(names ...string) func(*perfMemoryRow) cim.Value {
	return func(r *perfMemoryRow) cim.Value { return r.vmstat.value(cim.Uint32, 1, names...) }
}

// inMegabytes makes the two parts of a fraction, which have 32 bits.
func inMegabytes(name string) func(*perfMemoryRow) cim.Value {
	return func(r *perfMemoryRow) cim.Value {
		n, ok := r.meminfo[name]
		if !ok {
			return cim.Value{}
		}
		return cim.U32(uint32(n >> 10))
	}
}

var perfMemoryTable = &table[perfMemoryRow]{name: "Win32_PerfRawData_PerfOS_Memory", gather: gatherPerfMemory,
	columns: stamped(func(r *perfMemoryRow) *stamp { return &r.stamp }, false, []column[perfMemoryRow]{
		perfMemory("AvailableBytes", availableMemory(1)),
		perfMemory("AvailableKBytes", availableMemory(1<<10)),
		perfMemory("AvailableMBytes", availableMemory(1<<20)),
		perfMemory("CommittedBytes", inBytes("Committed_AS")),
		perfMemory("CommitLimit", inBytes("CommitLimit")),
		perfMemory("PercentCommittedBytesInUse", inMegabytes("Committed_AS")),
		perfMemory("PercentCommittedBytesInUse_Base", inMegabytes("CommitLimit")),
		perfMemory("CacheBytes", inBytes("Cached", "Buffers", "SReclaimable")),
		perfMemory("FreeAndZeroPageListBytes", inBytes("MemFree")),
		perfMemory("ModifiedPageListBytes", inBytes("Dirty")),
		perfMemory("PoolNonpagedBytes", inBytes("SUnreclaim")),
		perfMemory("PageFaultsPersec", pages("pgfault")),
		perfMemory("PageReadsPersec", pages("pgmajfault")),
		perfMemory("PagesInputPersec", pages("pswpin")),
		perfMemory("PagesOutputPersec", pages("pswpout")),
		perfMemory("PagesPersec", pages("pswpin", "pswpout")),
	})}

func gatherPerfMemory(_ context.Context, p *Provider, _ uint32, _ query, f func(*perfMemoryRow) error) error {
	return f(&perfMemoryRow{
		stamp: p.stampNow(), available: p.memory().Available,
		meminfo: p.countersOf("proc/meminfo"), vmstat: p.countersOf("proc/vmstat"),
	})
}

// countersOf reads a file of lines "NAME NUMBER" or "NAME: NUMBER kB".
func (p *Provider) countersOf(path string) counters {
	b, err := os.ReadFile(filepath.Join(p.root, path))
	if err != nil {
		p.log.Debug("counters cannot be read", "file", path, "error", err)
		return nil
	}
	out := counters{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		if n, err := strconv.ParseUint(f[1], 10, 64); err == nil {
			out[strings.TrimSuffix(f[0], ":")] = n
		}
	}
	return out
}
