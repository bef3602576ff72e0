package dcerpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
)

// pipe serves one end of a pipe and gives the other.
func pipe(t *testing.T, opts dcerpc.ServerOptions, interfaces ...*dcerpc.Interface) net.Conn {
	t.Helper()
	if opts.Acceptor == nil {
		opts.Acceptor = acceptor
	}
	s := dcerpc.NewServer(opts)
	for _, i := range interfaces {
		s.Register(i)
	}
	near, far := net.Pipe()
	s.ServeConn(far)
	t.Cleanup(func() {
		near.Close()
		s.Close()
	})
	return near
}

// endsAfter checks when the server closes a connection on which nothing more is sent.
func endsAfter(t *testing.T, nc net.Conn, want time.Duration) {
	t.Helper()
	start := time.Now()
	if _, err := io.Copy(io.Discard, nc); err != nil {
		t.Error(err)
	}
	if got := time.Since(start); got != want {
		t.Errorf("the connection ends after %v, want %v", got, want)
	}
}

func TestFirstBindInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { endsAfter(t, pipe(t, dcerpc.ServerOptions{}), 30*time.Second) })
	synctest.Test(t, func(t *testing.T) {
		nc := pipe(t, dcerpc.ServerOptions{Negotiation: 7 * time.Second})
		time.Sleep(5 * time.Second)
		nc.Write([]byte{5}) // a fragment has begun: it has as long again
		endsAfter(t, nc, 7*time.Second)
	})
}

// halfDone begins an exchange and never goes on.
type halfDone struct{ auth.Initiator }

func (h halfDone) Step(ctx context.Context, in []byte) ([]byte, bool, error) {
	if in != nil {
		<-ctx.Done()
		return nil, false, ctx.Err()
	}
	return h.Initiator.Step(ctx, in)
}

func TestHalfDoneExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dcerpc.NewConn(pipe(t, dcerpc.ServerOptions{}, echo(0, nil)), dcerpc.Options{})
		defer c.Close()
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		go c.Bind(ctx, echoID, c.NewSecurity(dcerpc.AuthNTLM, 5, halfDone{initiator(dcerpc.AuthNTLM, "bob", password)}))
		<-c.Done()
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("the connection ends after %v", got)
		}
		cancel()
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := make(chan string, 10)
		c := dcerpc.NewConn(pipe(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, waits)), dcerpc.Options{})
		defer c.Close()
		b, err := c.Bind(context.Background(), echoID, nil)
		if err != nil {
			t.Fatal(err)
		}
		// A call may take long; after it nothing keeps the connection.
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := b.Call(ctx, 1, none, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		start := time.Now()
		<-c.Done()
		// The time counts from the cancel, the last that the client sent.
		if got := time.Since(start); got > 2*time.Minute || got < 119*time.Second {
			t.Errorf("without a proven identity the connection ends after %v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := dcerpc.NewConn(pipe(t, dcerpc.ServerOptions{}, echo(0, nil)), dcerpc.Options{})
		defer c.Close()
		b, err := c.Bind(context.Background(), echoID, c.NewSecurity(dcerpc.AuthSPNEGO, 6, initiator(dcerpc.AuthSPNEGO, "bob", password)))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if err := b.Call(context.Background(), 2, none, nil, nil); err != nil {
			t.Errorf("with an identity, after a day: %v", err)
		}
	})
}

// A handler that does not listen to its context keeps nobody waiting, and its late answer is no trouble.
func TestOrphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		deaf := &dcerpc.Interface{ID: echoID, Name: "deaf", Serve: func(_ context.Context, call *dcerpc.Call) error {
			if call.Opnum == 1 {
				<-release
			}
			call.Out.Uint32(7)
			return nil
		}}
		c := dcerpc.NewConn(pipe(t, dcerpc.ServerOptions{}, deaf), dcerpc.Options{Cancel: 3 * time.Second})
		defer c.Close()
		b, err := c.Bind(context.Background(), echoID, c.NewSecurity(dcerpc.AuthNTLM, 6, initiator(dcerpc.AuthNTLM, "bob", password)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		start := time.Now()
		if err := b.Call(ctx, 1, none, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if got := time.Since(start); got != 63*time.Second {
			t.Errorf("given up after %v", got)
		}
		close(release)
		synctest.Wait()
		var n numberArg
		if err := b.Call(context.Background(), 0, none, nil, &n); err != nil || n.n != 7 {
			t.Errorf("the next call: %v, %d", err, n.n)
		}
	})
}

// A peer that does not read its answers loses its connection.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc := pipe(t, dcerpc.ServerOptions{WriteTimeout: 10 * time.Second}, echo(dcerpc.LevelNone, nil))
		nc.Write(bindOf(t, echoID))
		start := time.Now()
		time.Sleep(11 * time.Second)
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestCloseEndsCalls(t *testing.T) {
	waits := make(chan string, 4)
	s := dcerpc.NewServer(dcerpc.ServerOptions{})
	s.Register(echo(dcerpc.LevelNone, waits))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	result := make(chan error, 2)
	call := func() *dcerpc.Conn {
		c := dial(t, l.Addr().String(), dcerpc.Options{})
		b, err := c.Bind(timeout(t), echoID, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() { result <- b.Call(context.Background(), 1, none, nil, nil) }()
		<-waits
		return c
	}
	call().Close()
	if err := <-result; !errors.Is(err, dcerpc.ErrClosed) {
		t.Errorf("the client closes: %v", err)
	}
	if got := <-waits; got != "ended" {
		t.Errorf("the handler has %s", got)
	}
	call()
	s.Close()
	if err := <-result; err == nil {
		t.Error("the server closes, and the call succeeds")
	}
	if got := <-waits; got != "ended" {
		t.Errorf("the handler has %s", got)
	}
	if err := s.Serve(l); !errors.Is(err, dcerpc.ErrServerClosed) {
		t.Errorf("a closed server serves: %v", err)
	}
}

// Answers that a peer does not read do not pile up: without their being read, hardly more calls are served than a connection may have at once. They
// are all answered once it reads.
func TestAnswersThatNobodyReads(t *testing.T) {
	const asked, atOnce = 200, 4
	var served atomic.Int32
	nc := pipe(t, dcerpc.ServerOptions{MaxCalls: atOnce}, &dcerpc.Interface{ID: echoID, MinLevel: dcerpc.LevelNone, Serve: func(_ context.Context, call *dcerpc.Call) error {
		served.Add(1)
		call.Out.Grow(100)
		return nil
	}})
	nc.Write(bindOf(t, echoID))
	if _, err := io.ReadFull(nc, make([]byte, 56)); err != nil {
		t.Fatal(err)
	}
	go func() {
		for id := range asked {
			b := []byte{5, 0, 0, 3, 0x10, 0, 0, 0, 24, 0, 0, 0, byte(id), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
			if _, err := nc.Write(b); err != nil {
				return
			}
		}
	}()
	for was := int32(-1); was != served.Load(); time.Sleep(100 * time.Millisecond) {
		was = served.Load()
	}
	if n := served.Load(); n < atOnce || n > atOnce+10 {
		t.Errorf("%d calls are served while no answer is read, want about %d", n, atOnce)
	}
	for n := range asked {
		head := make([]byte, 16)
		if _, err := io.ReadFull(nc, head); err != nil {
			t.Fatalf("after %d answers: %v", n, err)
		}
		if _, err := io.CopyN(io.Discard, nc, int64(head[8])+int64(head[9])<<8-16); err != nil {
			t.Fatal(err)
		}
	}
}

// What nobody reads is bounded in octets as well, over all connections: the one that leaves too much is cut off, and others are served.
func TestLongAnswersThatNobodyReads(t *testing.T) {
	const asked = 40 // more than the buffers of the kernel hold beside what is permitted
	var served atomic.Int32
	opts := dcerpc.ServerOptions{MaxUnread: 10 << 20}
	addr := serve(t, opts, &dcerpc.Interface{ID: echoID, MinLevel: dcerpc.LevelNone, Serve: func(_ context.Context, call *dcerpc.Call) error {
		if call.Opnum == 0 {
			served.Add(1)
			call.Out.Grow(1 << 20)
		}
		return nil
	}})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.Write(bindOf(t, echoID))
	if _, err := io.ReadFull(nc, make([]byte, 56)); err != nil {
		t.Fatal(err)
	}
	for id := range asked {
		nc.Write([]byte{5, 0, 0, 3, 0x10, 0, 0, 0, 24, 0, 0, 0, byte(id), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	}
	for served.Load() < asked {
		time.Sleep(time.Millisecond)
	}
	other, err := dial(t, addr, dcerpc.Options{}).Bind(timeout(t), echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Call(timeout(t), 1, none, nil, nil); err != nil {
		t.Errorf("another client: %v", err)
	}
	time.Sleep(100 * time.Millisecond)
	if n, _ := io.Copy(io.Discard, nc); n >= asked<<20 {
		t.Errorf("all %d octets of answers were kept for who did not read", n)
	}
}

// A server that reads a long request slowly does not hold a caller who does not wait any more.
func TestSlowReaderHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		over := make(chan struct{})
		defer func() { <-over }()
		defer far.Close()
		go func() {
			defer close(over)
			b := make([]byte, 64<<10)
			far.Read(b)
			ack := []byte{5, 0, 12, 3, 0x10, 0, 0, 0, 56, 0, 0, 0, b[12], 0, 0, 0, 0xd0, 0x16, 0xd0, 0x16, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
				4, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 8, 0, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0}
			far.Write(ack)
			for {
				if _, err := io.ReadFull(far, b); err != nil {
					return
				}
				time.Sleep(30 * time.Second)
			}
		}()
		c := dcerpc.NewConn(near, dcerpc.Options{})
		defer c.Close()
		b, err := c.Bind(timeout(t), echoID, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 45*time.Second)
		defer cancel()
		start := time.Now()
		err = b.Call(ctx, 0, none, &bytesArg{make([]byte, 8<<20)}, nil)
		if took := time.Since(start); err == nil || took > 70*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// ending are NTLM's acceptors whose proofs end after a while, as tickets do.
func ending(after time.Duration) func(dcerpc.AuthType, net.Addr) (auth.Acceptor, error) {
	return func(dcerpc.AuthType, net.Addr) (auth.Acceptor, error) {
		return endingAcceptor{ntlmAcceptor(), time.Now().Add(after)}, nil
	}
}

type endingAcceptor struct {
	auth.Acceptor
	until time.Time
}

func (a endingAcceptor) Context() auth.Context { return endingContext{a.Acceptor.Context(), a.until} }

type endingContext struct {
	auth.Context
	until time.Time
}

func (c endingContext) Identity() auth.Identity {
	id := c.Context.Identity()
	id.Until = c.until
	return id
}

// A connection ends with the proof on it: at rest at that moment, else when its last call is answered, and nothing new begins.
func TestProofEnds(t *testing.T) {
	proved := func(t *testing.T, waits chan string) (*dcerpc.Conn, *dcerpc.Binding) {
		c := dcerpc.NewConn(pipe(t, dcerpc.ServerOptions{Acceptor: ending(time.Hour)}, echo(0, waits)), dcerpc.Options{})
		t.Cleanup(func() { c.Close() })
		b, err := c.Bind(context.Background(), echoID, c.NewSecurity(dcerpc.AuthNTLM, 6, initiator(dcerpc.AuthNTLM, "bob", password)))
		if err != nil {
			t.Fatal(err)
		}
		return c, b
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c, b := proved(t, nil)
		time.Sleep(59 * time.Minute)
		if err := b.Call(context.Background(), 2, none, nil, nil); err != nil {
			t.Errorf("before the end: %v", err)
		}
		<-c.Done()
		if got := time.Since(start); got != time.Hour {
			t.Errorf("at rest the connection ends after %v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		waits := make(chan string, 10)
		c, b := proved(t, waits)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
		defer cancel()
		go b.Call(ctx, 1, none, nil, nil) //nolint:errcheck // it is cancelled
		if got := <-waits; got != "begun" {
			t.Fatal(got)
		}
		time.Sleep(90 * time.Minute)
		if len(waits) != 0 || c.Err() != nil {
			t.Errorf("a call that is under way was ended: %v", c.Err())
		}
		var f *dcerpc.Fault
		if err := b.Call(context.Background(), 2, none, nil, nil); !errors.As(err, &f) || f.Status != dcerpc.StatusAccessDenied || !f.DidNotExecute {
			t.Errorf("a new call after the end: %v", err)
		}
		if len(waits) != 0 || c.Err() != nil {
			t.Errorf("the other call was ended: %v", c.Err())
		}
		<-ctx.Done()
		time.Sleep(3 * time.Second)
		if <-waits != "ended" || c.Err() == nil {
			t.Errorf("after the last call the connection stays: %v", c.Err())
		}
	})
}
