package dcom

import (
	"context"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Activate makes an object of a class at a host (or host[port]) and gives a proxy for each interface, nil where the object does not have it; at
// least one is there if there is no error.
func (c *Client) Activate(ctx context.Context, host string, clsid security.GUID, iids ...security.GUID) ([]*Proxy, error) {
	return c.activate(ctx, host, clsid, iids, opRemoteCreateInstance)
}

// ClassObject gives the IClassFactory of a class at a host; see [Proxy.CreateInstance].
func (c *Client) ClassObject(ctx context.Context, host string, clsid security.GUID) (*Proxy, error) {
	p, err := c.activate(ctx, host, clsid, []security.GUID{IIDClassFactory}, opRemoteGetClassObject)
	if err != nil {
		return nil, err
	}
	return p[0], nil
}

func (c *Client) activate(ctx context.Context, host string, clsid security.GUID, iids []security.GUID, opnum uint16) ([]*Proxy, error) {
	m, err := c.machine(host)
	if err != nil {
		return nil, err
	}
	op := "activation of " + clsid.String() + " at " + m.host
	version := Version
	result, err := m.requestActivation(ctx, clsid, iids, opnum, version)
	if err != nil && olderServer(err) {
		// An older server: its version decides how it is asked ([MS-DCOM] 3.2.4.1.1).
		if version, err = m.serverVersion(ctx, host); err == nil {
			result, err = m.requestActivation(ctx, clsid, iids, opnum, version)
		}
	}
	if err != nil {
		return nil, failure(op, err)
	}
	proxies, err := m.take(ctx, m.know(result.exporter), iids, result.interfaces)
	if err != nil {
		return nil, failure(op, err)
	}
	return proxies, nil
}

// olderServer tells whether an activation failed as one does at a server of a lower version.
func olderServer(err error) bool {
	switch resultOf(failure("", err), S_OK) {
	case RPC_E_VERSION_MISMATCH, FromWin32(RPC_S_UNKNOWN_IF), FromWin32(RPC_S_PROCNUM_OUT_OF_RANGE):
		return true
	}
	return false
}

// take makes proxies of what an activation gave.
func (m *machine) take(ctx context.Context, x *remoteExporter, iids []security.GUID, results []InterfaceResult) ([]*Proxy, error) {
	proxies, some := make([]*Proxy, len(iids)), false
	missing := E_NOINTERFACE
	for i, r := range results {
		var err error
		switch {
		case r.Result != S_OK:
			missing = r.Result
			continue
		case r.Object == nil:
			continue
		case r.Object.Kind == ObjRefCustom:
			err = errByValue
		case r.Object.Std.OXID != x.info.OXID:
			err = &Error{HRESULT: RPC_E_INVALID_OBJREF, Detail: "the object lives in another exporter than the activation says"}
		case r.Object.IID != r.IID:
			err = &Error{HRESULT: RPC_E_INVALID_OBJREF, Detail: "the object is of another interface than was asked for"}
		default:
			proxies[i], err = x.hold(ctx, &m.client.opts.Blanket, r.Object.IID, r.Object.Std)
		}
		if err != nil {
			m.client.releaseQuietly(ctx, proxies)
			return nil, err
		}
		some = true
	}
	if !some {
		return nil, &Error{HRESULT: missing}
	}
	return proxies, nil
}

// serverVersion asks the resolver which version it speaks.
func (m *machine) serverVersion(ctx context.Context, host string) (ComVersion, error) {
	alive, err := m.client.ServerAlive2(ctx, host)
	if code := resultOf(err, S_OK); code == FromWin32(RPC_S_PROCNUM_OUT_OF_RANGE) {
		return ComVersion{5, 1}, nil
	}
	if err != nil {
		return ComVersion{}, err
	}
	v, ok := Version.Negotiate(alive.Version)
	if !ok {
		return v, &Error{HRESULT: RPC_E_VERSION_MISMATCH}
	}
	return v, nil
}

// activationFlags is what Windows writes into the ORPCTHIS of an activation, where it has no meaning.
const activationFlags = 1

// requestActivation asks the activator in the way of a version.
func (m *machine) requestActivation(ctx context.Context, clsid security.GUID, iids []security.GUID, opnum uint16, version ComVersion) (*activated, error) {
	ch := m.resolver(&m.client.opts.Blanket)
	this := ORPCThis{Version: version, Flags: activationFlags, CID: causality(ctx)}
	if version.Minor < 6 {
		return requestOldActivation(ctx, ch, this, clsid, iids, opnum)
	}
	props := activationRequest(clsid, iids, m.host, ch.key.level, version, newContext())
	var in ndr.Marshaler = &RemoteCreateInstanceRequest{This: this, Properties: props}
	if opnum == opRemoteGetClassObject {
		in = &RemoteGetClassObjectRequest{This: this, Properties: props}
	}
	var out SCMActivatorResponse
	if err := ch.call(ctx, IIDRemoteSCMActivator, opnum, security.GUID{}, in, &out); err != nil {
		return nil, err
	}
	if out.Result != S_OK {
		return nil, &Error{HRESULT: FromWin32(out.Result)}
	}
	answer, err := activationProperties(out.Properties, IIDActivationPropsOut, CLSIDActivationPropsOut)
	if err != nil {
		return nil, err
	}
	objects, reply := findProperty[*PropsOut](answer), findProperty[*ScmReplyInfo](answer)
	if objects == nil || reply == nil || len(objects.Interfaces) != len(iids) {
		return nil, &Error{HRESULT: FromWin32(RPC_S_PROTOCOL_ERROR), Detail: "the answer to the activation lacks objects"}
	}
	for i := range objects.Interfaces {
		objects.Interfaces[i].IID = iids[i] // in the order of the request, as RemoteActivation answers
	}
	return &activated{reply.Exporter, objects.Interfaces}, nil
}

// activationRequest is what Windows asks for as well, in the same order ([MS-DCOM] 3.1.2.5.2.3.3, <77>).
func activationRequest(clsid security.GUID, iids []security.GUID, host string, level dcerpc.Level, version ComVersion, from *Context) *ObjRef {
	const localOrRemoteServer = 0x14 // CLSCTX
	a := &ActivationProperties{Context: differentMachine, Properties: []Property{
		&SpecialProperties{Session: AnySession, DefaultAuthnLevel: uint32(level), OriginalClassContext: localOrRemoteServer, Flags: SpecialUseDefaultLevel},
		&InstantiationInfo{CLSID: clsid, ClassContext: localOrRemoteServer, IIDs: iids, Version: version},
		&ActivationContextInfo{Client: from.ObjRef()},
		&SecurityInfo{Server: &COServerInfo{Name: &host}},
		&ServerLocationInfo{},
		&ScmRequestInfo{ImpersonationLevel: 2, Protseqs: []uint16{TowerTCP}}, // [MS-DCOM] <33>
	}}
	return a.objRef(IIDActivationPropsIn, CLSIDActivationPropsIn)
}

func requestOldActivation(ctx context.Context, ch *channel, this ORPCThis, clsid security.GUID, iids []security.GUID, opnum uint16) (*activated, error) {
	in := &RemoteActivationRequest{This: this, CLSID: clsid, ImpersonationLevel: 2, IIDs: iids, Protseqs: []uint16{TowerTCP}}
	if opnum == opRemoteGetClassObject {
		in.Mode = ModeClassObject
	}
	var out RemoteActivationResponse
	if err := ch.call(ctx, IIDActivation, opRemoteActivation, security.GUID{}, in, &out); err != nil {
		return nil, err
	}
	for _, code := range []uint32{out.Status, out.Result} {
		if code != S_OK {
			return nil, &Error{HRESULT: FromWin32(code)}
		}
	}
	if len(out.Interfaces) != len(iids) {
		return nil, &Error{HRESULT: FromWin32(RPC_S_PROTOCOL_ERROR), Detail: "the answer to the activation lacks objects"}
	}
	for i := range out.Interfaces {
		out.Interfaces[i].IID = iids[i]
	}
	return &activated{out.Exporter, out.Interfaces}, nil
}
