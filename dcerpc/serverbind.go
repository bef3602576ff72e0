package dcerpc

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/casementhq/casement/auth"
)

// exchange is a security context that is being built: what the client said in the first leg has to stay the same.
type exchange struct {
	sec    *Security
	callID uint32
	bind   bind
}

// nak refuses a bind.
func (c *serverConn) nak(callID uint32, reason uint16) {
	c.srv.stats.packetsOut.Add(1)
	body := &bindNak{reason: reason, versions: [][2]uint8{{5, 0}}}
	if err := c.writeBare(pduBindNak, flagFirst|flagLast, callID, body, trailer{}, nil); err != nil {
		c.nc.Close()
	}
}

// handleBind answers the first PDU of a connection. See [C706] 12.6.4.3, [MS-RPCE] 3.3.1.5.
func (c *serverConn) handleBind(ctx context.Context, p *pdu) error {
	reject := func(reason uint16) error {
		c.nak(p.callID, reason)
		return errEnd
	}
	var b bind
	if c.bound {
		return reject(ReasonNotSpecified)
	}
	if p.minor != 0 || b.decode(p.decoder()) != nil {
		return reject(ReasonProtocolVersion)
	}
	if len(b.proposals) == 0 || len(b.proposals[0].transfers) == 0 {
		return reject(ReasonNotSpecified)
	}
	var err error
	if c.association, err = c.srv.join(b.association, c.host); err != nil {
		return reject(ReasonNotSpecified)
	}
	size := fragmentSize(min(b.maxXmit, b.maxRecv), c.srv.opts.MaxFragment)
	c.maxXmit = int(size)
	c.mpx = p.flags&flagConcMpx != 0
	if p.flags&flagHeaderSign != 0 {
		c.signHeaders.Store(true)
	}
	results, err := c.negotiate(b.proposals, true)
	if err != nil {
		return reject(ReasonNotSpecified)
	}
	var token []byte
	if p.authLen > 0 {
		if token, err = c.begin(ctx, p, &b); err != nil {
			return reject(bindReason(err))
		}
	}
	c.bound = true
	if c.pending == nil {
		c.due = time.Time{}
	}
	ack := &bindAck{maxXmit: size, maxRecv: size, association: c.association.id, address: portOf(c.nc.LocalAddr()), results: results}
	return c.acknowledge(pduBindAck, p, ack, token)
}

// acknowledge writes bind_ack or alter_context_resp.
func (c *serverConn) acknowledge(kind pduType, p *pdu, ack *bindAck, token []byte) error {
	flags := flagFirst | flagLast | p.flags&flagHeaderSign
	if c.mpx {
		flags |= p.flags & flagConcMpx
	}
	c.srv.stats.packetsOut.Add(1)
	if p.authLen > 0 && token == nil {
		token = []byte{} // the trailer comes all the same
	}
	return c.writeBare(kind, flags, p.callID, ack, trailer{kind: p.trailer.kind, level: p.trailer.level, contextID: p.trailer.contextID}, token)
}

// errRefused are refusals that are not the mechanism's.
var (
	errProviderUnknown = errors.New("unknown security provider")
	errBadLevel        = errors.New("impossible authentication level")
	errTwice           = errors.New("the security context exists already")
	errTooMany         = errors.New("too many security contexts")
)

func bindReason(err error) uint16 {
	switch {
	case errors.Is(err, errProviderUnknown):
		return ReasonAuthTypeUnknown
	case errors.Is(err, errBadLevel):
		return ReasonNotSpecified
	}
	return ReasonAuthTypeChecksum
}

// handleAlter adds presentation contexts, begins an exchange or continues one. What goes wrong is a fault, and ends the connection.
func (c *serverConn) handleAlter(ctx context.Context, p *pdu) error {
	protocolError := func() error {
		return c.refuse(p.callID, 0, &Fault{Status: StatusProtoError, DidNotExecute: true})
	}
	var b bind
	if !c.bound || b.decode(p.decoder()) != nil || len(b.proposals) == 0 {
		return protocolError()
	}
	if p.flags&flagHeaderSign != 0 {
		c.signHeaders.Store(true)
	}
	results, err := c.negotiate(b.proposals, false)
	if err != nil {
		return protocolError()
	}
	var token []byte
	if p.authLen > 0 {
		if c.pending == nil {
			token, err = c.begin(ctx, p, &b)
		} else {
			if s := c.pending.differs(p, &b); s != 0 {
				return c.refuse(p.callID, 0, &Fault{Status: s, DidNotExecute: true})
			}
			token, err = c.next(ctx, p)
		}
		if err != nil {
			c.srv.opts.Log.Info("rpc: authentication refused", "peer", c.nc.RemoteAddr(), "provider", p.trailer.kind.String(), "err", err)
			return c.refuse(p.callID, 0, &Fault{Status: alterStatus(err), DidNotExecute: true})
		}
	}
	size := uint16(c.maxXmit)
	ack := &bindAck{maxXmit: size, maxRecv: size, association: c.association.id, results: results}
	return c.acknowledge(pduAlterResp, p, ack, token)
}

// differs tells what is wrong with a leg that does not ask for the same as the first one did, as Windows answers it.
func (x *exchange) differs(p *pdu, b *bind) Status {
	was, is := x.bind.proposals[0], b.proposals[0]
	switch {
	case p.trailer.kind == AuthNone:
		return StatusAccessDenied
	case was.contextID != is.contextID || was.abstract != is.abstract || !slices.Equal(was.transfers, is.transfers):
		return StatusProtoError
	case p.trailer.level != x.sec.level:
		return StatusAccessDenied
	case p.trailer.kind != x.sec.kind:
		return StatusSecurityPackage
	case p.trailer.contextID != x.sec.id:
		return StatusProtoError
	}
	return 0
}

func alterStatus(err error) Status {
	switch {
	case errors.Is(err, errTooMany):
		return StatusProtoError
	case errors.Is(err, auth.ErrNotProtected):
		return StatusSecurityPackage
	}
	return StatusAccessDenied
}

func (x *exchange) matches(p *pdu) bool {
	return x.sec.id == p.trailer.contextID && x.sec.kind == p.trailer.kind && x.sec.level == p.trailer.level
}

// handleAuth3 takes the last leg of an exchange with an odd number of them. It is not answered; a failure shows at the first request that uses the
// context. See [MS-RPCE] 3.3.1.5.2.1.
func (c *serverConn) handleAuth3(ctx context.Context, p *pdu) error {
	x := c.pending
	if x == nil || p.authLen == 0 || !x.matches(p) {
		return c.refuse(p.callID, 0, &Fault{Status: StatusProtoError, DidNotExecute: true})
	}
	out, err := c.next(ctx, p)
	if err == nil && (c.pending != nil || len(out) > 0) {
		err = auth.ErrBadToken // the mechanism wants to answer, and cannot
		if x.sec.effective() > LevelNone {
			c.proved--
		}
		if c.standing == x.sec {
			c.standing = nil
		}
		x.sec.failed, c.pending = err, nil
	}
	if err != nil {
		c.failed = true
		c.srv.opts.Log.Info("rpc: authentication failed", "peer", c.nc.RemoteAddr(), "provider", x.sec.kind, "err", err)
	}
	return nil
}

// maxUnproved is how many security contexts of a connection may have failed or be anonymous.
const maxUnproved = 16

// begin starts an exchange with its first leg.
func (c *serverConn) begin(ctx context.Context, p *pdu, b *bind) ([]byte, error) {
	t := p.trailer
	switch {
	case t.level < LevelConnect || t.level > LevelPrivacy:
		return nil, errBadLevel
	case t.kind == AuthNone || c.srv.opts.Acceptor == nil:
		return nil, errProviderUnknown
	case c.securities[t.contextID] != nil:
		return nil, errTwice
	case len(c.securities) >= c.srv.opts.MaxSecurity, len(c.securities)-c.proved >= maxUnproved:
		return nil, errTooMany
	}
	a, err := c.srv.opts.Acceptor(t.kind, c.nc.RemoteAddr())
	if err != nil || a == nil {
		return nil, errProviderUnknown
	}
	if t.level == LevelCall {
		return nil, auth.ErrUnsupported // as Windows answers over TCP, whatever [MS-RPCE] 2.2.1.1.8 says
	}
	sec := &Security{id: t.contextID, kind: t.kind, level: t.level, acceptor: a}
	c.securities[t.contextID] = sec
	c.pending = &exchange{sec: sec, callID: p.callID, bind: *b}
	c.due = time.Now().Add(c.srv.opts.Negotiation)
	return c.next(ctx, p)
}

// next steps the pending exchange.
func (c *serverConn) next(ctx context.Context, p *pdu) ([]byte, error) {
	sec := c.pending.sec
	ctx, cancel := context.WithDeadline(ctx, c.due)
	defer cancel()
	out, done, err := sec.step(ctx, p.token)
	if err != nil {
		sec.failed, c.pending = err, nil
		return nil, err
	}
	if done {
		c.pending, c.due = nil, time.Time{}
		if sec.effective() > LevelNone {
			c.proved++
			c.proofEnds(sec.Identity().Until)
		}
		if sec.level == LevelConnect {
			c.standing = sec
		}
		c.srv.opts.Log.Debug("rpc: authenticated", "peer", c.nc.RemoteAddr(), "identity", sec.Identity().String(), "level", sec.level.String())
	}
	return out, nil
}

// proofEnds notes when a proof ends, and the connection with it: its client makes another one, where it proves itself anew.
func (c *serverConn) proofEnds(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !at.IsZero() && (c.over.IsZero() || at.Before(c.over)) {
		c.over = at
	}
}

var errNegotiate = errors.New("impossible presentation contexts")

// negotiate answers proposals. One interface gets one representation: NDR64 if it is among those of the same interface, as 64-bit Windows
// chooses. See [MS-RPCE] 3.3.1.5.6 and 3.3.1.5.3.
func (c *serverConn) negotiate(proposals []proposal, first bool) ([]result, error) {
	results := make([]result, len(proposals))
	featured := false
	taken := map[SyntaxID]bool{}
	for i, p := range proposals {
		if len(p.transfers) == 0 {
			return nil, errNegotiate
		}
		if bits, ok := featureBits(p.transfers[0]); ok { // Windows ignores others beside it
			if featured {
				return nil, errNegotiate
			}
			featured = true
			if first {
				c.features = bits & supportedFeatures
			}
			results[i] = result{result: resultNegotiateAck, reason: uint16(bits & supportedFeatures)}
			continue
		}
		var err error
		if results[i], err = c.propose(p, proposals, taken); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// propose answers one proposal. all are those of the same PDU, and taken tells which interfaces one of them was accepted for.
func (c *serverConn) propose(p proposal, all []proposal, taken map[SyntaxID]bool) (result, error) {
	unsupported := result{result: resultProviderRejected, reason: reasonTransferSyntaxes}
	was := c.contexts[p.contextID]
	if was != nil && was.abstract != p.abstract {
		return result{}, errNegotiate
	}
	iface := c.srv.lookup(p.abstract)
	if iface == nil {
		return result{result: resultProviderRejected, reason: reasonAbstractSyntax}, nil
	}
	offered := func(transfer SyntaxID) bool {
		return slices.ContainsFunc(all, func(other proposal) bool { return other.abstract == p.abstract && offers(other, transfer) })
	}
	want := NDR20
	if offered(NDR64) && (!iface.PrefersNDR20 || !offered(NDR20)) {
		want = NDR64
	}
	if was != nil {
		if offers(p, NDR20) || offers(p, NDR64) {
			if !offers(p, was.transfer) {
				return result{}, errNegotiate
			}
		}
		want = was.transfer
	}
	if taken[p.abstract] || !offers(p, want) {
		return unsupported, nil
	}
	if was == nil {
		if len(c.contexts) >= c.srv.opts.MaxContexts {
			return result{result: resultProviderRejected, reason: reasonLocalLimitExceeded}, nil
		}
		c.contexts[p.contextID] = &presentation{id: p.contextID, iface: iface, abstract: p.abstract, transfer: want}
	}
	taken[p.abstract] = true
	return result{transfer: want}, nil
}

func offers(p proposal, transfer SyntaxID) bool { return slices.Contains(p.transfers, transfer) }
