package console

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The limits of sign-in. See spec/console.md 4.
const (
	mostUnproven = 10
	mostFrom     = 5 // of these from one address, so that it cannot keep all others out
	firstDelay   = time.Second
	mostDelay    = 30 * time.Second
	forgetAfter  = 15 * time.Minute
	mostKept     = 10000
)

// throttle slows guessing down. The zero value is ready.
type throttle struct {
	mu     sync.Mutex
	under  int
	from   map[string]int // of these, by network
	failed map[string]*guesses
}

// guesses are the wrong sign-ins of an account from an address.
type guesses struct {
	count int
	last  time.Time
	turn  chan struct{} // holds a token while an attempt is under way
}

// attempt runs a sign-in: at most ten at once and five from one address, one after
// the other for the same account and address. One that is refused takes as long as
// that account and address must wait, 1 s first and twice as long each time, whatever
// the reason was; who goes away before shortens nothing for the next. busy tells that
// there are too many.
func (t *throttle) attempt(ctx context.Context, user, from string, try func(context.Context) (ok bool, err error)) (busy bool, err error) {
	from = network(from)
	t.mu.Lock()
	if t.under >= mostUnproven || t.from[from] >= mostFrom {
		t.mu.Unlock()
		return true, nil
	}
	t.under++
	if t.from == nil {
		t.from = map[string]int{}
	}
	t.from[from]++
	g := t.of(strings.ToLower(user) + "\x00" + from)
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.under--
		if t.from[from]--; t.from[from] == 0 {
			delete(t.from, from)
		}
	}()
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	next := time.Now() // when it is somebody else's turn
	defer func() {
		if wait := time.Until(next); wait > 0 {
			time.AfterFunc(wait, func() { <-g.turn })
			return
		}
		<-g.turn
	}()
	t.mu.Lock()
	wait := min(firstDelay<<min(g.count, 5), mostDelay)
	t.mu.Unlock()
	later := time.Now().Add(wait)
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
	next = later
	select {
	case <-over.C:
	case <-ctx.Done():
	}
	return false, err
}

// network is what counts as one address: of IPv6 the network of 64 bits, whose
// addresses are one machine's to choose.
func network(from string) string {
	a, err := netip.ParseAddr(from)
	if err != nil {
		return from
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return a.String()
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
