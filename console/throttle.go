package console

import (
	"context"
	"strings"
	"sync"
	"time"
)

// The limits of sign-in. See spec/console.md 4.
const (
	mostUnproven = 10
	firstDelay   = time.Second
	mostDelay    = 30 * time.Second
	forgetAfter  = 15 * time.Minute
	mostKept     = 10000
)

// throttle slows guessing down. The zero value is ready.
type throttle struct {
	mu     sync.Mutex
	under  int
	failed map[string]*guesses
}

// guesses are the wrong sign-ins of an account from an address.
type guesses struct {
	count int
	last  time.Time
	turn  chan struct{} // holds a token while an attempt is under way
}

// attempt runs a sign-in: at most ten at once, one after the other for the same
// account and address. One that is refused takes as long as that account and
// address must wait, 1 s first and twice as long each time, whatever the reason
// was. busy tells that there are too many.
func (t *throttle) attempt(ctx context.Context, user, from string, try func(context.Context) (ok bool, err error)) (busy bool, err error) {
	t.mu.Lock()
	if t.under >= mostUnproven {
		t.mu.Unlock()
		return true, nil
	}
	t.under++
	g := t.of(strings.ToLower(user) + "\x00" + from)
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.under--
	}()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	t.mu.Lock()
	wait := min(firstDelay<<min(g.count, 5), mostDelay)
	t.mu.Unlock()
	over := time.NewTimer(wait)
	defer over.Stop()
	tried, cancel := context.WithTimeout(ctx, firstDelay+mostDelay)
	defer cancel()
	ok, err := try(tried)
	t.mu.Lock()
	g.last = time.Now()
	if ok {
		g.count = 0
	} else {
		g.count++
	}
	t.mu.Unlock()
	if ok {
		return false, err
	}
	select {
	case <-over.C:
	case <-ctx.Done():
	}
	return false, err
}

// of is the record of an account and address. What is kept is bounded: records
// that are old go, then any.
func (t *throttle) of(key string) *guesses {
	if t.failed == nil {
		t.failed = map[string]*guesses{}
	}
	if g := t.failed[key]; g != nil {
		if time.Since(g.last) > forgetAfter {
			g.count = 0
		}
		return g
	}
	if len(t.failed) >= mostKept {
		for k, g := range t.failed {
			if len(g.turn) == 0 && (time.Since(g.last) > forgetAfter || len(t.failed) >= mostKept) {
				delete(t.failed, k)
			}
		}
	}
	g := &guesses{turn: make(chan struct{}, 1), last: time.Now()}
	t.failed[key] = g
	return g
}
