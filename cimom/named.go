package cimom

import (
	"context"
	"errors"
	"slices"

	"github.com/casementhq/casement/cim"
)

// outside is the source of a provider that is not built in and was asked for by
// the name of its registration; nil where it is not at hand. The bound on its
// calls outlives it.
func (m *Manager) outside(ns *namespace, name string) *source {
	if m.providers == nil {
		return nil
	}
	p := m.providers(ns.name, name)
	if p == nil {
		return nil
	}
	key := ns.key + ":" + cim.Fold(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.others[key]
	if known == nil {
		known = newSource(m, nil, name)
		m.others[key] = known
	}
	src := *known
	src.provider = p
	return &src
}

// builtinSource is the built-in provider of a name, or nil.
func (m *Manager) builtinSource(name string) *source {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := slices.IndexFunc(m.sources, func(s *source) bool { return s.name != "" && cim.EqualFold(s.name, name) })
	if n < 0 {
		return nil
	}
	return m.sources[n]
}

// hasClassesOf tells whether a built-in provider serves classes of the
// namespace, which is its registration there. Elsewhere it needs a stored one:
// who may write classes in some namespace must not reach every provider.
func (ns *namespace) hasClassesOf(src *source) bool {
	return slices.ContainsFunc(ns.all(), func(e *entry) bool { return e.source == src })
}

// named finds the provider that the Provider qualifier of a class names. It
// fails with ErrProviderNotFound where nobody is registered by that name,
// ErrProviderDisabled, ErrInvalidProviderRegistration where the registration
// is for nothing that the class needs, and ErrProviderLoadFailure where the
// provider is registered and not there.
func (m *Manager) named(ns *namespace, e *entry, name string) (*source, error) {
	fail := func(status cim.Status, why string) (*source, error) {
		return nil, &cim.Error{Status: status, Path: e.class.Name, Detail: why}
	}
	if name == "" {
		return fail(cim.ErrProviderNotFound, "the class is dynamic and has no qualifier Provider")
	}
	reg, err := m.registration(ns, name)
	if errors.Is(err, cim.ErrNotFound) {
		if src := m.builtinSource(name); src != nil && ns.hasClassesOf(src) {
			return src, nil
		}
		return fail(cim.ErrProviderNotFound, "no provider "+name+" is registered in "+ns.name)
	}
	if err != nil {
		return nil, err
	}
	if enabled, known := reg.Get("Enabled").Bool(); known && !enabled {
		return fail(cim.ErrProviderDisabled, "the provider "+name+" is disabled")
	}
	if _, err := hostingOf(reg); err != nil {
		return nil, err
	}
	can, some, err := m.abilities(ns, name)
	if err != nil {
		return nil, err
	}
	if !some {
		return fail(cim.ErrInvalidProviderRegistration, "the provider "+name+" is registered for nothing")
	}
	src := m.outside(ns, reg.Get("Name").String())
	if src == nil {
		src = m.builtinSource(name)
	}
	if src == nil {
		return fail(cim.ErrProviderLoadFailure, "the provider "+name+" is registered and not connected")
	}
	limited := *src
	limited.abilities = can
	return &limited, nil
}

// Registration is the stored __Win32Provider of a name: ErrNotFound,
// ErrInvalidNamespace, and ErrAccessDenied for a built-in provider.
func (m *Manager) Registration(namespace, name string) (*cim.Instance, error) {
	ns := m.namespace(namespace)
	if ns == nil {
		return nil, &cim.Error{Status: cim.ErrInvalidNamespace, Namespace: namespace}
	}
	reg, err := m.registration(ns, name)
	if errors.Is(err, cim.ErrNotFound) && m.builtinSource(name) != nil {
		err = &cim.Error{Status: cim.ErrAccessDenied, Namespace: namespace, Path: name, Detail: "the provider is built in"}
	}
	return reg, err
}

// registration is the stored __Win32Provider of a name.
func (m *Manager) registration(ns *namespace, name string) (*cim.Instance, error) {
	e := ns.find("__Win32Provider")
	if e == nil {
		return nil, cim.ErrNotFound
	}
	path := cim.ObjectPath{Class: e.class.Name, Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}
	return m.stored(context.Background(), e, path)
}

// abilities reads what the stored registrations of a provider permit; some is
// false where there are none.
func (m *Manager) abilities(ns *namespace, name string) (can abilities, some bool, err error) {
	can = abilities{true, true, true, true, true, true, true}
	err = m.registrations(ns, name, func(reg *cim.Instance) {
		some = true
		no := func(property string) bool {
			yes, _ := reg.Get(property).Bool()
			return !yes
		}
		switch {
		case reg.Class().IsA("__InstanceProviderRegistration"):
			can.noGet, can.noPut = no("SupportsGet"), no("SupportsPut")
			can.noDelete, can.noEnumeration = no("SupportsDelete"), no("SupportsEnumeration")
		case reg.Class().IsA("__MethodProviderRegistration"):
			can.noMethods = false
		case reg.Class().IsA("__PropertyProviderRegistration"):
			can.noPropertyGet, can.noPropertySet = no("SupportsGet"), no("SupportsPut")
		}
	})
	return can, some, err
}

// registrations calls f with the stored registrations of a provider.
func (m *Manager) registrations(ns *namespace, name string, f func(*cim.Instance)) error {
	base := ns.find("__ProviderRegistration")
	if base == nil {
		return nil
	}
	for _, e := range ns.lineage(base) {
		if e.class.IsAbstract() {
			continue
		}
		st := storage{m}
		err := st.each(context.Background(), e.class, nil, nil, func(i *cim.Instance) error {
			if registers(i, name) {
				f(i)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// registers tells whether a registration is that of a provider.
func registers(reg *cim.Instance, name string) bool {
	text, _ := reg.Get("provider").Str()
	path, err := cim.ParsePath(text)
	if err != nil {
		return false
	}
	key, _ := path.Key("Name")
	have, _ := key.Str()
	return cim.EqualFold(have, name)
}
