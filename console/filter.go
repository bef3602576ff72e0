package console

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/casementhq/casement/pool"
)

// The filter of the table of servers, spec/console.md 3.2: words and key:value pairs,
// of which all must match; a,b is any of two, - before a term excludes, > and < compare
// numbers and ages.

// maxFilter bounds a filter, in octets.
const maxFilter = 64 << 10

// term is one of a filter.
type term struct {
	not  bool
	test func(e Entry, now time.Time) bool
}

// filterKey is what may stand before a colon: a text, of which any value may match, or
// a number.
type filterKey struct {
	texts  func(e Entry) []string
	same   func(value, have string) bool
	number func(e Entry, now time.Time) float64 // NaN is not known
	age    bool                                 // written as 90s, 5m, 1h, 7d
}

var filterKeys = map[string]filterKey{
	"state": {texts: func(e Entry) []string { return []string{string(e.Level()), string(e.State())} }, same: func(v, have string) bool {
		if slices.Contains([]string{"ok", "info", "attention", "blocked", "none"}, v) {
			return v == have
		}
		return strings.Contains(have, v)
	}},
	"tag": {texts: func(e Entry) []string { return e.Tags }}, "group": {texts: func(e Entry) []string { return e.Tags }},
	"role": {texts: func(e Entry) (list []string) {
		for _, r := range e.snapshot().Roles {
			list = append(list, r.Name, r.DisplayName)
		}
		return list
	}},
	"os":        {texts: func(e Entry) []string { return []string{e.facts().OS, e.facts().Version} }, same: within},
	"transport": {texts: func(e Entry) []string { return []string{string(e.snapshot().Transport)} }},
	"as":        {texts: func(e Entry) []string { return []string{e.snapshot().Account, e.Credential} }, same: within},
	"domain":    {texts: func(e Entry) []string { return []string{e.facts().Domain} }},
	"name":      {texts: func(e Entry) []string { return []string{e.Name} }},
	"alert": {texts: func(e Entry) (list []string) {
		for _, r := range cardRows {
			if strings.HasPrefix(r.filter, "alert:") && r.level(e) != pool.LevelOK {
				list = append(list, r.id)
			}
		}
		return list
	}},
	"cpu":    {number: func(e Entry, _ time.Time) float64 { return numberOr(e.CPU()) }},
	"memory": {number: func(e Entry, _ time.Time) float64 { return numberOr(e.Memory()) }},
	"disk":   {number: func(e Entry, _ time.Time) float64 { return numberOr(e.Disk()) }},
	"events": {number: func(e Entry, _ time.Time) float64 {
		if t := e.snapshot().Events; t != nil {
			return float64(eventsOf(t))
		}
		return math.NaN()
	}},
	"services": {number: func(e Entry, _ time.Time) float64 {
		if t := e.snapshot().Services; t != nil {
			return float64(len(t.Stopped))
		}
		return math.NaN()
	}},
	"failures": {number: func(e Entry, _ time.Time) float64 { return float64(len(e.snapshot().Failures)) }},
	"last":     {age: true, number: func(e Entry, now time.Time) float64 { return ageOf(e.Contact(), now) }},
	"uptime":   {age: true, number: func(e Entry, now time.Time) float64 { return ageOf(e.facts().Booted, now) }},
	"added":    {age: true, number: func(e Entry, now time.Time) float64 { return ageOf(e.Added, now) }},
}

func within(v, have string) bool { return strings.Contains(have, v) }

func numberOr(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// ageOf is how long ago something was, in seconds; of what never was, it is for ever.
func ageOf(t, now time.Time) float64 {
	if t.IsZero() {
		return math.Inf(1)
	}
	return now.Sub(t).Seconds()
}

// parseFilter reads a filter.
func parseFilter(q string) (func(e Entry, now time.Time) bool, error) {
	if len(q) > maxFilter {
		return nil, fmt.Errorf("The filter is longer than %d octets.", maxFilter) //nolint:revive,staticcheck // a sentence for a person
	}
	var terms []term
	for _, word := range splitFilter(strings.ToLower(q)) {
		t, err := parseTerm(word)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return func(e Entry, now time.Time) bool {
		for _, t := range terms {
			if t.test(e, now) == t.not {
				return false
			}
		}
		return true
	}, nil
}

// splitFilter splits at blanks that are not in quotes; the quotes stay.
func splitFilter(q string) []string {
	quoted := false
	return strings.FieldsFunc(q, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && unicode.IsSpace(r)
	})
}

func parseTerm(word string) (t term, err error) {
	if len(word) > 1 && word[0] == '-' {
		t.not, word = true, word[1:]
	}
	name, value, pair := strings.Cut(word, ":")
	if strings.HasPrefix(word, `"`) {
		pair = false
	}
	if !pair {
		word = strings.ReplaceAll(word, `"`, "")
		t.test = func(e Entry, now time.Time) bool { return matchesWord(e, word, now) }
		return t, nil
	}
	key, ok := filterKeys[name]
	switch {
	case !ok:
		return t, fmt.Errorf("There is no key %q; keys are %s.", name, strings.Join(keys(filterKeys), ", ")) //nolint:revive,staticcheck // a sentence for a person
	case value == "":
		return t, fmt.Errorf("After %s: a value is missing.", name) //nolint:revive,staticcheck // a sentence for a person
	case key.number != nil:
		t.test, err = parseNumber(name, value, key)
		return t, err
	}
	values := splitValues(value)
	same := key.same
	if same == nil {
		same = func(v, have string) bool {
			ok, err := path.Match(v, have)
			return v == have || err == nil && ok
		}
	}
	t.test = func(e Entry, _ time.Time) bool {
		return slices.ContainsFunc(key.texts(e), func(have string) bool {
			have = strings.ToLower(have)
			return slices.ContainsFunc(values, func(v string) bool { return same(v, have) })
		})
	}
	return t, nil
}

// splitValues splits at commas that are not in quotes, and takes quotes off.
func splitValues(value string) []string {
	quoted := false
	list := strings.FieldsFunc(value, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && r == ','
	})
	for n := range list {
		list[n] = strings.ReplaceAll(list[n], `"`, "")
	}
	return list
}

// parseNumber reads >85, <10, 3 or >1h.
func parseNumber(name, value string, key filterKey) (func(e Entry, now time.Time) bool, error) {
	op, text := byte('='), value
	if value[0] == '>' || value[0] == '<' {
		op, text = value[0], value[1:]
	}
	factor := 1.0
	if key.age && text != "" {
		if at := strings.IndexByte("smhd", text[len(text)-1]); at >= 0 {
			factor, text = []float64{1, 60, 3600, 86400}[at], text[:len(text)-1]
		} else {
			text = ""
		}
	}
	want, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || math.IsNaN(want) {
		how := "a number, as in %s:>85"
		if key.age {
			how = "an age, as in %s:>1h"
		}
		return nil, fmt.Errorf("After %s: stands "+how+".", name, name)
	}
	want *= factor
	return func(e Entry, now time.Time) bool {
		have := key.number(e, now)
		switch op {
		case '>':
			return have > want
		case '<':
			return have < want
		default:
			return have == want || key.age && math.Abs(have-want) < factor/2
		}
	}, nil
}

// matchesWord tells whether a column that is shown at first has a word in it.
func matchesWord(e Entry, word string, now time.Time) bool {
	return slices.ContainsFunc(serverColumns, func(col column) bool {
		return col.Shown && strings.Contains(strings.ToLower(col.cell(e, now).Text), word)
	})
}
