package dcom

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// remoteExporter is an exporter of a machine. It stays known: another object of it needs no resolution.
type remoteExporter struct {
	machine *machine
	info    ExporterInfo
	version ComVersion // that both speak
	refs    map[security.GUID]*reference
}

// reference is an interface of an object that this client holds.
type reference struct {
	at      *remoteExporter
	std     StdObjRef
	iid     security.GUID
	public  uint64
	handles int
	blanket *Blanket // of who asked last, for the release on Close
}

// know keeps what a machine told first about an exporter.
func (m *machine) know(info ExporterInfo) *remoteExporter {
	v, ok := Version.Negotiate(info.Version)
	if !ok {
		v = Version
	}
	m.client.mu.Lock()
	defer m.client.mu.Unlock()
	x := m.exporters[info.OXID]
	if x == nil {
		x = &remoteExporter{machine: m, info: info, version: v, refs: map[security.GUID]*reference{}}
		m.exporters[info.OXID] = x
	}
	return x
}

// exporter finds an exporter, and asks the resolver if it is not known ([MS-DCOM] 3.2.4.1.2.2).
func (m *machine) exporter(ctx context.Context, oxid uint64, b *Blanket) (*remoteExporter, error) {
	m.client.mu.Lock()
	x := m.exporters[oxid]
	m.client.mu.Unlock()
	if x != nil {
		return x, nil
	}
	ch := m.resolver(b)
	in := &ResolveOxidRequest{OXID: oxid, Protseqs: []uint16{TowerTCP}}
	var out ResolveOxid2Response
	err := ch.call(ctx, IIDObjectExporter, opResolveOxid2, security.GUID{}, in, &out)
	if err != nil && resultOf(failure("", err), S_OK) == FromWin32(RPC_S_PROCNUM_OUT_OF_RANGE) {
		out.Exporter.Version = ComVersion{5, 1}
		err = ch.call(ctx, IIDObjectExporter, opResolveOxid, security.GUID{}, in, &out.ResolveOxidResponse)
	}
	if err != nil {
		return nil, failure("resolution of an object at "+m.host, err)
	}
	if out.Status != 0 {
		return nil, &Error{HRESULT: FromWin32(out.Status), Op: "resolution of an object at " + m.host}
	}
	out.Exporter.OXID = oxid
	return m.know(out.Exporter), nil
}

// channel is the channel to an exporter: on the host that the user named, with the ports that the exporter told.
func (x *remoteExporter) channel(b *Blanket) (*channel, error) {
	m := x.machine
	var named, others []string
	for _, s := range x.info.Bindings.Strings {
		if s.Tower != TowerTCP {
			continue
		}
		host, port, err := ParseStringBinding(s.Address)
		if err != nil || port == 0 {
			continue
		}
		at := net.JoinHostPort(m.host, strconv.Itoa(int(port)))
		switch {
		case strings.EqualFold(host, m.host) && !slices.Contains(named, at):
			named = append([]string{at}, named...) // what the exporter says about this very host counts most
		case !slices.Contains(named, at):
			named = append(named, at)
		}
		if m.client.opts.OtherBindings {
			others = append(others, net.JoinHostPort(host, strconv.Itoa(int(port))))
		}
	}
	if len(named) == 0 {
		return nil, &Error{HRESULT: FromWin32(RPC_S_SERVER_UNAVAILABLE), Detail: "the exporter of the object told no TCP port"}
	}
	for _, o := range others {
		if !slices.Contains(named, o) {
			named = append(named, o)
		}
	}
	return m.client.channel(channelKey{addresses: strings.Join(named, " "), service: "host", host: m.host, blanket: b, level: b.callLevel(x.info.AuthnHint)}), nil
}

// hold counts references that a peer gave, and asks for some where it gave none.
func (x *remoteExporter) hold(ctx context.Context, b *Blanket, iid security.GUID, std StdObjRef) (*Proxy, error) {
	if std.PublicRefs == 0 {
		if err := x.addRef(ctx, b, std.IPID); err != nil {
			return nil, err
		}
		std.PublicRefs = defaultRefs
	}
	c := x.machine.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	r := x.refs[std.IPID]
	if r == nil {
		r = &reference{at: x, std: std, iid: iid}
		x.refs[std.IPID] = r
		if std.Flags&StdNoPing == 0 {
			x.machine.want(std.OID)
		}
	}
	r.public += uint64(std.PublicRefs)
	return r.handle(b), nil
}

// addRef asks for references of an interface ([MS-DCOM] 3.2.4.4.1).
func (x *remoteExporter) addRef(ctx context.Context, b *Blanket, ipid security.GUID) error {
	var out RemAddRefResponse
	if err := x.remote(ctx, b, opRemAddRef, &InterfaceRefsRequest{[]InterfaceRef{{IPID: ipid, Public: defaultRefs}}}, &out); err != nil {
		return err
	}
	switch {
	case out.Result != S_OK:
		return &Error{HRESULT: out.Result, Op: "RemAddRef"}
	case len(out.Results) != 1:
		return &Error{HRESULT: FromWin32(RPC_S_PROTOCOL_ERROR), Op: "RemAddRef"}
	case out.Results[0] != S_OK:
		return &Error{HRESULT: out.Results[0], Op: "RemAddRef"}
	}
	return nil
}

// remote calls the exporter itself: IRemUnknown2, or IRemUnknown of an old one.
func (x *remoteExporter) remote(ctx context.Context, b *Blanket, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error {
	iid := IIDRemUnknown2
	if x.version.Minor < 6 {
		iid = IIDRemUnknown
	}
	return x.call(ctx, b, iid, x.info.RemUnknown, opnum, in, out)
}

// call makes one ORPC call ([MS-DCOM] 3.2.4.2).
func (x *remoteExporter) call(ctx context.Context, b *Blanket, iid, ipid security.GUID, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error {
	ch, err := x.channel(b)
	if err != nil {
		return err
	}
	req := &orpcRequest{ORPCThis{Version: x.version, CID: causality(ctx)}, in}
	return ch.call(ctx, iid, opnum, ipid, req, &orpcResponse{out})
}

// orpcRequest puts ORPCTHIS before the arguments.
type orpcRequest struct {
	this ORPCThis
	in   ndr.Marshaler
}

// MarshalNDR writes both.
func (r *orpcRequest) MarshalNDR(e *ndr.Encoder) {
	r.this.MarshalNDR(e)
	if r.in != nil {
		r.in.MarshalNDR(e)
	}
}

// ErrorInfoSink is implemented by results that take what is said about their error.
type ErrorInfoSink interface {
	// SetErrorInfo is given an OBJREF before the results are read (see ParseErrorInfo); its memory may be kept.
	SetErrorInfo(objref []byte)
}

// orpcResponse takes ORPCTHAT off the results.
type orpcResponse struct{ out ndr.Unmarshaler }

// UnmarshalNDR reads both.
func (r *orpcResponse) UnmarshalNDR(d *ndr.Decoder) {
	var that ORPCThat
	that.UnmarshalNDR(d)
	if r.out == nil || d.Err() != nil {
		return
	}
	if s, ok := r.out.(ErrorInfoSink); ok {
		if info := that.ErrorInfo(); info != nil {
			s.SetErrorInfo(info)
		}
	}
	r.out.UnmarshalNDR(d)
}

// remRelease gives references back: one call for each exporter and identity.
func (c *Client) remRelease(ctx context.Context, refs []*reference) error {
	type key struct {
		at *remoteExporter
		b  *Blanket
	}
	batches := map[key]*InterfaceRefsRequest{}
	var order []key
	for _, r := range refs {
		k := key{r.at, r.blanket}
		if batches[k] == nil {
			batches[k] = new(InterfaceRefsRequest)
			order = append(order, k)
		}
		batches[k].Refs = append(batches[k].Refs, InterfaceRef{IPID: r.std.IPID, Public: uint32(min(r.public, 1<<32-1))})
	}
	var errs []error
	for _, k := range order {
		for part := range slices.Chunk(batches[k].Refs, 4096) {
			var out ResultResponse
			err := k.at.remote(ctx, k.b, opRemRelease, &InterfaceRefsRequest{part}, &out)
			if err == nil && out.Result != S_OK {
				err = &Error{HRESULT: out.Result}
			}
			if err != nil {
				c.opts.Log.Debug("dcom: release", "host", k.at.machine.host, "err", err)
				errs = append(errs, failure("release at "+k.at.machine.host, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (c *Client) releaseQuietly(ctx context.Context, proxies []*Proxy) {
	if err := c.Release(ctx, proxies...); err != nil {
		c.opts.Log.Debug("dcom: release", "err", err)
	}
}
