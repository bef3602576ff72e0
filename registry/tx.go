package registry

import (
	"fmt"
	"maps"
)

// Tx is a transaction on the hive; see Hive.Update. It reads its own writes, without
// the policy. It is for one goroutine and must not be kept after Update returns.
type Tx struct {
	root  *node
	owner *owner
}

func newTx(root *node) *Tx {
	tx := &Tx{owner: new(owner)}
	tx.root = tx.own(root)
	return tx
}

func (tx *Tx) own(n *node) *node {
	if n.owner == tx.owner {
		return n
	}
	return &node{owner: tx.owner, name: n.name, keys: maps.Clone(n.keys), vals: maps.Clone(n.vals)}
}

// make returns the key for writing and creates what is missing on the way.
func (tx *Tx) make(parts []string) *node {
	n := tx.root
	for _, p := range parts {
		if n.keys == nil {
			n.keys = make(map[string]*node)
		}
		sub := n.keys[fold(p)]
		if sub == nil {
			sub = &node{owner: tx.owner, name: p}
		} else {
			sub = tx.own(sub)
		}
		n.keys[fold(p)] = sub
		n = sub
	}
	return n
}

// Get returns a value as the transaction sees it.
func (tx *Tx) Get(key, name string) (Value, bool) { return tx.tree().Get(key, name) }

// Keys returns the names of the keys below a key, sorted.
func (tx *Tx) Keys(key string) []string { return tx.tree().Keys(key) }

// Values returns the values of a key, sorted by name.
func (tx *Tx) Values(key string) []Named { return tx.tree().Values(key) }

// Exists reports whether a key is there.
func (tx *Tx) Exists(key string) bool { return tx.tree().Exists(key) }

func (tx *Tx) tree() *Tree { return &Tree{root: tx.root, local: tx.root} }

// CreateKey makes a key and those above it. An existing key is left as it is.
func (tx *Tx) CreateKey(key string) error {
	parts, err := SplitKey(key)
	if err != nil {
		return err
	}
	tx.make(parts)
	return nil
}

// Set writes a value and creates its key. The name "" is the key's default value.
// Data above 1 MiB is refused.
func (tx *Tx) Set(key, name string, v Value) error {
	parts, err := SplitKey(key)
	if err != nil {
		return err
	}
	if err := checkName("value", name, maxValueName); err != nil {
		return err
	}
	if len(v.text) > maxData {
		return fmt.Errorf("registry: value %q of key %q: %d bytes, the limit is %d", clip(name), clip(key), len(v.text), maxData)
	}
	tx.set(parts, name, v)
	return nil
}

func (tx *Tx) set(parts []string, name string, v Value) {
	n := tx.make(parts)
	if n.vals == nil {
		n.vals = make(map[string]Named)
	}
	if old, ok := n.vals[fold(name)]; ok {
		name = old.Name
	}
	n.vals[fold(name)] = Named{Name: name, Value: v}
}

// Delete removes a value; a missing one is no error.
func (tx *Tx) Delete(key, name string) error {
	parts, err := SplitKey(key)
	if err != nil {
		return err
	}
	if n := tx.root.walk(parts); n != nil {
		if _, ok := n.vals[fold(name)]; ok {
			delete(tx.make(parts).vals, fold(name))
		}
	}
	return nil
}

// DeleteKey removes a key with everything below it; a missing one is no error. The
// root cannot be removed.
func (tx *Tx) DeleteKey(key string) error {
	parts, err := SplitKey(key)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		return fmt.Errorf("registry: the root of the hive cannot be deleted")
	}
	if tx.root.walk(parts) != nil {
		last := len(parts) - 1
		delete(tx.make(parts[:last]).keys, fold(parts[last]))
	}
	return nil
}

// Edit runs f on a transaction over the tree without its policy, and returns the result
// as a new tree. It writes nothing; an error of f is returned.
func (t *Tree) Edit(f func(tx *Tx) error) (*Tree, error) {
	tx := newTx(t.local)
	if err := f(tx); err != nil {
		return nil, err
	}
	return tx.tree(), nil
}
