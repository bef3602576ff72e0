package wmiclient

import (
	"context"
	"io"
	"net"
	"net/netip"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
)

// Callback is a step of a host on its way to a sink.
type Callback struct {
	Leg CallbackLeg
	// Peer is where it came from.
	Peer net.Addr
	// Port is the one of this machine that was reached, 0 where that is not known.
	Port uint16
	// Level and Identity are those of a call.
	Level    dcerpc.Level
	Identity auth.Identity
	// Err is why this machine refuses the step, nil where it does not.
	Err error
}

// CallbackLeg is one of the steps of [Callback], in their order.
type CallbackLeg uint8

// The steps. A host that was called before resolves and proves nothing again.
const (
	CallbackConnected CallbackLeg = iota + 1 // a connection came to one of the ports
	CallbackResolved                         // the host asked where the sink is, and was told
	CallbackProved                           // the host began to prove an identity; Err is why it failed
	CallbackCalled                           // a call of the sink, at a level
)

// tell gives a step to who has a sink for the host.
func (k *Sinks) tell(peer net.Addr, b Callback) {
	at, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return
	}
	var traces []*Trace
	k.mu.Lock()
	if p := k.peers[at.Addr().Unmap().WithZone("")]; p != nil {
		traces = append(traces, p.traces...)
	}
	k.mu.Unlock()
	b.Peer = peer
	for _, t := range traces {
		t.calledBack(b)
	}
}

func (k *Sinks) resolved(peer net.Addr) { k.tell(peer, Callback{Leg: CallbackResolved}) }

// acceptor is that of the options, whose failures are told.
func (k *Sinks) acceptor(t dcerpc.AuthType, peer net.Addr) (auth.Acceptor, error) {
	a, err := k.o.Acceptor(t, peer)
	if err != nil {
		k.tell(peer, Callback{Leg: CallbackProved, Err: err})
		return nil, err
	}
	return &toldAcceptor{a, func(id auth.Identity, err error) { k.tell(peer, Callback{Leg: CallbackProved, Identity: id, Err: err}) }}, nil
}

// toldAcceptor tells what comes of an exchange.
type toldAcceptor struct {
	auth.Acceptor
	told func(id auth.Identity, err error)
}

// Step implements auth.Acceptor.
func (a *toldAcceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	out, done, err = a.Acceptor.Step(ctx, in)
	switch {
	case err != nil:
		a.told(auth.Identity{}, err)
	case done:
		a.told(a.Context().Identity(), nil)
	}
	return out, done, err
}

// Close implements io.Closer for an acceptor that is one.
func (a *toldAcceptor) Close() error {
	if c, ok := a.Acceptor.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
