package dcerpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
)

// Options configure a connection of a client. The zero value is what Windows does.
type Options struct {
	// Association joins the association group of another connection to the same server; 0 begins a new one.
	Association uint32
	// OnlyNDR20 proposes no NDR64.
	OnlyNDR20 bool
	// Trace has hooks; nil has none.
	Trace *Trace
	// MaxFragment is the longest fragment that is offered, 5840 octets by default, at least 2048 and at most 65535.
	MaxFragment int
	// MaxResponse bounds the stub of a response, 64 MiB by default.
	MaxResponse int
	// Cancel is how long a call whose context ended waits for the server's answer to its cancel, 1 s. After it the call is given up.
	Cancel time.Duration
	// FragmentTimeout is how long a fragment may take once it has begun, WriteTimeout how long the server may take to read what is written:
	// 1 minute each.
	FragmentTimeout, WriteTimeout time.Duration
}

func (o *Options) defaults() {
	if o.MaxFragment <= 0 {
		o.MaxFragment = defaultFragment
	}
	o.MaxFragment = min(max(o.MaxFragment, minFragment), 65535) &^ 7
	if o.MaxResponse <= 0 {
		o.MaxResponse = 64 << 20
	}
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&o.Cancel, time.Second}, {&o.FragmentTimeout, time.Minute}, {&o.WriteTimeout, time.Minute}} {
		if *d.v <= 0 {
			*d.v = d.d
		}
	}
}

// Conn is one connection of a client. Its methods may be called by several goroutines; calls run side by side where the server permits it.
type Conn struct {
	link
	opts Options

	bindLock chan struct{} // held by who negotiates
	callLock chan struct{} // held during a call where the server takes one at a time; nil otherwise

	idleCalls sync.Pool // of *clientCall; of this connection, since their channels belong to the synctest bubble that made them

	// Of who holds bindLock.
	bound        bool
	features     byte
	nextContext  uint16
	nextSecurity uint32
	contexts     map[SyntaxID]*clientContext

	mu          sync.Mutex
	association uint32
	nextCall    uint32
	calls       map[uint32]*clientCall
	reply       chan contextReply // of who negotiates
	replyID     uint32
	securities  map[uint32]*Security // proved
	bitmaskSent bool
	err         error // why the connection ended
	done        chan struct{}
}

// clientContext is an accepted presentation context.
type clientContext struct {
	id       uint16
	abstract SyntaxID
	transfer SyntaxID
	vouched  bool // a verification trailer named it; guarded by Conn.mu
}

// Dial connects over TCP, or as the network says, and begins nothing.
func Dial(ctx context.Context, network, address string, opts Options) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, address)
	opts.Trace.connected(address, err)
	if err != nil {
		return nil, fmt.Errorf("RPC server %s: %w", address, err)
	}
	return NewConn(nc, opts), nil
}

// NewConn begins a connection over nc, which it owns from now on.
func NewConn(nc net.Conn, opts Options) *Conn {
	opts.defaults()
	c := &Conn{
		opts: opts, bindLock: make(chan struct{}, 1), contexts: map[SyntaxID]*clientContext{}, nextCall: 1,
		calls: map[uint32]*clientCall{}, securities: map[uint32]*Security{}, done: make(chan struct{}), association: opts.Association,
	}
	c.idleCalls.New = newClientCall
	c.link.init(nc)
	c.maxXmit, c.maxRecv = opts.MaxFragment, opts.MaxFragment
	c.fragTimeout, c.writeTimeout = opts.FragmentTimeout, opts.WriteTimeout
	go c.readLoop()
	return c
}

// Close ends the connection; calls that wait fail with ErrClosed.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	return nil
}

// Done is closed when the connection has ended; Err then tells why.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err is nil while the connection lives, ErrClosed after Close.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Association is the group that the server gave the connection, 0 before the first Bind. Another connection that joins it shares context handles.
func (c *Conn) Association() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.association
}

// RemoteAddr is the server's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// fail ends the connection, once.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	calls := c.calls
	c.calls = nil
	close(c.done)
	c.mu.Unlock()
	c.nc.Close()
	for _, call := range calls {
		call.finish(err)
	}
	c.opts.Trace.closed(err)
}

// readLoop takes what the server sends until the connection ends.
func (c *Conn) readLoop() {
	for {
		p, err := c.read(c.forever)
		if err == nil {
			err = c.handle(p)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the server closed the RPC connection")
			}
			c.fail(fmt.Errorf("RPC connection to %v: %w", c.nc.RemoteAddr(), err))
			return
		}
	}
}

func (c *Conn) forever() error { return c.nc.SetReadDeadline(time.Time{}) }

func (c *Conn) handle(p *pdu) error {
	switch p.kind {
	case pduResponse:
		return c.handleResponse(p)
	case pduFault:
		return c.handleFault(p)
	case pduBindAck, pduBindNak, pduAlterResp:
		return c.handleReply(p, nil)
	case pduShutdown:
		return nil // a server that wants the connection closed when it is idle; Windows never sends it
	}
	return violation("%v from a server", p.kind)
}

// NewSecurity makes an identity for this connection. The first Bind with it proves it. A Call level becomes Packet, as [MS-RPCE] 2.2.1.1.8 says.
func (c *Conn) NewSecurity(t AuthType, l Level, i auth.Initiator) *Security {
	if l == LevelCall {
		l = LevelPacket
	}
	return &Security{kind: t, level: l, initiator: i}
}
