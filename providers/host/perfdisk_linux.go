package host

import (
	"context"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// perfDiskRow is one disk, or one file system on a device, or the total of all.
type perfDiskRow struct {
	stamp
	name     string
	counters // by the names of diskstats; "free" and "size" of a file system in megabytes
}

// diskstats are the fields of /proc/diskstats behind the name, and of the stat file of a device. Times are in
// milliseconds, sectors have 512 bytes. See Documentation/admin-guide/iostats.rst of the kernel.
var diskstats = [...]string{
	"reads", "reads merged", "sectors read", "time reading",
	"writes", "writes merged", "sectors written", "time writing",
	"in flight", "time busy", "time weighted",
}

const ticksPerMillisecond = ticksPerSecond / 1000

func perfDisk(name string, t cim.Type, scale uint64, parts ...string) column[perfDiskRow] {
	return column[perfDiskRow]{name: name, get: func(r *perfDiskRow) cim.Value { return r.value(t, scale, parts...) }}
}

// perfDiskColumns are those of physical and logical disks alike. The share of time in a state is measured against a
// base of its own, which is the time of the sample.
func perfDiskColumns(more ...column[perfDiskRow]) []column[perfDiskRow] {
	columns := []column[perfDiskRow]{
		{name: "Name", get: func(r *perfDiskRow) cim.Value { return cim.Str(r.name) }},
		perfDisk("CurrentDiskQueueLength", cim.Uint32, 1, "in flight"),
		perfDisk("DiskReadsPersec", cim.Uint32, 1, "reads"),
		perfDisk("DiskWritesPersec", cim.Uint32, 1, "writes"),
		perfDisk("DiskTransfersPersec", cim.Uint32, 1, "reads", "writes"),
		perfDisk("DiskReadBytesPersec", cim.Uint64, sectorSize, "sectors read"),
		perfDisk("DiskWriteBytesPersec", cim.Uint64, sectorSize, "sectors written"),
		perfDisk("DiskBytesPersec", cim.Uint64, sectorSize, "sectors read", "sectors written"),
		perfDisk("AvgDiskQueueLength", cim.Uint64, ticksPerMillisecond, "time reading", "time writing"),
		perfDisk("AvgDiskReadQueueLength", cim.Uint64, ticksPerMillisecond, "time reading"),
		perfDisk("AvgDiskWriteQueueLength", cim.Uint64, ticksPerMillisecond, "time writing"),
		{name: "PercentIdleTime", get: (*perfDiskRow).idle},
		{name: "PercentIdleTime_Base", get: (*perfDiskRow).base},
	}
	for _, kind := range []struct {
		name                   string // of the operation in the names of the averages
		time                   string // of the share of time
		sectors, counts, times []string
	}{
		{"Read", "PercentDiskReadTime", []string{"sectors read"}, []string{"reads"}, []string{"time reading"}},
		{"Write", "PercentDiskWriteTime", []string{"sectors written"}, []string{"writes"}, []string{"time writing"}},
		{"Transfer", "PercentDiskTime", []string{"sectors read", "sectors written"}, []string{"reads", "writes"}, []string{"time reading", "time writing"}},
	} {
		columns = append(columns,
			perfDisk("AvgDiskBytesPer"+kind.name, cim.Uint64, sectorSize, kind.sectors...),
			perfDisk("AvgDiskBytesPer"+kind.name+"_Base", cim.Uint32, 1, kind.counts...),
			perfDisk("AvgDisksecPer"+kind.name, cim.Uint32, perfTimePerSecond/1000, kind.times...),
			perfDisk("AvgDisksecPer"+kind.name+"_Base", cim.Uint32, 1, kind.counts...),
			column[perfDiskRow]{name: kind.time, get: func(r *perfDiskRow) cim.Value {
				return r.shared(r.value(cim.Uint64, ticksPerMillisecond, kind.times...))
			}},
			column[perfDiskRow]{name: kind.time + "_Base", get: (*perfDiskRow).base},
		)
	}
	return stamped(func(r *perfDiskRow) *stamp { return &r.stamp }, false, append(columns, more...))
}

// base is the time of the sample, by the clock that nobody sets.
func (r *perfDiskRow) base() cim.Value { return cim.U64(r.even) }

// idle is the time in which the disk had nothing to do.
func (r *perfDiskRow) idle() cim.Value {
	busy, ok := r.value(cim.Uint64, ticksPerMillisecond, "time busy").Uint()
	if !ok {
		return cim.Value{}
	}
	busy /= r.disks()
	return cim.U64(r.even - min(r.even, busy))
}

// shared makes the total of a share of time the average of all disks.
func (r *perfDiskRow) shared(v cim.Value) cim.Value {
	n, ok := v.Uint()
	if !ok {
		return cim.Value{}
	}
	return cim.U64(n / r.disks())
}

// disks is how many disks the row stands for.
func (r *perfDiskRow) disks() uint64 { return max(r.counters["disks"], 1) }

var (
	perfPhysicalDiskTable = &table[perfDiskRow]{name: "Win32_PerfRawData_PerfDisk_PhysicalDisk", gather: gatherPerfPhysicalDisks,
		columns: perfDiskColumns()}
	perfLogicalDiskTable = &table[perfDiskRow]{name: "Win32_PerfRawData_PerfDisk_LogicalDisk", gather: gatherPerfLogicalDisks,
		columns: perfDiskColumns(
			perfDisk("FreeMegabytes", cim.Uint32, 1, "free"),
			perfDisk("PercentFreeSpace", cim.Uint32, 1, "free"),
			perfDisk("PercentFreeSpace_Base", cim.Uint32, 1, "size"),
		)}
)

// diskActivity reads the activity of every block device, by its number.
func (p *Provider) diskActivity() map[string]counters {
	out := map[string]counters{}
	for line := range strings.Lines(p.read("proc/diskstats")) {
		fields := strings.Fields(line)
		if len(fields) < 3+len(diskstats) {
			continue
		}
		c := counters{"disks": 1}
		for i, name := range diskstats {
			if n, err := strconv.ParseUint(fields[3+i], 10, 64); err == nil {
				c[name] = n
			}
		}
		out[fields[0]+":"+fields[1]] = c
	}
	return out
}

// gatherPerfPhysicalDisks gives the disk drives. An instance has the index of its Win32_DiskDrive in its name.
func gatherPerfPhysicalDisks(_ context.Context, p *Provider, _ uint32, _ query, f func(*perfDiskRow) error) error {
	at, activity := p.stampNow(), p.diskActivity()
	total := perfDiskTotal{stamp: at}
	for _, d := range p.disks() {
		if err := total.yield(strconv.Itoa(d.index)+" "+d.name, activity[d.number], f); err != nil {
			return err
		}
	}
	return total.end(f)
}

// gatherPerfLogicalDisks gives the file systems of this machine that lie on a device.
func gatherPerfLogicalDisks(ctx context.Context, p *Provider, _ uint32, _ query, f func(*perfDiskRow) error) error {
	at, activity := p.stampNow(), p.diskActivity()
	total := perfDiskTotal{stamp: at}
	fixed := func(kind uint32) bool { return kind == driveLocal || kind == driveRemovable }
	err := p.eachDisk(ctx, 0, query{}, fixed, func(r *diskRow) error {
		c := counters{}
		if device, ok := p.mountedDevice(r.m); ok {
			for name, n := range activity[device.number] {
				c[name] = n
			}
		}
		if r.fsKnown {
			c["free"], c["size"] = r.fs.available*r.fs.blockSize>>20, r.fs.blocks*r.fs.blockSize>>20
		}
		return total.yield(r.m.Mountpoint, c, f)
	})
	if err != nil {
		return err
	}
	return total.end(f)
}

// perfDiskTotal sums disks while it yields them.
type perfDiskTotal struct {
	stamp
	sum counters
}

func (t *perfDiskTotal) yield(name string, c counters, f func(*perfDiskRow) error) error {
	if t.sum == nil {
		t.sum = counters{}
		for n, v := range c {
			t.sum[n] = v
		}
	} else {
		t.sum.add(c)
	}
	return f(&perfDiskRow{stamp: t.stamp, name: name, counters: c})
}

// end yields the total where there is a disk at all.
func (t *perfDiskTotal) end(f func(*perfDiskRow) error) error {
	if t.sum == nil {
		return nil
	}
	return f(&perfDiskRow{stamp: t.stamp, name: perfTotal, counters: t.sum})
}
