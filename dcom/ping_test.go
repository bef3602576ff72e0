package dcom_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/security"
)

// network is one of pipes, for tests whose time is made.
type network struct {
	mu        sync.Mutex
	listeners map[string]chan net.Conn
	down      bool
	dialled   []string
	conns     []net.Conn
}

type pipeListener struct {
	n    *network
	addr *net.TCPAddr
	in   chan net.Conn
	done chan struct{}
	once sync.Once
}

// pipeConn has addresses.
type pipeConn struct {
	net.Conn
	local, remote net.Addr
}

func (c *pipeConn) LocalAddr() net.Addr  { return c.local }
func (c *pipeConn) RemoteAddr() net.Addr { return c.remote }

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.n.mu.Lock()
		delete(l.n.listeners, l.addr.String())
		l.n.mu.Unlock()
	})
	return nil
}

func (l *pipeListener) Addr() net.Addr { return l.addr }

// at gives a function that listens at the ports of an address, one after the other.
func (n *network) at(host string, ports ...uint16) func(testing.TB) net.Listener {
	return func(t testing.TB) net.Listener {
		t.Helper()
		l := &pipeListener{n: n, addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), ports[0])), in: make(chan net.Conn), done: make(chan struct{})}
		ports = ports[1:]
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.listeners == nil {
			n.listeners = map[string]chan net.Conn{}
		}
		n.listeners[l.addr.String()] = l.in
		return l
	}
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	in, down := n.listeners[address], n.down
	n.dialled = append(n.dialled, address)
	n.mu.Unlock()
	if in == nil || down {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	ours, theirs := net.Pipe()
	from, to := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.200:40000")), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))
	select {
	case in <- &pipeConn{theirs, to, from}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	n.conns = append(n.conns, ours)
	n.mu.Unlock()
	return &pipeConn{ours, from, to}, nil
}

// cut ends all connections, and takes no new ones while it is down.
func (n *network) cut(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

const host = "192.0.2.1"

// inBubble runs a test with a machine at 192.0.2.1, ports 135 and 49152, in made time.
func inBubble(t *testing.T, test func(t *testing.T, n *network, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		w := newWorld(t, worldOptions{}, n.at(host, 135, 49152))
		w.host = host
		test(t, n, w)
	})
}

// calls counts what a client calls by opnum of IObjectExporter and IRemUnknown2.
type calls struct {
	mu   sync.Mutex
	made []string
}

func (c *calls) trace() *dcerpc.Trace {
	return &dcerpc.Trace{Request: func(id dcerpc.SyntaxID, opnum uint16, _ []byte) {
		names := map[security.GUID]string{dcom.IIDObjectExporter: "IObjectExporter", dcom.IIDRemUnknown2: "IRemUnknown2", dcom.IIDRemoteSCMActivator: "IRemoteSCMActivator"}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.made = append(c.made, fmt.Sprintf("%s.%d", names[id.UUID], opnum))
	}}
}

func (c *calls) count(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.made {
		if m == name {
			n++
		}
	}
	return n
}

// T-114: after three missed periods an object is gone, and its memory soon after.
func TestObjectIsGoneUnpinged(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, w *world) {
		c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial, PingPeriod: 24 * time.Hour}) // a client that never pings
		p, q := activate(t, c, w), activate(t, c, w)
		time.Sleep(6*time.Minute - time.Second)
		if _, err := add(t, p, 1); err != nil {
			t.Errorf("just before: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := add(t, q, 1); !isResult(err, dcom.RPC_E_DISCONNECTED) {
			t.Errorf("after three periods without a call or a ping: %v", err)
		}
		time.Sleep(5 * time.Minute)
		if _, err := add(t, p, 1); err != nil {
			t.Errorf("a call is as good as a ping: %v", err)
		}
		if w.exporter.Len() != 1 || w.released.Load() != 1 {
			t.Errorf("%d objects are there, %d were released", w.exporter.Len(), w.released.Load())
		}
		time.Sleep(8 * time.Minute)
		if w.exporter.Len() != 0 || w.released.Load() != 2 {
			t.Errorf("%d objects are there, %d were released", w.exporter.Len(), w.released.Load())
		}
	})
}

// An object that is busy with a call is not gone, however long that takes and whether or not its client pings: an enumerator waits for events like that.
func TestObjectLivesDuringACall(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, w *world) {
		c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial, PingPeriod: 24 * time.Hour})
		p := activate(t, c, w)
		var out dcom.ResultResponse
		if err := p.Call(t.Context(), 7, &number{60}, &out); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6*time.Minute - time.Second)
		if _, err := add(t, p, 1); err != nil {
			t.Errorf("just before three periods after the end of the call: %v", err)
		}
		time.Sleep(6 * time.Minute)
		if _, err := add(t, p, 1); !isResult(err, dcom.RPC_E_DISCONNECTED) {
			t.Errorf("three periods after it: %v", err)
		}
	})
}

// An object that panics at its end harms nobody else.
func TestObjectPanicsWhenReleased(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, w *world) {
		c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial, PingPeriod: 24 * time.Hour})
		activate(t, c, w)
		activate(t, c, w)
		w.clumsy.Store(true)
		time.Sleep(10 * time.Minute)
		w.clumsy.Store(false)
		if w.released.Load() != 2 || w.exporter.Len() != 0 {
			t.Errorf("%d objects were released, %d are there", w.released.Load(), w.exporter.Len())
		}
		if _, err := add(t, activate(t, c, w), 1); err != nil {
			t.Error(err)
		}
	})
}

// The client keeps alive what it holds, with one ComplexPing for changes and a SimplePing in each period besides.
func TestClientPings(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, w *world) {
		var log calls
		c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial, Trace: log.trace()})
		p, q := activate(t, c, w), activate(t, c, w)
		time.Sleep(time.Hour + time.Second)
		if _, err := add(t, p, 1); err != nil {
			t.Errorf("after an hour: %v", err)
		}
		if complexPings, simple := log.count("IObjectExporter.2"), log.count("IObjectExporter.1"); complexPings != 1 || simple != 29 {
			t.Errorf("%d ComplexPings and %d SimplePings in an hour", complexPings, simple)
		}
		if err := q.Release(within(t)); err != nil {
			t.Fatal(err)
		}
		r := activate(t, c, w)
		time.Sleep(time.Hour)
		if _, err := add(t, r, 1); err != nil {
			t.Errorf("what came later: %v", err)
		}
		if complexPings, simple := log.count("IObjectExporter.2"), log.count("IObjectExporter.1"); complexPings != 2 || simple != 58 {
			t.Errorf("%d ComplexPings and %d SimplePings in two hours", complexPings, simple)
		}
		if err := c.Release(within(t), p, r); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if complexPings, simple := log.count("IObjectExporter.2"), log.count("IObjectExporter.1"); complexPings != 3 || simple != 58 {
			t.Errorf("%d ComplexPings and %d SimplePings after the last release", complexPings, simple)
		}
		s := activate(t, c, w) // pinging begins again
		time.Sleep(time.Hour)
		if _, err := add(t, s, 1); err != nil {
			t.Errorf("what came after a pause: %v", err)
		}
	})
}

// A ping that fails is tried again soon enough to lose nothing; what a set has lost is put together again.
func TestPingsSurviveFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, w *world) {
		c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial})
		p := activate(t, c, w)
		time.Sleep(3 * time.Minute) // the ComplexPing was at 2 minutes
		n.cut(true)
		time.Sleep(4*time.Minute + 20*time.Second) // until 7:20; the set would end at 8:00
		n.cut(false)
		time.Sleep(10 * time.Minute)
		if _, err := add(t, p, 1); err != nil {
			t.Errorf("after an outage of two periods: %v", err)
		}
		n.cut(true)
		time.Sleep(20 * time.Minute)
		n.cut(false)
		time.Sleep(10 * time.Minute)
		if _, err := add(t, p, 1); !isResult(err, dcom.RPC_E_DISCONNECTED) {
			t.Errorf("after an outage of ten periods: %v", err)
		}
		q := activate(t, c, w)
		time.Sleep(time.Hour)
		if _, err := add(t, q, 1); err != nil {
			t.Errorf("an object made after it: %v", err)
		}
	})
}

// A client that dies is missed after three periods: its objects are released, and its set is forgotten.
func TestClientDies(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network, w *world) {
		c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial})
		for range 10 {
			activate(t, c, w)
		}
		time.Sleep(5 * time.Minute) // the last ping was at 4 minutes
		n.cut(true)
		time.Sleep(5*time.Minute - time.Second)
		if w.released.Load() != 0 {
			t.Errorf("%d objects were released early", w.released.Load())
		}
		time.Sleep(2 * time.Minute)
		if w.released.Load() != 10 || w.exporter.Len() != 0 {
			t.Errorf("%d objects were released, %d are there", w.released.Load(), w.exporter.Len())
		}
	})
}

// What a resolver does with pings that no good client sends.
func TestPingSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		w := newWorld(t, worldOptions{resolver: dcom.ResolverOptions{MaxSets: 2, MaxPinged: 2}}, n.at(host, 135, 49152))
		w.host = host
		c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial, PingPeriod: 24 * time.Hour})
		p, q, r := activate(t, c, w), activate(t, c, w), activate(t, c, w)
		nc, err := n.dial(t.Context(), "tcp", host+":135")
		if err != nil {
			t.Fatal(err)
		}
		conn := dcerpc.NewConn(nc, dcerpc.Options{OnlyNDR20: true})
		defer conn.Close()
		eve := as("eve") // pings ask for no right, but a connection without an account ends when it is idle
		i, err := eve.Initiator("", "")
		if err != nil {
			t.Fatal(err)
		}
		b, err := conn.Bind(t.Context(), dcerpc.SyntaxID{UUID: dcom.IIDObjectExporter}, conn.NewSecurity(eve.AuthType, dcerpc.LevelIntegrity, i))
		if err != nil {
			t.Fatal(err)
		}
		ping := func(in dcom.ComplexPingRequest, want uint32) uint64 {
			t.Helper()
			var out dcom.ComplexPingResponse
			if err := b.Call(t.Context(), 2, security.GUID{}, &in, &out); err != nil || out.Status != want {
				t.Errorf("ping %+v: %d, %v, want %d", in, out.Status, err, want)
			}
			return out.SetID
		}
		simple := func(set uint64, want uint32) {
			t.Helper()
			var out dcom.StatusResponse
			if err := b.Call(t.Context(), 1, security.GUID{}, &dcom.SimplePingRequest{SetID: set}, &out); err != nil || out.Status != want {
				t.Errorf("ping of %d: %d, %v, want %d", set, out.Status, err, want)
			}
		}
		simple(99, dcom.OR_INVALID_SET)
		ping(dcom.ComplexPingRequest{SetID: 99}, dcom.OR_INVALID_SET)
		set := ping(dcom.ComplexPingRequest{Sequence: 1, Add: []uint64{p.OID(), 12345}}, 0) // in a new set what is unknown is passed over
		ping(dcom.ComplexPingRequest{SetID: set, Sequence: 2, Add: []uint64{12345}}, dcom.OR_INVALID_OID)
		ping(dcom.ComplexPingRequest{SetID: set, Sequence: 3, Add: []uint64{q.OID()}}, 0)
		ping(dcom.ComplexPingRequest{SetID: set, Sequence: 4, Add: []uint64{r.OID()}}, dcom.ERROR_OUTOFMEMORY)
		ping(dcom.ComplexPingRequest{SetID: set, Sequence: 2, Del: []uint64{p.OID()}}, 0) // late: nothing happens
		ping(dcom.ComplexPingRequest{Sequence: 1}, 0)
		ping(dcom.ComplexPingRequest{Sequence: 1}, dcom.ERROR_OUTOFMEMORY) // a third set
		for range 5 {
			time.Sleep(2 * time.Minute)
			simple(set, 0)
		}
		for name, c := range map[string]struct {
			p    *dcom.Proxy
			want uint32
		}{"pinged for": {p, 0}, "added later": {q, 0}, "refused": {r, dcom.RPC_E_DISCONNECTED}} {
			if _, err := add(t, c.p, 1); c.want == 0 && err != nil || c.want != 0 && !isResult(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		ping(dcom.ComplexPingRequest{SetID: set, Sequence: 5, Del: []uint64{q.OID()}}, 0)
		time.Sleep(6*time.Minute - time.Second)
		simple(set, 0)
		time.Sleep(time.Second)
		if _, err := add(t, p, 1); err != nil {
			t.Errorf("in the set: %v", err)
		}
		if _, err := add(t, q, 1); !isResult(err, dcom.RPC_E_DISCONNECTED) {
			t.Errorf("taken out of the set: %v", err)
		}
		time.Sleep(6 * time.Minute)
		simple(set, dcom.OR_INVALID_SET)
		ping(dcom.ComplexPingRequest{Sequence: 1}, 0) // there is room again
		for _, opnum := range []uint16{6, 99} {
			if err := b.Call(t.Context(), opnum, security.GUID{}, nil, nil); !isFault(err, uint32(dcerpc.StatusOpRange)) {
				t.Errorf("opnum %d: %v", opnum, err)
			}
		}
	})
}

// sink is an object of the client that the service calls.
type sink struct {
	released chan struct{}
}

func (s *sink) Interface(iid security.GUID) dcom.Handler {
	if iid != iidCounter {
		return nil
	}
	return (&counter{world: new(world)}).serve
}

func (s *sink) Released() { close(s.released) }

// A callback: the client's object is at one port with its resolver, is not pinged for, and is dialled at the client's address and nowhere else.
func TestCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		// The client: resolver and exporter behind one listener with a port of its own.
		const client = "192.0.2.50"
		l := n.at(client, 4321)(t)
		endpoint := dcom.Endpoint{Addr: netip.MustParseAddrPort(client + ":4321"), HostName: "elsewhere.example"}
		r := dcom.NewResolver(dcom.ResolverOptions{Endpoint: endpoint})
		x := r.NewExporter(dcom.ExporterOptions{Endpoint: endpoint, Level: dcerpc.LevelNone})
		srv := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor, Lookup: x.Lookup})
		srv.Register(r.Interface())
		served := make(chan error)
		go func() { served <- srv.Serve(l) }()
		s := &sink{released: make(chan struct{})}
		ref, err := x.Export(s, dcom.ExportOptions{IID: iidCounter, Anyone: true, NoPing: true})
		if err != nil {
			t.Fatal(err)
		}
		if want := []dcom.StringBinding{{Tower: 7, Address: "elsewhere.example[4321]"}, {Tower: 7, Address: client + "[4321]"}}; !slices.Equal(ref.Resolver.Strings, want) {
			t.Errorf("the reference tells %+v", ref.Resolver.Strings)
		}

		// The service, which knows the address that the call came from.
		for name, blanket := range map[string]dcom.Blanket{"anonymous": {}, "with an account": as("bob")} {
			n.dialled = nil
			var log calls
			c := dcom.NewClient(dcom.ClientOptions{Blanket: blanket, Dial: n.dial, Trace: log.trace()})
			p, err := c.Unmarshal(within(t), client, ref)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got, err := add(t, p, 7); err != nil || got == 0 {
				t.Errorf("%s: %d, %v", name, got, err)
			}
			time.Sleep(time.Hour)
			if got, err := add(t, p, 7); err != nil || got == 0 {
				t.Errorf("%s, an hour later: %d, %v", name, got, err)
			}
			if pinged := log.count("IObjectExporter.1") + log.count("IObjectExporter.2"); pinged != 0 {
				t.Errorf("%s: pinged %d times", name, pinged)
			}
			for _, d := range n.dialled {
				if d != client+":4321" {
					t.Errorf("%s: dialled %s", name, d)
				}
			}
			if _, err := c.Unmarshal(within(t), "", ref); !isResult(err, dcom.E_INVALIDARG) {
				t.Errorf("%s: no host: %v", name, err)
			}
			// The first took the five references that the OBJREF carried; each further holder asks for its own.
			ref.Std.PublicRefs = 0
			q, err := c.Unmarshal(within(t), client, ref)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := p.Release(within(t)); err != nil {
				t.Error(err)
			}
			if got, err := add(t, q, 7); err != nil || got == 0 {
				t.Errorf("%s, the other proxy: %d, %v", name, got, err)
			}
			if ref, err = x.Reference(ref.Std.OID, dcom.ExportOptions{IID: iidCounter}); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		select {
		case <-s.released:
			t.Error("the sink is gone while a reference travels")
		default:
		}
		x.Revoke(ref.Std.OID)
		<-s.released
		x.Revoke(ref.Std.OID)
		if _, err := x.Reference(ref.Std.OID, dcom.ExportOptions{IID: iidCounter}); !isResult(err, dcom.RPC_E_DISCONNECTED) {
			t.Errorf("a revoked object: %v", err)
		}
		srv.Close()
		if err := <-served; !errors.Is(err, dcerpc.ErrServerClosed) {
			t.Error(err)
		}
		x.Close()
		if _, err := x.Export(s, dcom.ExportOptions{Anyone: true}); !isResult(err, dcom.RPC_E_DISCONNECTED) {
			t.Errorf("a closed exporter: %v", err)
		}
		r.Close()
	})
}
