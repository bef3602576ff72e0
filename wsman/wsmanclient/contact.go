package wsmanclient

import (
	"context"
	"errors"
	"time"

	"github.com/casementhq/casement/wsman"
)

// How a command with CommandOptions.Contact notices that the network is away.
const (
	contactBeat  = 8 * time.Second // so often at least a Receive is answered
	contactGrace = 3 * time.Second // then its answer is late
	// contactDelay is how long an answer is waited for on its own connection: TCP
	// brings it whole when the network comes back, another connection would not.
	contactDelay    = time.Minute
	contactAgain    = time.Second
	contactPatience = 4 * time.Minute // as Windows has it for its shells
)

// contact tells whether the service is heard. Its methods are called by one
// goroutine after the other.
type contact struct {
	tell func(heard bool)
	lost time.Time // since when; zero where it is heard
}

// hear sends a Receive until it is answered or patience ends.
func (c *contact) hear(ctx context.Context, send func(context.Context) (*wsman.Message, error)) (*wsman.Message, error) {
	for {
		late := make(chan struct{})
		timer := time.AfterFunc(contactBeat+contactGrace, func() {
			defer close(late)
			c.gone()
		})
		m, err := send(ctx)
		if !timer.Stop() {
			<-late
		}
		if ctx.Err() != nil {
			return m, err
		}
		if !unheard(err) {
			if !c.lost.IsZero() {
				c.lost = time.Time{}
				c.tell(true)
			}
			return m, err
		}
		c.gone()
		if time.Since(c.lost) > contactPatience {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(contactAgain):
		}
	}
}

func (c *contact) gone() {
	if c.lost.IsZero() {
		c.lost = time.Now()
		c.tell(false)
	}
}

// unheard tells whether a Receive failed on its way; the one before it may still
// be at the service, which answers that there is one already.
func unheard(err error) bool {
	return errors.Is(err, wsman.CodeNetworkTimedOut) || errors.Is(err, codeCannotConnect) || errors.Is(err, codeReceiving)
}

// codeReceiving: another Receive of the command is under way.
const codeReceiving wsman.Code = 0x80338127
