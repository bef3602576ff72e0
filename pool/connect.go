package pool

import (
	"context"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Connect names the way to a server with the credential that is bound to it, over
// the transport by which it was last reached. As with casement.Dial, it connects
// at the first operation. The caller closes it. cim.ErrNotFound.
func (p *Pool) Connect(ctx context.Context, name string) (*casement.Connection, error) {
	return p.ConnectOver(ctx, name, Automatic)
}

// ConnectOver is Connect over WinRM or DCOM, whatever the entry says; Automatic is
// Connect.
func (p *Pool) ConnectOver(ctx context.Context, name string, over Transport) (*casement.Connection, error) {
	e, err := p.Get(name)
	if err != nil {
		return nil, err
	}
	as, scheme, err := p.secret(ctx, e.Server)
	if err != nil {
		return nil, err
	}
	if over == Automatic && (e.Transport == DCOM || e.Transport == Automatic && e.Snapshot != nil && e.Snapshot.Transport == DCOM) {
		over = DCOM
	}
	l := &link{g: p.gather, server: e.Server, as: signIn{Credentials: as, Scheme: scheme}}
	o := l.options()
	o.Untyped, o.OperationTimeout = false, 0
	if over == DCOM {
		o.Scheme = wsmanclient.Automatic
		return casement.Dial(ctx, l.moniker(), o)
	}
	return casement.Dial(ctx, l.endpoint(), o)
}
