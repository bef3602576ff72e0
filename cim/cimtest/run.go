package cimtest

import (
	"sort"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// Harness is a path to a host that serves the suite's classes, instances and
// methods.
type Harness struct {
	// Open opens a session in [Namespace] as a caller who may do everything.
	// The suite closes it.
	Open func(t *testing.T) cim.Session
	// Lost is what the path cannot carry; nil means nothing.
	Lost []Loss
}

// Run runs the suite. The instances are afterwards as they were.
func Run(t *testing.T, h Harness) {
	lost := map[string]bool{"namespace": true, "server": true, "origin": true}
	for _, l := range h.Lost {
		lost[l.Aspect] = true
	}
	t.Run("answers", func(t *testing.T) {
		s := h.open(t)
		for _, q := range questions() {
			t.Run(q.name, func(t *testing.T) { q.verify(t, s, lost) })
		}
	})
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) { b.run(t, h) })
	}
}

func (h Harness) open(t *testing.T) cim.Session {
	s := h.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// verify compares an answer with what is wanted. A line of want that concerns
// a lost aspect cannot be told from another, so that an answer with lost lines
// need only not contradict it.
func (q *question) verify(t *testing.T, s cim.Session, lost map[string]bool) {
	var got []string
	missing := map[string]bool{}
	for _, l := range q.ask(t.Context(), s) {
		if lost[l.Aspect] {
			missing[l.Text] = true
			continue
		}
		got = append(got, l.Text)
	}
	var want []string
	for _, l := range q.want {
		if !missing[l] && !q.isLost(l, lost) {
			want = append(want, l)
		}
	}
	sort.Strings(got)
	sort.Strings(want)
	for i, j := 0, 0; i < len(got) || j < len(want); {
		switch {
		case j == len(want) || i < len(got) && got[i] < want[j]:
			t.Errorf("unexpected: %s", got[i])
			i++
		case i == len(got) || got[i] > want[j]:
			t.Errorf("missing:    %s", want[j])
			j++
		default:
			i++
			j++
		}
	}
}

// isLost tells whether a line of want is of an aspect that the path has lost.
func (q *question) isLost(line string, lost map[string]bool) bool {
	return lost["empty array"] && strings.HasSuffix(line, " {}") || lost["class"] && strings.HasPrefix(q.name, "class: ")
}
