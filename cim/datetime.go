package cim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DateTime is a CIM datetime in its 25 characters: a point in time
// "yyyymmddHHMMSS.mmmmmmsUUU" (s is + or -, UUU minutes from UTC; whole fields
// may be asterisks) or an interval "ddddddddHHMMSS.mmmmmm:000".
//
// See [MS-WMIO] 2.2.1 and the CIM Infrastructure specification, DSP0004.
type DateTime string

// ParseDateTime checks the 25 characters of s.
func ParseDateTime(s string) (DateTime, error) {
	d := DateTime(s)
	if len(s) != 25 || s[14] != '.' || !d.fieldsValid() {
		return "", &Error{Status: ErrTypeMismatch, Detail: strconv.Quote(s) + " is not a CIM datetime (yyyymmddHHMMSS.mmmmmm+UUU)"}
	}
	return d, nil
}

func (d DateTime) fieldsValid() bool {
	s := string(d)
	if s[21] == ':' {
		return digits(s[:14]) && digits(s[15:21]) && s[22:] == "000" &&
			s[8:10] < "24" && s[10:12] < "60" && s[12:14] < "60"
	}
	if s[21] != '+' && s[21] != '-' {
		return false
	}
	fields := [...]struct{ from, to, low, high int }{
		{0, 4, 0, 9999}, {4, 6, 1, 12}, {6, 8, 1, 31}, {8, 10, 0, 23}, {10, 12, 0, 59}, {12, 14, 0, 59},
	}
	for _, f := range fields {
		text := s[f.from:f.to]
		if strings.Trim(text, "*") == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || !digits(text) || n < f.low || n > f.high {
			return false
		}
	}
	return digitsThenStars(s[15:21]) && (digits(s[22:]) || s[22:] == "***")
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == "" && s != ""
}

func digitsThenStars(s string) bool {
	t := strings.TrimRight(s, "*")
	return t == "" || digits(t)
}

// IsInterval tells whether d is an interval rather than a point in time.
func (d DateTime) IsInterval() bool { return len(d) == 25 && d[21] == ':' }

// HasWildcards tells whether any field of d is asterisks.
func (d DateTime) HasWildcards() bool { return strings.Contains(string(d), "*") }

// Time is the point in time; ok is false for intervals, for wildcards and for
// days that the calendar does not have.
func (d DateTime) Time() (t time.Time, ok bool) {
	if len(d) != 25 || d.IsInterval() || d.HasWildcards() || !d.fieldsValid() {
		return time.Time{}, false
	}
	n := func(from, to int) int { v, _ := strconv.Atoi(string(d[from:to])); return v }
	offset := n(22, 25) * 60
	if d[21] == '-' {
		offset = -offset
	}
	t = time.Date(n(0, 4), time.Month(n(4, 6)), n(6, 8), n(8, 10), n(10, 12), n(12, 14), n(15, 21)*1000,
		time.FixedZone("", offset))
	return t, t.Day() == n(6, 8)
}

// Duration is the length of an interval; ok is false for points in time and
// for intervals beyond 292 years.
func (d DateTime) Duration() (length time.Duration, ok bool) {
	if !d.IsInterval() || !d.fieldsValid() {
		return 0, false
	}
	n := func(from, to int) int64 { v, _ := strconv.ParseInt(string(d[from:to]), 10, 64); return v }
	days := n(0, 8)
	if days > 106_000 {
		return 0, false
	}
	seconds := ((days*24+n(8, 10))*60+n(10, 12))*60 + n(12, 14)
	return time.Duration(seconds)*time.Second + time.Duration(n(15, 21))*time.Microsecond, true
}

// AtTime is the CIM datetime of t, in its own zone, to the microsecond.
func AtTime(t time.Time) DateTime {
	_, offset := t.Zone()
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return DateTime(fmt.Sprintf("%04d%02d%02d%02d%02d%02d.%06d%c%03d", t.Year(), t.Month(), t.Day(),
		t.Hour(), t.Minute(), t.Second(), t.Nanosecond()/1000, sign, offset/60))
}

// Interval is the CIM interval of length d, to the microsecond; a negative
// length has no CIM form and becomes zero.
func Interval(d time.Duration) DateTime {
	d = max(d, 0)
	s := int64(d / time.Second)
	return DateTime(fmt.Sprintf("%08d%02d%02d%02d.%06d:000", s/86400, s/3600%24, s/60%60, s%60,
		int64(d%time.Second)/1000))
}
