package dcom_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// raw calls an interface below the Client, so that a test decides about every octet.
func raw(t *testing.T, addr string, b dcom.Blanket, level dcerpc.Level, iid security.GUID) *dcerpc.Binding {
	t.Helper()
	c, err := dcerpc.Dial(within(t), "tcp", addr, dcerpc.Options{OnlyNDR20: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	var sec *dcerpc.Security
	if level > dcerpc.LevelNone {
		i, err := b.Initiator("", "")
		if err != nil {
			t.Fatal(err)
		}
		sec = c.NewSecurity(b.AuthType, level, i)
	}
	binding, err := c.Bind(within(t), dcerpc.SyntaxID{UUID: iid}, sec)
	if err != nil {
		t.Fatal(err)
	}
	return binding
}

// call makes an ORPC call with a header of the test's own.
func call(t *testing.T, b *dcerpc.Binding, this dcom.ORPCThis, opnum uint16, ipid security.GUID, in message, out message) error {
	t.Helper()
	if out == nil {
		out = new(dcom.ResultResponse)
	}
	return b.Call(within(t), opnum, ipid, orpc{&this, in}, orpc{new(dcom.ORPCThat), out})
}

func isFault(err error, status uint32) bool {
	var f *dcerpc.Fault
	return errors.As(err, &f) && uint32(f.Status) == status
}

var this57 = dcom.ORPCThis{Version: dcom.Version}

// T-08: an activation below packet integrity is refused with E_ACCESSDENIED, and reported with what event 10036 says.
func TestActivationBelowIntegrity(t *testing.T) {
	var mu sync.Mutex
	var reported []string
	w := newWorld(t, worldOptions{activator: dcom.ActivatorOptions{Refused: func(_ context.Context, a dcom.Activation) {
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, a.ClassName+" "+a.CLSID.String()+" "+a.Call.Security.Identity().User+" "+a.Call.Security.Level().String()+" "+a.Call.Peer.String())
	}}}, tcp)
	for _, level := range []dcerpc.Level{dcerpc.LevelNone, dcerpc.LevelConnect, dcerpc.LevelPacket} {
		b := as("bob")
		b.Level, b.Exactly = level, true
		if level == dcerpc.LevelNone {
			b.Initiator = nil
		}
		c := newClient(t, dcom.ClientOptions{Blanket: b})
		if _, err := c.Activate(within(t), w.host, clsidCounter, iidCounter); !isResult(err, dcom.E_ACCESSDENIED) {
			t.Errorf("level %v: %v", level, err)
		}
		old := raw(t, w.addrs[0], b, level, dcom.IIDActivation)
		var out dcom.RemoteActivationResponse
		if err := old.Call(within(t), 0, security.GUID{}, &dcom.RemoteActivationRequest{This: this57, CLSID: clsidCounter, IIDs: []security.GUID{iidCounter}}, &out); err != nil || out.Result != dcom.E_ACCESSDENIED {
			t.Errorf("level %v, the old way: %#x, %v", level, out.Result, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(reported) != 6 || !strings.HasPrefix(reported[4], "Counter "+clsidCounter.String()+" bob packet 127.0.0.1:") {
		t.Errorf("reported was %q", reported)
	}
	if w.exporter.Len() != 0 {
		t.Error("there is an object")
	}
	// An option says otherwise.
	lax := newWorld(t, worldOptions{activator: dcom.ActivatorOptions{Level: func() dcerpc.Level { return dcerpc.LevelConnect }}}, tcp)
	b := as("bob")
	b.Level, b.Exactly = dcerpc.LevelPacket, true
	p := activate(t, newClient(t, dcom.ClientOptions{Blanket: b}), lax)
	var f facts
	if err := p.Call(within(t), 5, nil, &f); err != nil || f.level != uint32(dcerpc.LevelPacket) {
		t.Errorf("the call had %+v, %v", f, err)
	}
}

func TestActivationRefusals(t *testing.T) {
	w := newWorld(t, worldOptions{activator: dcom.ActivatorOptions{Permit: func(_ context.Context, a dcom.Activation) error {
		if a.Call.Security.Identity().User == "eve" {
			return errors.New("not permitted to launch")
		}
		return nil
	}}}, tcp)
	broken, taken := id(0xd0), id(0xd1)
	w.activator.Register(broken, dcom.Class{Exporter: w.exporter, New: func(context.Context, dcom.Activation) (dcom.Object, error) {
		return nil, errors.New("a secret of the inside")
	}})
	w.activator.Register(taken, dcom.Class{Exporter: w.exporter, New: func(context.Context, dcom.Activation) (dcom.Object, error) {
		return nil, &dcom.Error{HRESULT: 0x80041003}
	}})
	bob, eve := newClient(t, dcom.ClientOptions{Blanket: as("bob")}), newClient(t, dcom.ClientOptions{Blanket: as("eve")})
	for name, c := range map[string]struct {
		client *dcom.Client
		clsid  security.GUID
		iid    security.GUID
		want   uint32
	}{
		"not permitted":       {eve, clsidCounter, iidCounter, dcom.E_ACCESSDENIED},
		"unknown and refused": {eve, id(0xff), iidCounter, dcom.E_ACCESSDENIED},
		"unknown class":       {bob, id(0xff), iidCounter, dcom.REGDB_E_CLASSNOTREG},
		"no such interface":   {bob, clsidCounter, iidMissing, dcom.E_NOINTERFACE},
		"broken class":        {bob, broken, iidCounter, dcom.E_FAIL},
		"a class that says":   {bob, taken, iidCounter, 0x80041003},
	} {
		if _, err := c.client.Activate(within(t), w.host, c.clsid, c.iid); !isResult(err, c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", name, err, dcom.ResultName(c.want))
		}
	}
	if w.exporter.Len() != 0 || w.released.Load() != 1 {
		t.Errorf("%d objects are there, %d were released", w.exporter.Len(), w.released.Load())
	}
}

// What a hostile or broken client may write into an activation.
func TestActivationProperties(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	b := raw(t, w.addrs[0], as("bob"), dcerpc.LevelIntegrity, dcom.IIDRemoteSCMActivator)
	want := &dcom.InstantiationInfo{CLSID: clsidCounter, IIDs: []security.GUID{iidCounter}, Version: dcom.Version}
	with := func(flags uint32) *dcom.InstantiationInfo {
		i := *want
		i.Flags = flags
		return &i
	}
	extents := (&dcom.Context{}).ObjRef()
	extents.Data = append([]byte(nil), extents.Data...)
	extents.Data[28] = 1 // dwNumExtents
	for name, c := range map[string]struct {
		version dcom.ComVersion
		props   []dcom.Property
		want    uint32
	}{
		"as little as possible":     {dcom.Version, []dcom.Property{want}, 0},
		"an unknown property":       {dcom.Version, []dcom.Property{&dcom.UnknownProperty{CLSID: id3, Data: []byte("anything")}, want}, 0},
		"version 5.6":               {dcom.ComVersion{Major: 5, Minor: 6}, []dcom.Property{want}, 0},
		"version 5.8":               {dcom.ComVersion{Major: 5, Minor: 8}, []dcom.Property{want}, dcom.RPC_E_VERSION_MISMATCH},
		"version 6.1":               {dcom.ComVersion{Major: 6, Minor: 1}, []dcom.Property{want}, dcom.RPC_E_VERSION_MISMATCH},
		"no class":                  {dcom.Version, []dcom.Property{&dcom.ServerLocationInfo{}}, dcom.E_INVALIDARG},
		"a context that is NULL":    {dcom.Version, []dcom.Property{want, &dcom.ActivationContextInfo{}}, 0},
		"a context with extents":    {dcom.Version, []dcom.Property{want, &dcom.ActivationContextInfo{Client: extents}}, dcom.RPC_E_INVALID_OBJREF},
		"a prototype that is none":  {dcom.Version, []dcom.Property{want, &dcom.ActivationContextInfo{Client: (&dcom.Context{}).ObjRef(), Prototype: (&dcom.ErrorInfo{}).ObjRef()}}, dcom.RPC_E_INVALID_OBJREF},
		"a server of 32 and 64 bit": {dcom.Version, []dcom.Property{with(dcom.Activate32BitServer | dcom.Activate64BitServer)}, dcom.REGDB_E_CLASSNOTREG},
	} {
		data := (&dcom.ActivationProperties{Properties: c.props}).Append(nil)
		in := &dcom.RemoteCreateInstanceRequest{
			This:       dcom.ORPCThis{Version: c.version, Flags: 77}, // T-113: arbitrary here
			Properties: &dcom.ObjRef{Kind: dcom.ObjRefCustom, IID: dcom.IIDActivationPropsIn, CLSID: dcom.CLSIDActivationPropsIn, Data: data},
		}
		var out dcom.SCMActivatorResponse
		if err := b.Call(within(t), 4, security.GUID{}, in, &out); err != nil || out.Result != c.want {
			t.Errorf("%s: %s, %v; want %s", name, dcom.ResultName(out.Result), err, dcom.ResultName(c.want))
		}
	}
	for name, props := range map[string]*dcom.ObjRef{
		"NULL":            nil,
		"another class":   (&dcom.ErrorInfo{}).ObjRef(),
		"cut off":         {Kind: dcom.ObjRefCustom, IID: dcom.IIDActivationPropsIn, CLSID: dcom.CLSIDActivationPropsIn, Data: []byte{1, 2, 3}},
		"not a container": {Kind: dcom.ObjRefStandard, IID: dcom.IIDActivationPropsIn},
	} {
		var out dcom.SCMActivatorResponse
		if err := b.Call(within(t), 4, security.GUID{}, &dcom.RemoteCreateInstanceRequest{This: this57, Properties: props}, &out); err != nil || out.Result == 0 {
			t.Errorf("properties that are %s: %s, %v", name, dcom.ResultName(out.Result), err)
		}
	}
	for _, opnum := range []uint16{0, 1, 2, 5} {
		if err := b.Call(within(t), opnum, security.GUID{}, nil, nil); !isFault(err, uint32(dcerpc.StatusOpRange)) {
			t.Errorf("opnum %d: %v", opnum, err)
		}
	}
}

// T-111: anybody may ask for version and addresses of the resolver.
func TestServerAlive2(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	alive, err := c.ServerAlive2(within(t), w.host)
	if err != nil {
		t.Fatal(err)
	}
	if alive.Version != dcom.Version || len(alive.Bindings.Strings) == 0 || alive.Bindings.Strings[0] != (dcom.StringBinding{Tower: 7, Address: w.host}) || alive.Bindings.Security[0].AuthnSvc != 10 {
		t.Errorf("the answer is %+v", alive)
	}
	b := raw(t, w.addrs[0], as(""), dcerpc.LevelNone, dcom.IIDObjectExporter)
	var status dcom.StatusResponse
	if err := b.Call(within(t), 3, security.GUID{}, nil, &status); err != nil || status.Status != 0 {
		t.Errorf("ServerAlive: %v, %d", err, status.Status)
	}
}

// ResolveOxid and ResolveOxid2 tell what the activation told.
func TestResolveOxid(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	b := raw(t, w.addrs[0], as("bob"), dcerpc.LevelIntegrity, dcom.IIDObjectExporter)
	in := &dcom.ResolveOxidRequest{OXID: w.exporter.OXID(), Protseqs: []uint16{7}}
	var out dcom.ResolveOxid2Response
	if err := b.Call(within(t), 4, security.GUID{}, in, &out); err != nil || out.Status != 0 || out.Exporter.Version != dcom.Version || out.Exporter.AuthnHint != 4 {
		t.Errorf("%+v, %v", out, err)
	}
	if got, want := out.Exporter.Bindings.Strings[0].Address, strings.Replace(w.addrs[1], ":", "[", 1)+"]"; got != want {
		t.Errorf("the exporter is at %s, want %s", got, want)
	}
	var first dcom.ResolveOxidResponse
	if err := b.Call(within(t), 0, security.GUID{}, in, &first); err != nil || first.Status != 0 || first.Exporter.RemUnknown != out.Exporter.RemUnknown {
		t.Errorf("%+v, %v", first, err)
	}
	in.OXID++
	if err := b.Call(within(t), 4, security.GUID{}, in, &out); err != nil || out.Status != dcom.OR_INVALID_OXID {
		t.Errorf("an unknown exporter: %+v, %v", out.Status, err)
	}
}

// What an exporter refuses ([MS-DCOM] 3.1.1.5.4), T-113 among it.
func TestORPCErrors(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	p := activate(t, newClient(t, dcom.ClientOptions{Blanket: as("bob")}), w)
	b := raw(t, w.addrs[1], as("bob"), dcerpc.LevelIntegrity, iidCounter)
	in := &number{1}
	for name, c := range map[string]struct {
		this  dcom.ORPCThis
		opnum uint16
		ipid  security.GUID
		in    message
		want  uint32
	}{
		"a good call":          {this57, 3, p.IPID(), in, 0},
		"flags":                {dcom.ORPCThis{Version: dcom.Version, Flags: 1}, 3, p.IPID(), in, dcom.RPC_E_INVALID_HEADER},
		"a later version":      {dcom.ORPCThis{Version: dcom.ComVersion{Major: 5, Minor: 8}}, 3, p.IPID(), in, dcom.RPC_E_VERSION_MISMATCH},
		"another major":        {dcom.ORPCThis{Version: dcom.ComVersion{Major: 4, Minor: 1}}, 3, p.IPID(), in, dcom.RPC_E_VERSION_MISMATCH},
		"an earlier version":   {dcom.ORPCThis{Version: dcom.ComVersion{Major: 5, Minor: 1}}, 3, p.IPID(), in, 0},
		"an unknown IPID":      {this57, 3, id3, in, dcom.RPC_E_DISCONNECTED},
		"no IPID":              {this57, 3, security.GUID{}, in, dcom.RPC_E_DISCONNECTED},
		"no such method":       {this57, 99, p.IPID(), in, uint32(dcerpc.StatusOpRange)},
		"IUnknown is not sent": {this57, 0, p.IPID(), in, uint32(dcerpc.StatusOpRange)},
		"arguments cut off":    {this57, 3, p.IPID(), new(none), uint32(dcerpc.StatusBadStubData)},
		"an unknown extension": {dcom.ORPCThis{Version: dcom.Version, Extents: []dcom.Extent{{ID: id3, Data: []byte("x")}}}, 3, p.IPID(), in, 0},
	} {
		err := call(t, b, c.this, c.opnum, c.ipid, c.in, new(sum))
		if c.want == 0 && err != nil || c.want != 0 && !isFault(err, c.want) {
			t.Errorf("%s: %v, want %#x", name, err, c.want)
		}
	}
	other := raw(t, w.addrs[1], as("bob"), dcerpc.LevelIntegrity, dcom.IIDRemUnknown)
	if err := call(t, other, this57, 3, p.IPID(), in, nil); !isFault(err, dcom.RPC_E_DISCONNECTED) {
		t.Errorf("an IPID called through another interface: %v", err)
	}
	low := raw(t, w.addrs[1], as("bob"), dcerpc.LevelConnect, iidCounter)
	if err := call(t, low, this57, 3, p.IPID(), in, new(sum)); !isFault(err, dcom.ERROR_ACCESS_DENIED) {
		t.Errorf("a call at level connect: %v", err)
	}
}

// none is a message without content.
type none struct{}

func (*none) MarshalNDR(*ndr.Encoder)   {}
func (*none) UnmarshalNDR(*ndr.Decoder) {}

// An object belongs to the principal that it was made for; to others it does not exist. T-112: what an object does not have is no fault.
func TestPrincipals(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	p := activate(t, c, w)
	rem := func(user string) (*dcerpc.Binding, security.GUID) {
		b := raw(t, w.addrs[0], as(user), dcerpc.LevelIntegrity, dcom.IIDObjectExporter)
		var out dcom.ResolveOxid2Response
		if err := b.Call(within(t), 4, security.GUID{}, &dcom.ResolveOxidRequest{OXID: w.exporter.OXID()}, &out); err != nil {
			t.Fatal(err)
		}
		return raw(t, w.addrs[1], as(user), dcerpc.LevelIntegrity, dcom.IIDRemUnknown2), out.Exporter.RemUnknown
	}
	query := &dcom.RemQueryInterfaceRequest{IPID: p.IPID(), Refs: 1, IIDs: []security.GUID{iidMissing, iidOther, dcom.IIDUnknown}}
	refs := &dcom.InterfaceRefsRequest{Refs: []dcom.InterfaceRef{{IPID: p.IPID(), Public: 100, Private: 100}}}

	b, ipid := rem("eve")
	eve := raw(t, w.addrs[1], as("eve"), dcerpc.LevelIntegrity, iidCounter)
	if err := call(t, eve, this57, 3, p.IPID(), &number{1}, new(sum)); !isFault(err, dcom.RPC_E_DISCONNECTED) {
		t.Errorf("eve calls bob's object: %v", err)
	}
	var q dcom.RemQueryInterfaceResponse
	if err := call(t, b, this57, 3, ipid, query, &q); err != nil || q.Result != dcom.RPC_E_INVALID_OBJECT || q.Results != nil {
		t.Errorf("eve queries bob's object: %+v, %v", q, err)
	}
	var a dcom.RemAddRefResponse
	if err := call(t, b, this57, 4, ipid, refs, &a); err != nil || a.Results[0] != dcom.CO_E_OBJNOTREG {
		t.Errorf("eve refers to bob's object: %+v, %v", a, err)
	}
	var r dcom.ResultResponse
	if err := call(t, b, this57, 5, ipid, refs, &r); err != nil || r.Result != 0 || w.exporter.Len() != 1 {
		t.Errorf("eve releases bob's object: %+v, %v", r, err)
	}
	var q2 dcom.RemQueryInterface2Response
	if err := call(t, b, this57, 6, ipid, &dcom.RemQueryInterface2Request{IPID: p.IPID(), IIDs: query.IIDs}, &q2); err != nil || q2.Result != dcom.RPC_E_INVALID_OBJECT || q2.Objects[1] != nil {
		t.Errorf("eve queries bob's object the other way: %+v, %v", q2, err)
	}

	b, ipid = rem("BOB") // another connection, another spelling
	if err := call(t, b, this57, 3, ipid, query, &q); err != nil || q.Result != dcom.S_FALSE || q.Results[0].Result != dcom.E_NOINTERFACE || q.Results[1].Result != 0 ||
		q.Results[1].Std.PublicRefs != 1 || q.Results[2].Result != 0 {
		t.Errorf("bob queries: %+v, %v", q, err)
	}
	missing := &dcom.RemQueryInterfaceRequest{IPID: p.IPID(), Refs: 1, IIDs: []security.GUID{iidMissing}}
	if err := call(t, b, this57, 3, ipid, missing, &q); err != nil || q.Result != dcom.E_NOINTERFACE || q.Results[0].Result != dcom.E_NOINTERFACE {
		t.Errorf("bob queries for what is missing: %+v, %v", q, err)
	}
	q2 = dcom.RemQueryInterface2Response{}
	if err := call(t, b, this57, 6, ipid, &dcom.RemQueryInterface2Request{IPID: p.IPID(), IIDs: query.IIDs}, &q2); err != nil || q2.Result != dcom.S_FALSE || q2.Objects[0] != nil ||
		q2.Objects[1].Std.PublicRefs != 5 || q2.Objects[1].Resolver.Strings[0].Address != w.host {
		t.Errorf("bob queries the other way: %+v, %v", q2, err)
	}
	query.Refs = 1<<20 + 1
	if err := call(t, b, this57, 3, ipid, query, &q); err != nil || q.Result != dcom.E_INVALIDARG {
		t.Errorf("bob asks for too many references: %+v, %v", q, err)
	}
	query.IIDs = make([]security.GUID, 65)
	if err := call(t, b, this57, 3, ipid, query, &q); !isFault(err, uint32(dcerpc.StatusBadStubData)) {
		t.Errorf("bob asks for too many interfaces: %v", err)
	}
	old := raw(t, w.addrs[1], as("bob"), dcerpc.LevelIntegrity, dcom.IIDRemUnknown)
	if err := call(t, old, this57, 6, ipid, &dcom.RemQueryInterface2Request{IPID: p.IPID(), IIDs: []security.GUID{iidOther}}, &q2); !isFault(err, uint32(dcerpc.StatusOpRange)) {
		t.Errorf("IRemUnknown has no opnum 6: %v", err)
	}
}

// References keep an object; private ones belong to who took them.
func TestReferences(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	p := activate(t, newClient(t, dcom.ClientOptions{Blanket: as("bob")}), w) // has five
	b := raw(t, w.addrs[1], as("bob"), dcerpc.LevelIntegrity, dcom.IIDRemUnknown)
	var out dcom.ResolveOxid2Response
	if err := raw(t, w.addrs[0], as("bob"), dcerpc.LevelIntegrity, dcom.IIDObjectExporter).Call(within(t), 4, security.GUID{}, &dcom.ResolveOxidRequest{OXID: w.exporter.OXID()}, &out); err != nil {
		t.Fatal(err)
	}
	change := func(opnum uint16, public, private uint32) {
		t.Helper()
		var a dcom.RemAddRefResponse
		out2 := message(&a)
		if opnum == 5 {
			out2 = new(dcom.ResultResponse)
		}
		if err := call(t, b, this57, opnum, out.Exporter.RemUnknown, &dcom.InterfaceRefsRequest{Refs: []dcom.InterfaceRef{{IPID: p.IPID(), Public: public, Private: private}}}, out2); err != nil {
			t.Fatal(err)
		}
		if opnum == 4 && a.Results[0] != 0 {
			t.Fatalf("%#x", a.Results[0])
		}
	}
	there := func(want int) {
		t.Helper()
		if n := w.exporter.Len(); n != want {
			t.Errorf("%d objects, want %d", n, want)
		}
	}
	change(4, 2, 3) // 7 public, 3 private
	change(5, 6, 0)
	there(1)
	change(5, 9, 1) // more than there are: none are left; 2 private
	there(1)
	change(5, 0, 1)
	there(1)
	change(4, 0, 0)
	there(1)
	change(5, 0, 1)
	there(0)
	if w.released.Load() != 1 {
		t.Errorf("released %d times", w.released.Load())
	}
	// Every reference to what is gone is refused.
	var a dcom.RemAddRefResponse
	if err := call(t, b, this57, 4, out.Exporter.RemUnknown, &dcom.InterfaceRefsRequest{Refs: []dcom.InterfaceRef{{IPID: p.IPID(), Public: 1}}}, &a); err != nil || a.Results[0] != dcom.CO_E_OBJNOTREG {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAccess(t *testing.T) {
	refused := errors.New("not today")
	var deny bool
	var mu sync.Mutex
	access := func(context.Context, *dcerpc.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if deny {
			return refused
		}
		return nil
	}
	w := newWorld(t, worldOptions{exporter: dcom.ExporterOptions{Access: access}, resolver: dcom.ResolverOptions{Access: access}}, tcp)
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	p := activate(t, c, w)
	if _, err := add(t, p, 1); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	deny = true
	mu.Unlock()
	if _, err := add(t, p, 1); !isResult(err, dcom.FromWin32(dcom.ERROR_ACCESS_DENIED)) {
		t.Errorf("a call: %v", err)
	}
	if _, err := p.QueryInterface(within(t), iidOther); !isResult(err, dcom.E_ACCESSDENIED) {
		t.Errorf("a query: %v", err)
	}
	b := raw(t, w.addrs[0], as("bob"), dcerpc.LevelIntegrity, dcom.IIDObjectExporter)
	var out dcom.ResolveOxid2Response
	if err := b.Call(within(t), 4, security.GUID{}, &dcom.ResolveOxidRequest{OXID: w.exporter.OXID()}, &out); err != nil || out.Status != dcom.ERROR_ACCESS_DENIED {
		t.Errorf("a resolution: %+v, %v", out, err)
	}
	if _, err := c.ServerAlive2(within(t), w.host); err != nil {
		t.Errorf("ServerAlive2 asks for nothing: %v", err)
	}
	mu.Lock()
	deny = false
	mu.Unlock()
}

// One account cannot use up what others need, and all together are bounded.
func TestObjectLimits(t *testing.T) {
	w := newWorld(t, worldOptions{exporter: dcom.ExporterOptions{MaxObjects: 5, MaxPrincipalObjects: 3}}, tcp)
	bob, eve := newClient(t, dcom.ClientOptions{Blanket: as("bob")}), newClient(t, dcom.ClientOptions{Blanket: as("eve")})
	var held []*dcom.Proxy
	for range 3 {
		held = append(held, activate(t, bob, w))
	}
	if _, err := bob.Activate(within(t), w.host, clsidCounter, iidCounter); !isResult(err, dcom.E_OUTOFMEMORY) {
		t.Errorf("a fourth object of bob: %v", err)
	}
	var o object
	if err := held[0].Call(within(t), 4, nil, &o); err != nil || o.result != dcom.E_OUTOFMEMORY {
		t.Errorf("a fourth object by a call: %+v, %v", o, err)
	}
	activate(t, eve, w)
	activate(t, eve, w)
	if _, err := eve.Activate(within(t), w.host, clsidCounter, iidCounter); !isResult(err, dcom.E_OUTOFMEMORY) {
		t.Errorf("a sixth object: %v", err)
	}
	if err := bob.Release(within(t), held...); err != nil {
		t.Fatal(err)
	}
	activate(t, eve, w)
	if w.exporter.Len() != 3 {
		t.Errorf("%d objects", w.exporter.Len())
	}
}

// A class object keeps nothing of the request that asked for it, however long that was.
func TestClassObjectKeepsNoRequest(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	b := raw(t, w.addrs[0], as("bob"), dcerpc.LevelPrivacy, dcom.IIDActivation)
	const objects, long = 20, 1 << 20
	storage := &dcom.ObjRef{Kind: dcom.ObjRefCustom, Data: make([]byte, long)}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range objects {
		in := &dcom.RemoteActivationRequest{This: this57, CLSID: clsidCounter, Storage: storage, Mode: dcom.ModeClassObject, IIDs: []security.GUID{dcom.IIDClassFactory}}
		var out dcom.RemoteActivationResponse
		if err := b.Call(within(t), 0, security.GUID{}, in, &out); err != nil || out.Result != 0 {
			t.Fatalf("%#x, %v", out.Result, err)
		}
	}
	if after := heap(); w.exporter.Len() != objects || after > before+objects*long/2 {
		t.Errorf("%d class objects take %d KiB", w.exporter.Len(), (after-before)>>10)
	}
}
