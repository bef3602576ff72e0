package decoupled

import (
	"context"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// maxWaiting bounds the operations that wait for a connection of one provider.
const maxWaiting = 64

// grace is how long operations wait for a provider whose last connection has
// just ended: one that was cut off in mid-answer comes back by a new one.
const grace = 2 * time.Second

// pool are the connections of one provider that are free.
type pool struct {
	namespace, name string // of the provider; empty for a user's hosts

	mu      sync.Mutex
	idle    []*conn
	all     int // free and busy
	waiting int
	closed  bool
	lost    time.Time     // when the last connection ended, or the first was announced
	freed   chan struct{} // closed and replaced when a connection is free or the last one is gone
}

// newPool makes the pool of a provider whose first connection is about to come.
func newPool() *pool { return &pool{freed: make(chan struct{}), lost: time.Now()} }

func (p *pool) wake() {
	close(p.freed)
	p.freed = make(chan struct{})
}

// reserve counts a connection that will be given when it is ready, so that
// operations wait for it; false: the pool is closed or full.
func (p *pool) reserve(most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.all >= most {
		return false
	}
	p.all++
	return true
}

// take waits for a free connection, or for room for a new one where the pool
// has fewer than most: nil then, and the new one is counted already.
func (p *pool) take(ctx context.Context, most int) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if n := len(p.idle); n > 0 {
			c := p.idle[n-1]
			p.idle = p.idle[:n-1]
			return c, nil
		}
		if !p.closed && p.all < most {
			p.all++
			return nil, nil
		}
		left := grace - time.Since(p.lost)
		if p.closed || p.all == 0 && left <= 0 {
			return nil, &cim.Error{Status: cim.ErrProviderLoadFailure, Detail: "the provider's process is not connected"}
		}
		if p.waiting >= maxWaiting {
			return nil, &cim.Error{Status: cim.ErrServerTooBusy, Detail: "all connections of the provider are busy"}
		}
		p.waiting++
		freed, gone := p.freed, p.all == 0
		p.mu.Unlock()
		wait(ctx, freed, gone, left)
		p.mu.Lock()
		p.waiting--
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// wait waits for freed, and for a provider that is gone no longer than left.
func wait(ctx context.Context, freed <-chan struct{}, gone bool, left time.Duration) {
	if gone {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left)
		defer cancel()
	}
	select {
	case <-freed:
	case <-ctx.Done():
	}
}

// less counts a connection that ended.
func (p *pool) less() {
	if p.all--; p.all == 0 {
		p.lost = time.Now()
	}
}

// unmade takes back the room of a connection that did not come.
func (p *pool) unmade() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.less()
	p.wake()
}

// give takes a connection back, or forgets it.
func (p *pool) give(c *conn, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-c.done:
		ok = false
	default:
	}
	if ok && !p.closed {
		p.idle = append(p.idle, c)
	} else {
		p.less()
		c.close()
	}
	p.wake()
}

// drop forgets a free connection that ended; false: it is busy.
func (p *pool) drop(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, one := range p.idle {
		if one == c {
			p.idle = append(p.idle[:n], p.idle[n+1:]...)
			p.less()
			p.wake()
			return true
		}
	}
	return false
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.close()
		p.less()
	}
	p.idle = nil
	p.wake()
}
