package dcerpc

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// serverConn is one connection at the server. Its reader owns everything but what mu guards.
type serverConn struct {
	link
	srv  *Server
	host string

	bound       bool
	mpx         bool // the client announced several calls at once
	features    byte
	association *Association
	contexts    map[uint16]*presentation
	securities  map[uint32]*Security
	standing    *Security            // level Connect: whose requests without trailer are
	pending     *exchange            // an exchange that is not done
	failed      bool                 // one failed in a leg that is not answered
	proved      int                  // how many identities are proved, without the anonymous
	over        time.Time            // when the first of their proofs ends; zero: none does
	assembling  map[uint32]*assembly // requests whose last fragment has not come
	assembled   int                  // octets in them
	due         time.Time            // of the first bind, or of pending

	// unanswered has an element for each call that is served or whose answer is not written yet.
	unanswered chan struct{}
	// unread is how many octets of answers have not left yet.
	unread atomic.Int64

	mu    sync.Mutex
	calls map[uint32]*serverCall
	held  int // octets of their requests
	// serving says that the reader waits for ever because of calls: the last of them starts the clock.
	serving bool
	wg      sync.WaitGroup
}

// presentation is a presentation context: an interface in one representation.
type presentation struct {
	id       uint16
	iface    *Interface
	abstract SyntaxID // as it was asked for
	transfer SyntaxID
}

func newServerConn(s *Server, nc net.Conn) *serverConn {
	c := &serverConn{
		srv: s, host: hostOf(nc.RemoteAddr()), contexts: map[uint16]*presentation{}, securities: map[uint32]*Security{},
		assembling: map[uint32]*assembly{}, calls: map[uint32]*serverCall{},
		unanswered: make(chan struct{}, s.opts.MaxCalls+answersWaiting),
	}
	c.link.init(nc)
	c.maxXmit, c.maxRecv = s.opts.MaxFragment, s.opts.MaxFragment
	c.fragTimeout, c.writeTimeout = s.opts.Negotiation, s.opts.WriteTimeout
	return c
}

// errEnd ends a connection about which all has been said.
var errEnd = errors.New("connection ended")

// serve reads until the connection ends, and then ends its calls.
func (c *serverConn) serve(ctx context.Context, cancel context.CancelFunc) {
	c.due = time.Now().Add(c.srv.opts.Negotiation)
	err := c.loop(ctx)
	cancel()
	c.nc.Close()
	c.wg.Wait()
	if c.association != nil {
		c.srv.leave(c.association)
	}
	c.srv.opts.Log.Debug("rpc: connection ended", "peer", c.nc.RemoteAddr(), "err", err)
}

func (c *serverConn) loop(ctx context.Context) error {
	for {
		p, err := c.read(c.await)
		c.srv.stats.packetsIn.Add(1)
		if err == nil {
			err = c.handle(ctx, p)
		} else if p != nil {
			c.answerViolation(p)
		}
		if err != nil {
			return err
		}
	}
}

// await sets until when the next fragment has to begin. A connection on which somebody proved who he is may wait as long as the proof
// holds, which may be for ever, and so may one while its calls are served.
func (c *serverConn) await() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = false
	switch {
	case !c.bound || c.pending != nil || len(c.assembling) > 0:
		return c.nc.SetReadDeadline(c.due)
	case c.proved > 0 && (c.over.IsZero() || len(c.calls) == 0):
		return c.nc.SetReadDeadline(c.over)
	case len(c.calls) > 0:
		c.serving = true
		return c.nc.SetReadDeadline(time.Time{})
	}
	return c.nc.SetReadDeadline(time.Now().Add(c.srv.opts.AnonymousIdle))
}

func (c *serverConn) handle(ctx context.Context, p *pdu) error {
	switch p.kind {
	case pduBind:
		return c.handleBind(ctx, p)
	case pduAlter:
		return c.handleAlter(ctx, p)
	case pduAuth3:
		return c.handleAuth3(ctx, p)
	case pduRequest:
		return c.handleRequest(ctx, p)
	case pduCancel:
		return c.handleCancel(p)
	case pduOrphaned:
		return c.handleOrphaned(p)
	}
	return c.refuse(p.callID, 0, &Fault{Status: StatusProtoError, DidNotExecute: true})
}

// refuse answers with a fault and ends the connection.
func (c *serverConn) refuse(callID uint32, contextID uint16, f *Fault) error {
	c.fault(callID, contextID, f)
	return errEnd
}

// fault answers a call with a fault; a failure to write shows at the next read.
func (c *serverConn) fault(callID uint32, contextID uint16, f *Fault) {
	c.srv.stats.packetsOut.Add(1)
	if err := c.writeFault(callID, contextID, f); err != nil {
		c.nc.Close()
	}
}

// answerViolation tells a peer that its fragment cannot be read.
func (c *serverConn) answerViolation(p *pdu) {
	if p.kind == pduBind {
		c.nak(p.callID, ReasonProtocolVersion)
		return
	}
	status := StatusProtoError
	if p.kind == pduAuth3 {
		status = StatusNoMemory // as Windows
	}
	c.fault(p.callID, 0, &Fault{Status: status, DidNotExecute: p.kind != pduRequest})
}
