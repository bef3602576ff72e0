package wmiclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// The sequence of [MS-WMI] 3.2.3 and spec/wmi.md 9.7: the login object is given back once the namespace is open. T-18: a host without
// IWbemLoginClientID is no worse.
func TestLogin(t *testing.T) {
	h := newHost(t)
	o := h.options()
	o.Locales = []string{"MS_409", "en"}
	var without []string
	o.Trace = &wmiclient.Trace{Without: func(what string, err error) { without = append(without, what) }}
	s := h.open(t, o)
	if got := h.noted(); got != "EstablishPosition, NTLMLogin //127.0.0.1/root/test MS_409,en, released login" {
		t.Errorf("the login was %s", got)
	}
	if s.Namespace() != `root\test` || len(without) != 1 || without[0] != "IWbemLoginClientID" {
		t.Errorf("%s, without %v", s.Namespace(), without)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := h.noted(); got != "released services" || h.exporter.Len() != 0 {
		t.Errorf("after Close: %s; %d objects are left", got, h.exporter.Len())
	}
	if _, err := s.GetClass(within(t), "Thing", cim.GetOptions{}); statusOf(t, err) != cim.ErrShuttingDown {
		t.Errorf("after Close: %v", err)
	}
}

func TestLoginTellsTheClient(t *testing.T) {
	h := newHost(t)
	on(h.login, wmi.IIDLoginClientID, iwbem.OpSetClientInfo, func(_ context.Context, _ *dcom.Call, r *iwbem.SetClientInfoRequest) ndr.Marshaler {
		h.note("SetClientInfo " + r.ClientMachine.Text)
		return &iwbem.SetClientInfoResponse{Result: uint32(cim.ErrFailed)}
	})
	h.open(t, h.options())
	if got := h.noted(); !strings.Contains(got, "EstablishPosition, SetClientInfo CLIENT, NTLMLogin") {
		t.Errorf("the login was %s", got)
	}
}

// T-03, and what the host says about the credentials.
func TestConnectServerFailures(t *testing.T) {
	t.Setenv("KRB5_CONFIG", t.TempDir()+"/none")
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none")
	h := newHost(t)
	user, nobody, empty, right, wrong := "bob", "eve", "", password, "x"
	domain := `D\bob`
	resource := `\\127.0.0.1\root\test`
	for name, c := range map[string]struct {
		p    wmiclient.Parameters
		want cim.Status
	}{
		"a user on this machine (T-01)":        {wmiclient.Parameters{NetworkResource: `root\test`, User: &user}, cim.ErrLocalCredentials},
		"a password on this machine (T-01)":    {wmiclient.Parameters{NetworkResource: `\\.\root\test`, Password: &right}, cim.ErrLocalCredentials},
		"an authority on this machine (T-01)":  {wmiclient.Parameters{NetworkResource: `//./root/test`, Authority: "NTLMDomain:D"}, cim.ErrLocalCredentials},
		"the domain twice (T-02)":              {wmiclient.Parameters{NetworkResource: resource, User: &domain, Password: &right, Authority: "NTLMDomain:D"}, cim.ErrInvalidParameter},
		"a namespace that is not there (T-03)": {wmiclient.Parameters{NetworkResource: `\\127.0.0.1\root\missing`, User: &user, Password: &right}, cim.ErrInvalidNamespace},
		"an empty user":                        {wmiclient.Parameters{NetworkResource: resource, User: &empty, Password: &right}, cim.ErrInvalidParameter},
		"an unknown user":                      {wmiclient.Parameters{NetworkResource: resource, User: &nobody, Password: &right}, cim.ErrAccessDenied},
		"a wrong password":                     {wmiclient.Parameters{NetworkResource: resource, User: &user, Password: &wrong}, cim.ErrAccessDenied},
		"no user":                              {wmiclient.Parameters{NetworkResource: resource}, cim.ErrAccessDenied},
		"a locale that is none (T-17)":         {wmiclient.Parameters{NetworkResource: resource, User: &user, Password: &right, Locale: "EN_US"}, cim.ErrInvalidParameter},
		"an unknown flag":                      {wmiclient.Parameters{NetworkResource: resource, User: &user, Password: &right, SecurityFlags: 1}, cim.ErrInvalidParameter},
		"Kerberos without a realm":             {wmiclient.Parameters{NetworkResource: resource, User: &user, Password: &right, Authority: "Kerberos:host"}, cim.ErrTransportFailure},
		"an authority that is none":            {wmiclient.Parameters{NetworkResource: resource, Authority: "Basic:x"}, cim.ErrInvalidParameter},
		"a resource that is none":              {wmiclient.Parameters{NetworkResource: `\\`}, cim.ErrInvalidParameter},
	} {
		t.Run(name, func(t *testing.T) {
			o := h.options()
			o.Credentials = auth.Credentials{}
			s, err := wmiclient.ConnectServer(within(t), c.p, o)
			if err == nil {
				s.Close()
			}
			if statusOf(t, err) != c.want {
				t.Errorf("%v", err)
			}
		})
	}
	s, err := wmiclient.ConnectServer(within(t), wmiclient.Parameters{NetworkResource: resource, User: &user, Password: &right, Locale: "MS_409", SecurityFlags: wmi.FlagConnectUseMaxWait}, wmiclient.Options{Port: h.port})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil || h.exporter.Len() != 0 {
		t.Errorf("%v; %d objects are left", err, h.exporter.Len())
	}
}

func TestImpersonationLevels(t *testing.T) {
	for level, want := range map[wmi.ImpersonationLevel]cim.Status{
		wmi.ImpersonationAnonymous: cim.ErrAccessDenied, wmi.ImpersonationIdentify: cim.ErrAccessDenied, wmi.ImpersonationDelegate: cim.ErrInvalidParameter,
	} {
		if _, err := wmiclient.New("host", wmiclient.Options{Impersonation: level}); statusOf(t, err) != want {
			t.Errorf("%v: %v", level, err)
		}
		defaults := func() settings.Scripting { return settings.Scripting{ImpersonationLevel: uint32(level)} }
		if _, err := wmiclient.New("host", wmiclient.Options{Defaults: defaults}); statusOf(t, err) != want {
			t.Errorf("%v by default: %v", level, err)
		}
	}
}

func TestDefaultNamespace(t *testing.T) {
	h := newHost(t)
	o := h.options()
	o.Defaults = func() settings.Scripting { return settings.Scripting{ImpersonationLevel: 3, Namespace: `root\second`} }
	c, err := wmiclient.New("127.0.0.1", o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Open(within(t), cim.Caller{}, "", cim.OpenOptions{})
	if err != nil || s.Namespace() != `root\second` || !strings.Contains(h.noted(), "//127.0.0.1/root/second") {
		t.Errorf("%v, %v", s, err)
	}
}

// Every interface is called at the session's level. See spec/wmi.md 1.6.
func TestLevelOfEveryCall(t *testing.T) {
	for level, want := range map[wmi.AuthenticationLevel]dcerpc.Level{
		wmi.AuthenticationDefault: dcerpc.LevelPrivacy, wmi.AuthenticationPktIntegrity: dcerpc.LevelIntegrity, wmi.AuthenticationPktPrivacy: dcerpc.LevelPrivacy,
	} {
		h := newHost(t)
		h.enumerate(things(3), 0)
		o := h.options()
		o.Authentication = level
		s := h.open(t, o)
		if _, err := collect(t, s); err != nil {
			t.Fatal(err)
		}
		if len(h.levels) != 1 || !h.levels[want] {
			t.Errorf("calls at %v are made at %v", level, h.levels)
		}
	}
}

// A session may have another level than the client: C-1.13.
func TestLevelOfASession(t *testing.T) {
	h := newHost(t)
	h.enumerate(things(3), 0)
	s := h.open(t, h.options()).(*wmiclient.Session).At(wmi.AuthenticationPktIntegrity)
	if _, err := s.EnumerateClasses(within(t), "", false); statusOf(t, err) == 0 { // it has logged in
		t.Error("there are no classes here")
	}
	h.mu.Lock()
	clear(h.levels)
	h.mu.Unlock()
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	if len(h.levels) != 1 || !h.levels[dcerpc.LevelIntegrity] {
		t.Errorf("calls are made at %v", h.levels)
	}
	h.mu.Unlock()
	if err := s.Close(); err != nil || h.exporter.Len() != 1 {
		t.Errorf("%v; %d objects are left", err, h.exporter.Len())
	}
}

func TestConnectMoniker(t *testing.T) {
	h := newHost(t)
	m, err := wmi.ParseMoniker(`winmgmts:{impersonationLevel=impersonate,authenticationLevel=pktIntegrity,authority=ntlmdomain:D}[locale=ms_409]!\\127.0.0.1\root\test:Thing`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wmiclient.ConnectMoniker(within(t), m, h.options())
	if err != nil {
		t.Fatal(err)
	}
	if got := h.noted(); !strings.Contains(got, "NTLMLogin //127.0.0.1/root/test ms_409") || !h.levels[dcerpc.LevelIntegrity] {
		t.Errorf("%s at %v", got, h.levels)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	m.Server = ""
	if _, err := wmiclient.ConnectMoniker(within(t), m, h.options()); statusOf(t, err) != cim.ErrLocalCredentials {
		t.Errorf("an authority on this machine: %v", err)
	}
}

// enumerate makes ExecQuery give the objects, with packets after the first delay. Of an enumerator that waits, end is closed when its call ends.
func (h *host) enumerate(list []*cim.Instance, delay time.Duration) {
	on(h.services, wmi.IIDServices, iwbem.OpExecQuery, func(_ context.Context, call *dcom.Call, r *iwbem.ExecQueryRequest) ndr.Marshaler {
		if r.Flags != 0x30 || r.Language.Text != "WQL" {
			h.t.Errorf("ExecQuery with flags %#x in %s", r.Flags, r.Language.Text)
		}
		h.note("ExecQuery " + r.Query.Text)
		e := h.object("enumerator")
		e.methods[wmi.IIDEnumClassObject] = map[uint16]method{}
		at := 0
		on(e, wmi.IIDFetchSmartEnum, iwbem.OpGetSmartEnum, func(_ context.Context, call *dcom.Call, _ *iwbem.GetSmartEnumRequest) ndr.Marshaler {
			smart := h.object("smart enumerator")
			w := h.codec.NewArrayWriter(wmio.PacketNext)
			on(smart, wmi.IIDWCOSmartEnum, iwbem.OpSmartNext, func(ctx context.Context, _ *dcom.Call, r *iwbem.SmartNextRequest) ndr.Marshaler {
				select {
				case <-time.After(delay):
				case <-ctx.Done():
					h.note("cancelled")
				}
				n := min(int(r.Count), len(list)-at)
				buffer, err := w.Append(nil, list[at:at+n])
				if err != nil {
					h.t.Error(err)
				}
				at += n
				out := &iwbem.SmartNextResponse{Returned: uint32(n), Buffer: buffer}
				if n < int(r.Count) {
					out.Result = 1
				}
				return out
			})
			return &iwbem.GetSmartEnumResponse{Ref: h.export(call, smart, wmi.IIDWCOSmartEnum)}
		})
		return &iwbem.ExecQueryResponse{Ref: h.export(call, e, wmi.IIDEnumClassObject)}
	})
}

func collect(t *testing.T, s cim.Session) ([]*cim.Instance, error) {
	t.Helper()
	e, err := s.Query(within(t), "SELECT * FROM Thing", cim.QueryOptions{})
	if err != nil {
		return nil, err
	}
	return cim.Collect(within(t), e)
}

func check(t *testing.T, got []*cim.Instance, want int) {
	t.Helper()
	if len(got) != want {
		t.Fatalf("%d objects of %d", len(got), want)
	}
	for n, i := range got {
		if v, _ := i.Get("Number").Uint(); v != uint64(n) {
			t.Fatalf("object %d is number %d", n, v)
		}
	}
}

func TestPackets(t *testing.T) {
	for _, n := range []int{0, 1, 64, 65, 3000} {
		h := newHost(t)
		h.enumerate(things(n), 0)
		s := h.open(t, h.options())
		got, err := collect(t, s)
		if err != nil {
			t.Fatal(err)
		}
		check(t, got, n)
		s.Close()
		if h.exporter.Len() != 0 {
			t.Errorf("%d objects are left: %s", h.exporter.Len(), h.noted())
		}
	}
}

// When the reader gives up waiting nothing is lost, and the next call goes on.
func TestAReaderThatGivesUpWaiting(t *testing.T) {
	h := newHost(t)
	h.enumerate(things(100), 150*time.Millisecond)
	s := h.open(t, h.options())
	e, err := s.Query(within(t), "SELECT * FROM Thing", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []*cim.Instance
	gaveUp := 0
	for err == nil || gaveUp < 1000 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		var batch []*cim.Instance
		batch, err = e.Next(ctx, 7)
		cancel()
		if len(batch) > 7 {
			t.Fatalf("%d objects at once", len(batch))
		}
		for _, i := range batch {
			got = append(got, i.Clone())
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if statusOf(t, err) != cim.ErrCallCancelled {
				t.Fatal(err)
			}
			gaveUp++
		}
	}
	check(t, got, 100)
	if gaveUp == 0 {
		t.Error("nobody gave up waiting")
	}
}

func TestCloseCancelsTheCall(t *testing.T) {
	h := newHost(t)
	h.enumerate(things(1), time.Minute)
	s := h.open(t, h.options())
	e, err := s.Query(within(t), "SELECT * FROM Thing", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // the call is under way
	begin := time.Now()
	e.Close()
	if took := time.Since(begin); took > 3*time.Second || h.exporter.Len() != 1 {
		t.Errorf("Close took %v, %d objects are left", took, h.exporter.Len())
	}
	if _, err := e.Next(within(t), 0); statusOf(t, err) != cim.ErrCallCancelled {
		t.Errorf("after Close: %v", err)
	}
	if got := h.noted(); !strings.Contains(got, "cancelled") {
		t.Errorf("the host was not told: %s", got)
	}
}

// A host without IWbemFetchSmartEnum answers E_NOINTERFACE, and is not asked again. The end of the results may say that they are partial.
func TestObjectsOneByOne(t *testing.T) {
	h := newHost(t)
	list := things(70)
	on(h.services, wmi.IIDServices, iwbem.OpCreateInstanceEnum, func(_ context.Context, call *dcom.Call, r *iwbem.CreateInstanceEnumRequest) ndr.Marshaler {
		if r.Path.Text != "Thing" || r.Flags != 0x31 {
			t.Errorf("CreateInstanceEnum of %s with flags %#x", r.Path.Text, r.Flags)
		}
		e, at := h.object("enumerator"), 0
		on(e, wmi.IIDEnumClassObject, iwbem.OpNext, func(_ context.Context, _ *dcom.Call, r *iwbem.NextRequest) ndr.Marshaler {
			out := &iwbem.NextResponse{Size: r.Count}
			for n := 0; n < int(r.Count) && at < len(list); n++ {
				out.Objects = append(out.Objects, h.unit(list[at]))
				at++
			}
			if len(out.Objects) < int(r.Count) {
				out.Result = uint32(cim.StatusPartialResults)
			}
			return out
		})
		return &iwbem.CreateInstanceEnumResponse{Ref: h.export(call, e, wmi.IIDEnumClassObject)}
	})
	o := h.options()
	without := 0
	o.Trace = &wmiclient.Trace{Without: func(what string, _ error) {
		if what == "IWbemWCOSmartEnum" {
			without++
		}
	}}
	s := h.open(t, o)
	for range 2 {
		e, err := s.Enumerate(within(t), "Thing", cim.EnumerateOptions{Polymorphism: cim.Shallow})
		if err != nil {
			t.Fatal(err)
		}
		got, err := cim.Collect(within(t), e)
		check(t, got, 70)
		if statusOf(t, err) != cim.StatusPartialResults {
			t.Errorf("the end is %v", err)
		}
	}
	if without != 1 {
		t.Errorf("the host was asked %d times", without)
	}
}

// An error object comes with the error. See spec/wmi.md 4.6.
func TestErrorObjects(t *testing.T) {
	h := newHost(t)
	class := cim.NewClass("__ExtendedStatus", nil).Property("StatusCode", cim.Uint32).Property("Description", cim.String).Build("")
	info := cim.MakeInstance(class, []cim.Value{cim.U32(0x80041002), cim.Str("there is no such thing")})
	on(h.services, wmi.IIDServices, iwbem.OpGetObject, func(context.Context, *dcom.Call, *iwbem.GetObjectRequest) ndr.Marshaler {
		r := &dcom.ObjRef{Kind: dcom.ObjRefCustom, IID: dcom.IIDErrorInfo, CLSID: wmi.CLSIDClassObject, Data: h.unit(info)}
		return &failing{iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: true}, Result: 0x80041002}, r.Append(nil)}
	})
	s := h.open(t, h.options())
	_, err := s.Get(within(t), cim.ObjectPath{Class: "Thing", Keys: []cim.Key{{Name: "Number", Value: cim.U32(7)}}}, cim.GetOptions{})
	var e *cim.Error
	if !errors.As(err, &e) || e.Status != cim.ErrNotFound || !e.Remote || e.Detail != "there is no such thing" || e.Extended == nil || e.Extended.Class().Name != "__ExtendedStatus" {
		t.Errorf("%+v", err)
	}
	if e.Operation != "GetObject" || e.Path != "Thing.Number=7" || e.Namespace != `root\test` {
		t.Errorf("%+v", e)
	}
}

type failing struct {
	iwbem.GetObjectResponse
	info []byte
}

func (f *failing) ErrorInfo() []byte { return f.info }

// Events are asked for one at a time, and those that are there already come with the first.
func TestEvents(t *testing.T) {
	h := newHost(t)
	events := make(chan *cim.Instance, 10)
	on(h.services, wmi.IIDServices, iwbem.OpExecNotificationQuery, func(_ context.Context, call *dcom.Call, r *iwbem.ExecNotificationQueryRequest) ndr.Marshaler {
		if r.Flags != 0x30 {
			t.Errorf("ExecNotificationQuery with flags %#x", r.Flags)
		}
		e := h.object("enumerator")
		on(e, wmi.IIDEnumClassObject, iwbem.OpNext, func(ctx context.Context, _ *dcom.Call, r *iwbem.NextRequest) ndr.Marshaler {
			out := &iwbem.NextResponse{Size: r.Count, Result: uint32(cim.StatusTimedOut)}
			limit := time.After(time.Duration(r.Timeout) * time.Millisecond)
			for len(out.Objects) < int(r.Count) {
				select {
				case i := <-events:
					out.Objects = append(out.Objects, h.unit(i))
					continue
				case <-limit:
				case <-ctx.Done():
				}
				return out
			}
			out.Result = 0
			return out
		})
		return &iwbem.ExecNotificationQueryResponse{Ref: h.export(call, e, wmi.IIDEnumClassObject)}
	})
	s := h.open(t, h.options())
	e, err := s.(cim.Subscriber).Subscribe(within(t), "SELECT * FROM Event", cim.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := e.Next(ctx, 0); statusOf(t, err) != cim.ErrCallCancelled {
		t.Errorf("without an event: %v", err)
	}
	for _, i := range things(5) {
		events <- i
	}
	var got []*cim.Instance
	begin := time.Now()
	for len(got) < 5 {
		batch, err := e.Next(within(t), 0)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, batch...)
	}
	check(t, got, 5)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the events took %v", took)
	}
	if err := s.Close(); err != nil || h.exporter.Len() != 0 {
		t.Errorf("%v; %d objects are left", err, h.exporter.Len())
	}
}

// The host tells the path of what it made by a call result.
func TestCreateWaitsForThePath(t *testing.T) {
	h := newHost(t)
	on(h.services, wmi.IIDServices, iwbem.OpPutInstance, func(_ context.Context, call *dcom.Call, r *iwbem.PutInstanceRequest) ndr.Marshaler {
		if r.Flags != 0x12 || !r.CallResult.Given {
			t.Errorf("PutInstance with flags %#x, %v", r.Flags, r.CallResult)
		}
		result, asked := h.object("call result"), 0
		on(result, wmi.IIDCallResult, iwbem.OpGetResultString, func(context.Context, *dcom.Call, *iwbem.GetResultStringRequest) ndr.Marshaler {
			if asked++; asked == 1 {
				return &iwbem.GetResultStringResponse{Text: iwbem.String{Null: true}, Result: uint32(cim.StatusTimedOut)}
			}
			return &iwbem.GetResultStringResponse{Text: iwbem.String{Text: "Thing.Number=17"}}
		})
		return &iwbem.PutInstanceResponse{CallResult: iwbem.RefSlot{Given: true, Ref: h.export(call, result, wmi.IIDCallResult)}}
	})
	s := h.open(t, h.options())
	p, err := s.Create(within(t), things(1)[0], cim.OperationOptions{})
	if err != nil || p.Relative() != "Thing.Number=17" {
		t.Errorf("%v, %v", p, err)
	}
	if !strings.Contains(h.noted(), "released call result") {
		t.Error("the call result was not given back")
	}
}

// A partial update names its properties in the context. See spec/wmi.md 4.7.
func TestPartialPut(t *testing.T) {
	h := newHost(t)
	on(h.services, wmi.IIDServices, iwbem.OpPutInstance, func(_ context.Context, _ *dcom.Call, r *iwbem.PutInstanceRequest) ndr.Marshaler {
		values, err := r.Context.Values()
		names := values.Get("__PUT_EXT_PROPERTIES").Elems()
		on, _ := values.Get("__PUT_EXTENSIONS").Bool()
		if err != nil || r.Flags != 1 || !on || len(names) != 1 || names[0].String() != "Name" || values.Get("mine").String() != "7" {
			t.Errorf("PutInstance with flags %#x, %v, %v", r.Flags, values, err)
		}
		return &iwbem.PutInstanceResponse{}
	})
	s := h.open(t, h.options())
	o := cim.PutOptions{Properties: []string{"Name"}}
	o.Context = cim.NamedArray{{Name: "mine", Value: cim.S32(7)}}
	if err := s.Put(within(t), things(1)[0], o); err != nil {
		t.Error(err)
	}
}

// The in parameters are made of the method's own signature; the class is asked for once, and again where it does not fit.
func TestInvokeKeepsTheClass(t *testing.T) {
	h := newHost(t)
	class := func(parameter string) *cim.Class {
		return cim.NewClass("Machine", nil).Property("Name", cim.String).
			Method("Run", cim.Uint32, cim.In(parameter, cim.String)).Build(`root\test`)
	}
	current := class("Line")
	on(h.services, wmi.IIDServices, iwbem.OpGetObject, func(_ context.Context, _ *dcom.Call, r *iwbem.GetObjectRequest) ndr.Marshaler {
		h.note("GetObject " + r.Path.Text)
		return &iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: true, Object: h.unit(cim.ClassObject(current))}}
	})
	on(h.services, wmi.IIDServices, iwbem.OpExecMethod, func(_ context.Context, _ *dcom.Call, r *iwbem.ExecMethodRequest) ndr.Marshaler {
		in, _, err := h.codec.Decode(r.InParams)
		if err != nil || in.Class().Name != "__PARAMETERS" {
			t.Errorf("%v, %v", in, err)
		}
		h.note(r.Path.Text + " " + r.Method.Text + " " + wmio.Arguments(in)[0].Value.String())
		out, err := h.codec.OutParams(current, "Run", cim.Result{ReturnValue: cim.U32(9)})
		if err != nil {
			t.Error(err)
		}
		return &iwbem.ExecMethodResponse{Object: iwbem.ObjectSlot{Given: true, Object: h.unit(out)}}
	})
	s := h.open(t, h.options())
	h.noted()
	run := func(parameter, value string) {
		r, err := s.Invoke(within(t), cim.ObjectPath{Class: "Machine"}, "run", cim.Arguments{{Name: parameter, Value: cim.Str(value)}}, cim.OperationOptions{})
		if n, _ := r.ReturnValue.Uint(); err != nil || n != 9 {
			t.Errorf("%v, %v", r, err)
		}
	}
	run("Line", "a")
	run("Line", "b")
	current = class("Text")
	run("Text", "c")
	if got := h.noted(); got != "GetObject Machine, Machine run a, Machine run b, GetObject Machine, Machine run c" {
		t.Errorf("the calls were %s", got)
	}
	_, err := s.Invoke(within(t), cim.ObjectPath{Class: "Machine"}, "Walk", nil, cim.OperationOptions{})
	if statusOf(t, err) != cim.ErrInvalidMethod {
		t.Errorf("a method that is not there: %v", err)
	}
}

func TestQueriesOfAssociators(t *testing.T) {
	h := newHost(t)
	h.enumerate(nil, 0)
	s := h.open(t, h.options())
	h.noted()
	source := cim.ObjectPath{Class: "Thing", Keys: []cim.Key{{Name: "Number", Value: cim.U32(7)}}}
	for _, c := range []struct {
		list func(context.Context, cim.ObjectPath, cim.AssociatorOptions) (cim.Enumerator, error)
		o    cim.AssociatorOptions
		want string
	}{
		{s.Associators, cim.AssociatorOptions{}, "ASSOCIATORS OF {Thing.Number=7}"},
		{
			s.Associators, cim.AssociatorOptions{AssocClass: "A", ResultClass: "R", Role: "P", ResultRole: "Q"},
			"ASSOCIATORS OF {Thing.Number=7} WHERE AssocClass=A ResultClass=R Role=P ResultRole=Q",
		},
		{s.References, cim.AssociatorOptions{ResultClass: "R", Role: "P"}, "REFERENCES OF {Thing.Number=7} WHERE ResultClass=R Role=P"},
	} {
		e, err := c.list(within(t), source, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cim.Collect(within(t), e); err != nil {
			t.Error(err)
		}
		if got := h.noted(); !strings.HasPrefix(got, "ExecQuery "+c.want+",") {
			t.Errorf("asked for %s", got)
		}
	}
	if _, err := s.Associators(within(t), source, cim.AssociatorOptions{Role: "A ResultClass=B"}); statusOf(t, err) != cim.ErrInvalidParameter {
		t.Errorf("a role that is no name: %v", err)
	}
}

func TestTimeouts(t *testing.T) {
	h := newHost(t)
	on(h.services, wmi.IIDServices, iwbem.OpGetObject, func(ctx context.Context, _ *dcom.Call, _ *iwbem.GetObjectRequest) ndr.Marshaler {
		<-ctx.Done()
		return &iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: true}, Result: uint32(cim.ErrCallCancelled)}
	})
	s := h.open(t, h.options())
	o := cim.GetOptions{}
	o.Timeout = 50 * time.Millisecond
	if _, err := s.GetClass(within(t), "Thing", o); statusOf(t, err) != cim.ErrTimedOut || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.GetClass(ctx, "Thing", cim.GetOptions{}); statusOf(t, err) != cim.ErrCallCancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

// After a restart of the host's service its objects are gone: the session logs in again, once for each that is missed.
func TestLoginAgain(t *testing.T) {
	h := newHost(t)
	h.enumerate(things(3), 0)
	s := h.open(t, h.options())
	for range 2 {
		h.noted()
		h.exporter.Revoke(h.oid("services"))
		got, err := collect(t, s)
		if err != nil {
			t.Fatal(err)
		}
		check(t, got, 3)
		if n := strings.Count(h.noted(), "NTLMLogin"); n != 1 {
			t.Errorf("%d logins", n)
		}
	}
	h.exporter.Close()
	if _, err := collect(t, s); statusOf(t, err) != cim.ErrTransportFailure {
		t.Errorf("a host without WMI: %v", err)
	}
}

// T-11: a host that takes the connection and says nothing is given up after two minutes.
func TestMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends []net.Conn
		o := wmiclient.Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go io.Copy(io.Discard, far) //nolint:errcheck // it ends with the pipe
			ends = append(ends, far)
			return near, nil
		}}
		user, secret := "bob", password
		begin := time.Now()
		_, err := wmiclient.ConnectServer(t.Context(), wmiclient.Parameters{NetworkResource: `\\host\root`, User: &user, Password: &secret, SecurityFlags: wmi.FlagConnectUseMaxWait}, o)
		if took := time.Since(begin); statusOf(t, err) != cim.ErrTransportFailure || took > 121*time.Second || took < 119*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		for _, c := range ends {
			c.Close()
		}
	})
}

func TestTrace(t *testing.T) {
	h := newHost(t)
	h.enumerate(things(3), 0)
	var mu sync.Mutex
	var seen []string
	add := func(what string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			what += " failed"
		}
		seen = append(seen, what)
	}
	o := h.options()
	o.Trace = &wmiclient.Trace{
		RPC:       &dcerpc.Trace{Connected: func(_ string, err error) { add("connected", err) }},
		Activated: func(host string, err error) { add("activated "+host, err) },
		LoggedIn:  func(resource string, err error) { add("login "+resource, err) },
		Called: func(method string, result uint32, took time.Duration, err error) {
			if took <= 0 {
				t.Errorf("%s took %v", method, took)
			}
			add(method+" "+strconv.Itoa(int(result)), err)
		},
	}
	s := h.open(t, o)
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	got := strings.Join(seen, ", ")
	for _, want := range []string{
		"connected", "activated 127.0.0.1", "IWbemLevel1Login::NTLMLogin 0, login //127.0.0.1/root/test", "IWbemServices::ExecQuery 0", "IWbemFetchSmartEnum::GetSmartEnum 0",
		"IWbemWCOSmartEnum::Next 1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	h := newHost(t)
	h.enumerate(things(200), 0)
	s := h.open(t, h.options())
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			got, err := collect(t, s)
			if err != nil || len(got) != 200 {
				t.Errorf("%d objects, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil || h.exporter.Len() != 0 {
		t.Errorf("%v; %d objects are left", err, h.exporter.Len())
	}
}

// Nothing outlives the client, whatever is under way.
func TestCloseEndsEverything(t *testing.T) {
	h := newHost(t)
	h.enumerate(things(1), time.Minute)
	c, err := wmiclient.New("127.0.0.1", h.options())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s, err := c.Open(within(t), cim.Caller{}, "root/test", cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Query(within(t), "SELECT * FROM Thing", cim.QueryOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond) // the calls are under way
	begin := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 5*time.Second || h.exporter.Len() != 0 {
		t.Errorf("Close took %v, %d objects are left", took, h.exporter.Len())
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if strings.Contains(string(stacks), "wmiclient.(") {
		t.Errorf("something goes on:\n%s", stacks)
	}
	if _, err := c.Open(within(t), cim.Caller{}, "root/test", cim.OpenOptions{}); statusOf(t, err) != cim.ErrShuttingDown {
		t.Errorf("after Close: %v", err)
	}
}
