package pool

import "time"

// Change is a change of a server's state.
type Change struct {
	At   time.Time `json:"at"`
	From State     `json:"from"`
	To   State     `json:"to"`
}

// What is kept of changes: a day of them, with an hour that is under way, and of a
// server that changes all the time the last ones. That is 2 kB at most.
const (
	changesAge  = 25 * time.Hour
	keptChanges = 24
)

// changesOf are the changes that are kept of a server whose snapshot prev becomes
// next. To be asked for the first time, paused or resumed is none.
func changesOf(prev, next *Snapshot) []Change {
	list := prev.Changes
	for len(list) > 0 && next.Tried.Sub(list[0].At) > changesAge {
		list = list[1:]
	}
	if prev.State != next.State && badness(prev.State) > 0 && badness(next.State) > 0 {
		list = append(list[:len(list):len(list)], Change{next.Tried, prev.State, next.State})
	}
	return list[max(len(list)-keptChanges, 0):]
}
