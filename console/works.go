package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/casementhq/casement/pool"
)

// works are the kept works, in memory until something of one changes.
type works struct {
	mu    sync.Mutex
	known bool
	list  []pool.Work
}

func (w *works) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = false
}

// allWorks are the kept works, the newest first.
func (c *Console) allWorks(ctx context.Context) ([]pool.Work, error) {
	c.works.mu.Lock()
	defer c.works.mu.Unlock()
	if !c.works.known {
		list, err := c.pool.Works(ctx)
		if err != nil {
			return nil, err
		}
		c.works.list, c.works.known = list, true
	}
	return slices.Clone(c.works.list), nil
}

// flag counts the works that run, and those of the last day that failed.
func (c *Console) flag(ctx context.Context) (f flag) {
	list, err := c.allWorks(ctx)
	if err != nil {
		return flag{}
	}
	for _, w := range list {
		switch w.Tally.State() {
		case pool.Queued, pool.Running:
			f.Running++
		case pool.Failed, pool.PartlyFailed, pool.OutcomeUnknown:
			if time.Since(w.Created) < 24*time.Hour {
				f.Failed++
			}
		}
	}
	return f
}

// workPath is where works are listed.
const workPath = "/work"

// workPage is the page of a work.
func workPage(id string) string { return workPath + "/" + pathEscape(id) }
