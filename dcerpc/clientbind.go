package dcerpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/casementhq/casement/auth"
)

// Binding is an interface on a connection, called with one identity.
type Binding struct {
	conn *Conn
	ctx  *clientContext
	sec  *Security
}

// Interface is what is bound.
func (b *Binding) Interface() SyntaxID { return b.ctx.abstract }

// Transfer is how stubs are represented: NDR20 or NDR64.
func (b *Binding) Transfer() SyntaxID { return b.ctx.transfer }

// Security is the identity, or nil.
func (b *Binding) Security() *Security { return b.sec }

// Conn is the connection.
func (b *Binding) Conn() *Conn { return b.conn }

// Bind negotiates an interface, and proves the identity if that has not been done; sec is nil for calls without. Errors: *BindError,
// *RejectedError, *Fault, those of the mechanism; after anything but a *RejectedError the connection has ended. Where others have bindings on it, it
// does not end with ctx: the server has 2 s more for its answer. Bindings stay valid beside each other; a call without identity on a connection that
// has one at level Connect is a call of that identity.
func (c *Conn) Bind(ctx context.Context, id SyntaxID, sec *Security) (*Binding, error) {
	select {
	case c.bindLock <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
		return nil, c.Err()
	}
	unlock := func() { <-c.bindLock }
	pc := c.contexts[id]
	if pc != nil && (sec == nil || sec.context != nil) {
		unlock()
		return &Binding{c, pc, sec}, nil
	}
	if len(c.contexts) == 0 { // nobody else uses the connection
		defer unlock()
		return c.bind(ctx, id, sec)
	}
	// What was half negotiated would end the connection for the calls of others: a caller who gives up leaves the rest of it behind.
	type result struct {
		b   *Binding
		err error
	}
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan result, 1)
	go func() {
		defer cancel(nil)
		defer unlock()
		b, err := c.bind(own, id, sec)
		ended <- result{b, err}
	}()
	select {
	case r := <-ended:
		return r.b, r.err
	case <-ctx.Done():
		time.AfterFunc(bindGrace, func() { cancel(errUnanswered) })
		return nil, ctx.Err()
	}
}

// bindGrace is how long the negotiation of a caller who gave up may go on.
const bindGrace = 2 * time.Second

// errUnanswered is why a connection ends whose server left a bind without an answer.
var errUnanswered = errors.New("the server did not answer a bind in time")

// bind negotiates; bindLock is held.
func (c *Conn) bind(ctx context.Context, id SyntaxID, sec *Security) (*Binding, error) {
	pc, err := c.negotiate(ctx, id, sec)
	var rejected *RejectedError
	if err != nil && !errors.As(err, &rejected) {
		if cause := context.Cause(ctx); errors.Is(cause, errUnanswered) {
			err = cause // the calls of others did not end by what a caller wanted
		}
		// What was half negotiated cannot be taken back.
		c.fail(fmt.Errorf("RPC connection to %v: %w", c.nc.RemoteAddr(), err))
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	return &Binding{c, pc, sec}, nil
}

// contextReply is bind_ack, alter_context_resp, bind_nak or a fault instead of them.
type contextReply struct {
	kind  pduType
	flags uint8
	ack   bindAck
	token []byte
	err   error
}

// negotiate runs one bind or alter_context with the legs that follow it. bindLock is held.
func (c *Conn) negotiate(ctx context.Context, id SyntaxID, sec *Security) (*clientContext, error) {
	var token []byte
	var done bool
	prove := sec != nil && sec.context == nil
	if prove {
		if sec.initiator == nil {
			return nil, fmt.Errorf("dcerpc: the security context was refused before: %w", auth.ErrLogonFailure)
		}
		if c.nextSecurity > 0 && c.features&featureSecurityMultiplex == 0 {
			return nil, fmt.Errorf("dcerpc: the server takes one identity for each connection: %w", auth.ErrUnsupported)
		}
		sec.id = c.nextSecurity
		c.nextSecurity++
		var err error
		if token, done, err = sec.initiator.Step(ctx, nil); err != nil {
			c.opts.Trace.authenticated(sec, err)
			return nil, err
		}
	}
	b := &bind{maxXmit: uint16(c.opts.MaxFragment), maxRecv: uint16(c.opts.MaxFragment), association: c.Association(), proposals: c.proposals(id)}
	callID := c.callNumber()
	reply, err := c.leg(ctx, c.kindOfLeg(), callID, b, sec, token)
	if err != nil {
		c.opts.Trace.bound(id, SyntaxID{}, err)
		return nil, err
	}
	pc, reject := c.accept(id, b, reply)
	if prove {
		err = c.prove(ctx, callID, b, sec, reply, done)
		c.opts.Trace.authenticated(sec, err)
		if err != nil {
			return nil, err
		}
	}
	if reject != nil {
		c.opts.Trace.bound(id, SyntaxID{}, reject)
		return nil, reject
	}
	c.opts.Trace.bound(id, pc.transfer, nil)
	return pc, nil
}

func (c *Conn) kindOfLeg() pduType {
	if c.bound {
		return pduAlter
	}
	return pduBind
}

// proposals are NDR 2.0, NDR64 and the features, each in an element of its own as Windows sends them. A context that exists is proposed again as it is.
func (c *Conn) proposals(id SyntaxID) []proposal {
	if pc := c.contexts[id]; pc != nil {
		return []proposal{{pc.id, id, []SyntaxID{pc.transfer}}}
	}
	next := func(t SyntaxID) proposal {
		c.nextContext++
		return proposal{c.nextContext - 1, id, []SyntaxID{t}}
	}
	list := []proposal{next(NDR20)}
	if !c.opts.OnlyNDR20 {
		list = append(list, next(NDR64))
	}
	if !c.bound {
		f := features
		f.UUID[8] = supportedFeatures
		list = append(list, next(f))
	}
	return list
}

// accept takes over what the server chose.
func (c *Conn) accept(id SyntaxID, b *bind, reply *contextReply) (*clientContext, error) {
	if !c.bound {
		c.bound = true
		c.maxXmit = min(c.opts.MaxFragment, max(int(reply.ack.maxRecv), minFragment)) &^ 7
		if reply.flags&flagConcMpx == 0 {
			c.callLock = make(chan struct{}, 1)
		}
		c.mu.Lock()
		c.association = reply.ack.association
		c.mu.Unlock()
	}
	if reply.flags&flagHeaderSign != 0 {
		c.signHeaders.Store(true)
	}
	var accepted *clientContext
	rejected := &RejectedError{Interface: id, Result: resultProviderRejected}
	for i, p := range b.proposals[:min(len(b.proposals), len(reply.ack.results))] {
		r := reply.ack.results[i]
		_, isFeature := featureBits(p.transfers[0])
		switch {
		case isFeature && r.result == resultNegotiateAck:
			c.features = byte(r.reason) & supportedFeatures
		case isFeature:
		case r.result == resultAccepted && slices.Contains(p.transfers, r.transfer):
			accepted = &clientContext{id: p.contextID, abstract: id, transfer: r.transfer}
		case rejected.Reason == 0, rejected.Reason == reasonTransferSyntaxes: // another representation may tell more
			rejected.Result, rejected.Reason = r.result, r.reason
		}
	}
	switch was := c.contexts[id]; {
	case accepted == nil:
		return nil, rejected
	case was == nil:
		c.contexts[id] = accepted
	}
	return c.contexts[id], nil
}

// prove runs the legs of an exchange after the first.
func (c *Conn) prove(ctx context.Context, callID uint32, b *bind, sec *Security, reply *contextReply, done bool) error {
	b = &bind{maxXmit: b.maxXmit, maxRecv: b.maxRecv, proposals: b.proposals[:1]}
	for !done || len(reply.token) > 0 {
		token, finished, err := sec.initiator.Step(ctx, reply.token)
		if err != nil {
			return err
		}
		done = finished
		if len(token) == 0 {
			if !done {
				return fmt.Errorf("dcerpc: the mechanism waits and has nothing to say: %w", auth.ErrBadToken)
			}
			break
		}
		if done && sec.kind == AuthNTLM {
			// Three legs: the last is not answered.
			if err := c.writeBare(pduAuth3, c.legFlags(sec), callID, auth3Pad{}, trailer{kind: sec.kind, level: sec.level, contextID: sec.id}, token); err != nil {
				return err
			}
			break
		}
		if reply, err = c.leg(ctx, pduAlter, callID, b, sec, token); err != nil {
			return err
		}
		if reply.flags&flagHeaderSign != 0 {
			c.signHeaders.Store(true)
		}
	}
	if err := sec.established(sec.initiator.Context()); err != nil {
		return err
	}
	c.mu.Lock()
	c.securities[sec.id] = sec
	c.mu.Unlock()
	return nil
}

// legFlags announces header signing with every protected context; several calls at once with the first PDU.
func (c *Conn) legFlags(sec *Security) uint8 {
	flags := flagFirst | flagLast
	if sec != nil && sec.level >= LevelPacket {
		flags |= flagHeaderSign
	}
	return flags
}

// leg sends one bind or alter_context and waits for the answer. It is given up when ctx ends.
func (c *Conn) leg(ctx context.Context, kind pduType, callID uint32, b *bind, sec *Security, token []byte) (*contextReply, error) {
	answer := make(chan contextReply, 1)
	c.mu.Lock()
	c.reply, c.replyID = answer, callID
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.reply = nil
		c.mu.Unlock()
	}()
	flags := c.legFlags(sec)
	if kind == pduBind {
		flags |= flagConcMpx
	}
	var t trailer
	if token != nil {
		t = trailer{kind: sec.kind, level: sec.level, contextID: sec.id}
	} else {
		flags &^= flagHeaderSign
	}
	if err := c.writeBare(kind, flags, callID, b, t, token); err != nil {
		return nil, err
	}
	var r contextReply
	select {
	case r = <-answer:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
		// A refusal may have come just before the end.
		select {
		case r = <-answer:
		default:
			return nil, c.Err()
		}
	}
	want := pduBindAck
	if kind == pduAlter {
		want = pduAlterResp
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case r.kind != want:
		return nil, violation("%v for an answer to %v", r.kind, kind)
	}
	return &r, nil
}

// handleReply hands an answer to who negotiates.
func (c *Conn) handleReply(p *pdu, f *Fault) error {
	r := contextReply{kind: p.kind, flags: p.flags}
	switch {
	case f != nil:
		r.err = f
	case p.kind == pduBindNak:
		var n bindNak
		if err := n.decode(p.decoder()); err != nil {
			return err
		}
		r.err = n.err()
	default:
		if err := r.ack.decode(p.decoder()); err != nil {
			return err
		}
		r.token = slices.Clone(p.token)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reply == nil || c.replyID != p.callID {
		return violation("%v for an answer that nobody awaits", p.kind)
	}
	c.reply <- r
	c.reply = nil
	return nil
}
