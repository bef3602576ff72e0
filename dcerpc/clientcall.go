package dcerpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// clientCall is a call that waits for its answer.
type clientCall struct {
	sec  *Security
	done chan struct{} // receives once

	// Of the reader until done.
	stub      []byte
	bigEndian bool
	err       error
}

func newClientCall() any { return &clientCall{done: make(chan struct{}, 1)} }

func (call *clientCall) finish(err error) {
	call.err = err
	call.done <- struct{}{}
}

// callNumber gives the next call its number. They only grow; Windows takes none above 2^31-1.
func (c *Conn) callNumber() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextCall++
	return c.nextCall
}

// Call calls one operation: in writes the arguments and out reads the results; either may be nil. object goes with the request unless it is zero.
//
// Errors: a *Fault that the server answered; ctx's error once the server was told to cancel; ndr.ErrBadStub (or an error of out's own) for
// results that cannot be read; anything else ended the connection, and is ErrNotSent as well where the server cannot have seen the request. What out reads may keep memory of the stub.
func (b *Binding) Call(ctx context.Context, opnum uint16, object security.GUID, in ndr.Marshaler, out ndr.Unmarshaler) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := b.conn
	wide := b.ctx.transfer == NDR64
	e := encoders.Get().(*ndr.Encoder)
	e.Reset(ndr.Format{Wide: wide})
	if in != nil {
		in.MarshalNDR(e)
	}
	c.opts.Trace.request(b.ctx.abstract, opnum, e.Stub())
	stub, bigEndian, err := c.invoke(ctx, b, opnum, object, e)
	if cap(e.Buffer()) <= keepEncoder {
		encoders.Put(e)
	}
	c.opts.Trace.response(b.ctx.abstract, opnum, stub, err)
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	d := ndr.NewDecoder(stub, ndr.Format{Wide: wide, BigEndian: bigEndian})
	out.UnmarshalNDR(d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("results of operation %d of %v: %w", opnum, b.ctx.abstract, err)
	}
	return nil
}

// invoke sends a request and waits for its answer.
func (c *Conn) invoke(ctx context.Context, b *Binding, opnum uint16, object security.GUID, e *ndr.Encoder) (stub []byte, bigEndian bool, err error) {
	if c.callLock != nil {
		select {
		case c.callLock <- struct{}{}:
			defer func() { <-c.callLock }()
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-c.done:
			return nil, false, c.Err()
		}
	}
	r := request{contextID: b.ctx.id, opnum: opnum, object: object, hasObject: object != nilGUID}
	call := c.idleCalls.Get().(*clientCall)
	call.sec = b.sec
	id, several, err := c.enter(call)
	if err != nil {
		c.idleCalls.Put(call)
		return nil, false, err
	}
	c.vouch(b, id, &r, e)
	unsent := false
	if err := c.writeCall(ctx, pduRequest, id, r, e.Stub(), b.sec, several); err != nil {
		unsent = errors.Is(err, ErrNotSent)
		c.fail(fmt.Errorf("RPC connection to %v: %w", c.nc.RemoteAddr(), err))
	}
	select {
	case <-call.done:
	case <-ctx.Done():
		if !c.giveUp(call, id) {
			return nil, false, ctx.Err()
		}
		if call.err != nil {
			call.err = ctx.Err()
		}
	}
	stub, bigEndian, err = call.stub, call.bigEndian, call.err
	if unsent && err != nil && !errors.Is(err, ErrNotSent) {
		err = fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	*call = clientCall{done: call.done}
	c.idleCalls.Put(call)
	return stub, bigEndian, err
}

// enter gives a call its number and a place among those that wait, and tells whether there are several identities.
func (c *Conn) enter(call *clientCall) (id uint32, several bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, false, fmt.Errorf("%w: %w", ErrNotSent, c.err)
	}
	if c.nextCall >= math.MaxInt32 {
		return 0, false, errors.New("dcerpc: the connection has used up its call numbers")
	}
	c.nextCall++
	c.calls[c.nextCall] = call
	return c.nextCall, len(c.securities) > 1, nil
}

// vouch appends the verification trailer that this request needs.
func (c *Conn) vouch(b *Binding, id uint32, r *request, e *ndr.Encoder) {
	if !b.sec.protects() {
		return
	}
	signs := c.signHeaders.Load()
	c.mu.Lock()
	bitmask, context := !c.bitmaskSent, !b.ctx.vouched
	c.bitmaskSent, b.ctx.vouched = true, true
	c.mu.Unlock()
	if !bitmask && !context && signs {
		return
	}
	v := &verified{
		rep: [4]byte{0x10}, callID: id, contextID: r.contextID, opnum: r.opnum, abstract: b.ctx.abstract, transfer: b.ctx.transfer, headerSigns: signs,
	}
	e.AppendFunc(func(buf []byte) []byte { return appendVerification(buf, 0, v, bitmask, context, !signs) })
}

// giveUp cancels a call at the server and waits a moment for its answer. Without one the call is an orphan: true means that it was answered.
func (c *Conn) giveUp(call *clientCall, id uint32) bool {
	if err := c.writeBare(pduCancel, flagFirst|flagLast, id, nil, trailer{}, nil); err != nil {
		c.fail(fmt.Errorf("RPC connection to %v: %w", c.nc.RemoteAddr(), err))
	}
	timer := time.NewTimer(c.opts.Cancel)
	defer timer.Stop()
	select {
	case <-call.done:
		return true
	case <-timer.C:
	}
	c.mu.Lock()
	_, waiting := c.calls[id]
	delete(c.calls, id)
	c.mu.Unlock()
	if !waiting {
		<-call.done // answered just now
		return true
	}
	err := c.writeBare(pduOrphaned, flagFirst|flagLast, id, nil, trailer{}, nil)
	if err == nil && c.features&featureKeepOnOrphan == 0 {
		err = errors.New("a call was given up, and the server does not keep connections after that")
	}
	if err != nil {
		c.fail(fmt.Errorf("RPC connection to %v: %w", c.nc.RemoteAddr(), err))
	}
	return false
}

// handleResponse adds a fragment to its call. One whose call was given up is verified all the same: it counts in the security context.
func (c *Conn) handleResponse(p *pdu) error {
	var r response
	if err := r.decode(p); err != nil {
		return err
	}
	c.mu.Lock()
	call := c.calls[p.callID]
	known := p.callID <= c.nextCall
	c.mu.Unlock()
	if call == nil {
		return c.late(p, known, headerSize+callHead)
	}
	sec := call.sec
	if sec.protects() {
		if p.authLen == 0 || p.trailer.contextID != sec.id || p.trailer.kind != sec.kind || p.trailer.level != sec.level {
			return violation("a response that is not protected as its request was (%v)", sec.level)
		}
	} else if p.authLen > 0 && sec == nil {
		return violation("a response with a security context that the request had not")
	}
	stub, err := sec.verify(p, headerSize+callHead, c.signHeaders.Load())
	if err != nil {
		return err
	}
	if len(call.stub)+len(stub) > c.opts.MaxResponse {
		return violation("a response of more than %d octets", c.opts.MaxResponse)
	}
	if sec != nil && !sec.confirmed.Load() {
		sec.confirmed.Store(true)
	}
	first, last := p.flags&flagFirst != 0, p.flags&flagLast != 0
	if first != (call.stub == nil) {
		return violation("fragments of a response out of order")
	}
	if first {
		// The hint is believed as far as a mebibyte.
		size := len(stub)
		if !last {
			size = max(size, int(min(r.allocHint, 1<<20)))
		}
		call.stub = make([]byte, 0, size)
		call.bigEndian = p.bigEndian
	}
	call.stub = append(call.stub, stub...)
	if last {
		c.leave(p.callID, nil)
	}
	return nil
}

// late takes an answer that nobody awaits any more. It is verified all the same, since it counts in its security context.
func (c *Conn) late(p *pdu, known bool, head int) error {
	if !known {
		return violation("an answer to a call that was never made")
	}
	if p.authLen == 0 {
		return nil
	}
	c.mu.Lock()
	sec := c.securities[p.trailer.contextID]
	c.mu.Unlock()
	if sec == nil {
		return violation("an answer in an unknown security context")
	}
	_, err := sec.verify(p, head, c.signHeaders.Load())
	return err
}

// leave ends a call with its answer.
func (c *Conn) leave(id uint32, err error) {
	c.mu.Lock()
	call := c.calls[id]
	delete(c.calls, id)
	c.mu.Unlock()
	if call != nil {
		call.finish(err)
	}
}

// handleFault ends a call, or a negotiation. A fault needs no signature: servers send it also where they cannot sign. One that is signed is verified.
func (c *Conn) handleFault(p *pdu) error {
	var f fault
	if err := f.decode(p); err != nil {
		return err
	}
	fault := &Fault{Status: f.status, DidNotExecute: p.flags&flagDidNotExecute != 0}
	if forbidden(fault.Status) {
		fault.Status = StatusProtocolError // [MS-RPCE] 3.3.2.5.1
	}
	c.mu.Lock()
	call := c.calls[p.callID]
	known := p.callID <= c.nextCall
	negotiating := c.reply != nil && c.replyID == p.callID
	c.mu.Unlock()
	switch {
	case negotiating:
		return c.handleReply(p, fault)
	case call == nil:
		return c.late(p, known, headerSize+callHead)
	}
	if p.authLen > 0 && call.sec.protects() {
		if p.trailer.contextID != call.sec.id {
			return violation("a fault in another security context")
		}
		if _, err := call.sec.verify(p, headerSize+callHead, c.signHeaders.Load()); err != nil {
			return err
		}
	}
	if sec := call.sec; sec != nil {
		switch {
		case fault.Status != StatusAccessDenied:
			sec.confirmed.Store(true)
		case sec.kind == AuthNTLM && !sec.confirmed.Load():
			fault.Unconfirmed = true
		}
	}
	c.leave(p.callID, fault)
	return nil
}
