package spnego

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/casementhq/casement/auth"
)

// InitiatorMechanism is one mechanism that a client can use.
type InitiatorMechanism struct {
	OID asn1.ObjectIdentifier
	// New makes an initiator for one exchange.
	New func() auth.Initiator
}

// Initiator is the client's side of one negotiation. It implements [auth.Initiator].
type Initiator struct {
	mechs    []InitiatorMechanism // those whose first step worked
	started  bool
	ended    bool
	mic      micExchange
	chosen   int
	inner    auth.Initiator
	innerEnd bool
	named    bool // the acceptor named its choice
	context  auth.Context
}

// NewInitiator offers the mechanisms in their order of preference. One whose first step fails, as Kerberos
// does without a ticket, is left out; if all fail, Step returns their errors.
func NewInitiator(mechs ...InitiatorMechanism) *Initiator { return &Initiator{mechs: mechs} }

// Context implements [auth.Initiator]. The context is that of the chosen mechanism.
func (i *Initiator) Context() auth.Context { return i.context }

// MechanismContext is the context of the chosen mechanism as soon as the mechanism is done and its token is
// out, while the acceptor has yet to confirm the negotiation; nil before. CredSSP seals with it in that very
// message. Everything else takes Context.
func (i *Initiator) MechanismContext() auth.Context {
	if !i.innerEnd || !i.named {
		return nil
	}
	return i.inner.Context()
}

// Step implements [auth.Initiator]. The first call takes no token, or an acceptor's hints. Once the mechanism
// is done, an empty token says that the acceptor ended without one; this is accepted if the first mechanism
// was taken. Errors: ErrBadToken, ErrLogonFailure when rejected, ErrMessageAltered for a wrong signature of
// the list, and those of the mechanism. See [RFC4178] 4 and 5.
func (i *Initiator) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	switch {
	case i.ended:
		return nil, false, bad("negotiation is over")
	case len(in) > maxToken:
		err = bad("token of %d bytes, at most %d are accepted", len(in), maxToken)
	case !i.started:
		i.started = true
		out, err = i.first(ctx, in)
	default:
		out, done, err = i.next(ctx, in)
	}
	if err != nil || done {
		i.ended = true
	}
	return out, done, err
}

func (i *Initiator) first(ctx context.Context, in []byte) ([]byte, error) {
	if len(in) != 0 {
		var hint negTokenInit
		if err := hint.decode(in); err != nil {
			return nil, err
		}
	}
	var (
		usable []InitiatorMechanism
		oids   []asn1.ObjectIdentifier
		token  []byte
		errs   []error
	)
	for _, m := range i.mechs {
		if i.inner == nil {
			inner := m.New()
			first, end, err := inner.Step(ctx, nil)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			i.inner, i.innerEnd, token = inner, end, first
		}
		usable, oids = append(usable, m), append(oids, m.OID)
	}
	if i.inner == nil {
		return nil, fmt.Errorf("spnego: no mechanism is usable: %w", errors.Join(append(errs, auth.ErrUnsupported)...))
	}
	i.mechs = usable
	list, err := encodeMechs(oids)
	if err != nil {
		return nil, fmt.Errorf("spnego: list of mechanisms: %w", err)
	}
	i.mic.list = list
	return (&negTokenInit{mechList: list, token: token}).encode()
}

func (i *Initiator) next(ctx context.Context, in []byte) ([]byte, bool, error) {
	if len(in) == 0 {
		if !i.innerEnd || i.mic.demanded {
			return nil, false, bad("the acceptor ended the negotiation too early")
		}
		return i.finish()
	}
	var resp negTokenResp
	if err := resp.decode(in); err != nil {
		return nil, false, err
	}
	if resp.state == reject {
		return nil, false, i.rejected(ctx, &resp)
	}
	if err := i.follow(&resp); err != nil {
		return nil, false, err
	}
	out := negTokenResp{state: acceptIncomplete} // as Windows says, though the field is the acceptor's
	if err := i.feed(ctx, &resp, &out); err != nil {
		return nil, false, err
	}
	if !i.innerEnd {
		if resp.state == acceptCompleted {
			return nil, false, bad("the acceptor is done before the mechanism")
		}
		return answer(&out)
	}
	if err := i.protect(&resp, &out); err != nil {
		return nil, false, err
	}
	switch complete := resp.state == acceptCompleted; {
	case complete && i.mic.demanded && !i.mic.received:
		return nil, false, bad("the acceptor does not sign the list of mechanisms")
	case complete && out.token == nil && (out.mic == nil || i.mic.received):
		return i.finish()
	case complete:
		return nil, false, bad("the acceptor is done before the initiator")
	case out.token == nil && out.mic == nil:
		return nil, false, bad("the acceptor waits, and so do we")
	}
	return answer(&out)
}

// rejected is why, where the acceptor's mechanism says it to ours.
func (i *Initiator) rejected(ctx context.Context, resp *negTokenResp) error {
	bare := fmt.Errorf("spnego: the acceptor rejects: %w", auth.ErrLogonFailure)
	ours := resp.mech == nil || sameMech(i.mechs[i.chosen].OID, resp.mech)
	if resp.token == nil || i.innerEnd || !ours {
		return bare
	}
	if _, _, err := i.inner.Step(ctx, resp.token); err != nil && !errors.Is(err, auth.ErrBadToken) {
		return err
	}
	return bare
}

// follow takes up the acceptor's choice of a mechanism.
func (i *Initiator) follow(resp *negTokenResp) error {
	if resp.state == requestMIC {
		i.mic.demanded = true
	}
	if resp.mech == nil {
		return nil
	}
	if i.named {
		// Samba repeats it in its second answer; changing it is another matter.
		if sameMech(i.mechs[i.chosen].OID, resp.mech) {
			return nil
		}
		return bad("the acceptor changes its choice")
	}
	i.named = true
	for n, m := range i.mechs {
		if !sameMech(m.OID, resp.mech) {
			continue
		}
		if !sameMech(m.OID, i.mechs[0].OID) {
			i.chosen, i.inner, i.innerEnd, i.mic.demanded = n, m.New(), false, true
		}
		return nil
	}
	return fmt.Errorf("spnego: the acceptor chose mechanism %v, which was not offered: %w", resp.mech, auth.ErrBadToken)
}

// feed steps the mechanism. One that was changed starts without token.
func (i *Initiator) feed(ctx context.Context, resp, out *negTokenResp) error {
	if i.innerEnd {
		if resp.token != nil {
			return bad("a token for a mechanism that is done")
		}
		return nil
	}
	if resp.token == nil && (i.chosen == 0 || resp.mech == nil) {
		return bad("no token for the mechanism")
	}
	var err error
	out.token, i.innerEnd, err = i.inner.Step(ctx, resp.token)
	return err
}

// protect handles the signatures of the list once the mechanism's context is there.
func (i *Initiator) protect(resp, out *negTokenResp) error {
	c := i.inner.Context()
	if resp.mic != nil {
		if err := i.mic.verify(c, resp.mic); err != nil {
			return fmt.Errorf("spnego: list of mechanisms: %w", err)
		}
	}
	if i.mic.sent || !i.mic.wanted(c) {
		return nil
	}
	mic, err := i.mic.sign(c)
	if err != nil {
		return fmt.Errorf("spnego: list of mechanisms: %w", err)
	}
	out.mic = mic
	return nil
}

func (i *Initiator) finish() ([]byte, bool, error) {
	i.context = i.inner.Context()
	return nil, true, nil
}

func answer(resp *negTokenResp) ([]byte, bool, error) {
	b, err := resp.encode()
	if err != nil {
		return nil, false, fmt.Errorf("spnego: answer: %w", err)
	}
	return b, false, nil
}
