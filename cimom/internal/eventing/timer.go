package eventing

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// firing is what an event of a timer says, for merging those that nobody has
// taken yet.
type firing struct {
	id    string // of the timer, with its namespace
	count uint32
	skip  bool // SkipIfPassed: those that come late are lost
}

// recount is the event with another number of firings.
func (f *firing) recount(event *cim.Instance) *cim.Instance {
	n := event.Class().PropertyIndex("NumFirings")
	if n < 0 {
		return event
	}
	values := make([]cim.Value, event.Len())
	for k := range values {
		values[k] = event.At(k)
	}
	values[n] = cim.U32(f.count)
	return cim.MakeInstance(event.Class(), values)
}

// minInterval is the shortest time between the events of a timer. The page of
// __IntervalTimerInstruction says that WMI may generate no event for one that is
// too small.
const minInterval = 10 * time.Millisecond

// when reads what an instruction says: every interval, or once, at a time. It
// fails with ErrInvalidParameter for one that could never fire.
func when(i *cim.Instance) (interval time.Duration, once time.Time, err error) {
	bad := func(property, why string) (time.Duration, time.Time, error) {
		return 0, time.Time{}, &cim.Error{Status: cim.ErrInvalidParameter, Path: i.Class().Name + "." + property, Detail: why}
	}
	if i.Class().IsA("__IntervalTimerInstruction") {
		ms, _ := i.Get("IntervalBetweenEvents").Uint()
		if interval = time.Duration(ms) * time.Millisecond; interval < minInterval { // #nosec G115 -- a uint32
			return bad("IntervalBetweenEvents", "a timer fires every "+minInterval.String()+" at most")
		}
		return interval, time.Time{}, nil
	}
	at, _ := i.Get("EventDateTime").DateTime()
	once, ok := at.Time()
	if !ok {
		return bad("EventDateTime", "it is no point in time, so that the timer could never fire")
	}
	return 0, once, nil
}

// CheckTimer tells what stands against storing a timer instruction:
// ErrInvalidParameter for one that could never fire. One for a time that is past
// fires at once, unless SkipIfPassed says that late events are lost.
func CheckTimer(i *cim.Instance, now time.Time) error {
	interval, once, err := when(i)
	if skip, _ := i.Get("SkipIfPassed").Bool(); err == nil && interval == 0 && skip && now.Sub(once) > late {
		err = &cim.Error{Status: cim.ErrInvalidParameter, Path: i.Class().Name + ".EventDateTime",
			Detail: "the time is past and SkipIfPassed is TRUE, so that the timer could never fire"}
	}
	return err
}

// timers are the timer instructions that are stored.
type timers struct {
	hub    *Hub
	mu     sync.Mutex
	list   map[string]*timer // by path
	closed bool
}

// timer is one timer instruction.
type timer struct {
	timers    *timers
	namespace string
	id        string // TimerId
	key       string
	skip      bool
	interval  time.Duration // 0: fires once
	stored    *cim.Instance
	next      time.Time // by the wall clock
	clock     *time.Timer
}

func (t *timers) init(h *Hub) { t.hub, t.list = h, map[string]*timer{} }

// Timers is how many timer instructions wait to fire.
func (h *Hub) Timers() int {
	h.timers.mu.Lock()
	defer h.timers.mu.Unlock()
	return len(h.timers.list)
}

// close stops the timers.
func (t *timers) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, one := range t.list {
		one.clock.Stop()
	}
	t.list = nil
}

// remove stops the timer of an instruction.
func (t *timers) remove(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.list[key]; one != nil {
		one.clock.Stop()
		delete(t.list, key)
	}
}

// set starts the timer of an instruction, in place of one that it had. passed
// is when the timers stopped last: firings since then are late. Zero: there is
// nothing to catch up with.
func (t *timers) set(namespace, key string, i *cim.Instance, passed time.Time) {
	t.remove(key)
	id, _ := i.Get("TimerId").Str()
	skip, _ := i.Get("SkipIfPassed").Bool()
	one := &timer{timers: t, namespace: namespace, id: id, key: key, skip: skip, stored: i.Clone()}
	now := time.Now().Round(0) // by the wall clock, which goes on while the machine sleeps
	var err error
	if one.interval, one.next, err = when(i); err != nil { // an older release stored it
		t.hub.log.Warn("a timer never fires", "timer", id, "namespace", namespace, "error", err)
		return
	}
	if one.interval > 0 {
		if one.next = now.Add(one.interval); !passed.IsZero() && passed.Before(now) {
			one.next = passed.Round(0).Add(one.interval)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.list[key] = one
	one.clock = time.AfterFunc(one.sleep(now), one.fire)
}

// longestSleep is how long a timer sleeps at most, so that a change of the
// clock is noticed.
const longestSleep = time.Minute

func (o *timer) sleep(now time.Time) time.Duration {
	return min(max(o.next.Sub(now), 0), longestSleep)
}

// fire publishes what is due and sleeps until the next time.
func (o *timer) fire() {
	t := o.timers
	t.mu.Lock()
	if t.closed || t.list[o.key] != o {
		t.mu.Unlock()
		return
	}
	now := time.Now().Round(0)
	count := o.due(now)
	once := o.interval == 0 && !o.next.After(now)
	if once {
		delete(t.list, o.key)
	} else {
		o.clock.Reset(o.sleep(now))
	}
	t.mu.Unlock()
	if count > 0 {
		o.publish(count)
	}
	if once {
		t.hub.host.Fired(o.namespace, o.stored)
	}
}

// late is how late an event of an absolute timer may be and still be in time.
const late = 10 * time.Second

// due is how many firings there were up to now, and moves the next beyond it.
// Those that are late count with the others, or are lost where SkipIfPassed
// says so. See T-101 of spec/wmi.md.
func (o *timer) due(now time.Time) uint32 {
	behind := now.Sub(o.next)
	if behind < 0 {
		return 0
	}
	if o.interval == 0 {
		if o.skip && behind > late {
			return 0
		}
		return 1
	}
	n := int64(behind / o.interval)
	o.next = o.next.Add(time.Duration(n+1) * o.interval)
	if n > 0 && o.skip {
		return 0
	}
	return uint32(min(n+1, math.MaxUint32))
}

func (o *timer) publish(count uint32) {
	h := o.timers.hub
	f := h.ownFeed(o.namespace)
	class := h.host.Class(o.namespace, "__TimerEvent")
	if !f.wants(class) {
		return
	}
	event := cim.NewInstance(class)
	put(event, "TimerId", cim.Str(o.id))
	put(event, "NumFirings", cim.U32(count))
	f.publish(context.Background(), publication{
		event: event, own: true, timer: &firing{id: cim.Fold(o.namespace) + ":" + o.id, count: count, skip: o.skip},
	})
}

// removeAll stops the timers that have a key that is inside.
func (t *timers) removeAll(inside func(key string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, one := range t.list {
		if inside(key) {
			one.clock.Stop()
			delete(t.list, key)
		}
	}
}
