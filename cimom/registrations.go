package cimom

import (
	"context"
	"errors"
	"slices"

	"github.com/casementhq/casement/cim"
)

// listRegistrations yields those that are stored and those of the built-in
// providers, which are made up from the interfaces that they implement.
func (p *systemProvider) listRegistrations(ctx context.Context, r *Request, yield func(*cim.Instance) error) error {
	have := map[string]bool{}
	err := (&storage{p.manager}).each(ctx, r.Class, r.Constraints, nil, func(i *cim.Instance) error {
		if path, whole := i.Path(); whole {
			have[cim.Fold(path.Relative())] = true
		}
		return yield(i)
	})
	if err != nil {
		return err
	}
	for _, i := range p.builtinRegistrations(r) {
		path, _ := i.Path()
		if have[cim.Fold(path.Relative())] {
			continue
		}
		if err := yield(i); err != nil {
			return err
		}
	}
	return nil
}

func (p *systemProvider) registration(ctx context.Context, r *Request, path cim.ObjectPath) (*cim.Instance, error) {
	i, err := p.manager.repository.Get(ctx, r.Class, path)
	if !errors.Is(err, cim.ErrNotFound) {
		return i, err
	}
	for _, i := range p.builtinRegistrations(r) {
		if have, _ := i.Path(); (cim.ObjectPath{Class: path.Class, Keys: have.Keys}).Equal(cim.ObjectPath{Class: path.Class, Keys: path.Keys}) {
			return i, nil
		}
	}
	return nil, cim.ErrNotFound
}

// builtinRegistrations are the instances of r.Class for the built-in providers
// with classes in the namespace.
func (p *systemProvider) builtinRegistrations(r *Request) (list []*cim.Instance) {
	for name, b := range p.manager.builtinIn(r.Namespace) {
		i := cim.NewInstance(r.Class)
		var err error
		if r.Class.IsA("__Provider") {
			err = errors.Join(i.Set("Name", cim.Str(name)), i.Set("HostingModel", cim.Str(builtinHosting)), i.Set("Enabled", cim.Bool(true)))
		} else {
			path := cim.ObjectPath{Class: "__Win32Provider", Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}
			err = i.Set("provider", cim.Ref(path.Relative()))
			if !b.registers(i) {
				continue
			}
		}
		if err == nil {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b *cim.Instance) int {
		return slices.Compare([]byte(a.At(0).String()), []byte(b.At(0).String()))
	})
	return list
}

// builtinProvider is a built-in provider with its classes in one namespace.
type builtinProvider struct {
	provider          Provider
	events, consumers []string
}

// builtinIn are the built-in providers that have a name and classes in a
// namespace.
func (m *Manager) builtinIn(namespace string) map[string]*builtinProvider {
	found := map[string]*builtinProvider{}
	ns := m.namespace(namespace)
	if ns == nil {
		return found
	}
	for _, e := range ns.all() {
		if e.source == nil || e.source.name == "" {
			continue
		}
		b := found[e.source.name]
		if b == nil {
			b = &builtinProvider{provider: e.source.provider}
			found[e.source.name] = b
		}
		switch {
		case e.class.IsAbstract():
		case e.class.IsA("__Event"):
			b.events = append(b.events, e.class.Name)
		case e.class.IsA("__EventConsumer"):
			b.consumers = append(b.consumers, e.class.Name)
		}
	}
	return found
}

// registers fills a registration with what the provider can do; false where it
// has nothing of the kind.
func (b *builtinProvider) registers(i *cim.Instance) bool {
	_, lists := b.provider.(InstanceLister)
	_, gets := b.provider.(InstanceGetter)
	_, writes := b.provider.(InstanceWriter)
	set := func(name string, v cim.Value) bool { return i.Set(name, v) == nil }
	switch cim.Fold(i.Class().Name) {
	case "__instanceproviderregistration":
		return (lists || gets || writes) && set("SupportsEnumeration", cim.Bool(lists)) && set("SupportsGet", cim.Bool(gets || lists)) &&
			set("SupportsPut", cim.Bool(writes)) && set("SupportsDelete", cim.Bool(writes))
	case "__methodproviderregistration":
		_, ok := b.provider.(MethodInvoker)
		return ok
	case "__propertyproviderregistration":
		_, getter := b.provider.(PropertyGetter)
		_, setter := b.provider.(PropertySetter)
		return (getter || setter) && set("SupportsGet", cim.Bool(getter)) && set("SupportsPut", cim.Bool(setter))
	case "__eventproviderregistration":
		_, ok := b.provider.(EventSource)
		var queries []string
		for _, name := range b.events {
			queries = append(queries, "SELECT * FROM "+name)
		}
		return ok && len(queries) > 0 && set("EventQueryList", cim.Strs(queries))
	case "__eventconsumerproviderregistration":
		_, ok := b.provider.(EventConsumer)
		return ok && len(b.consumers) > 0 && set("ConsumerClassNames", cim.Strs(b.consumers))
	}
	return false
}
