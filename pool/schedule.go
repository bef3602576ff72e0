package pool

import (
	"context"
	"fmt"
	"time"

	"github.com/casementhq/casement/pool/internal/bus"
)

// How often servers are asked. See spec/console.md 3.10.
const (
	ProbeInterval = time.Minute      // ±10 %
	FullInterval  = 10 * time.Minute // ±20 %
)

// byHand is the kind of a refresh that somebody waits for: it asks for all, and
// what it finds counts at once.
const byHand = "hand"

// rhythm is a kind of refresh: its tasks, how often, and how far from even.
type rhythm struct {
	kind     string
	interval time.Duration
	jitter   float64 // part of the interval, to either side
}

var rhythms = []rhythm{{"probe", ProbeInterval, 0.1}, {"full", FullInterval, 0.2}}

// due gives the slot of a server that falls between two times, the later one
// included. Every scheduler finds the same: a slot's time follows from the
// server's key and the slot's number alone.
func (r rhythm) due(key string, after, until time.Time) (slot int64, ok bool) {
	offset := spread(key, r.kind, 0, r.interval)
	width := time.Duration(2 * r.jitter * float64(r.interval))
	n := (until.UnixNano() - int64(offset)) / int64(r.interval)
	for slot := n + 1; slot >= n-1; slot-- {
		at := slot*int64(r.interval) + int64(offset) + int64(spread(key, r.kind, slot, width)-width/2)
		if at > after.UnixNano() && at <= until.UnixNano() {
			return slot, true
		}
	}
	return 0, false
}

// spread gives a part of a width, the same for the same arguments: FNV-1a of all
// of them.
func spread(key, kind string, slot int64, width time.Duration) time.Duration {
	if width <= 0 {
		return 0
	}
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, text := range [...]string{key, "/", kind} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * prime
		}
	}
	for range 8 {
		h = (h ^ uint64(slot&0xff)) * prime // #nosec G115 -- an octet
		slot >>= 8
	}
	h ^= h >> 32 // the last octets reach few of the upper bits
	h *= prime
	h ^= h >> 29
	return time.Duration(h % uint64(width)) // #nosec G115 -- width is positive
}

// scheduler publishes refreshes when they are due. Several do no harm: an id is
// taken once.
type scheduler struct {
	servers  func() []scheduled
	publish  func(ctx context.Context, tasks []bus.Task, id func(topic string) string) error
	last     time.Time
	revision map[string]uint64 // of the entries that were seen
}

// scheduled is what a scheduler needs of a server.
type scheduled struct {
	key      string
	revision uint64
	paused   bool
	state    State // "" where nothing is known
}

// tick publishes what became due since the last tick.
func (s *scheduler) tick(ctx context.Context, now time.Time) error {
	if s.last.IsZero() {
		s.last = now.Add(-time.Second)
	}
	first := s.revision == nil
	if first {
		s.revision = map[string]uint64{}
	}
	var tasks []bus.Task
	ids := map[string]string{}
	add := func(kind, key, id string) {
		topic := kind + "." + key
		if ids[topic] == "" {
			tasks = append(tasks, bus.Task{Topic: topic})
		}
		ids[topic] = topic + "." + id
	}
	for _, e := range s.servers() {
		was, seen := s.revision[e.key]
		s.revision[e.key] = e.revision
		if e.paused && e.state == Paused {
			continue
		}
		// What somebody just wrote, or what was never asked, is asked at once.
		if e.state == "" || !first && (!seen || was != e.revision) {
			if !seen || was != e.revision {
				add(byHand, e.key, fmt.Sprintf("r%d", e.revision))
			}
		}
		for _, r := range rhythms {
			if r.kind == "probe" && e.state == CredentialsNotValid {
				continue // a wrong password once a minute locks accounts
			}
			if slot, ok := r.due(e.key, s.last, now); ok && ids[r.kind+"."+e.key] == "" {
				add(r.kind, e.key, fmt.Sprint(slot))
			}
		}
	}
	s.last = now
	if len(tasks) == 0 {
		return nil
	}
	return s.publish(ctx, tasks, func(topic string) string { return ids[topic] })
}

// run ticks once a second until ctx ends.
func (s *scheduler) run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := s.tick(ctx, time.Now()); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// scheduled are the servers as a scheduler needs them.
func (f *fleet) scheduled() []scheduled {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]scheduled, 0, len(f.members))
	for key, m := range f.members {
		if m.server == nil {
			continue
		}
		s := scheduled{key: key, revision: m.serverRevision, paused: m.server.Paused}
		if m.state != nil {
			s.state = m.state.State
		}
		list = append(list, s)
	}
	return list
}
