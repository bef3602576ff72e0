package cimom

import (
	"context"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

// makeNamespace makes a namespace below another one, for a caller: what it
// inherits of the parent's security stands behind own, which may be nil.
func (m *Manager) makeNamespace(ctx context.Context, caller cim.Caller, parent *namespace, name string, own *security.SecurityDescriptor, encrypt bool) error {
	err := m.putNamespace(ctx, parent, name, own, encrypt)
	if err == nil {
		m.namespaceChanged(ctx, parent.name, caller, nil, parent.instance(name))
	}
	return err
}

func (m *Manager) putNamespace(ctx context.Context, parent *namespace, name string, own *security.SecurityDescriptor, encrypt bool) error {
	if !isName(name) {
		return &cim.Error{Status: cim.ErrInvalidParameter, Path: name, Detail: "a namespace name is a letter, then letters, digits and underscores"}
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	if parent.deleted.Load() { // since the operation began
		return cim.ErrInvalidNamespace
	}
	full := parent.name + `\` + name
	if m.namespace(full) != nil {
		return &cim.Error{Status: cim.ErrAlreadyExists, Path: full}
	}
	sd := inherit(parent.settings.Load().security, own)
	b, err := sd.Bytes()
	if err != nil {
		return &cim.Error{Status: cim.ErrInvalidParameter, Path: full, Detail: "the security descriptor is not valid", Err: err}
	}
	err = m.repository.Update(ctx, func(tx *repository.Tx) error {
		return tx.PutNamespace(repository.Namespace{Name: full, Created: true, Security: b, RequiresEncryption: encrypt})
	})
	if err != nil {
		return err
	}
	ns := newNamespace(Namespace{Name: full, Security: sd, RequiresEncryption: encrypt})
	ns.created = true
	m.mu.Lock()
	m.addCommon(ns)
	m.namespaces[ns.key] = ns
	m.mu.Unlock()
	return nil
}

// instance is the __NAMESPACE instance of a child.
func (ns *namespace) instance(child string) *cim.Instance {
	i := cim.NewInstance(ns.find("__NAMESPACE").class)
	_ = i.Set("Name", cim.Str(child)) // it is a string
	return i
}

// removeNamespace removes a namespace that a user made, with everything below
// it. See spec/wmi.md 2.1.
func (m *Manager) removeNamespace(ctx context.Context, caller cim.Caller, parent *namespace, name string) error {
	gone, err := m.takeNamespace(ctx, parent, name)
	if err == nil {
		m.namespaceChanged(ctx, parent.name, caller, parent.instance(gone.name[len(parent.name)+1:]), nil)
	}
	return err
}

func (m *Manager) takeNamespace(ctx context.Context, parent *namespace, name string) (*namespace, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	top := m.namespace(parent.name + `\` + name)
	if top == nil || strings.ContainsAny(name, `\/`) {
		return nil, cim.ErrNotFound
	}
	gone := m.tree(top)
	for _, ns := range gone {
		if !ns.created {
			return nil, &cim.Error{Status: cim.ErrInvalidOperation, Path: ns.name, Detail: "the namespace belongs to the service"}
		}
	}
	if err := m.forget(ctx, top, gone); err != nil {
		return nil, err
	}
	m.mu.Lock()
	for _, ns := range gone {
		delete(m.namespaces, ns.key)
	}
	m.mu.Unlock()
	return top, nil
}

// forget removes namespaces, top and those below it, from the repository. Nobody
// stores anything in them meanwhile or later.
func (m *Manager) forget(ctx context.Context, top *namespace, gone []*namespace) error {
	for _, ns := range gone {
		ns.writing.Lock()
		defer ns.writing.Unlock()
	}
	err := m.repository.Update(ctx, func(tx *repository.Tx) error { return tx.DeleteNamespace(top.name) })
	if err == nil {
		for _, ns := range gone {
			ns.deleted.Store(true)
		}
	}
	return err
}

// tree is a namespace with those below it, by name.
func (m *Manager) tree(top *namespace) []*namespace {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := []*namespace{top}
	for key, ns := range m.namespaces {
		if strings.HasPrefix(key, top.key+`\`) {
			list = append(list, ns)
		}
	}
	slices.SortFunc(list, func(a, b *namespace) int { return strings.Compare(a.key, b.key) })
	return list
}

// setSecurity changes who may do what in a namespace, and keeps that.
func (m *Manager) setSecurity(ctx context.Context, ns *namespace, change func(*settings)) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	if ns.deleted.Load() {
		return cim.ErrInvalidNamespace
	}
	set := *ns.settings.Load()
	change(&set)
	b, err := set.security.Bytes()
	if err != nil {
		return &cim.Error{Status: cim.ErrInvalidParameter, Detail: "the security descriptor is not valid", Err: err}
	}
	err = m.repository.Update(ctx, func(tx *repository.Tx) error {
		return tx.PutNamespace(repository.Namespace{Name: ns.name, Created: ns.created, Security: b, RequiresEncryption: set.encrypt})
	})
	if err != nil {
		return err
	}
	ns.settings.Store(&set)
	m.events.hub.SecurityChanged(ns.name)
	m.changed(ns.name)
	return nil
}
