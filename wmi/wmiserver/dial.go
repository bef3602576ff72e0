package wmiserver

import (
	"context"
	"errors"
	"net"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
)

// sinkProxy is a sink that can be called: a client of its own for each, which has nothing but this one object.
type sinkProxy struct {
	client *dcom.Client
	proxy  *dcom.Proxy
}

// dialSink finds out where a sink is. It dials the host alone, with the ports that the reference and the host's resolver tell.
func (s *Server) dialSink(ctx context.Context, ref *dcom.ObjRef, host string, m manner) (proxy, error) {
	o := dcom.ClientOptions{Dial: s.o.Callbacks.Dial, DialTimeout: sinkTimer / 2, Log: s.log}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if m.identity {
		o.Blanket = dcom.Blanket{Initiator: s.o.Callbacks.Identity, Level: dcerpc.LevelPrivacy, Exactly: true}
	}
	client := dcom.NewClient(o)
	p, err := client.Unmarshal(ctx, host, ref)
	if err != nil {
		client.Close()
		return nil, &deadSink{stageOf(err, stageResolve, stageResolve), err}
	}
	return &sinkProxy{client, p}, nil
}

func (p *sinkProxy) call(ctx context.Context, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error {
	if err := p.proxy.Call(ctx, opnum, in, out); err != nil {
		return &deadSink{stageOf(err, stageDial, stageCall), err}
	}
	return nil
}

// stageOf tells at which stage an attempt failed that could not connect, or could not be served.
func stageOf(err error, unreachable, otherwise string) string {
	var e *dcom.Error
	if !errors.As(err, &e) {
		return otherwise
	}
	switch e.HRESULT {
	case dcom.E_ACCESSDENIED, dcom.RPC_E_ACCESS_DENIED, dcom.FromWin32(dcom.ERROR_LOGON_FAILURE), dcom.FromWin32(dcom.RPC_S_SEC_PKG_ERROR):
		return stageDenied
	case dcom.FromWin32(dcom.RPC_S_SERVER_UNAVAILABLE):
		return unreachable
	}
	return otherwise
}

func (p *sinkProxy) release(ctx context.Context) {
	_ = p.proxy.Release(ctx) // a client that is gone has nothing to be told
	p.client.Close()
}

func (p *sinkProxy) abandon() { p.client.Close() }
