package host

import (
	"context"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// perfSystemRow is the machine as a whole.
type perfSystemRow struct {
	stamp
	counters // switches, processes, threads, queue, boot
}

var perfSystemTable = &table[perfSystemRow]{name: "Win32_PerfRawData_PerfOS_System", gather: gatherPerfSystem,
	columns: stamped(func(r *perfSystemRow) *stamp { return &r.stamp }, true, []column[perfSystemRow]{
		{name: "ContextSwitchesPersec", get: func(r *perfSystemRow) cim.Value { return r.u32("switches") }},
		{name: "Processes", get: func(r *perfSystemRow) cim.Value { return r.u32("processes") }},
		{name: "Threads", get: func(r *perfSystemRow) cim.Value { return r.u32("threads") }},
		{name: "ProcessorQueueLength", get: func(r *perfSystemRow) cim.Value { return r.u32("queue") }},
		{name: "SystemUpTime", get: func(r *perfSystemRow) cim.Value { return r.u64("boot") }},
	})}

func gatherPerfSystem(_ context.Context, p *Provider, _ uint32, _ query, f func(*perfSystemRow) error) error {
	t, err := p.openProcs()
	if err != nil {
		return err
	}
	r := &perfSystemRow{stamp: p.stampNow(), counters: counters{}}
	host, err := t.Host()
	if err != nil {
		return err
	}
	if host.ContextSwitches != nil {
		r.counters["switches"] = *host.ContextSwitches
	}
	if host.Running != nil { // those that run now wait for no processor
		r.counters["queue"] = *host.Running - min(*host.Running, uint64(len(host.CPU)))
	}
	if pids, err := t.PIDs(); err == nil {
		r.counters["processes"] = uint64(len(pids))
	}
	if fields := strings.Fields(p.read("proc/loadavg")); len(fields) > 3 { // "running/all"
		_, all, _ := strings.Cut(fields[3], "/")
		if n, err := strconv.ParseUint(all, 10, 32); err == nil {
			r.counters["threads"] = n
		}
	}
	if boot, err := t.BootTime(); err == nil {
		r.counters["boot"] = fileTime(boot)
	}
	return f(r)
}
