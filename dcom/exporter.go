package dcom

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Object is something that others may call.
type Object interface {
	// Interface gives what serves the calls of an interface, or nil where the object does not have it (E_NOINTERFACE). Every object
	// has IUnknown, for which this is not asked. It is called once for each interface, and must not call the Exporter.
	Interface(iid security.GUID) Handler
	// Released tells that nobody refers to the object any more: the last reference was released, its holder has not pinged for three periods, or
	// the object was revoked. Calls may still run. It is called once.
	Released()
}

// Handler serves one call of an interface. It reads the arguments from call.In and gives what stands after ORPCTHAT: the results, whose last is
// the HRESULT. If they implement ErrorInfoSource, that goes with them. An error is a fault instead: a *dcerpc.Fault, or for anything
// else RPC_S_CALL_FAILED with nothing of the inside. A method that does not exist is a fault with dcerpc.StatusOpRange.
type Handler func(ctx context.Context, call *Call) (ndr.Marshaler, error)

// ErrorInfoSource is implemented by results that say more about their error than an HRESULT.
type ErrorInfoSource interface {
	// ErrorInfo gives an OBJREF (see [ErrorInfo.ObjRef]), or nil.
	ErrorInfo() []byte
}

// Call is one call of an object.
type Call struct {
	*dcerpc.Call
	This ORPCThis
	// Exporter is where the object is, and where what the call makes can be exported.
	Exporter *Exporter
	// OID is the object.
	OID uint64
	// Principal is who calls, as ExporterOptions.Principal says.
	Principal string
}

// ExporterOptions configure an Exporter. The zero value takes calls at level Packet.
type ExporterOptions struct {
	// Endpoint is the listener of the dcerpc.Server that has the exporter's Lookup.
	Endpoint Endpoint
	// Level is the least protection of a call, LevelPacket by default. LevelNone has to be said.
	Level dcerpc.Level
	// Access is asked before each call; an error is the fault ERROR_ACCESS_DENIED. Nil permits who reaches the level.
	Access func(ctx context.Context, call *dcerpc.Call) error
	// Principal names who calls; objects belong to one. It has to be the same for all connections of one account, and different from those of
	// all others. By default it is the proven name, without regard to case.
	Principal func(ctx context.Context, call *dcerpc.Call) (string, error)
	// MaxObjects and MaxPrincipalObjects bound what can be exported at once, 100,000 and 10,000.
	MaxObjects, MaxPrincipalObjects int
	// Log takes what happens to objects; nil discards it.
	Log *slog.Logger
}

// Limits of references.
const (
	defaultRefs      = 5       // [MS-DCOM] 3.1.1.5.1
	maxRefsAsked     = 1 << 20 // in one call
	maxPrivateOwners = 64      // of one interface
)

// Exporter has objects that others may call, each on behalf of one principal. It is made by Resolver.NewExporter and served by a dcerpc.Server with
// its Lookup.
type Exporter struct {
	opts     ExporterOptions
	at       *advertiser
	resolver *Resolver
	oxid     uint64
	remIPID  security.GUID
	remOID   uint64

	mu         sync.Mutex
	closed     bool
	interfaces map[security.GUID]*dcerpc.Interface // what Lookup gives, always the same
	objects    map[uint64]*exported                // by OID
	ipids      map[security.GUID]*ipidEntry
	byOwner    map[string]int
}

// exported is an object. Its fields are guarded by Exporter.mu.
type exported struct {
	oid       uint64
	object    Object
	principal string
	anyone    bool
	noPing    bool
	ipids     []*ipidEntry
	// An object lives while a ping set has it or a call runs, and for three periods after the last ping, call or reference.
	sets  int
	calls int
	alive time.Time
}

// ipidEntry is one interface of an object.
type ipidEntry struct {
	ipid    security.GUID
	iid     security.GUID
	handler Handler
	of      *exported
	public  uint64
	private map[string]uint64 // by principal
}

func newExporter(r *Resolver, opts ExporterOptions) *Exporter {
	if opts.Level == 0 {
		opts.Level = dcerpc.LevelPacket
	}
	if opts.MaxObjects <= 0 {
		opts.MaxObjects = 100_000
	}
	if opts.MaxPrincipalObjects <= 0 {
		opts.MaxPrincipalObjects = 10_000
	}
	if opts.Principal == nil {
		opts.Principal = provenName
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	x := &Exporter{
		opts: opts, at: &advertiser{Endpoint: opts.Endpoint}, resolver: r, oxid: randomID(), remIPID: randomGUID(), remOID: randomID(),
		interfaces: map[security.GUID]*dcerpc.Interface{}, objects: map[uint64]*exported{}, ipids: map[security.GUID]*ipidEntry{}, byOwner: map[string]int{},
	}
	for iid, name := range map[security.GUID]string{IIDUnknown: "IUnknown", IIDRemUnknown: "IRemUnknown", IIDRemUnknown2: "IRemUnknown2"} {
		x.interfaces[iid] = x.newInterface(iid, name)
	}
	return x
}

func (x *Exporter) newInterface(iid security.GUID, name string) *dcerpc.Interface {
	return &dcerpc.Interface{ID: dcerpc.SyntaxID{UUID: iid}, Name: name, MinLevel: x.opts.Level, PrefersNDR20: true, Serve: x.serve}
}

// provenName is the default of ExporterOptions.Principal.
func provenName(_ context.Context, call *dcerpc.Call) (string, error) {
	id := call.Security.Identity()
	if id.Anonymous {
		return "", nil
	}
	return strings.ToLower(id.String()), nil
}

// randomID gives an identifier of 64 bits that is not 0.
func randomID() uint64 {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // it does not fail
		if id := binary.LittleEndian.Uint64(b[:]); id != 0 {
			return id
		}
	}
}

// OXID identifies the exporter.
func (x *Exporter) OXID() uint64 { return x.oxid }

// Lookup finds the interface of any object that was exported; it is for dcerpc.ServerOptions.
func (x *Exporter) Lookup(id dcerpc.SyntaxID) *dcerpc.Interface {
	if id.Major != 0 || id.Minor != 0 {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.interfaces[id.UUID]
}

// info tells a peer that came to local how to reach the exporter.
func (x *Exporter) info(local, peer net.Addr) ExporterInfo {
	return ExporterInfo{
		OXID:       x.oxid,
		Bindings:   DualStringArray{x.at.bindings(local, peer, 0), x.resolver.opts.Security()},
		RemUnknown: x.remIPID, AuthnHint: uint32(x.opts.Level), Version: Version,
	}
}

// ExportOptions say for whom an object is exported.
type ExportOptions struct {
	// IID is the interface that the reference is for; the zero value is IUnknown.
	IID security.GUID
	// Call is the call that the reference answers. The object then belongs to its principal, and the reference tells bindings that suit its peer.
	Call *Call
	// Principal owns the object where there is no Call. Anyone lets whoever reaches the exporter call instead: for sinks.
	Principal string
	Anyone    bool
	// NoPing keeps the object without pings: until it is released, or revoked.
	NoPing bool
	// Refs is how many references go to the receiver, 5 by default.
	Refs uint32

	// Local and Peer are the ends of the connection to who gets the reference, where there is no Call: which addresses it tells depends on them.
	Local, Peer net.Addr
}

// Export makes an object callable. It fails with E_NOINTERFACE, with E_OUTOFMEMORY at a limit, and with RPC_E_DISCONNECTED after Close; the object
// is then not released. Each Export of an object makes another identity of it; see [Exporter.Reference] for another reference to one.
func (x *Exporter) Export(o Object, opts ExportOptions) (*ObjRef, error) {
	refs, results, err := x.export(o, opts, []security.GUID{opts.IID})
	if err != nil {
		return nil, err
	}
	if results[0] != S_OK {
		return nil, &Error{HRESULT: results[0], Op: "export"}
	}
	return refs[0], nil
}

// export makes an object callable through several interfaces, if it has at least one of them.
func (x *Exporter) export(o Object, opts ExportOptions, iids []security.GUID) ([]*ObjRef, []uint32, error) {
	if opts.Call != nil {
		opts.Principal, opts.Anyone = opts.Call.Principal, false
		opts.Local, opts.Peer = opts.Call.Local, opts.Call.Peer
	}
	if opts.Refs == 0 {
		opts.Refs = defaultRefs
	}
	obj := &exported{oid: randomID(), object: o, principal: opts.Principal, anyone: opts.Anyone, noPing: opts.NoPing}
	refs, results := make([]*ObjRef, len(iids)), make([]uint32, len(iids))
	resolver := x.resolver.bindings(opts.Local, opts.Peer)

	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.closed:
		return nil, nil, &Error{HRESULT: RPC_E_DISCONNECTED, Op: "export"}
	case len(x.objects) >= x.opts.MaxObjects:
		return nil, nil, &Error{HRESULT: E_OUTOFMEMORY, Op: "export", Detail: "too many objects are in use"}
	case x.byOwner[obj.principal] >= x.opts.MaxPrincipalObjects:
		return nil, nil, &Error{HRESULT: E_OUTOFMEMORY, Op: "export", Detail: "the account uses too many objects"}
	}
	for i, iid := range iids {
		e := x.query(obj, iid)
		if e == nil {
			results[i] = E_NOINTERFACE
			continue
		}
		e.public += uint64(opts.Refs)
		refs[i] = &ObjRef{Kind: ObjRefStandard, IID: iid, Std: x.std(e, opts.Refs), Resolver: resolver}
	}
	if len(obj.ipids) == 0 {
		return refs, results, nil
	}
	obj.alive = time.Now()
	x.objects[obj.oid] = obj
	x.byOwner[obj.principal]++
	return refs, results, nil
}

// query finds or makes the entry of an interface of an object. mu is held.
func (x *Exporter) query(obj *exported, iid security.GUID) *ipidEntry {
	for _, e := range obj.ipids {
		if e.iid == iid {
			return e
		}
	}
	handler := Handler(noMethods)
	if iid != IIDUnknown {
		if handler = obj.object.Interface(iid); handler == nil {
			return nil
		}
	}
	e := &ipidEntry{ipid: randomGUID(), iid: iid, handler: handler, of: obj}
	obj.ipids = append(obj.ipids, e)
	x.ipids[e.ipid] = e
	if x.interfaces[iid] == nil {
		x.interfaces[iid] = x.newInterface(iid, iid.String())
	}
	return e
}

// noMethods serves IUnknown, whose methods are never on the wire ([MS-DCOM] 3.1.1.5.8).
func noMethods(context.Context, *Call) (ndr.Marshaler, error) {
	return nil, &dcerpc.Fault{Status: dcerpc.StatusOpRange}
}

// std refers to an interface with a number of references that its entry has counted.
func (x *Exporter) std(e *ipidEntry, refs uint32) StdObjRef {
	s := StdObjRef{PublicRefs: refs, OXID: x.oxid, OID: e.of.oid, IPID: e.ipid}
	if e.of.noPing {
		s.Flags = StdNoPing
	}
	return s
}

// Reference gives another reference to an object that is exported, for the same principal. It fails with E_NOINTERFACE or RPC_E_DISCONNECTED.
func (x *Exporter) Reference(oid uint64, opts ExportOptions) (*ObjRef, error) {
	if opts.Call != nil {
		opts.Local, opts.Peer = opts.Call.Local, opts.Call.Peer
	}
	if opts.Refs == 0 {
		opts.Refs = defaultRefs
	}
	resolver := x.resolver.bindings(opts.Local, opts.Peer)
	x.mu.Lock()
	defer x.mu.Unlock()
	obj := x.objects[oid]
	if obj == nil || x.expired(obj, time.Now()) {
		return nil, &Error{HRESULT: RPC_E_DISCONNECTED, Op: "reference"}
	}
	e := x.query(obj, opts.IID)
	if e == nil {
		return nil, &Error{HRESULT: E_NOINTERFACE, Op: "reference"}
	}
	e.public += uint64(opts.Refs)
	obj.alive = time.Now()
	return &ObjRef{Kind: ObjRefStandard, IID: opts.IID, Std: x.std(e, opts.Refs), Resolver: resolver}, nil
}

// Revoke ends an object, if it is there: its callers get RPC_E_DISCONNECTED.
func (x *Exporter) Revoke(oid uint64) {
	x.mu.Lock()
	obj := x.objects[oid]
	if obj != nil {
		x.remove(obj)
	}
	x.mu.Unlock()
	if obj != nil {
		obj.object.Released()
	}
}

// Len is how many objects are exported.
func (x *Exporter) Len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.objects)
}

// Close revokes all objects and takes no more. The server that serves them is its owner's to close.
func (x *Exporter) Close() error {
	x.resolver.forget(x)
	x.mu.Lock()
	objects := x.objects
	x.closed = true
	x.objects, x.ipids, x.byOwner = nil, nil, nil
	x.mu.Unlock()
	for _, obj := range objects {
		obj.object.Released()
	}
	return nil
}

// remove forgets an object. mu is held; who calls has to tell the object without it.
func (x *Exporter) remove(obj *exported) {
	for _, e := range obj.ipids {
		delete(x.ipids, e.ipid)
	}
	delete(x.objects, obj.oid)
	if x.byOwner[obj.principal]--; x.byOwner[obj.principal] == 0 {
		delete(x.byOwner, obj.principal)
	}
}

// expired tells whether nobody has shown interest in an object for three periods. mu is held.
func (x *Exporter) expired(obj *exported, now time.Time) bool {
	return !obj.noPing && obj.sets == 0 && obj.calls == 0 && now.Sub(obj.alive) >= 3*x.resolver.opts.PingPeriod
}

// sweep ends the objects that are expired ([MS-DCOM] 3.1.1.6.2).
func (x *Exporter) sweep(now time.Time) {
	var gone []*exported
	x.mu.Lock()
	for _, obj := range x.objects {
		if x.expired(obj, now) {
			gone = append(gone, obj)
			x.remove(obj)
		}
	}
	x.mu.Unlock()
	for _, obj := range gone {
		x.tellReleased(obj.object)
	}
	if len(gone) > 0 {
		x.opts.Log.Info("dcom: objects that nobody pinged are gone", "objects", len(gone))
	}
}

// tellReleased tells an object of its end outside of any call; its panic is its own.
func (x *Exporter) tellReleased(o Object) {
	defer func() {
		if r := recover(); r != nil {
			x.opts.Log.Error("dcom: an object panics when it is released", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	o.Released()
}

// find gives the interface of an IPID if it is the principal's. mu is held.
func (x *Exporter) find(ipid security.GUID, principal string) *ipidEntry {
	e := x.ipids[ipid]
	if e == nil || !e.of.anyone && e.of.principal != principal || x.expired(e.of, time.Now()) {
		return nil
	}
	return e
}

// release takes references back, and gives the object if they were the last of its last interface. mu is held.
func (x *Exporter) release(e *ipidEntry, principal string, public, private uint64) Object {
	e.public -= min(public, e.public)
	if p := e.private[principal]; p <= private {
		delete(e.private, principal)
	} else {
		e.private[principal] = p - private
	}
	if e.public > 0 || len(e.private) > 0 {
		return nil
	}
	delete(x.ipids, e.ipid)
	obj := e.of
	for i, other := range obj.ipids {
		if other == e {
			obj.ipids = append(obj.ipids[:i], obj.ipids[i+1:]...)
			break
		}
	}
	if len(obj.ipids) > 0 {
		return nil
	}
	x.remove(obj)
	return obj.object
}

// serve answers one call of any interface of any object ([MS-DCOM] 3.1.1.5.4).
func (x *Exporter) serve(ctx context.Context, rpc *dcerpc.Call) error {
	fault := func(code uint32) error { return &dcerpc.Fault{Status: dcerpc.Status(code)} }
	call := &Call{Call: rpc, Exporter: x}
	call.This.UnmarshalNDR(rpc.In)
	if err := rpc.In.Err(); err != nil {
		return err
	}
	iid := rpc.Interface.ID.UUID
	remote := iid == IIDRemUnknown || iid == IIDRemUnknown2
	if x.opts.Access != nil {
		if err := x.opts.Access(ctx, rpc); err != nil {
			x.opts.Log.Debug("dcom: access refused", "peer", rpc.Peer, "identity", rpc.Security.Identity().String(), "err", err)
			if remote {
				return fault(E_ACCESSDENIED)
			}
			return fault(ERROR_ACCESS_DENIED)
		}
	}
	if !Version.accepts(call.This.Version) {
		return fault(RPC_E_VERSION_MISMATCH)
	}
	if call.This.Flags != 0 {
		return fault(RPC_E_INVALID_HEADER)
	}
	var err error
	if call.Principal, err = x.opts.Principal(ctx, rpc); err != nil {
		x.opts.Log.Warn("dcom: no principal", "peer", rpc.Peer, "err", err)
		return fault(ERROR_ACCESS_DENIED)
	}
	var handler Handler
	if remote && rpc.Object == x.remIPID {
		handler = x.serveRemUnknown
	} else {
		x.mu.Lock()
		if e := x.find(rpc.Object, call.Principal); e != nil && e.iid == iid {
			handler, call.OID = e.handler, e.of.oid
			e.of.calls++
			defer x.called(e.of)
		}
		x.mu.Unlock()
	}
	if handler == nil {
		return fault(RPC_E_DISCONNECTED)
	}
	out, err := handler(WithCausality(ctx, call.This.CID), call)
	if err == nil {
		err = rpc.In.Err()
	}
	if err != nil {
		return err
	}
	var that ORPCThat
	if s, ok := out.(ErrorInfoSource); ok {
		if info := s.ErrorInfo(); info != nil {
			that.Extents = []Extent{{ExtentErrorInfo, info}}
		}
	}
	that.MarshalNDR(rpc.Out)
	out.MarshalNDR(rpc.Out)
	return nil
}

// called ends a call of an object.
func (x *Exporter) called(obj *exported) {
	x.mu.Lock()
	defer x.mu.Unlock()
	obj.calls--
	obj.alive = time.Now()
}

// resultOf gives the HRESULT of an error, or another where it has none.
func resultOf(err error, otherwise uint32) uint32 {
	var e *Error
	if errors.As(err, &e) {
		return e.HRESULT
	}
	return otherwise
}
