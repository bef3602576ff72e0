package casement_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/casementhq/casement/wmi/wmiserver"
)

// dcomHost serves an object manager by WMI over DCOM on loopback, to bob, who may do everything. It gives the port of the resolver.
func dcomHost(t *testing.T, o cim.Opener) uint16 {
	t.Helper()
	acceptor := func(dcerpc.AuthType, net.Addr) (auth.Acceptor, error) {
		return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: func() auth.Acceptor {
			return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "HOST", Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
				if !strings.EqualFold(user, "bob") {
					return [16]byte{}, auth.ErrLogonFailure
				}
				return ntlm.NTHash("Casement-1"), nil
			}})
		}}), nil
	}
	var listeners [2]net.Listener
	var at [2]netip.AddrPort
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], at[i] = l, netip.MustParseAddrPort(l.Addr().String())
	}
	groups := []security.GroupEntry{{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone}}
	server := wmiserver.New(wmiserver.Options{Opener: o, Caller: func(_ context.Context, call *dcerpc.Call) (cim.Caller, error) {
		return cim.Caller{
			Token: &security.Token{User: security.SIDLocalSystem, Groups: groups}, Remote: true, Protection: cim.Protection(call.Security.Level()),
			Impersonation: cim.ImpersonationImpersonate, Address: call.Peer.String(),
		}, nil
	}})
	resolver := dcom.NewResolver(dcom.ResolverOptions{Endpoint: dcom.Endpoint{Addr: at[0]}, Security: func() []dcom.SecurityBinding { return []dcom.SecurityBinding{{AuthnSvc: 9}} }})
	exporter := resolver.NewExporter(dcom.ExporterOptions{Endpoint: dcom.Endpoint{Addr: at[1]}})
	activator := dcom.NewActivator(dcom.ActivatorOptions{})
	for clsid, class := range server.Classes(exporter) {
		activator.Register(clsid, class)
	}
	scm := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor})
	scm.Register(resolver.Interface())
	for _, i := range activator.Interfaces() {
		scm.Register(i)
	}
	for i, s := range []*dcerpc.Server{scm, dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor, Lookup: exporter.Lookup})} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := s.Serve(listeners[i]); !errors.Is(err, dcerpc.ErrServerClosed) {
				t.Errorf("Serve returns %v", err)
			}
		}()
		t.Cleanup(func() {
			s.Close()
			<-done
		})
	}
	t.Cleanup(func() {
		exporter.Close()
		resolver.Close()
		server.Close()
	})
	return at[0].Port()
}

// TestConformanceOverDCOM runs the suite of cim.Session over WMI over DCOM, and compares the answers with those of the object manager itself.
// They are equal but for what cimtest.LostByDCOM lists.
func TestConformanceOverDCOM(t *testing.T) {
	m := manager(t)
	want := cimtest.Transcript(t.Context(), session(t, dial(t, ".", casement.Options{Opener: system{m}})))
	c := clientOf(t, dcomHost(t, m))
	open := func(t *testing.T) cim.Session {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s, err := c.Open(ctx, cim.Caller{}, cimtest.Namespace, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cimtest.Run(t, cimtest.Harness{Lost: cimtest.LostByDCOM, Open: open})
	s := open(t)
	defer s.Close()
	for _, diff := range cimtest.Compare(want, cimtest.Transcript(t.Context(), s), cimtest.LostByDCOM) {
		t.Error(diff)
	}
}

// clientOf is a client of such a host.
func clientOf(t *testing.T, port uint16) *wmiclient.Client {
	t.Helper()
	c, err := wmiclient.New("127.0.0.1", wmiclient.Options{Credentials: auth.Credentials{Username: "bob", Password: "Casement-1"}, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Two refreshes give new values: those of a class of high performance in one call, the others one by one.
func TestRefresherOverDCOM(t *testing.T) {
	m := manager(t)
	class := func(b *cim.ClassBuilder) *cim.Class {
		return b.Dynamic().Key("Name", cim.String).Property("Count", cim.Uint64, cim.Writable()).Build(cimtest.Namespace)
	}
	fast, slow := class(cim.NewClass("RT_Fast", nil).Qualifier(cim.Qualifier{Name: "HiPerf", Value: cim.Bool(true)})), class(cim.NewClass("RT_Slow", nil))
	p := static.New(fast, slow)
	var instances []*cim.Instance
	for _, c := range []*cim.Class{fast, slow} {
		for _, name := range []string{"a", "b"} {
			instances = append(instances, cim.MakeInstance(c, []cim.Value{cim.Str(name), cim.U64(1)}))
		}
	}
	if err := errors.Join(p.Add(instances...), m.Register(p)); err != nil {
		t.Fatal(err)
	}
	opened, err := clientOf(t, dcomHost(t, m)).Open(t.Context(), cim.Caller{}, cimtest.Namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*wmiclient.Session)
	defer s.Close()
	calls := map[string]int{}
	ctx := wmiclient.WithTrace(t.Context(), &wmiclient.Trace{Called: func(method string, _ uint32, _ time.Duration, _ error) { calls[method]++ }})
	r := s.NewRefresher()
	object := func(class, name string) cim.ObjectPath {
		return cim.ObjectPath{Class: class, Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}
	}
	var ids [4]int
	for n, add := range []func() (int, error){
		func() (int, error) { return r.AddObject(ctx, object("RT_Fast", "a")) },
		func() (int, error) { return r.AddEnum(ctx, "RT_Fast") },
		func() (int, error) { return r.AddObject(ctx, object("RT_Slow", "b")) },
		func() (int, error) { return r.AddEnum(ctx, "RT_Slow") },
	} {
		if ids[n], err = add(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.AddObject(ctx, object("RT_Fast", "c")); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("an object that is not there: %v", err)
	}
	for count := uint64(1); count <= 2; count++ {
		got, err := r.Refresh(ctx)
		if err != nil || len(got) != 4 {
			t.Fatalf("%v, %v", got, err)
		}
		for n, one := range got {
			if one.ID != ids[n] || one.Err != nil || len(one.Instances) != 1+n%2 {
				t.Fatalf("refresh %d: %+v", count, one)
			}
			for _, i := range one.Instances {
				if v, _ := i.Get("Count").Uint(); v != count {
					t.Errorf("refresh %d of %v: %d", count, i.Get("Name"), v)
				}
			}
		}
		for _, i := range instances {
			next := i.Clone()
			if err := next.Set("Count", cim.U64(count+1)); err != nil {
				t.Fatal(err)
			}
			if err := s.Put(ctx, next, cim.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if calls["IWbemRemoteRefresher::RemoteRefresh"] != 2 || calls["IWbemServices::GetObject"] != 2 || calls["IWbemServices::CreateInstanceEnum"] != 2 {
		t.Errorf("the calls were %v", calls)
	}
	if err := r.Remove(ctx, ids[1]); err != nil {
		t.Error(err)
	}
	if got, err := r.Refresh(ctx); err != nil || len(got) != 3 || got[0].Instances[0].Get("Count").String() != "3" {
		t.Errorf("after Remove: %v, %v", got, err)
	}
}

// Subscriptions: an event comes to the client that pulls, soon after what it is about.
func TestEventsOverDCOM(t *testing.T) {
	m := manager(t)
	s, err := clientOf(t, dcomHost(t, m)).Open(t.Context(), cim.Caller{}, cimtest.Namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	class := cim.NewClass("ST_Kept", nil).Key("Name", cim.String).Build(cimtest.Namespace)
	if err := s.(cim.ClassWriter).PutClass(t.Context(), class, cim.PutClassOptions{}); err != nil {
		t.Fatal(err)
	}
	e, err := s.(cim.Subscriber).Subscribe(t.Context(), "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'ST_Kept'", cim.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), cim.MakeInstance(class, []cim.Value{cim.Str("x")}), cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := e.Next(ctx, 0)
	if err != nil || len(got) != 1 || got[0].Get("TargetInstance").Object().Get("Name").String() != "x" {
		t.Errorf("%v, %v", got, err)
	}
}

// The interfaces method by method: spec/wmi.md 4.3 to 4.5, T-36, T-37, T-39 to T-41.
func TestServicesOverDCOM(t *testing.T) {
	opened, err := clientOf(t, dcomHost(t, manager(t))).Open(t.Context(), cim.Caller{}, "root", cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	ctx := t.Context()
	root, err := opened.(*wmiclient.Session).Services(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	at := root.At(wmi.AuthenticationPktIntegrity)
	defer at.Close()

	// a namespace, at once and later
	child := strings.TrimPrefix(cimtest.Namespace, `root\`)
	v, none, err := at.OpenNamespace(ctx, child, 0, nil)
	if err != nil || none != nil {
		t.Fatal(err)
	}
	defer v.Close()
	_, later, err := root.OpenNamespace(ctx, child, wmi.FlagReturnImmediately, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, status, err := later.Services(ctx, -1)
	if err != nil || status != cim.StatusOK {
		t.Fatalf("%v, %v", status, err)
	}
	later.Close()
	again.Close()

	// a class and three instances; the call result tells the path
	class := cim.NewClass("SV_Kept", nil).Key("N", cim.Uint32).Build(cimtest.Namespace)
	if _, err := v.PutClass(ctx, class, wmi.FlagCreateOnly, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := v.PutClass(ctx, class, wmi.FlagCreateOnly, nil); !errors.Is(err, cim.ErrAlreadyExists) {
		t.Errorf("a class again: %v", err)
	}
	for n := range uint32(3) {
		r, err := v.PutInstance(ctx, cim.MakeInstance(class, []cim.Value{cim.U32(n)}), wmi.FlagReturnImmediately, nil)
		if err != nil {
			t.Fatal(err)
		}
		ended, status, err := r.Status(ctx, -1)
		if err != nil || ended != cim.StatusOK || status != cim.StatusOK {
			t.Errorf("%v, %v, %v", ended, status, err)
		}
		if text, _, err := r.Text(ctx, -1); err != nil || text != "SV_Kept.N="+strconv.Itoa(int(n)) {
			t.Errorf("the path is %q, %v", text, err)
		}
		r.Close()
	}
	_, got, err := v.GetObject(ctx, "SV_Kept.N=1", wmi.FlagReturnImmediately, nil)
	if err != nil {
		t.Fatal(err)
	}
	if i, status, err := got.Object(ctx, -1); err != nil || status != cim.StatusOK || i.Get("N").String() != "1" {
		t.Errorf("%v, %v, %v", i, status, err)
	}
	got.Close()
	if i, _, err := v.GetObject(ctx, "", 0, nil); err != nil || !i.IsClass() {
		t.Errorf("an empty class: %v, %v", i, err)
	}

	// enumerators
	next := func(e *wmiclient.Enum, count uint32, want int, end cim.Status) {
		t.Helper()
		list, status, err := e.Next(ctx, -1, count)
		if err != nil || len(list) != want || status != end {
			t.Errorf("Next(%d) gives %d, %v, %v; want %d, %v", count, len(list), status, err, want, end)
		}
	}
	e, err := v.ExecQuery(ctx, "WQL", "SELECT * FROM SV_Kept", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	next(e, 10, 3, cim.StatusFalse) // T-36
	if err := e.Reset(ctx); err != nil {
		t.Error(err)
	}
	next(e, 3, 3, cim.StatusOK) // T-37
	if err := e.Reset(ctx); err != nil {
		t.Error(err)
	}
	next(e, 2, 2, cim.StatusOK)
	clone, err := e.Clone(ctx) // T-40
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	next(clone, 10, 1, cim.StatusFalse)
	next(e, 1, 1, cim.StatusOK)
	if err := e.Reset(ctx); err != nil {
		t.Error(err)
	}
	if status, err := e.Skip(ctx, -1, 5); err != nil || status != cim.StatusFalse { // T-41
		t.Errorf("Skip beyond the end: %v, %v", status, err)
	}
	forward, err := v.CreateInstanceEnum(ctx, "SV_Kept", wmi.FlagReturnImmediately|wmi.FlagForwardOnly, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer forward.Close()
	if err := forward.Reset(ctx); !errors.Is(err, cim.ErrInvalidOperation) { // T-39
		t.Errorf("Reset: %v", err)
	}
	if _, err := forward.Clone(ctx); !errors.Is(err, cim.ErrInvalidOperation) {
		t.Errorf("Clone: %v", err)
	}
	if _, err := v.ExecNotificationQuery(ctx, "WQL", "SELECT * FROM __InstanceCreationEvent WITHIN 1", 0, nil); !errors.Is(err, cim.ErrInvalidParameter) { // T-42
		t.Errorf("events without both flags: %v", err)
	}
	if _, err := v.ExecQuery(ctx, "WQL", "SELECT * FROM SV_Kept", 0x400, nil); !errors.Is(err, cim.ErrInvalidParameter) { // T-44
		t.Errorf("an unknown flag: %v", err)
	}
	if _, err := v.DeleteInstance(ctx, "SV_Kept.N=2", 0, nil); err != nil {
		t.Error(err)
	}
	if _, err := v.DeleteClass(ctx, "SV_Kept", 0, nil); !errors.Is(err, cim.ErrClassHasInstances) {
		t.Errorf("a class with instances: %v", err)
	}
	classes, err := v.CreateClassEnum(ctx, "CT_Element", wmi.FlagShallow, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer classes.Close()
	if list, _, err := classes.Next(ctx, -1, 100); err != nil || len(list) == 0 || !list[0].IsClass() {
		t.Errorf("%v, %v", list, err)
	}
}

// A namespace that requires encryption serves calls at packet privacy alone: at the login, and at each call after it. T-09.
func TestRequiresEncryptionOverDCOM(t *testing.T) {
	m := manager(t)
	if err := m.AddNamespace(cimom.Namespace{Name: `root\sealed`, RequiresEncryption: true}); err != nil {
		t.Fatal(err)
	}
	port := dcomHost(t, m)
	opened, err := clientOf(t, port).Open(t.Context(), cim.Caller{}, `root\sealed`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if _, err := opened.EnumerateClasses(t.Context(), "", false); err != nil {
		t.Errorf("at packet privacy: %v", err)
	}
	lower := opened.(*wmiclient.Session).At(wmi.AuthenticationPktIntegrity)
	defer lower.Close()
	if _, err := lower.EnumerateClasses(t.Context(), "", false); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("a call at packet integrity: %v", err)
	}
	c, err := wmiclient.New("127.0.0.1", wmiclient.Options{
		Credentials: auth.Credentials{Username: "bob", Password: "Casement-1"}, Port: port, Authentication: wmi.AuthenticationPktIntegrity,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Open(t.Context(), cim.Caller{}, `root\sealed`, cim.OpenOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("a login at packet integrity: %v", err)
	}
}
