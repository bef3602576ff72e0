package wsman

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads an xs:duration that is not negative: "PT60.000S",
// "P0DT0H0M36S". A year counts 365 days and a month 30. Digits beyond
// nanoseconds are dropped. What does not fit a time.Duration (292 years) is
// an error.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("wsman: %.40q is not a duration of zero or more (expected, for instance, PT60.000S)", s)
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" || len(s) > 64 {
		return 0, bad
	}
	date, clock, hasClock := strings.Cut(rest, "T")
	if hasClock && clock == "" {
		return 0, bad
	}
	var total time.Duration
	const day = 24 * time.Hour
	if !addParts(&total, date, "YMD", []time.Duration{365 * day, 30 * day, day}) ||
		!addParts(&total, clock, "HMS", []time.Duration{time.Hour, time.Minute, time.Second}) {
		return 0, bad
	}
	return total, nil
}

// addParts adds the number-designator pairs of s, which must come in the
// order of names. Only seconds may have a fraction.
func addParts(total *time.Duration, s, names string, units []time.Duration) bool {
	next := 0
	for s != "" {
		n := 0
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.') {
			n++
		}
		if n == 0 || n == len(s) {
			return false
		}
		i := strings.IndexByte(names[next:], s[n])
		if i < 0 {
			return false
		}
		i += next
		next = i + 1
		whole, frac, dotted := strings.Cut(s[:n], ".")
		if dotted && (s[n] != 'S' || frac == "" || strings.Contains(frac, ".")) {
			return false
		}
		v, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || v > int64(math.MaxInt64/units[i]) {
			return false
		}
		d := time.Duration(v) * units[i]
		if dotted {
			if len(frac) > 9 {
				frac = frac[:9]
			}
			ns, _ := strconv.ParseInt(frac+"000000000"[len(frac):], 10, 64)
			if d > math.MaxInt64-time.Duration(ns) {
				return false
			}
			d += time.Duration(ns)
		}
		if *total > math.MaxInt64-d {
			return false
		}
		*total += d
		s = s[n+1:]
	}
	return true
}

// FormatDuration writes a duration as clients and servers of Windows do in
// headers: seconds with three decimals, "PT60.000S". What is below a
// millisecond is dropped; a negative duration is written as zero.
func FormatDuration(d time.Duration) string {
	d = max(d, 0)
	return fmt.Sprintf("PT%d.%03dS", d/time.Second, d%time.Second/time.Millisecond)
}

// FormatInterval writes a duration as Windows does in the state of a shell:
// "P0DT0H0M36S". What is below a second is dropped.
func FormatInterval(d time.Duration) string {
	d = max(d, 0) / time.Second
	return fmt.Sprintf("P%dDT%dH%dM%dS", d/86400, d/3600%24, d/60%60, d%60)
}
