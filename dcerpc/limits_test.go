package dcerpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
)

// bindOf is a bind to an interface in NDR 2.0, laid out by hand after [C706] 12.6.4.3.
func bindOf(t testing.TB, id dcerpc.SyntaxID) []byte {
	t.Helper()
	b := []byte{5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0}
	for _, s := range []dcerpc.SyntaxID{id, dcerpc.NDR20} {
		b = append(b, s.UUID[:]...)
		b = binary.LittleEndian.AppendUint16(b, s.Major)
		b = binary.LittleEndian.AppendUint16(b, s.Minor)
	}
	return b
}

func TestConnectionFlood(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{MaxConnsPerAddress: 3}, echo(dcerpc.LevelNone, nil))
	var conns []*dcerpc.Conn
	for range 3 {
		c := dial(t, addr, dcerpc.Options{})
		if _, err := c.Bind(timeout(t), echoID, nil); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	if _, err := dial(t, addr, dcerpc.Options{}).Bind(timeout(t), echoID, nil); err == nil {
		t.Fatal("one connection too many is served")
	}
	conns[0].Close()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		_, err := dial(t, addr, dcerpc.Options{}).Bind(timeout(t), echoID, nil)
		if err == nil {
			return
		}
		if time.Since(start) > 5*time.Second {
			t.Fatalf("after one has gone: %v", err)
		}
	}
}

func TestAdmit(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{Admit: func(_, peer net.Addr) error {
		if peer.(*net.TCPAddr).IP.IsLoopback() {
			return errors.New("not from here")
		}
		return nil
	}}, echo(dcerpc.LevelNone, nil))
	nc, err := net.Dial("tcp", addr)
	if err == nil { // a reset may be there before connect returns
		defer nc.Close()
		_, err = nc.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a refused address: %v, want a reset", err)
	}
}

func TestTooManyCalls(t *testing.T) {
	waits := make(chan string, 10)
	addr := serve(t, dcerpc.ServerOptions{MaxCalls: 2}, echo(dcerpc.LevelNone, waits))
	c := dial(t, addr, dcerpc.Options{})
	b, err := c.Bind(timeout(t), echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(timeout(t))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { b.Call(ctx, 1, none, nil, nil) })
		<-waits
	}
	if err := b.Call(timeout(t), 0, none, &bytesArg{}, nil); !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusTooBusy}) {
		t.Errorf("a third call: %v", err)
	}
	cancel()
	wg.Wait()
}

func TestTooMuchHeld(t *testing.T) {
	waits := make(chan string, 20)
	addr := serve(t, dcerpc.ServerOptions{MaxRequest: 10_000, MaxAnonymous: 10_000}, echo(dcerpc.LevelNone, waits))
	c := dial(t, addr, dcerpc.Options{})
	b, err := c.Bind(timeout(t), echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(timeout(t))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { b.Call(ctx, 1, none, &bytesArg{make([]byte, 9_000)}, nil) })
		<-waits
	}
	if err := b.Call(timeout(t), 0, none, &bytesArg{make([]byte, 9_000)}, nil); !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusTooBusy}) {
		t.Errorf("a fifth long request: %v", err)
	}
	cancel()
	wg.Wait()
	if err := b.Call(timeout(t), 0, none, &bytesArg{make([]byte, 9_000)}, nil); err != nil {
		t.Errorf("when they are done: %v", err)
	}
}

func TestRequestTooLong(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{MaxRequest: 100_000, MaxAnonymous: 20_000}, echo(dcerpc.LevelNone, nil))
	for _, c := range []struct {
		name string
		auth bool
		n    int
		ok   bool
	}{{"anonymous", false, 19_000, true}, {"anonymous, longer", false, 21_000, false}, {"proved", true, 90_000, true}, {"proved, longer", true, 101_000, false}} {
		conn := dial(t, addr, dcerpc.Options{})
		var sec *dcerpc.Security
		if c.auth {
			sec = conn.NewSecurity(dcerpc.AuthNTLM, 6, initiator(dcerpc.AuthNTLM, "bob", password))
		}
		b, err := conn.Bind(timeout(t), echoID, sec)
		if err != nil {
			t.Fatal(err)
		}
		err = b.Call(timeout(t), 0, none, &bytesArg{make([]byte, c.n)}, nil)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestResponseTooLong(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, nil))
	c := dial(t, addr, dcerpc.Options{MaxResponse: 50_000})
	b, err := c.Bind(timeout(t), echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Call(timeout(t), 5, none, &numberArg{40_000}, nil); err != nil {
		t.Error(err)
	}
	if err := b.Call(timeout(t), 5, none, &numberArg{60_000}, nil); err == nil || c.Err() == nil {
		t.Errorf("a response that is too long: %v", err)
	}
}

func TestTooManyContexts(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{MaxContexts: 2, MaxSecurity: 2}, echo(dcerpc.LevelNone, nil), &dcerpc.Interface{ID: dcerpc.Syntax("00000000-0000-0000-c000-000000000046", 0, 0), MinLevel: dcerpc.LevelNone})
	c := dial(t, addr, dcerpc.Options{})
	for i, id := range []dcerpc.SyntaxID{echoID, dcerpc.MgmtID, dcerpc.Syntax("00000000-0000-0000-c000-000000000046", 0, 0)} {
		_, err := c.Bind(timeout(t), id, nil)
		var r *dcerpc.RejectedError
		if i < 2 && err != nil || i == 2 && (!errors.As(err, &r) || r.Reason != 3) {
			t.Errorf("presentation context %d: %v", i, err)
		}
	}
	for i := range 3 {
		_, err := c.Bind(timeout(t), echoID, c.NewSecurity(dcerpc.AuthNTLM, 5, initiator(dcerpc.AuthNTLM, "bob", password)))
		if i < 2 && err != nil || i == 2 && !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusProtoError}) {
			t.Errorf("security context %d: %v", i, err)
		}
	}
}

// A connection is no place to try passwords.
func TestFewUnprovedContexts(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, nil))
	c := dial(t, addr, dcerpc.Options{})
	bind := func(pass string) error {
		_, err := c.Bind(timeout(t), echoID, c.NewSecurity(dcerpc.AuthNTLM, 5, initiator(dcerpc.AuthNTLM, "bob", pass)))
		return err
	}
	for i := range 16 {
		for _, pass := range []string{password, "wrong"} {
			if err := bind(pass); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
	}
	if err := bind("wrong"); !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusProtoError}) {
		t.Errorf("the 17th time: %v", err)
	}
}

// meddler changes what one side sends.
type meddler struct {
	net.Conn
	change func(b []byte) []byte // of what is written
	armed  atomic.Bool
}

func (m *meddler) Write(b []byte) (int, error) {
	if m.armed.Load() {
		if _, err := m.Conn.Write(m.change(bytes.Clone(b))); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return m.Conn.Write(b)
}

func TestChangedFragmentEndsTheConnection(t *testing.T) {
	calls := new(atomic.Int32)
	counted := &dcerpc.Interface{ID: echoID, Serve: func(_ context.Context, call *dcerpc.Call) error {
		calls.Add(1)
		call.Out.Uint32(call.In.Uint32())
		return nil
	}}
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			if at < 0 {
				b[len(b)+at] ^= 1
			} else {
				b[at] ^= 1
			}
			return b
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"operation":       flip(22),
		"argument":        flip(24),
		"padding":         flip(-25),
		"signature":       flip(-8),
		"sequence number": flip(-1),
		"replayed":        func(b []byte) []byte { return append(b, b...) },
		"level taken off": func(b []byte) []byte {
			n := len(b) - 24
			binary.LittleEndian.PutUint16(b[8:], uint16(n))
			b[10], b[11] = 0, 0
			return b[:n]
		},
		"level connect": func(b []byte) []byte { b[len(b)-23] = 2; return b },
	} {
		for _, level := range []dcerpc.Level{4, 5, 6} {
			calls.Store(0)
			addr := serve(t, dcerpc.ServerOptions{}, counted)
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			m := &meddler{Conn: nc, change: change}
			c := dcerpc.NewConn(m, dcerpc.Options{})
			b, err := c.Bind(timeout(t), echoID, c.NewSecurity(dcerpc.AuthNTLM, level, initiator(dcerpc.AuthNTLM, "bob", password)))
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Call(timeout(t), 0, none, &numberArg{1}, nil); err != nil {
				t.Fatal(err)
			}
			m.armed.Store(true)
			err = b.Call(timeout(t), 0, none, &numberArg{1}, nil)
			m.armed.Store(false)
			want := int32(1)
			if name == "replayed" {
				want = 2
			} else if err == nil {
				t.Errorf("%s at %v: the call succeeds", name, level)
			}
			if name == "level taken off" {
				// What comes without a signature is a call of nobody, which this interface does not serve.
				if !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusAccessDenied}) {
					t.Errorf("%s at %v: %v", name, level, err)
				}
				c.Close()
			}
			<-c.Done()
			for end := time.Now().Add(5 * time.Second); calls.Load() < want && time.Now().Before(end); {
				time.Sleep(time.Millisecond) // the last one is served while its connection ends
			}
			if got := calls.Load(); got != want {
				t.Errorf("%s at %v: %d calls are served, want %d", name, level, got, want)
			}
		}
	}
}

func TestChangedResponseEndsTheConnection(t *testing.T) {
	for _, level := range []dcerpc.Level{4, 5, 6} {
		for _, at := range []int{-1, -8, -30} {
			s := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor})
			s.Register(echo(0, nil))
			near, far := net.Pipe()
			m := &meddler{Conn: far, change: func(b []byte) []byte { b[len(b)+at] ^= 1; return b }}
			s.ServeConn(m)
			c := dcerpc.NewConn(near, dcerpc.Options{})
			b, err := c.Bind(timeout(t), echoID, c.NewSecurity(dcerpc.AuthNTLM, level, initiator(dcerpc.AuthNTLM, "bob", password)))
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Call(timeout(t), 0, none, &bytesArg{make([]byte, 30)}, nil); err != nil {
				t.Fatal(err)
			}
			m.armed.Store(true)
			err = b.Call(timeout(t), 0, none, &bytesArg{make([]byte, 30)}, nil)
			if !errors.Is(err, auth.ErrMessageAltered) || c.Err() == nil {
				t.Errorf("%v, octet %d: %v", level, at, err)
			}
			c.Close()
			s.Close()
		}
	}
}

// A client and a server of the other byte order are read: the bind and the call of the management interface, written by hand.
func TestBigEndian(t *testing.T) {
	nc := pipe(t, dcerpc.ServerOptions{})
	bind := []byte{5, 0, 11, 3, 0, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0, 1, 0x16, 0xd0, 0x16, 0xd0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0,
		0xaf, 0xa8, 0xbd, 0x80, 0x7d, 0x8a, 0x11, 0xc9, 0xbe, 0xf4, 8, 0, 0x2b, 0x10, 0x29, 0x89, 0, 0, 0, 1,
		0x8a, 0x88, 0x5d, 4, 0x1c, 0xeb, 0x11, 0xc9, 0x9f, 0xe8, 8, 0, 0x2b, 0x10, 0x48, 0x60, 0, 0, 0, 2}
	nc.Write(bind)
	ack := make([]byte, 56)
	if _, err := io.ReadFull(nc, ack); err != nil || ack[2] != 12 {
		t.Fatalf("%v, % x", err, ack)
	}
	nc.Write([]byte{5, 0, 0, 3, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2}) // inq_stats of two
	answer := make([]byte, 24+20)
	if _, err := io.ReadFull(nc, answer); err != nil {
		t.Fatal(err)
	}
	if answer[2] != 2 || binary.LittleEndian.Uint32(answer[24:]) != 2 || binary.LittleEndian.Uint32(answer[28:]) != 2 {
		t.Errorf("answered % x", answer)
	}
}

// The same with a response: what a server of the other byte order says.
func TestBigEndianServer(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		b := make([]byte, 4096)
		far.Read(b)
		ack := []byte{5, 0, 12, 3, 0, 0, 0, 0, 0, 56, 0, 0, 0, 0, 0, b[12], 0x16, 0xd0, 0x16, 0xd0, 0, 0, 0, 9, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
			0x8a, 0x88, 0x5d, 4, 0x1c, 0xeb, 0x11, 0xc9, 0x9f, 0xe8, 8, 0, 0x2b, 0x10, 0x48, 0x60, 0, 0, 0, 2}
		far.Write(ack)
		far.Read(b)
		far.Write([]byte{5, 0, 2, 3, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0, 0, b[12], 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 1, 2})
	}()
	c := dcerpc.NewConn(near, dcerpc.Options{})
	defer c.Close()
	b, err := c.Bind(timeout(t), echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	var n numberArg
	if err := b.Call(timeout(t), 0, none, nil, &n); err != nil || n.n != 0x102 || c.Association() != 9 {
		t.Errorf("%v, %#x, association %d", err, n.n, c.Association())
	}
}

func TestLookup(t *testing.T) {
	known := echo(dcerpc.LevelNone, nil)
	addr := serve(t, dcerpc.ServerOptions{Lookup: func(id dcerpc.SyntaxID) *dcerpc.Interface {
		if id.UUID == echoID.UUID {
			return known
		}
		return nil
	}})
	c := dial(t, addr, dcerpc.Options{})
	b, err := c.Bind(timeout(t), echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Call(timeout(t), 0, none, &bytesArg{}, nil); err != nil {
		t.Error(err)
	}
	newer := echoID
	newer.Minor++
	if _, err := c.Bind(timeout(t), newer, nil); err == nil {
		t.Error("a higher minor version is served")
	}
}

func TestValueIsMadeOnce(t *testing.T) {
	var made atomic.Int32
	var fail atomic.Bool
	fail.Store(true)
	addr := serve(t, dcerpc.ServerOptions{}, &dcerpc.Interface{ID: echoID, Serve: func(_ context.Context, call *dcerpc.Call) error {
		v, err := call.Security.Value(func() (any, error) {
			if fail.Load() {
				return nil, errors.New("not now")
			}
			made.Add(1)
			return "token of " + call.Security.Identity().User, nil
		})
		if err != nil {
			return err
		}
		call.Out.Bytes([]byte(v.(string)))
		return nil
	}})
	c := dial(t, addr, dcerpc.Options{})
	b, err := c.Bind(timeout(t), echoID, c.NewSecurity(dcerpc.AuthNTLM, 5, initiator(dcerpc.AuthNTLM, "bob", password)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Call(timeout(t), 0, none, nil, nil); !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusCallFailed}) {
		t.Errorf("the failure: %v", err)
	}
	fail.Store(false)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var out bytesArg
			if err := b.Call(timeout(t), 0, none, nil, &out); err != nil || string(out.b) != "token of bob" {
				t.Errorf("%v, %q", err, out.b)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
}
