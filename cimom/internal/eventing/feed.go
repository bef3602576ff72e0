package eventing

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// feed is a place where events come in, with the subscriptions that may want
// them.
type feed struct {
	hub       *Hub
	namespace string
	key       string // in hub.feeds; "" for what the manager writes

	// members is guarded by hub.mu; table is made from it.
	members map[*subscription]struct{}
	table   atomic.Pointer[table]

	cancel  context.CancelFunc // ends what runs; nil for what the manager writes
	ready   chan struct{}      // closed when it runs, or has failed to
	failure error              // set before ready is closed
}

// table are the subscriptions of a feed at one time, sorted out by the class
// of the event when it first comes.
type table struct {
	hub    *Hub
	list   []*subscription
	mu     sync.Mutex
	routes atomic.Pointer[map[*cim.Class]*routes]
}

// routes are the ways for events of one class.
type routes struct {
	class    *cim.Class // without namespace and server
	list     []route
	created  int // position of TIME_CREATED, or -1
	security int // position of SECURITY_DESCRIPTOR, or -1
	system   bool
}

type route struct {
	*binding
	subscription *subscription
}

func (t *table) of(class *cim.Class) *routes {
	known := t.routes.Load()
	if known != nil {
		if r := (*known)[class]; r != nil {
			return r
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next := map[*cim.Class]*routes{}
	if known = t.routes.Load(); known != nil && len(*known) < mostClasses {
		next = maps.Clone(*known)
	}
	bare := t.hub.bareClass(class)
	r := &routes{
		class: bare, created: bare.PropertyIndex("TIME_CREATED"), security: bare.PropertyIndex("SECURITY_DESCRIPTOR"),
		system: bare.IsA("__EventDroppedEvent"),
	}
	for _, s := range t.list {
		if b := s.bind(bare); b != nil {
			r.list = append(r.list, route{b, s})
		}
	}
	next[class] = r
	t.routes.Store(&next)
	return r
}

// rebuild makes the table anew; hub.mu is held.
func (f *feed) rebuild() {
	t := &table{hub: f.hub, list: make([]*subscription, 0, len(f.members))}
	for s := range f.members {
		t.list = append(t.list, s)
	}
	f.table.Store(t)
}

// wants tells whether anybody may want events of a class.
func (f *feed) wants(class *cim.Class) bool {
	return f != nil && class != nil && len(f.table.Load().of(class).list) > 0
}

// fail ends a feed that cannot go on, with all that depend on it.
func (f *feed) fail(err error) {
	h := f.hub
	h.mu.Lock()
	if h.feeds[f.key] == f {
		delete(h.feeds, f.key)
	}
	members := f.members
	f.members = map[*subscription]struct{}{}
	h.mu.Unlock()
	f.cancel()
	for s := range members {
		s.fail(err)
	}
}

// scratch is an event while it is matched.
type scratch struct {
	instance cim.Instance
	values   []cim.Value
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// publication is one event with who published it.
type publication struct {
	event *cim.Instance
	by    *security.Token // nil: the service
	timer *firing
	// own says that nobody else changes the event or what it refers to.
	own bool
	// patient says that the publisher may be made to wait for a slow consumer.
	patient bool
}

// publish gives an event to every subscription that wants it.
func (f *feed) publish(ctx context.Context, p publication) {
	defer f.survive(p.event.Class())
	r := f.table.Load().of(p.event.Class())
	if len(r.list) == 0 {
		return
	}
	s := scratches.Get().(*scratch)
	s.values = s.values[:0]
	for n := range p.event.Len() {
		s.values = append(s.values, p.event.At(n))
	}
	if r.created >= 0 && s.values[r.created].IsNull() {
		s.values[r.created] = cim.U64(filetime(time.Now()))
	}
	cim.ResetInstance(&s.instance, r.class, s.values)
	waits := f.deliver(p, r, s)
	clear(s.values)
	s.instance = cim.Instance{}
	scratches.Put(s)
	wait(ctx, waits)
}

// deliver hands the event on, and returns what the publisher must wait for.
func (f *feed) deliver(p publication, r *routes, s *scratch) (waits []<-chan struct{}) {
	var reader reading
	var e item
	for n := range r.list {
		to := &r.list[n]
		if !to.match(&s.instance) || !to.subscription.admits(p.by) {
			continue
		}
		if e.event == nil {
			if e = p.item(r, s); !reader.read(s.values, r.security) {
				f.hub.log.Warn("an event has a bad SECURITY_DESCRIPTOR and is not delivered", "class", r.class.Name, "namespace", f.namespace)
				return waits
			}
		}
		if !reader.may(to.subscription.caller.Token) {
			continue
		}
		one := e
		one.event = to.view(e.event)
		if w := to.subscription.put(one, p.patient); w != nil {
			waits = append(waits, w)
		}
	}
	return waits
}

// item makes the event that everybody gets.
func (p *publication) item(r *routes, s *scratch) item {
	var i *cim.Instance
	if p.own {
		i = cim.MakeInstance(r.class, append([]cim.Value(nil), s.values...))
	} else {
		i = s.instance.Clone()
	}
	return item{event: i, size: sizeOf(i) + itemSize, timer: p.timer, system: r.system}
}

func wait(ctx context.Context, waits []<-chan struct{}) {
	if len(waits) == 0 {
		return
	}
	t := time.NewTimer(MaxWait)
	defer t.Stop()
	for _, w := range waits {
		select {
		case <-w:
		case <-t.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// filetime is a time in 100 nanoseconds since 1601, TIME_CREATED.
func filetime(t time.Time) uint64 { return uint64(t.UnixNano()/100) + 116444736000000000 }
