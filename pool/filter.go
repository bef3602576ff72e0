package pool

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// maxFilter bounds a filter, in octets.
const maxFilter = 4096

// Filter picks servers: words and key:value pairs, which must all match. The
// zero value picks all. See spec/console.md 3.2.
type Filter struct{ terms []term }

// term is one of them; any of its tests may match.
type term struct {
	exclude bool
	any     []func(e *Entry, now time.Time) bool
}

// ParseFilter reads a filter: cim.ErrInvalidParameter.
//
//	web                 some shown column has the word
//	"two words"         the same, with blanks
//	tag:web,db          the tag is one of them
//	-state:ok           not in the level ok
//	cpu:>85 last:>1h    more than; < is less than
//
// Keys of texts are name, state (a level, or a part of its text), tag, group (the
// same), role, os, transport, as, domain, credential, reason, alert (a
// threshold that is passed: cpu, memory, disk, service, events) and ip; of numbers cpu,
// memory and disk (per cent), events (of 24 hours), services (that need attention),
// failures (parts of the data that are missing), missed; of ages last and uptime, in s, m, h and d.
func ParseFilter(text string) (Filter, error) {
	var f Filter
	if len(text) > maxFilter {
		return f, wrongFilter("it is too long")
	}
	words, err := splitFilter(text)
	if err != nil {
		return f, err
	}
	for _, w := range words {
		t := term{}
		if rest, ok := strings.CutPrefix(w.text, "-"); ok && rest != "" && !w.quoted {
			t.exclude, w.text = true, rest
		}
		key, value, pair := strings.Cut(w.text, ":")
		if _, known := textKeys[key]; !known && numberKeys[key] == nil && ageKeys[key] == nil && (w.quoted || !isWord(key)) {
			pair = false // an address of IPv6, for instance
		}
		if !pair {
			word := w.text
			t.any = append(t.any, func(e *Entry, _ time.Time) bool { return e.has(word) })
			f.terms = append(f.terms, t)
			continue
		}
		for v := range strings.SplitSeq(value, ",") {
			test, err := parseTest(key, v)
			if err != nil {
				return Filter{}, err
			}
			t.any = append(t.any, test)
		}
		f.terms = append(f.terms, t)
	}
	return f, nil
}

// Match tells whether a server is picked at a time.
func (f Filter) Match(e Entry, now time.Time) bool {
	for _, t := range f.terms {
		if slices.ContainsFunc(t.any, func(test func(*Entry, time.Time) bool) bool { return test(&e, now) }) == t.exclude {
			return false
		}
	}
	return true
}

// Pick is what of a list is picked.
func (f Filter) Pick(list []Entry, now time.Time) []Entry {
	return slices.DeleteFunc(slices.Clone(list), func(e Entry) bool { return !f.Match(e, now) })
}

func wrongFilter(detail string) error {
	return &cim.Error{Status: cim.ErrInvalidParameter, Operation: "read the filter", Detail: detail}
}

type filterWord struct {
	text   string
	quoted bool // all of it
}

// splitFilter splits at blanks outside quotation marks, in small letters.
func splitFilter(text string) ([]filterWord, error) {
	var words []filterWord
	var b strings.Builder
	in, quoted, some := false, false, false
	end := func() {
		if some {
			words = append(words, filterWord{b.String(), quoted})
		}
		b.Reset()
		quoted, some = false, false
	}
	for _, r := range strings.ToLower(text) {
		switch {
		case r == '"':
			if !in && b.Len() == 0 {
				quoted = true
			}
			in, some = !in, true
		case !in && (r == ' ' || r == '\t' || r == '\n' || r == '\r'):
			end()
		default:
			b.WriteRune(r)
			some = true
		}
	}
	if in {
		return nil, wrongFilter("a quotation mark is not closed")
	}
	end()
	return slices.DeleteFunc(words, func(w filterWord) bool { return w.text == "" }), nil
}

func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

func parseTest(key, value string) (func(*Entry, time.Time) bool, error) {
	if value == "" {
		return nil, wrongFilter(key + ": has no value")
	}
	if test, ok := textKeys[key]; ok {
		return func(e *Entry, _ time.Time) bool { return test(e, value) }, nil
	}
	if get, ok := numberKeys[key]; ok {
		compare, rest := comparison(value)
		want, err := strconv.ParseFloat(strings.TrimSuffix(rest, "%"), 64)
		if err != nil {
			return nil, wrongFilter(fmt.Sprintf("%s: wants a number, as %s:>85, not %q", key, key, value))
		}
		return func(e *Entry, _ time.Time) bool {
			got, ok := get(e)
			return ok && compare(got, want)
		}, nil
	}
	if get, ok := ageKeys[key]; ok {
		compare, rest := comparison(value)
		want, err := parseAge(rest)
		if err != nil {
			return nil, wrongFilter(fmt.Sprintf("%s: wants an age, as %s:>1h, not %q", key, key, value))
		}
		return func(e *Entry, now time.Time) bool {
			got, ok := get(e, now)
			return ok && compare(float64(got), float64(want))
		}, nil
	}
	keys := slices.Sorted(maps.Keys(textKeys))
	keys = append(append(keys, slices.Sorted(maps.Keys(numberKeys))...), slices.Sorted(maps.Keys(ageKeys))...)
	return nil, wrongFilter(fmt.Sprintf("there is no key %q; the keys are %s", key, strings.Join(keys, ", ")))
}

// comparison reads > or < off a value; without one a value is compared for being
// the same, rounded.
func comparison(value string) (func(got, want float64) bool, string) {
	switch value[0] {
	case '>':
		return func(got, want float64) bool { return got > want }, value[1:]
	case '<':
		return func(got, want float64) bool { return got < want }, value[1:]
	}
	return func(got, want float64) bool { return int64(got+0.5) == int64(want+0.5) }, value
}

// parseAge reads a duration of Go, or days.
func parseAge(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		return time.Duration(n * float64(24*time.Hour)), err
	}
	return time.ParseDuration(text)
}

func contains(text, part string) bool { return strings.Contains(strings.ToLower(text), part) }

func oneIs(list []string, want string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, want) })
}

var textKeys = map[string]func(e *Entry, value string) bool{
	"name": func(e *Entry, v string) bool { return contains(e.Name, v) },
	"state": func(e *Entry, v string) bool {
		state, level := e.Condition()
		return string(level) == v || contains(string(state), v) && !slices.Contains([]Level{LevelOK, LevelInfo, LevelAttention, LevelBlocked, LevelNone}, Level(v))
	},
	"tag":   func(e *Entry, v string) bool { return oneIs(e.Tags, v) },
	"group": func(e *Entry, v string) bool { return oneIs(e.Tags, v) },
	"role": func(e *Entry, v string) bool {
		return e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Roles, func(r Role) bool { return contains(r.Name, v) || contains(r.DisplayName, v) })
	},
	"os": func(e *Entry, v string) bool {
		f := e.facts()
		return contains(f.OS, v) || strings.HasPrefix(f.Version, v)
	},
	"transport": func(e *Entry, v string) bool {
		return strings.EqualFold(string(e.Transport), v) || e.Snapshot != nil && strings.EqualFold(string(e.Snapshot.Transport), v)
	},
	"as":         func(e *Entry, v string) bool { return e.Snapshot != nil && contains(e.Snapshot.Account, v) },
	"domain":     func(e *Entry, v string) bool { return contains(e.facts().Domain, v) },
	"credential": func(e *Entry, v string) bool { return strings.EqualFold(e.Credential, v) },
	"reason":     func(e *Entry, v string) bool { return e.Snapshot != nil && contains(e.Snapshot.Reason, v) },
	"alert": func(e *Entry, v string) bool {
		return e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Alerts, func(a Alert) bool { return contains(a.Resource, v) })
	},
	"ip": func(e *Entry, v string) bool {
		return contains(strings.Join(append([]string{e.Address}, e.facts().Addresses...), " "), v)
	},
}

var numberKeys = map[string]func(e *Entry) (float64, bool){
	"cpu": func(e *Entry) (float64, bool) {
		if e.Snapshot == nil || e.Snapshot.Counters == nil || e.Snapshot.Counters.CPU == nil {
			return 0, false
		}
		return *e.Snapshot.Counters.CPU, true
	},
	"memory": func(e *Entry) (float64, bool) {
		f := e.facts()
		if e.Snapshot == nil || e.Snapshot.Counters == nil || e.Snapshot.Counters.Available == nil || f.Memory == 0 {
			return 0, false
		}
		return 100 - 100*float64(*e.Snapshot.Counters.Available)/float64(f.Memory), true
	},
	"disk": func(e *Entry) (float64, bool) {
		fullest, some := 0.0, false
		if e.Snapshot != nil {
			for _, d := range e.Snapshot.Disks {
				if d.Size > 0 {
					fullest, some = max(fullest, 100-100*float64(d.Free)/float64(d.Size)), true
				}
			}
		}
		return fullest, some
	},
	"events": func(e *Entry) (float64, bool) {
		if e.Snapshot == nil || e.Snapshot.Events == nil {
			return 0, false
		}
		t := e.Snapshot.Events
		n := t.Errors + t.Warnings
		if t.Critical != nil {
			n += *t.Critical
		}
		return float64(n), true
	},
	"services": func(e *Entry) (float64, bool) {
		if e.Snapshot == nil || e.Snapshot.Services == nil {
			return 0, false
		}
		return float64(len(e.Snapshot.Services.Stopped)), true
	},
	"failures": func(e *Entry) (float64, bool) {
		if e.Snapshot == nil {
			return 0, false
		}
		return float64(len(e.Snapshot.Failures)), true
	},
	"missed": func(e *Entry) (float64, bool) {
		if e.Snapshot == nil {
			return 0, false
		}
		return float64(e.Snapshot.Missed), true
	},
}

var ageKeys = map[string]func(e *Entry, now time.Time) (time.Duration, bool){
	"last": func(e *Entry, now time.Time) (time.Duration, bool) {
		if e.Snapshot == nil || e.Snapshot.Contact.IsZero() {
			return 1<<63 - 1, true // never is longer ago than anything
		}
		return now.Sub(e.Snapshot.Contact), true
	},
	"uptime": func(e *Entry, now time.Time) (time.Duration, bool) {
		booted := e.facts().Booted
		return now.Sub(booted), !booted.IsZero()
	},
}

func (e *Entry) facts() Facts {
	if e.Snapshot == nil || e.Snapshot.Facts == nil {
		return Facts{}
	}
	return *e.Snapshot.Facts
}

// Condition is the state and level of a server; without a snapshot it was not yet
// checked.
func (e *Entry) Condition() (State, Level) {
	switch {
	case e.Paused:
		return Paused, LevelNone
	case e.Snapshot != nil:
		return e.Snapshot.State, e.Snapshot.Level
	}
	return NotYetChecked, LevelNone
}

// has tells whether something that is shown of a server has a word in it.
func (e *Entry) has(word string) bool {
	state, _ := e.Condition()
	if contains(e.Name, word) || contains(e.Address, word) || contains(string(state), word) || contains(e.Note, word) || contains(e.Credential, word) ||
		slices.ContainsFunc(e.Tags, func(tag string) bool { return contains(tag, word) }) {
		return true
	}
	if e.Snapshot == nil {
		return false
	}
	f := e.facts()
	for _, text := range []string{e.Snapshot.Reason, string(e.Snapshot.Transport), e.Snapshot.Account, f.OS, f.Version, f.Domain, f.ComputerName, f.Model, strings.Join(f.Addresses, " ")} {
		if contains(text, word) {
			return true
		}
	}
	return slices.ContainsFunc(e.Snapshot.Roles, func(r Role) bool { return contains(r.DisplayName, word) || contains(r.Name, word) })
}
