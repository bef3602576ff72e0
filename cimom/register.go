package cimom

import (
	"github.com/casementhq/casement/cim"
)

// Register adds the classes of a provider; all of them or, where one cannot
// be, none: ErrInvalidNamespace, ErrInvalidSuperclass, ErrAlreadyExists. An
// abstract class may come from several providers if it is the same definition
// (the same pointer).
func (m *Manager) Register(p Provider) error {
	classes := p.Classes()
	byNamespace := map[*namespace][]*cim.Class{}
	m.mu.Lock()
	defer m.mu.Unlock()
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
	for ns, list := range byNamespace {
		ns.add(p, list, m.server)
	}
	if common {
		m.everywhere = append(m.everywhere, p)
	}
	return nil
}

// verify tells what stands against adding the classes.
func (ns *namespace) verify(list []*cim.Class) error {
	added := map[string]bool{}
	for _, c := range list {
		fail := func(status cim.Status, why string) error {
			return &cim.Error{Status: status, Operation: "Register", Namespace: ns.name, Path: c.Name, Detail: why}
		}
		if c.Superclass != "" && ns.find(c.Superclass) == nil && !added[cim.Fold(c.Superclass)] {
			return fail(cim.ErrInvalidSuperclass, "the superclass "+c.Superclass+" is not registered")
		}
		if old := ns.find(c.Name); added[cim.Fold(c.Name)] || old != nil && (old.given != c || !c.IsAbstract()) {
			return fail(cim.ErrAlreadyExists, "another provider serves the class")
		}
		if len(c.Properties) > 0 && c.PropertyIndex(c.Properties[0].Name) != 0 {
			return fail(cim.ErrInvalidObject, "the class is not sealed")
		}
		added[cim.Fold(c.Name)] = true
	}
	return nil
}

// add puts classes that were verified into the namespace. Those of a common
// provider that belong to another namespace are passed over.
func (ns *namespace) add(p Provider, list []*cim.Class, server string) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, c := range list {
		key := cim.Fold(c.Name)
		if c.Namespace != "" && !cim.EqualFold(namespaceName(c.Namespace), ns.name) || ns.classes[key] != nil {
			continue
		}
		here := *c
		here.Namespace, here.Server = ns.name, server
		e := &entry{class: here.Seal(), given: c, provider: p}
		ns.classes[key] = e
		ns.order = append(ns.order, e)
		if super := ns.classes[cim.Fold(c.Superclass)]; super != nil {
			super.subs = append(super.subs, e)
		}
	}
}
