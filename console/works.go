package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/casementhq/casement/pool"
)

// workSum is a work and how far it is.
type workSum struct {
	pool.Work

	State   pool.WorkState
	Counts  map[pool.WorkState]int // of results; Queued has the rest
	Ended   time.Time              // the last result's
	Results []pool.Result
}

// works keeps how far works are, until something of them changes.
type works struct {
	mu   sync.Mutex
	sums map[string]workSum
}

func (w *works) forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sums, id)
}

// sum is how far a work is, with its results.
func (c *Console) sum(ctx context.Context, id string) (workSum, error) {
	work, results, err := c.pool.Work(ctx, id)
	if err != nil {
		return workSum{}, err
	}
	s := sumUp(work, results)
	c.works.mu.Lock()
	defer c.works.mu.Unlock()
	if c.works.sums == nil {
		c.works.sums = map[string]workSum{}
	}
	short := s
	short.Results = nil
	c.works.sums[id] = short
	return s, nil
}

// brief is how far a work is, without its results, from memory where it is known.
func (c *Console) brief(ctx context.Context, id string) (workSum, error) {
	c.works.mu.Lock()
	s, ok := c.works.sums[id]
	c.works.mu.Unlock()
	if ok {
		return s, nil
	}
	return c.sum(ctx, id)
}

// sumUp says how far a work is. See spec/console.md 3.11.
func sumUp(w pool.Work, results []pool.Result) workSum {
	s := workSum{Work: w, Counts: map[pool.WorkState]int{}, Results: results}
	for _, r := range results {
		s.Counts[r.State]++
		if r.Ended.After(s.Ended) {
			s.Ended = r.Ended
		}
	}
	open := len(w.Targets) - len(results)
	if open > 0 {
		s.Counts[pool.Queued] += open
	}
	waiting, running := s.Counts[pool.Queued], s.Counts[pool.Running]
	failed, unknown, cancelled := s.Counts[pool.Failed], s.Counts[pool.OutcomeUnknown], s.Counts[pool.Cancelled]
	switch total := len(w.Targets); {
	case waiting+running > 0 && len(results) == 0 && running == 0:
		s.State = pool.Queued
	case waiting+running > 0:
		s.State = pool.Running
	case failed == total:
		s.State = pool.Failed
	case unknown == total:
		s.State = pool.OutcomeUnknown
	case failed+unknown > 0:
		s.State = pool.PartlyFailed
	case cancelled > 0 && !w.Cancelled.IsZero():
		s.State = pool.Cancelled
	default:
		s.State = pool.Done
	}
	return s
}

// mostFlagged is how many works the flag looks at.
const mostFlagged = 50

// flag counts the works that run and those that failed, of the newest and of the
// last day.
func (c *Console) flag() (f flag) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	list, err := c.pool.Works(ctx)
	if err != nil {
		return flag{}
	}
	for _, w := range list[:min(len(list), mostFlagged)] {
		s, err := c.brief(ctx, w.ID)
		if err != nil {
			continue
		}
		switch {
		case slices.Contains([]pool.WorkState{pool.Queued, pool.Running}, s.State):
			f.Running++
		case time.Since(w.Created) < 24*time.Hour && slices.Contains([]pool.WorkState{pool.Failed, pool.PartlyFailed, pool.OutcomeUnknown}, s.State):
			f.Failed++
		}
	}
	return f
}

// workPath is where works are listed.
const workPath = "/work"

// workPage is the page of a work.
func workPage(id string) string { return workPath + "/" + pathEscape(id) }
