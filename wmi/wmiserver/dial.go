package wmiserver

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
)

// sinkProxy is a sink that can be called: a client of its own for each, which has nothing but this one object.
type sinkProxy struct {
	client *dcom.Client
	proxy  *dcom.Proxy
	manner manner
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
		return nil, m.failure(err, stageResolve, stageResolve)
	}
	return &sinkProxy{client, p, m}, nil
}

func (p *sinkProxy) call(ctx context.Context, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error {
	if err := p.proxy.Call(ctx, opnum, in, out); err != nil {
		return p.manner.failure(err, stageDial, stageCall)
	}
	return nil
}

// failure is what an attempt failed with, and at which stage.
func (m manner) failure(err error, unreachable, otherwise string) error {
	stage := stageOf(err, unreachable, otherwise)
	if stage == stageDenied {
		err = &refusedCallback{m, err}
	}
	return &deadSink{stage, err}
}

// refusedCallback is a client's refusal to be called. What its code advises is for who logs in to a host; nobody does here.
type refusedCallback struct {
	manner manner
	err    error
}

func (e *refusedCallback) Error() string {
	text := "the client refused the call"
	var known *dcom.Error
	if errors.As(e.err, &known) {
		text += fmt.Sprintf(": %s (0x%08X)", dcom.ResultName(known.HRESULT), known.HRESULT)
	}
	if e.manner.identity {
		return text + "; it must permit this machine's account to call it (Remote Access in its DCOM permissions)"
	}
	return text + "; it must permit ANONYMOUS LOGON to call it: 'casement watch --async --anonymous' there, or Remote Access in its MachineAccessRestriction"
}

func (e *refusedCallback) Unwrap() error { return e.err }

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
