package wmiserver_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
	"github.com/casementhq/casement/wmi/wmiserver"
)

const password = "Casement-1"

// accounts are who may sign in, all with the same password, and their groups.
var accounts = map[string][]security.SID{
	"admin": {security.SIDAdministrators, security.SIDAuthenticatedUsers, security.SIDEveryone},
	"user":  {security.SIDAuthenticatedUsers, security.SIDEveryone},
}

// rids tell the accounts apart.
var rids = map[string]string{"admin": "500", "user": "1001"}

// floods are more accounts, flood0 and so on.
const floods = 10

func init() {
	for n := range floods {
		name := fmt.Sprint("flood", n)
		accounts[name], rids[name] = accounts["admin"], fmt.Sprint(2000+n)
	}
}

func acceptor(kind dcerpc.AuthType, _ net.Addr) (auth.Acceptor, error) {
	mechanism := func() auth.Acceptor {
		return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "HOST", DNSName: "host.example", Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
			if accounts[strings.ToLower(user)] == nil {
				return [16]byte{}, auth.ErrLogonFailure
			}
			return ntlm.NTHash(password), nil
		}})
	}
	if kind == dcerpc.AuthSPNEGO {
		return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: mechanism}), nil
	}
	return mechanism(), nil
}

// as gives the blanket of an account.
func as(user string, level dcerpc.Level, exactly bool) dcom.Blanket {
	return dcom.Blanket{AuthType: dcerpc.AuthNTLM, Level: level, Exactly: exactly, Initiator: func(string, string) (auth.Initiator, error) {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: user, Password: password}}), nil
	}}
}

// callerOf is what the service does with a call: the token of its identity, once for each security context.
func callerOf(_ context.Context, call *dcerpc.Call) (cim.Caller, error) {
	token, err := call.Security.Value(func() (any, error) {
		user := strings.ToLower(call.Security.Identity().User)
		sid, err := security.ParseSID("S-1-5-21-1-2-3-" + rids[user])
		t := &security.Token{User: sid}
		for _, g := range accounts[user] {
			t.Groups = append(t.Groups, security.GroupEntry{SID: g})
		}
		return t, err
	})
	if err != nil {
		return cim.Caller{}, err
	}
	return cim.Caller{
		Token: token.(*security.Token), Remote: true, Protection: cim.Protection(call.Security.Level()),
		Impersonation: cim.ImpersonationImpersonate, Address: call.Peer.String(),
	}, nil
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serve(t testing.TB, s *dcerpc.Server, l net.Listener) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, dcerpc.ErrServerClosed) {
			t.Errorf("Serve returns %v", err)
		}
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
}

// service is a WMI service on loopback: a resolver and activator at one port, the objects at another.
type service struct {
	host     string // as a client names it
	exporter *dcom.Exporter
	wmi      *wmiserver.Server
	manager  *cimom.Manager
	log      *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.String()
}

func newManager(t testing.TB) *cimom.Manager {
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
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	return m
}

func newService(t testing.TB, o wmiserver.Options) *service {
	t.Helper()
	return newServiceWith(t, o, 0)
}

// newServiceWith is newService where clients have to ping that often; 0 is 2 minutes.
func newServiceWith(t testing.TB, o wmiserver.Options, pings time.Duration) *service {
	t.Helper()
	s := &service{manager: newManager(t), log: &lockedBuffer{}}
	o.Opener, o.Caller, o.Logger = s.manager, callerOf, slog.New(slog.NewTextHandler(s.log, nil))
	s.wmi = wmiserver.New(o)
	t.Cleanup(s.wmi.Close)
	at, calls := listen(t), listen(t)
	resolver := dcom.NewResolver(dcom.ResolverOptions{Endpoint: dcom.Endpoint{Addr: netip.MustParseAddrPort(at.Addr().String())}, PingPeriod: pings})
	s.exporter = resolver.NewExporter(dcom.ExporterOptions{Endpoint: dcom.Endpoint{Addr: netip.MustParseAddrPort(calls.Addr().String())}})
	activator := dcom.NewActivator(dcom.ActivatorOptions{})
	for clsid, class := range s.wmi.Classes(s.exporter) {
		activator.Register(clsid, class)
	}
	scm := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor})
	scm.Register(resolver.Interface())
	for _, i := range activator.Interfaces() {
		scm.Register(i)
	}
	serve(t, scm, at)
	serve(t, dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor, Lookup: s.exporter.Lookup}), calls)
	t.Cleanup(func() {
		s.exporter.Close()
		resolver.Close()
	})
	s.host = dcom.FormatStringBinding("127.0.0.1", netip.MustParseAddrPort(at.Addr().String()).Port())
	return s
}

// client is a client of a service as one account.
type client struct {
	t     testing.TB
	dcom  *dcom.Client
	login *dcom.Proxy
	codec wmio.Codec
}

func (s *service) client(t testing.TB, b dcom.Blanket) *client {
	t.Helper()
	return s.clientOf(t, dcom.NewClient(dcom.ClientOptions{Blanket: b}))
}

// clientOf is such a client over one of package dcom, which it closes.
func (s *service) clientOf(t testing.TB, over *dcom.Client) *client {
	t.Helper()
	c := &client{t: t, dcom: over}
	t.Cleanup(func() { c.dcom.Close() })
	p, err := c.dcom.Activate(t.Context(), s.host, wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
	if err != nil {
		t.Fatal(err)
	}
	c.login = p[0]
	return c
}

// withInfo reads a response and keeps the error object beside it.
type withInfo struct {
	ndr.Unmarshaler
	info []byte
}

func (w *withInfo) SetErrorInfo(b []byte) { w.info = b }

func (c *client) call(p *dcom.Proxy, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) []byte {
	c.t.Helper()
	w := &withInfo{Unmarshaler: out}
	if err := p.Call(c.t.Context(), opnum, in, w); err != nil {
		c.t.Fatal(err)
	}
	return w.info
}

// of makes a proxy of a reference in an answer.
func (c *client) of(from *dcom.Proxy, ref *dcom.ObjRef) *dcom.Proxy {
	c.t.Helper()
	p, err := from.Unmarshal(c.t.Context(), ref)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func text(s string) iwbem.String { return iwbem.String{Text: s} }

func (c *client) tryOpen(namespace string) (*dcom.Proxy, uint32) {
	c.t.Helper()
	var out iwbem.NTLMLoginResponse
	c.call(c.login, iwbem.OpNTLMLogin, &iwbem.NTLMLoginRequest{NetworkResource: text(namespace), PreferredLocale: iwbem.String{Null: true}}, &out)
	if out.Ref == nil {
		return nil, out.Result
	}
	return c.of(c.login, out.Ref), out.Result
}

func (c *client) open(namespace string) *dcom.Proxy {
	c.t.Helper()
	p, code := c.tryOpen(namespace)
	if code != 0 {
		c.t.Fatalf("NTLMLogin: %v", cim.Status(code))
	}
	return p
}

func (c *client) query(s *dcom.Proxy, query string, flags uint32) *dcom.Proxy {
	c.t.Helper()
	var out iwbem.ExecQueryResponse
	c.call(s, iwbem.OpExecQuery, &iwbem.ExecQueryRequest{Language: text("WQL"), Query: text(query), Flags: flags}, &out)
	if out.Result != 0 {
		c.t.Fatalf("ExecQuery: %v", cim.Status(out.Result))
	}
	return c.of(s, out.Ref)
}

// all reads an enumerator to its end as Windows does: IWbemFetchSmartEnum, IWbemWCOSmartEnum.
func (c *client) all(enum *dcom.Proxy, batch uint32) []*cim.Instance {
	c.t.Helper()
	fetch, err := enum.QueryInterface(c.t.Context(), wmi.IIDFetchSmartEnum)
	if err != nil {
		c.t.Fatal(err)
	}
	var got iwbem.GetSmartEnumResponse
	c.call(fetch, iwbem.OpGetSmartEnum, &iwbem.GetSmartEnumRequest{}, &got)
	smart := c.of(fetch, got.Ref)
	reader, proxy := c.codec.NewArrayReader(), security.GUID{1, 2, 3}
	var list []*cim.Instance
	for {
		var out iwbem.SmartNextResponse
		c.call(smart, iwbem.OpSmartNext, &iwbem.SmartNextRequest{Proxy: proxy, Timeout: iwbem.Forever, Count: batch}, &out)
		if out.Buffer != nil {
			if list, err = reader.Append(list, out.Buffer); err != nil {
				c.t.Fatal(err)
			}
		}
		switch out.Result {
		case 0, 0x40004:
			continue
		case 1:
			if err := c.dcom.Release(c.t.Context(), smart, fetch, enum); err != nil {
				c.t.Error(err)
			}
			return list
		}
		c.t.Fatalf("Next: %v", cim.Status(out.Result))
	}
}

// The whole way of a client over real connections: activation, login, query, packets, error objects, releases.
func TestLoopback(t *testing.T) {
	s := newService(t, wmiserver.Options{})
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	var position iwbem.EstablishPositionResponse
	c.call(c.login, iwbem.OpEstablishPosition, &iwbem.EstablishPositionRequest{Reserved1: iwbem.String{Null: true}}, &position)
	if position.Result != 0 || position.LocaleVersion != 1 {
		t.Errorf("EstablishPosition: %+v", position)
	}
	id, err := c.login.QueryInterface(t.Context(), wmi.IIDLoginClientID)
	if err != nil {
		t.Fatal(err)
	}
	var ok iwbem.StatusResponse
	c.call(id, iwbem.OpSetClientInfo, &iwbem.SetClientInfoRequest{ClientMachine: text("ME"), ClientProcess: 1}, &ok)
	// T-112
	_, err = c.login.QueryInterface(t.Context(), wmi.IIDLoginHelper)
	if e := (*dcom.Error)(nil); !errors.As(err, &e) || e.HRESULT != dcom.E_NOINTERFACE {
		t.Errorf("T-112: a query for IWbemLoginHelper: %v", err)
	}
	services := c.open(`\\127.0.0.1\` + cimtest.Namespace)
	for _, batch := range []uint32{7, 1000} {
		list := c.all(c.query(services, "SELECT * FROM CT_Number", 0x30), batch)
		if len(list) != cimtest.Numbers {
			t.Fatalf("%d objects", len(list))
		}
		for n, i := range list {
			if got, _ := i.Get("N").Uint(); got != uint64(n) {
				t.Fatalf("object %d is %d", n, got)
			}
		}
	}
	var out iwbem.GetObjectResponse
	info := c.call(services, iwbem.OpGetObject, &iwbem.GetObjectRequest{Path: text(`CT_Part.ID="none"`), Object: iwbem.ObjectSlot{Given: true}}, &out)
	ref, err := dcom.ParseObjRef(info)
	if out.Result != uint32(cim.ErrNotFound) || err != nil {
		t.Fatalf("GetObject: %#x, %v", out.Result, err)
	}
	if e, _, err := c.codec.Decode(ref.Data); err != nil || !e.Get("StatusCode").Equal(cim.U32(0x80041002)) {
		t.Errorf("the error object in ORPCTHAT: %v, %v", e, err)
	}
	if err := c.dcom.Release(t.Context(), services, id, c.login); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(5 * time.Second); s.exporter.Len() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := s.exporter.Len(); n > 0 {
		t.Errorf("%d objects are left", n)
	}
}

// T-110: an object by value is an OBJREF_CUSTOM with the class of its unmarshaler, a reference OBJREF_STANDARD.
func TestReferencesOnTheWire(t *testing.T) {
	s := newService(t, wmiserver.Options{})
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	var login iwbem.NTLMLoginResponse
	c.call(c.login, iwbem.OpNTLMLogin, &iwbem.NTLMLoginRequest{NetworkResource: text(cimtest.Namespace), PreferredLocale: iwbem.String{Null: true}}, &login)
	if r := login.Ref; r == nil || r.Kind != 1 || r.IID != wmi.IIDServices || r.Std.PublicRefs != 5 {
		t.Fatalf("IWbemServices: %+v", r)
	}
	services := c.of(c.login, login.Ref)
	got := &octets{}
	c.call(services, iwbem.OpGetObject, &iwbem.GetObjectRequest{Path: text("CT_Part"), Object: iwbem.ObjectSlot{Given: true}}, got)
	// two pointers, the sizes of an MInterfacePointer, then the OBJREF
	objref := got.b[16:]
	if string(objref[:4]) != "MEOW" || objref[4] != 4 || security.GUID(objref[8:24]) != wmi.IIDClassObject || security.GUID(objref[24:40]) != wmi.CLSIDClassObject {
		t.Errorf("IWbemClassObject: % x", objref[:48])
	}
	if string(objref[48:52]) != "\x78\x56\x34\x12" {
		t.Errorf("the object: % x", objref[48:56])
	}
}

// octets takes a response as it is.
type octets struct{ b []byte }

func (o *octets) UnmarshalNDR(d *ndr.Decoder) { o.b = slices.Clone(d.Raw(d.Left())) }

// T-08, T-09, T-10: levels of protection over real connections.
func TestLevels(t *testing.T) {
	s := newService(t, wmiserver.Options{})
	low := dcom.NewClient(dcom.ClientOptions{Blanket: as("admin", dcerpc.LevelPacket, true)})
	defer low.Close()
	_, err := low.Activate(t.Context(), s.host, wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
	if e := (*dcom.Error)(nil); !errors.As(err, &e) || e.HRESULT != dcom.E_ACCESSDENIED {
		t.Errorf("T-08: an activation at level 4: %v", err)
	}
	for level, want := range map[dcerpc.Level]uint32{dcerpc.LevelIntegrity: uint32(cim.ErrAccessDenied), dcerpc.LevelPrivacy: 0} {
		c := s.client(t, as("admin", level, true))
		if _, code := c.tryOpen(`root\secret`); code != want {
			t.Errorf("T-09: level %d: %#x, want %#x", level, code, want)
		}
	}
	// the login came by integrity, its call by packet
	c := s.client(t, as("admin", dcerpc.LevelIntegrity, true))
	packet := as("admin", dcerpc.LevelPacket, true)
	c.login = c.login.With(&packet)
	if _, code := c.tryOpen(`root\secret`); code != uint32(cim.ErrAccessDenied) {
		t.Errorf("T-10: level 4: %#x", code)
	}
	if _, code := c.tryOpen(cimtest.Namespace); code != 0 {
		t.Errorf("level 4 where that is permitted: %#x", code)
	}
	user := s.client(t, as("user", dcerpc.LevelPrivacy, false))
	if _, code := user.tryOpen(cimtest.Namespace); code != uint32(cim.ErrAccessDenied) {
		t.Errorf("T-05: without Remote Enable: %#x", code)
	}
}

// An object belongs to who got it: another account gets RPC_E_DISCONNECTED, as for one that does not exist.
func TestObjectsOfOthers(t *testing.T) {
	s := newService(t, wmiserver.Options{})
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	services := c.open(cimtest.Namespace)
	other := as("user", dcerpc.LevelPrivacy, false)
	stolen := services.With(&other)
	var out iwbem.ExecQueryResponse
	err := stolen.Call(t.Context(), iwbem.OpExecQuery, &iwbem.ExecQueryRequest{Language: text("WQL"), Query: text("SELECT * FROM CT_Part")}, &out)
	if e := (*dcom.Error)(nil); !errors.As(err, &e) || e.HRESULT != dcom.RPC_E_DISCONNECTED {
		t.Errorf("a call on somebody else's namespace: %v", err)
	}
}

// sink is an IWbemObjectSink that a service calls over a real connection.
type sink struct {
	codec    wmio.Codec
	mu       sync.Mutex
	objects  []*cim.Instance
	levels   []dcerpc.Level
	final    []uint32
	done     chan struct{}
	released chan struct{}
}

func (k *sink) Interface(iid security.GUID) dcom.Handler {
	if iid != wmi.IIDObjectSink {
		return nil
	}
	return func(_ context.Context, call *dcom.Call) (ndr.Marshaler, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.levels = append(k.levels, call.Security.Level())
		switch call.Opnum {
		case iwbem.OpIndicate:
			var in iwbem.IndicateRequest
			in.UnmarshalNDR(call.In)
			for _, unit := range in.Objects {
				i, _, err := k.codec.Decode(unit)
				if err != nil {
					return nil, err
				}
				k.objects = append(k.objects, i)
			}
		case iwbem.OpSetStatus:
			var in iwbem.SetStatusRequest
			in.UnmarshalNDR(call.In)
			k.final = append(k.final, in.Status)
			close(k.done)
		}
		return &iwbem.StatusResponse{Result: 0x400FF}, nil
	}
}

func (k *sink) Released() { close(k.released) }

// newSink exports a sink as a client does: its own resolver and exporter, which anybody may call without authentication.
func newSink(t testing.TB) (*sink, *dcom.ObjRef) {
	t.Helper()
	k := &sink{done: make(chan struct{}), released: make(chan struct{})}
	at := listen(t)
	endpoint := dcom.Endpoint{Addr: netip.MustParseAddrPort(at.Addr().String())}
	resolver := dcom.NewResolver(dcom.ResolverOptions{Endpoint: endpoint})
	exporter := resolver.NewExporter(dcom.ExporterOptions{Endpoint: endpoint, Level: dcerpc.LevelNone})
	server := dcerpc.NewServer(dcerpc.ServerOptions{Lookup: exporter.Lookup})
	server.Register(resolver.Interface())
	serve(t, server, at)
	t.Cleanup(func() {
		exporter.Close()
		resolver.Close()
	})
	ref, err := exporter.Export(k, dcom.ExportOptions{IID: wmi.IIDObjectSink, Anyone: true, NoPing: true})
	if err != nil {
		t.Fatal(err)
	}
	// what a reference says about its host is not believed, only the port
	ref.Resolver.Strings = []dcom.StringBinding{{Tower: dcom.TowerTCP, Address: dcom.FormatStringBinding("192.0.2.1", endpoint.Addr.Port())}}
	return k, ref
}

// Results go into a sink over a real connection, without authentication where that is permitted, and the sink is released.
func TestLoopbackSink(t *testing.T) {
	var dialled atomic.Value
	s := newService(t, wmiserver.Options{Callbacks: wmiserver.Callbacks{
		Anonymous: func() bool { return true },
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled.Store(address)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}})
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	services := c.open(cimtest.Namespace)
	k, ref := newSink(t)
	var out iwbem.ExecQueryAsyncResponse
	c.call(services, iwbem.OpExecQueryAsync, &iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text("SELECT * FROM CT_Number"), Sink: ref}, &out)
	if out.Result != 0 {
		t.Fatalf("ExecQueryAsync: %v", cim.Status(out.Result))
	}
	for _, wait := range []chan struct{}{k.done, k.released} {
		select {
		case <-wait:
		case <-time.After(20 * time.Second):
			t.Fatalf("the sink waits; %s", s.log.text())
		}
	}
	if len(k.objects) != cimtest.Numbers || len(k.final) != 1 || k.final[0] != 0 {
		t.Errorf("%d objects, status %v", len(k.objects), k.final)
	}
	for _, l := range k.levels {
		if l > dcerpc.LevelNone {
			t.Errorf("a call at level %d without an identity", l)
		}
	}
	if at, _ := dialled.Load().(string); !strings.HasPrefix(at, "127.0.0.1:") {
		t.Errorf("dialled %q", at)
	}
}

// T-31 over a real connection: when CancelAsyncCall answers, the sink has its status and is released.
func TestLoopbackCancel(t *testing.T) {
	s := newService(t, wmiserver.Options{Callbacks: wmiserver.Callbacks{Anonymous: func() bool { return true }}})
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	services := c.open(cimtest.Namespace)
	k, ref := newSink(t)
	var out iwbem.StatusResponse
	c.call(services, iwbem.OpExecNotificationQueryAsync, &iwbem.ExecNotificationQueryAsyncRequest{
		Language: text("WQL"), Query: text("SELECT * FROM __ClassCreationEvent"), Sink: ref,
	}, &out)
	if out.Result != 0 {
		t.Fatalf("ExecNotificationQueryAsync: %v", cim.Status(out.Result))
	}
	c.call(services, iwbem.OpCancelAsyncCall, &iwbem.CancelAsyncCallRequest{Sink: ref}, &out)
	if out.Result != 0 {
		t.Errorf("CancelAsyncCall: %v", cim.Status(out.Result))
	}
	select {
	case <-k.released:
	default:
		t.Error("the sink is not released")
	}
	if len(k.final) != 1 || k.final[0] != uint32(cim.ErrCallCancelled) {
		t.Errorf("the status: %#x", k.final)
	}
}

// Where no callback is permitted nothing is dialled, and the log says why.
func TestLoopbackSinkForbidden(t *testing.T) {
	dials := atomic.Int32{}
	s := newService(t, wmiserver.Options{Callbacks: wmiserver.Callbacks{Dial: func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return nil, errors.New("no")
	}}})
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	services := c.open(cimtest.Namespace)
	_, ref := newSink(t)
	var out iwbem.ExecQueryAsyncResponse
	c.call(services, iwbem.OpExecQueryAsync, &iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text("SELECT * FROM CT_Number"), Sink: ref}, &out)
	if out.Result != 0 {
		t.Fatalf("ExecQueryAsync: %v", cim.Status(out.Result))
	}
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(s.log.text(), "is cancelled") && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if log := s.log.text(); !strings.Contains(log, "stage=identity") || dials.Load() > 0 {
		t.Errorf("%d dials; %s", dials.Load(), log)
	}
}

// A sink whose port does not answer: the operation ends, and the log names the stage.
func TestLoopbackSinkUnreachable(t *testing.T) {
	s := newService(t, wmiserver.Options{Callbacks: wmiserver.Callbacks{Anonymous: func() bool { return true }}})
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	services := c.open(cimtest.Namespace)
	_, ref := newSink(t)
	dead := listen(t)
	port := netip.MustParseAddrPort(dead.Addr().String()).Port()
	dead.Close()
	ref.Resolver.Strings = []dcom.StringBinding{{Tower: dcom.TowerTCP, Address: dcom.FormatStringBinding("127.0.0.1", port)}}
	var out iwbem.ExecQueryAsyncResponse
	c.call(services, iwbem.OpExecQueryAsync, &iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text("SELECT * FROM CT_Number"), Sink: ref}, &out)
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.log.text(), "is cancelled") && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if log := s.log.text(); !strings.Contains(log, `stage="resolve OXID"`) {
		t.Errorf("the log: %s", log)
	}
}

// Backup is another class, not a login.
func TestLoopbackBackup(t *testing.T) {
	s := newService(t, wmiserver.Options{})
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	p, err := c.dcom.Activate(t.Context(), s.host, wmi.CLSIDBackupRestore, wmi.IIDBackupRestore, wmi.IIDBackupRestoreEx)
	if err != nil {
		t.Fatal(err)
	}
	var out iwbem.BackupResponse
	c.call(p[1], iwbem.OpBackup, &iwbem.BackupRequest{File: "x"}, &out)
	if out.Result != uint32(cim.ErrNotSupported) {
		t.Errorf("Backup: %#x", out.Result)
	}
}

// T-114: what a client does not ping for is gone after three periods, and with it its operation.
func TestClientWithoutPings(t *testing.T) {
	s := newServiceWith(t, wmiserver.Options{Limits: wmiserver.Limits{MaxRequestsPerUser: 1}}, 200*time.Millisecond)
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	enum := c.query(c.open(cimtest.Namespace), "SELECT * FROM CT_Number", 0x30)
	for deadline := time.Now().Add(20 * time.Second); s.exporter.Len() > 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	err := enum.Call(t.Context(), iwbem.OpNext, &iwbem.NextRequest{Timeout: 0, Count: 1}, &iwbem.NextResponse{})
	if e := (*dcom.Error)(nil); !errors.As(err, &e) || e.HRESULT != dcom.RPC_E_DISCONNECTED {
		t.Errorf("Next: %v", err)
	}
	again := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	again.query(again.open(cimtest.Namespace), "SELECT * FROM CT_Number", 0x30) // there is room for one operation
}
