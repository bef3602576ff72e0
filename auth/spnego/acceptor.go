package spnego

import (
	"bytes"
	"context"
	"encoding/asn1"
	"fmt"

	"github.com/casementhq/casement/auth"
)

// AcceptorMechanism is one mechanism that a service offers.
type AcceptorMechanism struct {
	OID asn1.ObjectIdentifier
	// New makes an acceptor for one exchange.
	New func() auth.Acceptor
}

// Acceptor is the service's side of one negotiation. It implements [auth.Acceptor].
//
// Besides SPNEGO it takes the bare token of a mechanism, NTLM or Kerberos, as clients send it under HTTP's
// Negotiate scheme; its answers are then bare as well.
type Acceptor struct {
	mechs    []AcceptorMechanism
	state    acceptorState
	bare     bool
	mic      micExchange
	chosen   asn1.ObjectIdentifier
	inner    auth.Acceptor
	innerEnd bool
	answered bool // supportedMech was sent
	context  auth.Context
}

type acceptorState int

const (
	awaitInit acceptorState = iota
	awaitResp
	ended
)

// NewAcceptor offers the mechanisms in their order of preference; the initiator's preference goes first.
func NewAcceptor(mechs ...AcceptorMechanism) *Acceptor { return &Acceptor{mechs: mechs} }

// Context implements [auth.Acceptor]. The context is that of the chosen mechanism.
func (a *Acceptor) Context() auth.Context { return a.context }

// Step implements [auth.Acceptor]. A first call without token returns the service's own list with hints
// (NegTokenInit2). Errors: ErrBadToken, ErrUnsupported without a common mechanism, ErrMessageAltered for a
// wrong signature of the list, and those of the mechanism. See [RFC4178] 4 and 5.
func (a *Acceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if a.state == ended {
		return nil, false, bad("negotiation is over")
	}
	if len(in) > maxToken {
		a.state = ended
		return nil, false, bad("token of %d bytes, at most %d are accepted", len(in), maxToken)
	}
	switch {
	case a.bare:
		out, done, err = a.stepBare(ctx, in)
	case a.state == awaitInit && len(in) == 0:
		out, err = a.hint()
	case a.state == awaitInit:
		out, done, err = a.first(ctx, in)
	default:
		var resp negTokenResp
		if err = resp.decode(in); err == nil {
			out, done, err = a.next(ctx, &resp)
		}
	}
	if err != nil || done {
		a.state = ended
	}
	return out, done, err
}

func (a *Acceptor) hint() ([]byte, error) {
	oids := make([]asn1.ObjectIdentifier, len(a.mechs))
	for i, m := range a.mechs {
		oids[i] = m.OID
	}
	list, err := encodeMechs(oids)
	if err != nil {
		return nil, fmt.Errorf("spnego: list of mechanisms: %w", err)
	}
	return (&negTokenInit{mechList: list, hints: true}).encode()
}

// first tells bare tokens from SPNEGO, and chooses.
func (a *Acceptor) first(ctx context.Context, in []byte) ([]byte, bool, error) {
	if bytes.HasPrefix(in, []byte("NTLMSSP\x00")) {
		return a.firstBare(ctx, OIDNTLM, in)
	}
	if oid, _ := gssOID(in); oid != nil && !oid.Equal(oidSPNEGO) {
		return a.firstBare(ctx, oid, in)
	}
	var init negTokenInit
	if err := init.decode(in); err != nil {
		return nil, false, err
	}
	a.mic.list = bytes.Clone(init.mechList)
	first := a.choose(init.mechs)
	if a.inner == nil {
		return nil, false, fmt.Errorf("spnego: no mechanism in common, offered were %v: %w", init.mechs, auth.ErrUnsupported)
	}
	a.state = awaitResp
	a.mic.demanded = !first
	if !first {
		// The optimistic token belongs to another mechanism.
		return a.reply(&negTokenResp{state: requestMIC})
	}
	if init.token == nil {
		return a.reply(&negTokenResp{state: acceptIncomplete})
	}
	return a.next(ctx, &negTokenResp{token: init.token, mic: init.mic})
}

// choose takes the initiator's most preferred mechanism that we have, and reports whether it stood first.
func (a *Acceptor) choose(offered []asn1.ObjectIdentifier) (first bool) {
	for i, oid := range offered {
		if m := a.find(oid); m != nil {
			a.chosen, a.inner = oid, m.New()
			return i == 0 || sameMech(oid, offered[0])
		}
	}
	return false
}

func (a *Acceptor) find(oid asn1.ObjectIdentifier) *AcceptorMechanism {
	for i := range a.mechs {
		if sameMech(a.mechs[i].OID, oid) {
			return &a.mechs[i]
		}
	}
	return nil
}

// next feeds the mechanism and handles the signatures of the list.
func (a *Acceptor) next(ctx context.Context, in *negTokenResp) ([]byte, bool, error) {
	if in.state == reject {
		return nil, false, bad("the initiator rejects the negotiation")
	}
	out := negTokenResp{state: acceptIncomplete}
	if !a.innerEnd {
		if in.token == nil {
			return nil, false, bad("no token for the mechanism")
		}
		token, end, err := a.inner.Step(ctx, in.token)
		if err != nil {
			return a.rejection(token), false, err
		}
		out.token, a.innerEnd = token, end
	} else if in.token != nil {
		return nil, false, bad("a token for a mechanism that is done")
	}
	if !a.innerEnd {
		return a.reply(&out)
	}
	c := a.inner.Context()
	if in.mic != nil {
		if err := a.mic.verify(c, in.mic); err != nil {
			return nil, false, fmt.Errorf("spnego: list of mechanisms: %w", err)
		}
	}
	if !a.mic.sent && (a.mic.demanded || a.mic.received) {
		mic, err := a.mic.sign(c)
		if err != nil {
			return nil, false, fmt.Errorf("spnego: list of mechanisms: %w", err)
		}
		out.mic = mic
	}
	if a.mic.demanded && !a.mic.received {
		if out.mic == nil {
			return nil, false, bad("the initiator does not sign its list of mechanisms")
		}
		return a.reply(&out)
	}
	out.state = acceptCompleted
	a.context = c
	return a.reply(&out)
}

// rejection tells why, where the mechanism does.
func (a *Acceptor) rejection(token []byte) []byte {
	if len(token) == 0 {
		return nil
	}
	b, _, err := a.reply(&negTokenResp{state: reject, token: token})
	if err != nil {
		return nil
	}
	return b
}

// reply encodes an answer, naming the chosen mechanism in the first one alone.
func (a *Acceptor) reply(resp *negTokenResp) ([]byte, bool, error) {
	if !a.answered {
		resp.mech, a.answered = a.chosen, true
	}
	b, err := resp.encode()
	if err != nil {
		return nil, false, fmt.Errorf("spnego: answer: %w", err)
	}
	return b, resp.state == acceptCompleted, nil
}

func (a *Acceptor) firstBare(ctx context.Context, oid asn1.ObjectIdentifier, in []byte) ([]byte, bool, error) {
	m := a.find(oid)
	if m == nil {
		return nil, false, fmt.Errorf("spnego: bare token of mechanism %v: %w", oid, auth.ErrUnsupported)
	}
	a.bare, a.inner, a.state = true, m.New(), awaitResp
	return a.stepBare(ctx, in)
}

func (a *Acceptor) stepBare(ctx context.Context, in []byte) ([]byte, bool, error) {
	out, done, err := a.inner.Step(ctx, in)
	if err == nil && done {
		a.context = a.inner.Context()
	}
	return out, done, err
}
