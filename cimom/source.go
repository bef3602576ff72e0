package cimom

import (
	"context"
	"strconv"

	"github.com/casementhq/casement/cim"
)

// source is where the instances of a class come from: a provider, the bound on
// how many calls it may have under way, and what it is registered for.
type source struct {
	provider Provider
	name     string        // ProviderName, "" where it has none
	slots    chan struct{} // nil: no bound
	record   *record       // nil for what the manager serves itself
	abilities
}

// abilities are what a registration denies a provider that its interfaces
// would permit. The zero value denies nothing.
type abilities struct{ noGet, noPut, noDelete, noEnumeration, noMethods, noPropertyGet, noPropertySet bool }

func newSource(m *Manager, p Provider, name string) *source {
	if named, ok := p.(Named); ok && name == "" {
		name = named.ProviderName()
	}
	return &source{provider: p, name: name, slots: make(chan struct{}, m.calls), record: newRecord(m)}
}

// during makes a call of the provider for r. One with too many calls under way,
// because they hang, gets no more.
func (s *source) during(r *Request, o operation, f func() error) error {
	if s.slots == nil {
		return f()
	}
	if err := checkArchitecture(r.Context); err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return &cim.Error{Status: cim.ErrServerTooBusy, Detail: "the provider has too many calls under way"}
	}
	defer func() { <-s.slots }()
	return s.observed(r, o, f)
}

// checkArchitecture looks at the context values that choose between a provider
// of 32 bits and one of 64. Every provider is of the width of this program; one
// of another that is required is not at hand, and one that is only preferred
// gives way. See spec/wmi.md 4.7.
func checkArchitecture(values cim.NamedArray) error {
	const width, must = "__ProviderArchitecture", "__RequiredArchitecture"
	bad := func(name, want string) error {
		return &cim.Error{Status: cim.ErrInvalidParameter, Detail: "the context value " + name + " is " + want}
	}
	asked, err := values.Get(width).As(cim.Uint32)
	bits, given := asked.Uint()
	if err != nil || given && bits != 32 && bits != 64 {
		return bad(width, "32 or 64")
	}
	force, err := values.Get(must).As(cim.Boolean)
	if err != nil {
		return bad(must, "a boolean")
	}
	if required, _ := force.Bool(); required && given && bits != strconv.IntSize {
		return &cim.Error{Status: cim.ErrProviderLoadFailure, Detail: "the provider is not there in " + strconv.FormatUint(bits, 10) + " bits"}
	}
	return nil
}

// incapable is the error of an operation that the provider does not have or is
// not registered for.
func incapable(e *entry, why string) error {
	return &cim.Error{Status: cim.ErrProviderNotCapable, Path: e.class.Name, Detail: why}
}

func (s *source) lists() bool {
	_, ok := s.provider.(InstanceLister)
	return ok && !s.noEnumeration
}

// list yields the instances of exactly the class of e.
func (s *source) list(ctx context.Context, e *entry, r *Request, yield func(*cim.Instance) error) error {
	if !s.lists() {
		return incapable(e, "the provider lists no instances")
	}
	o := operation{kind: OpList}
	if len(r.Constraints)+len(r.Orders) > 0 {
		o.kind = OpQuery
	}
	return s.during(r, o, func() error { return s.provider.(InstanceLister).List(ctx, r, yield) })
}

func (s *source) gets() bool {
	_, ok := s.provider.(InstanceGetter)
	return ok && !s.noGet
}

// get reads one instance; gets was asked before.
func (s *source) get(ctx context.Context, r *Request, path cim.ObjectPath) (i *cim.Instance, err error) {
	err = s.during(r, operation{kind: OpGet, path: path}, func() error {
		i, err = s.provider.(InstanceGetter).Get(ctx, r, path)
		return err
	})
	return i, err
}

// walk yields the associations in which source has a role, directly or out of
// all of them.
func (s *source) walk(ctx context.Context, e *entry, r *Request, path cim.ObjectPath, role string, yield func(*cim.Instance) error) error {
	walker, ok := s.provider.(AssociationWalker)
	if !ok {
		return s.list(ctx, e, r, yield)
	}
	return s.during(r, operation{kind: OpQuery, path: path, role: role}, func() error { return walker.Walk(ctx, r, path, role, yield) })
}

// change calls the writer of the provider; denied says that the registration
// does not permit it.
func (s *source) change(e *entry, r *Request, o operation, denied bool, f func(InstanceWriter) error) error {
	w, ok := s.provider.(InstanceWriter)
	if !ok || denied {
		return incapable(e, "instances of the class cannot be written")
	}
	return s.during(r, o, func() error { return f(w) })
}

// invoke runs a method.
func (s *source) invoke(ctx context.Context, r *Request, path cim.ObjectPath, method string, in cim.Arguments) (result cim.Result, err error) {
	err = s.during(r, operation{kind: OpInvoke, path: path, method: method}, func() error {
		result, err = s.provider.(MethodInvoker).Invoke(ctx, r, path, method, in)
		return err
	})
	return result, err
}

func (s *source) invokes() bool {
	_, ok := s.provider.(MethodInvoker)
	return ok && !s.noMethods
}

// hasInstances tells whether the provider has anything to do with instances,
// so that those of its classes do not come from the repository.
func hasInstances(p Provider) bool {
	switch p.(type) {
	case InstanceLister, InstanceGetter, InstanceWriter:
		return true
	}
	return false
}

// isStatic tells whether the instances of a class are stored: it is not
// dynamic, not abstract, and no event.
func isStatic(c *cim.Class) bool {
	return !c.IsAbstract() && !c.Qualifiers.True("Dynamic") && !c.IsA("__Event") && !c.IsA("__PARAMETERS")
}

// source finds where the instances of a class come from: the built-in provider
// of the class, the one that its Provider qualifier names, or the repository.
// See docs/objects.md.
func (s *session) source(e *entry) (*source, error) {
	switch {
	case e.class.IsA("__NAMESPACE"), // one that a user derived makes namespaces too
		e.source != nil && isSetting(e.class):
		return s.manager.system, nil
	case e.source != nil && (hasInstances(e.source.provider) || !isStatic(e.class)):
		return e.source, nil
	case e.class.Qualifiers.True("Dynamic"):
		return s.manager.named(s.ns, e, e.class.Qualifiers.Text("Provider"))
	case isStatic(e.class):
		return s.manager.storage, nil
	}
	return nil, incapable(e, "the class has no instances")
}

// methodSource finds who runs a method: the provider of the class, or else of
// the class that declared the method; nil where nobody does.
func (s *session) methodSource(e *entry, m *cim.Method) (*source, error) {
	for _, at := range []*entry{e, s.ns.find(m.Origin)} {
		if at == nil {
			continue
		}
		if at.source != nil && at.source.invokes() {
			return at.source, nil
		}
		if name := at.class.Qualifiers.Text("Provider"); name != "" && at.source == nil {
			src, err := s.manager.named(s.ns, at, name)
			if err != nil {
				return nil, err
			}
			if src.invokes() {
				return src, nil
			}
		}
	}
	return nil, nil
}

// storedCalls is how many calls a provider may have under way: the calls of one
// built in are goroutines of the service, so that the documented default for
// the threads of a process would be too small. See spec/wmi.md 6.3.
func (m *Manager) storedCalls(ctx context.Context) int {
	const unset = 4096
	e := m.namespaces["root"].find("__ProviderHostQuotaConfiguration")
	if e == nil {
		return unset
	}
	i, err := m.repository.Get(ctx, e.class, cim.ObjectPath{Class: e.class.Name, Singleton: true})
	if err != nil {
		return unset
	}
	n, _ := i.Get("ThreadsPerHost").Uint()
	return int(min(max(n, 1), 1<<16)) // #nosec G115 -- bounded
}
