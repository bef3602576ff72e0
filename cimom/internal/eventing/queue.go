package eventing

import (
	"sync"
	"unsafe"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// item is an event on its way. Its event is shared by everybody who gets it
// and is not changed any more.
type item struct {
	event *cim.Instance
	size  int64 // bytes of memory
	timer *firing
	by    *subscription // a permanent one
	done  chan struct{} // closed when the event was handled; nil: nobody waits
	// system marks an event about the loss of another; its own loss is silent.
	system bool
}

// handled lets the publisher go on, if it waits.
func (e *item) handled() {
	if e.done != nil {
		close(e.done)
	}
}

const itemSize = int64(unsafe.Sizeof(item{}))

// queue holds events for one reader, bounded in bytes. Whoever puts never
// waits.
type queue struct {
	ledger *ledger
	user   security.SID
	limit  int64 // bytes

	mu     sync.Mutex
	items  []item // those from head on
	head   int
	bytes  int64
	sealed bool          // what is put is lost
	ready  chan struct{} // has room for one signal
}

func newQueue(l *ledger, user security.SID, limit int64) *queue {
	return &queue{ledger: l, user: user, limit: limit, ready: make(chan struct{}, 1)}
}

// put appends an event; ok is false where there is no room for it.
func (q *queue) put(e item) (ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sealed || e.timer != nil && q.merge(e.timer) {
		return true
	}
	if q.bytes+e.size > q.limit || q.ledger.take(q.user, queued, e.size) != nil {
		return false
	}
	q.bytes += e.size
	if q.head > 0 && len(q.items) == cap(q.items) { // slide rather than grow
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, e)
	q.signal()
	return true
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// merge adds the firings of a timer to those that wait already. See
// spec/wmi.md 5.1.
func (q *queue) merge(f *firing) bool {
	for n := q.head; n < len(q.items); n++ {
		if have := &q.items[n]; have.timer != nil && have.timer.id == f.id {
			if !f.skip {
				have.timer = &firing{id: f.id, count: have.timer.count + f.count}
				have.event = have.timer.recount(have.event)
			}
			return true
		}
	}
	return false
}

// take takes up to limit events, all for limit < 1; none where there are none.
func (q *queue) take(limit int) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.items) - q.head
	if n == 0 {
		return nil
	}
	if limit > 0 {
		n = min(n, limit)
	}
	out := make([]item, n)
	copy(out, q.items[q.head:])
	clear(q.items[q.head : q.head+n])
	if q.head += n; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	var bytes int64
	for k := range out {
		bytes += out[k].size
	}
	q.bytes -= bytes
	q.ledger.give(q.user, queued, bytes)
	return out
}

// eventsOf are the events of items.
func eventsOf(items []item) []*cim.Instance {
	out := make([]*cim.Instance, len(items))
	for n := range items {
		out[n] = items[n].event
	}
	return out
}

// waiting is how many bytes wait.
func (q *queue) waiting() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// seal loses what is put from now on, and tells how many bytes wait.
func (q *queue) seal() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sealed = true
	return q.bytes
}

// close drops what waits; what is put later is lost.
func (q *queue) close() { q.drop() }

// drop is close that tells the first event that was dropped, and how many
// bytes they were.
func (q *queue) drop() (first item, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sealed = true
	for n, e := range q.items[q.head:] {
		if n == 0 {
			first = e
		}
		e.handled()
	}
	bytes = q.bytes
	q.ledger.give(q.user, queued, bytes)
	q.items, q.head, q.bytes = nil, 0, 0
	return first, bytes
}
