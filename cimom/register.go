package cimom

import (
	"github.com/casementhq/casement/cim"
)

// Register adds the classes of a provider; all of them or, where one cannot
// be, none: ErrInvalidNamespace, ErrInvalidSuperclass, ErrAlreadyExists. An
// abstract class may come from several providers if it is the same definition
// (the same pointer).
func (m *Manager) Register(p Provider) error {
	if err := m.register(p); err != nil {
		return err
	}
	m.events.hub.Retry() // a permanent subscription may wait for the classes
	return nil
}

func (m *Manager) register(p Provider) error {
	classes := p.Classes()
	byNamespace := map[*namespace][]*cim.Class{}
	m.mu.Lock()
	defer m.mu.Unlock()
	src := newSource(m, p, "")
	common := false
	for _, c := range classes {
		if c.Namespace == "" {
			common = true
			for _, ns := range m.namespaces {
				byNamespace[ns] = append(byNamespace[ns], c)
			}
			continue
		}
		ns := m.namespaces[cim.Fold(namespaceName(c.Namespace))]
		if ns == nil {
			return &cim.Error{Status: cim.ErrInvalidNamespace, Operation: "Register", Namespace: c.Namespace, Path: c.Name}
		}
		byNamespace[ns] = append(byNamespace[ns], c)
	}
	for ns, list := range byNamespace {
		if err := ns.verify(list); err != nil {
			return err
		}
	}
	m.sources = append(m.sources, src)
	for ns, list := range byNamespace {
		m.add(ns, src, list)
	}
	if common {
		m.everywhere = append(m.everywhere, src)
	}
	return nil
}

// verify tells what stands against adding the classes.
func (ns *namespace) verify(list []*cim.Class) error {
	ns.writing.Lock()
	defer ns.writing.Unlock()
	return ns.layers.verify(ns.name, list)
}

func (l *layers) verify(namespace string, list []*cim.Class) error {
	added := map[string]bool{}
	for _, c := range list {
		fail := func(status cim.Status, why string) error {
			return &cim.Error{Status: status, Operation: "Register", Namespace: namespace, Path: c.Name, Detail: why}
		}
		above := cim.Fold(c.Superclass)
		if _, known := l.builtin[above]; c.Superclass != "" && !known && !added[above] {
			return fail(cim.ErrInvalidSuperclass, "the superclass "+c.Superclass+" is not registered")
		}
		key := cim.Fold(c.Name)
		if old, known := l.builtin[key]; added[key] || known && (old.class != c || !c.IsAbstract()) {
			return fail(cim.ErrAlreadyExists, "another provider serves the class")
		}
		if len(c.Properties) > 0 && c.PropertyIndex(c.Properties[0].Name) != 0 {
			return fail(cim.ErrInvalidObject, "the class is not sealed")
		}
		added[key] = true
	}
	return nil
}

// add puts classes that were verified into the built-in layer of a namespace.
// Those of a common provider that belong to another namespace are passed over.
func (m *Manager) add(ns *namespace, src *source, list []*cim.Class) {
	ns.writing.Lock()
	defer ns.writing.Unlock()
	l := ns.layers.clone()
	for _, c := range list {
		key := cim.Fold(c.Name)
		if _, known := l.builtin[key]; known || c.Namespace != "" && !cim.EqualFold(namespaceName(c.Namespace), ns.name) {
			continue
		}
		l.builtin[key] = builtin{c, src}
		l.names = append(l.names, key)
	}
	ns.rebuild(l, m.server)
}
