package dcom

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Proxy is one interface of one object of another machine. Its methods may be called by several goroutines. Release gives it back.
type Proxy struct {
	ref      *reference
	blanket  *Blanket
	released atomic.Bool
}

// handle makes a proxy. Client.mu is held.
func (r *reference) handle(b *Blanket) *Proxy {
	r.handles++
	r.blanket = b
	return &Proxy{ref: r, blanket: b}
}

// IID is the interface.
func (p *Proxy) IID() security.GUID { return p.ref.iid }

// IPID names the interface of the object at its exporter, OID the object.
func (p *Proxy) IPID() security.GUID { return p.ref.std.IPID }

// OID names the object.
func (p *Proxy) OID() uint64 { return p.ref.std.OID }

// Host is the machine as the user named it.
func (p *Proxy) Host() string { return p.ref.at.machine.host }

// Exporter is what the host said about where the object lives: every address, also those that are never dialled.
func (p *Proxy) Exporter() ExporterInfo { return p.ref.at.info }

// Addrs are the ends of the connection that calls take, nil before the first: for ExportOptions of what is passed in a call.
func (p *Proxy) Addrs() (local, peer net.Addr) {
	ch, err := p.ref.at.channel(p.blanket)
	if err != nil {
		return nil, nil
	}
	return ch.addrs()
}

// Connected tells whether calls go over a connection that lives. One that was lost is made anew by the next call.
func (p *Proxy) Connected() bool {
	ch, err := p.ref.at.channel(p.blanket)
	return err == nil && ch.connected()
}

func (p *Proxy) client() *Client { return p.ref.at.machine.client }

// Call calls a method: in writes the arguments, out reads the results; either may be nil. If out is an ErrorInfoSink it is given what is said about an
// error. The HRESULT within the results is the caller's to look at; an error of Call is an *Error, for a fault or a failure of the connection.
//
// A connection that was lost is made anew by the next call. The call during which it was lost may have been served, and is not repeated.
func (p *Proxy) Call(ctx context.Context, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error {
	if p.released.Load() {
		return &Error{HRESULT: RPC_E_DISCONNECTED, Op: "call", Detail: "the proxy was released"}
	}
	if err := p.ref.at.call(ctx, p.blanket, p.ref.iid, p.ref.std.IPID, opnum, in, out); err != nil {
		return failure(fmt.Sprintf("method %d of %s at %s", opnum, p.ref.iid, p.Host()), err)
	}
	return nil
}

// QueryInterface asks the object for another of its interfaces; E_NOINTERFACE if it does not have it. The new proxy has the blanket of this one.
func (p *Proxy) QueryInterface(ctx context.Context, iid security.GUID) (*Proxy, error) {
	op := "query for " + iid.String() + " at " + p.Host()
	if p.released.Load() {
		return nil, &Error{HRESULT: RPC_E_DISCONNECTED, Op: op, Detail: "the proxy was released"}
	}
	in := &RemQueryInterfaceRequest{IPID: p.ref.std.IPID, Refs: defaultRefs, IIDs: []security.GUID{iid}}
	var out RemQueryInterfaceResponse
	x := p.ref.at
	if err := x.remote(ctx, p.blanket, opRemQueryInterface, in, &out); err != nil {
		return nil, failure(op, err)
	}
	switch {
	case len(out.Results) == 1 && out.Results[0].Result != S_OK:
		return nil, &Error{HRESULT: out.Results[0].Result, Op: op}
	case out.Result != S_OK:
		return nil, &Error{HRESULT: out.Result, Op: op}
	case len(out.Results) != 1:
		return nil, &Error{HRESULT: FromWin32(RPC_S_PROTOCOL_ERROR), Op: op, Detail: "the server answered something else than what was asked"}
	}
	std := out.Results[0].Std
	if std.OXID != x.info.OXID || std.OID != p.ref.std.OID {
		return nil, &Error{HRESULT: RPC_E_INVALID_OBJREF, Op: op, Detail: "the interface is of another object"}
	}
	q, err := x.hold(ctx, p.blanket, iid, std)
	if err != nil {
		return nil, failure(op, err)
	}
	return q, nil
}

// Unmarshal gives a proxy for a reference that a call of this proxy gave. It is on the same machine and has the same blanket.
func (p *Proxy) Unmarshal(ctx context.Context, ref *ObjRef) (*Proxy, error) {
	q, err := p.ref.at.machine.unmarshal(ctx, p.blanket, ref)
	if err != nil {
		return nil, failure("reference from "+p.Host(), err)
	}
	return q, nil
}

// CreateInstance makes an object through a proxy of IClassFactory.
func (p *Proxy) CreateInstance(ctx context.Context, iid security.GUID) (*Proxy, error) {
	var out CreateInstanceResponse
	if err := p.Call(ctx, opCreateInstance, &CreateInstanceRequest{iid}, &out); err != nil {
		return nil, err
	}
	if out.Result != S_OK || out.Object == nil {
		return nil, &Error{HRESULT: out.Result, Op: "CreateInstance at " + p.Host()}
	}
	return p.Unmarshal(ctx, out.Object)
}

// AddRef gives another proxy for the same interface, to be released on its own. It calls nobody.
func (p *Proxy) AddRef() *Proxy { return p.With(p.blanket) }

// With gives another proxy for the same interface that calls with another identity or protection, its release included; nil is the client's own.
func (p *Proxy) With(b *Blanket) *Proxy {
	c := p.client()
	if b == nil {
		b = &c.opts.Blanket
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.ref.handle(b)
}

// Release gives the proxy back. The server is told with the last proxy of an interface. Further calls do nothing.
func (p *Proxy) Release(ctx context.Context) error { return p.client().Release(ctx, p) }

// Release gives several proxies back in one call for each exporter. Proxies that are nil or released are passed over.
func (c *Client) Release(ctx context.Context, proxies ...*Proxy) error {
	var last []*reference
	c.mu.Lock()
	for _, p := range proxies {
		if p == nil || p.released.Swap(true) {
			continue
		}
		r := p.ref
		if r.handles--; r.handles > 0 || r.at.refs[r.std.IPID] != r {
			continue
		}
		r.blanket = p.blanket
		delete(r.at.refs, r.std.IPID)
		if r.std.Flags&StdNoPing == 0 {
			r.at.machine.unwant(r.std.OID)
		}
		last = append(last, r)
	}
	c.mu.Unlock()
	return c.remRelease(ctx, last)
}
