package wmiserver

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// cursor is a place in a result set: what IEnumWbemClassObject and IWbemWCOSmartEnum read from.
type cursor struct {
	set  *resultSet
	turn chan struct{} // one token: calls on one enumerator come one after the other ([MS-WMI] 3.1.4.4.3)

	mu sync.Mutex
	at int
}

func newCursor(set *resultSet, at int) *cursor {
	c := &cursor{set: set, turn: make(chan struct{}, 1), at: at}
	c.turn <- struct{}{}
	return c
}

// errFull is what a visit fails with when the answer can take no more.
var errFull = errors.New("the answer is full")

// waiting is the context of a call that has a time limit in milliseconds: WBEM_INFINITE ends with the call alone. A limit of 0 asks for
// what is at hand; a provider that has something gets the moment that it takes to hand it over.
func waiting(ctx context.Context, timeout uint32) (context.Context, context.CancelFunc) {
	if timeout == timeoutInfinite {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(time.Duration(timeout)*time.Millisecond, atHand))
}

const (
	atHand                 = 10 * time.Millisecond
	timeoutInfinite uint32 = 0xFFFFFFFF // WBEM_INFINITE
)

// next gives n objects to visit and tells how many there were and what Next answers: WBEM_S_NO_ERROR for exactly n, WBEM_S_FALSE for
// fewer at the end, WBEM_S_TIMEDOUT for fewer and not at the end. An error of the operation comes alone, after the objects before it.
// See [MS-WMI] 3.1.4.4.2.
func (c *cursor) next(ctx context.Context, timeout uint32, n int, visit func(*cim.Instance) error) (got int, code uint32, err error) {
	limited, cancel := waiting(ctx, timeout)
	defer cancel()
	code = resultTimedOut // where others have the turn all the time
	alone := c.alone(limited, func() error {
		got, code, err = c.advance(limited, n, visit)
		return nil
	})
	if (code == resultTimedOut || alone != nil) && ctx.Err() != nil {
		code = uint32(cim.ErrCallCancelled)
	}
	return got, code, err
}

// advance is next for who has the turn.
func (c *cursor) advance(ctx context.Context, n int, visit func(*cim.Instance) error) (got int, code uint32, err error) {
	at := c.position()
	defer func() { c.move(at + got) }()
	for got < n {
		more, err := c.set.take(ctx, at+got, n-got, visit)
		got += more
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return got, resultFalse, nil
		case got > 0 || ctx.Err() != nil || errors.Is(err, errFull):
			return got, resultTimedOut, nil // the next call tells
		default:
			return 0, result(err), err
		}
	}
	return got, resultOK, nil
}

func (c *cursor) position() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *cursor) move(at int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// errForwardOnly is what Reset and Clone of an enumerator fail with that cannot go back.
var errForwardOnly = refuse(cim.ErrInvalidOperation, "the enumerator goes forward only")

// reset goes back to the first object. See [MS-WMI] 3.1.4.4.1.
func (c *cursor) reset(ctx context.Context) error {
	if !c.set.replay {
		return errForwardOnly
	}
	return c.alone(ctx, func() error {
		c.move(0)
		return nil
	})
}

// clone is another cursor at the same place. See [MS-WMI] 3.1.4.4.4.
func (c *cursor) clone(ctx context.Context) (other *cursor, err error) {
	if !c.set.replay {
		return nil, errForwardOnly
	}
	err = c.alone(ctx, func() error {
		c.set.retain()
		other = newCursor(c.set, c.position())
		return nil
	})
	return other, err
}

// alone runs f while no other call on the enumerator is under way.
func (c *cursor) alone(ctx context.Context, f func() error) error {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return f()
}

// skip passes n objects. See [MS-WMI] 3.1.4.4.5.
func (c *cursor) skip(ctx context.Context, timeout, n uint32) (uint32, error) {
	_, code, err := c.next(ctx, timeout, count(n), func(*cim.Instance) error { return nil })
	return code, err
}

// count is a number of objects that a client asks for.
func count(n uint32) int { return int(min(n, 1<<31-1)) }
