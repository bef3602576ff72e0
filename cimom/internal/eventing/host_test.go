package eventing

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/cimom/schema"
	"github.com/casementhq/casement/internal/testlog"
	"github.com/casementhq/casement/security"
)

const cimv2 = `root\cimv2`

const testClasses = `
[Abstract] class CT_Element : __SystemClass { [Key] string Name; };
[Dynamic] class CT_Job : CT_Element { uint32 State; string Note; };
[Dynamic] class CT_SubJob : CT_Job { string More; };
class CT_Stored : CT_Element { uint32 State; };
class CT_Alarm : __ExtrinsicEvent { string Building; uint32 Level; };
class CT_LoudAlarm : CT_Alarm { uint32 Decibel; };
class CT_Pager : __EventConsumer { [Key] string Name; };
`

var parsedClasses = sync.OnceValues(func() ([]*cim.Class, error) {
	base, _, err := mof.Definitions(schema.Files, "common.mof", "events.mof")
	if err != nil {
		return nil, err
	}
	list, _, err := mof.DefinitionsOn(base, fstest.MapFS{"test.mof": {Data: []byte(testClasses)}}, "test.mof")
	return append(base, list...), err
})

// fakeHost is an object manager of two namespaces.
type fakeHost struct {
	mu        sync.Mutex
	order     []*cim.Class
	classes   map[string]*cim.Class // by folded name; both namespaces have the same
	own       map[string]Kinds
	dynamic   map[string]*cim.Instance
	lists     int // calls of List
	listErr   error
	unlisted  map[string]error // by folded class
	callers   []security.SID   // of List
	sources   map[string]int   // running, by folded class
	started   int
	emit      map[string]func(*cim.Instance) error
	watchEmit Emit
	denied    map[security.SID]bool
	consume   func(caller cim.Caller, consumer *cim.Instance, events []*cim.Instance) error
	fired     int
}

func newFakeHost(t testing.TB) *fakeHost {
	t.Helper()
	list, err := parsedClasses()
	if err != nil {
		t.Fatal(err)
	}
	h := &fakeHost{
		classes: map[string]*cim.Class{}, own: map[string]Kinds{}, dynamic: map[string]*cim.Instance{},
		sources: map[string]int{}, emit: map[string]func(*cim.Instance) error{}, denied: map[security.SID]bool{},
	}
	for _, c := range list {
		here := *c
		here.Namespace, here.Server = cimv2, "HOST"
		h.order = append(h.order, here.Seal())
		h.classes[cim.Fold(c.Name)] = h.order[len(h.order)-1]
	}
	return h
}

func (h *fakeHost) Server() string { return "HOST" }

func (h *fakeHost) Class(namespace, name string) *cim.Class {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.classes[cim.Fold(name)]
}

func (h *fakeHost) Lineage(namespace, name string) (out []*cim.Class) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.order {
		if c.IsA(name) {
			out = append(out, c)
		}
	}
	return out
}

func (h *fakeHost) Check(namespace string, caller cim.Caller) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.denied[caller.Token.User] {
		return cim.ErrAccessDenied
	}
	return nil
}

func (h *fakeHost) deny(sid security.SID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.denied[sid] = true
}

func (h *fakeHost) Target(namespace string, class *cim.Class) Target {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Target{Stored: !class.Qualifiers.True("Dynamic"), Own: h.own[cim.Fold(class.Name)]}
}

func (h *fakeHost) List(_ context.Context, caller cim.Caller, _ string, q *wql.Bound, yield func(*cim.Instance) error) error {
	h.mu.Lock()
	h.lists++
	h.callers = append(h.callers, caller.Token.User)
	err := h.listErr
	if h.unlisted[cim.Fold(q.Class.Name)] != nil {
		err = h.unlisted[cim.Fold(q.Class.Name)]
	}
	var found []*cim.Instance
	for _, i := range h.dynamic {
		if i.Class() == q.Class {
			found = append(found, i)
		}
	}
	h.mu.Unlock()
	for _, i := range found {
		if err := yield(i.Clone()); err != nil {
			return err
		}
	}
	return err
}

func (h *fakeHost) HasSource(_ string, class *cim.Class) bool { return class.IsA("CT_Alarm") }

func (h *fakeHost) Source(ctx context.Context, _ cim.Caller, _ string, class *cim.Class, _ []wql.Constraint, emit func(*security.Token, *cim.Instance) error) error {
	key := cim.Fold(class.Name)
	h.mu.Lock()
	h.sources[key]++
	h.started++
	h.emit[key] = func(i *cim.Instance) error { return emit(nil, i) }
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sources[key]--
	return ctx.Err()
}

func (h *fakeHost) running(class string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sources[cim.Fold(class)]
}

func (h *fakeHost) Watch(ctx context.Context, _ cim.Caller, _ string, _ *cim.Class, emit Emit) error {
	h.mu.Lock()
	h.watchEmit = emit
	h.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (h *fakeHost) Creator(sid security.SID) (cim.Caller, error) {
	if sid == security.SIDAdministrators {
		return admin, nil
	}
	if sid == alice.Token.User {
		return alice, nil
	}
	return cim.Caller{}, errors.New("unknown account")
}

func (h *fakeHost) Consume(_ context.Context, caller cim.Caller, _ string, consumer *cim.Instance, events []*cim.Instance) error {
	h.mu.Lock()
	f := h.consume
	h.mu.Unlock()
	return f(caller, consumer, events)
}

func (h *fakeHost) Fired(string, *cim.Instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fired++
}

// listings are the calls of List since the last time, and their callers.
func (h *fakeHost) listings() (n int, callers []security.SID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, callers = h.lists, h.callers
	h.lists, h.callers = 0, nil
	return n, callers
}

// emits is how the provider of an event class emits.
func (h *fakeHost) emits(class string, e *cim.Instance) error {
	h.mu.Lock()
	f := h.emit[cim.Fold(class)]
	h.mu.Unlock()
	return f(e)
}

// job puts a dynamic instance.
func (h *fakeHost) job(class, name string, state uint32) *cim.Instance {
	i := cim.NewInstance(h.Class(cimv2, class))
	set(i, "Name", cim.Str(name))
	set(i, "State", cim.U32(state))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dynamic[name] = i
	return i
}

func (h *fakeHost) remove(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.dynamic, name)
}

func (h *fakeHost) new(class string, pairs ...any) *cim.Instance {
	i := cim.NewInstance(h.Class(cimv2, class))
	for n := 0; n < len(pairs); n += 2 {
		set(i, pairs[n].(string), pairs[n+1].(cim.Value))
	}
	return i
}

func set(i *cim.Instance, name string, v cim.Value) {
	if err := i.Set(name, v); err != nil {
		panic(err)
	}
}

var (
	admin = cim.Caller{Token: &security.Token{User: mustSID("S-1-5-21-1-2-3-500"), Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}}
	alice = cim.Caller{Token: &security.Token{User: mustSID("S-1-5-21-1-2-3-1001"), Groups: []security.GroupEntry{{SID: security.SIDUsers}}}}
	bob   = cim.Caller{Token: &security.Token{User: mustSID("S-1-5-21-1-2-3-1002"), Groups: []security.GroupEntry{{SID: security.SIDUsers}}}}
)

func mustSID(text string) security.SID {
	s, err := security.ParseSID(text)
	if err != nil {
		panic(err)
	}
	return s
}

// log is a log that tests read.
type log struct{ testlog.Text }

func (l *log) has(text string) bool { return strings.Contains(l.String(), text) }

func newHub(t testing.TB, host *fakeHost, limits Limits) (*Hub, *log) {
	t.Helper()
	l := &log{}
	h := New(Options{Host: host, Limits: limits, Logger: slog.New(slog.NewTextHandler(l, nil))})
	t.Cleanup(h.Close)
	return h, l
}

func subscribe(t testing.TB, h *Hub, caller cim.Caller, query string) *Subscription {
	t.Helper()
	s, err := h.Subscribe(t.Context(), cimv2, query, caller)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// next is the next event within a second, nil where there is none.
func next(t testing.TB, s *Subscription) *cim.Instance {
	t.Helper()
	return within(t, s, time.Second)
}

func within(t testing.TB, s *Subscription, d time.Duration) *cim.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	list, err := s.Next(ctx, 1)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// about is the name of the instance that an event is about, after the kind:
// "creation a".
func about(e *cim.Instance) string {
	if e == nil {
		return ""
	}
	kind := strings.TrimSuffix(strings.TrimPrefix(cim.Fold(e.Class().Name), "__instance"), "event")
	name, _ := e.Get("TargetInstance").Object().Get("Name").Str()
	return kind + " " + name
}

// all are the events at hand.
func all(t testing.TB, s *Subscription) (out []string) {
	t.Helper()
	time.Sleep(time.Millisecond) // in a bubble, until everybody waits
	for _, e := range s.queue.take(0) {
		out = append(out, about(e.event))
	}
	return out
}
