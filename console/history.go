package console

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/internal/store"
	"github.com/casementhq/casement/pool"
)

// What is remembered of the counters of a server: a week of refreshes, and the last
// hour of what was seen while somebody looked. Both are rings of a fixed size.
const (
	coarseStep, coarseSlots = 10 * time.Minute, 7 * 24 * 6
	fineStep, fineSlots     = 5 * time.Second, 60 * 12
)

// The counters of a ring.
const (
	counterCPU = iota
	counterMemory
	counters
)

// noValue is what a cell has that nothing was told for. A value is a percentage in
// halves, 0 to 200.
const noValue = 0xff

// ring is a line of moments of the same distance, with a cell for each counter.
type ring struct {
	step  int64 // seconds
	last  int64 // the newest moment, in steps since 1970
	cells []byte
}

func newRing(step time.Duration, slots int) *ring {
	r := &ring{step: int64(step / time.Second), cells: make([]byte, counters*slots)}
	for n := range r.cells {
		r.cells[n] = noValue
	}
	return r
}

func (r *ring) cell(slot int64) []byte {
	n := int(slot%int64(len(r.cells)/counters)) * counters
	return r.cells[n : n+counters]
}

// note keeps values, nil for what was not told. It tells whether they are kept: what
// is older than the ring is not.
func (r *ring) note(at time.Time, values [counters]*float64) bool {
	slot, slots := at.Unix()/r.step, int64(len(r.cells)/counters)
	if slot <= r.last-slots || slot < 0 {
		return false
	}
	for s := max(r.last+1, slot-slots+1); s <= slot; s++ {
		for n := range r.cell(s) {
			r.cell(s)[n] = noValue
		}
	}
	r.last = max(r.last, slot)
	for n, v := range values {
		if v != nil {
			r.cell(slot)[n] = byte(2*max(0, min(*v, 100)) + 0.5)
		}
	}
	return true
}

// points are the values of a counter from a time on.
func (r *ring) points(counter int, from time.Time) (list []point) {
	slots := int64(len(r.cells) / counters)
	for s := max(from.Unix()/r.step, r.last-slots+1); s <= r.last; s++ {
		if v := r.cell(s)[counter]; v != noValue {
			list = append(list, point{time.Unix(s*r.step, 0).UTC(), float64(v) / 2})
		}
	}
	return list
}

// memory is the history of one server. fine is nil while nobody looked.
type memory struct {
	coarse, fine *ring
	changed      bool
}

// history remembers the counters of each server. It is kept in the console's store
// each ten minutes and when the console ends.
type history struct {
	mu   sync.Mutex
	rows map[string]*memory // by the name in small letters
	gone map[string]bool    // to be taken out of the store
}

const historyPrefix = "history/"

func (h *history) memory(name string) *memory {
	name = strings.ToLower(name)
	m := h.rows[name]
	if m == nil {
		m = &memory{coarse: newRing(coarseStep, coarseSlots)}
		if h.rows == nil {
			h.rows = map[string]*memory{}
		}
		h.rows[name] = m
		delete(h.gone, name)
	}
	return m
}

// note keeps what a full refresh tells.
func (h *history) note(e Entry) {
	s := e.Snapshot
	if s == nil || s.Counters == nil || s.Full.IsZero() {
		return
	}
	v := [counters]*float64{counterCPU: e.CPU(), counterMemory: e.Memory()}
	if v[counterCPU] == nil && v[counterMemory] == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.memory(e.Name)
	if s.Full.Unix()/m.coarse.step >= m.coarse.last && m.coarse.note(s.Full, v) {
		m.changed = true
	}
}

// sample keeps what was seen while somebody looked.
func (h *history) sample(name string, at time.Time, v [counters]*float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.memory(name)
	if m.fine == nil {
		m.fine = newRing(fineStep, fineSlots)
	}
	m.changed = m.fine.note(at, v) || m.changed
}

// points are the values of a counter from a time on, in order: the fine ones, and
// between them those of refreshes.
func (h *history) points(name string, counter int, from time.Time) []point {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.rows[strings.ToLower(name)]
	if m == nil {
		return nil
	}
	coarse := m.coarse.points(counter, from)
	if m.fine == nil || time.Since(from) > 2*time.Hour {
		return coarse
	}
	fine := m.fine.points(counter, from)
	var list []point
	for _, p := range fine {
		for len(coarse) > 0 && coarse[0].At.Before(p.At) {
			if p.At.Sub(coarse[0].At) >= coarseStep { // else it is of the same ten minutes, and its own is not known better
				list = append(list, coarse[0])
			}
			coarse = coarse[1:]
		}
		list = append(list, p)
	}
	return append(list, coarse...)
}

// of gives the load and the memory of a server in the last week, by refreshes.
func (h *history) of(name string) (cpu, memory []point) {
	from := time.Now().Add(-coarseSlots * coarseStep)
	return h.points(name, counterCPU, from), h.points(name, counterMemory, from)
}

// forget drops a server that is gone.
func (h *history) forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(strings.ToLower(name))
}

func (h *history) drop(name string) {
	delete(h.rows, name)
	if h.gone == nil {
		h.gone = map[string]bool{}
	}
	h.gone[name] = true
}

// only drops the servers that went while nobody looked.
func (h *history) only(there func(name string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range h.rows {
		if !there(name) {
			h.drop(name)
		}
	}
}

// historyVersion is the first octet of what is kept of a server; then come the newest
// moment and the cells of the coarse ring, and of the fine one where there is one.
const historyVersion = 1

var errHistory = errors.New("what is kept of the counters of a server cannot be read")

func (m *memory) encode() []byte {
	b := []byte{historyVersion}
	for _, r := range []*ring{m.coarse, m.fine} {
		if r != nil {
			b = binary.BigEndian.AppendUint64(b, uint64(r.last)) // #nosec G115 -- it comes back the same
			b = append(b, r.cells...)
		}
	}
	return b
}

func decodeMemory(b []byte) (*memory, error) {
	m := &memory{coarse: newRing(coarseStep, coarseSlots)}
	if len(b) == 0 || b[0] != historyVersion {
		return nil, errHistory
	}
	b = b[1:]
	read := func(r *ring) bool {
		if len(b) < 8+len(r.cells) {
			return false
		}
		r.last = int64(binary.BigEndian.Uint64(b)) // #nosec G115 -- as it was written
		copy(r.cells, b[8:])
		b = b[8+len(r.cells):]
		return r.last >= 0
	}
	if !read(m.coarse) {
		return nil, errHistory
	}
	if len(b) > 0 {
		if m.fine = newRing(fineStep, fineSlots); !read(m.fine) || len(b) > 0 {
			return nil, errHistory
		}
	}
	return m, nil
}

// load reads what an earlier console kept. What cannot be read begins anew.
func (h *history) load(ctx context.Context, db *store.Store) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows = map[string]*memory{}
	return db.View(ctx, func(tx *store.Tx) error {
		cur := tx.Cursor([]byte(historyPrefix))
		for ok := cur.Seek([]byte(historyPrefix)); ok; ok = cur.Next() {
			name := strings.TrimPrefix(string(cur.Key()), historyPrefix)
			if m, err := decodeMemory(cur.Value()); err == nil {
				h.rows[name] = m
			}
		}
		return cur.Err()
	})
}

// flushAtOnce is how many servers are written in one transaction, so that sign-ins
// need not wait.
const flushAtOnce = 200

// flush writes what changed to the store.
func (h *history) flush(ctx context.Context, db *store.Store) error {
	type row struct {
		name  string
		value []byte // nil: gone
	}
	var rows []row
	h.mu.Lock()
	hour := time.Now().Add(-time.Hour).Unix()
	for name := range h.gone {
		rows = append(rows, row{name, nil})
	}
	h.gone = nil
	for name, m := range h.rows {
		if m.fine != nil && m.fine.last*m.fine.step < hour {
			m.fine, m.changed = nil, true
		}
		if m.changed {
			rows, m.changed = append(rows, row{name, m.encode()}), false
		}
	}
	h.mu.Unlock()
	for len(rows) > 0 {
		part := rows[:min(len(rows), flushAtOnce)]
		rows = rows[len(part):]
		if err := db.Update(ctx, func(tx *store.Tx) error {
			for _, r := range part {
				key, err := []byte(historyPrefix+r.name), error(nil)
				if r.value == nil {
					err = tx.Delete(key)
				} else {
					err = tx.Put(key, r.value)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// keepHistory writes the history each ten minutes until ctx ends.
func (c *Console) keepHistory(ctx context.Context) {
	every := time.NewTicker(coarseStep)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if err := c.history.flush(ctx, c.store); err != nil && ctx.Err() == nil {
			c.log.Error("the history of counters cannot be written", "error", err)
		}
	}
}

// noteChange keeps what a change in the pool tells; e is nil once all were told.
func (h *history) noteChange(f *fleet, e *pool.Entry, gone bool) {
	switch {
	case e == nil:
		h.only(func(name string) bool {
			_, ok := f.get(name)
			return ok
		})
	case gone:
		h.forget(e.Name)
	default:
		h.note(Entry{*e})
	}
}
