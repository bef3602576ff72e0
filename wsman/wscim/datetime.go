package wscim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// appendDateTime appends the child element that carries a CIM datetime:
// cim:Datetime for a whole point in time, cim:Interval for an interval,
// cim:CIM_DateTime with the 25 characters for one with asterisks. See
// DSP0230 9.2 and [MS-WSMV] 3.1.4.1.36.
func appendDateTime(dst []byte, d cim.DateTime) []byte {
	s := string(d)
	if d.IsInterval() {
		dst = append(dst, "<cim:Interval>"...)
		dst = appendInterval(dst, s)
		return append(dst, "</cim:Interval>"...)
	}
	if len(s) != 25 || d.HasWildcards() {
		dst = append(dst, "<cim:CIM_DateTime>"...)
		dst = append(dst, s...)
		return append(dst, "</cim:CIM_DateTime>"...)
	}
	dst = append(dst, "<cim:Datetime>"...)
	dst = append(dst, s[0:4]...)
	dst = append(dst, '-')
	dst = append(dst, s[4:6]...)
	dst = append(dst, '-')
	dst = append(dst, s[6:8]...)
	dst = append(dst, 'T')
	dst = append(dst, s[8:10]...)
	dst = append(dst, ':')
	dst = append(dst, s[10:12]...)
	dst = append(dst, ':')
	dst = append(dst, s[12:14]...)
	if micro := strings.TrimRight(s[15:21], "0"); micro != "" {
		dst = append(dst, '.')
		dst = append(dst, micro...)
	}
	offset, _ := strconv.Atoi(s[22:25])
	if offset == 0 {
		dst = append(dst, 'Z')
	} else {
		dst = append(dst, s[21])
		dst = appendTwo(dst, offset/60)
		dst = append(dst, ':')
		dst = appendTwo(dst, offset%60)
	}
	return append(dst, "</cim:Datetime>"...)
}

func appendTwo(dst []byte, n int) []byte {
	if n < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

func appendInterval(dst []byte, s string) []byte {
	number := func(from, to int, unit byte) {
		n, _ := strconv.Atoi(s[from:to])
		dst = strconv.AppendInt(dst, int64(n), 10)
		dst = append(dst, unit)
	}
	dst = append(dst, 'P')
	number(0, 8, 'D')
	dst = append(dst, 'T')
	number(8, 10, 'H')
	number(10, 12, 'M')
	seconds, _ := strconv.Atoi(s[12:14])
	dst = strconv.AppendInt(dst, int64(seconds), 10)
	if micro := strings.TrimRight(s[15:21], "0"); micro != "" {
		dst = append(dst, '.')
		dst = append(dst, micro...)
	}
	return append(dst, 'S')
}

// parseDateTime reads what a peer may write for a datetime: an XML Schema
// dateTime (without a zone it is taken as UTC), an XML Schema duration, or the
// 25 characters.
func parseDateTime(s string) (cim.DateTime, error) {
	if strings.HasPrefix(s, "P") || strings.HasPrefix(s, "-P") {
		return parseInterval(s)
	}
	if d, err := cim.ParseDateTime(s); err == nil {
		return d, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			if _, offset := t.Zone(); offset%60 == 0 && offset > -1000*60 && offset < 1000*60 {
				return cim.AtTime(t), nil
			}
		}
	}
	return "", &cim.Error{Status: cim.ErrTypeMismatch, Detail: strconv.Quote(s) + " is not a datetime"}
}

// parseInterval reads a duration of days, hours, minutes and seconds; years and
// months have no CIM form.
func parseInterval(s string) (cim.DateTime, error) {
	bad := &cim.Error{Status: cim.ErrTypeMismatch, Detail: strconv.Quote(s) + " is not an interval of days, hours, minutes and seconds"}
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" {
		return "", bad
	}
	var days, seconds, micro int64
	inTime := false
	for rest != "" {
		if !inTime && rest[0] == 'T' {
			inTime, rest = true, rest[1:]
			continue
		}
		i := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if i <= 0 || i > 18 {
			return "", bad
		}
		number, fraction, hasFraction := strings.Cut(rest[:i], ".")
		n, err := strconv.ParseInt(number, 10, 48)
		if err != nil || hasFraction && rest[i] != 'S' {
			return "", bad
		}
		switch unit := rest[i]; {
		case unit == 'D' && !inTime:
			days = n
		case unit == 'H' && inTime:
			seconds += n * 3600
		case unit == 'M' && inTime:
			seconds += n * 60
		case unit == 'S' && inTime:
			seconds += n
			micro, _ = strconv.ParseInt((fraction + "000000")[:6], 10, 64)
		default:
			return "", bad
		}
		rest = rest[i+1:]
	}
	days, seconds = days+seconds/86400, seconds%86400
	if days > 99_999_999 {
		return "", bad
	}
	return cim.DateTime(fmt.Sprintf("%08d%02d%02d%02d.%06d:000", days, seconds/3600, seconds/60%60, seconds%60, micro)), nil
}

// appendFast appends the 25 characters of an XML Schema dateTime in the form
// that Windows and Casement write, without an allocation. ok is false for
// every other form; nothing is appended then.
func appendFast(dst, s []byte) (_ []byte, ok bool) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return dst, false
	}
	from := len(dst)
	dst = append(dst, s[0:4]...)
	dst = append(dst, s[5:7]...)
	dst = append(dst, s[8:10]...)
	dst = append(dst, s[11:13]...)
	dst = append(dst, s[14:16]...)
	dst = append(dst, s[17:19]...)
	dst = append(dst, '.')
	rest := s[19:]
	micro := 0
	if rest[0] == '.' {
		for rest = rest[1:]; len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9'; rest = rest[1:] {
			if micro++; micro <= 6 {
				dst = append(dst, rest[0])
			}
		}
	}
	dst = append(dst, "000000"[min(micro, 6):]...)
	switch {
	case len(rest) == 1 && rest[0] == 'Z':
		dst = append(dst, "+000"...)
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':' && twoDigits(rest[1:]) && twoDigits(rest[4:]):
		minutes := (int(rest[1]-'0')*10+int(rest[2]-'0'))*60 + int(rest[4]-'0')*10 + int(rest[5]-'0')
		if minutes > 999 {
			return dst[:from], false
		}
		dst = append(dst, rest[0], byte('0'+minutes/100), byte('0'+minutes/10%10), byte('0'+minutes%10))
	default:
		return dst[:from], false
	}
	if !plausible(dst[from:]) {
		return dst[:from], false
	}
	return dst, true
}

func twoDigits(s []byte) bool {
	return s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9'
}

// plausible checks digits and ranges of the first 14 characters.
func plausible(d []byte) bool {
	for _, c := range d[:14] {
		if c < '0' || c > '9' {
			return false
		}
	}
	n := func(i int) int { return int(d[i]-'0')*10 + int(d[i+1]-'0') }
	return n(4) >= 1 && n(4) <= 12 && n(6) >= 1 && n(6) <= 31 && n(8) <= 23 && n(10) <= 59 && n(12) <= 59
}
