package wmiserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// start begins an asynchronous method.
func (p *peer) start(s *dcom.ObjRef, opnum uint16, in ndr.Marshaler) uint32 {
	p.t.Helper()
	var out iwbem.StatusResponse
	p.call(s, wmi.IIDServices, opnum, in, &out)
	return out.Result
}

func (p *peer) queryAsync(s *dcom.ObjRef, query string, sink *testSink) uint32 {
	p.t.Helper()
	return p.start(s, iwbem.OpExecQueryAsync, &iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text(query), Sink: sink.ref})
}

func (p *peer) stop(s *dcom.ObjRef, sink *dcom.ObjRef) uint32 {
	p.t.Helper()
	return p.start(s, iwbem.OpCancelAsyncCall, &iwbem.CancelAsyncCallRequest{Sink: sink})
}

// final is the one SetStatus that a sink got, T-26.
func (s *testSink) final(t testing.TB) iwbem.SetStatusRequest {
	t.Helper()
	s.wait(t)
	if len(s.statuses) != 1 || s.releases != 1 || s.statuses[0].Flags != wmi.StatusComplete {
		t.Fatalf("%d final statuses, %d releases, %+v", len(s.statuses), s.releases, s.statuses)
	}
	return s.statuses[0]
}

// T-26 and the results of every asynchronous method.
func TestAsync(t *testing.T) {
	p := newPeer(t, Options{Callbacks: anonymous})
	s := p.login(cimtest.Namespace)
	class := cim.NewClass("Test_Async", nil).Key("ID", cim.String).Build("")
	instance := cim.NewInstance(class)
	_ = instance.Set("ID", cim.Str("x"))
	path := func(text1 string) func(*testSink) ndr.Marshaler {
		return func(k *testSink) ndr.Marshaler { return &iwbem.PathAsyncRequest{Path: text(text1), Sink: k.ref} }
	}
	put := func(i *cim.Instance) func(*testSink) ndr.Marshaler {
		return func(k *testSink) ndr.Marshaler { return &iwbem.PutAsyncRequest{Object: p.encode(i), Sink: k.ref} }
	}
	for n, c := range []struct {
		name    string
		opnum   uint16
		in      func(*testSink) ndr.Marshaler
		status  cim.Status
		objects int
		text    string
	}{
		{"GetObjectAsync", iwbem.OpGetObjectAsync, path(`CT_Part.ID="p1"`), 0, 1, ""},
		{"GetObjectAsync of nothing", iwbem.OpGetObjectAsync, path(`CT_Part.ID="none"`), cim.ErrNotFound, 0, ""},
		{"CreateInstanceEnumAsync", iwbem.OpCreateInstanceEnumAsync, path("CT_Number"), 0, cimtest.Numbers, ""},
		{"CreateInstanceEnumAsync of nothing", iwbem.OpCreateInstanceEnumAsync, path("CT_Nothing"), cim.ErrInvalidClass, 0, ""},
		{"CreateClassEnumAsync", iwbem.OpCreateClassEnumAsync, path("CT_Element"), 0, 4, ""},
		{"ExecQueryAsync", iwbem.OpExecQueryAsync, func(k *testSink) ndr.Marshaler {
			return &iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text("SELECT * FROM CT_Part"), Flags: wmi.FlagSendStatus, Sink: k.ref}
		}, 0, 3, ""},
		{"PutClassAsync", iwbem.OpPutClassAsync, put(cim.ClassObject(class)), 0, 0, ""},
		{"PutInstanceAsync", iwbem.OpPutInstanceAsync, put(instance), 0, 0, `Test_Async.ID="x"`},
		{"DeleteInstanceAsync", iwbem.OpDeleteInstanceAsync, path(`Test_Async.ID="x"`), 0, 0, ""},
		{"DeleteClassAsync", iwbem.OpDeleteClassAsync, path("Test_Async"), 0, 0, ""},
		{"ExecMethodAsync", iwbem.OpExecMethodAsync, func(k *testSink) ndr.Marshaler {
			return &iwbem.ExecMethodAsyncRequest{Path: text("CT_Only=@"), Method: text("Touch"), Sink: k.ref}
		}, 0, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink := p.sinks.new(uint64(n + 1))
			want(t, c.name, p.start(s, c.opnum, c.in(sink)), 0)
			got := sink.final(t)
			want(t, "SetStatus", got.Status, c.status)
			if len(sink.objects) != c.objects || got.Text.Text != c.text || got.Text.Null != (c.text == "") {
				t.Errorf("%d objects, the text %+v", len(sink.objects), got.Text)
			}
			if (got.Object != nil) != (c.status != 0) {
				t.Fatalf("an error object: %v", got.Object != nil)
			}
			if c.status != 0 {
				if e := p.decode(got.Object); !e.Class().IsA("__ExtendedStatus") || !e.Get("StatusCode").Equal(cim.U32(uint32(c.status))) {
					t.Errorf("the error object: %v", e)
				}
			}
			for _, b := range sink.batches {
				if b == 0 || b > sinkBatch {
					t.Errorf("a batch of %d", b)
				}
			}
			if c.objects == cimtest.Numbers && len(sink.batches) > 20 {
				t.Errorf("%d objects in %d batches", c.objects, len(sink.batches))
			}
		})
	}
	p.idle()
}

// T-24, T-25: an operation that does not begin neither calls the sink nor keeps it.
func TestAsyncThatDoesNotBegin(t *testing.T) {
	p := newPeer(t, Options{Callbacks: anonymous, Limits: Limits{MaxRequestsPerUser: 1}})
	s := p.login(cimtest.Namespace)
	sink := p.sinks.new(1)
	custom := &dcom.ObjRef{Kind: dcom.ObjRefCustom, IID: wmi.IIDObjectSink, Data: []byte("x")}
	other := &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: wmi.IIDServices, Std: sink.ref.Std}
	for name, c := range map[string]struct {
		in   iwbem.ExecQueryAsyncRequest
		want cim.Status
	}{
		"T-24: no sink":      {iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text(allNumbers)}, cim.ErrInvalidParameter},
		"a sink by value":    {iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text(allNumbers), Sink: custom}, cim.ErrInvalidParameter},
		"another interface":  {iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text(allNumbers), Sink: other}, cim.ErrInvalidParameter},
		"another language":   {iwbem.ExecQueryAsyncRequest{Language: text("SQL"), Query: text(allNumbers), Sink: sink.ref}, cim.ErrInvalidQueryType},
		"a flag":             {iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text(allNumbers), Flags: 0x10, Sink: sink.ref}, cim.ErrInvalidParameter},
		"no query":           {iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text("SELECT FROM"), Sink: sink.ref}, cim.ErrInvalidQuery},
		"a query too long":   {iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text(strings.Repeat("x", maxQuery+1)), Sink: sink.ref}, cim.ErrQuotaViolation},
		"a call from nobody": {iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text(allNumbers), Sink: sink.ref}, cim.ErrInvalidParameter},
	} {
		q := p
		if name == "a call from nobody" {
			c := p.caller
			c.Address = ""
			q = p.as(c)
		}
		want(t, name, q.start(s, iwbem.OpExecQueryAsync, &c.in), c.want)
	}
	e := p.query(s, allNumbers, wmi.FlagReturnImmediately)
	want(t, "too many operations", p.queryAsync(s, allNumbers, sink), cim.ErrQuotaViolation)
	p.release(e)
	if p.sinks.dials > 0 || len(sink.statuses)+len(sink.objects)+sink.releases > 0 || len(p.server.calls.calls) > 0 {
		t.Errorf("the sink was dialled %d times: %+v", p.sinks.dials, sink)
	}
	if n := p.server.ledger.outstanding(); n != 0 {
		t.Errorf("%d operations are outstanding", n)
	}
}

// logged is what a server writes to its log.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// idle waits until no asynchronous operation is under way.
func (p *peer) idle() {
	p.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if p.server.ledger.outstanding() == 0 {
			return
		}
	}
	p.t.Fatal("operations are still under way")
}

// T-27, T-28, T-29: how a sink is called. The operation is cancelled where it cannot be, and the log says why.
func TestCallbackRule(t *testing.T) {
	has := func(string, string) (auth.Initiator, error) { return nil, nil }
	yes, no := func() bool { return true }, func() bool { return false }
	privacy, none := manner{true, cim.ProtectionPktPrivacy}, manner{false, cim.ProtectionNone}
	for name, c := range map[string]struct {
		callbacks Callbacks
		broken    bool // authentication fails
		want      []manner
		objects   int
		stage     string
	}{
		"T-29: nothing is permitted":      {Callbacks{Anonymous: no}, false, nil, 0, stagePolicy},
		"by default nothing is":           {Callbacks{}, false, nil, 0, stagePolicy},
		"T-28: anonymous":                 {Callbacks{Anonymous: yes}, false, []manner{none}, 3, ""},
		"T-27: the identity first":        {Callbacks{Identity: has, Anonymous: yes}, false, []manner{privacy}, 3, ""},
		"T-28: then anonymous":            {Callbacks{Identity: has, Anonymous: yes}, true, []manner{privacy, none}, 3, ""},
		"T-28: not where it is forbidden": {Callbacks{Identity: has, Anonymous: no}, true, []manner{privacy}, 0, stageDenied},
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			p := newPeer(t, Options{Callbacks: c.callbacks, Logger: log.logger()})
			sink := p.sinks.new(1)
			if c.broken {
				sink.answer = func(uint16) (uint32, error) {
					if len(sink.manners) == 1 {
						return 0, &deadSink{stageDenied, errors.New("who are you")}
					}
					return 0, nil
				}
			}
			want(t, "ExecQueryAsync", p.queryAsync(p.login(cimtest.Namespace), "SELECT * FROM CT_Part", sink), 0)
			p.idle()
			if len(sink.manners) != len(c.want) || len(sink.objects) != c.objects {
				t.Fatalf("%d attempts, want %d; %d objects", len(sink.manners), len(c.want), len(sink.objects))
			}
			for n, m := range sink.manners {
				if m != c.want[n] {
					t.Errorf("attempt %d: %+v, want %+v", n, m, c.want[n])
				}
			}
			if said := strings.Contains(log.String(), "is cancelled"); said != (c.stage != "") || !strings.Contains(log.String(), c.stage) {
				t.Errorf("the log: %s", log.String())
			}
			if c.stage != "" && len(sink.statuses) > 0 {
				t.Error("the sink got a status")
			}
		})
	}
}

// T-30: no operation begins in an encrypted namespace whose results could not come back encrypted.
func TestCallbackIntoEncryptedNamespace(t *testing.T) {
	identity := func(string, string) (auth.Initiator, error) { return nil, nil }
	for _, c := range []struct {
		callbacks Callbacks
		want      cim.Status
	}{{anonymous, cim.ErrAccessDenied}, {Callbacks{}, cim.ErrAccessDenied}, {Callbacks{Identity: identity, Anonymous: anonymous.Anonymous}, 0}} {
		var log logged
		p := newPeer(t, Options{Callbacks: c.callbacks, Logger: log.logger()})
		sink := p.sinks.new(1)
		want(t, "ExecQueryAsync", p.queryAsync(p.login(`root\secret`), "SELECT * FROM __SystemClass", sink), c.want)
		p.idle()
		if said := strings.Contains(log.String(), "event=5606"); said != (c.want != 0) {
			t.Errorf("the log: %s", log.String())
		}
		if c.want != 0 && p.sinks.dials > 0 {
			t.Error("the sink was dialled")
		}
		if c.want == 0 {
			// no step down to nothing, where the identity is not believed
			sink := p.sinks.new(2)
			sink.answer = func(uint16) (uint32, error) { return 0, &deadSink{stageDenied, errors.New("who are you")} }
			want(t, "ExecQueryAsync", p.queryAsync(p.login(`root\secret`), "SELECT * FROM __SystemClass", sink), 0)
			p.idle()
			if len(sink.manners) != 1 || !sink.manners[0].identity {
				t.Errorf("attempts: %+v", sink.manners)
			}
		}
	}
}

// T-31: CancelAsyncCall. The sink is released before it answers.
func TestCancelAsyncCall(t *testing.T) {
	g := newGate()
	p := newPeer(t, Options{Opener: manager(t, g), Callbacks: anonymous})
	s := p.login(cimtest.Namespace)
	sink := p.sinks.new(1)
	want(t, "ExecQueryAsync", p.queryAsync(s, "SELECT * FROM Test_Slow", sink), 0)
	g.let <- 2
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		sink.mu.Lock()
		n := len(sink.objects)
		sink.mu.Unlock()
		if n == 2 {
			break
		}
	}
	want(t, "no sink", p.stop(s, nil), cim.ErrInvalidParameter)
	want(t, "another sink", p.stop(s, p.sinks.new(2).ref), cim.ErrNotFound)
	stranger := p.caller
	stranger.Token = token()
	stranger.Token.User = mustSID("S-1-5-21-1-2-3-1002")
	if err := p.server.calls.stop(sinkKey{ownerOf(stranger), sink.ref.Std.OXID, sink.ref.Std.OID}); cim.StatusOf(err) != cim.ErrNotFound {
		t.Errorf("a stranger cancels: %v", err)
	}
	again := *sink.ref // the same sink, marshalled again
	want(t, "CancelAsyncCall", p.stop(s, &again), 0)
	select {
	case <-sink.done:
	default:
		t.Error("T-31: the sink is not released")
	}
	if got := sink.final(t); got.Status != uint32(cim.ErrCallCancelled) {
		t.Errorf("the result: %#x", got.Status)
	}
	select {
	case <-g.ended:
	case <-time.After(5 * time.Second):
		t.Error("the provider is not told")
	}
	want(t, "CancelAsyncCall again", p.stop(s, sink.ref), cim.ErrNotFound)
	p.idle()
}

// CancelAsyncCall does not wait for a client that does not answer.
func TestCancelOfADeadSink(t *testing.T) {
	p := newPeer(t, Options{Callbacks: anonymous})
	s := p.login(cimtest.Namespace)
	sink := p.sinks.new(1)
	called := make(chan struct{}, 8)
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	hang := hangingSink{sink, called, never}
	p.server.dial = func(context.Context, *dcom.ObjRef, string, manner) (proxy, error) { return hang, nil }
	want(t, "ExecQueryAsync", p.queryAsync(s, allNumbers, sink), 0)
	<-called
	begun := time.Now()
	want(t, "CancelAsyncCall", p.stop(s, sink.ref), 0)
	if took := time.Since(begun); took > cancelTimer+time.Second {
		t.Errorf("it took %v", took)
	}
	p.idle()
}

// hangingSink answers no call.
type hangingSink struct {
	*testSink
	called chan struct{}
	never  chan struct{}
}

func (h hangingSink) call(ctx context.Context, _ uint16, _ ndr.Marshaler, _ ndr.Unmarshaler) error {
	h.called <- struct{}{}
	select {
	case <-ctx.Done():
	case <-h.never:
	}
	return ctx.Err()
}

// T-34: what a sink's failures do.
func TestSinkFailures(t *testing.T) {
	for name, c := range map[string]struct {
		answer   func(opnum uint16) (uint32, error)
		stage    string
		statuses int
		released int
	}{
		"T-34: Indicate answers a failure": {func(opnum uint16) (uint32, error) {
			if opnum == iwbem.OpIndicate {
				return 0x80004005, nil
			}
			return 0, nil
		}, stageRefused, 1, 1},
		"the connection breaks": {func(uint16) (uint32, error) { return 0, errors.New("broken") }, stageCall, 0, 0},
		"the sink is nowhere":   {nil, stageDial, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			g := newGate()
			p := newPeer(t, Options{Opener: manager(t, g), Callbacks: anonymous, Logger: log.logger()})
			sink := p.sinks.new(1)
			if sink.answer = c.answer; c.stage == stageDial {
				sink.ref.Std.OID = 99
			}
			g.let <- 1
			want(t, "ExecQueryAsync", p.queryAsync(p.login(cimtest.Namespace), "SELECT * FROM Test_Slow", sink), 0)
			p.idle()
			if c.stage != stageDial { // else it does not begin
				select {
				case <-g.ended:
				case <-time.After(5 * time.Second):
					t.Error("the operation is not cancelled")
				}
			}
			if len(sink.statuses) != c.statuses || c.statuses == 1 && sink.statuses[0].Status != uint32(cim.ErrCallCancelled) {
				t.Errorf("statuses: %+v", sink.statuses)
			}
			if sink.releases != c.released {
				t.Errorf("%d releases, want %d", sink.releases, c.released)
			}
			if !strings.Contains(log.String(), c.stage) {
				t.Errorf("the log does not say %q: %s", c.stage, log.String())
			}
		})
	}
}

// T-32: after WBEM_S_NEW_STYLE the plain form, which every sink must take.
func TestNewStyleSink(t *testing.T) {
	p := newPeer(t, Options{Callbacks: anonymous})
	sink := p.sinks.new(1)
	sink.answer = func(opnum uint16) (uint32, error) {
		if opnum == iwbem.OpIndicate {
			return 0x400FF, nil
		}
		return 0, nil
	}
	want(t, "ExecQueryAsync", p.queryAsync(p.login(cimtest.Namespace), allNumbers, sink), 0)
	want(t, "SetStatus", sink.final(t).Status, 0)
	if len(sink.batches) < 2 || len(sink.objects) != cimtest.Numbers {
		t.Fatalf("%d objects in %d batches", len(sink.objects), len(sink.batches))
	}
	for n, unit := range sink.objects {
		if got, _ := p.decode(unit).Get("N").Uint(); got != uint64(n) {
			t.Fatalf("object %d is %d", n, got)
		}
	}
}

// NextAsync: so many objects, WBEM_S_FALSE at the end, then the next ones.
func TestNextAsync(t *testing.T) {
	p := newPeer(t, Options{Callbacks: anonymous})
	s := p.login(cimtest.Namespace)
	e := p.query(s, allNumbers, wmi.FlagReturnImmediately)
	at := 0
	for n, c := range []struct {
		count, objects int
		status         uint32
	}{{150, 150, 0}, {150, 150, 0}, {5, 0, 1}} {
		sink := p.sinks.new(uint64(n + 1))
		want(t, "NextAsync", p.enumStatus(e, iwbem.OpNextAsync, &iwbem.NextAsyncRequest{Count: uint32(c.count), Sink: sink.ref}), 0)
		if got := sink.final(t); got.Status != c.status {
			t.Errorf("SetStatus: %#x, want %#x", got.Status, c.status)
		}
		var list []*cim.Instance
		for _, unit := range sink.objects {
			list = append(list, p.decode(unit))
		}
		inOrder(t, "NextAsync", list, at, at+c.objects)
		at += c.objects
	}
	sink := p.sinks.new(9)
	if code := p.enumStatus(e, iwbem.OpNextAsync, &iwbem.NextAsyncRequest{Sink: sink.ref}); code != 1 {
		t.Errorf("NextAsync(0): %#x", code)
	}
	want(t, "NextAsync without a sink", p.enumStatus(e, iwbem.OpNextAsync, &iwbem.NextAsyncRequest{Count: 1}), cim.ErrInvalidParameter)
	if sink.releases > 0 {
		t.Error("the sink was called")
	}
	e = p.query(s, "SELECT * FROM CT_Nothing", wmi.FlagReturnImmediately)
	sink = p.sinks.new(10)
	want(t, "NextAsync", p.enumStatus(e, iwbem.OpNextAsync, &iwbem.NextAsyncRequest{Count: 1, Sink: sink.ref}), 0)
	want(t, "SetStatus", sink.final(t).Status, cim.ErrInvalidClass)
}

// Events into a sink, until it is cancelled; pushed by the client, through the sink of the service.
func TestEventsIntoASink(t *testing.T) {
	p := newPeer(t, Options{Callbacks: anonymous})
	s := p.login(`root\cimv2`)
	class := cim.NewClass("Test_Event", eventBase(p, s)).Property("Text", cim.String).Build("")
	var put iwbem.PutClassResponse
	p.call(s, wmi.IIDServices, iwbem.OpPutClass, &iwbem.PutClassRequest{Object: p.encode(cim.ClassObject(class))}, &put)
	want(t, "PutClass", put.Result, 0)
	sink := p.sinks.new(1)
	want(t, "ExecNotificationQueryAsync", p.start(s, iwbem.OpExecNotificationQueryAsync, &iwbem.ExecNotificationQueryAsyncRequest{
		Language: text("WQL"), Query: text("SELECT * FROM Test_Event"), Sink: sink.ref,
	}), 0)
	var into iwbem.QueryObjectSinkResponse
	p.call(s, wmi.IIDServices, iwbem.OpQueryObjectSink, &iwbem.QueryObjectSinkRequest{}, &into)
	want(t, "QueryObjectSink", into.Result, 0)
	indicate := func(i *cim.Instance) uint32 {
		var out iwbem.IndicateResponse
		p.call(into.Ref, wmi.IIDObjectSink, iwbem.OpIndicate, &iwbem.IndicateRequest{Objects: []iwbem.ClassObject{p.encode(i)}}, &out)
		return out.Result
	}
	event := cim.NewInstance(p.decode(p.get(s, text("Test_Event"), 0).Object.Object).Class())
	_ = event.Set("Text", cim.Str("hello"))
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		want(t, "Indicate", indicate(event), 0)
		sink.mu.Lock()
		n := len(sink.objects)
		sink.mu.Unlock()
		if n > 0 {
			break
		}
	}
	if len(sink.statuses) > 0 {
		t.Error("a status before the end")
	}
	want(t, "Indicate of no event", indicate(p.decode(p.get(s, text(`Win32_LogicalDisk.DeviceID="C:"`), 0).Object.Object)), cim.ErrNotEventClass)
	for flags, status := range map[uint32]cim.Status{0: 0, 2: 0, 1: cim.ErrInvalidParameter, 3: cim.ErrInvalidParameter} {
		var out iwbem.SetStatusResponse
		p.call(into.Ref, wmi.IIDObjectSink, iwbem.OpSetStatus, &iwbem.SetStatusRequest{Flags: flags, Text: null}, &out)
		want(t, "T-33: SetStatus", out.Result, status)
	}
	want(t, "CancelAsyncCall", p.stop(s, sink.ref), 0)
	want(t, "SetStatus", sink.final(t).Status, cim.ErrCallCancelled)
	if got := p.decode(sink.objects[0]); !got.Get("Text").Equal(cim.Str("hello")) {
		t.Errorf("the event: %v", got)
	}
}

func eventBase(p *peer, s *dcom.ObjRef) *cim.Class {
	p.t.Helper()
	return p.decode(p.get(s, text("__ExtrinsicEvent"), 0).Object.Object).Class()
}

// Close ends what is under way, and tells sinks.
func TestCloseTellsSinks(t *testing.T) {
	g := newGate()
	p := newPeer(t, Options{Opener: manager(t, g), Callbacks: anonymous})
	sink := p.sinks.new(1)
	want(t, "ExecQueryAsync", p.queryAsync(p.login(cimtest.Namespace), "SELECT * FROM Test_Slow", sink), 0)
	time.Sleep(20 * time.Millisecond)
	p.server.Close()
	want(t, "SetStatus", sink.final(t).Status, cim.ErrShuttingDown)
}
