package eventing

import (
	"context"
	"maps"
	"strings"

	"github.com/casementhq/casement/cim"
)

// attach puts the subscription on the list of a feed, which is made for the
// first one, and waits until it runs.
func (s *subscription) attach(ctx context.Context, p plan) error {
	f, err := s.hub.join(s, p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.feeds = append(s.feeds, f)
	}
	s.mu.Unlock()
	if closed {
		s.hub.detach(f, s)
		return f.failed()
	}
	if f.ready == nil {
		return nil
	}
	select {
	case <-f.ready:
		return f.failure
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failed is why a subscription ended while it was attached: the feed could not
// start, or somebody closed it.
func (f *feed) failed() error {
	if f.ready != nil {
		select {
		case <-f.ready:
			if f.failure != nil {
				return f.failure
			}
		default:
		}
	}
	return &cim.Error{Status: cim.ErrCallCancelled}
}

// join makes s a member of the feed of a plan.
func (h *Hub) join(s *subscription, p plan) (*feed, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, &cim.Error{Status: cim.ErrShuttingDown}
	}
	if p.run == nil {
		return h.joinOwn(s), nil
	}
	f := h.feeds[p.key]
	if f == nil && p.general != nil && h.runs(p.general.key) >= mostRuns {
		p = *p.general
		f = h.feeds[p.key]
	}
	if f == nil {
		f = &feed{hub: h, namespace: s.namespace, key: p.key, members: map[*subscription]struct{}{}, ready: make(chan struct{})}
		h.feeds[p.key] = f
		ctx, cancel := context.WithCancel(context.Background()) // the feed's life is its own
		f.cancel = cancel
		h.work.Go(func() { f.drive(ctx, p.run(f)) })
	}
	f.members[s] = struct{}{}
	f.rebuild()
	return f, nil
}

// mostRuns is how often the event provider of a class runs for one caller, with
// other constraints each time, before it runs without any for all that follow.
const mostRuns = 4

// runs counts the feeds of an event provider for one caller; h.mu is held.
func (h *Hub) runs(base string) (n int) {
	for key := range h.feeds {
		if strings.HasPrefix(key, base) {
			n++
		}
	}
	return n
}

// joinOwn makes s a member of the feed of what the manager writes; h.mu is
// held.
func (h *Hub) joinOwn(s *subscription) *feed {
	own := *h.own.Load()
	f := own[cim.Fold(s.namespace)]
	if f == nil {
		f = &feed{hub: h, namespace: s.namespace, members: map[*subscription]struct{}{}}
	}
	f.members[s] = struct{}{}
	f.rebuild()
	if len(f.members) == 1 {
		own = maps.Clone(own)
		own[cim.Fold(s.namespace)] = f
		h.own.Store(&own)
	}
	return f
}

// spawn runs f beside everything else, unless the hub is closed; Close waits
// for it.
func (h *Hub) spawn(f func()) (ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.work.Go(f)
	return true
}

// drive runs what fills a feed.
func (f *feed) drive(ctx context.Context, r runner) {
	defer f.cancel()
	f.failure = guarded(ctx, r.start)
	close(f.ready)
	err := f.failure
	if err == nil {
		err = guarded(ctx, r.run)
	}
	if err != nil && ctx.Err() == nil {
		f.fail(err)
	}
}

func guarded(ctx context.Context, f func(context.Context) error) (err error) {
	defer caught(&err)
	return f(ctx)
}

// detach takes s off a feed; the last one ends what runs.
func (h *Hub) detach(f *feed, s *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := f.members[s]; !ok {
		return
	}
	delete(f.members, s)
	f.rebuild()
	if len(f.members) > 0 {
		return
	}
	if f.cancel == nil {
		own := maps.Clone(*h.own.Load())
		if own[cim.Fold(f.namespace)] == f {
			delete(own, cim.Fold(f.namespace))
			h.own.Store(&own)
		}
		return
	}
	f.cancel()
	if h.feeds[f.key] == f {
		delete(h.feeds, f.key)
	}
}
