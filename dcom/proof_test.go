package dcom_test

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
)

// ticket makes proofs of NTLM end after a while, as those of Kerberos do.
type ticket struct {
	auth.Context
	until time.Time
}

func (c ticket) Identity() auth.Identity {
	id := c.Context.Identity()
	id.Until = c.until
	return id
}

type ticketAcceptor struct {
	auth.Acceptor
	until time.Time
}

func (a ticketAcceptor) Context() auth.Context { return ticket{a.Acceptor.Context(), a.until} }

type ticketInitiator struct {
	auth.Initiator
	until time.Time
}

func (i ticketInitiator) Context() auth.Context { return ticket{i.Initiator.Context(), i.until} }

// A client goes on when the ticket of its connection has ended: it proves itself anew, at rest and while other calls are under way there, and these
// are answered. Its objects stay.
func TestTicketsEnd(t *testing.T) {
	const life = time.Hour
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		newWorld(t, worldOptions{acceptor: func(k dcerpc.AuthType, peer net.Addr) (auth.Acceptor, error) {
			a, err := acceptor(k, peer)
			return ticketAcceptor{a, time.Now().Add(life + 5*time.Minute)}, err
		}}, n.at("192.0.2.1", 135, 49152))
		var signedIn atomic.Int32
		blanket := as("bob")
		plain := blanket.Initiator
		blanket.Initiator = func(service, host string) (auth.Initiator, error) {
			signedIn.Add(1)
			i, err := plain(service, host)
			return ticketInitiator{i, time.Now().Add(life)}, err
		}
		c := dcom.NewClient(dcom.ClientOptions{Blanket: blanket, Dial: n.dial})
		defer c.Close()
		p, err := c.Activate(t.Context(), "192.0.2.1", clsidCounter, iidCounter)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := add(t, p[0], 1); err != nil || got != 1 {
			t.Fatalf("%d, %v", got, err)
		}
		first := signedIn.Load()
		time.Sleep(2 * life) // at rest
		if got, err := add(t, p[0], 1); err != nil || got != 2 || signedIn.Load() == first {
			t.Errorf("after a rest: %d, %v, signed in %d times", got, err, signedIn.Load())
		}
		long := make(chan error)
		go func() {
			var out dcom.ResultResponse
			long <- p[0].Call(t.Context(), 7, &number{uint32(life/time.Minute) + 10}, &out)
		}()
		time.Sleep(life + 6*time.Minute)
		if got, err := add(t, p[0], 1); err != nil || got != 3 {
			t.Errorf("beside a long call: %d, %v", got, err)
		}
		if err := <-long; err != nil {
			t.Errorf("the long call: %v", err)
		}
	})
}
