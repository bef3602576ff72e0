package dcom

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Blanket is with what identity and how much protection calls are made. Proxies with the same *Blanket share connections.
type Blanket struct {
	// Initiator begins to authenticate to a service (RPCSS/host, host/host) on the machine that the user named. Nil calls without
	// authentication, at LevelNone.
	Initiator func(spn, host string) (auth.Initiator, error)
	// AuthType is the provider that the Initiator is of, AuthSPNEGO by default.
	AuthType dcerpc.AuthType
	// Level is the protection of calls, LevelPrivacy by default. An activation has LevelIntegrity at least. What an exporter asks for raises it
	// (see callLevel), unless Exactly is set.
	Level   dcerpc.Level
	Exactly bool
}

func (b *Blanket) authType() dcerpc.AuthType {
	if b.AuthType == 0 {
		return dcerpc.AuthSPNEGO
	}
	return b.AuthType
}

func (b *Blanket) level() dcerpc.Level {
	switch {
	case b.Initiator == nil:
		return dcerpc.LevelNone
	case b.Level == 0:
		return dcerpc.LevelPrivacy
	}
	return b.Level
}

// activationLevel is the level for resolver and activator: LevelIntegrity at least ([MS-DCOM] <80>, <84>, <93>).
func (b *Blanket) activationLevel() dcerpc.Level {
	if b.Initiator == nil || b.Exactly {
		return b.level()
	}
	return max(b.level(), dcerpc.LevelIntegrity)
}

// callLevel is the level for an exporter that hints at its lowest. Windows refuses less than Integrity since 2022 ([MS-DCOM] <37>): what is below is
// raised to Integrity with NTLM, and to Privacy with what may be Kerberos.
func (b *Blanket) callLevel(hint uint32) dcerpc.Level {
	if b.Initiator == nil || b.Exactly {
		return b.level()
	}
	if hint > uint32(dcerpc.LevelNone) && hint <= uint32(dcerpc.LevelIntegrity) {
		hint = uint32(dcerpc.LevelPrivacy)
		if b.authType() == dcerpc.AuthNTLM {
			hint = uint32(dcerpc.LevelIntegrity)
		}
	}
	return max(b.level(), dcerpc.Level(min(hint, uint32(dcerpc.LevelPrivacy))), dcerpc.LevelIntegrity)
}

// ClientOptions configure a Client.
type ClientOptions struct {
	// Blanket is what calls are made with, unless a proxy has another.
	Blanket Blanket
	// Dial connects over TCP; by default a net.Dialer does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// DialTimeout is for each address that is tried, 15 s.
	DialTimeout time.Duration
	// OtherBindings lets addresses be dialled that only the server told, where the one that the user named does not answer.
	OtherBindings bool
	// PingPeriod is how often objects are pinged for, 2 minutes.
	PingPeriod time.Duration
	// Trace has the hooks of each connection.
	Trace *dcerpc.Trace
	// Log takes failed pings and releases; nil discards it.
	Log *slog.Logger
}

// Client calls objects of other machines. It dials the machines that its user named and no other, unless OtherBindings permits that.
type Client struct {
	opts ClientOptions
	stop chan struct{}  // closed when Close begins
	gone chan struct{}  // closed when all is released
	wg   sync.WaitGroup // of pingers

	mu       sync.Mutex
	closed   bool
	machines map[string]*machine
	channels map[channelKey]*channel
}

// NewClient makes a client, which connects to nothing.
func NewClient(opts ClientOptions) *Client {
	if opts.Dial == nil {
		opts.Dial = new(net.Dialer).DialContext
	}
	if opts.DialTimeout <= 0 {
		opts.DialTimeout = 15 * time.Second
	}
	if opts.PingPeriod <= 0 {
		opts.PingPeriod = defaultPingPeriod
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{opts: opts, stop: make(chan struct{}), gone: make(chan struct{}), machines: map[string]*machine{}, channels: map[channelKey]*channel{}}
}

// machine is a host that the user named. Its tables are guarded by Client.mu.
type machine struct {
	client    *Client
	host      string
	port      uint16 // of its resolver
	exporters map[uint64]*remoteExporter
	pings     pings
}

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

var errClosed = &Error{HRESULT: FromWin32(RPC_S_CALL_CANCELLED), Detail: "the client is closed"}

// machine finds or makes the entry of a host, given as host or host[port of its resolver].
func (c *Client) machine(address string) (*machine, error) {
	host, port, err := ParseStringBinding(address)
	if err != nil {
		return nil, &Error{HRESULT: E_INVALIDARG, Err: err}
	}
	if port == 0 {
		port = resolverPort
	}
	key := FormatStringBinding(strings.ToLower(host), port)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	m := c.machines[key]
	if m == nil {
		m = &machine{client: c, host: host, port: port, exporters: map[uint64]*remoteExporter{}}
		c.machines[key] = m
	}
	return m, nil
}

// resolver is the channel to resolver and activator of a machine.
func (m *machine) resolver(b *Blanket) *channel {
	return m.client.channel(channelKey{
		addresses: net.JoinHostPort(m.host, strconv.Itoa(int(m.port))), service: "RPCSS", host: m.host, blanket: b, level: b.activationLevel(),
	})
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

// ServerAlive2 asks the resolver of a host (or host[port]) for its version and addresses, without authentication: a probe.
func (c *Client) ServerAlive2(ctx context.Context, host string) (*ServerAlive2Response, error) {
	m, err := c.machine(host)
	if err != nil {
		return nil, err
	}
	var out ServerAlive2Response
	ch := m.resolver(&anonymous)
	defer ch.close()
	if err := ch.call(ctx, IIDObjectExporter, opServerAlive2, security.GUID{}, nil, &out); err != nil {
		return nil, failure("ServerAlive2 at "+m.host, err)
	}
	if out.Status != 0 {
		return nil, &Error{HRESULT: FromWin32(out.Status), Op: "ServerAlive2 at " + m.host}
	}
	return &out, nil
}

// anonymous makes calls without authentication.
var anonymous Blanket

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

// Unmarshal gives a proxy for a reference that came from somewhere else than a call of a proxy, such as the sink in a call to a service. The object
// is taken to be at host and nowhere else, whatever the reference says: only its ports are believed. An empty host takes the first
// address of the reference that can be dialled, which OtherBindings has to permit.
func (c *Client) Unmarshal(ctx context.Context, host string, ref *ObjRef) (*Proxy, error) {
	if ref.Kind == ObjRefCustom {
		return nil, errByValue
	}
	var candidates []string
	for _, s := range ref.Resolver.Strings {
		at, port, err := ParseStringBinding(s.Address)
		if err != nil || s.Tower != TowerTCP {
			continue
		}
		switch {
		case host == "":
			candidates = append(candidates, s.Address)
		case strings.EqualFold(at, host):
			candidates = append([]string{FormatStringBinding(host, port)}, candidates...)
		default:
			candidates = append(candidates, FormatStringBinding(host, port))
		}
	}
	switch {
	case host == "" && !c.opts.OtherBindings:
		return nil, &Error{HRESULT: E_INVALIDARG, Detail: "the machine of the object was not named"}
	case len(candidates) == 0 && host == "":
		return nil, &Error{HRESULT: FromWin32(OR_INVALID_OXID), Detail: "the reference tells no address"}
	case len(candidates) == 0:
		candidates = []string{host}
	}
	var first error
	tried := 0
	for i, at := range candidates {
		if slices.Contains(candidates[:i], at) {
			continue
		}
		if tried++; tried > maxAdvertised {
			break // nobody has so many; whoever sends it would have ports looked for
		}
		m, err := c.machine(at)
		if err != nil {
			return nil, err
		}
		p, err := m.unmarshal(ctx, &c.opts.Blanket, ref)
		if err == nil {
			return p, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

var errByValue = &Error{HRESULT: RPC_E_INVALID_OBJREF, Detail: "the object is passed by value"}

// unmarshal takes the references of an OBJREF ([MS-DCOM] 3.2.4.1.2).
func (m *machine) unmarshal(ctx context.Context, b *Blanket, ref *ObjRef) (*Proxy, error) {
	if ref.Kind == ObjRefCustom {
		return nil, errByValue
	}
	x, err := m.exporter(ctx, ref.Std.OXID, b)
	if err != nil {
		return nil, err
	}
	return x.hold(ctx, b, ref.IID, ref.Std)
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

// closeTimeout is how long the release of everything may take.
const closeTimeout = 5 * time.Second

// Close releases everything that is held, ends pings and closes connections. Calls that run fail.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.wg.Wait()
		return nil
	}
	c.closed = true
	var held []*reference
	for _, m := range c.machines {
		for _, x := range m.exporters {
			for _, r := range x.refs {
				held = append(held, r)
			}
			clear(x.refs)
		}
	}
	c.mu.Unlock()
	close(c.stop)
	c.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := c.remRelease(ctx, held)
	close(c.gone)
	c.mu.Lock()
	channels := c.channels
	c.channels = nil
	c.mu.Unlock()
	for _, ch := range channels {
		ch.close()
	}
	return err
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
