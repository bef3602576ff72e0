package host

import (
	"bytes"
	"strconv"
	"strings"
)

// posixZone is the TZ string of POSIX, which ends a time zone file: "CET-1CEST,M3.5.0,M10.5.0/3".
//
// See RFC 9636 3.3 and 3.3.1. Offsets are in seconds east of UTC.
type posixZone struct {
	standard, daylight     string
	offset, daylightOffset int
	start, end             *zoneChange // nil: no daylight time, or a rule that is no weekday of a month
}

// zoneChange is a change at a weekday of a month: week 5 is the last one.
type zoneChange struct{ month, week, weekday, seconds int }

// zoneFooter reads the TZ string of a time zone file of version 2 or later.
func zoneFooter(data []byte) (posixZone, bool) {
	if !bytes.HasPrefix(data, []byte("TZif")) || len(data) < 5 || data[4] < '2' || data[len(data)-1] != '\n' {
		return posixZone{}, false
	}
	body := data[:len(data)-1]
	return parseZone(string(body[bytes.LastIndexByte(body, '\n')+1:]))
}

func parseZone(s string) (z posixZone, ok bool) {
	if z.standard, s, ok = zoneName(s); !ok {
		return z, false
	}
	if z.offset, s, ok = zoneOffset(s); !ok {
		return z, false
	}
	z.offset = -z.offset
	if s == "" {
		return z, true
	}
	if z.daylight, s, ok = zoneName(s); !ok {
		return z, false
	}
	z.daylightOffset = z.offset + 3600
	if s != "" && s[0] != ',' {
		var west int
		if west, s, ok = zoneOffset(s); !ok {
			return z, false
		}
		z.daylightOffset = -west
	}
	rules := strings.Split(strings.TrimPrefix(s, ","), ",")
	if len(rules) == 2 {
		z.start, z.end = parseChange(rules[0]), parseChange(rules[1])
	}
	return z, true
}

// zoneName takes an abbreviation: three letters or more, or anything in angle brackets.
func zoneName(s string) (name, rest string, ok bool) {
	if strings.HasPrefix(s, "<") {
		name, rest, ok = strings.Cut(s[1:], ">")
		return name, rest, ok && name != ""
	}
	n := 0
	for n < len(s) && (s[n] >= 'A' && s[n] <= 'Z' || s[n] >= 'a' && s[n] <= 'z') {
		n++
	}
	return s[:n], s[n:], n >= 3
}

// zoneOffset takes [+-]hh[:mm[:ss]] and gives seconds.
func zoneOffset(s string) (seconds int, rest string, ok bool) {
	n := 0
	for n < len(s) && strings.IndexByte("+-:0123456789", s[n]) >= 0 {
		n++
	}
	text, sign := s[:n], 1
	if strings.HasPrefix(text, "-") {
		sign = -1
	}
	text = strings.TrimLeft(text, "+-")
	parts := strings.Split(text, ":")
	if text == "" || len(parts) > 3 {
		return 0, s, false
	}
	for i, unit := range []int{3600, 60, 1} {
		if i >= len(parts) {
			break
		}
		v, err := strconv.Atoi(parts[i])
		if err != nil || v > 167 {
			return 0, s, false
		}
		seconds += v * unit
	}
	return sign * seconds, s[n:], true
}

// parseChange reads "Mm.w.d[/time]"; the time is 02:00 by default. Other forms give nil.
func parseChange(s string) *zoneChange {
	date, at, timed := strings.Cut(s, "/")
	c := &zoneChange{seconds: 2 * 3600}
	if timed {
		seconds, rest, ok := zoneOffset(at)
		if !ok || rest != "" || seconds < 0 || seconds >= 24*3600 {
			return nil
		}
		c.seconds = seconds
	}
	parts := strings.Split(strings.TrimPrefix(date, "M"), ".")
	if !strings.HasPrefix(date, "M") || len(parts) != 3 {
		return nil
	}
	for i, dst := range []*int{&c.month, &c.week, &c.weekday} {
		v, err := strconv.Atoi(parts[i])
		if err != nil || v < 0 {
			return nil
		}
		*dst = v
	}
	if c.month < 1 || c.month > 12 || c.week < 1 || c.week > 5 || c.weekday > 6 {
		return nil
	}
	return c
}
