package wmiserver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/wmiserver"
)

// wireMethods is the interface table of spec/wmi.md 9.10, written out: the methods of each interface that travels, from opnum 3. IWbemLoginHelper
// and IWbemShutdown are those that a client must not have from a remote host; see the end of TestEveryMethod.
var wireMethods = []struct {
	name, iid string
	methods   []string
}{
	{"IWbemLevel1Login", "F309AD18-D86A-11d0-A075-00C04FB68820", []string{"EstablishPosition", "RequestChallenge", "WBEMLogin", "NTLMLogin"}},
	{"IWbemLoginClientID", "d4781cd6-e5d3-44df-ad94-930efe48a887", []string{"SetClientInfo"}},
	{"IWbemServices", "9556dc99-828c-11cf-a37e-00aa003240c7", []string{
		"OpenNamespace", "CancelAsyncCall", "QueryObjectSink", "GetObject", "GetObjectAsync", "PutClass", "PutClassAsync", "DeleteClass", "DeleteClassAsync",
		"CreateClassEnum", "CreateClassEnumAsync", "PutInstance", "PutInstanceAsync", "DeleteInstance", "DeleteInstanceAsync", "CreateInstanceEnum",
		"CreateInstanceEnumAsync", "ExecQuery", "ExecQueryAsync", "ExecNotificationQuery", "ExecNotificationQueryAsync", "ExecMethod", "ExecMethodAsync",
	}},
	{"IEnumWbemClassObject", "027947e1-d731-11ce-a357-000000000001", []string{"Reset", "Next", "NextAsync", "Clone", "Skip"}},
	{"IWbemFetchSmartEnum", "1C1C45EE-4395-11d2-B60B-00104B703EFD", []string{"GetSmartEnum"}},
	{"IWbemWCOSmartEnum", "423EC01E-2E35-11d2-B604-00104B703EFD", []string{"Next"}},
	{"IWbemCallResult", "44aca675-e8fc-11d0-a07c-00c04fb68820", []string{"GetResultObject", "GetResultString", "GetResultServices", "GetCallStatus"}},
	{"IWbemObjectSink", "7c857801-7381-11cf-884d-00aa004b2e24", []string{"Indicate", "SetStatus"}},
	{"IWbemRefreshingServices", "2C9273E0-1DC3-11d3-B364-00105A1F8177", []string{
		"AddObjectToRefresher", "AddObjectToRefresherByTemplate", "AddEnumToRefresher", "RemoveObjectFromRefresher", "GetRemoteRefresher", "ReconnectRemoteRefresher",
	}},
	{"IWbemRemoteRefresher", "F1E9C5B2-F59B-11d2-B362-00105A1F8177", []string{"RemoteRefresh", "StopRefreshing"}},
	{"IWbemBackupRestore", "C49E32C7-BC8B-11d2-85D4-00105A1F8304", []string{"Backup", "Restore"}},
	{"IWbemBackupRestoreEx", "A359DEC5-E813-4834-8A2A-BA7F1D777D76", []string{"Backup", "Restore", "Pause", "Resume"}},
}

// everyMethod calls methods by the names of the table and keeps which were called.
type everyMethod struct {
	*client
	called map[string]int
}

// do calls interface::method, which must answer with a result.
func (m *everyMethod) do(p *dcom.Proxy, iface, method string, in ndr.Marshaler, out iwbem.Response, want uint32) {
	m.t.Helper()
	name := iface + "::" + method
	m.called[name]++
	m.call(p, opnumOf(m.t, iface, method), in, out)
	if got := out.HRESULT(); got != want {
		m.t.Fatalf("%s answers %#x, want %#x", name, got, want)
	}
}

func opnumOf(t testing.TB, iface, method string) uint16 {
	t.Helper()
	for _, i := range wireMethods {
		for n, name := range i.methods {
			if i.name == iface && name == method {
				return uint16(n + 3)
			}
		}
	}
	t.Fatalf("%s::%s is not in the table", iface, method)
	return 0
}

// asked is another interface of an object.
func (m *everyMethod) asked(p *dcom.Proxy, iid security.GUID) *dcom.Proxy {
	m.t.Helper()
	q, err := p.QueryInterface(m.t.Context(), iid)
	if err != nil {
		m.t.Fatal(err)
	}
	return q
}

// into runs a method that answers into a sink, and gives the sink once it has its status.
func (m *everyMethod) into(services *dcom.Proxy, method string, in func(ref *dcom.ObjRef) ndr.Marshaler, status uint32) *sink {
	m.t.Helper()
	k, ref := newSink(m.t)
	m.do(services, "IWbemServices", method, in(ref), &iwbem.StatusResponse{}, 0)
	m.wait(k, method, status)
	return k
}

func (m *everyMethod) wait(k *sink, method string, status uint32) {
	m.t.Helper()
	for _, c := range []chan struct{}{k.done, k.released} {
		select {
		case <-c:
		case <-time.After(20 * time.Second):
			m.t.Fatalf("%s: the sink waits", method)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.final) != 1 || k.final[0] != status {
		m.t.Errorf("%s ends with %#x, want %#x", method, k.final, status)
	}
	if len(k.objects) > 0 {
		m.called["IWbemObjectSink::Indicate"]++
	}
	m.called["IWbemObjectSink::SetStatus"]++
}

func (m *everyMethod) encode(i *cim.Instance) iwbem.ClassObject {
	m.t.Helper()
	unit, err := m.codec.AppendUnit(nil, i)
	if err != nil {
		m.t.Fatal(err)
	}
	return unit
}

func (m *everyMethod) decode(unit iwbem.ClassObject) *cim.Instance {
	m.t.Helper()
	i, _, err := m.codec.Decode(unit)
	if err != nil {
		m.t.Fatal(err)
	}
	return i
}

func (m *everyMethod) count(what string, got, want int) {
	m.t.Helper()
	if got != want {
		m.t.Errorf("%s gives %d objects, want %d", what, got, want)
	}
}

// files is a repository that remembers what was asked of it.
type files struct{ asked []string }

func (f *files) Backup(_ context.Context, _ cim.Caller, file string) error {
	f.asked = append(f.asked, "backup "+file)
	return nil
}

func (f *files) Restore(_ context.Context, _ cim.Caller, file string) error {
	f.asked = append(f.asked, "restore "+file)
	return nil
}

// TestEveryMethod calls each method of each interface of spec/wmi.md 9.10 over real connections, and shows that none is left out: neither one of the
// table that is not called, nor one after the last of the table that is there.
func TestEveryMethod(t *testing.T) {
	repository := &files{}
	s := newService(t, wmiserver.Options{Callbacks: wmiserver.Callbacks{Anonymous: func() bool { return true }}, Repository: repository})
	fast := cim.NewClass("EM_Fast", nil).Qualifier(cim.Qualifier{Name: "HiPerf", Value: cim.Bool(true)}).Dynamic().
		Key("Name", cim.String).Property("Count", cim.Uint64).Build(cimtest.Namespace)
	p := static.New(fast)
	if err := errors.Join(p.Add(cim.MakeInstance(fast, []cim.Value{cim.Str("a"), cim.U64(7)})), s.manager.Register(p)); err != nil {
		t.Fatal(err)
	}
	m := &everyMethod{s.client(t, as("admin", dcerpc.LevelPrivacy, false)), map[string]int{}}
	last := map[string]*dcom.Proxy{"IWbemLevel1Login": m.login}

	services := m.logins(last)
	m.namespaces()
	m.objects(services)
	m.enumerations(services, last)
	m.methods(services)
	m.results(services, last)
	m.events(services, last)
	m.refreshers(services, last)
	m.backups(s, last)
	if got := fmt.Sprint(repository.asked); got != "[backup a restore b backup c restore d]" {
		t.Errorf("the repository was asked for %s", got)
	}

	for _, i := range wireMethods {
		proxy := last[i.name]
		if proxy == nil {
			t.Fatalf("there is no %s", i.name)
		}
		iid, err := security.ParseGUID(i.iid)
		if err != nil || proxy.IID() != iid {
			t.Errorf("%s is %v here, want %s", i.name, proxy.IID(), i.iid)
		}
		for _, name := range i.methods {
			if m.called[i.name+"::"+name] == 0 {
				t.Errorf("%s::%s was not called", i.name, name)
			}
		}
		// Opnum 5 of IWbemRemoteRefresher is not used, so neither is it served.
		err = proxy.Call(t.Context(), uint16(3+len(i.methods)), &iwbem.EmptyRequest{}, &octets{})
		if e := (*dcom.Error)(nil); !errors.As(err, &e) || e.HRESULT != 0x800706D1 {
			t.Errorf("%s: the opnum after the last: %v, want RPC_S_PROCNUM_OUT_OF_RANGE", i.name, err)
		}
	}
	_, err := m.login.QueryInterface(t.Context(), wmi.IIDLoginHelper) // T-112
	if e := (*dcom.Error)(nil); !errors.As(err, &e) || e.HRESULT != dcom.E_NOINTERFACE {
		t.Errorf("IWbemLoginHelper: %v", err)
	}
}

func (m *everyMethod) logins(last map[string]*dcom.Proxy) *dcom.Proxy {
	const login = "IWbemLevel1Login"
	null := iwbem.String{Null: true}
	m.do(m.login, login, "EstablishPosition", &iwbem.EstablishPositionRequest{Reserved1: null}, &iwbem.EstablishPositionResponse{}, 0)
	m.do(m.login, login, "RequestChallenge", &iwbem.RequestChallengeRequest{Reserved1: null, Reserved2: null}, &iwbem.RequestChallengeResponse{}, 0x8004100C)
	m.do(m.login, login, "WBEMLogin", &iwbem.WBEMLoginRequest{Reserved1: null}, &iwbem.RefResponse{}, 0x80004001)
	id := m.asked(m.login, wmi.IIDLoginClientID)
	last["IWbemLoginClientID"] = id
	m.do(id, "IWbemLoginClientID", "SetClientInfo", &iwbem.SetClientInfoRequest{ClientMachine: text("ME"), ClientProcess: 1}, &iwbem.StatusResponse{}, 0)
	var out iwbem.NTLMLoginResponse
	m.do(m.login, login, "NTLMLogin", &iwbem.NTLMLoginRequest{NetworkResource: text(cimtest.Namespace), PreferredLocale: null}, &out, 0)
	services := m.of(m.login, out.Ref)
	last["IWbemServices"] = services
	return services
}

func (m *everyMethod) namespaces() {
	root := m.open("root")
	var out iwbem.OpenNamespaceResponse
	m.do(root, "IWbemServices", "OpenNamespace", &iwbem.OpenNamespaceRequest{Namespace: text("secret"), Services: iwbem.RefSlot{Given: true}}, &out, 0)
	var class iwbem.GetObjectResponse
	m.do(m.of(root, out.Services.Ref), "IWbemServices", "GetObject", &iwbem.GetObjectRequest{Path: text("__Namespace"), Object: iwbem.ObjectSlot{Given: true}}, &class, 0)
}

// objects makes, reads and removes a class and instances, at once and into sinks.
func (m *everyMethod) objects(services *dcom.Proxy) {
	const i = "IWbemServices"
	class := func(name string) iwbem.ClassObject {
		return m.encode(cim.ClassObject(cim.NewClass(name, nil).Key("ID", cim.Uint32).Build("")))
	}
	m.do(services, i, "PutClass", &iwbem.PutClassRequest{Object: class("EM_Now")}, &iwbem.PutClassResponse{}, 0)
	m.into(services, "PutClassAsync", func(ref *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.PutClassAsyncRequest{Object: class("EM_Later"), Sink: ref}
	}, 0)
	var got iwbem.GetObjectResponse
	m.do(services, i, "GetObject", &iwbem.GetObjectRequest{Path: text("EM_Later"), Object: iwbem.ObjectSlot{Given: true}}, &got, 0)
	instance := func(id uint32) iwbem.ClassObject {
		return m.encode(cim.MakeInstance(m.decode(got.Object.Object).Class(), []cim.Value{cim.U32(id)}))
	}
	m.do(services, i, "PutInstance", &iwbem.PutInstanceRequest{Object: instance(1)}, &iwbem.PutInstanceResponse{}, 0)
	m.into(services, "PutInstanceAsync", func(ref *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.PutInstanceAsyncRequest{Object: instance(2), Sink: ref}
	}, 0)
	path := func(path string) func(ref *dcom.ObjRef) ndr.Marshaler {
		return func(ref *dcom.ObjRef) ndr.Marshaler { return &iwbem.PathAsyncRequest{Path: text(path), Sink: ref} }
	}
	k := m.into(services, "GetObjectAsync", path("EM_Later.ID=2"), 0)
	m.count("GetObjectAsync", len(k.objects), 1)
	m.count("CreateInstanceEnumAsync", len(m.into(services, "CreateInstanceEnumAsync", path("EM_Later"), 0).objects), 2)
	k = m.into(services, "CreateClassEnumAsync", path("CT_Element"), 0)
	if len(k.objects) == 0 || !k.objects[0].IsClass() {
		m.t.Errorf("CreateClassEnumAsync gives %v", k.objects)
	}
	m.do(services, i, "DeleteInstance", &iwbem.DeleteInstanceRequest{Path: text("EM_Later.ID=1")}, &iwbem.DeleteInstanceResponse{}, 0)
	m.into(services, "DeleteInstanceAsync", path("EM_Later.ID=2"), 0)
	m.do(services, i, "DeleteClass", &iwbem.DeleteClassRequest{Path: text("EM_Now")}, &iwbem.DeleteClassResponse{}, 0)
	m.into(services, "DeleteClassAsync", path("EM_Later"), 0)
	m.into(services, "GetObjectAsync", path("EM_Later"), uint32(cim.ErrNotFound))
}

func (m *everyMethod) enumerations(services *dcom.Proxy, last map[string]*dcom.Proxy) {
	const i, e = "IWbemServices", "IEnumWbemClassObject"
	open := func(method string, in ndr.Marshaler) *dcom.Proxy {
		m.t.Helper()
		var out iwbem.RefResponse
		m.do(services, i, method, in, &out, 0)
		return m.of(services, out.Ref)
	}
	next := func(enum *dcom.Proxy, count uint32, result uint32) int {
		m.t.Helper()
		var out iwbem.NextResponse
		m.do(enum, e, "Next", &iwbem.NextRequest{Timeout: iwbem.Forever, Count: count}, &out, result)
		return len(out.Objects)
	}
	classes := open("CreateClassEnum", &iwbem.CreateClassEnumRequest{Path: text("CT_Types")})
	m.count("CreateClassEnum", next(classes, 10, 1), 1) // CT_Derived
	parts := open("CreateInstanceEnum", &iwbem.CreateInstanceEnumRequest{Path: text("CT_Part")})
	m.count("CreateInstanceEnum", next(parts, 10, 1), 3)

	query := &iwbem.ExecQueryRequest{Language: text("WQL"), Query: text("SELECT * FROM CT_Part")}
	enum := open("ExecQuery", query)
	last[e] = enum
	m.count("Next(2)", next(enum, 2, 0), 2)
	var clone iwbem.RefResponse
	m.do(enum, e, "Clone", &iwbem.EmptyRequest{}, &clone, 0)
	m.count("Next of the clone", next(m.of(enum, clone.Ref), 10, 1), 1)
	m.do(enum, e, "Reset", &iwbem.EmptyRequest{}, &iwbem.StatusResponse{}, 0)
	m.do(enum, e, "Skip", &iwbem.SkipRequest{Timeout: iwbem.Forever, Count: 1}, &iwbem.StatusResponse{}, 0)
	k, ref := newSink(m.t)
	m.do(enum, e, "NextAsync", &iwbem.NextAsyncRequest{Count: 2, Sink: ref}, &iwbem.StatusResponse{}, 0)
	m.wait(k, "NextAsync", 0)
	m.count("NextAsync", len(k.objects), 2)

	k = m.into(services, "ExecQueryAsync", func(ref *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.ExecQueryAsyncRequest{Language: query.Language, Query: query.Query, Sink: ref}
	}, 0)
	m.count("ExecQueryAsync", len(k.objects), 3)

	fetch := m.asked(open("ExecQuery", query), wmi.IIDFetchSmartEnum)
	last["IWbemFetchSmartEnum"] = fetch
	var got iwbem.GetSmartEnumResponse
	m.do(fetch, "IWbemFetchSmartEnum", "GetSmartEnum", &iwbem.GetSmartEnumRequest{}, &got, 0)
	smart := m.of(fetch, got.Ref)
	last["IWbemWCOSmartEnum"] = smart
	var out iwbem.SmartNextResponse
	m.do(smart, "IWbemWCOSmartEnum", "Next", &iwbem.SmartNextRequest{Proxy: security.GUID{1}, Timeout: iwbem.Forever, Count: 10}, &out, 1)
	list, err := m.codec.NewArrayReader().Append(nil, out.Buffer)
	if err != nil {
		m.t.Error(err)
	}
	m.count("IWbemWCOSmartEnum::Next", len(list), 3)
}

func (m *everyMethod) methods(services *dcom.Proxy) {
	var out iwbem.ExecMethodResponse
	m.do(services, "IWbemServices", "ExecMethod", &iwbem.ExecMethodRequest{Path: text("CT_Only=@"), Method: text("Touch"), OutParams: iwbem.ObjectSlot{Given: true}}, &out, 0)
	k := m.into(services, "ExecMethodAsync", func(ref *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.ExecMethodAsyncRequest{Path: text("CT_Only=@"), Method: text("Touch"), Sink: ref}
	}, 0)
	m.count("ExecMethodAsync", len(k.objects), 1)
	for _, i := range append(k.objects, m.decode(out.Object.Object)) {
		if !i.Get("ReturnValue").Equal(cim.U32(0)) {
			m.t.Errorf("Touch: %v", i)
		}
	}
}

func (m *everyMethod) results(services *dcom.Proxy, last map[string]*dcom.Proxy) {
	const i, r = "IWbemServices", "IWbemCallResult"
	wait := &iwbem.TimeoutRequest{Timeout: iwbem.Forever}
	later := iwbem.RefSlot{Given: true}
	var got iwbem.GetObjectResponse
	m.do(services, i, "GetObject", &iwbem.GetObjectRequest{Path: text("CT_Part"), Flags: wmi.FlagReturnImmediately, CallResult: later}, &got, 0)
	result := m.of(services, got.CallResult.Ref)
	last[r] = result
	var status iwbem.GetCallStatusResponse
	m.do(result, r, "GetCallStatus", wait, &status, 0)
	var object iwbem.GetResultObjectResponse
	m.do(result, r, "GetResultObject", wait, &object, 0)
	if name := m.decode(object.Object).Class().Name; status.Status != 0 || name != "CT_Part" {
		m.t.Errorf("GetResultObject gives %s, status %#x", name, status.Status)
	}
	kept := cim.NewClass("EM_Kept", nil).Key("ID", cim.Uint32).Build("")
	m.do(services, i, "PutClass", &iwbem.PutClassRequest{Object: m.encode(cim.ClassObject(kept))}, &iwbem.PutClassResponse{}, 0)
	var put iwbem.PutInstanceResponse
	m.do(services, i, "PutInstance", &iwbem.PutInstanceRequest{
		Object: m.encode(cim.MakeInstance(kept, []cim.Value{cim.U32(5)})), Flags: wmi.FlagReturnImmediately, CallResult: later,
	}, &put, 0)
	var path iwbem.GetResultStringResponse
	m.do(m.of(services, put.CallResult.Ref), r, "GetResultString", wait, &path, 0)
	if path.Text.Text != "EM_Kept.ID=5" {
		m.t.Errorf("GetResultString gives %q", path.Text.Text)
	}
	root := m.open("root")
	var opened iwbem.OpenNamespaceResponse
	m.do(root, i, "OpenNamespace", &iwbem.OpenNamespaceRequest{Namespace: text("secret"), Flags: wmi.FlagReturnImmediately, CallResult: later}, &opened, 0)
	var out iwbem.GetResultServicesResponse
	m.do(m.of(root, opened.CallResult.Ref), r, "GetResultServices", wait, &out, 0)
	m.do(m.of(root, out.Ref), i, "GetObject", &iwbem.GetObjectRequest{Path: text("__Namespace"), Object: iwbem.ObjectSlot{Given: true}}, &got, 0)
}

// events pushes an event into the service's sink, for one that pulls and one with a sink, and cancels that.
func (m *everyMethod) events(services *dcom.Proxy, last map[string]*dcom.Proxy) {
	const i, k = "IWbemServices", "IWbemObjectSink"
	var got iwbem.GetObjectResponse
	read := func(path string) *cim.Class {
		m.t.Helper()
		m.do(services, i, "GetObject", &iwbem.GetObjectRequest{Path: text(path), Object: iwbem.ObjectSlot{Given: true}}, &got, 0)
		return m.decode(got.Object.Object).Class()
	}
	class := cim.NewClass("EM_Event", read("__ExtrinsicEvent")).Property("Text", cim.String).Build("")
	m.do(services, i, "PutClass", &iwbem.PutClassRequest{Object: m.encode(cim.ClassObject(class))}, &iwbem.PutClassResponse{}, 0)
	language, query := text("WQL"), text("SELECT * FROM EM_Event")
	var pull iwbem.RefResponse
	m.do(services, i, "ExecNotificationQuery", &iwbem.ExecNotificationQueryRequest{Language: language, Query: query, Flags: 0x30}, &pull, 0)
	enum := m.of(services, pull.Ref)
	pushed, ref := newSink(m.t)
	m.do(services, i, "ExecNotificationQueryAsync", &iwbem.ExecNotificationQueryAsyncRequest{Language: language, Query: query, Sink: ref}, &iwbem.StatusResponse{}, 0)
	var into iwbem.RefResponse
	m.do(services, i, "QueryObjectSink", &iwbem.QueryObjectSinkRequest{}, &into, 0)
	to := m.of(services, into.Ref)
	last[k] = to
	event := cim.NewInstance(read("EM_Event"))
	_ = event.Set("Text", cim.Str("hello"))
	arrived := func() int {
		pushed.mu.Lock()
		defer pushed.mu.Unlock()
		return len(pushed.objects)
	}
	for end := time.Now().Add(20 * time.Second); arrived() == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m.do(to, k, "Indicate", &iwbem.IndicateRequest{Objects: []iwbem.ClassObject{m.encode(event)}}, &iwbem.StatusResponse{}, 0)
	}
	m.do(to, k, "SetStatus", &iwbem.SetStatusRequest{Text: iwbem.String{Null: true}}, &iwbem.StatusResponse{}, 0)
	var out iwbem.NextResponse
	m.do(enum, "IEnumWbemClassObject", "Next", &iwbem.NextRequest{Timeout: 20_000, Count: 1}, &out, 0)
	if len(out.Objects) != 1 || arrived() == 0 || !m.decode(out.Objects[0]).Get("Text").Equal(cim.Str("hello")) {
		m.t.Errorf("events: %d pulled, %d pushed", len(out.Objects), arrived())
	}
	m.do(services, i, "CancelAsyncCall", &iwbem.CancelAsyncCallRequest{Sink: ref}, &iwbem.StatusResponse{}, 0)
	m.wait(pushed, "ExecNotificationQueryAsync", uint32(cim.ErrCallCancelled))
}

func (m *everyMethod) refreshers(services *dcom.Proxy, last map[string]*dcom.Proxy) {
	const i, r = "IWbemRefreshingServices", "IWbemRemoteRefresher"
	refreshing := m.asked(services, wmi.IIDRefreshingServices)
	last[i] = refreshing
	id := iwbem.RefresherID{Machine: text("ME"), Process: 7, GUID: security.GUID{9}}
	const path = `EM_Fast.Name="a"`
	var one, all, same iwbem.RefreshInfoResponse
	m.do(refreshing, i, "AddObjectToRefresher", &iwbem.AddToRefresherRequest{Refresher: id, Path: path, Version: 1}, &one, 0)
	m.do(refreshing, i, "AddEnumToRefresher", &iwbem.AddToRefresherRequest{Refresher: id, Path: "EM_Fast", Version: 1}, &all, 0)
	var got iwbem.GetObjectResponse
	m.do(services, "IWbemServices", "GetObject", &iwbem.GetObjectRequest{Path: text(path), Object: iwbem.ObjectSlot{Given: true}}, &got, 0)
	m.do(refreshing, i, "AddObjectToRefresherByTemplate", &iwbem.AddObjectToRefresherByTemplateRequest{Refresher: id, Template: got.Object.Object}, &same, 0)
	m.do(refreshing, i, "RemoveObjectFromRefresher", &iwbem.RemoveObjectFromRefresherRequest{Refresher: id}, &iwbem.RemoveObjectFromRefresherResponse{}, 0x80041009)
	var known iwbem.GetRemoteRefresherResponse
	m.do(refreshing, i, "GetRemoteRefresher", &iwbem.GetRemoteRefresherRequest{Refresher: id}, &known, 0)
	var again iwbem.ReconnectRemoteRefresherResponse
	m.do(refreshing, i, "ReconnectRemoteRefresher", &iwbem.ReconnectRemoteRefresherRequest{
		Refresher: id, Infos: []iwbem.ReconnectInfo{{Type: 0, Path: text(path)}}, Results: make([]iwbem.ReconnectResult, 1),
	}, &again, 0)
	refresher := m.of(refreshing, one.Info.Refresher)
	last[r] = refresher
	refreshed := func() int {
		m.t.Helper()
		var out iwbem.RemoteRefreshResponse
		m.do(refresher, r, "RemoteRefresh", &iwbem.RemoteRefreshRequest{}, &out, 0)
		return len(out.Objects)
	}
	m.count("RemoteRefresh", refreshed(), 4)
	m.do(refresher, r, "StopRefreshing", &iwbem.StopRefreshingRequest{IDs: []uint32{all.Info.CancelID}}, &iwbem.StatusResponse{}, 0)
	m.count("RemoteRefresh", refreshed(), 3)
}

func (m *everyMethod) backups(s *service, last map[string]*dcom.Proxy) {
	p, err := m.dcom.Activate(m.t.Context(), s.host, wmi.CLSIDBackupRestore, wmi.IIDBackupRestore, wmi.IIDBackupRestoreEx)
	if err != nil {
		m.t.Fatal(err)
	}
	for n, i := range []string{"IWbemBackupRestore", "IWbemBackupRestoreEx"} {
		last[i] = p[n]
		m.do(p[n], i, "Backup", &iwbem.BackupRequest{File: []string{"a", "c"}[n]}, &iwbem.StatusResponse{}, 0)
		m.do(p[n], i, "Restore", &iwbem.RestoreRequest{File: []string{"b", "d"}[n], Flags: 1}, &iwbem.StatusResponse{}, 0)
	}
	m.do(p[1], "IWbemBackupRestoreEx", "Pause", &iwbem.EmptyRequest{}, &iwbem.StatusResponse{}, 0)
	m.do(p[1], "IWbemBackupRestoreEx", "Resume", &iwbem.EmptyRequest{}, &iwbem.StatusResponse{}, 0)
}
