package host

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/procs"
)

// perfProcessorRow is one logical processor, or the total of all. Times are in ticks of 100 ns.
type perfProcessorRow struct {
	stamp
	name     string
	counters // by the name of the raw property
}

const (
	perfInterrupts uint32 = 1 << iota
	perfSoftIRQs
	perfSleep
)

// perfTotal is the name of the instance that stands for all others.
const perfTotal = "_Total"

var perfProcessorTable = &table[perfProcessorRow]{name: "Win32_PerfRawData_PerfOS_Processor", gather: gatherPerfProcessors,
	columns: stamped(func(r *perfProcessorRow) *stamp { return &r.stamp }, false, []column[perfProcessorRow]{
		{name: "Name", get: func(r *perfProcessorRow) cim.Value { return cim.Str(r.name) }},
		perfProcessor("PercentProcessorTime", 0), // the idle time: its counter type is the inverse one
		perfProcessor("PercentIdleTime", 0),
		perfProcessor("PercentUserTime", 0),
		perfProcessor("PercentPrivilegedTime", 0),
		perfProcessor("PercentInterruptTime", 0),
		perfProcessor("PercentDPCTime", 0),
		{name: "InterruptsPersec", need: perfInterrupts, get: func(r *perfProcessorRow) cim.Value { return r.u32("InterruptsPersec") }},
		{name: "DPCsQueuedPersec", need: perfSoftIRQs, get: func(r *perfProcessorRow) cim.Value { return r.u32("DPCsQueuedPersec") }},
		perfProcessor("PercentC1Time", perfSleep),
		perfProcessor("PercentC2Time", perfSleep),
		perfProcessor("PercentC3Time", perfSleep),
		perfProcessor("C1TransitionsPersec", perfSleep),
		perfProcessor("C2TransitionsPersec", perfSleep),
		perfProcessor("C3TransitionsPersec", perfSleep),
	})}

func perfProcessor(name string, need uint32) column[perfProcessorRow] {
	return column[perfProcessorRow]{name: name, need: need, get: func(r *perfProcessorRow) cim.Value { return r.u64(name) }}
}

func gatherPerfProcessors(_ context.Context, p *Provider, need uint32, _ query, f func(*perfProcessorRow) error) error {
	t, err := p.openProcs()
	if err != nil {
		return err
	}
	at := p.stampNow()
	host, err := t.Host()
	if err != nil {
		return err
	}
	var interrupts, softIRQs map[int]uint64
	if need&perfInterrupts != 0 {
		interrupts = perProcessor(p.read("proc/interrupts"))
	}
	if need&perfSoftIRQs != 0 {
		softIRQs = perProcessor(p.read("proc/softirqs"))
	}
	var total counters
	numbers := make([]int, 0, len(host.CPU))
	for n := range host.CPU {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		c := processorTimes(host.CPU[n])
		if v, ok := interrupts[n]; ok {
			c["InterruptsPersec"] = v
		}
		if v, ok := softIRQs[n]; ok {
			c["DPCsQueuedPersec"] = v
		}
		if need&perfSleep != 0 {
			p.sleepStates(n, c)
		}
		if err := f(&perfProcessorRow{stamp: at, name: strconv.Itoa(n), counters: c}); err != nil {
			return err
		}
		if total == nil {
			total = c
		} else {
			total.add(c)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	// The total of a share of time is the average of all processors; that of a count is the sum.
	for name := range total {
		if strings.HasPrefix(name, "Percent") {
			total[name] /= uint64(len(numbers))
		}
	}
	return f(&perfProcessorRow{stamp: at, name: perfTotal, counters: total})
}

func processorTimes(t procs.CPUTimes) counters {
	idle := ticks(t.Idle + t.IOWait)
	return counters{
		"PercentProcessorTime": idle, "PercentIdleTime": idle,
		"PercentUserTime":       ticks(t.User + t.Nice),
		"PercentPrivilegedTime": ticks(t.System + t.IRQ + t.SoftIRQ),
		"PercentInterruptTime":  ticks(t.IRQ),
		"PercentDPCTime":        ticks(t.SoftIRQ),
	}
}

// perProcessor sums the columns of /proc/interrupts or /proc/softirqs; the first line names the processors. Lines that
// have fewer numbers count events of the whole machine.
func perProcessor(text string) map[int]uint64 {
	head, rows, ok := strings.Cut(text, "\n")
	if !ok {
		return nil
	}
	var numbers []int
	for _, h := range strings.Fields(head) {
		n, err := strconv.Atoi(strings.TrimPrefix(h, "CPU"))
		if err != nil {
			return nil
		}
		numbers = append(numbers, n)
	}
	sums := make([]uint64, len(numbers))
	row := make([]uint64, len(numbers))
	for line := range strings.Lines(rows) {
		_, values, _ := strings.Cut(line, ":")
		i := 0
		for v := range strings.FieldsSeq(values) {
			n, err := strconv.ParseUint(v, 10, 64)
			if err != nil || i == len(row) {
				break
			}
			row[i] = n
			i++
		}
		if i == len(row) {
			for i, n := range row {
				sums[i] += n
			}
		}
	}
	out := make(map[int]uint64, len(numbers))
	for i, n := range numbers {
		out[n] = sums[i]
	}
	return out
}

// sleepStates adds the times in which a processor slept and how often it began to. Every state is counted as the C
// state whose number its name has, those deeper than C3 as C3; a machine without cpuidle has none.
func (p *Provider) sleepStates(processor int, c counters) {
	for i := range 16 {
		dir := "sys/devices/system/cpu/cpu" + strconv.Itoa(processor) + "/cpuidle/state" + strconv.Itoa(i) + "/"
		name := p.read(dir + "name")
		if name == "" {
			return
		}
		if len(name) < 2 || name[0] != 'C' || name[1] < '1' || name[1] > '9' {
			continue // the processor waited without sleeping
		}
		state := "C" + string(min(name[1], '3'))
		time, err1 := strconv.ParseUint(p.read(dir+"time"), 10, 64) // microseconds
		usage, err2 := strconv.ParseUint(p.read(dir+"usage"), 10, 64)
		if err1 == nil && err2 == nil {
			c["Percent"+state+"Time"] += time * 10
			c[state+"TransitionsPersec"] += usage
		}
	}
}
