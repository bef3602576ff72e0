package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
)

// unknown is what is shown for what is not known. See spec/console.md 3.9.
const unknown = "–"

// funcs are what templates may call.
func (p *pages) funcs() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) string { return p.urls[name] },
		"ago":   ago, "clock": clock, "bytes": sizeText, "percent": percentText, "count": countText, "took": tookText,
		"badge": badgeOf, "needbadge": needBadge, "lower": strings.ToLower, "join": strings.Join, "rfc": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"tip": timeTip, "add1": func(n int) int { return n + 1 }, "plural": plural, "workpage": workPage, "auditbadge": auditBadge, "level": levelBadge, "dict": dict,
		"used": usedPart, "transport": transportText, "deref": func(b *bool) bool { return b != nil && *b }, "offset": func(v *float64) string { return signed(*v) + " s" },
	}
}

// dict makes a map of names and values, for templates that call others.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for n := 0; n+1 < len(pairs); n += 2 {
		k, ok := pairs[n].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[n])
		}
		m[k] = pairs[n+1]
	}
	return m, nil
}

// ago is a time as the pages show it: relative under 24 h, then the date.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return unknown
	}
	switch d := now.Sub(t); {
	case d < 0 && d > -24*time.Hour:
		return "in " + span(-d)
	case d < 0:
	case d < 10*time.Second:
		return "now"
	case d < 24*time.Hour:
		return span(d) + " ago"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	default:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	}
}

// clock is the time of day, in UTC.
func clock(t time.Time) string {
	if t.IsZero() {
		return unknown
	}
	return t.UTC().Format("15:04")
}

// timeTip is the tip of a time; the script adds the zone of the browser.
func timeTip(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// sizeText is a size in binary units: 5.1 GiB.
func sizeText(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	v, unit := float64(n), 0
	for v >= 1024 && unit < 6 {
		v /= 1024
		unit++
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}[unit]
}

func percentText(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) + "\u202f%" }

// countText groups from 10 000 on, with a narrow space.
func countText(n int) string {
	s := strconv.Itoa(n)
	if n < 10000 {
		return s
	}
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "\u202f" + s[at:]
	}
	return s
}

// tookText is a duration: 41 d 3 h, under 10 s 1.4 s.
func tookText(d time.Duration) string {
	switch {
	case d < 0:
		return unknown
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// plural is a count with its noun: plural 1 "server" is "1 server".
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return countText(n) + " " + noun
}

// colons writes a fingerprint as people compare it.
func colons(hex string) string {
	var b strings.Builder
	for n, r := range strings.ToUpper(hex) {
		if n > 0 && n%2 == 0 {
			b.WriteByte(':')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// badge is a state as it is shown: a shape, a word, and a class for the colour.
type badge struct {
	Level string
	Shape string
	Word  string
	Tip   string
}

var shapes = map[string]string{"ok": "●", "info": "◐", "attention": "▲", "blocked": "✕", "none": "○"}

// levelBadge is the badge of a level with a word.
func levelBadge(level, word string) badge {
	return badge{Level: level, Shape: shapes[level], Word: word}
}

// signed is a number with its sign and one digit: +0.2.
func signed(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	switch {
	case s == "-0.0":
		s = "+0.0"
	case v >= 0:
		s = "+" + s
	}
	return s
}

// signedless is a number with one digit.
func signedless(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// auditBadge is the badge of an entry's result.
func auditBadge(e auditlog.Entry) badge {
	return levelBadge(cmpOr(map[string]string{auditlog.Done: "ok", auditlog.Failed: "attention", auditlog.Denied: "blocked"}[e.Result], "none"), e.Result)
}

// usedPart is how full something is in percent, nil where its size is not known.
func usedPart(size, free uint64) *float64 {
	if size == 0 || free > size {
		return nil
	}
	v := 100 * (1 - float64(free)/float64(size))
	return &v
}
