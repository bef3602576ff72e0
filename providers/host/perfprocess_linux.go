package host

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/procs"
)

// perfProcessRow is one process, or the total of all.
type perfProcessRow struct {
	stamp
	processRow
	instance string
	total    bool
}

func perfProcess(name string, need procs.Fields, get func(*perfProcessRow) cim.Value) column[perfProcessRow] {
	c := column[perfProcessRow]{name: name, get: func(r *perfProcessRow) cim.Value {
		if r.Known&need != need {
			return cim.Value{}
		}
		return get(r)
	}}
	if need != procs.Stat {
		c.need = uint32(need)
	}
	return c
}

// ofOne is a value that a total of processes cannot have.
func ofOne(get func(*perfProcessRow) cim.Value) func(*perfProcessRow) cim.Value {
	return func(r *perfProcessRow) cim.Value {
		if r.total {
			return cim.Value{}
		}
		return get(r)
	}
}

var perfProcessTable = &table[perfProcessRow]{name: "Win32_PerfRawData_PerfProc_Process", gather: gatherPerfProcesses,
	columns: stamped(func(r *perfProcessRow) *stamp { return &r.stamp }, true, []column[perfProcessRow]{
		{name: "Name", get: func(r *perfProcessRow) cim.Value { return cim.Str(r.instance) }},
		perfProcess("IDProcess", procs.Stat, func(r *perfProcessRow) cim.Value { return cim.U32(uint32(r.PID)) }),
		perfProcess("CreatingProcessID", procs.Stat, func(r *perfProcessRow) cim.Value { return cim.U32(uint32(r.PPID)) }),
		perfProcess("ElapsedTime", procs.Stat, ofOne(func(r *perfProcessRow) cim.Value {
			if r.StartTime.IsZero() {
				return cim.Value{}
			}
			return cim.U64(fileTime(r.StartTime))
		})),
		perfProcess("PercentProcessorTime", procs.Stat, func(r *perfProcessRow) cim.Value { return cim.U64(ticks(r.UserTime + r.SystemTime)) }),
		perfProcess("PercentUserTime", procs.Stat, func(r *perfProcessRow) cim.Value { return cim.U64(ticks(r.UserTime)) }),
		perfProcess("PercentPrivilegedTime", procs.Stat, func(r *perfProcessRow) cim.Value { return cim.U64(ticks(r.SystemTime)) }),
		perfProcess("PriorityBase", procs.Stat, ofOne(func(r *perfProcessRow) cim.Value { return processPriority(&r.processRow) })),
		perfProcess("ThreadCount", procs.Stat, func(r *perfProcessRow) cim.Value { return positive(r.Threads) }),
		perfProcess("PageFaultsPersec", procs.Stat, func(r *perfProcessRow) cim.Value { return cim.U32(uint32(r.MinorFaults + r.MajorFaults)) }),
		perfProcess("VirtualBytes", procs.Stat, func(r *perfProcessRow) cim.Value { return cim.U64(r.VirtualBytes) }),
		perfProcess("WorkingSet", procs.Stat, func(r *perfProcessRow) cim.Value { return cim.U64(r.ResidentBytes) }),
		perfProcess("VirtualBytesPeak", procs.Status, ofOne(func(r *perfProcessRow) cim.Value { return cim.U64(r.PeakVirtualBytes) })),
		perfProcess("WorkingSetPeak", procs.Status, ofOne(func(r *perfProcessRow) cim.Value { return cim.U64(r.PeakResidentBytes) })),
		perfProcess("WorkingSetPrivate", procs.Status, func(r *perfProcessRow) cim.Value { return cim.U64(r.AnonymousBytes) }),
		perfProcess("PrivateBytes", procs.Status, func(r *perfProcessRow) cim.Value { return cim.U64(r.private()) }),
		perfProcess("PageFileBytes", procs.Status, func(r *perfProcessRow) cim.Value { return cim.U64(r.private()) }),
		perfProcess("HandleCount", procs.FDs, func(r *perfProcessRow) cim.Value { return cim.U32(uint32(r.FDs)) }),
		perfProcess("IOReadOperationsPersec", procs.IO, func(r *perfProcessRow) cim.Value { return cim.U64(r.ReadCalls) }),
		perfProcess("IOWriteOperationsPersec", procs.IO, func(r *perfProcessRow) cim.Value { return cim.U64(r.WriteCalls) }),
		perfProcess("IODataOperationsPersec", procs.IO, func(r *perfProcessRow) cim.Value { return cim.U64(r.ReadCalls + r.WriteCalls) }),
		perfProcess("IOReadBytesPersec", procs.IO, func(r *perfProcessRow) cim.Value { return cim.U64(r.ReadChars) }),
		perfProcess("IOWriteBytesPersec", procs.IO, func(r *perfProcessRow) cim.Value { return cim.U64(r.WriteChars) }),
		perfProcess("IODataBytesPersec", procs.IO, func(r *perfProcessRow) cim.Value { return cim.U64(r.ReadChars + r.WriteChars) }),
	})}

func gatherPerfProcesses(ctx context.Context, p *Provider, need uint32, _ query, f func(*perfProcessRow) error) error {
	t, err := p.openProcs()
	if err != nil {
		return err
	}
	fields := procs.Fields(need) | procs.Stat
	at := p.stampNow()
	r := &perfProcessRow{stamp: at}
	total := &perfProcessRow{stamp: at, instance: perfTotal, total: true}
	total.Known = fields
	var names uniqueNames
	names.next(perfTotal) // a process of that name becomes "_Total#1"
	err = t.Each(ctx, fields, func(one *procs.Process) error {
		r.Process = *one
		r.instance = names.next(one.Name)
		total.add(one)
		return f(r)
	})
	if err != nil {
		return err
	}
	return f(total)
}

// add counts a process. What is not known of one is not known of the total.
func (r *perfProcessRow) add(one *procs.Process) {
	r.Known &= one.Known
	r.UserTime += one.UserTime
	r.SystemTime += one.SystemTime
	r.Threads += one.Threads
	r.MinorFaults += one.MinorFaults
	r.MajorFaults += one.MajorFaults
	r.VirtualBytes += one.VirtualBytes
	r.ResidentBytes += one.ResidentBytes
	r.AnonymousBytes += one.AnonymousBytes
	r.SwapBytes += one.SwapBytes
	r.FDs += one.FDs
	r.ReadCalls += one.ReadCalls
	r.WriteCalls += one.WriteCalls
	r.ReadChars += one.ReadChars
	r.WriteChars += one.WriteChars
}
