package service

import (
	"context"
	"io"
	"net"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/wsman/wsmanserver"
)

// Observer is told what the service does, to be counted. Its methods must not
// block.
type Observer interface {
	wsmanserver.Observer
	// SignIn is a proof over winrm or dcom that came to its end. A client certificate
	// is shown with each request and is none.
	SignIn(transport string, proven bool)
}

// observed is an acceptor whose end is told.
type observed struct {
	auth.Acceptor
	transport string
	observer  Observer
}

// observe has the end of a proof told, where somebody listens.
func observe(o Observer, transport string, a auth.Acceptor) auth.Acceptor {
	if o == nil || a == nil {
		return a
	}
	return &observed{a, transport, o}
}

func (a *observed) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	out, done, err = a.Acceptor.Step(ctx, in)
	if err != nil || done {
		a.observer.SignIn(a.transport, err == nil)
	}
	return out, done, err
}

// Close gives an unfinished exchange up.
func (a *observed) Close() error {
	if c, ok := a.Acceptor.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// observeWinRM has the sign-ins of WinRM told.
func observeWinRM(o *wsmanserver.Options, to Observer) {
	if to == nil {
		return
	}
	o.Observer = to
	negotiate, credSSP, kerberos, basic := o.Negotiate, o.CredSSP, o.Kerberos, o.CheckBasic
	o.Negotiate = func(p wsmanserver.Peer) auth.Acceptor { return observe(to, "winrm", negotiate(p)) }
	o.Kerberos = func(p wsmanserver.Peer) auth.Acceptor { return observe(to, "winrm", kerberos(p)) }
	o.CredSSP = func(p wsmanserver.Peer) (auth.Acceptor, error) {
		a, err := credSSP(p)
		if err != nil {
			return nil, err
		}
		return observe(to, "winrm", a), nil
	}
	o.CheckBasic = func(ctx context.Context, user, password string, remote net.Addr) (auth.Identity, error) {
		id, err := basic(ctx, user, password, remote)
		to.SignIn("winrm", err == nil)
		return id, err
	}
}

// observeRPC has the sign-ins of DCOM told.
func observeRPC(to Observer, accept func(dcerpc.AuthType, net.Addr) (auth.Acceptor, error)) func(dcerpc.AuthType, net.Addr) (auth.Acceptor, error) {
	if to == nil {
		return accept
	}
	return func(kind dcerpc.AuthType, peer net.Addr) (auth.Acceptor, error) {
		a, err := accept(kind, peer)
		if err != nil {
			return nil, err
		}
		return observe(to, "dcom", a), nil
	}
}
