package cimom

import (
	"context"
	"maps"
	"slices"

	"github.com/casementhq/casement/cim"
)

// Refresh reads the classes of a registered provider anew: those that it has
// more are there from now on, those that it has no more are gone, and those
// that it has otherwise are served as they are now. Events tell of it. So a
// provider can be a provider of classes too. All of it happens or nothing:
// ErrNotFound for a provider that is not registered, ErrClassHasChildren where
// a class is gone that one of another provider derives from, and what Register
// fails with. What a user stored below a class that is gone is kept and not
// served until it comes back.
func (m *Manager) Refresh(p Provider) error {
	changes, err := m.refresh(p)
	if err != nil {
		return err
	}
	for _, c := range changes {
		m.classChanged(context.Background(), c.ns, cim.Caller{Token: serviceToken}, c.before, c.after)
	}
	m.events.hub.Retry()
	return nil
}

// classChange is a class of a namespace before and after; nil where there was
// or is none.
type classChange struct {
	ns            *namespace
	before, after *cim.Class
}

func (m *Manager) refresh(p Provider) ([]classChange, error) {
	classes := p.Classes()
	m.mu.Lock()
	defer m.mu.Unlock()
	n := slices.IndexFunc(m.sources, func(s *source) bool { return s.provider == p })
	if n < 0 {
		return nil, &cim.Error{Status: cim.ErrNotFound, Operation: "Refresh", Detail: "the provider is not registered"}
	}
	src := m.sources[n]
	lists := map[*namespace][]*cim.Class{}
	for _, c := range classes {
		ns := m.namespaces[cim.Fold(namespaceName(c.Namespace))]
		if ns == nil {
			return nil, &cim.Error{Status: cim.ErrInvalidNamespace, Operation: "Refresh", Namespace: c.Namespace, Path: c.Name}
		}
		lists[ns] = append(lists[ns], c)
	}
	next := map[*namespace]*layers{}
	for _, key := range slices.Sorted(maps.Keys(m.namespaces)) { // everybody locks several in this order
		ns := m.namespaces[key]
		ns.writing.Lock()
		defer ns.writing.Unlock()
		l, err := ns.layers.with(ns.name, src, lists[ns])
		if err != nil {
			return nil, err
		}
		if l != nil {
			next[ns] = l
		}
	}
	var changes []classChange
	for ns, l := range next {
		before := ns.table.Load()
		ns.rebuild(l, m.server)
		changes = append(changes, ns.differences(before)...)
	}
	return changes, nil
}

// with are the layers with list as the classes of a source; nil where nothing
// changes.
func (l *layers) with(namespace string, src *source, list []*cim.Class) (*layers, error) {
	old := map[string]*cim.Class{}
	for key, b := range l.builtin {
		if b.source == src {
			old[key] = b.class
		}
	}
	same := len(old) == len(list)
	for _, c := range list {
		same = same && old[cim.Fold(c.Name)] == c
	}
	if same {
		return nil, nil
	}
	out := l.clone()
	out.names = slices.DeleteFunc(out.names, func(key string) bool { return old[key] != nil })
	for key := range old {
		delete(out.builtin, key)
	}
	if err := out.verify(namespace, list); err != nil {
		return nil, err
	}
	for _, c := range list {
		key := cim.Fold(c.Name)
		out.builtin[key] = builtin{c, src}
		out.names = append(out.names, key)
	}
	for _, b := range out.builtin {
		if _, there := out.builtin[cim.Fold(b.class.Superclass)]; b.class.Superclass != "" && !there {
			return nil, &cim.Error{Status: cim.ErrClassHasChildren, Operation: "Refresh", Namespace: namespace, Path: b.class.Superclass, Detail: "the class " + b.class.Name + " of another provider derives from it"}
		}
	}
	return out, nil
}

// differences are what became of the classes of a table.
func (ns *namespace) differences(before *table) (list []classChange) {
	now := ns.table.Load()
	for _, e := range now.order {
		if old := before.classes[cim.Fold(e.class.Name)]; old != e {
			list = append(list, classChange{ns, classOf(old), e.class})
		}
	}
	for _, e := range before.order {
		if now.classes[cim.Fold(e.class.Name)] == nil {
			list = append(list, classChange{ns, e.class, nil})
		}
	}
	return list
}
