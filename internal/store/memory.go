package store

import (
	"bytes"
	"hash/maphash"
)

// node is a treap whose nodes never change: a change copies the path to the
// root, so that every root is a snapshot.
type node struct {
	key, value  []byte
	weight      uint64
	left, right *node
}

var seed = maphash.MakeSeed()

func (n *node) get(key []byte) *node {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c == 0:
			return n
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return nil
}

// from is the first node at or after key; beyond, strictly after.
func (n *node) from(key []byte, beyond bool) (found *node) {
	for n != nil {
		if c := bytes.Compare(key, n.key); c < 0 || c == 0 && !beyond {
			found, n = n, n.left
		} else {
			n = n.right
		}
	}
	return found
}

// before is the last node strictly before key.
func (n *node) before(key []byte) (found *node) {
	for n != nil {
		if bytes.Compare(n.key, key) < 0 {
			found, n = n, n.right
		} else {
			n = n.left
		}
	}
	return found
}

// with is n with the new node, whose key n has not.
func (n *node) with(fresh *node) *node {
	switch {
	case n == nil:
		return fresh
	case fresh.weight > n.weight:
		fresh.left, fresh.right = n.split(fresh.key)
		return fresh
	}
	c := *n
	if bytes.Compare(fresh.key, n.key) < 0 {
		c.left = n.left.with(fresh)
	} else {
		c.right = n.right.with(fresh)
	}
	return &c
}

func (n *node) split(key []byte) (less, more *node) {
	if n == nil {
		return nil, nil
	}
	c := *n
	if bytes.Compare(n.key, key) < 0 {
		c.right, more = n.right.split(key)
		return &c, more
	}
	less, c.left = n.left.split(key)
	return less, &c
}

// without is n without a key that it has.
func (n *node) without(key []byte) *node {
	c := *n
	switch d := bytes.Compare(key, n.key); {
	case d == 0:
		return join(n.left, n.right)
	case d < 0:
		c.left = n.left.without(key)
	default:
		c.right = n.right.without(key)
	}
	return &c
}

func join(less, more *node) *node {
	switch {
	case less == nil:
		return more
	case more == nil:
		return less
	case less.weight > more.weight:
		c := *less
		c.right = join(less.right, more)
		return &c
	}
	c := *more
	c.left = join(less, more.left)
	return &c
}

// put copies key and value.
func (n *node) put(key, value []byte) *node {
	if n.get(key) != nil {
		n = n.without(key)
	}
	return n.with(&node{key: bytes.Clone(key), value: append([]byte{}, value...), weight: maphash.Bytes(seed, key)})
}
