package pool

import (
	"testing"
	"time"
)

// A day of changes is kept, and of a server that changes all the time the last ones.
func TestChanges(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	s := Snapshot{State: NotYetChecked}
	step := func(state State, later time.Duration) {
		next := s
		next.State, next.Tried = state, at.Add(later)
		next.Changes = changesOf(&s, &next)
		s = next
	}
	step(Online, 0)
	step(Online, time.Minute)
	step(Paused, 2*time.Minute)
	step(Online, 3*time.Minute)
	if len(s.Changes) != 0 {
		t.Errorf("to be added, paused and resumed are no changes: %+v", s.Changes)
	}
	step(NotComputerAccessible, time.Hour)
	step(Online, 2*time.Hour)
	want := []Change{{at.Add(time.Hour), Online, NotComputerAccessible}, {at.Add(2 * time.Hour), NotComputerAccessible, Online}}
	if len(s.Changes) != 2 || s.Changes[0] != want[0] || s.Changes[1] != want[1] {
		t.Errorf("%+v, want %+v", s.Changes, want)
	}
	before := s.Changes
	step(AccessDenied, 3*time.Hour)
	if len(before) != 2 || len(s.Changes) != 3 {
		t.Errorf("what others hold was changed: %d, %d", len(before), len(s.Changes))
	}
	step(AccessDenied, 26*time.Hour+time.Minute)
	if len(s.Changes) != 2 {
		t.Errorf("after 25 hours there are %d", len(s.Changes))
	}
	for n := range 100 {
		step([]State{Online, Offline}[n%2], 27*time.Hour+time.Duration(n)*time.Minute)
	}
	if len(s.Changes) != keptChanges || s.Changes[keptChanges-1].To != Offline {
		t.Errorf("%d of 100 are kept", len(s.Changes))
	}
}
