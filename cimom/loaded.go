package cimom

import (
	"errors"
	"os"
	"slices"

	"github.com/casementhq/casement/cim"
)

// ProviderProcess is a process other than this one in which a provider is
// loaded.
type ProviderProcess struct {
	Namespace, Provider string // those of its __Win32Provider
	User                string // the name of the Unix user as whom it runs
	PID                 uint32 // 0: not known
	Calls               Calls  // what it was asked for
}

// ProviderLoaded tells that a provider is at hand in a process from now on.
func (m *Manager) ProviderLoaded(p ProviderProcess) {
	m.tellOf(loadEvent, p, func(e *cim.Instance) {
		fillIn(e, "InProcServer", cim.Bool(false))
		fillIn(e, "LocalServer", cim.Bool(true))
	})
}

// ProviderUnloaded tells that it is not any more.
func (m *Manager) ProviderUnloaded(p ProviderProcess) {
	m.tellOf(unloadEvent, p, func(*cim.Instance) {})
}

// identify fills what an event of an operation and an instance of
// Msft_Providers say of who the provider is.
func (m *Manager) identify(i *cim.Instance, p ProviderProcess) {
	h := hosting{model: builtinHosting}
	if m.builtinSource(p.Provider) == nil {
		if reg, err := m.Registration(p.Namespace, p.Provider); err == nil {
			h, _ = hostingOf(reg)
		}
	}
	fillIn(i, "HostingGroup", cim.Str(h.group))
	fillIn(i, "HostingSpecification", h.specification())
	fillIn(i, "Locale", cim.Str(""))
	fillIn(i, "Namespace", cim.Str(p.Namespace))
	fillIn(i, "provider", cim.Str(p.Provider))
	fillIn(i, "TransactionIdentifier", cim.Str(""))
	fillIn(i, "TransactionIdentifer", cim.Str("")) // so spelt in the events
	fillIn(i, "User", cim.Str(p.User))
}

// loaded are the instances of Msft_Providers: the built-in providers in each
// namespace where they have classes, and those in other processes.
func (p *systemProvider) loaded(class *cim.Class) (list []*cim.Instance, err error) {
	m := p.manager
	pid := uint32(os.Getpid()) // #nosec G115 -- it is positive
	var all []ProviderProcess
	m.mu.RLock()
	for _, src := range m.sources {
		if src.name == "" {
			continue
		}
		for _, ns := range m.namespaces {
			if ns.hasClassesOf(src) {
				all = append(all, ProviderProcess{Namespace: ns.name, Provider: src.name, PID: pid, Calls: src.record.in(ns.name).Calls()})
			}
		}
	}
	m.mu.RUnlock()
	if m.processes != nil {
		all = append(all, m.processes()...)
	}
	for _, one := range all {
		i := cim.NewInstance(class)
		m.identify(i, one)
		fillIn(i, "HostProcessIdentifier", cim.U32(one.PID))
		for o, n := range one.Calls {
			fillIn(i, "ProviderOperation_"+operationNames[o].counter, cim.U64(n))
		}
		if _, whole := i.Path(); !whole {
			return nil, &cim.Error{Status: cim.ErrFailed, Path: class.Name, Detail: "the provider " + one.Provider + " has no hosting model"}
		}
		list = append(list, i)
	}
	return list, nil
}

// loadedOne is the instance that a path names.
func (p *systemProvider) loadedOne(r *Request, path cim.ObjectPath) (*cim.Instance, error) {
	list, err := p.loaded(r.Class)
	n := slices.IndexFunc(list, func(i *cim.Instance) bool {
		have, _ := i.Path()
		return (cim.ObjectPath{Class: path.Class, Keys: have.Keys}).Equal(cim.ObjectPath{Class: path.Class, Keys: path.Keys})
	})
	if n < 0 {
		return nil, errors.Join(err, cim.ErrNotFound)
	}
	return list[n], nil
}
