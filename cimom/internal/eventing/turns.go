package eventing

import (
	"context"
	"sync"

	"github.com/casementhq/casement/security"
)

// pollsAtOnce is how many polls of one user list instances at a time: a user
// with a thousand of them keeps nobody else waiting. One that hangs takes one
// place.
const pollsAtOnce = 16

// turns are the places of users who poll.
type turns struct {
	mu    sync.Mutex
	users map[security.SID]*places
}

type places struct {
	free  chan struct{} // holds a token for each place that is taken
	using int           // who has a place or waits for one
}

// take waits for a place; give gives it back.
func (t *turns) take(ctx context.Context, user security.SID) (give func(), err error) {
	t.mu.Lock()
	if t.users == nil {
		t.users = map[security.SID]*places{}
	}
	p := t.users[user]
	if p == nil {
		p = &places{free: make(chan struct{}, pollsAtOnce)}
		t.users[user] = p
	}
	p.using++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if p.using--; p.using == 0 {
			delete(t.users, user)
		}
	}
	select {
	case p.free <- struct{}{}:
		return func() { <-p.free; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
