package pool

import (
	"context"
	"time"
)

// Observer is told what a process does for the pool, to be counted. Its methods
// must not block.
type Observer interface {
	// Refreshed is a probe, or a full refresh, that came to its end.
	Refreshed(full bool, level Level, took time.Duration)
	// Finished is the result of one server of a work, which counts.
	Finished(state WorkState)
}

type unobserved struct{}

func (unobserved) Refreshed(bool, Level, time.Duration) {}
func (unobserved) Finished(WorkState)                   {}

// Counts is what a pool has at a moment.
type Counts struct {
	// Servers by state and level.
	Servers map[State]map[Level]int
	// Stale are those whose state is old.
	Stale int
	// Asked is how many were asked at all, OldestAsked and MeanAsked how long ago that was.
	Asked                  int
	OldestAsked, MeanAsked time.Duration
	// Refreshes and Tasks wait for a worker, or are with one.
	Refreshes, Tasks int
}

// Count counts.
func (p *Pool) Count(ctx context.Context) (c Counts, err error) {
	now := time.Now()
	c.Servers = map[State]map[Level]int{}
	var all time.Duration
	for _, e := range p.Servers() {
		state, level := NotYetChecked, LevelNone
		if s := e.Snapshot; s != nil {
			if state, level = s.State, s.Level; s.Stale(now, FullInterval) {
				c.Stale++
			}
			if !s.Tried.IsZero() {
				c.Asked++
				ago := max(now.Sub(s.Tried), 0)
				all += ago
				c.OldestAsked = max(c.OldestAsked, ago)
			}
		}
		if e.Paused {
			state, level = Paused, LevelNone
		}
		if c.Servers[state] == nil {
			c.Servers[state] = map[Level]int{}
		}
		c.Servers[state][level]++
	}
	if c.Asked > 0 {
		c.MeanAsked = all / time.Duration(c.Asked)
	}
	if c.Refreshes, err = p.refreshes.Waiting(ctx); err != nil {
		return Counts{}, err
	}
	c.Tasks, err = p.tasks.Waiting(ctx)
	return c, err
}
