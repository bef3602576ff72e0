package cimom

import (
	"context"
	"sort"
	"strings"

	"github.com/casementhq/casement/cim"
)

// systemProvider serves the classes that every namespace has.
type systemProvider struct{ manager *Manager }

var (
	systemClass    = cim.NewClass("__SystemClass", nil).Abstract().Build("")
	namespaceClass = cim.NewClass("__NAMESPACE", systemClass).Key("Name", cim.String).Build("")
)

// Classes are __SystemClass and __NAMESPACE.
func (p *systemProvider) Classes() []*cim.Class { return []*cim.Class{systemClass, namespaceClass} }

// List lists the children of the namespace. See spec/wmi.md 2.1.
func (p *systemProvider) List(_ context.Context, r *Request, yield func(*cim.Instance) error) error {
	for _, name := range p.manager.children(r.Namespace) {
		i := cim.NewInstance(r.Class)
		if err := i.SetAt(0, cim.Str(name)); err != nil {
			return err
		}
		if err := yield(i); err != nil {
			return err
		}
	}
	return nil
}

// children are the last parts of the names right below a namespace, sorted.
func (m *Manager) children(parent string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	prefix := cim.Fold(parent) + `\`
	var names []string
	for key, ns := range m.namespaces {
		if strings.HasPrefix(key, prefix) && !strings.Contains(key[len(prefix):], `\`) {
			names = append(names, ns.name[len(prefix):])
		}
	}
	sort.Strings(names)
	return names
}
