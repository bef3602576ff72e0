package eventing

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// pager is a consumer provider that notes what it is given.
type pager struct {
	mu      sync.Mutex
	got     []string // "consumer: event"
	as      []security.SID
	fail    map[string]error         // by consumer
	block   map[string]chan struct{} // by consumer
	batches int
}

func (p *pager) consume(caller cim.Caller, consumer *cim.Instance, events []*cim.Instance) error {
	name, _ := consumer.Get("Name").Str()
	p.mu.Lock()
	block := p.block[name]
	p.mu.Unlock()
	if block != nil {
		<-block
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batches++
	for _, e := range events {
		building, _ := e.Get("Building").Str()
		p.got = append(p.got, name+": "+building)
		p.as = append(p.as, caller.Token.User)
	}
	return p.fail[name]
}

func (p *pager) take() (got []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	got, p.got = p.got, nil
	return got
}

// stored stores a filter, a consumer and a binding of one name.
type stored struct {
	host *fakeHost
	hub  *Hub
}

func creator(sid security.SID) cim.Value { return cim.Bytes(sid.Bytes()) }

func (s stored) filter(name, query string, by security.SID, more ...any) *cim.Instance {
	i := s.host.new("__EventFilter", append([]any{"Name", cim.Str(name), "Query", cim.Str(query), "QueryLanguage", cim.Str("WQL"), "CreatorSID", creator(by)}, more...)...)
	s.hub.Stored(cimv2, i, time.Time{})
	return i
}

func (s stored) consumer(name string, by security.SID, more ...any) *cim.Instance {
	i := s.host.new("CT_Pager", append([]any{"Name", cim.Str(name), "CreatorSID", creator(by)}, more...)...)
	s.hub.Stored(cimv2, i, time.Time{})
	return i
}

func (s stored) binding(filter, consumer string, by security.SID, more ...any) *cim.Instance {
	i := s.host.new("__FilterToConsumerBinding", append([]any{
		"Filter", cim.Ref(fmt.Sprintf(`__EventFilter.Name="%s"`, filter)), "Consumer", cim.Ref(fmt.Sprintf(`CT_Pager="%s"`, consumer)), "CreatorSID", creator(by),
	}, more...)...)
	s.hub.Stored(cimv2, i, time.Time{})
	return i
}

func (s stored) removed(i *cim.Instance) {
	path, _ := i.Path()
	s.hub.Removed(cimv2, i.Class(), path)
}

func lastingTest(t *testing.T, limits Limits, f func(t *testing.T, s stored, p *pager, l *log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		p := &pager{fail: map[string]error{}, block: map[string]chan struct{}{}}
		host.consume = p.consume
		h, l := newHub(t, host, limits)
		f(t, stored{host, h}, p, l)
		h.Close()
		if len(h.ledger.users) != 0 {
			t.Errorf("in use after the end: %v", h.ledger.total)
		}
	})
}

func (s stored) raise(t *testing.T, by *security.Token, building string) {
	t.Helper()
	synctest.Wait()
	s.hub.Publish(t.Context(), cimv2, by, s.host.new("CT_Alarm", "Building", cim.Str(building)))
	synctest.Wait()
}

const everyAlarm = `SELECT * FROM CT_Alarm`

var admins = security.SIDAdministrators

func TestPermanentSubscription(t *testing.T) {
	lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, _ *log) {
		b := s.binding("f", "c", admins) // the order does not matter
		f := s.filter("f", everyAlarm, admins)
		s.raise(t, admin.Token, "too early")
		c := s.consumer("c", admins)
		s.raise(t, admin.Token, "1")
		if got := p.take(); !slices.Equal(got, []string{"c: 1"}) || p.as[0] != admin.Token.User {
			t.Errorf("%q as %v", got, p.as)
		}
		s.filter("f", everyAlarm+` WHERE Building = '3'`, admins)
		s.raise(t, admin.Token, "2")
		s.raise(t, admin.Token, "3")
		if got := p.take(); !slices.Equal(got, []string{"c: 3"}) {
			t.Errorf("with the filter changed: %q", got)
		}
		for _, one := range []*cim.Instance{b, c, f} {
			s.removed(one)
			s.raise(t, admin.Token, "3")
			if got := p.take(); got != nil {
				t.Errorf("without %s: %q", one.Class().Name, got)
			}
			s.hub.Stored(cimv2, one, time.Time{})
			s.raise(t, admin.Token, "3")
			if got := p.take(); !slices.Equal(got, []string{"c: 3"}) {
				t.Errorf("with %s again: %q", one.Class().Name, got)
			}
		}
		s.hub.NamespaceRemoved(`root`)
		s.raise(t, admin.Token, "3")
		if got := p.take(); got != nil {
			t.Errorf("without the namespace: %q", got)
		}
	})
}

// TestCreatorsMustBeTheSame shows T-94 and T-95.
func TestCreatorsMustBeTheSame(t *testing.T) {
	alices := alice.Token.User
	for _, tt := range []struct {
		filter, consumer, binding security.SID
		fires                     bool
	}{
		{admins, admins, admins, true}, {alices, alices, alices, true},
		{admins, admins, alices, false}, {admins, alices, admins, false}, {alices, admins, admins, false},
		{alices, admins, alices, false}, {bob.Token.User, bob.Token.User, bob.Token.User, false}, // an account that is no more
	} {
		lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, l *log) {
			s.filter("f", everyAlarm, tt.filter)
			s.consumer("c", tt.consumer)
			s.binding("f", "c", tt.binding)
			s.raise(t, admin.Token, "1")
			if fired := p.take() != nil; fired != tt.fires || l.has("id=10") == tt.fires {
				t.Errorf("%+v: fires: %v", tt, fired)
			}
		})
	}
}

// TestEventAccess shows T-102.
func TestEventAccess(t *testing.T) {
	lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, _ *log) {
		s.filter("f", everyAlarm, admins, "EventAccess", cim.Str("O:BAG:BAD:(A;;0x80;;;BA)"))
		s.filter("g", everyAlarm, admins)
		s.consumer("c", admins)
		s.consumer("d", admins)
		s.binding("f", "c", admins)
		s.binding("g", "d", admins)
		s.raise(t, admin.Token, "admin")
		s.raise(t, alice.Token, "alice")
		s.raise(t, nil, "service")
		got := p.take()
		slices.Sort(got)
		if want := []string{"c: admin", "c: service", "d: admin", "d: alice", "d: service"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestEventNamespace(t *testing.T) {
	lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, _ *log) {
		s.filter("f", everyAlarm, admins, "EventNamespace", cim.Str(`\\.\root\away`))
		s.consumer("c", admins)
		s.binding("f", "c", admins)
		s.raise(t, nil, "here")
		s.hub.Publish(t.Context(), `ROOT\Away`, nil, s.host.new("CT_Alarm", "Building", cim.Str("there")))
		synctest.Wait()
		if got := p.take(); !slices.Equal(got, []string{"c: there"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestPermanentPolling(t *testing.T) {
	lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, l *log) {
		const query = `SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'CT_Job'`
		alices := alice.Token.User
		s.filter("f", query, admins)
		s.consumer("c", admins)
		s.binding("f", "c", admins)
		s.filter("g", query, alices)
		s.consumer("d", alices)
		s.binding("g", "d", alices)
		synctest.Wait()
		s.host.job("CT_Job", "a", 1)
		time.Sleep(2 * time.Second)
		if got := p.take(); !slices.Equal(got, []string{"c: "}) || !l.has("only an administrator") {
			t.Errorf("%q", got)
		}
	})
}

// TestConsumersAreApart shows that a consumer that fails or hangs harms no
// other, and that it is told.
func TestConsumersAreApart(t *testing.T) {
	lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, l *log) {
		told := subscribe(t, s.hub, admin, `SELECT * FROM __EventDroppedEvent`)
		untold := subscribe(t, s.hub, bob, `SELECT * FROM __EventDroppedEvent`)
		p.fail["bad"] = &cim.Error{Status: cim.ErrNotFound, Detail: "no such pager"}
		p.block["slow"] = make(chan struct{})
		s.filter("f", everyAlarm, admins)
		for _, name := range []string{"good", "bad"} {
			s.consumer(name, admins)
			s.binding("f", name, admins)
		}
		s.consumer("slow", admins, "MaximumQueueSize", cim.U32(5000))
		s.binding("f", "slow", admins)
		for n := range 50 {
			s.raise(t, nil, fmt.Sprint(n))
		}
		count := map[string]int{}
		for _, one := range p.take() {
			count[one[:3]]++
		}
		if count["goo"] != 50 || count["bad"] != 50 {
			t.Errorf("events handled: %v", count)
		}
		failures, overflows := 0, 0
		for e := within(t, told, time.Second); e != nil; e = within(t, told, time.Second) {
			consumer, _ := e.Get("IntendedConsumer").Str()
			switch e.Class().Name {
			case "__ConsumerFailureEvent":
				failures++
				if code, _ := e.Get("ErrorCode").Uint(); code != uint64(cim.ErrNotFound) || consumer != `\\HOST\root\cimv2:CT_Pager.Name="bad"` ||
					!e.Get("ErrorDescription").Equal(cim.Str("no such pager")) || e.Get("Event").Object().Class().Name != "CT_Alarm" {
					t.Fatalf("code %x of %s", code, consumer)
				}
			case "__EventQueueOverflowEvent":
				overflows++
				if size, _ := e.Get("CurrentQueueSize").Uint(); size > 5000 || consumer != `\\HOST\root\cimv2:CT_Pager.Name="slow"` {
					t.Fatalf("%d bytes of %s", size, consumer)
				}
			}
		}
		if failures != 50 || overflows < 20 || overflows > 49 || untold.queue.waiting() != 0 {
			t.Errorf("%d failures and %d overflows told", failures, overflows)
		}
		close(p.block["slow"])
		synctest.Wait()
		if got := len(p.take()); got != 50-overflows {
			t.Errorf("%d events after the hang, want %d", got, 50-overflows)
		}
	})
}

func TestSynchronousDelivery(t *testing.T) {
	lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, _ *log) {
		p.block["c"] = make(chan struct{})
		s.filter("f", everyAlarm, admins)
		s.consumer("c", admins)
		for _, tt := range []struct {
			more []any
			wait time.Duration
		}{
			{nil, 0},
			{[]any{"DeliverSynchronously", cim.Bool(true)}, MaxWait},
			{[]any{"DeliveryQoS", cim.U32(0)}, MaxWait},
			{[]any{"DeliveryQoS", cim.U32(1)}, 0},
		} {
			b := s.binding("f", "c", admins, tt.more...)
			began := time.Now()
			s.raise(t, nil, "1")
			if took := time.Since(began); took != tt.wait {
				t.Errorf("%v: the publisher waits %v, want %v", tt.more, took, tt.wait)
			}
			s.removed(b)
		}
		s.binding("f", "c", admins, "DeliverSynchronously", cim.Bool(true))
		time.AfterFunc(time.Second, func() { close(p.block["c"]) })
		began := time.Now()
		s.raise(t, nil, "2")
		if took := time.Since(began); took != time.Second {
			t.Errorf("the publisher waits %v for a consumer that takes a second", took)
		}
	})
}

func TestSlowDownProviders(t *testing.T) {
	lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, _ *log) {
		p.block["c"] = make(chan struct{})
		s.filter("f", everyAlarm, admins)
		s.consumer("c", admins, "MaximumQueueSize", cim.U32(6000))
		s.binding("f", "c", admins, "SlowDownProviders", cim.Bool(true))
		synctest.Wait()
		e := s.host.new("CT_Alarm", "Building", cim.Str("1"))
		var took []time.Duration
		for range 20 {
			began := time.Now()
			if err := s.host.emits("CT_Alarm", e); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
			synctest.Wait() // the consumer has the first one and hangs
		}
		if took[0] != 0 || took[19] != MaxWait {
			t.Errorf("a provider waits %v", took)
		}
		close(p.block["c"])
	})
}

func TestVet(t *testing.T) {
	host := newFakeHost(t)
	h, _ := newHub(t, host, Limits{PermanentSubscriptionsPerUser: 1})
	for _, tt := range []struct {
		query, language, access string
		want                    cim.Status
	}{
		{everyAlarm, "WQL", "", cim.StatusOK},
		{everyAlarm, "wql", "O:BAG:BAD:(A;;0x80;;;BA)", cim.StatusOK},
		{`SELECT * FROM NotYet`, "WQL", "", cim.StatusOK},
		{`SELECT FROM`, "WQL", "", cim.ErrUnparsableQuery},
		{``, "WQL", "", cim.ErrInvalidParameter},
		{everyAlarm, "CQL", "", cim.ErrInvalidQueryType},
		{everyAlarm, "WQL", "BA", cim.ErrInvalidParameter},
		{everyAlarm + ` WITHIN 0.01`, "WQL", "", cim.ErrUnparsableQuery},
	} {
		i := host.new("__EventFilter", "Name", cim.Str("f"), "Query", cim.Str(tt.query), "QueryLanguage", cim.Str(tt.language), "EventAccess", cim.Str(tt.access))
		if err := h.Vet(cimv2, i, admins); tt.want == cim.StatusOK && err != nil || tt.want != cim.StatusOK && !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	s := stored{host, h}
	one := s.binding("f", "c", admins)
	two := host.new("__FilterToConsumerBinding", "Filter", cim.Ref(`__EventFilter.Name="f"`), "Consumer", cim.Ref(`CT_Pager="d"`))
	if err := h.Vet(cimv2, two, admins); !errors.Is(err, cim.ErrQuotaViolation) {
		t.Errorf("a second binding: %v", err)
	}
	if err := h.Vet(cimv2, one, admins); err != nil {
		t.Errorf("the first again: %v", err)
	}
	if err := h.Vet(cimv2, two, alice.Token.User); err != nil {
		t.Errorf("a first of another user: %v", err)
	}
	s.removed(one)
	if err := h.Vet(cimv2, two, admins); err != nil {
		t.Errorf("after the first was removed: %v", err)
	}
}

// TestFilterForAClassToCome shows that a filter waits for its class, and that
// a subscription whose provider fails begins again.
func TestFilterForAClassToCome(t *testing.T) {
	lastingTest(t, Limits{}, func(t *testing.T, s stored, p *pager, l *log) {
		class := s.host.classes["ct_alarm"]
		delete(s.host.classes, "ct_alarm")
		s.filter("f", everyAlarm, admins)
		s.consumer("c", admins)
		s.binding("f", "c", admins)
		synctest.Wait()
		if !l.has("id=10") || !l.has("source=WinMgmt") {
			t.Error("the filter without a class is not reported")
		}
		s.host.classes["ct_alarm"] = class
		s.hub.ClassChanged(t.Context(), cimv2, nil, nil, class)
		s.raise(t, nil, "1")
		if got := p.take(); !slices.Equal(got, []string{"c: 1"}) {
			t.Errorf("%q", got)
		}
		s.hub.mu.Lock()
		var feeds []*feed
		for _, f := range s.hub.feeds {
			feeds = append(feeds, f)
		}
		s.hub.mu.Unlock()
		feeds[0].fail(errors.New("the provider is gone"))
		s.raise(t, nil, "2")
		if got := p.take(); got != nil {
			t.Errorf("%q", got)
		}
		time.Sleep(firstRetry + time.Second)
		s.raise(t, nil, "3")
		if got := p.take(); !slices.Equal(got, []string{"c: 3"}) {
			t.Errorf("after the pause: %q", got)
		}
	})
}

// TestBindingBeyondQuota: a binding that takes the place of one of another
// creator and is one too many ends the other all the same, once.
func TestBindingBeyondQuota(t *testing.T) {
	lastingTest(t, Limits{PermanentSubscriptionsPerUser: 2}, func(t *testing.T, s stored, p *pager, _ *log) {
		s.filter("f", everyAlarm, admins)
		s.consumer("a", admins)
		s.consumer("b", admins)
		s.binding("f", "a", admins)
		s.binding("f", "b", admins)
		user := alice.Token.User
		s.binding("f", "x", user)
		s.binding("f", "y", user)
		replaced := s.binding("f", "a", user) // alice has two
		s.filter("f", everyAlarm, admins)     // what is bound to it begins anew
		s.raise(t, admin.Token, "1")
		if got := p.take(); !slices.Equal(got, []string{"b: 1"}) {
			t.Errorf("%q, want the binding alone that was not replaced", got)
		}
		s.removed(replaced)
		if used := s.hub.ledger.users[admins]; used == nil || used[permanent] != 1 {
			t.Errorf("the administrators have %v, want one subscription", used)
		}
	})
}

// TestLacks: what a ledger refuses, it has a reason for.
func TestLacks(t *testing.T) {
	l := newLedger(Limits{HighThresholdOnEvents: 1000}) // 2500 for a user, 5000 in all
	for n, want := range map[int64][2]bool{2500: {false, false}, 2501: {true, false}, 5001: {true, true}} {
		mine, all := l.lacks(alice.Token.User, n)
		refused := l.take(alice.Token.User, queued, n) != nil
		if !refused {
			l.give(alice.Token.User, queued, n)
		}
		if [2]bool{mine, all} != want || refused != (mine || all) {
			t.Errorf("%d bytes: lacks %v %v, want %v; refused %v", n, mine, all, want, refused)
		}
	}
}
