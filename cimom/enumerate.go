package cimom

import (
	"context"
	"errors"
	"slices"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// target is one class of an enumeration: where its instances come from, which
// of them are wanted and how they look.
type target struct {
	entry       *entry
	source      *source
	shape       shape
	constraints []wql.Constraint
	orders      []wql.Order
	match       func(*cim.Instance) bool // nil: all
	more        [][]int                  // properties that match looks at
	failed      error                    // the class has no provider at hand
}

// Enumerate lists the instances of a class. See [MS-WMI] 3.1.4.3.18.
func (s *session) Enumerate(ctx context.Context, class string, o cim.EnumerateOptions) (cim.Enumerator, error) {
	const operation = "Enumerate"
	if err := s.begin(ctx, rightEnable); err != nil {
		return nil, s.fail(err, operation, class)
	}
	base, err := s.class(class)
	if err != nil {
		return nil, s.fail(err, operation, class)
	}
	entries := []*entry{base}
	if o.Polymorphism != cim.Shallow {
		entries = s.ns.lineage(base)
	}
	targets, err := s.listable(base, entries)
	if err != nil {
		return nil, s.fail(err, operation, class)
	}
	for _, t := range targets {
		view := t.entry.class
		if o.Polymorphism == cim.DeepBasePropsOnly {
			view = base.class
		}
		t.shape = shapeOf(t.entry.class, view, o.Properties, o.KeysOnly)
	}
	return s.stream(operation, class, o.OperationOptions, func(ctx context.Context, e *stream) error {
		return s.listAll(ctx, e, targets, o.OperationOptions)
	})
}

// listable are those of the classes whose instances a provider lists. Where
// there is none at all, though base may have instances, the provider is not
// capable.
func (s *session) listable(base *entry, entries []*entry) ([]*target, error) {
	var targets []*target
	var first error
	for _, e := range entries {
		if e.class.IsAbstract() {
			continue
		}
		src, err := s.source(e)
		switch {
		case err == nil && src.lists():
			targets = append(targets, &target{entry: e, source: src})
		case e == base && err == nil:
			first = incapable(e, "the provider lists no instances")
		case e == base:
			first = err
		case err != nil && !errors.Is(err, cim.ErrProviderNotCapable):
			targets = append(targets, &target{entry: e, failed: err})
		}
	}
	if len(targets) == 0 {
		return nil, first
	}
	return targets, nil
}

// listAll lists one class after the other. One that fails does not keep the
// others from being listed; the first failure is the result. A class that its
// provider does not list whole is no part of a list of its superclass, unless
// that has nothing else.
func (s *session) listAll(ctx context.Context, e *stream, targets []*target, o cim.OperationOptions) error {
	var first, refusal error
	refused := 0
	s.prepareLists(ctx, targets, o)
	for n, t := range targets {
		err := protect(func() error { return s.list(ctx, e, t, o) })
		if err != nil && (ctx.Err() != nil || errors.Is(err, errStopped)) {
			return err
		}
		if errors.Is(err, cim.ErrProviderNotCapable) && (n > 0 || !isTop(targets)) {
			refused, refusal = refused+1, err
			continue
		}
		if first == nil {
			first = err
		}
	}
	if refused == len(targets) {
		return refusal
	}
	return first
}

// prepareLists tells the providers that want to know which classes of theirs are
// about to be listed, where it is more than one.
func (s *session) prepareLists(ctx context.Context, targets []*target, o cim.OperationOptions) {
	var told []*source
	for n, t := range targets {
		p, ok := t.preparer()
		if !ok || slices.Contains(told, t.source) {
			continue
		}
		told = append(told, t.source)
		var list []*Request
		for _, other := range targets[n:] {
			if other.source == t.source {
				list = append(list, s.listRequest(other, o))
			}
		}
		if len(list) < 2 {
			continue
		}
		err := protect(func() error {
			p.PrepareList(ctx, list)
			return nil
		})
		if err != nil { // what List then says is what counts
			s.manager.log.Debug("a provider does not prepare", "class", t.entry.class.Name, "error", err)
		}
	}
}

// preparer is the provider of t, if it prepares lists.
func (t *target) preparer() (p ListPreparer, ok bool) {
	if t.source != nil {
		p, ok = t.source.provider.(ListPreparer)
	}
	return p, ok
}

// listRequest is what the provider of t is asked for.
func (s *session) listRequest(t *target, o cim.OperationOptions) *Request {
	r := s.request(t.entry, o, t.shape.wanted(t.entry.class, t.more...), t.constraints)
	r.Orders = t.orders
	return r
}

// isTop tells whether the first class is above all others: the one that was
// asked for.
func isTop(targets []*target) bool {
	for _, t := range targets[1:] {
		if !t.entry.class.IsA(targets[0].entry.class.Name) {
			return false
		}
	}
	return true
}

func (s *session) list(ctx context.Context, e *stream, t *target, o cim.OperationOptions) error {
	if t.failed != nil {
		return t.failed
	}
	r := s.listRequest(t, o)
	r.leftOut = &e.leftOut
	match := t.match
	if t.source == s.manager.storage {
		r.match, match = match, nil // it looks before it copies
	}
	if path, ok := keyPath(t.entry.class, t.constraints); ok && t.source.gets() && !hasReference(path) {
		return t.getOne(ctx, e, r, path)
	}
	var last *cim.Class
	return t.source.list(ctx, t.entry, r, func(i *cim.Instance) error {
		if i == nil || i.Class() != last {
			whole, err := t.entry.fits(i)
			if err != nil {
				return err
			}
			if whole == i {
				last = i.Class()
			}
			i = whole
		}
		if match != nil && !match(i) {
			return nil
		}
		return e.emit(ctx, i, &t.shape)
	})
}

// hasReference tells whether a key is a reference: what it names can be written in several ways, so that it is
// compared and not looked up.
func hasReference(path cim.ObjectPath) bool {
	return slices.ContainsFunc(path.Keys, func(k cim.Key) bool { return k.Value.Type() == cim.Reference })
}

// getOne reads the only instance that can meet the constraints.
func (t *target) getOne(ctx context.Context, e *stream, r *Request, path cim.ObjectPath) error {
	i, err := t.source.get(ctx, r, path)
	if errors.Is(err, cim.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if i, err = t.entry.fits(i); err != nil {
		return err
	}
	if t.match != nil && !t.match(i) {
		return nil
	}
	return e.emit(ctx, i, &t.shape)
}

// keyPath is the path that the constraints make where they fix every key.
func keyPath(class *cim.Class, constraints []wql.Constraint) (path cim.ObjectPath, ok bool) {
	keys := class.Keys()
	if len(keys) == 0 || len(constraints) < len(keys) {
		return path, false
	}
	path = cim.ObjectPath{Server: class.Server, Namespace: class.Namespace, Class: class.Name}
	for _, k := range keys {
		found := false
		for _, c := range constraints {
			if c.Property == k && !found {
				found = true
				path.Keys = append(path.Keys, cim.Key{Name: class.Properties[k].Name, Value: c.Value})
			}
		}
		if !found {
			return path, false
		}
	}
	return path, true
}
