package cimom

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// Get reads an instance; it may be of a subclass of the class that the path
// names. See [MS-WMI] 3.1.4.3.4.
func (s *session) Get(ctx context.Context, path cim.ObjectPath, o cim.GetOptions) (*cim.Instance, error) {
	const operation = "Get"
	if err := s.begin(ctx, rightEnable); err != nil {
		return nil, s.fail(err, operation, path.String())
	}
	keysOnly := partialGet(&o)
	i, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (*cim.Instance, error) {
		f, err := s.find(ctx, path, o.OperationOptions, func(c *cim.Class) shape {
			return shapeOf(c, c, o.Properties, keysOnly)
		})
		return f.instance, err
	})
	return i, s.fail(err, operation, path.String())
}

// partialGet turns the reserved context values of a partial read into the list
// of properties. See spec/wmi.md 4.7.
func partialGet(o *cim.GetOptions) (keysOnly bool) {
	if on, _ := o.Context.Get("__GET_EXTENSIONS").Bool(); !on {
		return false
	}
	if o.Context.Has("__GET_EXT_PROPERTIES") {
		o.Properties = []string{}
		for _, v := range o.Context.Get("__GET_EXT_PROPERTIES").Elems() {
			if name, ok := v.Str(); ok {
				o.Properties = append(o.Properties, name)
			}
		}
	}
	keysOnly, _ = o.Context.Get("__GET_EXT_KEYS_ONLY").Bool()
	return keysOnly
}

// found is an instance with the class that it was found in.
type found struct {
	instance *cim.Instance
	entry    *entry
	path     cim.ObjectPath
}

// find finds the instance that a path names, in its class or in a subclass.
func (s *session) find(ctx context.Context, path cim.ObjectPath, o cim.OperationOptions, look func(*cim.Class) shape) (found, error) {
	base, err := s.located(path)
	if err != nil {
		return found{}, err
	}
	constraints, err := wql.ConstraintsOf(base.class, path)
	if err != nil {
		return found{}, err
	}
	missing := &cim.Error{Status: cim.ErrNotFound, Path: path.String()}
	for _, e := range s.ns.lineage(base) {
		if e.class.IsAbstract() {
			continue
		}
		own := constraints
		if e != base {
			if own, err = rebase(base.class, e.class, constraints); err != nil {
				return found{}, err
			}
		}
		sh := look(e.class)
		r := s.request(e, o, sh.wanted(e.class), own)
		i, err := s.pick(ctx, e, r)
		if errors.Is(err, cim.ErrNotFound) {
			var said *cim.Error
			if errors.As(err, &said) && said.Detail != "" {
				missing.Detail = said.Detail
			}
			continue
		}
		if err != nil {
			return found{}, err
		}
		if i, err = e.fits(i); err != nil {
			return found{}, err
		}
		whole, ok := keyPath(e.class, own)
		if !ok {
			whole = cim.ObjectPath{Server: e.class.Server, Namespace: e.class.Namespace, Class: e.class.Name, Singleton: path.Singleton}
		}
		return found{sh.make(i), e, whole}, nil
	}
	return found{}, missing
}

// rebase turns constraints of a class into those of a subclass of it.
func rebase(base, sub *cim.Class, constraints []wql.Constraint) ([]wql.Constraint, error) {
	out := make([]wql.Constraint, 0, len(constraints))
	for _, c := range constraints {
		n := sub.PropertyIndex(base.Properties[c.Property].Name)
		if n < 0 {
			return nil, errors.New("class " + sub.Name + " lacks a property of its superclass")
		}
		v, err := c.Value.As(sub.Properties[n].Type)
		if err != nil {
			return nil, err
		}
		out = append(out, wql.Constraint{Property: n, Value: v})
	}
	return out, nil
}

// pick asks the provider of a class for the instance that meets the
// constraints of r: by Get, or else out of the list.
func (s *session) pick(ctx context.Context, e *entry, r *Request) (*cim.Instance, error) {
	src, err := s.source(e)
	if err != nil {
		return nil, err
	}
	if src.gets() {
		path, ok := keyPath(e.class, r.Constraints)
		if !ok {
			path = cim.ObjectPath{Server: e.class.Server, Namespace: e.class.Namespace, Class: e.class.Name, Singleton: true}
		}
		return src.get(ctx, r, path)
	}
	if !src.lists() {
		if src.noGet {
			return nil, incapable(e, "the provider is not registered for reading instances")
		}
		return nil, cim.ErrNotFound
	}
	var hit *cim.Instance
	err = src.list(ctx, e, r, func(i *cim.Instance) error {
		i, err := e.fits(i)
		if err != nil {
			return err
		}
		for _, c := range r.Constraints {
			if !c.Holds(i) {
				return nil
			}
		}
		hit = i.Clone()
		return errStopped
	})
	if hit != nil {
		return hit, nil
	}
	if err == nil {
		err = cim.ErrNotFound
	}
	return nil, err
}

// GetClass reads a class definition. See [MS-WMI] 3.1.4.3.4.
func (s *session) GetClass(ctx context.Context, name string, o cim.GetOptions) (*cim.Class, error) {
	const operation = "GetClass"
	if err := s.begin(ctx, rightEnable); err != nil {
		return nil, s.fail(err, operation, name)
	}
	e := s.ns.find(name)
	if e == nil {
		return nil, s.fail(&cim.Error{Status: cim.ErrNotFound, Detail: "there is no class " + name}, operation, name)
	}
	class := s.localized(e.class, o.Amended)
	if o.Properties != nil {
		return class.Project(o.Properties, false), nil
	}
	return class, nil
}

// EnumerateClasses lists subclasses. See [MS-WMI] 3.1.4.3.10.
func (s *session) EnumerateClasses(ctx context.Context, superclass string, deep bool) ([]*cim.Class, error) {
	const operation = "EnumerateClasses"
	if err := s.begin(ctx, rightEnable); err != nil {
		return nil, s.fail(err, operation, superclass)
	}
	var out []*cim.Class
	if superclass == "" {
		for _, e := range s.ns.all() {
			if deep || e.class.Superclass == "" {
				out = append(out, e.class)
			}
		}
		return out, nil
	}
	base, err := s.class(superclass)
	if err != nil {
		return nil, s.fail(err, operation, superclass)
	}
	for _, e := range s.ns.below(base, deep) {
		out = append(out, e.class)
	}
	return out, nil
}
