package cimom

import (
	"maps"
	"slices"

	"github.com/casementhq/casement/cim"
)

// entry is a class as it is served in a namespace. It is immutable.
type entry struct {
	class  *cim.Class // whole, with namespace and server
	given  *cim.Class // as the provider or the repository gave it
	source *source    // of a class of the built-in layer, else nil
	super  *entry
	stored bool // the declaration comes from the repository
}

// table are the classes of a namespace at one time. It is immutable: a change
// makes a new one, in which what did not change is the same.
type table struct {
	classes map[string]*entry // by folded name
	order   []*entry          // superclasses first
	subs    map[*entry][]*entry
	broken  []broken // what is not in it
}

// appendBelow appends the subclasses of an entry; deep includes theirs.
func (t *table) appendBelow(list []*entry, e *entry, deep bool) []*entry {
	for _, sub := range t.subs[e] {
		list = append(list, sub)
		if deep {
			list = t.appendBelow(list, sub, deep)
		}
	}
	return list
}

// builtin is a class of the built-in layer.
type builtin struct {
	class  *cim.Class
	source *source
}

// layers are the two layers of the classes of a namespace. See
// docs/objects.md.
type layers struct {
	builtin map[string]builtin // by folded name
	names   []string           // keys of builtin, superclasses first
	// stored has the declarations of the repository by folded name; nil marks
	// a built-in class that was deleted.
	stored map[string]*cim.Class
}

// clone is a copy that can be changed.
func (l *layers) clone() *layers {
	return &layers{maps.Clone(l.builtin), slices.Clone(l.names), maps.Clone(l.stored)}
}

// broken is a class that does not derive.
type broken struct {
	name string
	err  error
}

// tableBuilder makes the table of two layers.
type tableBuilder struct {
	namespace, server string
	layers            *layers
	old               *table
	table             *table
	seen              map[string]bool
}

// buildTable makes the table of the layers and keeps what old has already. A
// class that does not derive is left out, or stays as it was built in.
func buildTable(namespace, server string, l *layers, old *table) *table {
	b := tableBuilder{
		namespace: namespace, server: server, layers: l, old: old, seen: map[string]bool{},
		table: &table{classes: make(map[string]*entry, len(l.builtin)), subs: map[*entry][]*entry{}},
	}
	for _, key := range l.names {
		b.resolve(key)
	}
	for _, key := range slices.Sorted(maps.Keys(l.stored)) {
		b.resolve(key)
	}
	return b.table
}

// resolve makes the entry of a class, after that of its superclass; nil where
// there is none.
func (b *tableBuilder) resolve(key string) *entry {
	if b.seen[key] {
		return b.table.classes[key]
	}
	b.seen[key] = true // a class that is its own superclass finds nothing here
	own, given := b.layers.builtin[key]
	e := &entry{given: own.class, source: own.source}
	if decl, changed := b.layers.stored[key]; changed {
		if decl == nil {
			return nil // deleted
		}
		e.given, e.stored = decl, true
	} else if !given {
		return nil
	}
	if name := e.given.Superclass; name != "" {
		if e.super = b.resolve(cim.Fold(name)); e.super == nil {
			b.table.broken = append(b.table.broken, broken{e.given.Name, &cim.Error{
				Status: cim.ErrInvalidSuperclass, Namespace: b.namespace, Path: e.given.Name, Detail: "the superclass " + name + " does not exist",
			}})
			return nil
		}
	}
	if old := b.old.classes[key]; old != nil && old.given == e.given && old.super == e.super && old.source == e.source {
		e = old
	} else if !b.derive(e, own.class) {
		return nil
	}
	b.table.classes[key] = e
	b.table.order = append(b.table.order, e)
	if e.super != nil {
		b.table.subs[e.super] = append(b.table.subs[e.super], e)
	}
	return e
}

// derive makes the whole class of an entry. A built-in class is taken as it
// is, unless one above it is not what it was built with.
func (b *tableBuilder) derive(e *entry, original *cim.Class) bool {
	var super *cim.Class
	if e.super != nil {
		super = e.super.class
	}
	decl := e.given
	if !e.stored {
		if !e.inheritsStored() {
			e.class = b.here(e.given)
			return true
		}
		decl = e.given.Declaration(b.givenSuper(original))
	}
	c, err := cim.Derive(super, decl)
	switch {
	case err == nil:
		e.class = b.here(c)
	case original != nil:
		b.table.broken = append(b.table.broken, broken{decl.Name, err})
		e.class = b.here(original)
	default:
		b.table.broken = append(b.table.broken, broken{decl.Name, err})
		return false
	}
	return true
}

// givenSuper is the superclass that a built-in class was made below.
func (b *tableBuilder) givenSuper(c *cim.Class) *cim.Class {
	return b.layers.builtin[cim.Fold(c.Superclass)].class
}

// here is c in this namespace and on this server.
func (b *tableBuilder) here(c *cim.Class) *cim.Class {
	out := *c
	out.Namespace, out.Server = b.namespace, b.server
	return out.Seal()
}

// inheritsStored tells whether a class above comes from the repository.
func (e *entry) inheritsStored() bool {
	for up := e.super; up != nil; up = up.super {
		if up.stored {
			return true
		}
	}
	return false
}

// find is the class of that name, or nil.
func (ns *namespace) find(class string) *entry {
	return ns.table.Load().classes[cim.Fold(class)]
}

// all are the classes, superclasses first.
func (ns *namespace) all() []*entry { return ns.table.Load().order }

// below are the subclasses of an entry; deep includes theirs.
func (ns *namespace) below(e *entry, deep bool) []*entry {
	t := ns.table.Load()
	return t.appendBelow(nil, t.current(e), deep)
}

// lineage is an entry with everything below it.
func (ns *namespace) lineage(e *entry) []*entry {
	t := ns.table.Load()
	e = t.current(e)
	return t.appendBelow([]*entry{e}, e, true)
}

// current is what the entry of another table has become in t; the same where
// it is gone.
func (t *table) current(e *entry) *entry {
	if now := t.classes[cim.Fold(e.class.Name)]; now != nil {
		return now
	}
	return e
}

// rebuild swaps the table for one of these layers; ns.writing is held.
func (ns *namespace) rebuild(l *layers, server string) {
	ns.layers = l
	ns.table.Store(buildTable(ns.name, server, l, ns.table.Load()))
}
