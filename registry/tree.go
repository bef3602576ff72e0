package registry

import (
	"maps"
	"slices"
	"strings"
)

// Source tells where the effective value of a name comes from.
type Source uint8

// The sources. SourceNone is a name without a value: the default of the setting holds.
const (
	SourceNone Source = iota
	SourceHive
	SourceGPO
)

// String returns "", "Hive" or "GPO". The last is the literal that WinRM shows as the
// Source attribute of a setting.
func (s Source) String() string {
	return [...]string{"", "Hive", "GPO"}[min(s, SourceGPO)]
}

// Named is a value with its name; the default value of a key has the name "".
type Named struct {
	Name  string
	Value Value
}

// node is one key. Nodes are shared between trees and never changed after their
// transaction. A security descriptor per key gets its place here.
type node struct {
	owner *owner
	name  string
	keys  map[string]*node
	vals  map[string]Named
}

type owner struct{ _ byte }

// Tree is an immutable snapshot of the hive with the policy laid over it. All its
// methods are safe for concurrent use. A key path names its root, HKLM or
// HKEY_LOCAL_MACHINE, and names compare without case.
type Tree struct {
	root   *node
	local  *node // without the policy
	policy map[string]struct{}
}

// NewTree returns an empty tree.
func NewTree() *Tree {
	root := &node{}
	return &Tree{root: root, local: root}
}

// Get returns the effective value of a name; ok is false when there is none.
func (t *Tree) Get(key, name string) (v Value, ok bool) {
	n := t.find(key)
	if n == nil {
		return Value{}, false
	}
	nv, ok := n.vals[fold(name)]
	return nv.Value, ok
}

// Value returns the effective value and its source.
func (t *Tree) Value(key, name string) (Value, Source, bool) {
	v, ok := t.Get(key, name)
	return v, t.Source(key, name), ok
}

// Source tells where the value of a name comes from. A name that the policy deleted is
// SourceGPO although it has no value.
func (t *Tree) Source(key, name string) Source {
	if parts, err := SplitKey(key); err == nil && len(t.policy) > 0 {
		if _, ok := t.policy[policyIndex(parts, name)]; ok {
			return SourceGPO
		}
	}
	if _, ok := t.Get(key, name); ok {
		return SourceHive
	}
	return SourceNone
}

// Exists reports whether a key is there.
func (t *Tree) Exists(key string) bool { return t.find(key) != nil }

// Keys returns the names of the keys below a key, sorted; nil when it has none.
func (t *Tree) Keys(key string) []string {
	n := t.find(key)
	if n == nil || len(n.keys) == 0 {
		return nil
	}
	out := make([]string, 0, len(n.keys))
	for _, k := range slices.Sorted(maps.Keys(n.keys)) {
		out = append(out, n.keys[k].name)
	}
	return out
}

// Values returns the values of a key sorted by name; nil when it has none.
func (t *Tree) Values(key string) []Named {
	n := t.find(key)
	if n == nil || len(n.vals) == 0 {
		return nil
	}
	return n.sortedVals()
}

// Local returns the tree without the policy.
func (t *Tree) Local() *Tree { return &Tree{root: t.local, local: t.local} }

func (t *Tree) find(key string) *node {
	parts, err := SplitKey(key)
	if err != nil {
		return nil
	}
	return t.root.walk(parts)
}

func (n *node) walk(parts []string) *node {
	for _, p := range parts {
		if n = n.keys[fold(p)]; n == nil {
			return nil
		}
	}
	return n
}

func (n *node) sortedVals() []Named {
	out := make([]Named, 0, len(n.vals))
	for _, k := range slices.Sorted(maps.Keys(n.vals)) {
		out = append(out, n.vals[k])
	}
	return out
}

func policyIndex(parts []string, name string) string {
	return fold(strings.Join(parts, `\`)) + "\x00" + fold(name)
}
