package dcerpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/casementhq/casement/internal/ndr"
)

// assembly is a request whose fragments are coming in. Its first fragment says whose it is.
type assembly struct {
	head         header
	request      request
	presentation *presentation
	sec          *Security
	stub         []byte
}

// heldRequests is how many of the longest requests the calls that a connection has at once may amount to.
const heldRequests = 4

// answersWaiting is how many answers may wait to be written, beside as many as there may be calls.
const answersWaiting = 8

// serverCall is a call that is being served.
type serverCall struct {
	cancel   context.CancelFunc
	size     int  // of its stub
	orphaned bool // nobody waits for the answer
}

// handleRequest takes one fragment of a request. See [MS-RPCE] 3.3.3.5.
func (c *serverConn) handleRequest(ctx context.Context, p *pdu) error {
	var r request
	if err := r.decode(p); err != nil || !c.bound || p.minor != 0 {
		return c.refuse(p.callID, 0, &Fault{Status: StatusProtoError, DidNotExecute: !c.bound})
	}
	a := c.assembling[p.callID]
	if p.flags&flagFirst != 0 {
		if p.flags&flagPendingCancel != 0 {
			return c.refuse(p.callID, 0, &Fault{Status: statusNoCallActive, DidNotExecute: true})
		}
		if err := c.mayBegin(p, &r); err != nil {
			return err
		}
		var err error
		if a, err = c.open(p, &r); a == nil {
			return err
		}
	} else if a == nil {
		return c.astray(p, &r)
	}
	stub, err := c.take(a, p, &r)
	if err != nil {
		return err
	}
	last := p.flags&flagLast != 0
	total := c.assembled + len(stub)
	if total > c.allowed(a.sec) || !last && (total >= c.allowed(a.sec) || p.flags&flagFirst != 0 && int64(r.allocHint) > int64(c.allowed(a.sec))) {
		return c.refuse(p.callID, a.request.contextID, &Fault{Status: StatusAccessDenied})
	}
	if !last {
		if a.stub == nil {
			// The hint is believed as far as a few fragments go.
			a.stub = make([]byte, 0, min(max(len(stub), int(min(r.allocHint, 64<<10))), c.allowed(a.sec)))
			c.due = time.Now().Add(c.srv.opts.Negotiation)
		}
		a.stub = append(a.stub, stub...)
		c.assembled += len(stub)
		c.assembling[p.callID] = a
		return nil
	}
	c.assembled -= len(a.stub)
	delete(c.assembling, p.callID)
	a.stub = append(a.stub, stub...)
	return c.dispatch(ctx, a)
}

// allowed is how long a request of this identity may be.
func (c *serverConn) allowed(sec *Security) int {
	if sec.effective() == LevelNone {
		return c.srv.opts.MaxAnonymous
	}
	return c.srv.opts.MaxRequest
}

// mayBegin refuses a first fragment that comes between those of another request, unless several calls at once were announced.
func (c *serverConn) mayBegin(p *pdu, r *request) error {
	for id, a := range c.assembling {
		switch {
		case id == p.callID && p.authLen > 0:
			if _, err := c.take(a, p, r); err != nil {
				return err
			}
			fallthrough
		case id == p.callID, !c.mpx:
			return c.refuse(id, a.request.contextID, &Fault{Status: StatusProtoError})
		default:
			// A client sends all fragments of a request before it begins the next.
			return c.refuse(p.callID, 0, &Fault{Status: StatusProtoError})
		}
	}
	return nil
}

// astray answers a fragment that continues nothing.
func (c *serverConn) astray(p *pdu, r *request) error {
	for id, a := range c.assembling {
		if !c.mpx {
			return c.refuse(id, a.request.contextID, &Fault{Status: StatusProtoError})
		}
		return c.refuse(p.callID, 0, &Fault{Status: StatusProtoError})
	}
	if !c.mpx {
		return c.refuse(p.callID, 0, &Fault{Status: StatusProtoError})
	}
	a, err := c.open(p, r)
	if a == nil {
		return err
	}
	return c.refuse(p.callID, r.contextID, &Fault{Status: StatusProtoError})
}

// open finds interface and identity of a first fragment. Without an assembly the fragment has been answered.
func (c *serverConn) open(p *pdu, r *request) (*assembly, error) {
	pres := c.contexts[r.contextID]
	sec, err := c.identify(p)
	switch {
	case c.pending != nil:
		return nil, c.refuse(p.callID, 0, &Fault{Status: StatusProtoError, DidNotExecute: true})
	case pres == nil:
		if err == nil {
			// The signature counts, though nothing is served.
			if _, err := sec.verify(p, r.head(), c.signHeaders.Load()); err != nil {
				return nil, errEnd
			}
		}
		c.fault(p.callID, 0, &Fault{Status: StatusUnknownIf, DidNotExecute: true})
		return nil, nil
	case err != nil:
		return nil, c.refuse(p.callID, r.contextID, &Fault{Status: StatusAccessDenied})
	case sec.Identity().Over(time.Now()): // await ends the connection, once the calls are answered that are under way
		c.fault(p.callID, r.contextID, &Fault{Status: StatusAccessDenied, DidNotExecute: true})
		return nil, nil
	}
	return &assembly{head: p.header, request: *r, presentation: pres, sec: sec}, nil
}

var errIdentity = errors.New("the fragment is not protected as its security context demands")

// identify finds the Security of a request by its trailer. Its level has to be the one that was negotiated: less would be a way around it.
func (c *serverConn) identify(p *pdu) (*Security, error) {
	if p.authLen == 0 {
		if c.failed && c.standing == nil {
			return nil, errIdentity
		}
		return c.standing, nil
	}
	sec := c.securities[p.trailer.contextID]
	switch {
	case sec == nil:
		return nil, errIdentity
	case sec.failed != nil || sec.context == nil || sec.kind != p.trailer.kind || sec.level != p.trailer.level:
		return nil, errIdentity
	}
	return sec, nil
}

// take verifies and decrypts a fragment of a request. Every fragment is verified at the level of the first.
func (c *serverConn) take(a *assembly, p *pdu, r *request) ([]byte, error) {
	if a.sec.protects() && p.authLen == 0 {
		return nil, c.refuse(p.callID, a.request.contextID, &Fault{Status: StatusProtoError})
	}
	stub, err := a.sec.verify(p, r.head(), c.signHeaders.Load())
	if err == nil {
		return stub, nil
	}
	c.srv.opts.Log.Warn("rpc: a fragment does not verify", "peer", c.nc.RemoteAddr(), "err", err)
	var v *protocolError
	if errors.As(err, &v) {
		return nil, c.refuse(p.callID, a.request.contextID, &Fault{Status: StatusProtoError})
	}
	return nil, c.refuse(p.callID, a.request.contextID, &Fault{Status: StatusSecurityPackage})
}

// dispatch checks what a whole request may, and serves it in a goroutine of its own.
func (c *serverConn) dispatch(ctx context.Context, a *assembly) error {
	refuse := func(s Status) error {
		c.fault(a.head.callID, a.request.contextID, &Fault{Status: s, DidNotExecute: true})
		return nil
	}
	stub, ok := cutVerification(a.stub, &verified{
		rep: a.head.rep, callID: a.head.callID, contextID: a.request.contextID, opnum: a.request.opnum,
		abstract: a.presentation.abstract, transfer: a.presentation.transfer, headerSigns: c.signHeaders.Load(),
	})
	if !ok || a.sec.effective() < a.presentation.iface.minLevel() {
		return refuse(StatusAccessDenied)
	}
	a.stub = stub
	c.srv.stats.callsIn.Add(1)
	// A peer that does not read what it asked for gets no more of it: nothing further is read from it until it does.
	select {
	case c.unanswered <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	if _, twice := c.calls[a.head.callID]; twice || len(c.calls) >= c.srv.opts.MaxCalls || c.held+len(a.stub) > heldRequests*c.srv.opts.MaxRequest {
		c.mu.Unlock()
		<-c.unanswered
		return refuse(StatusTooBusy)
	}
	ctx, cancel := context.WithCancel(ctx)
	call := &serverCall{cancel: cancel, size: len(a.stub)}
	c.calls[a.head.callID] = call
	c.held += call.size
	c.mu.Unlock()
	c.wg.Add(1)
	go c.run(ctx, a, call) //nolint:gosec // G118: an answer is written also where its call was cancelled
	return nil
}

// encoders keep the memory of answers.
var encoders = sync.Pool{New: func() any { return ndr.NewEncoder(nil, ndr.Format{}) }}

// keepEncoder bounds what one answer leaves in the pool.
const keepEncoder = 1 << 20

// run serves one call and writes its answer.
func (c *serverConn) run(ctx context.Context, a *assembly, running *serverCall) {
	defer c.wg.Done()
	defer func() { <-c.unanswered }()
	out := encoders.Get().(*ndr.Encoder)
	wide := a.presentation.transfer == NDR64
	out.Reset(ndr.Format{Wide: wide})
	err := c.call(ctx, a, out)
	running.cancel()
	silent := c.finish(a.head.callID, running)
	switch {
	case silent:
	case err != nil:
		f := faultOf(err)
		var intended *Fault
		if !errors.As(err, &intended) {
			c.srv.opts.Log.Warn("rpc: call failed", "interface", a.presentation.iface.Name, "opnum", a.request.opnum, "err", err)
		}
		c.fault(a.head.callID, a.request.contextID, f)
	default:
		c.srv.stats.packetsOut.Add(1)
		// Windows answers with the low octet of the context's number.
		r := request{contextID: a.request.contextID & 0xff}
		if err := c.awaitReader(out.Len(), func() error {
			return c.writeCall(context.Background(), pduResponse, a.head.callID, r, out.Stub(), a.sec, false)
		}); err != nil {
			c.nc.Close()
		}
	}
	if cap(out.Buffer()) <= keepEncoder {
		encoders.Put(out)
	}
}

// ownUnread is how many octets of answers any connection may have waiting.
const ownUnread = 4 << 20

// awaitReader writes an answer of n octets, which counts as unread until it has left. Where all connections together have too many of them, one that
// has more than its share does not read, or not fast enough.
func (c *serverConn) awaitReader(n int, write func() error) error {
	size := int64(n)
	own, all := c.unread.Add(size), c.srv.unread.Add(size)
	defer c.unread.Add(-size)
	defer c.srv.unread.Add(-size)
	if all > int64(c.srv.opts.MaxUnread) && own > ownUnread {
		c.srv.opts.Log.Warn("rpc: a client that leaves its answers unread is cut off", "peer", c.nc.RemoteAddr().String(), "octets", own, "of all", all)
		return errUnread
	}
	return write()
}

var errUnread = errors.New("dcerpc: too many answers wait to be read")

// finish takes a call off the list and tells whether nobody waits for its answer.
func (c *serverConn) finish(id uint32, call *serverCall) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
	c.held -= call.size
	if len(c.calls) == 0 && c.serving {
		c.serving = false
		until := time.Now().Add(c.srv.opts.AnonymousIdle)
		if !c.over.IsZero() { // the answer has to leave
			until = latest(c.over, time.Now().Add(time.Second))
		}
		if err := c.nc.SetReadDeadline(until); err != nil {
			c.nc.Close()
		}
	}
	return call.orphaned
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// call runs the handler. A panic is a failure of its call alone.
func (c *serverConn) call(ctx context.Context, a *assembly, out *ndr.Encoder) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.srv.opts.Log.Error("rpc: handler panics", "interface", a.presentation.iface.Name, "opnum", a.request.opnum, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return a.presentation.iface.Serve(ctx, &Call{
		Interface: a.presentation.iface, Opnum: a.request.opnum, Object: a.request.object, Security: a.sec,
		Peer: c.nc.RemoteAddr(), Local: c.nc.LocalAddr(), Association: c.association,
		In:  ndr.NewDecoder(a.stub, ndr.Format{Wide: a.presentation.transfer == NDR64, BigEndian: a.head.bigEndian}),
		Out: out, server: c.srv,
	})
}

// handleCancel ends the context of a call; its answer is still awaited. See [C706] 12.6.4.2.
func (c *serverConn) handleCancel(p *pdu) error { return c.stop(p, false) }

// handleOrphaned ends a call that nobody waits for. What has not come whole it does not touch: so does Windows. See [C706] 12.6.4.8.
func (c *serverConn) handleOrphaned(p *pdu) error { return c.stop(p, true) }

func (c *serverConn) stop(p *pdu, orphaned bool) error {
	if p.authLen > 0 {
		// A signed one counts in its security context.
		if sec, err := c.identify(p); err != nil {
			return err
		} else if _, err := sec.verify(p, headerSize, c.signHeaders.Load()); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if call := c.calls[p.callID]; call != nil {
		call.orphaned = call.orphaned || orphaned
		call.cancel()
	}
	return nil
}
