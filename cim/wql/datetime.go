package wql

import (
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// instant is what datetimes are ordered by: microseconds since 1970 in UTC, or
// the length of an interval. ok is false for wildcards and impossible days.
// It allocates nothing.
func instant(d cim.DateTime) (micros int64, interval, ok bool) {
	if len(d) != 25 || d.HasWildcards() {
		return 0, false, false
	}
	if d.IsInterval() {
		days := number(d, 0, 8)
		return ((days*24+number(d, 8, 10))*60+number(d, 10, 12))*60_000_000 +
			number(d, 12, 14)*1_000_000 + number(d, 15, 21), true, true
	}
	t := time.Date(int(number(d, 0, 4)), time.Month(number(d, 4, 6)), int(number(d, 6, 8)),
		int(number(d, 8, 10)), int(number(d, 10, 12)), int(number(d, 12, 14)), 0, time.UTC)
	offset := number(d, 22, 25) * 60
	if d[21] == '-' {
		offset = -offset
	}
	return (t.Unix()-offset)*1_000_000 + number(d, 15, 21), false, t.Day() == int(number(d, 6, 8))
}

func number(d cim.DateTime, from, to int) (n int64) {
	for i := from; i < to; i++ {
		n = n*10 + int64(d[i]-'0')
	}
	return n
}

// equalTimes compares in UTC; datetimes with asterisks compare character by
// character. See spec/wmi.md 2.4.
func equalTimes(a, b cim.DateTime) bool {
	order, ok := compareTimes(a, b)
	return ok && order == 0
}

// parseTime reads a datetime constant: the 25 characters of CIM, or the ISO
// form "yyyy-mm-dd[ HH:MM:SS[:mmm]]", which is taken as UTC.
func parseTime(s string) (cim.DateTime, error) {
	s = strings.TrimSpace(s)
	d, err := cim.ParseDateTime(s)
	if err == nil {
		return d, nil
	}
	if len(s) == len("yyyy-mm-dd HH:MM:SS:mmm") && s[19] == ':' {
		s = s[:19] + "." + s[20:]
	}
	for _, layout := range []string{"2006-01-02 15:04:05.000", time.DateTime, time.DateOnly} {
		if t, terr := time.ParseInLocation(layout, s, time.UTC); terr == nil {
			return cim.AtTime(t), nil
		}
	}
	return "", err
}
