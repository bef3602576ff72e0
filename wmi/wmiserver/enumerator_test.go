package wmiserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

func numbers(list []*cim.Instance) (out []uint64) {
	for _, i := range list {
		n, _ := i.Get("N").Uint()
		out = append(out, n)
	}
	return out
}

// inOrder checks that objects are numbered from..to-1.
func inOrder(t *testing.T, what string, list []*cim.Instance, from, to int) {
	t.Helper()
	got := numbers(list)
	ok := len(got) == to-from
	for n := 0; ok && n < len(got); n++ {
		ok = got[n] == uint64(from+n)
	}
	if !ok {
		t.Errorf("%s: %v, want %d to %d", what, got, from, to-1)
	}
}

const allNumbers = "SELECT * FROM CT_Number"

// The ways in which an enumerator can be made.
var enumFlags = map[string]uint32{
	"synchronous": 0, "synchronous, forward only": wmi.FlagForwardOnly, "semisynchronous": wmi.FlagReturnImmediately, "semisynchronous, forward only": wmi.FlagReturnImmediately | wmi.FlagForwardOnly,
}

// T-36, T-37 and T-50.
func TestNextResults(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	for name, flags := range enumFlags {
		t.Run(name, func(t *testing.T) {
			e := p.query(s, "SELECT * FROM CT_Part", flags)
			if list, code := p.next(e, -1, 10); len(list) != 3 || code != 1 {
				t.Errorf("T-36: Next(10) on 3: %d, %#x", len(list), code)
			}
			e = p.query(s, "SELECT * FROM CT_Part", flags)
			if list, code := p.next(e, -1, 3); len(list) != 3 || code != 0 {
				t.Errorf("T-37: Next(3) on 3: %d, %#x", len(list), code)
			}
			for range 2 {
				if list, code := p.next(e, -1, 3); len(list) != 0 || code != 1 {
					t.Errorf("after the end: %d, %#x", len(list), code)
				}
			}
			e = p.query(s, "SELECT * FROM CT_Part WHERE ID='none'", flags)
			if list, code := p.next(e, -1, 3); len(list) != 0 || code != 1 {
				t.Errorf("T-50: an empty result: %d, %#x", len(list), code)
			}
			e = p.query(s, allNumbers, flags)
			all, code := p.next(e, -1, cimtest.Numbers)
			inOrder(t, "all in one call", all, 0, cimtest.Numbers)
			want(t, "all in one call", code, 0)
		})
	}
}

// T-38, T-43: a provider that has nothing, and one whose client goes away.
func TestNextTimeouts(t *testing.T) {
	g := newGate()
	p := newPeer(t, Options{Opener: manager(t, g)})
	s := p.login(cimtest.Namespace)
	e := p.query(s, "SELECT * FROM Test_Slow", wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
	if list, code := p.next(e, 0, 1); len(list) != 0 || code != resultTimedOut {
		t.Errorf("T-38: Next(0): %d, %#x", len(list), code)
	}
	g.let <- 2
	if list, code := p.next(e, 200, 3); len(list) != 2 || code != resultTimedOut {
		t.Errorf("Next(200 ms, 3) with 2 there: %d, %#x", len(list), code)
	}
	g.let <- 3
	if list, code := p.next(e, -1, 3); code != 0 {
		t.Errorf("Next(infinite, 3): %#x", code)
	} else {
		inOrder(t, "the rest", list, 2, 5)
	}
	before := p.server.ledger.outstanding()
	p.release(e)
	select {
	case <-g.ended:
	case <-time.After(5 * time.Second):
		t.Error("T-43: the provider is not told")
	}
	if after := p.server.ledger.outstanding(); after != before-1 {
		t.Errorf("T-43: %d operations are outstanding, before %d", after, before)
	}
}

// T-43 while a call waits: the release ends it.
func TestReleaseDuringNext(t *testing.T) {
	g := newGate()
	p := newPeer(t, Options{Opener: manager(t, g)})
	e := p.query(p.login(cimtest.Namespace), "SELECT * FROM Test_Slow", wmi.FlagReturnImmediately)
	answered := make(chan uint32)
	go func() {
		var out iwbem.NextResponse
		if err := p.as(p.caller).try(t.Context(), e, wmi.IIDEnumClassObject, iwbem.OpNext, &iwbem.NextRequest{Timeout: iwbem.Forever, Count: 1}, &out); err != nil {
			t.Error(err)
		}
		answered <- out.Result
	}()
	time.Sleep(50 * time.Millisecond)
	p.release(e)
	select {
	case code := <-answered:
		if !failed(code) && code != resultFalse {
			t.Errorf("Next: %#x", code)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Next goes on waiting")
	}
}

func (p *peer) enumStatus(e *dcom.ObjRef, opnum uint16, in ndr.Marshaler) uint32 {
	p.t.Helper()
	var out iwbem.StatusResponse
	p.call(e, wmi.IIDEnumClassObject, opnum, in, &out)
	return out.Result
}

// T-39, T-40, T-41.
func TestResetCloneSkip(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	for name, flags := range enumFlags {
		t.Run(name, func(t *testing.T) {
			e := p.query(s, allNumbers, flags)
			list, _ := p.next(e, -1, 3)
			inOrder(t, "first", list, 0, 3)
			var clone iwbem.CloneResponse
			p.call(e, wmi.IIDEnumClassObject, iwbem.OpClone, &iwbem.CloneRequest{}, &clone)
			reset := p.enumStatus(e, iwbem.OpReset, &iwbem.ResetRequest{})
			if flags&wmi.FlagForwardOnly != 0 {
				want(t, "T-39: Reset, forward only", reset, cim.ErrInvalidOperation)
				want(t, "Clone, forward only", clone.Result, cim.ErrInvalidOperation)
				list, _ = p.next(e, -1, 2)
				inOrder(t, "after Reset was refused", list, 3, 5)
			} else {
				want(t, "Reset", reset, 0)
				want(t, "Clone", clone.Result, 0)
				list, _ = p.next(e, -1, 2)
				inOrder(t, "after Reset", list, 0, 2)
				list, _ = p.next(clone.Ref, -1, 2)
				inOrder(t, "T-40: the clone", list, 3, 5)
				p.release(e)
				list, _ = p.next(clone.Ref, -1, 2)
				inOrder(t, "the clone, after the other is gone", list, 5, 7)
				e = clone.Ref
				p.enumStatus(e, iwbem.OpReset, &iwbem.ResetRequest{})
			}
			e = p.query(s, allNumbers, flags)
			want(t, "Skip", p.enumStatus(e, iwbem.OpSkip, &iwbem.SkipRequest{Timeout: -1, Count: 290}), 0)
			list, _ = p.next(e, -1, 2)
			inOrder(t, "after Skip", list, 290, 292)
			if code := p.enumStatus(e, iwbem.OpSkip, &iwbem.SkipRequest{Timeout: -1, Count: 9}); code != 1 {
				t.Errorf("T-41: Skip(9) of 8: %#x", code)
			}
		})
	}
}

// The replay store is bounded: a large result is read once, and Reset says why it cannot go back.
func TestReplayIsBounded(t *testing.T) {
	p := newPeer(t, Options{Limits: Limits{ReplayBytes: 60_000}})
	s := p.login(cimtest.Namespace)
	for _, flags := range []uint32{0, wmi.FlagReturnImmediately} {
		e := p.query(s, allNumbers, flags)
		list, code := p.next(e, -1, 1000)
		inOrder(t, "all", list, 0, cimtest.Numbers)
		want(t, "all", code, 1)
		want(t, "Reset", p.enumStatus(e, iwbem.OpReset, &iwbem.ResetRequest{}), 0)
		again, code := p.next(e, -1, 1000)
		if len(again) == 0 || len(again) >= cimtest.Numbers || code != resultTimedOut {
			t.Errorf("after Reset: %d, %#x", len(again), code)
		}
		_, code = p.next(e, -1, 1)
		want(t, "what is gone", code, cim.ErrQuotaViolation)
		kept := p.server.ledger.users[ownerOf(p.caller)].kept
		if kept == 0 || kept > 60_000 {
			t.Errorf("%d octets are kept", kept)
		}
		p.release(e)
		if kept := p.server.ledger.users[ownerOf(p.caller)]; kept != nil && kept.kept != 0 {
			t.Errorf("%d octets are kept after the release", kept.kept)
		}
	}
}

// A forward-only enumerator keeps nothing that was read.
func TestForwardOnlyKeepsNothing(t *testing.T) {
	p := newPeer(t, Options{})
	e := p.query(p.login(cimtest.Namespace), allNumbers, wmi.FlagForwardOnly)
	p.next(e, -1, 1000)
	if kept := p.server.ledger.users[ownerOf(p.caller)].kept; kept != 0 {
		t.Errorf("%d octets are kept", kept)
	}
}

// An answer is bounded; the rest comes with the next call.
func TestAnswerIsBounded(t *testing.T) {
	p := newPeer(t, Options{Limits: Limits{ResponseBytes: 10_000}})
	s := p.login(cimtest.Namespace)
	for _, smart := range []bool{false, true} {
		e := p.query(s, allNumbers, wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
		read := p.next
		if smart {
			read = p.smart(e)
		}
		var all []*cim.Instance
		for calls := 0; ; calls++ {
			list, code := read(e, -1, 1000)
			all = append(all, list...)
			if code == 1 {
				if calls < 2 {
					t.Errorf("all in %d calls", calls)
				}
				break
			}
			if code != resultTimedOut || len(list) == 0 {
				t.Fatalf("%d, %#x", len(list), code)
			}
		}
		inOrder(t, fmt.Sprintf("smart %v", smart), all, 0, cimtest.Numbers)
	}
}

// An error in the middle comes after the objects before it.
func TestErrorInTheMiddle(t *testing.T) {
	g := newGate()
	m := manager(t, g)
	p := newPeer(t, Options{Opener: m})
	e := p.query(p.login(cimtest.Namespace), "SELECT * FROM Test_Slow", wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
	g.let <- 2
	if list, _ := p.next(e, -1, 2); len(list) != 2 {
		t.Fatal("no objects")
	}
	m.Close()
	_, code := p.next(e, -1, 1)
	want(t, "Next", code, cim.ErrShuttingDown)
}

// smart reads an enumerator by IWbemWCOSmartEnum.
func (p *peer) smart(e *dcom.ObjRef) func(*dcom.ObjRef, int32, uint32) ([]*cim.Instance, uint32) {
	p.t.Helper()
	var fetched iwbem.GetSmartEnumResponse
	p.call(e, wmi.IIDFetchSmartEnum, iwbem.OpGetSmartEnum, &iwbem.GetSmartEnumRequest{}, &fetched)
	want(p.t, "GetSmartEnum", fetched.Result, 0)
	reader, proxy := p.codec.NewArrayReader(), newGUID()
	return func(_ *dcom.ObjRef, timeout int32, n uint32) ([]*cim.Instance, uint32) {
		var out iwbem.SmartNextResponse
		p.call(fetched.Ref, wmi.IIDWCOSmartEnum, iwbem.OpSmartNext, &iwbem.SmartNextRequest{Proxy: proxy, Timeout: timeout, Count: n}, &out)
		if out.Buffer == nil {
			return nil, out.Result
		}
		list, err := reader.Append(nil, out.Buffer)
		if err != nil {
			p.t.Fatal(err)
		}
		if len(list) != int(out.Returned) {
			p.t.Errorf("%d objects, %d said", len(list), out.Returned)
		}
		return list, out.Result
	}
}

// T-115, T-116: the first packet has the class, the second refers to it; the sizes of the headers.
func TestSmartEnum(t *testing.T) {
	p := newPeer(t, Options{})
	e := p.query(p.login(cimtest.Namespace), allNumbers, wmi.FlagReturnImmediately|wmi.FlagForwardOnly)
	var fetched iwbem.GetSmartEnumResponse
	p.call(e, wmi.IIDFetchSmartEnum, iwbem.OpGetSmartEnum, &iwbem.GetSmartEnumRequest{}, &fetched)
	p.release(e) // the packets go on
	next := func(proxy byte) []byte {
		var out iwbem.SmartNextResponse
		p.call(fetched.Ref, wmi.IIDWCOSmartEnum, iwbem.OpSmartNext, &iwbem.SmartNextRequest{Proxy: security.GUID{proxy}, Timeout: -1, Count: 2}, &out)
		if out.Result != 0 || out.Returned != 2 {
			t.Fatalf("Next: %d, %#x", out.Returned, out.Result)
		}
		return out.Buffer
	}
	kinds := func(b []byte) (list []byte) {
		if string(b[4:12]) != "WBEMDATA" || b[12] != 0x1A || b[24] != 1 || b[25] != 1 || b[26] != 8 || b[34] != 12 || b[42] != 2 {
			t.Fatalf("T-116: the header is % x", b[:46])
		}
		for b = b[46:]; len(b) > 0; {
			if b[0] != 9 || b[9] != 0x18 {
				t.Errorf("T-116: an object has headers of %d and %d", b[0], b[9])
			}
			list = append(list, b[8])
			b = b[9+int(b[4])|int(b[5])<<8|int(b[6])<<16:]
		}
		return list
	}
	for n, want := range []string{"\x02\x03", "\x03\x03"} {
		if got := kinds(next(1)); string(got) != want {
			t.Errorf("T-115: packet %d has objects of types % x, want % x", n, got, want)
		}
	}
	if got := kinds(next(2)); string(got) != "\x02\x03" {
		t.Errorf("another client gets objects of types % x", got)
	}
	p.release(fetched.Ref)
	if n := p.host.len(); n != 1 {
		t.Errorf("%d objects are left, want the namespace", n)
	}
}

// T-48, T-49.
func TestShallow(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	var out iwbem.CreateClassEnumResponse
	p.call(s, wmi.IIDServices, iwbem.OpCreateClassEnum, &iwbem.CreateClassEnumRequest{Path: text(""), Flags: wmi.FlagShallow}, &out)
	list, _ := p.next(out.Ref, -1, 1000)
	names := map[string]bool{}
	for _, i := range list {
		if !i.IsClass() || i.Class().Superclass != "" {
			t.Errorf("T-48: %s below %s", i.Class().Name, i.Class().Superclass)
		}
		names[i.Class().Name] = true
	}
	if !names["CT_Element"] || !names["CT_Number"] || names["CT_Types"] {
		t.Errorf("T-48: %v", names)
	}
	p.call(s, wmi.IIDServices, iwbem.OpCreateClassEnum, &iwbem.CreateClassEnumRequest{Path: text("CT_Element")}, &out)
	list, _ = p.next(out.Ref, -1, 1000)
	names = map[string]bool{}
	for _, i := range list {
		names[i.Class().Name] = true
	}
	if names["CT_Element"] || !names["CT_Types"] || !names["CT_Derived"] {
		t.Errorf("the classes below CT_Element: %v", names)
	}
	for flags, want := range map[uint32]int{0: 4, wmi.FlagShallow: 3, wmi.FlagDirectRead: 3} {
		var out iwbem.CreateInstanceEnumResponse
		p.call(s, wmi.IIDServices, iwbem.OpCreateInstanceEnum, &iwbem.CreateInstanceEnumRequest{Path: text("CT_Types"), Flags: flags}, &out)
		if list, _ := p.next(out.Ref, -1, 100); len(list) != want {
			t.Errorf("T-49: flags %#x: %d instances, want %d", flags, len(list), want)
		}
	}
	p.call(s, wmi.IIDServices, iwbem.OpCreateInstanceEnum, &iwbem.CreateInstanceEnumRequest{Path: text("CT_Nothing")}, &out)
	want(t, "an unknown class", out.Result, cim.ErrInvalidClass)
}

// T-47.
func TestPrototype(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	list, code := p.next(p.query(s, "SELECT Word, N FROM CT_Number", wmi.FlagPrototype), -1, 10)
	if len(list) != 1 || code != 1 || !list[0].IsClass() || !list[0].Class().Partial || len(list[0].Class().Properties) != 2 {
		t.Errorf("%d objects, %#x", len(list), code)
	}
	list, _ = p.next(p.query(s, "SELECT * FROM CT_Number", wmi.FlagPrototype), -1, 10)
	if len(list) != 1 || !list[0].IsClass() || list[0].Class().Partial {
		t.Errorf("%d objects of a query for everything", len(list))
	}
	// the provider of Test_Slow is never asked
	g := newGate()
	q := newPeer(t, Options{Opener: manager(t, g)})
	if list, _ := q.next(q.query(q.login(cimtest.Namespace), "SELECT * FROM Test_Slow", wmi.FlagPrototype), 5000, 1); len(list) != 1 || !list[0].IsClass() {
		t.Error("no class of Test_Slow")
	}
}

// WBEM_FLAG_ENSURE_LOCATABLE: objects of a query with a list of properties have their keys.
func TestEnsureLocatable(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	for flags, want := range map[uint32]bool{0: false, wmi.FlagEnsureLocatable: true} {
		list, _ := p.next(p.query(s, " select Word FROM CT_Number WHERE N=7", flags), -1, 2)
		if len(list) != 1 || !list[0].Get("Word").Equal(cim.Str("seven")) || list[0].Get("N").IsNull() == want {
			t.Errorf("flags %#x: %v", flags, list)
		}
	}
}

// T-42.
func TestNotificationQueryFlags(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(cimtest.Namespace)
	for flags, status := range map[uint32]cim.Status{
		0: cim.ErrInvalidParameter, wmi.FlagReturnImmediately: cim.ErrInvalidParameter, wmi.FlagForwardOnly: cim.ErrInvalidParameter,
		wmi.FlagReturnImmediately | wmi.FlagForwardOnly: 0, wmi.FlagReturnImmediately | wmi.FlagForwardOnly | wmi.FlagUseAmendedQualifiers: 0,
	} {
		var out iwbem.ExecNotificationQueryResponse
		p.call(s, wmi.IIDServices, iwbem.OpExecNotificationQuery, &iwbem.ExecNotificationQueryRequest{
			Language: text("WQL"), Query: text("SELECT * FROM __ClassCreationEvent"), Flags: flags,
		}, &out)
		want(t, fmt.Sprintf("flags %#x", flags), out.Result, status)
	}
	var out iwbem.ExecNotificationQueryResponse
	p.call(s, wmi.IIDServices, iwbem.OpExecNotificationQuery, &iwbem.ExecNotificationQueryRequest{
		Language: text("WQL"), Query: text("SELECT * FROM CT_Number"), Flags: 0x30,
	}, &out)
	want(t, "a class that is no event", out.Result, cim.ErrNotEventClass)
}

// Events come as they happen.
func TestNotificationQuery(t *testing.T) {
	p := newPeer(t, Options{})
	s := p.login(`root\cimv2`)
	var out iwbem.ExecNotificationQueryResponse
	p.call(s, wmi.IIDServices, iwbem.OpExecNotificationQuery, &iwbem.ExecNotificationQueryRequest{
		Language: text("WQL"), Query: text("SELECT * FROM __ClassCreationEvent"), Flags: 0x30,
	}, &out)
	if list, code := p.next(out.Ref, 0, 1); len(list) != 0 || code != resultTimedOut {
		t.Errorf("before: %d, %#x", len(list), code)
	}
	p.putClass(s, "Test_New")
	list, code := p.next(out.Ref, 10_000, 1)
	if len(list) != 1 || code != 0 || list[0].Get("TargetClass").Object().Class().Name != "Test_New" {
		t.Errorf("after: %d, %#x", len(list), code)
	}
}

func (p *peer) putClass(s *dcom.ObjRef, name string) {
	p.t.Helper()
	var out iwbem.PutClassResponse
	class := cim.NewClass(name, nil).Key("ID", cim.String).Property("Value", cim.Uint32).Build("")
	p.call(s, wmi.IIDServices, iwbem.OpPutClass, &iwbem.PutClassRequest{Object: p.encode(cim.ClassObject(class))}, &out)
	want(p.t, "PutClass "+name, out.Result, 0)
}
