package pool

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/pool/internal/bus"
)

// What the store has was written by a process of the pool: on a cluster by any that has
// a certificate for it, and perhaps by one of another version. It is checked as what
// a person writes is, and what is not as the pool writes it harms nothing beside it.

var errUnreadable = errors.New("it is not what the pool writes")

func unreadable(e bus.Entry, err error) error {
	return fmt.Errorf("%s: %w: %w", e.Key, errUnreadable, err)
}

// readServer reads the entry of a server.
func readServer(e bus.Entry) (*Server, error) {
	s := new(Server)
	if err := json.Unmarshal(e.Value, s); err != nil {
		return nil, unreadable(e, err)
	}
	if err := s.Clean(); err != nil {
		return nil, unreadable(e, err)
	}
	if keyOf(s.Name) != e.Key {
		return nil, unreadable(e, errors.New("it is the entry of another server"))
	}
	return s, nil
}

// readSnapshot reads what is known of a server. A state that there is not is unknown.
func readSnapshot(e bus.Entry) (*Snapshot, error) {
	s := new(Snapshot)
	if err := json.Unmarshal(e.Value, s); err != nil {
		return nil, unreadable(e, err)
	}
	for _, state := range []*State{&s.State, &s.Pending} {
		if *state != "" && !slices.Contains(States, *state) {
			*state = UnknownState
		}
	}
	if !slices.Contains([]Level{LevelOK, LevelInfo, LevelAttention, LevelBlocked, LevelNone}, s.Level) {
		s.Level = levelOf(s)
	}
	return s, nil
}

// readWork reads a work.
func readWork(e bus.Entry) (w Work, err error) {
	if err := json.Unmarshal(e.Value, &w); err != nil {
		return Work{}, unreadable(e, err)
	}
	if w.ID != e.Key || !isID(w.ID) {
		return Work{}, unreadable(e, errors.New("it is another work"))
	}
	return w, nil
}

// readResult reads what a work gave on a server. One that cannot be read is a failure.
func readResult(e bus.Entry, work, server string) Result {
	var r Result
	if json.Unmarshal(e.Value, &r) != nil {
		r = Result{State: Failed, Words: "its result cannot be read", Ended: e.Written}
	}
	r.Work, r.Server = work, server
	r.Code, r.Words, r.Worker = clip(r.Code), clip(r.Words), clip(r.Worker)
	if !slices.Contains([]WorkState{Done, Failed, Cancelled, OutcomeUnknown}, r.State) {
		r.State = Failed
	}
	return r
}

// readOutput is what was printed on a server, within the bounds of what is written.
func readOutput(e bus.Entry) string {
	return strings.ToValidUTF8(string(e.Value[:min(len(e.Value), MaxOutput)]), "\uFFFD")
}
