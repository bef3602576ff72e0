package wmiserver

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// peer is a client in this process: its requests are written and read as on the wire, and reach the methods without a connection.
type peer struct {
	t      testing.TB
	server *Server
	host   *host
	caller cim.Caller
	codec  wmio.Codec
	info   []byte // the error object of the last answer
	sinks  *sinks // what it can be called back at
}

// host has the objects of a server as an exporter has them.
type host struct {
	mu      sync.Mutex
	last    uint64
	objects map[uint64]exportedObject
}

type exportedObject struct {
	object
	owner string
	refs  int // references that were given
}

func (h *host) export(c *call, o object, iid security.GUID) (*dcom.ObjRef, error) {
	if o.methods(iid) == nil {
		return nil, errors.New("no interface")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	h.objects[h.last] = exportedObject{o, c.owner, 1}
	return &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iid, Std: dcom.StdObjRef{PublicRefs: 5, OXID: 1, OID: h.last}}, nil
}

func (h *host) again(_ *call, oid uint64, iid security.GUID) (*dcom.ObjRef, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, ok := h.objects[oid]
	if !ok {
		return nil, errors.New("disconnected")
	}
	o.refs++
	h.objects[oid] = o
	return &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iid, Std: dcom.StdObjRef{PublicRefs: 5, OXID: 1, OID: oid}}, nil
}

func (h *host) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.objects)
}

// release gives a reference back.
func (p *peer) release(r *dcom.ObjRef) {
	p.t.Helper()
	p.host.mu.Lock()
	o, ok := p.host.objects[r.Std.OID]
	if o.refs--; o.refs > 0 {
		p.host.objects[r.Std.OID] = o
	} else {
		delete(p.host.objects, r.Std.OID)
	}
	p.host.mu.Unlock()
	if !ok {
		p.t.Fatal("released twice")
	}
	if o.refs == 0 {
		o.released()
	}
}

func administrator() *security.Token {
	return &security.Token{User: security.SIDLocalSystem, Groups: []security.GroupEntry{
		{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone},
	}}
}

// remote is a caller as DCOM has him.
func remote(token *security.Token) cim.Caller {
	return cim.Caller{Token: token, Remote: true, Protection: cim.ProtectionPktPrivacy, Impersonation: cim.ImpersonationImpersonate, Address: "192.0.2.7:50000"}
}

// newPeer makes a server over the opener, and a client of it who is an administrator.
func newPeer(t testing.TB, o Options) *peer {
	t.Helper()
	if o.Opener == nil {
		o.Opener = manager(t)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := New(o)
	t.Cleanup(s.Close)
	h := &host{objects: map[uint64]exportedObject{}}
	k := &sinks{byOID: map[uint64]*testSink{}}
	s.objects, s.again, s.dial = h.export, h.again, k.dial
	return &peer{t: t, server: s, host: h, caller: remote(administrator()), sinks: k}
}

// as is the same peer as another caller.
func (p *peer) as(c cim.Caller) *peer {
	q := &peer{t: p.t, server: p.server, host: p.host, caller: c, sinks: p.sinks}
	return q
}

func ownerOf(c cim.Caller) string { return c.Token.User.String() }

// call calls a method of an object. in and out are of iwbem.
func (p *peer) call(r *dcom.ObjRef, iid security.GUID, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) {
	p.t.Helper()
	if err := p.try(p.t.Context(), r, iid, opnum, in, out); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) try(ctx context.Context, r *dcom.ObjRef, iid security.GUID, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error {
	var o object = &login{p.server}
	if r != nil {
		p.host.mu.Lock()
		e, ok := p.host.objects[r.Std.OID]
		p.host.mu.Unlock()
		if !ok || e.owner != ownerOf(p.caller) {
			return errors.New("disconnected")
		}
		o = e.object
	}
	m := o.methods(iid)
	if m == nil {
		return errNoInterface
	}
	request := ndr.NewEncoder(nil, ndr.Format{})
	in.MarshalNDR(request)
	c := &call{opnum: opnum, in: ndr.NewDecoder(request.Stub(), ndr.Format{}), caller: p.caller, owner: ownerOf(p.caller), server: p.server}
	answer, err := m.serve(ctx, o, c)
	if err != nil {
		return err
	}
	p.info = nil
	if i, ok := answer.(interface{ ErrorInfo() []byte }); ok {
		p.info = i.ErrorInfo()
	}
	response := ndr.NewEncoder(nil, ndr.Format{})
	answer.MarshalNDR(response)
	d := ndr.NewDecoder(response.Stub(), ndr.Format{})
	out.UnmarshalNDR(d)
	if d.Err() == nil && d.Left() > 0 {
		return errors.New("octets are left of the response")
	}
	return d.Err()
}

var errNoInterface = errors.New("E_NOINTERFACE")

func text(s string) iwbem.String { return iwbem.String{Text: s} }

var null = iwbem.String{Null: true}

// login opens a namespace.
func (p *peer) login(namespace string) *dcom.ObjRef {
	p.t.Helper()
	ref, code := p.tryLogin(namespace)
	if code != 0 {
		p.t.Fatalf("NTLMLogin %s: %v", namespace, cim.Status(code))
	}
	return ref
}

func (p *peer) tryLogin(namespace string) (*dcom.ObjRef, uint32) {
	p.t.Helper()
	var out iwbem.NTLMLoginResponse
	p.call(nil, wmi.IIDLevel1Login, iwbem.OpNTLMLogin, &iwbem.NTLMLoginRequest{NetworkResource: text(namespace), PreferredLocale: null}, &out)
	return out.Ref, out.Result
}

// query runs a query to an enumerator.
func (p *peer) query(services *dcom.ObjRef, text string, flags uint32) *dcom.ObjRef {
	p.t.Helper()
	ref, code := p.tryQuery(services, "WQL", text, flags)
	if code != 0 {
		p.t.Fatalf("ExecQuery %s: %v", text, cim.Status(code))
	}
	return ref
}

func (p *peer) tryQuery(services *dcom.ObjRef, language, query string, flags uint32) (*dcom.ObjRef, uint32) {
	p.t.Helper()
	var out iwbem.ExecQueryResponse
	p.call(services, wmi.IIDServices, iwbem.OpExecQuery, &iwbem.ExecQueryRequest{Language: text(language), Query: text(query), Flags: flags}, &out)
	return out.Ref, out.Result
}

// next reads from an enumerator.
func (p *peer) next(enum *dcom.ObjRef, timeout int32, n uint32) ([]*cim.Instance, uint32) {
	p.t.Helper()
	var out iwbem.NextResponse
	p.call(enum, wmi.IIDEnumClassObject, iwbem.OpNext, &iwbem.NextRequest{Timeout: timeout, Count: n}, &out)
	if out.Size != n {
		p.t.Errorf("the array has room for %d, want %d", out.Size, n)
	}
	list := make([]*cim.Instance, len(out.Objects))
	for i, unit := range out.Objects {
		list[i] = p.decode(unit)
	}
	return list, out.Result
}

func (p *peer) decode(unit iwbem.ClassObject) *cim.Instance {
	p.t.Helper()
	i, _, err := p.codec.Decode(unit)
	if err != nil {
		p.t.Fatal(err)
	}
	return i
}

func (p *peer) encode(i *cim.Instance) iwbem.ClassObject {
	p.t.Helper()
	unit, err := p.codec.AppendUnit(nil, i)
	if err != nil {
		p.t.Fatal(err)
	}
	return unit
}

// want compares a result.
func want(t testing.TB, what string, got uint32, status cim.Status) {
	t.Helper()
	if got != uint32(status) {
		t.Errorf("%s: %#x %v, want %#x %v", what, got, cim.Status(got), uint32(status), status)
	}
}

// gate is a class whose instances come when the test says so.
type gate struct {
	class *cim.Class
	let   chan int      // so many more
	ended chan struct{} // closed when the provider's context has ended
}

func newGate() *gate {
	return &gate{
		class: cim.NewClass("Test_Slow", nil).Dynamic().Key("N", cim.Uint32).Build(cimtest.Namespace),
		let:   make(chan int, 16), ended: make(chan struct{}),
	}
}

func (g *gate) Classes() []*cim.Class { return []*cim.Class{g.class} }

func (g *gate) List(ctx context.Context, _ *cimom.Request, yield func(*cim.Instance) error) error {
	n := uint32(0)
	for {
		select {
		case more := <-g.let:
			if more == 0 {
				return nil
			}
			for range more {
				i := cim.NewInstance(g.class)
				if err := errors.Join(i.Set("N", cim.U32(n)), yield(i)); err != nil {
					return err
				}
				n++
			}
		case <-ctx.Done():
			close(g.ended)
			return ctx.Err()
		}
	}
}

// manager is an object manager with the classes of the conformance suite, and those of proof.md 5.
func manager(t testing.TB, more ...cimom.Provider) *cimom.Manager {
	t.Helper()
	m := cimom.New(cimom.Options{Server: "HOST", Namespaces: []cimom.Namespace{{Name: `root\secret`, RequiresEncryption: true}}})
	t.Cleanup(func() { m.Close() })
	if err := m.AddNamespace(cimom.Namespace{Name: cimtest.Namespace}); err != nil {
		t.Fatal(err)
	}
	p := static.New(cimtest.Classes()...)
	if err := p.Add(cimtest.Instances()...); err != nil {
		t.Fatal(err)
	}
	for _, f := range cimtest.Methods() {
		p.Handle(cimtest.Namespace, f.Class, f.Name, f.Run)
	}
	cimv2, err := static.Load(cimv2(), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range append([]cimom.Provider{p, cimv2}, more...) {
		if err := m.Register(one); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// sinks are the sinks of a client.
type sinks struct {
	mu    sync.Mutex
	byOID map[uint64]*testSink
	dials int
}

// testSink is an IWbemObjectSink of a client.
type testSink struct {
	ref    *dcom.ObjRef
	answer func(opnum uint16) (uint32, error) // nil: 0

	mu        sync.Mutex
	objects   []iwbem.ClassObject
	batches   []int
	statuses  []iwbem.SetStatusRequest
	manners   []manner
	releases  int
	abandoned int
	done      chan struct{} // closed at the release
}

func (k *sinks) new(oid uint64) *testSink {
	s := &testSink{
		ref:  &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: wmi.IIDObjectSink, Std: dcom.StdObjRef{PublicRefs: 5, OXID: 9, OID: oid}},
		done: make(chan struct{}),
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byOID[oid] = s
	return s
}

func (k *sinks) dial(_ context.Context, ref *dcom.ObjRef, host string, m manner) (proxy, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dials++
	s := k.byOID[ref.Std.OID]
	if s == nil || host != "192.0.2.7" {
		return nil, &deadSink{stageDial, errors.New("nobody there")}
	}
	s.manners = append(s.manners, m)
	return s, nil
}

func (s *testSink) call(ctx context.Context, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error {
	code, err := uint32(0), error(nil)
	if s.answer != nil {
		code, err = s.answer(opnum)
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := ndr.NewEncoder(nil, ndr.Format{})
	in.MarshalNDR(e)
	d := ndr.NewDecoder(e.Stub(), ndr.Format{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.releases > 0 {
		panic("a sink is called that was released")
	}
	switch opnum {
	case iwbem.OpIndicate:
		var r iwbem.IndicateRequest
		r.UnmarshalNDR(d)
		s.objects = append(s.objects, r.Objects...)
		s.batches = append(s.batches, len(r.Objects))
	case iwbem.OpSetStatus:
		var r iwbem.SetStatusRequest
		r.UnmarshalNDR(d)
		s.statuses = append(s.statuses, r)
	}
	out.(*iwbem.StatusResponse).Result = code
	return d.Err()
}

func (s *testSink) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned++
}

func (s *testSink) release(context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.releases++; s.releases == 1 {
		close(s.done)
	}
}

// wait waits until the sink was released.
func (s *testSink) wait(t testing.TB) {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the sink is not released")
	}
}

// anonymous lets sinks be called without authentication.
var anonymous = Callbacks{Anonymous: func() bool { return true }}

func cimv2() fs.FS {
	return fstest.MapFS{"cimv2.json": {Data: []byte(cimv2JSON)}}
}

// namespaces is an object manager, to which namespaces can be added.
type namespaces interface{ AddNamespace(cimom.Namespace) error }

func localNamespace() cimom.Namespace { return cimom.Namespace{Name: `root\cimv2\ms_409`} }

// restricted gives Authenticated Users Enable and Remote Enable, and no more.
func restricted() cimom.Namespace {
	sd, err := security.ParseSDDL("O:BAG:BAD:(A;;0x6003f;;;BA)(A;;0x21;;;AU)")
	if err != nil {
		panic(err)
	}
	return cimom.Namespace{Name: `root\restricted`, Security: sd}
}
