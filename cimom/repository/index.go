package repository

import (
	"bytes"
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// A class whose properties have the qualifier Indexed has an entry for each
// value of theirs. The record under kindIndexed says which properties have their
// entries; where the class has changed since, the next write makes them anew.

// indexedOf are the properties of a class that are to be indexed, and their
// names as the record has them.
func indexedOf(class *cim.Class) (properties []int, names []byte) {
	for n := range class.Properties {
		p := &class.Properties[n]
		if !p.Type.IsArray() && p.Type != cim.Object && p.Qualifiers.True("Indexed") {
			properties = append(properties, n)
			names = append(append(names, cim.Fold(p.Name)...), 0)
		}
	}
	return properties, names
}

// indexed tells whether the entries of exactly these properties are there.
func indexed(tx *store.Tx, class *cim.Class, names []byte) (bool, error) {
	var buf [256]byte
	key := classKey(buf[:0], kindIndexed, class.Namespace, class.Name)
	record, err := tx.Get(key)
	if err != nil {
		return false, err
	}
	if record == nil {
		return len(names) == 0, nil
	}
	b, err := content(key, record)
	return err == nil && bytes.Equal(b, names), nil
}

// index adds the entries of a new record, all of those of the class where the
// indexed properties have changed.
func (t *Tx) index(class *cim.Class, key []byte, i *cim.Instance) error {
	properties, names := indexedOf(class)
	if ok, err := indexed(t.tx, class, names); err != nil || !ok {
		if err != nil {
			return err
		}
		return t.reindex(class, properties, names)
	}
	for _, p := range properties {
		if err := t.addEntry(class, p, key, i.At(p)); err != nil {
			return err
		}
	}
	return nil
}

// unindex removes the entries of a record that changes or goes.
func (t *Tx) unindex(class *cim.Class, key, record []byte) error {
	properties, names := indexedOf(class)
	if record == nil || len(properties) == 0 {
		return nil
	}
	if ok, err := indexed(t.tx, class, names); err != nil || !ok {
		return err // they are made anew, or are not there
	}
	x := reader{r: t.r, tx: t.tx, class: class}
	i, err := x.decode(key, record)
	if err != nil {
		return t.dropIndex(class.Namespace, class.Name) // its entries are unknown
	}
	for _, p := range properties {
		if entry, ok := entryKey(class, p, key, i.At(p)); ok {
			if err := t.tx.Delete(entry); err != nil {
				return err
			}
		}
	}
	return nil
}

func entryKey(class *cim.Class, property int, key []byte, v cim.Value) ([]byte, bool) {
	text, ok := comparable(nil, v)
	if !ok {
		return nil, false
	}
	b := indexPrefix(nil, class, class.Properties[property].Name)
	b = appendIndexHash(b, text)
	return append(b, key[len(instancesPrefix(nil, class)):]...), true
}

func (t *Tx) addEntry(class *cim.Class, property int, key []byte, v cim.Value) error {
	if entry, ok := entryKey(class, property, key, v); ok {
		return t.tx.Put(entry, end(entry, begin(nil)))
	}
	return nil
}

// reindex makes all entries of a class. A damaged instance gets none.
func (t *Tx) reindex(class *cim.Class, properties []int, names []byte) error {
	if err := t.dropIndex(class.Namespace, class.Name); err != nil {
		return err
	}
	if len(properties) == 0 {
		return nil
	}
	x := reader{r: t.r, tx: t.tx, class: class}
	prefix := instancesPrefix(nil, class)
	c := t.tx.Cursor(prefix)
	var at []byte
	for ok := c.Seek(prefix); ok; ok = c.Seek(at) {
		at = append(append(at[:0], c.Key()...), 0) // the next key, also after the entries were put
		i, err := x.decode(c.Key(), c.Value())
		if err != nil {
			continue
		}
		key := bytes.Clone(c.Key())
		for _, p := range properties {
			if err := t.addEntry(class, p, key, i.At(p)); err != nil {
				return err
			}
		}
	}
	if c.Err() != nil {
		return c.Err()
	}
	key := classKey(nil, kindIndexed, class.Namespace, class.Name)
	return t.tx.Put(key, end(key, append(begin(nil), names...)))
}

func (t *Tx) dropIndex(namespace, class string) error {
	if _, err := t.tx.DeletePrefix(append(classKey(nil, kindIndex, namespace, class), 0)); err != nil {
		return err
	}
	return t.tx.Delete(classKey(nil, kindIndexed, namespace, class))
}

// Lookup is [Repository.Scan] for the instances in which a property, given by
// its place in the class, has a value: texts compare case-blind, and NULL is
// equal to NULL. Where the property is indexed, only these are visited.
func (r *Repository) Lookup(ctx context.Context, class *cim.Class, property int, value cim.Value, from Position, max int, f func(*cim.Instance) bool) (to Position, err error) {
	if v, err := value.As(class.Properties[property].Type); err == nil {
		value = v
	}
	want, ok := comparable(nil, value)
	var buf [128]byte
	equal := func(i *cim.Instance) bool {
		text, set := comparable(buf[:0], i.At(property))
		return set == ok && bytes.Equal(text, want)
	}
	use := false
	if ok {
		err = r.view(ctx, func(tx *store.Tx) error {
			to.ended = true // where the store fails, there is no going on
			use, to, err = r.lookup(tx, class, property, want, from, max, func(i *cim.Instance) bool { return !equal(i) || f(i) })
			return err
		})
	}
	if use || err != nil {
		return to, err
	}
	return r.Scan(ctx, class, from, max, func(i *cim.Instance) bool { return !equal(i) || f(i) })
}

// lookup is Lookup through the entries, if there are any.
func (r *Repository) lookup(tx *store.Tx, class *cim.Class, property int, want []byte, from Position, max int, f func(*cim.Instance) bool) (use bool, to Position, err error) {
	properties, names := indexedOf(class)
	found := false
	for _, p := range properties {
		found = found || p == property
	}
	if !found {
		return false, from, nil
	}
	if use, err = indexed(tx, class, names); err != nil || !use || from.ended {
		return use, from, err
	}
	if max < 1 {
		max = ScanBatch
	}
	prefix := appendIndexHash(indexPrefix(nil, class, class.Properties[property].Name), want)
	w := walk{c: tx.Cursor(prefix), start: prefix, from: from}
	x := reader{r: r, tx: tx, class: class}
	key := instancesPrefix(nil, class)
	start := len(key)
	n := 0
	for ok := w.first(); ok; ok = w.next() {
		n++
		if _, err := content(w.c.Key(), w.c.Value()); err != nil {
			return true, w.position(), damagedObject(w.c.Key(), err)
		}
		key = append(key[:start], w.last[len(prefix):]...)
		record, err := find(tx, key)
		if err != nil {
			return true, w.position(), err
		}
		if record != nil {
			i, err := x.decode(key, record)
			if err != nil || !f(i) {
				return true, w.position(), err
			}
		}
		if n == max {
			return true, w.position(), nil
		}
	}
	return true, Position{ended: true}, w.err()
}
