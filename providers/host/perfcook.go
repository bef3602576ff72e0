package host

import "math"

// reading is what a formula takes of one sample: the counter, its base, the time stamp and the ticks per second of
// that stamp. Where a formula has no use for one of them it is zero.
type reading struct{ value, base, time, frequency uint64 }

// formula makes the value of a formatted counter of two samples of the raw one. width is the number of bits in which
// the counter wraps around. ok is false where the samples say nothing: no time went by, or a counter began anew.
// Formulas of one sample take the later one. See the documentation of the CounterType qualifier.
type formula struct {
	samples int
	cook    func(before, after reading, width int) (value float64, ok bool)
}

// formulas are by the name that the CookingType qualifier gives.
var formulas = map[string]formula{
	"PERF_COUNTER_RAWCOUNT":            {1, rawCount},
	"PERF_COUNTER_LARGE_RAWCOUNT":      {1, rawCount},
	"PERF_RAW_FRACTION":                {1, fraction},
	"PERF_ELAPSED_TIME":                {1, elapsedTime},
	"PERF_COUNTER_COUNTER":             {2, perSecond},
	"PERF_COUNTER_BULK_COUNT":          {2, perSecond},
	"PERF_100NSEC_TIMER":               {2, busyTime},
	"PERF_100NSEC_TIMER_INV":           {2, idleTime},
	"PERF_PRECISION_100NS_TIMER":       {2, precisionTime},
	"PERF_COUNTER_100NS_QUEUELEN_TYPE": {2, queueLength},
	"PERF_AVERAGE_TIMER":               {2, averageTime},
	"PERF_AVERAGE_BULK":                {2, averageBulk},
}

// rawCount is the counter itself.
func rawCount(_, b reading, _ int) (float64, bool) { return float64(b.value), true }

// fraction is the counter in percent of its base.
func fraction(_, b reading, _ int) (float64, bool) {
	if b.base == 0 {
		return 0, false
	}
	return 100 * float64(b.value) / float64(b.base), true
}

// elapsedTime is the seconds since the moment that the counter names.
func elapsedTime(_, b reading, _ int) (float64, bool) {
	if b.frequency == 0 || b.time < b.value {
		return 0, false
	}
	return float64(b.time-b.value) / float64(b.frequency), true
}

// perSecond is the growth of the counter in one second.
func perSecond(a, b reading, width int) (float64, bool) {
	d, ok := growth(a.value, b.value, width)
	if !ok || b.time <= a.time || b.frequency == 0 {
		return 0, false
	}
	return d / (float64(b.time-a.time) / float64(b.frequency)), true
}

// busyTime is the growth of a time in percent of the time that went by. It may exceed 100 where several processors
// worked.
func busyTime(a, b reading, width int) (float64, bool) {
	share, ok := queueLength(a, b, width)
	return 100 * share, ok
}

// idleTime is what busyTime leaves of 100 percent.
func idleTime(a, b reading, width int) (float64, bool) {
	busy, ok := busyTime(a, b, width)
	return min(max(100-busy, 0), 100), ok
}

// precisionTime is busyTime with the time that the base holds.
func precisionTime(a, b reading, width int) (float64, bool) {
	a.time, b.time = a.base, b.base
	return busyTime(a, b, width)
}

// queueLength is the growth of a sum of times by the time that went by: how many were waiting on average. The kernel
// may correct such a sum downwards a little; that is no growth. A sum that falls by more than a tenth of the time began
// anew, or lost a part, as the total of all processes does when one ends.
func queueLength(a, b reading, width int) (float64, bool) {
	if b.time <= a.time {
		return 0, false
	}
	elapsed := b.time - a.time
	d, ok := growth(a.value, b.value, width)
	if !ok {
		d = 0
		ok = b.value < a.value && a.value-b.value <= elapsed/10
	}
	return d / float64(elapsed), ok
}

// averageTime is the seconds that one operation took; zero where there was none.
func averageTime(a, b reading, width int) (float64, bool) {
	if b.frequency == 0 {
		return 0, false
	}
	ticks, ok := averageBulk(a, b, width)
	return ticks / float64(b.frequency), ok
}

// averageBulk is the growth of the counter for one operation; zero where there was none. The bases of averages have
// 32 bits.
func averageBulk(a, b reading, width int) (float64, bool) {
	d, ok := growth(a.value, b.value, width)
	operations := uint32(b.base) - uint32(a.base)
	if !ok || operations == 0 {
		return 0, ok
	}
	return d / float64(operations), true
}

// growth is how much a counter went up. A counter of 32 bits wraps around; one that went down, or by more than half of
// its range, began anew.
func growth(before, after uint64, width int) (float64, bool) {
	if width == 32 {
		d := uint32(after) - uint32(before)
		return float64(d), d <= math.MaxInt32
	}
	return float64(after - before), after >= before
}
