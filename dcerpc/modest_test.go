package dcerpc_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/dcerpc"
)

// modest serves as a server does that takes one call at a time and closes connections whose calls are given up, as Windows before 2008.
func modest(t *testing.T, i *dcerpc.Interface, opts dcerpc.Options) *dcerpc.Conn {
	t.Helper()
	s := dcerpc.NewServer(dcerpc.ServerOptions{})
	s.Register(i)
	near, far := net.Pipe()
	m := &meddler{Conn: far, change: func(b []byte) []byte {
		if b[2] == 12 { // bind_ack: no flag for several calls, no features
			b[3] &^= 0x10
			for at := len(b) - 24; at > 40; at -= 24 {
				if b[at] == 3 {
					b[at+2] = 0
				}
			}
		}
		return b
	}}
	m.armed.Store(true)
	s.ServeConn(m)
	c := dcerpc.NewConn(near, opts)
	t.Cleanup(func() {
		c.Close()
		s.Close()
	})
	return c
}

func TestOneCallAtATime(t *testing.T) {
	var now, most atomic.Int32
	c := modest(t, &dcerpc.Interface{ID: echoID, MinLevel: dcerpc.LevelNone, Serve: func(_ context.Context, call *dcerpc.Call) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return nil
	}}, dcerpc.Options{})
	b, err := c.Bind(timeout(t), echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := b.Call(timeout(t), 0, none, nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d calls at once", most.Load())
	}
}

func TestOrphanClosesWhereItMust(t *testing.T) {
	waits := make(chan string, 4)
	c := modest(t, &dcerpc.Interface{ID: echoID, MinLevel: dcerpc.LevelNone, Serve: func(ctx context.Context, _ *dcerpc.Call) error {
		waits <- "begun"
		<-ctx.Done()
		<-waits // does not answer
		return nil
	}}, dcerpc.Options{Cancel: time.Millisecond})
	b, err := c.Bind(timeout(t), echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(timeout(t))
	result := make(chan error, 1)
	go func() { result <- b.Call(ctx, 1, none, nil, nil) }()
	<-waits
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-c.Done()
	waits <- "go"
	if b.Call(timeout(t), 1, none, nil, nil) == nil {
		t.Error("the connection is used on")
	}
}

// Calls run side by side, and each gets its own answer.
func TestManyCallsAtOnce(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(0, nil))
	c := dial(t, addr, dcerpc.Options{})
	b, err := c.Bind(timeout(t), echoID, c.NewSecurity(dcerpc.AuthNTLM, 6, initiator(dcerpc.AuthNTLM, "bob", password)))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for n := range 8 {
				want := []byte{byte(i), byte(n)}
				for len(want) < 1+250*i { // up to two fragments
					want = append(want, byte(i+n))
				}
				var out bytesArg
				if err := b.Call(timeout(t), 0, none, &bytesArg{want}, &out); err != nil || string(out.b) != string(want) {
					t.Errorf("call %d of %d: %v", n, i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
