package dcerpc

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Interface is what a server serves under one identifier.
type Interface struct {
	// ID is the interface. A client may ask for a lower minor version.
	ID SyntaxID
	// Name is for people: logs and errors.
	Name string
	// MinLevel is the least level of protection of a call; others get a fault with StatusAccessDenied. Calls of identities that are anonymous
	// count as LevelNone. The zero value demands LevelPacket.
	MinLevel Level
	// PrefersNDR20 takes NDR64 only from who offers nothing else, as the interfaces of DCOM do.
	PrefersNDR20 bool
	// Serve answers one call: it reads call.In, writes call.Out and returns nil, or an error. A *Fault is sent as it is; malformed arguments
	// (ndr.ErrBadStub) as StatusBadStubData; a cancelled context as StatusCancelled; anything else as StatusCallFailed, with nothing of the inside.
	// An operation that does not exist is a Fault with StatusOpRange. Serve is called in a goroutine of the call; ctx ends when the client
	// cancels, when the connection ends, and when the server is closed.
	Serve func(ctx context.Context, call *Call) error
}

func (i *Interface) minLevel() Level {
	if i.MinLevel == 0 {
		return LevelPacket
	}
	return i.MinLevel
}

// Call is one call at the server. It is valid until Serve returns.
type Call struct {
	Interface *Interface
	Opnum     uint16
	// Object is the object UUID of the request (in DCOM the IPID), or zero.
	Object security.GUID
	// Security is who calls, or nil.
	Security    *Security
	Peer, Local net.Addr
	// Association is the scope of context handles.
	Association *Association
	// In is the stub with the arguments; what is read from it may be kept. Out takes the results.
	In  *ndr.Decoder
	Out *ndr.Encoder

	server *Server
}

// ServerOptions configure a Server. The zero value serves calls without authentication, as far as interfaces permit them.
type ServerOptions struct {
	// Acceptor makes the acceptor for one exchange. An error refuses the provider; nil knows none.
	Acceptor func(t AuthType, peer net.Addr) (auth.Acceptor, error)
	// Admit is asked for each connection before anything is read; an error resets it. Nil admits all.
	Admit func(local, peer net.Addr) error
	// Lookup finds an interface that is not registered; nil knows none. It has to give the same *Interface each time.
	Lookup func(SyntaxID) *Interface
	// PrincipalName answers the management interface's question for the server's name with a provider; nil or "" knows none.
	PrincipalName func(AuthType) string
	// Log takes what happens on connections; nil discards it.
	Log *slog.Logger

	// MaxFragment is the longest fragment of a call, 5840 octets by default, at least 2048 and at most 65535.
	MaxFragment int
	// MaxRequest and MaxAnonymous bound the stub of a request, 4 MiB; without a proven identity 64 KiB.
	MaxRequest, MaxAnonymous int
	// MaxCalls is how many calls a connection may have at once, 64. More get a fault with StatusTooBusy, and so do calls whose requests together
	// are longer than four times MaxRequest.
	MaxCalls int
	// MaxUnread is how many octets of answers may wait, on all connections together, for peers to read them: 256 MiB. Beyond it a connection that has
	// more than 4 MiB of its own waiting is closed.
	MaxUnread int
	// MaxConns and MaxConnsPerAddress bound connections, 1000 and 100. More are closed at once.
	MaxConns, MaxConnsPerAddress int
	// MaxContexts and MaxSecurity bound what a connection negotiates, 1000 of each: impacket makes one of each for every object that it calls,
	// and Windows takes 2048 identities ([MS-RPCE] <104>). Only 16 of them may be anonymous or have failed.
	MaxContexts, MaxSecurity int
	// Negotiation is how long a first bind or a half-done exchange may take, 30 s. A fragment, once begun, has as long.
	Negotiation time.Duration
	// AnonymousIdle is how long a connection without a proven identity may wait for its next call, 2 minutes.
	AnonymousIdle time.Duration
	// WriteTimeout is how long a peer may take to read an answer, 1 minute.
	WriteTimeout time.Duration
}

func (o *ServerOptions) defaults() {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&o.MaxFragment, defaultFragment)
	o.MaxFragment = min(max(o.MaxFragment, minFragment), 65535)
	set(&o.MaxRequest, 4<<20)
	set(&o.MaxAnonymous, 64<<10)
	set(&o.MaxCalls, 64)
	set(&o.MaxUnread, 256<<20)
	set(&o.MaxConns, 1000)
	set(&o.MaxConnsPerAddress, 100)
	set(&o.MaxContexts, 1000)
	set(&o.MaxSecurity, 1000)
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&o.Negotiation, 30 * time.Second}, {&o.AnonymousIdle, 2 * time.Minute}, {&o.WriteTimeout, time.Minute}} {
		if *d.v <= 0 {
			*d.v = d.d
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// defaultFragment is what Windows proposes.
const defaultFragment = 5840

// Server answers calls. It serves the management interface on every connection.
type Server struct {
	opts ServerOptions

	mu           sync.Mutex
	interfaces   map[SyntaxID]*Interface
	order        []*Interface
	associations map[uint32]*Association
	conns        map[*serverConn]context.CancelFunc
	byHost       map[string]int
	listeners    map[net.Listener]struct{}
	closed       bool
	wg           sync.WaitGroup

	unread atomic.Int64 // octets of answers that have not left yet

	stats struct{ callsIn, callsOut, packetsIn, packetsOut atomic.Uint32 }
}

// NewServer makes a server without interfaces but its management.
func NewServer(opts ServerOptions) *Server {
	opts.defaults()
	s := &Server{
		opts: opts, interfaces: map[SyntaxID]*Interface{}, associations: map[uint32]*Association{}, conns: map[*serverConn]context.CancelFunc{},
		byHost: map[string]int{}, listeners: map[net.Listener]struct{}{},
	}
	s.interfaces[major(mgmtInterface.ID)] = mgmtInterface
	return s
}

func major(id SyntaxID) SyntaxID {
	id.Minor = 0
	return id
}

// Register adds an interface; of one UUID and major version the last that was registered serves.
func (s *Server) Register(i *Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interfaces[major(i.ID)] = i
	s.order = append(s.order, i)
}

// lookup finds who serves id.
func (s *Server) lookup(id SyntaxID) *Interface {
	s.mu.Lock()
	i := s.interfaces[major(id)]
	s.mu.Unlock()
	if i == nil && s.opts.Lookup != nil {
		i = s.opts.Lookup(id)
	}
	if i == nil || i.ID.Minor < id.Minor {
		return nil
	}
	return i
}

// registered lists the interfaces in the order of their registration, without the management interface.
func (s *Server) registered() []SyntaxID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []SyntaxID
	for _, i := range s.order {
		if s.interfaces[major(i.ID)] == i {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// ErrServerClosed is what Serve returns after Close.
var ErrServerClosed = errors.New("RPC server closed")

// Serve accepts connections until l fails or Close is called, which also closes l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.Close()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
		l.Close()
	}()
	var delay time.Duration
	for {
		nc, err := l.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			delay = 0
			s.ServeConn(nc)
			continue
		case s.isClosed():
			return ErrServerClosed
		case !errors.As(err, &temporary) || !temporary.Temporary():
			return err
		}
		// Out of descriptors: wait for connections to end.
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		s.opts.Log.Warn("rpc: accept", "err", err)
		time.Sleep(delay)
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// ServeConn begins to serve one connection and returns at once.
func (s *Server) ServeConn(nc net.Conn) {
	peer := nc.RemoteAddr()
	if s.opts.Admit != nil {
		if err := s.opts.Admit(nc.LocalAddr(), peer); err != nil {
			s.opts.Log.Debug("rpc: connection refused", "peer", peer, "err", err)
			if t, ok := nc.(interface{ SetLinger(seconds int) error }); ok {
				_ = t.SetLinger(0) // a reset: the peer learns at once
			}
			nc.Close()
			return
		}
	}
	c := newServerConn(s, nc)
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	full := s.closed || len(s.conns) >= s.opts.MaxConns || s.byHost[c.host] >= s.opts.MaxConnsPerAddress
	if !full {
		s.conns[c] = cancel
		s.byHost[c.host]++
		s.wg.Add(1)
	}
	s.mu.Unlock()
	if full {
		cancel()
		nc.Close()
		s.opts.Log.Debug("rpc: too many connections", "peer", peer)
		return
	}
	go func() {
		defer s.wg.Done()
		defer s.forget(c)
		defer cancel()
		c.serve(ctx, cancel)
	}()
}

func (s *Server) forget(c *serverConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.byHost[c.host]--; s.byHost[c.host] == 0 {
		delete(s.byHost, c.host)
	}
}

// Close ends listeners, connections and calls, and waits for them.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		l.Close()
	}
	for c, cancel := range s.conns {
		cancel()
		c.nc.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// hostOf is the address without the port, which limits and associations count by.
func hostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	if host, _, err := net.SplitHostPort(a.String()); err == nil {
		return host
	}
	return a.String()
}

// portOf is the secondary address that bind_ack names.
func portOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	_, port, _ := net.SplitHostPort(a.String())
	return port
}
