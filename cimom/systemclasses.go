package cimom

import (
	"fmt"
	"slices"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cimom/schema"
)

// definitions is a provider of classes and nothing else: where they are
// static, their instances are stored.
type definitions struct{ classes []*cim.Class }

func (d *definitions) Classes() []*cim.Class { return d.classes }

// served are the system classes whose instances the manager makes itself.
var served = map[string]bool{
	"__namespace": true, "__thisnamespace": true, "__systemsecurity": true, "__cimomidentification": true, "casement_repository": true,
	"__arbitratorconfiguration": true, "__providerhostquotaconfiguration": true,
	"__eventconsumerprovidercachecontrol": true, "__eventprovidercachecontrol": true, "__eventsinkcachecontrol": true,
	"__objectprovidercachecontrol": true, "__propertyprovidercachecontrol": true,
	"__win32provider": true, "__instanceproviderregistration": true, "__classproviderregistration": true,
	"__methodproviderregistration": true, "__propertyproviderregistration": true, "__eventproviderregistration": true,
	"__eventconsumerproviderregistration": true, "msft_providers": true,
}

// systemClasses are the system classes, compiled once: they are constants of
// the program.
var systemClasses = sync.OnceValues(func() ([]*cim.Class, error) {
	common, _, err := mof.Definitions(schema.Files, "common.mof", "events.mof", "security.mof")
	if err != nil {
		return nil, fmt.Errorf("compile the system classes: %w", err)
	}
	out := slices.Clone(common)
	for _, further := range []struct{ file, namespace string }{
		{"root.mof", "root"}, {"eventclock.mof", "root"}, {"repository.mof", "root"}, {"identification.mof", "root"}, {"identification.mof", `root\default`},
		{"providers.mof", operationsNamespace},
	} {
		classes, _, err := mof.DefinitionsOn(common, schema.Files, further.file)
		if err != nil {
			return nil, fmt.Errorf("compile the system classes of %s: %w", further.namespace, err)
		}
		for _, c := range classes {
			here := *c
			here.Namespace = further.namespace
			out = append(out, here.Seal())
		}
	}
	return out, nil
})

// registerSystem adds the system classes to every namespace: those that the
// manager serves, and those that are definitions or whose instances are
// stored.
func (m *Manager) registerSystem() error {
	classes, err := systemClasses()
	if err != nil {
		return err
	}
	own, other := &systemProvider{manager: m}, &definitions{}
	for _, c := range classes {
		if served[cim.Fold(c.Name)] {
			own.classes = append(own.classes, c)
		} else {
			other.classes = append(other.classes, c)
		}
	}
	m.storage = &source{provider: &storage{m}}
	m.system = &source{provider: own}
	m.everywhere = []*source{{provider: other}, m.system}
	for _, ns := range m.namespaces {
		m.addCommon(ns)
	}
	return nil
}

// addCommon puts the classes of every namespace into one.
func (m *Manager) addCommon(ns *namespace) {
	for _, src := range m.everywhere {
		m.add(ns, src, src.provider.Classes())
	}
}
