package host

import (
	"time"

	"github.com/casementhq/casement/cim"
)

// The raw performance classes, Win32_PerfRawData_*, are tables like the others; every row carries the time of its
// sample. The formatted classes are made of two samples of them: see perfcooked.go.

// The frequencies of the clocks. The times of disk requests have 32 bits in units of the second one: in microseconds
// they do not overflow within a measurement.
const (
	ticksPerSecond    = 10_000_000 // of Timestamp_Sys100NS and Timestamp_Object
	perfTimePerSecond = 1_000_000  // of Timestamp_PerfTime
)

// stamp is when a sample was taken, in ticks of 100 ns.
type stamp struct {
	sys100NS uint64 // since 1601, by the clock of the machine
	even     uint64 // since the start of the machine, by a clock that nobody sets
}

// stampNow is the time of a sample that is about to be read.
func (p *Provider) stampNow() stamp {
	now := p.now()
	s := stamp{sys100NS: fileTime(now)}
	s.even = s.sys100NS
	if p.system.uptime != nil {
		s.even = ticks(p.system.uptime())
	}
	return s
}

// fileTime is a time in ticks of 100 ns since 1601.
func fileTime(t time.Time) uint64 {
	const secondsTo1970 = 11_644_473_600
	return uint64(t.Unix()+secondsTo1970)*ticksPerSecond + uint64(t.Nanosecond()/100)
}

// ticks is a span of time in units of 100 ns.
func ticks(d time.Duration) uint64 { return uint64(d / 100) }

// stamped adds the columns of the time stamps. Only objects with a clock of their own have the object time; it is that
// of the machine.
func stamped[T any](at func(*T) *stamp, objectTime bool, columns []column[T]) []column[T] {
	frequency, object := fixedValue[T](cim.U64(ticksPerSecond)), func(*T) cim.Value { return cim.U64(0) }
	objectFrequency := object
	sys := func(r *T) cim.Value { return cim.U64(at(r).sys100NS) }
	if objectTime {
		object, objectFrequency = sys, frequency
	}
	return append(columns,
		column[T]{name: "Timestamp_Sys100NS", get: sys},
		column[T]{name: "Timestamp_PerfTime", get: func(r *T) cim.Value { return cim.U64(at(r).even / (ticksPerSecond / perfTimePerSecond)) }},
		column[T]{name: "Timestamp_Object", get: object},
		column[T]{name: "Frequency_Sys100NS", get: frequency},
		column[T]{name: "Frequency_PerfTime", get: fixedValue[T](cim.U64(perfTimePerSecond))},
		column[T]{name: "Frequency_Object", get: objectFrequency},
	)
}

// counters are numbers by the names that the kernel gives them; what is absent is not known.
type counters map[string]uint64

// u32 and u64 are one of the numbers as a value.
func (c counters) u32(name string) cim.Value { return c.value(cim.Uint32, 1, name) }
func (c counters) u64(name string) cim.Value { return c.value(cim.Uint64, 1, name) }

// value is the sum of numbers in units of 1/scale; NULL where one of them is not known.
func (c counters) value(t cim.Type, scale uint64, names ...string) cim.Value {
	var sum uint64
	for _, name := range names {
		n, ok := c[name]
		if !ok {
			return cim.Null(t)
		}
		sum += n
	}
	return cim.Uint(t, sum*scale)
}

// add adds each number of other; what other does not know is not known of the sum either.
func (c counters) add(other counters) {
	for name := range c {
		n, ok := other[name]
		if !ok {
			delete(c, name)
			continue
		}
		c[name] += n
	}
}
