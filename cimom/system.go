package cimom

import (
	"context"
	"errors"
	"sort"
	"strings"

	"github.com/casementhq/casement/cim"
)

// systemProvider serves the system classes whose instances the manager makes
// itself.
type systemProvider struct {
	manager *Manager
	classes []*cim.Class
}

// Classes are the classes of the map served.
func (p *systemProvider) Classes() []*cim.Class { return p.classes }

// List yields the instances of a system class.
func (p *systemProvider) List(ctx context.Context, r *Request, yield func(*cim.Instance) error) error {
	switch c := r.Class; {
	case c.IsA("__NAMESPACE"):
		ns := p.manager.namespace(r.Namespace)
		if ns == nil || !cim.EqualFold(c.Name, "__NAMESPACE") {
			return nil // every namespace is listed as one of __NAMESPACE
		}
		for _, name := range p.manager.children(r.Namespace) {
			if err := yield(ns.instance(name)); err != nil {
				return err
			}
		}
		return nil
	case c.IsA("__Provider"), c.IsA("__ProviderRegistration"):
		return p.listRegistrations(ctx, r, yield)
	case cim.EqualFold(c.Name, "Msft_Providers"):
		list, err := p.loaded(c)
		for _, i := range list {
			if err == nil {
				err = yield(i)
			}
		}
		return err
	}
	i, err := p.singleton(ctx, r)
	if err != nil {
		return err
	}
	return yield(i)
}

// Get reads an instance of a system class.
func (p *systemProvider) Get(ctx context.Context, r *Request, path cim.ObjectPath) (*cim.Instance, error) {
	switch c := r.Class; {
	case c.IsA("__NAMESPACE"):
		name, _ := path.Keys[0].Value.Str()
		for _, child := range p.manager.children(r.Namespace) {
			if cim.EqualFold(child, name) && cim.EqualFold(c.Name, "__NAMESPACE") {
				return p.manager.namespace(r.Namespace).instance(child), nil
			}
		}
		return nil, cim.ErrNotFound
	case c.IsA("__Provider"), c.IsA("__ProviderRegistration"):
		return p.registration(ctx, r, path)
	case cim.EqualFold(c.Name, "Msft_Providers"):
		return p.loadedOne(r, path)
	}
	return p.singleton(ctx, r)
}

// singleton makes the only instance of a class: settings that nobody stored
// have their defaults.
func (p *systemProvider) singleton(ctx context.Context, r *Request) (*cim.Instance, error) {
	switch cim.Fold(r.Class.Name) {
	case "__thisnamespace":
		return p.thisNamespace(r)
	case "__cimomidentification":
		return p.identification(r)
	case "__systemsecurity", "casement_repository":
		return cim.NewInstance(r.Class), nil
	}
	i, err := p.manager.repository.Get(ctx, r.Class, cim.ObjectPath{Class: r.Class.Name, Singleton: true})
	if errors.Is(err, cim.ErrNotFound) {
		return cim.NewInstance(r.Class), nil
	}
	return i, err
}

// identification tells what runs here. The version that made the repository
// is not recorded, and neither is when.
func (p *systemProvider) identification(r *Request) (*cim.Instance, error) {
	i := cim.NewInstance(r.Class)
	return i, errors.Join(
		i.Set("VersionCurrentlyRunning", cim.Str("1.00.183.0000")),
		i.Set("VersionUsedToCreateDB", cim.Str("1.00.183.0000")),
	)
}

// Create makes a namespace, a registration, or settings.
func (p *systemProvider) Create(ctx context.Context, r *Request, i *cim.Instance) error {
	switch c := r.Class; {
	case c.IsA("__NAMESPACE"):
		name, _ := i.Get("Name").Str()
		parent := p.manager.namespace(r.Namespace)
		if parent == nil {
			return cim.ErrInvalidNamespace
		}
		return p.manager.makeNamespace(ctx, r.Caller, parent, name, nil, false)
	case c.IsA("__Provider"), c.IsA("__ProviderRegistration"):
		return (&storage{p.manager}).Create(ctx, r, i)
	case isSetting(c):
		return &cim.Error{Status: cim.ErrAlreadyExists, Path: c.Name}
	}
	return incapableSystem(r)
}

// Put changes a registration or settings; a namespace has nothing to change.
func (p *systemProvider) Put(ctx context.Context, r *Request, i *cim.Instance) error {
	st := &storage{p.manager}
	switch c := r.Class; {
	case c.IsA("__NAMESPACE"):
		path, _ := i.Path()
		_, err := p.Get(ctx, r, path)
		return err
	case c.IsA("__Provider"), c.IsA("__ProviderRegistration"):
		return st.Put(ctx, r, i)
	case isSetting(c):
		err := st.Put(ctx, r, i)
		if errors.Is(err, cim.ErrNotFound) {
			return st.Create(ctx, r, i)
		}
		return err
	case cim.EqualFold(c.Name, "__SystemSecurity"):
		return nil // it has no properties; its qualifiers are the business of MOF
	}
	return incapableSystem(r)
}

// Delete removes a namespace or a registration, or brings settings back to
// their defaults.
func (p *systemProvider) Delete(ctx context.Context, r *Request, path cim.ObjectPath) error {
	switch c := r.Class; {
	case c.IsA("__NAMESPACE"):
		name, _ := path.Keys[0].Value.Str()
		parent := p.manager.namespace(r.Namespace)
		if parent == nil {
			return cim.ErrInvalidNamespace
		}
		return p.manager.removeNamespace(ctx, r.Caller, parent, name)
	case c.IsA("__Provider"), c.IsA("__ProviderRegistration"), isSetting(c):
		return (&storage{p.manager}).Delete(ctx, r, path)
	}
	return incapableSystem(r)
}

// isSetting tells whether the only instance of a class is stored when somebody
// changes it.
func isSetting(c *cim.Class) bool {
	switch cim.Fold(c.Name) {
	case "__arbitratorconfiguration", "__providerhostquotaconfiguration", "scriptingstandardconsumersetting":
		return true
	}
	return c.IsA("__CacheControl")
}

func incapableSystem(r *Request) error {
	return &cim.Error{Status: cim.ErrProviderNotCapable, Path: r.Class.Name, Detail: "the instance is the system's"}
}

// Invoke runs a method of a system class.
func (p *systemProvider) Invoke(ctx context.Context, r *Request, _ cim.ObjectPath, method string, in cim.Arguments) (cim.Result, error) {
	if cim.EqualFold(r.Class.Name, "__SystemSecurity") {
		return p.securityMethod(ctx, r, method, in)
	}
	return p.repositoryMethod(ctx, r, method, in)
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
