package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/casementhq/casement/internal/store"
)

// Verify reads everything and says what is wrong with it, nothing where all is
// well. Writers wait while the structure of the file is walked. It fails only
// where it could not look.
func (r *Repository) Verify(ctx context.Context) (problems []Problem, err error) {
	lines, err := r.store.Check(ctx)
	if err != nil {
		return nil, fromStore(err)
	}
	for _, l := range lines {
		problems = append(problems, Problem{Detail: l})
	}
	if len(problems) == 0 && r.Damage() != nil {
		problems = append(problems, Problem{Detail: r.Damage().Error()})
	}
	err = r.store.View(ctx, func(tx *store.Tx) error {
		v := verifier{tx: tx, layouts: map[layout][]byte{}}
		c := tx.Cursor(nil)
		for ok := c.Seek(nil); ok; ok = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := v.record(c.Key(), c.Value()); err != nil {
				if errors.Is(err, store.ErrDamaged) {
					return err
				}
				problems = append(problems, problemAt(c.Key(), err.Error()))
			}
		}
		return c.Err()
	})
	if errors.Is(err, store.ErrDamaged) {
		if len(lines) == 0 {
			problems = append(problems, Problem{Detail: err.Error()})
		}
		err = nil
	}
	return problems, fromStore(err)
}

// verifier checks one record after the other.
type verifier struct {
	tx      *store.Tx
	layouts map[layout][]byte // nil: lost
	known   []byte            // the namespace that was last seen to be there
}

var (
	errKind        = errors.New("an unknown kind of record")
	errNoNamespace = errors.New("the record of its namespace is lost")
	errNoInstance  = errors.New("an entry without its instance")
)

func (v *verifier) record(key, record []byte) error {
	b, err := content(key, record)
	if err != nil {
		return err
	}
	switch key[0] {
	case kindFormat:
		if len(b) != 1 || b[0] > formatVersion {
			return errContent
		}
		return nil
	case kindNamespace, kindNamespace2:
		_, err := decodeNamespace(key, record)
		return err
	case kindClass:
		if _, err := decodeClass(key, record); err != nil {
			return err
		}
		return v.namespace(key)
	case kindLayout, kindLayout2:
		return checkLayout(b)
	case kindInstance:
		if err := v.instance(b); err != nil {
			return err
		}
		return v.namespace(key)
	case kindIndexed:
		return nil
	case kindIndex:
		return v.entry(key)
	}
	return errKind
}

// namespace checks that the namespace of a class or instance is there.
func (v *verifier) namespace(key []byte) error {
	name, _, _ := bytes.Cut(key[1:], []byte{0})
	if v.known != nil && bytes.Equal(name, v.known) {
		return nil
	}
	record, err := v.tx.Get(append([]byte{kindNamespace}, name...))
	if err != nil {
		return err
	}
	if record == nil {
		return errNoNamespace
	}
	v.known = bytes.Clone(name)
	return nil
}

func checkLayout(b []byte) error {
	d := decoder{b: b}
	for range d.count(2) {
		d.text()
		d.typ()
	}
	return d.end()
}

// instance checks that the values of an instance can be read.
func (v *verifier) instance(b []byte) error {
	if len(b) < len(layout{}) {
		return errContent
	}
	l := layout(b)
	names, ok := v.layouts[l]
	if !ok {
		names, _ = loadLayout(v.tx, l)
		v.layouts[l] = names
	}
	if names == nil {
		return errNoLayout
	}
	d, values := decoder{b: names}, decoder{b: b[len(l):]}
	for range d.count(2) {
		d.text()
		values.value(d.typ())
	}
	return values.end()
}

// entry checks that the instance of an index entry is there.
func (v *verifier) entry(key []byte) error {
	parts := bytes.SplitN(key[1:], []byte{0}, 4)
	const hash = 8
	if len(parts) < 4 || len(parts[3]) <= hash {
		return errContent
	}
	i := append([]byte{kindInstance}, parts[0]...)
	i = append(append(append(i, 0), parts[1]...), 0)
	record, err := v.tx.Get(append(i, parts[3][hash:]...))
	if err == nil && record == nil {
		err = errNoInstance
	}
	if err != nil {
		return fmt.Errorf("property %s: %w", parts[2], err)
	}
	return nil
}
