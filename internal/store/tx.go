package store

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

// The limits of one pair, in bytes. A key has at least one.
const (
	MaxKey   = 32 << 10
	MaxValue = 64 << 20
)

// Tx is a transaction: a snapshot for View, the only writer for Update. It ends
// with the function that it was given to, and so do the bytes that it returns:
// they belong to the store and must not be changed.
type Tx struct {
	bucket   *bbolt.Bucket // nil in memory
	root     *node         // in memory
	writable bool
}

// Get is the value of a key, nil where there is none.
func (t *Tx) Get(key []byte) (value []byte, err error) {
	if t.bucket == nil {
		if n := t.root.get(key); n != nil {
			return n.value, nil
		}
		return nil, nil
	}
	defer caught(&err)
	return bounded(t.bucket.Get(key))
}

// bounded refuses a value that no Put wrote: its length is damaged.
func bounded(value []byte) ([]byte, error) {
	if len(value) > MaxValue {
		return nil, damaged("a value of %d bytes", len(value))
	}
	return value, nil
}

// Put sets a key. Key and value are copied at the commit: the caller must leave
// the value alone until then.
func (t *Tx) Put(key, value []byte) (err error) {
	switch {
	case !t.writable:
		return ErrReadOnly
	case len(key) == 0 || len(key) > MaxKey:
		return fmt.Errorf("a key of %d bytes", len(key))
	case len(value) > MaxValue:
		return fmt.Errorf("a value of %d bytes", len(value))
	case t.bucket == nil:
		t.root = t.root.put(key, value)
		return nil
	}
	defer caught(&err)
	return Full(t.bucket.Put(key, value))
}

// Delete removes a key, and does nothing where there is none.
func (t *Tx) Delete(key []byte) (err error) {
	switch {
	case !t.writable:
		return ErrReadOnly
	case t.bucket == nil:
		if t.root.get(key) != nil {
			t.root = t.root.without(key)
		}
		return nil
	}
	defer caught(&err)
	return t.bucket.Delete(key)
}

// DeletePrefix removes every key that begins with prefix and says how many.
func (t *Tx) DeletePrefix(prefix []byte) (n int, err error) {
	c := t.Cursor(prefix)
	// Each seek begins where the last key was: the emptied pages before it are
	// not passed again.
	for ok := c.Seek(prefix); ok; ok = c.Seek(c.key) {
		if err := t.Delete(c.Key()); err != nil {
			return n, err
		}
		n++
	}
	return n, c.Err()
}

// Cursor walks the keys that begin with prefix, in the order of their bytes.
// After a Put or Delete it must be placed anew with Seek.
func (t *Tx) Cursor(prefix []byte) *Cursor {
	c := &Cursor{tx: t, prefix: prefix}
	if t.bucket != nil {
		c.bolt = t.bucket.Cursor()
	}
	return c
}

// Cursor is a place among the keys of a prefix.
//
//	for ok := c.Seek(prefix); ok; ok = c.Next() {
//		use(c.Key(), c.Value())
//	}
//	return c.Err()
type Cursor struct {
	tx         *Tx
	prefix     []byte
	bolt       *bbolt.Cursor
	key, value []byte
	err        error
}

// Seek goes to the first key at or after key and tells whether there is one.
func (c *Cursor) Seek(key []byte) bool {
	if bytes.Compare(key, c.prefix) < 0 {
		key = c.prefix
	}
	if c.bolt == nil {
		return c.at(c.tx.root.from(key, false))
	}
	return c.move(func() ([]byte, []byte) { return c.bolt.Seek(key) })
}

// Next goes to the next key.
func (c *Cursor) Next() bool {
	if c.bolt == nil {
		return c.at(c.tx.root.from(c.key, true))
	}
	return c.next()
}

func (c *Cursor) next() (ok bool) {
	defer caught(&c.err)
	return c.set(c.bolt.Next())
}

// Neighbours are the key before and the key at or after key, whatever their
// prefix, nil where there is none: what a search for key came past.
func (c *Cursor) Neighbours(key []byte) (before, beforeValue, after, afterValue []byte, err error) {
	if c.bolt == nil {
		if n := c.tx.root.before(key); n != nil {
			before, beforeValue = n.key, n.value
		}
		if n := c.tx.root.from(key, false); n != nil {
			after, afterValue = n.key, n.value
		}
		return before, beforeValue, after, afterValue, nil
	}
	defer caught(&err)
	after, afterValue = c.bolt.Seek(key)
	if after == nil {
		before, beforeValue = c.bolt.Last()
	} else {
		before, beforeValue = c.bolt.Prev()
	}
	return before, beforeValue, after, afterValue, nil
}

func (c *Cursor) move(to func() ([]byte, []byte)) (ok bool) {
	defer caught(&c.err)
	return c.set(to())
}

func (c *Cursor) at(n *node) bool {
	if n == nil {
		return c.set(nil, nil)
	}
	return c.set(n.key, n.value)
}

func (c *Cursor) set(key, value []byte) bool {
	if c.err != nil || key == nil || !bytes.HasPrefix(key, c.prefix) {
		return false
	}
	if value, c.err = bounded(value); c.err != nil {
		return false
	}
	c.key, c.value = key, value
	return true
}

// Key is the key at the cursor.
func (c *Cursor) Key() []byte { return c.key }

// Value is the value at the cursor.
func (c *Cursor) Value() []byte { return c.value }

// Err is why the walk ended before the last key, or nil.
func (c *Cursor) Err() error { return c.err }
