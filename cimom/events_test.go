package cimom_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/cimom/schema"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
)

func subscribe(t testing.TB, s cim.Session, query string) cim.Enumerator {
	t.Helper()
	e, err := s.(cim.Subscriber).Subscribe(t.Context(), query, cim.SubscribeOptions{})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// event is the next event within d, nil where there is none.
func event(t testing.TB, e cim.Enumerator, d time.Duration) *cim.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	list, err := e.Next(ctx, 1)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// expect is the next event, which must be of a class.
func expect(t testing.TB, e cim.Enumerator, class string) *cim.Instance {
	t.Helper()
	i := event(t, e, 10*time.Second)
	if i == nil || i.Class().Name != class {
		t.Fatalf("the event is %v, want a %s", i, class)
	}
	return i
}

const soon = 50 * time.Millisecond // for events that must not come

func TestEventsOfStoredObjects(t *testing.T) {
	s := storing(t)
	classes := subscribe(t, s, `SELECT * FROM __ClassOperationEvent WHERE TargetClass ISA 'Thing'`)
	put(t, s, keyed("Thing", ""), cim.PutClassOptions{})
	put(t, s, keyed("SubThing", "Thing"), cim.PutClassOptions{})
	expect(t, classes, "__ClassCreationEvent")
	if e := expect(t, classes, "__ClassCreationEvent"); e.Get("TargetClass").Object().Class().Name != "SubThing" {
		t.Errorf("the class is %v", e.Get("TargetClass").Object().Class().Name)
	}

	objects := subscribe(t, s, `SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'Thing'`)
	path := create(t, s, "SubThing", map[string]cim.Value{"Id": cim.Str("a"), "Note": cim.Str("one")})
	if err := s.Put(t.Context(), make1(t, s, "SubThing", map[string]cim.Value{"Id": cim.Str("a"), "Note": cim.Str("two")}), cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	e := expect(t, objects, "__InstanceCreationEvent")
	if made, whole := e.Get("TargetInstance").Object().Path(); !whole || !made.Equal(path) {
		t.Errorf("the instance made is %v, want %v", made, path)
	}
	if _, whole := e.Path(); whole || e.Class().Namespace != "" || e.Class().Server != "" {
		t.Error("the event has a path, a namespace or a server")
	}
	e = expect(t, objects, "__InstanceModificationEvent")
	if before, after := e.Get("PreviousInstance").Object(), e.Get("TargetInstance").Object(); !before.Get("Note").Equal(cim.Str("one")) || !after.Get("Note").Equal(cim.Str("two")) {
		t.Errorf("from %v to %v", before.Get("Note"), after.Get("Note"))
	}
	expect(t, objects, "__InstanceDeletionEvent")

	if err := s.(cim.ClassWriter).DeleteClass(t.Context(), "SubThing", cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(t, classes, "__ClassDeletionEvent")

	namespaces := subscribe(t, s, `SELECT * FROM __NamespaceOperationEvent`)
	path = create(t, s, "__NAMESPACE", map[string]cim.Value{"Name": cim.Str("child")})
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"__NamespaceCreationEvent", "__NamespaceDeletionEvent"} {
		if e := expect(t, namespaces, class); !e.Get("TargetNamespace").Object().Get("Name").Equal(cim.Str("child")) {
			t.Errorf("%s of %v", class, e.Get("TargetNamespace").Object().Get("Name"))
		}
	}
}

// TestSubscribeRefusals shows T-67 to T-69 and T-71 through a session.
func TestSubscribeRefusals(t *testing.T) {
	m := served(t)
	s := open(t, m, cimtest.Namespace).(cim.Subscriber)
	for _, tt := range []struct {
		query, language string
		want            cim.Status
	}{
		{`SELECT * FROM CT_Item`, "", cim.ErrNotEventClass},
		{`SELECT * FROM __TimerEvent GROUP BY TimerId`, "", cim.ErrMissingGroupWithin},
		{`SELECT * FROM __TimerEvent WHERE TimerId.X = 1`, "", cim.ErrPropertyNotAnObject},
		{`SELECT * FROM __InstanceCreationEvent WITHIN 5 GROUP WITHIN 5 BY TargetInstance`, "", cim.ErrAggregatingByObject},
		{`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'CT_Item'`, "", cim.ErrEssRegistrationTooPrecise},
		{`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'CT_Item' WITHIN 5`, "", cim.ErrUnparsableQuery},
		{`SELECT * FROM __TimerEvent`, "CQL", cim.ErrInvalidQueryType},
	} {
		if _, err := s.Subscribe(t.Context(), tt.query, cim.SubscribeOptions{Language: tt.language}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.query, err, tt.want)
		}
	}
	remote, err := m.Open(t.Context(), administrator(), cimtest.Namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	user := caller(true, security.SIDAuthenticatedUsers) // without Remote Enable
	if _, err := remote.With(user).(cim.Subscriber).Subscribe(t.Context(), `SELECT * FROM __TimerEvent`, cim.SubscribeOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("without Remote Enable: %v", err)
	}
}

// TestPollingOfAProvider polls the instances of a provider, as the caller.
func TestPollingOfAProvider(t *testing.T) {
	m := served(t)
	s := open(t, m, cimtest.Namespace)
	e := subscribe(t, s, `SELECT * FROM __InstanceOperationEvent WITHIN 0.1 WHERE TargetInstance ISA 'CT_Item' AND TargetInstance.ID = 'polled'`)
	path := create(t, s, "CT_Item", map[string]cim.Value{"ID": cim.Str("polled"), "Value": cim.U32(1)})
	made := expect(t, e, "__InstanceCreationEvent").Get("TargetInstance").Object()
	if p, whole := made.Path(); !whole || !p.Equal(path) || p.Namespace == "" || p.Server == "" {
		t.Errorf("the instance has the path %v, want %v", p, path)
	}
	if err := s.Put(t.Context(), make1(t, s, "CT_Item", map[string]cim.Value{"ID": cim.Str("polled"), "Value": cim.U32(2)}), cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if previous := expect(t, e, "__InstanceModificationEvent").Get("PreviousInstance").Object(); !previous.Get("Value").Equal(cim.U32(1)) {
		t.Errorf("before it was %v", previous.Get("Value"))
	}
	create(t, s, "CT_Item", map[string]cim.Value{"ID": cim.Str("another")})
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(t, e, "__InstanceDeletionEvent")
	if i := event(t, e, 3*soon); i != nil {
		t.Errorf("an event about another instance: %v", i)
	}
}

// alarms is an event provider and a consumer provider.
type alarms struct {
	classes []*cim.Class
	mu      sync.Mutex
	emits   map[int]func(*cim.Instance) error // of the runs of Events
	runs    int
	got     []string
	as      []security.SID
	came    chan struct{}
}

const alarmClasses = `
class CT_Alarm : __ExtrinsicEvent { string Building; };
class CT_Pager : __EventConsumer { [Key] string Name; };
`

func newAlarms(t testing.TB, classes string) *alarms {
	t.Helper()
	base, _, err := mof.Definitions(schema.Files, "common.mof", "events.mof")
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := mof.DefinitionsOn(base, fstest.MapFS{"a.mof": {Data: []byte(classes)}}, "a.mof")
	if err != nil {
		t.Fatal(err)
	}
	a := &alarms{emits: map[int]func(*cim.Instance) error{}, came: make(chan struct{}, 1000)}
	for _, c := range list {
		for _, namespace := range []string{`root\cimv2`, `root\subscription`} {
			here := *c
			here.Namespace = namespace
			a.classes = append(a.classes, here.Seal())
		}
	}
	return a
}

func (a *alarms) Classes() []*cim.Class { return a.classes }
func (a *alarms) ProviderName() string  { return "Alarms" }

func (a *alarms) Events(ctx context.Context, _ *cimom.Request, emit func(*cim.Instance) error) error {
	a.mu.Lock()
	a.runs++
	run := a.runs
	a.emits[run] = emit
	a.mu.Unlock()
	<-ctx.Done()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.emits, run)
	return nil
}

func (a *alarms) running() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.emits)
}

// all emits an event wherever one is wanted.
func (a *alarms) all(i *cim.Instance) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, emit := range a.emits {
		err = errors.Join(err, emit(i))
	}
	return err
}

func (a *alarms) Consume(_ context.Context, r *cimom.Request, consumer *cim.Instance, events []*cim.Instance) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	name, _ := consumer.Get("Name").Str()
	for _, e := range events {
		about := e.Class().Name
		if target := e.Get("TargetInstance").Object(); target != nil {
			about = target.Class().Name
		} else if building, ok := e.Get("Building").Str(); ok {
			about = building
		}
		a.got = append(a.got, name+": "+about)
		a.as = append(a.as, r.Caller.Token.User)
		a.came <- struct{}{}
	}
	return nil
}

// take waits for n events and gives those that came.
func (a *alarms) take(t testing.TB, n int) []string {
	t.Helper()
	for range n {
		select {
		case <-a.came:
		case <-time.After(10 * time.Second):
			a.mu.Lock()
			defer a.mu.Unlock()
			t.Fatalf("only %q came", a.got)
		}
	}
	time.Sleep(soon)
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.got
	a.got = nil
	slices.Sort(got)
	return got
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for range 1000 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not happen: " + what)
}

// TestEventProvider shows that a provider of events runs from the first
// subscription to the last.
func TestEventProvider(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	a := newAlarms(t, alarmClasses)
	if err := m.Register(a); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, `root\cimv2`)
	one, two := subscribe(t, s, `SELECT * FROM CT_Alarm WHERE Building > '23'`), subscribe(t, s, `SELECT * FROM __ExtrinsicEvent WHERE __CLASS = 'CT_Alarm'`)
	eventually(t, "the provider starts", func() bool { return a.running() == 1 })
	i := make1(t, s, "CT_Alarm", nil)
	for _, building := range []string{"23", "24"} {
		if err := errors.Join(i.Set("Building", cim.Str(building)), a.all(i)); err != nil {
			t.Fatal(err)
		}
	}
	if e := expect(t, one, "CT_Alarm"); !e.Get("Building").Equal(cim.Str("24")) || e.Get("TIME_CREATED").IsNull() {
		t.Errorf("the event has %v", e.Get("Building"))
	}
	for _, building := range []string{"23", "24"} {
		if e := expect(t, two, "CT_Alarm"); !e.Get("Building").Equal(cim.Str(building)) {
			t.Errorf("the event has %v, want %s", e.Get("Building"), building)
		}
	}
	one.Close()
	time.Sleep(soon)
	if a.running() != 1 {
		t.Error("the provider stopped before the last subscription")
	}
	two.Close()
	eventually(t, "the provider stops", func() bool { return a.running() == 0 })
}

// TestRaise shows that putting an extrinsic event raises it, which needs Full
// Write.
func TestRaise(t *testing.T) {
	s := storing(t)
	put(t, s, cim.Class{Name: "EmailEvent", Superclass: "__ExtrinsicEvent", Properties: []cim.Property{{Name: "Sender", Type: cim.String}}}, cim.PutClassOptions{})
	e := subscribe(t, s, `SELECT * FROM EmailEvent WHERE Sender LIKE 'a%'`)
	mail := make1(t, s, "EmailEvent", map[string]cim.Value{"Sender": cim.Str("Alice")})
	user := s.With(caller(false, security.SIDAuthenticatedUsers))
	if _, err := user.Create(t.Context(), mail, cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("without Full Write: %v", err)
	}
	if err := s.Put(t.Context(), mail, cim.PutOptions{Mode: cim.CreateOrUpdate}); err != nil {
		t.Fatal(err)
	}
	if got := expect(t, e, "EmailEvent"); !got.Get("Sender").Equal(cim.Str("Alice")) {
		t.Errorf("the event is from %v", got.Get("Sender"))
	}
	if i := event(t, e, soon); i != nil {
		t.Error("the refused event is delivered")
	}
}

// TestPermanentSubscriptionSurvives shows that a permanent subscription in
// root\subscription gets events of root\cimv2 (T-108), also after a restart.
func TestPermanentSubscriptionSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "repository")
	begin := func() (*cimom.Manager, *alarms, func()) {
		repo, err := repository.Open(path, repository.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := cimom.New(cimom.Options{Repository: repo})
		a := newAlarms(t, alarmClasses)
		if err := errors.Join(m.Register(a), m.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		return m, a, func() {
			if err := errors.Join(m.Close(), repo.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	m, a, end := begin()
	cimv2 := open(t, m, `root\cimv2`)
	put(t, cimv2, keyed("Thing", ""), cim.PutClassOptions{})
	s := open(t, m, `root\subscription`)
	filter := create(t, s, "__EventFilter", map[string]cim.Value{
		"Query": cim.Str(`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Thing'`), "QueryLanguage": cim.Str("WQL"),
		"EventNamespace": cim.Str(`root\cimv2`), "CreatorSID": cim.Bytes([]byte{1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}),
	})
	consumer := create(t, s, "CT_Pager", map[string]cim.Value{"Name": cim.Str("p")})
	binding := create(t, s, "__FilterToConsumerBinding", map[string]cim.Value{"Filter": cim.Ref(filter.Relative()), "Consumer": cim.Ref(consumer.Relative())})
	stored, err := s.Get(t.Context(), filter, cim.GetOptions{})
	if err != nil || !bytes.Equal(bytesIn(stored.Get("CreatorSID")), security.SIDAdministrators.Bytes()) {
		t.Errorf("CreatorSID is %v, %v; want that of Administrators", stored.Get("CreatorSID"), err)
	}
	n := 0
	fires := func() {
		t.Helper()
		eventually(t, "the subscription fires", func() bool {
			n++
			create(t, cimv2, "Thing", map[string]cim.Value{"Id": cim.Str(string(rune('a' + n)))})
			time.Sleep(soon)
			a.mu.Lock()
			defer a.mu.Unlock()
			return len(a.got) > 0
		})
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.got[0] != "p: Thing" || a.as[0] != security.SIDAdministrators {
			t.Errorf("%q as %v", a.got, a.as)
		}
	}
	fires()
	end()
	m, a, end = begin()
	cimv2, s = open(t, m, `root\cimv2`), open(t, m, `root\subscription`)
	fires()
	if err := s.Delete(t.Context(), binding, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	a.got = nil
	a.mu.Unlock()
	create(t, cimv2, "Thing", map[string]cim.Value{"Id": cim.Str("last")})
	time.Sleep(soon)
	if got := a.take(t, 0); got != nil {
		t.Errorf("after the binding was deleted: %q", got)
	}
	end()
}

// TestBadFilters shows that a filter whose query cannot be read is refused,
// and one that names no class is kept and reported.
func TestBadFilters(t *testing.T) {
	var buf bytes.Buffer
	var mu sync.Mutex
	m := cimom.New(cimom.Options{Logger: slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return buf.Write(b)
	}), nil))})
	defer m.Close()
	if err := m.Register(newAlarms(t, alarmClasses)); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, `root\subscription`)
	bad := make1(t, s, "__EventFilter", map[string]cim.Value{"Name": cim.Str("bad"), "Query": cim.Str("SELECT FROM"), "QueryLanguage": cim.Str("WQL")})
	if _, err := s.Create(t.Context(), bad, cim.OperationOptions{}); !errors.Is(err, cim.ErrUnparsableQuery) {
		t.Errorf("a query that cannot be read: %v", err)
	}
	filter := create(t, s, "__EventFilter", map[string]cim.Value{"Name": cim.Str("f"), "Query": cim.Str("SELECT * FROM Missing"), "QueryLanguage": cim.Str("WQL")})
	consumer := create(t, s, "CT_Pager", map[string]cim.Value{"Name": cim.Str("p")})
	create(t, s, "__FilterToConsumerBinding", map[string]cim.Value{"Filter": cim.Ref(filter.Relative()), "Consumer": cim.Ref(consumer.Relative())})
	eventually(t, "the log has the event 10 of WinMgmt", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Contains(buf.Bytes(), []byte("source=WinMgmt id=10"))
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestTimersCatchUp shows T-101 for a service that was stopped, and that an
// absolute timer fires once.
func TestTimersCatchUp(t *testing.T) {
	repo := repository.Memory()
	defer repo.Close()
	m := cimom.New(cimom.Options{Repository: repo})
	s := open(t, m, `root\cimv2`)
	create(t, s, "__IntervalTimerInstruction", map[string]cim.Value{"TimerId": cim.Str("tick"), "IntervalBetweenEvents": cim.U32(100)})
	create(t, s, "__IntervalTimerInstruction", map[string]cim.Value{"TimerId": cim.Str("skip"), "IntervalBetweenEvents": cim.U32(400), "SkipIfPassed": cim.Bool(true)})
	ticks := subscribe(t, s, `SELECT * FROM __TimerEvent WHERE TimerId = 'tick'`)
	if n, _ := expect(t, ticks, "__TimerEvent").Get("NumFirings").Uint(); n < 1 || n > 5 {
		t.Errorf("NumFirings is %d", n)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ticks.Next(t.Context(), 1); !errors.Is(err, cim.ErrShuttingDown) && err == nil {
		t.Errorf("after Close: %v", err)
	}
	time.Sleep(time.Second)
	m = cimom.New(cimom.Options{Repository: repo})
	defer m.Close()
	s = open(t, m, `root\cimv2`)
	ticks = subscribe(t, s, `SELECT * FROM __TimerEvent WHERE TimerId = 'tick'`)
	skips := subscribe(t, s, `SELECT * FROM __TimerEvent WHERE TimerId = 'skip'`)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := expect(t, ticks, "__TimerEvent").Get("NumFirings").Uint(); n < 9 || n > 100 {
		t.Errorf("stopped for ten periods: NumFirings is %d", n)
	}
	if n, _ := expect(t, skips, "__TimerEvent").Get("NumFirings").Uint(); n != 1 {
		t.Errorf("with SkipIfPassed NumFirings is %d", n)
	}
	once := subscribe(t, s, `SELECT * FROM __TimerEvent WHERE TimerId = 'once'`)
	path := create(t, s, "__AbsoluteTimerInstruction", map[string]cim.Value{"TimerId": cim.Str("once"), "EventDateTime": cim.Time(cim.AtTime(time.Now()))})
	expect(t, once, "__TimerEvent")
	eventually(t, "the instruction is gone", func() bool {
		_, err := s.Get(t.Context(), path, cim.GetOptions{})
		return errors.Is(err, cim.ErrNotFound)
	})
}

// TestResetEndsTimers shows that what was made of the repository ends with
// what it had.
func TestResetEndsTimers(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	root := open(t, m, "root")
	create(t, root, "__IntervalTimerInstruction", map[string]cim.Value{"TimerId": cim.Str("tick"), "IntervalBetweenEvents": cim.U32(20)})
	before := subscribe(t, root, `SELECT * FROM __TimerEvent`)
	expect(t, before, "__TimerEvent")
	if r, err := root.Invoke(t.Context(), cim.ObjectPath{Class: "Casement_Repository"}, "Reset", nil, cim.OperationOptions{}); err != nil || returned(r) != 0 {
		t.Fatalf("Reset: %v, %v", r, err)
	}
	after := subscribe(t, open(t, m, "root"), `SELECT * FROM __TimerEvent`)
	if i := event(t, after, 10*soon); i != nil {
		t.Error("the timer fires after the repository was emptied")
	}
}

// TestArbitratorConfiguration shows that the quotas are those that are stored
// in root.
func TestArbitratorConfiguration(t *testing.T) {
	m := served(t)
	root := open(t, m, "root")
	if err := root.Put(t.Context(), make1(t, root, "__ArbitratorConfiguration", map[string]cim.Value{"TemporarySubscriptionsPerUser": cim.U32(2)}), cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, cimtest.Namespace)
	for range 2 {
		subscribe(t, s, `SELECT * FROM __TimerEvent`)
	}
	if _, err := s.(cim.Subscriber).Subscribe(t.Context(), `SELECT * FROM __TimerEvent`, cim.SubscribeOptions{}); !errors.Is(err, cim.ErrQuotaViolation) {
		t.Errorf("a third subscription: %v", err)
	}
}

// TestEventsEnd shows that a subscription ends with its session, with the
// rights of its caller, and with the manager, and leaves nothing behind.
func TestEventsEnd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	m := cimom.New(cimom.Options{})
	if err := m.Register(static.New()); err != nil {
		t.Fatal(err)
	}
	begin := func() (cim.Session, cim.Enumerator) {
		s, err := m.Open(t.Context(), administrator(), `root\cimv2`, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s, subscribe(t, s, `SELECT * FROM __ClassCreationEvent`)
	}
	s, e := begin()
	s.Close()
	if _, err := e.Next(t.Context(), 1); !errors.Is(err, cim.ErrShuttingDown) {
		t.Errorf("after the session: %v", err)
	}
	s, e = begin()
	e.Close()
	if _, err := e.Next(t.Context(), 1); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
	admin, _ := begin()
	defer admin.Close()
	user := s.With(caller(false, security.SIDAuthenticatedUsers))
	e = subscribe(t, user, `SELECT * FROM __ClassCreationEvent`)
	if err := setSD(t, admin, sdBytes(t, "O:BAG:BAD:(A;CI;0x6003f;;;BA)")); err != nil {
		t.Fatal(err)
	}
	put(t, admin, keyed("Thing", ""), cim.PutClassOptions{})
	if _, err := e.Next(t.Context(), 1); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("after the right was taken away: %v", err)
	}
	_, e = begin()
	m.Close()
	if _, err := e.Next(t.Context(), 1); !errors.Is(err, cim.ErrShuttingDown) {
		t.Errorf("after the manager: %v", err)
	}
}

// TestCreators shows T-94 and T-95: administrators share what they make, and
// what others make runs as they are, and not together with what
// administrators made.
func TestCreators(t *testing.T) {
	alice, err := security.ParseSID("S-1-5-21-1-2-3-1001")
	if err != nil {
		t.Fatal(err)
	}
	users := cim.Caller{Token: &security.Token{User: alice, Groups: []security.GroupEntry{{SID: security.SIDAuthenticatedUsers}}}}
	m := cimom.New(cimom.Options{CreatorCaller: func(sid security.SID) (cim.Caller, error) {
		if sid == alice {
			return users, nil
		}
		return cim.Caller{Token: cimom.AdministratorsToken()}, nil
	}})
	defer m.Close()
	a := newAlarms(t, alarmClasses)
	if err := m.Register(a); err != nil {
		t.Fatal(err)
	}
	one := open(t, m, `root\subscription`)
	if err := setSD(t, one, sdBytes(t, "O:BAG:BAD:(A;CI;0x6003f;;;BA)(A;;0xb;;;AU)")); err != nil {
		t.Fatal(err)
	}
	other := administrator()
	other.Token.User = security.SIDLocalService
	two, user := one.With(other), one.With(users)
	parts := map[string]cim.Session{"one": one, "two": two, "user": user}
	for name, s := range parts {
		create(t, s, "__EventFilter", map[string]cim.Value{"Name": cim.Str(name), "Query": cim.Str(`SELECT * FROM CT_Alarm`), "QueryLanguage": cim.Str("WQL")})
		create(t, s, "CT_Pager", map[string]cim.Value{"Name": cim.Str(name)})
	}
	for _, b := range []struct{ filter, consumer, by string }{
		{"one", "two", "one"}, // which alone fires
		{"one", "user", "one"}, {"user", "one", "user"}, {"user", "user", "two"},
	} {
		create(t, parts[b.by], "__FilterToConsumerBinding", map[string]cim.Value{
			"Filter": cim.Ref(`__EventFilter.Name="` + b.filter + `"`), "Consumer": cim.Ref(`CT_Pager.Name="` + b.consumer + `"`),
		})
	}
	eventually(t, "the subscription of administrators fires", func() bool {
		if err := a.all(make1(t, one, "CT_Alarm", map[string]cim.Value{"Building": cim.Str("24")})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.got) > 0
	})
	for _, got := range a.take(t, 0) {
		if got != "two: 24" {
			t.Errorf("fired %q", got)
		}
	}
	create(t, user, "CT_Pager", map[string]cim.Value{"Name": cim.Str("again")})
	create(t, user, "__FilterToConsumerBinding", map[string]cim.Value{
		"Filter": cim.Ref(`__EventFilter.Name="user"`), "Consumer": cim.Ref(`CT_Pager.Name="again"`),
	})
	eventually(t, "the subscription of the user fires", func() bool {
		if err := a.all(make1(t, one, "CT_Alarm", map[string]cim.Value{"Building": cim.Str("25")})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.Contains(a.got, "again: 25") && slices.Contains(a.as, alice)
	})
}

// TestRegisteredEventProvider shows a provider that is not built in: its
// stored registrations say which events it makes and which consumers it
// handles.
func TestRegisteredEventProvider(t *testing.T) {
	a := newAlarms(t, alarmClasses)
	m := cimom.New(cimom.Options{Providers: func(_, name string) cimom.Provider {
		if name == "Outside" {
			return a
		}
		return nil
	}})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	put(t, s, cim.Class{Name: "EmailEvent", Superclass: "__ExtrinsicEvent", Properties: []cim.Property{{Name: "Building", Type: cim.String}}}, cim.PutClassOptions{})
	put(t, s, cim.Class{Name: "Pager", Superclass: "__EventConsumer", Properties: []cim.Property{{Name: "Name", Type: cim.String, Qualifiers: cim.Qualifiers{key()}}}}, cim.PutClassOptions{})
	create(t, s, "__Win32Provider", map[string]cim.Value{"Name": cim.Str("Outside")})
	provider := cim.Ref(`__Win32Provider.Name="Outside"`)
	create(t, s, "__EventProviderRegistration", map[string]cim.Value{"provider": provider, "EventQueryList": cim.Strs([]string{`SELECT * FROM EmailEvent`})})
	create(t, s, "__EventConsumerProviderRegistration", map[string]cim.Value{"provider": provider, "ConsumerClassNames": cim.Strs([]string{"Pager"})})

	filter := create(t, s, "__EventFilter", map[string]cim.Value{"Query": cim.Str(`SELECT * FROM EmailEvent`), "QueryLanguage": cim.Str("WQL")})
	consumer := create(t, s, "Pager", map[string]cim.Value{"Name": cim.Str("p")})
	create(t, s, "__FilterToConsumerBinding", map[string]cim.Value{"Filter": cim.Ref(filter.Relative()), "Consumer": cim.Ref(consumer.Relative())})
	e := subscribe(t, s, `SELECT * FROM EmailEvent`)
	eventually(t, "the provider runs for both", func() bool { return a.running() == 2 })
	if err := a.all(make1(t, s, "EmailEvent", map[string]cim.Value{"Building": cim.Str("24")})); err != nil {
		t.Fatal(err)
	}
	expect(t, e, "EmailEvent")
	if got := a.take(t, 1); !slices.Equal(got, []string{"p: 24"}) {
		t.Errorf("the consumer gets %q", got)
	}
}

// TestRegisteredInstanceEvents shows a provider that is registered for two of
// the three kinds of events about its instances: these need no polling.
func TestRegisteredInstanceEvents(t *testing.T) {
	a := newAlarms(t, alarmClasses)
	m := cimom.New(cimom.Options{Providers: func(string, string) cimom.Provider { return a }})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	for _, name := range []string{"Job", "Task"} {
		c := keyed(name, "")
		c.Qualifiers = cim.Qualifiers{{Name: "Dynamic", Value: cim.Bool(true)}, {Name: "Provider", Value: cim.Str("Outside")}}
		put(t, s, c, cim.PutClassOptions{})
	}
	create(t, s, "__Win32Provider", map[string]cim.Value{"Name": cim.Str("Outside")})
	create(t, s, "__EventProviderRegistration", map[string]cim.Value{"provider": cim.Ref(`__Win32Provider.Name="Outside"`), "EventQueryList": cim.Strs([]string{
		`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Job'`, `SELECT * FROM __InstanceDeletionEvent WHERE TargetInstance ISA 'Job'`,
	})})
	for _, query := range []string{
		`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'Job'`, `SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Task'`,
	} {
		if _, err := s.(cim.Subscriber).Subscribe(t.Context(), query, cim.SubscribeOptions{}); !errors.Is(err, cim.ErrEssRegistrationTooPrecise) {
			t.Errorf("%s: %v", query, err)
		}
	}
	e := subscribe(t, s, `SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Job'`)
	gone := subscribe(t, s, `SELECT * FROM __InstanceDeletionEvent WHERE TargetInstance ISA 'Job'`)
	eventually(t, "the provider runs for its two kinds", func() bool { return a.running() == 2 })
	for _, target := range []*cim.Instance{make1(t, s, "Task", map[string]cim.Value{"Id": cim.Str("t")}), make1(t, s, "Job", map[string]cim.Value{"Id": cim.Str("j")})} {
		i := make1(t, s, "__InstanceCreationEvent", map[string]cim.Value{"TargetInstance": cim.Obj(target)})
		if err := a.all(i); err != nil {
			t.Fatal(err)
		}
	}
	made := expect(t, e, "__InstanceCreationEvent").Get("TargetInstance").Object()
	if path, whole := made.Path(); !whole || path.Relative() != `Job.Id="j"` || path.Namespace == "" {
		t.Errorf("the instance is %v", path)
	}
	if event(t, e, soon) != nil || event(t, gone, soon) != nil {
		t.Error("one creation is more than that")
	}
	e.Close()
	gone.Close()
	eventually(t, "the provider stops", func() bool { return a.running() == 0 })
}
