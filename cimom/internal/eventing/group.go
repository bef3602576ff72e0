package eventing

import (
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// grouping gathers the events of a GROUP clause: each group from its first
// event on for the time of WITHIN, then it is one __AggregateEvent if HAVING
// holds. See spec/wmi.md 3.5.
type grouping struct {
	subscription *subscription
	class        *cim.Class // __AggregateEvent

	mu     sync.Mutex
	open   map[string]*group
	order  []*group // the oldest first; all take the same time
	bytes  int64
	timer  *time.Timer // of the oldest; nil where there is none
	closed bool
	key    []byte
}

type group struct {
	key            string
	ends           time.Time
	representative item
	count          uint32
	size           int64
}

const groupSize = 128 // a group and its place in map and list, without key and event

func newGrouping(s *subscription, class *cim.Class) *grouping {
	return &grouping{subscription: s, class: class, open: map[string]*group{}}
}

// add adds an event to its group.
func (g *grouping) add(e item) {
	if lost := g.insert(e); lost {
		// as if the queue were full: what waits in groups counts as queued
		lossy := e
		lossy.size = 1 << 62
		g.subscription.sink.put(lossy, never)
	}
}

func (g *grouping) insert(e item) (lost bool) {
	s := g.subscription
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.key = s.bound.Load().AppendGroup(g.key[:0], e.event)
	if have := g.open[string(g.key)]; have != nil {
		if have.count < 1<<32-1 {
			have.count++
		}
		return false
	}
	one := &group{
		key: string(g.key), ends: time.Now().Add(s.query.Group.Within), representative: e, count: 1,
		size: groupSize + int64(len(g.key)) + e.size,
	}
	if g.bytes+one.size > s.hub.ledger.threshold() || s.hub.ledger.take(s.user(), queued, one.size) != nil {
		return true
	}
	g.bytes += one.size
	g.open[one.key] = one
	g.order = append(g.order, one)
	if g.timer == nil {
		g.timer = time.AfterFunc(s.query.Group.Within, g.expire)
	}
	return false
}

// expire delivers the groups whose time is over.
func (g *grouping) expire() {
	for _, one := range g.due() {
		e := cim.NewInstance(g.class)
		put(e, "NumberOfEvents", cim.U32(one.count))
		put(e, "Representative", cim.Obj(one.representative.event))
		g.subscription.sink.put(item{event: e, size: sizeOf(e) + itemSize, system: one.representative.system}, never)
	}
}

// due takes the groups whose time is over, gives their memory back, and
// returns those that HAVING lets through.
func (g *grouping) due() (out []*group) {
	s := g.subscription
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	now := time.Now()
	for len(g.order) > 0 && !g.order[0].ends.After(now) {
		one := g.order[0]
		g.order[0] = nil
		g.order = g.order[1:]
		delete(g.open, one.key)
		g.bytes -= one.size
		s.hub.ledger.give(s.user(), queued, one.size)
		if s.query.Group.Having.Holds(one.count) {
			out = append(out, one)
		}
	}
	if len(g.order) == 0 {
		g.order, g.timer = nil, nil
	} else {
		g.timer.Reset(g.order[0].ends.Sub(now))
	}
	return out
}

// close drops the groups.
func (g *grouping) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.closed = true
	if g.timer != nil {
		g.timer.Stop()
	}
	g.subscription.hub.ledger.give(g.subscription.user(), queued, g.bytes)
	g.open, g.order = nil, nil
}
