package host

import (
	"math"
	"testing"
)

// The expected values are worked out by hand from the formulas of the counter types in the product documentation.
func TestFormulas(t *testing.T) {
	const mhz10, second = 10_000_000, 10_000_000 // ticks per second
	tested := map[string]bool{}
	for _, test := range []struct {
		name          string
		kind          string
		before, after reading
		width         int
		want          float64
		ok            bool
	}{
		{"a number stands for itself", "PERF_COUNTER_RAWCOUNT", reading{}, reading{value: 42}, 32, 42, true},
		{"a large number too", "PERF_COUNTER_LARGE_RAWCOUNT", reading{}, reading{value: 1 << 40}, 64, 1099511627776, true},
		{"25 of 200 MB are free", "PERF_RAW_FRACTION", reading{}, reading{value: 25, base: 200}, 32, 12.5, true},
		{"a part of nothing", "PERF_RAW_FRACTION", reading{}, reading{value: 25}, 32, 0, false},
		{"an hour and a half", "PERF_ELAPSED_TIME", reading{}, reading{value: 1000, time: 1000 + 5400*second, frequency: mhz10}, 64, 5400, true},
		{"begun in the future", "PERF_ELAPSED_TIME", reading{}, reading{value: 2000, time: 1000, frequency: mhz10}, 64, 0, false},
		{"300 in 2 s", "PERF_COUNTER_COUNTER", reading{value: 1000, time: 5 * mhz10}, reading{value: 1300, time: 7 * mhz10, frequency: mhz10}, 32, 150, true},
		{"32 bits wrap around", "PERF_COUNTER_COUNTER", reading{value: math.MaxUint32 - 9, time: 0}, reading{value: 90, time: mhz10, frequency: mhz10}, 32, 100, true},
		{"32 bits that began anew", "PERF_COUNTER_COUNTER", reading{value: 5000}, reading{value: 10, time: mhz10, frequency: mhz10}, 32, 0, false},
		{"5000000000 in 2.5 s", "PERF_COUNTER_BULK_COUNT", reading{value: 7, time: mhz10}, reading{value: 5_000_000_007, time: mhz10 * 7 / 2, frequency: mhz10}, 64, 2_000_000_000, true},
		{"a counter that began anew", "PERF_COUNTER_BULK_COUNT", reading{value: 900, time: 0}, reading{value: 10, time: mhz10, frequency: mhz10}, 64, 0, false},
		{"no time went by", "PERF_COUNTER_BULK_COUNT", reading{value: 1, time: 5}, reading{value: 10, time: 5, frequency: mhz10}, 64, 0, false},
		{"0.6 s of 2 s", "PERF_100NSEC_TIMER", reading{value: 100, time: 1000}, reading{value: 100 + 6_000_000, time: 1000 + 2*second}, 64, 30, true},
		{"two processors at work", "PERF_100NSEC_TIMER", reading{}, reading{value: 2 * second, time: second}, 64, 200, true},
		{"a tick taken back", "PERF_100NSEC_TIMER", reading{value: 100_000}, reading{value: 0, time: second}, 64, 0, true},
		{"a process of 5 s that ended", "PERF_100NSEC_TIMER", reading{value: 8 * second}, reading{value: 3 * second, time: second}, 64, 0, false},
		{"idle 1.5 s of 2 s", "PERF_100NSEC_TIMER_INV", reading{value: 5, time: 5}, reading{value: 5 + 15_000_000, time: 5 + 2*second}, 64, 25, true},
		{"idle longer than the clock says", "PERF_100NSEC_TIMER_INV", reading{}, reading{value: second + 1000, time: second}, 64, 0, true},
		{"no time for an inverse", "PERF_100NSEC_TIMER_INV", reading{}, reading{value: 7}, 64, 100, false},
		{"0.1 s of a base of 4 s", "PERF_PRECISION_100NS_TIMER", reading{value: 50, base: 70, time: 9}, reading{value: 50 + second/10, base: 70 + 4*second, time: 1}, 64, 2.5, true},
		{"on average three waited", "PERF_COUNTER_100NS_QUEUELEN_TYPE", reading{value: 10, time: 10}, reading{value: 10 + 6*second, time: 10 + 2*second}, 64, 3, true},
		{"20 reads in 0.5 s", "PERF_AVERAGE_TIMER", reading{value: 4, base: 3}, reading{value: 4 + 5_000_000, base: 23, frequency: mhz10}, 32, 0.025, true},
		{"a time of 32 bits wraps around", "PERF_AVERAGE_TIMER", reading{value: math.MaxUint32, base: 1}, reading{value: mhz10 - 1, base: 3, frequency: mhz10}, 32, 0.5, true},
		{"no reads", "PERF_AVERAGE_TIMER", reading{value: 4, base: 3}, reading{value: 4, base: 3, frequency: mhz10}, 32, 0, true},
		{"4096 bytes by 8 reads", "PERF_AVERAGE_BULK", reading{value: 1 << 33, base: 100}, reading{value: 1<<33 + 4096, base: 108}, 64, 512, true},
		{"the base wraps around", "PERF_AVERAGE_BULK", reading{value: 0, base: math.MaxUint32}, reading{value: 300, base: 2}, 64, 100, true},
		{"an average of a counter that began anew", "PERF_AVERAGE_BULK", reading{value: 10, base: 1}, reading{value: 0, base: 5}, 64, 0, false},
	} {
		f, found := formulas[test.kind]
		tested[test.kind] = true
		if !found {
			t.Fatalf("no formula %s", test.kind)
		}
		got, ok := f.cook(test.before, test.after, test.width)
		if ok != test.ok || ok && math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s (%s): %v, %v, want %v, %v", test.name, test.kind, got, ok, test.want, test.ok)
		}
	}
	for kind := range formulas {
		if !tested[kind] {
			t.Errorf("%s has no case", kind)
		}
	}
}
