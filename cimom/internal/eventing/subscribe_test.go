package eventing

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func (h *Hub) write(before, after *cim.Instance) {
	h.InstanceChanged(context.Background(), cimv2, admin.Token, before, after)
}

func TestWritesOfStoredInstances(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{})
	every := subscribe(t, h, alice, `SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'CT_Element'  AND TargetInstance ISA 'CT_Stored'`)
	created := subscribe(t, h, alice, `SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'CT_Stored' AND TargetInstance.State > 5`)
	one, two := host.new("CT_Stored", "Name", cim.Str("a"), "State", cim.U32(1)), host.new("CT_Stored", "Name", cim.Str("a"), "State", cim.U32(9))
	before := time.Now()
	h.write(nil, one)
	h.write(one, two)
	h.write(two, nil)
	h.write(nil, two)
	e := next(t, every)
	if about(e) != "creation a" {
		t.Fatalf("the first event is %v", about(e))
	}
	ticks, _ := e.Get("TIME_CREATED").Uint()
	made := time.Unix(0, 0).Add(time.Duration(ticks-116444736000000000) * 100)
	if made.Before(before.Add(-time.Millisecond)) || made.After(time.Now().Add(time.Millisecond)) {
		t.Errorf("TIME_CREATED is %v at %v", made, before)
	}
	e = next(t, every)
	if previous := e.Get("PreviousInstance").Object(); about(e) != "modification a" || previous == nil || !previous.Equal(one) {
		t.Errorf("the second event is %v, before it was %v", about(e), previous)
	}
	if got := all(t, every); !slices.Equal(got, []string{"deletion a", "creation a"}) {
		t.Errorf("then %q", got)
	}
	if got := all(t, created); !slices.Equal(got, []string{"creation a"}) {
		t.Errorf("with a condition: %q", got)
	}
}

// TestEventHasNoPath shows T-72, and that the instance in an event keeps its
// own path.
func TestEventHasNoPath(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{})
	s := subscribe(t, h, alice, `SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'CT_Stored'`)
	h.write(nil, host.new("CT_Stored", "Name", cim.Str("a")))
	e := next(t, s)
	path, whole := e.Path()
	if whole || path.Server != "" || path.Namespace != "" || e.Class().Namespace != "" || e.Class().Server != "" {
		t.Errorf("the event has the path %v", path)
	}
	path, whole = e.Get("TargetInstance").Object().Path()
	if want := `\\HOST\root\cimv2:CT_Stored.Name="a"`; !whole || path.String() != want {
		t.Errorf("its instance has the path %v, want %s", path, want)
	}
}

func TestProjection(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{})
	s := subscribe(t, h, alice, `SELECT TargetInstance.State FROM __InstanceModificationEvent WHERE TargetInstance ISA 'CT_Stored'`)
	one := host.new("CT_Stored", "Name", cim.Str("a"), "State", cim.U32(1))
	h.write(one, host.new("CT_Stored", "Name", cim.Str("a"), "State", cim.U32(2)))
	e := next(t, s)
	if e.Len() != 1 || !e.Get("TargetInstance").Object().Get("Name").Equal(cim.Str("a")) {
		t.Errorf("SELECT TargetInstance.State gives %d properties and %v", e.Len(), e.Get("TargetInstance").Object())
	}
}

func TestClassAndNamespaceEvents(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{})
	classEvents := subscribe(t, h, alice, `SELECT * FROM __ClassOperationEvent`)
	namespaceEvents := subscribe(t, h, alice, `SELECT * FROM __NamespaceOperationEvent`)
	ctx := t.Context()
	h.ClassChanged(ctx, cimv2, admin.Token, nil, host.Class(cimv2, "CT_Stored"))
	h.ClassChanged(ctx, cimv2, admin.Token, host.Class(cimv2, "CT_Stored"), host.Class(cimv2, "CT_Stored"))
	h.ClassChanged(ctx, cimv2, admin.Token, host.Class(cimv2, "CT_Stored"), nil)
	for _, want := range []string{"__ClassCreationEvent", "__ClassModificationEvent", "__ClassDeletionEvent"} {
		e := next(t, classEvents)
		target := e.Get("TargetClass").Object()
		if e.Class().Name != want || !target.IsClass() || target.Class().Name != "CT_Stored" {
			t.Errorf("%s about %v, want %s", e.Class().Name, target, want)
		}
		if previous := e.Get("PreviousClass").Object(); (previous != nil) != (want == "__ClassModificationEvent") {
			t.Errorf("%s: PreviousClass is %v", want, previous)
		}
	}
	ns := host.new("__NAMESPACE", "Name", cim.Str("child"))
	h.NamespaceChanged(ctx, cimv2, admin.Token, nil, ns)
	h.NamespaceChanged(ctx, cimv2, admin.Token, ns, nil)
	for _, want := range []string{"__NamespaceCreationEvent", "__NamespaceDeletionEvent"} {
		e := next(t, namespaceEvents)
		if e.Class().Name != want || !e.Get("TargetNamespace").Object().Get("Name").Equal(cim.Str("child")) {
			t.Errorf("%s, want %s", e.Class().Name, want)
		}
	}
}

// TestRefusals shows T-67, T-69 and the limits of polling.
func TestRefusals(t *testing.T) {
	h, _ := newHub(t, newFakeHost(t), Limits{})
	for _, tt := range []struct {
		query string
		want  cim.Status
	}{
		{`SELECT * FROM CT_Stored`, cim.ErrNotEventClass},
		{`SELECT * FROM __AggregateEvent`, cim.ErrNotEventClass},
		{`SELECT * FROM Nothing`, cim.ErrInvalidClass},
		{`SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'Nothing'`, cim.ErrInvalidClass},
		{`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'CT_Job'`, cim.ErrEssRegistrationTooPrecise},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'CT_Element'`, cim.ErrEssRegistrationTooPrecise},
		{`SELECT * FROM __InstanceCreationEvent WITHIN 0.05 WHERE TargetInstance ISA 'CT_Job'`, cim.ErrUnparsableQuery},
		{`SELECT * FROM __InstanceCreationEvent WITHIN 5`, cim.ErrEssRegistrationTooBroad},
		{`SELECT * FROM CT_Alarm GROUP BY Building`, cim.ErrMissingGroupWithin},
		{`SELECT * FROM CT_Alarm WHERE Level.X = 1`, cim.ErrPropertyNotAnObject},
		{`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'CT_Stored' GROUP WITHIN 5 BY TargetInstance`, cim.ErrAggregatingByObject},
	} {
		if s, err := h.Subscribe(t.Context(), cimv2, tt.query, alice); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.query, s, err, tt.want)
		}
	}
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	if len(h.ledger.users) != 0 {
		t.Errorf("what was refused still counts: %v", h.ledger.total)
	}
}

func TestExtrinsicEventsOfAProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		one := subscribe(t, h, alice, `SELECT * FROM CT_Alarm WHERE Level > 2`)
		two := subscribe(t, h, alice, `SELECT Building FROM CT_Alarm WHERE Level > 3`)
		synctest.Wait()
		if host.running("CT_Alarm") != 1 || host.running("CT_LoudAlarm") != 1 {
			t.Fatalf("%v runs, want each provider once", host.sources)
		}
		e := host.new("CT_LoudAlarm", "Building", cim.Str("24"), "Level", cim.U32(4), "Decibel", cim.U32(90))
		for _, level := range []uint32{1, 3, 4} {
			set(e, "Level", cim.U32(level))
			if err := host.emits("CT_LoudAlarm", e); err != nil { // one instance, filled again and again
				t.Fatal(err)
			}
		}
		for _, level := range []uint32{3, 4} {
			if got := next(t, one); got.Class().Name != "CT_LoudAlarm" || !got.Get("Level").Equal(cim.U32(level)) || got.Get("TIME_CREATED").IsNull() {
				t.Errorf("%s of level %v, want %d", got.Class().Name, got.Get("Level"), level)
			}
		}
		if got := next(t, two); got.Len() != 1 || !got.Get("Building").Equal(cim.Str("24")) {
			t.Errorf("the second subscription has %d properties", got.Len())
		}
		one.Close()
		synctest.Wait()
		if host.running("CT_Alarm") != 1 {
			t.Error("the provider stopped before the last subscription")
		}
		two.Close()
		synctest.Wait()
		if host.running("CT_Alarm") != 0 || host.running("CT_LoudAlarm") != 0 {
			t.Error("the provider runs on after the last subscription")
		}
		subscribe(t, h, bob, `SELECT * FROM CT_LoudAlarm`)
		synctest.Wait()
		if host.running("CT_Alarm") != 0 || host.running("CT_LoudAlarm") != 1 {
			t.Errorf("%v runs, want the subclass alone", host.sources)
		}
	})
}

// TestSecurityOfEvents shows who receives an event with a SECURITY_DESCRIPTOR.
func TestSecurityOfEvents(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{})
	subs := map[string]*Subscription{
		"admin": subscribe(t, h, admin, `SELECT * FROM CT_Alarm`), "alice": subscribe(t, h, alice, `SELECT * FROM CT_Alarm`),
	}
	for _, tt := range []struct {
		sddl string
		want string
	}{
		{"", "admin alice"}, {"O:BAG:BAD:(A;;0x40;;;BA)", "admin"}, {"O:BAG:BAD:(A;;0x40;;;BU)", "alice"}, {"O:BAG:BAD:(A;;0x80;;;BU)", ""},
	} {
		e := host.new("CT_Alarm")
		if tt.sddl != "" {
			sd, err := security.ParseSDDL(tt.sddl)
			if err != nil {
				t.Fatal(err)
			}
			b, err := sd.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			set(e, "SECURITY_DESCRIPTOR", cim.Bytes(b))
		}
		h.Publish(t.Context(), cimv2, admin.Token, e)
		got := ""
		for _, name := range []string{"admin", "alice"} {
			if subs[name].queue.take(0) != nil {
				got += " " + name
			}
		}
		if got != "" {
			got = got[1:]
		}
		if got != tt.want {
			t.Errorf("%q goes to %q, want %q", tt.sddl, got, tt.want)
		}
	}
	e := host.new("CT_Alarm", "SECURITY_DESCRIPTOR", cim.Bytes([]byte{1, 2, 3}))
	h.Publish(t.Context(), cimv2, admin.Token, e)
	if subs["admin"].queue.take(0) != nil {
		t.Error("an event with a broken descriptor is delivered")
	}
}

// TestOverflow shows that a reader who does not read is told so, and
// administrators with it, and that the publisher does not wait.
func TestOverflow(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{HighThresholdOnEvents: 20_000})
	slow := subscribe(t, h, alice, `SELECT * FROM CT_Alarm`)
	told := subscribe(t, h, admin, `SELECT * FROM __EventQueueOverflowEvent`)
	untold := subscribe(t, h, bob, `SELECT * FROM __EventQueueOverflowEvent`)
	const events = 1000
	for range events {
		h.Publish(t.Context(), cimv2, admin.Token, host.new("CT_Alarm", "Building", cim.Str("24")))
	}
	if n := slow.queue.waiting(); n > 20_000 {
		t.Errorf("%d bytes wait", n)
	}
	got := 0
	for {
		list, err := slow.Next(t.Context(), 10)
		got += len(list)
		if err != nil {
			if !errors.Is(err, cim.ErrQueueOverflow) {
				t.Errorf("the end is %v, want WBEM_E_QUEUE_OVERFLOW", err)
			}
			break
		}
	}
	if got < 10 || got >= events {
		t.Errorf("%d events before the end", got)
	}
	e := next(t, told)
	if e == nil || e.Get("Event").Object().Class().Name != "CT_Alarm" {
		t.Fatalf("an administrator is told %v", e)
	}
	if size, _ := e.Get("CurrentQueueSize").Uint(); size < 15_000 || size > 20_000 {
		t.Errorf("CurrentQueueSize is %d", size)
	}
	if next(t, told) != nil {
		t.Error("the overflow is told twice")
	}
	if untold.queue.waiting() != 0 {
		t.Error("another user is told what was lost")
	}
}

// Subscriptions that nobody reads any more, those of clients that died, fill
// what a user's queues may hold together. One that is read goes on, and so do
// those of others.
func TestAbandonedSubscriptionsGiveWay(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{HighThresholdOnEvents: 20_000})
	publish := func() {
		h.Publish(t.Context(), cimv2, admin.Token, host.new("CT_Alarm", "Building", cim.Str("24")))
	}
	var dead []*Subscription
	for range 4 {
		dead = append(dead, subscribe(t, h, alice, `SELECT * FROM CT_Alarm`))
	}
	for range 1000 {
		publish()
	}
	alive := subscribe(t, h, alice, `SELECT * FROM CT_Alarm`)
	other := subscribe(t, h, bob, `SELECT * FROM CT_Alarm`)
	for n := range 500 {
		publish()
		for _, s := range []*Subscription{alive, other} {
			if next(t, s) == nil {
				t.Fatalf("event %d does not come: %v", n, s.final)
			}
		}
	}
	for n, s := range dead {
		for {
			if _, err := s.Next(t.Context(), 0); err != nil {
				if !errors.Is(err, cim.ErrQueueOverflow) {
					t.Errorf("subscription %d ends with %v, want WBEM_E_QUEUE_OVERFLOW", n, err)
				}
				break
			}
		}
		s.Close()
	}
	alive.Close()
	other.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.holders) != 0 {
		t.Errorf("%d subscriptions are kept", len(h.holders))
	}
}

func TestQuotaOfSubscriptions(t *testing.T) {
	h, _ := newHub(t, newFakeHost(t), Limits{TemporarySubscriptionsPerUser: 2, TemporarySubscriptionsTotal: 3, PollingInstructionsPerUser: 1})
	const query, polls = `SELECT * FROM CT_Alarm`, `SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'CT_Job'`
	first := subscribe(t, h, alice, polls)
	if _, err := h.Subscribe(t.Context(), cimv2, polls, alice); !errors.Is(err, cim.ErrQuotaViolation) {
		t.Errorf("a second polling subscription: %v", err)
	}
	subscribe(t, h, alice, query)
	if _, err := h.Subscribe(t.Context(), cimv2, query, alice); !errors.Is(err, cim.ErrQuotaViolation) {
		t.Errorf("a third of one user: %v", err)
	}
	subscribe(t, h, bob, query)
	if _, err := h.Subscribe(t.Context(), cimv2, query, bob); !errors.Is(err, cim.ErrQuotaViolation) {
		t.Errorf("a fourth in total: %v", err)
	}
	first.Close()
	subscribe(t, h, bob, query)
}

func TestEnds(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{})
	s := subscribe(t, h, alice, `SELECT * FROM CT_Alarm`)
	h.Publish(t.Context(), cimv2, admin.Token, host.new("CT_Alarm"))
	s.Close()
	s.Close()
	if _, err := s.Next(t.Context(), 1); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
	denied := subscribe(t, h, alice, `SELECT * FROM CT_Alarm`)
	h.Publish(t.Context(), cimv2, admin.Token, host.new("CT_Alarm"))
	host.deny(alice.Token.User)
	if list, err := denied.Next(t.Context(), 1); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("after the right was taken away: %v, %v", list, err)
	}
	carol := cim.Caller{Token: &security.Token{User: mustSID("S-1-5-21-1-2-3-1003")}}
	idle, other := subscribe(t, h, bob, `SELECT * FROM CT_Alarm`), subscribe(t, h, carol, `SELECT * FROM CT_Alarm`)
	host.deny(carol.Token.User)
	h.SecurityChanged(`root\away`)
	select {
	case <-other.done:
		t.Error("a change elsewhere ends a subscription")
	default:
	}
	h.SecurityChanged(`ROOT\CIMV2`)
	if list, err := other.Next(t.Context(), 1); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("no event came since the right was taken away: %v, %v", list, err)
	}
	if idle.ended {
		t.Error("a subscription with every right is ended")
	}
	idle.Close()
	gone := subscribe(t, h, bob, `SELECT * FROM CT_Alarm`)
	h.NamespaceRemoved(`root\away\CIMV2`)
	h.NamespaceRemoved(`root\cim`)
	h.Publish(t.Context(), cimv2, admin.Token, host.new("CT_Alarm"))
	h.NamespaceRemoved(`ROOT`)
	if list, err := gone.Next(t.Context(), 1); len(list) != 1 || err != nil {
		t.Errorf("what came before the namespace went: %v, %v", list, err)
	}
	if _, err := gone.Next(t.Context(), 1); !errors.Is(err, cim.ErrInvalidNamespace) {
		t.Errorf("after the namespace went: %v", err)
	}
	waiting := subscribe(t, h, bob, `SELECT * FROM CT_Alarm`)
	end := make(chan error)
	go func() {
		_, err := waiting.Next(context.Background(), 1)
		end <- err
	}()
	h.Close()
	if err := <-end; !errors.Is(err, cim.ErrShuttingDown) {
		t.Errorf("when the hub closes: %v", err)
	}
	if _, err := h.Subscribe(t.Context(), cimv2, `SELECT * FROM CT_Alarm`, alice); !errors.Is(err, cim.ErrShuttingDown) {
		t.Errorf("after the hub closed: %v", err)
	}
	if len(h.ledger.users) != 0 {
		t.Errorf("in use after the end: %v", h.ledger.total)
	}
}

// TestTenThousandEventsASecond publishes for a second to one reader that keeps
// up and one that does not read, and looks at what they hold.
func TestTenThousandEventsASecond(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{})
	s := subscribe(t, h, alice, `SELECT * FROM CT_Alarm WHERE Level > 2`)
	idle := subscribe(t, h, bob, `SELECT * FROM CT_Alarm WHERE Level > 2`)
	const events, step = 10_000, 100
	got := make(chan int)
	go func() {
		n := 0
		for n < events {
			list, err := s.Next(context.Background(), 0)
			if err != nil {
				t.Error(err)
				break
			}
			n += len(list)
		}
		got <- n
	}()
	e := host.new("CT_Alarm", "Building", cim.Str("24"), "Level", cim.U32(4))
	var most int64
	began := time.Now()
	for n := range events / step {
		for range step {
			h.Publish(t.Context(), cimv2, admin.Token, e)
		}
		most = max(most, s.queue.waiting(), idle.queue.waiting())
		time.Sleep(time.Until(began.Add(time.Duration(n+1) * step * time.Second / events)))
	}
	if n := <-got; n != events {
		t.Errorf("%d of %d events came", n, events)
	}
	t.Logf("%d events came in %v", events, time.Since(began))
	if most > 2_000_000 {
		t.Errorf("%d bytes waited", most)
	}
}
