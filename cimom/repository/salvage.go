package repository

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/internal/store"
	"github.com/casementhq/casement/security"
)

// Salvaged says what Salvage did.
type Salvaged struct {
	Kept  int       // records that were carried over
	Lost  []Problem // what was damaged, and what was lost with it
	Aside string    // where the damaged file is kept; "" for a repository in memory
}

// Salvage makes a fresh file of every record that still checks out and puts it
// in the place of this one, which is kept aside under a name with the time.
// Secondary indexes are made anew with the next write to their class. A
// namespace whose record was lost comes back with a descriptor that admits
// administrators only.
func (r *Repository) Salvage(ctx context.Context) (s Salvaged, err error) {
	if r.path != "" {
		s.Aside = r.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	}
	err = r.store.Replace(ctx, s.Aside, func(fresh *store.Store, remains store.Remains) error {
		w := salvager{w: writer{s: fresh}, lost: map[string]string{}}
		problems, err := remains(ctx, func(key, record []byte) error { return w.record(ctx, key, record) })
		if err == nil {
			err = w.w.flush(ctx)
		}
		if err == nil {
			err = w.finish(ctx)
		}
		if err != nil {
			return err
		}
		s.Kept = w.kept
		for _, p := range problems {
			s.Lost = append(s.Lost, Problem{Detail: p})
		}
		s.Lost = append(s.Lost, w.problems()...)
		return nil
	})
	return s, fromStore(err)
}

type salvager struct {
	w    writer
	kept int
	lost map[string]string // by key
}

// record takes a pair that is left in the file.
func (x *salvager) record(ctx context.Context, key, record []byte) error {
	if _, err := content(key, record); err != nil {
		// The key may be as wrong as the rest.
		if len(key) > 0 && bytes.IndexByte(kinds, key[0]) >= 0 && len(x.lost) < maxLost {
			x.lost[string(key)] = err.Error()
		}
		return nil
	}
	if key[0] == kindIndex || key[0] == kindIndexed {
		return nil
	}
	return x.w.put(ctx, key, record)
}

var kinds = []byte{kindFormat, kindNamespace, kindNamespace2, kindClass, kindLayout, kindLayout2, kindInstance}

// maxLost bounds the report.
const maxLost = 10000

// finish makes the fresh store consistent: what was written twice is there
// twice again, what cannot be read without a lost record goes.
func (x *salvager) finish(ctx context.Context) error {
	return x.w.s.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Delete(formatKey); err != nil {
			return err
		}
		if err := putFormat(tx); err != nil {
			return err
		}
		for _, pair := range [][2]byte{{kindNamespace, kindNamespace2}, {kindNamespace2, kindNamespace}, {kindLayout, kindLayout2}, {kindLayout2, kindLayout}} {
			if err := x.double(tx, pair[0], pair[1]); err != nil {
				return err
			}
		}
		v := verifier{tx: tx, layouts: map[layout][]byte{}}
		c := tx.Cursor(nil)
		var at []byte
		for ok := c.Seek(nil); ok; ok = c.Seek(at) {
			key := bytes.Clone(c.Key())
			at = append(append(at[:0], key...), 0)
			x.kept++
			err := v.record(key, c.Value())
			if errors.Is(err, errNoNamespace) {
				if err = x.namespace(tx, key); err != nil {
					return err
				}
			}
			if err != nil {
				x.lost[string(key)] = err.Error()
				x.kept--
				if err := tx.Delete(key); err != nil {
					return err
				}
			}
		}
		for key := range x.lost { // found again elsewhere, or in its second record
			if record, err := tx.Get([]byte(key)); err != nil {
				return err
			} else if record != nil {
				delete(x.lost, key)
			}
		}
		return c.Err()
	})
}

// double makes a second record of each kind where there is none.
func (x *salvager) double(tx *store.Tx, from, to byte) error {
	c := tx.Cursor([]byte{from})
	var at []byte
	for ok := c.Seek(nil); ok; ok = c.Seek(at) {
		at = append(append(at[:0], c.Key()...), 0)
		key := bytes.Clone(c.Key())
		b, err := content(key, c.Value())
		if err != nil {
			return err
		}
		key[0] = to
		if old, err := tx.Get(key); err != nil || old != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := tx.Put(key, end(key, append(begin(nil), b...))); err != nil {
			return err
		}
	}
	return c.Err()
}

// namespace brings back a namespace both of whose records are lost.
func (x *salvager) namespace(tx *store.Tx, key []byte) error {
	name, _, _ := bytes.Cut(key[1:], []byte{0})
	sd, err := administratorsOnly()
	if err != nil {
		return err
	}
	t := Tx{tx: tx}
	if err := t.PutNamespace(Namespace{Name: string(name), Created: true, Security: sd}); err != nil {
		return err
	}
	x.lost["\x00"+string(name)] = "its attributes are lost; only administrators are admitted until its security is set again"
	return nil
}

// administratorsOnly is the descriptor of a namespace that gives administrators
// every right in it and nobody else any.
func administratorsOnly() ([]byte, error) {
	sd, err := security.ParseSDDL("O:BAG:BAD:P(A;CI;CCDCLCSWRPWPRCWD;;;BA)")
	if err != nil {
		return nil, err
	}
	return sd.Bytes()
}

func (x *salvager) problems() (list []Problem) {
	for key, why := range x.lost {
		if name, ok := strings.CutPrefix(key, "\x00"); ok {
			list = append(list, Problem{Object: name, Detail: why})
			continue
		}
		list = append(list, problemAt([]byte(key), why))
	}
	slices.SortFunc(list, func(a, b Problem) int { return strings.Compare(a.Object, b.Object) })
	return list
}

// writer fills a fresh store in transactions of a bounded size. The first of
// several records of a key stays.
type writer struct {
	s     *store.Store
	pairs [][2][]byte
	bytes int
}

const (
	writerPairs = 10000
	writerBytes = 8 << 20
)

func (w *writer) put(ctx context.Context, key, record []byte) error {
	w.pairs = append(w.pairs, [2][]byte{bytes.Clone(key), bytes.Clone(record)})
	w.bytes += len(key) + len(record)
	if len(w.pairs) < writerPairs && w.bytes < writerBytes {
		return nil
	}
	return w.flush(ctx)
}

func (w *writer) flush(ctx context.Context) error {
	err := w.s.Update(ctx, func(tx *store.Tx) error {
		for _, p := range w.pairs {
			old, err := tx.Get(p[0])
			if err == nil && old == nil {
				err = tx.Put(p[0], p[1])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	w.pairs, w.bytes = nil, 0
	return err
}

// Reset empties the repository, durably and at once.
func (r *Repository) Reset(ctx context.Context) error {
	return fromStore(r.store.Replace(ctx, "", func(fresh *store.Store, _ store.Remains) error {
		return fresh.Update(ctx, putFormat)
	}))
}
