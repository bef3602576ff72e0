package repository

import (
	"bytes"
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// Get reads an instance of exactly this class, which is sealed and names its
// namespace: ErrNotFound, ErrInvalidObjectPath, ErrCriticalError where its
// record is damaged. The instance stays valid.
func (r *Repository) Get(ctx context.Context, class *cim.Class, path cim.ObjectPath) (i *cim.Instance, err error) {
	err = r.view(ctx, func(tx *store.Tx) error {
		i, err = r.get(tx, class, path)
		return err
	})
	return i, err
}

// Get is [Repository.Get] with the changes of t.
func (t *Tx) Get(class *cim.Class, path cim.ObjectPath) (*cim.Instance, error) {
	return t.r.get(t.tx, class, path)
}

func (r *Repository) get(tx *store.Tx, class *cim.Class, path cim.ObjectPath) (*cim.Instance, error) {
	var buf [256]byte
	key, err := keyOf(buf[:0], class, path)
	if err != nil {
		return nil, err
	}
	record, err := find(tx, key)
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, notFound(class, path)
	}
	x := reader{r: r, tx: tx, class: class}
	if _, err := x.decode(key, bytes.Clone(record)); err != nil { // the texts stay in the copy
		return nil, err
	}
	return cim.MakeInstance(class, x.values), nil
}

func notFound(class *cim.Class, path cim.ObjectPath) error {
	path.Namespace = ""
	return &cim.Error{Status: cim.ErrNotFound, Namespace: class.Namespace, Path: path.String()}
}

// find is the record of a key, nil where there is none. A record that does not
// check out beside the place of the key, but does under it, is the one that is
// looked for: its key was damaged.
func find(tx *store.Tx, key []byte) ([]byte, error) {
	record, err := tx.Get(key)
	if record != nil || err != nil {
		return record, err
	}
	k1, r1, k2, r2, err := tx.Cursor(nil).Neighbours(key)
	if err != nil {
		return nil, err
	}
	for _, p := range [2]struct{ key, record []byte }{{k1, r1}, {k2, r2}} {
		if p.key == nil {
			continue
		}
		if _, err := content(p.key, p.record); err == nil {
			continue
		}
		if _, err := content(key, p.record); err == nil {
			return nil, damagedObject(key, errKey)
		}
	}
	return nil, nil
}

// Position is a place in the instances of a class; the zero Position is before
// the first.
type Position struct {
	after string // the last key that was seen
	ended bool
}

// End tells whether no instance was left behind the position.
func (p Position) End() bool { return p.ended }

// ScanBatch is the number of records that one call of Scan visits when it is
// not told another.
const ScanBatch = 1000

// Scan gives f the instances of exactly this class that come after a position,
// in the order of their keys: at most max of them (max < 1: ScanBatch), and
// none after the one for which f returns false. It returns the position after
// the last one; the caller goes on from there until its End. Instances may come
// and go between two calls.
//
// The instance and every text in it lie in the file: they are valid until f
// returns, and f must not wait. [Keep] makes a copy that stays. A damaged record
// is an ErrCriticalError that names it; the position is after it.
func (r *Repository) Scan(ctx context.Context, class *cim.Class, from Position, max int, f func(*cim.Instance) bool) (to Position, err error) {
	if from.ended {
		return from, nil
	}
	if max < 1 {
		max = ScanBatch
	}
	if err := checkNames(class.Namespace, class.Name); err != nil {
		return from, err
	}
	to.ended = true // where the store fails, there is no going on
	err = r.view(ctx, func(tx *store.Tx) error {
		w := walk{c: tx.Cursor(instancesPrefix(nil, class)), start: instancesPrefix(nil, class), from: from}
		x := reader{r: r, tx: tx, class: class}
		n := 0
		for ok := w.first(); ok; ok = w.next() {
			i, err := x.decode(w.c.Key(), w.c.Value())
			n++
			if err != nil || !f(i) || n == max {
				to = w.position()
				return err
			}
		}
		return w.err()
	})
	return to, err
}

// walk is a cursor that goes on from a position. The keys must rise: pages that
// are damaged could lead it round and round.
type walk struct {
	c     *store.Cursor
	start []byte // what all keys begin with
	from  Position
	last  []byte
	wrong error
}

func (w *walk) first() bool {
	if w.from.after == "" {
		return w.rises(w.c.Seek(w.start))
	}
	w.last = append(w.start[:len(w.start):len(w.start)], w.from.after...)
	ok := w.c.Seek(w.last)
	if ok && bytes.Equal(w.c.Key(), w.last) {
		ok = w.c.Next()
	}
	return w.rises(ok)
}

func (w *walk) next() bool { return w.rises(w.c.Next()) }

func (w *walk) rises(ok bool) bool {
	if !ok {
		return false
	}
	if w.last != nil && bytes.Compare(w.c.Key(), w.last) <= 0 {
		w.wrong = damagedObject(w.c.Key(), errOrder)
		return false
	}
	w.last = w.c.Key()
	return true
}

func (w *walk) position() Position { return Position{after: string(w.last[len(w.start):])} }

func (w *walk) err() error {
	if w.wrong != nil {
		return w.wrong
	}
	return w.c.Err()
}

// Count counts the instances of exactly this class.
func (r *Repository) Count(ctx context.Context, class *cim.Class) (n int, err error) {
	if err := checkNames(class.Namespace, class.Name); err != nil {
		return 0, err
	}
	err = r.view(ctx, func(tx *store.Tx) error {
		c := tx.Cursor(instancesPrefix(nil, class))
		n = 0
		for ok := c.Seek(nil); ok; ok = c.Next() {
			n++
		}
		return c.Err()
	})
	return n, err
}

// Create stores a new instance in the namespace of its class: ErrAlreadyExists,
// ErrNoKey, ErrInvalidObject for one without a value for each key.
func (t *Tx) Create(i *cim.Instance) error { return t.write(i, false) }

// Put changes an instance that is there: ErrNotFound.
func (t *Tx) Put(i *cim.Instance) error { return t.write(i, true) }

func (t *Tx) write(i *cim.Instance, exists bool) error {
	class := i.Class()
	path, whole := i.Path()
	if !whole {
		if len(class.Keys()) == 0 {
			return invalid(cim.ErrNoKey, class, "the class has no key")
		}
		return invalid(cim.ErrInvalidObject, class, "a key has no value")
	}
	if err := t.needNamespace(class.Namespace); err != nil {
		return err
	}
	key, err := keyOf(nil, class, path)
	if err != nil {
		return err
	}
	old, err := find(t.tx, key)
	switch {
	case err != nil:
		return err
	case exists && old == nil:
		return notFound(class, path)
	case !exists && old != nil:
		return &cim.Error{Status: cim.ErrAlreadyExists, Namespace: class.Namespace, Path: path.Relative()}
	}
	if err := t.unindex(class, key, old); err != nil {
		return err
	}
	l, names := layoutOf(class)
	if err := storeLayout(t.tx, l, names); err != nil {
		return err
	}
	e := encoder{b: append(begin(make([]byte, 0, 256)), l[:]...)}
	for n := range i.Len() {
		e.value(i.At(n), class.Properties[n].Type)
	}
	if err := t.put(key, &e); err != nil {
		return err
	}
	return t.index(class, key, i)
}

// Delete removes an instance: ErrNotFound, ErrInvalidObjectPath. A damaged one
// is removed too.
func (t *Tx) Delete(class *cim.Class, path cim.ObjectPath) error {
	key, err := keyOf(nil, class, path)
	if err != nil {
		return err
	}
	old, err := find(t.tx, key)
	if err != nil {
		return err
	}
	if old == nil {
		return notFound(class, path)
	}
	if err := t.unindex(class, key, old); err != nil {
		return err
	}
	return t.tx.Delete(key)
}
