package registry

import (
	"maps"
	"slices"
	"strings"
)

// Change is one difference between two trees.
type Change struct {
	// Key is the path of the key below the root, SOFTWARE\Microsoft; "" is the root itself. Its names are spelled as in
	// the newer tree, or in the older one where the key is gone.
	Key string
	// Name is the value that was set, changed or deleted. It means nothing where Subkeys is true.
	Name string
	// Subkeys says that keys came or went right below Key, rather than that a value changed.
	Subkeys bool
}

// Diff lists how the effective tree after differs from before, in the order of the keys. Of a key that came or went it
// lists the values, and those of the keys below it, too. Parts that both trees share cost nothing.
func Diff(before, after *Tree) []Change {
	var out []Change
	diff(nil, before.root, after.root, &out)
	return out
}

func diff(path []string, before, after *node, out *[]Change) {
	if before == after {
		return
	}
	var none node
	if before == nil {
		before = &none
	}
	if after == nil {
		after = &none
	}
	key := strings.Join(path, `\`)
	for _, n := range union(before.vals, after.vals) {
		was, had := before.vals[n]
		is, has := after.vals[n]
		if had && has && was.Value == is.Value {
			continue
		}
		if !has {
			is = was
		}
		*out = append(*out, Change{Key: key, Name: is.Name})
	}
	subs := union(before.keys, after.keys)
	for _, n := range subs {
		if (before.keys[n] == nil) != (after.keys[n] == nil) {
			*out = append(*out, Change{Key: key, Subkeys: true})
			break
		}
	}
	for _, n := range subs {
		was, is := before.keys[n], after.keys[n]
		if was == is {
			continue
		}
		named := is
		if named == nil {
			named = was
		}
		diff(append(path[:len(path):len(path)], named.name), was, is, out)
	}
}

// union are the keys of both maps, sorted.
func union[V any](a, b map[string]V) []string {
	all := make(map[string]struct{}, max(len(a), len(b)))
	for k := range a {
		all[k] = struct{}{}
	}
	for k := range b {
		all[k] = struct{}{}
	}
	return slices.Sorted(maps.Keys(all))
}
