package cimom

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// walk is a traversal from one object.
type walk struct {
	session *session
	options cim.AssociatorOptions
	entry   *entry         // class of the source
	source  cim.ObjectPath // whole, with the source's own class
	need    required
	// classes are those of the results that were shown already, where the
	// definitions are wanted and not the objects; else nil.
	classes map[*cim.Class]bool
}

// required are qualifiers that must be true; "" means none.
type required struct{ assoc, result string }

func has(c *cim.Class, qualifier string) bool { return qualifier == "" || c.Qualifiers.True(qualifier) }

// Associators lists what is associated with an instance, once for each
// association. See spec/wmi.md 3.4.
func (s *session) Associators(ctx context.Context, source cim.ObjectPath, o cim.AssociatorOptions) (cim.Enumerator, error) {
	return s.traverse(ctx, "Associators", source, o, required{}, (*walk).associator, false)
}

// References lists the associations that refer to an instance; ResultClass
// narrows their class.
func (s *session) References(ctx context.Context, source cim.ObjectPath, o cim.AssociatorOptions) (cim.Enumerator, error) {
	return s.traverse(ctx, "References", source, o, required{}, (*walk).reference, false)
}

// visit is called with an association and the reference by which the source
// takes part in it.
type visit func(w *walk, ctx context.Context, e *stream, assoc *entry, i *cim.Instance, role int) error

func (s *session) traverse(ctx context.Context, operation string, source cim.ObjectPath, o cim.AssociatorOptions, need required, v visit, classDefsOnly bool) (cim.Enumerator, error) {
	if err := s.begin(ctx, rightEnable); err != nil {
		return nil, s.fail(err, operation, source.String())
	}
	f, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (found, error) {
		return s.find(ctx, source, o.OperationOptions, func(c *cim.Class) shape { return shapeOf(c, c, nil, true) })
	})
	if err == nil {
		err = s.knownClasses(o.AssocClass, o.ResultClass)
	}
	if err != nil {
		return nil, s.fail(err, operation, source.String())
	}
	w := &walk{session: s, options: o, entry: f.entry, source: f.path, need: need}
	if classDefsOnly {
		w.classes = map[*cim.Class]bool{}
	}
	return s.stream(operation, source.String(), o.OperationOptions, func(ctx context.Context, e *stream) error {
		return w.run(ctx, e, v)
	})
}

func (s *session) knownClasses(names ...string) error {
	for _, name := range names {
		if name != "" {
			if _, err := s.class(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// run goes through the association classes and the roles that the source can
// have in each.
func (w *walk) run(ctx context.Context, e *stream, v visit) error {
	var first error
	for _, assoc := range w.session.ns.all() {
		if !w.relevant(assoc.class) || assoc.class.IsAbstract() {
			continue
		}
		for _, n := range w.roles(assoc.class) {
			err := protect(func() error { return w.list(ctx, e, assoc, n, v) })
			if err != nil && (ctx.Err() != nil || errors.Is(err, errStopped)) {
				return err
			}
			if first == nil {
				first = err
			}
		}
	}
	return first
}

// relevant tells whether a class is an association that is wanted.
func (w *walk) relevant(c *cim.Class) bool {
	return c.IsAssociation() && has(c, w.need.assoc) && (w.options.AssocClass == "" || c.IsA(w.options.AssocClass))
}

// roles are the references of an association by which the source can take
// part in it.
func (w *walk) roles(c *cim.Class) (list []int) {
	for n := range c.Properties {
		p := &c.Properties[n]
		if p.Type == cim.Reference && (w.options.Role == "" || cim.EqualFold(p.Name, w.options.Role)) && w.canBe(p.RefClass) {
			list = append(list, n)
		}
	}
	return list
}

// canBe tells whether a reference declared with a class may hold the source.
func (w *walk) canBe(refClass string) bool {
	return refClass == "" || cim.EqualFold(refClass, "object") || w.entry.class.IsA(refClass)
}

// list lists the associations in which the source has one role.
func (w *walk) list(ctx context.Context, e *stream, assoc *entry, role int, v visit) error {
	s := w.session
	r := s.request(assoc, w.options.OperationOptions, nil, nil)
	yield := func(i *cim.Instance) error {
		i, err := assoc.fits(i)
		if err != nil {
			return err
		}
		if text, ok := i.At(role).Str(); !ok || !w.isSource(text) {
			return nil
		}
		return v(w, ctx, e, assoc, i, role)
	}
	src, err := s.source(assoc)
	if err != nil {
		return err
	}
	err = src.walk(ctx, assoc, r, w.source, assoc.class.Properties[role].Name, yield)
	if errors.Is(err, cim.ErrProviderNotCapable) {
		return nil // a definition only, or not listed whole
	}
	return err
}

// isSource tells whether a reference names the source, which it may do by a
// superclass and in other types of keys.
func (w *walk) isSource(reference string) bool {
	path, err := cim.ParsePath(reference)
	if err != nil || path.Namespace != "" && !cim.EqualFold(path.Namespace, w.source.Namespace) || !w.entry.class.IsA(path.Class) {
		return false
	}
	if w.source.Singleton {
		return path.Singleton
	}
	have, err := wql.ConstraintsOf(w.entry.class, path)
	if err != nil {
		return false
	}
	for n, c := range have {
		if !wql.EqualValues(c.Value, w.source.Keys[n].Value) {
			return false
		}
	}
	return true
}

// reference emits the association.
func (w *walk) reference(ctx context.Context, e *stream, assoc *entry, i *cim.Instance, _ int) error {
	if w.options.ResultClass != "" && !assoc.class.IsA(w.options.ResultClass) || !has(assoc.class, w.need.result) {
		return nil
	}
	if w.classes != nil {
		return w.definition(ctx, e, assoc.class)
	}
	sh := shapeOf(assoc.class, assoc.class, w.options.Properties, w.options.KeysOnly)
	return e.emit(ctx, i, &sh)
}

// definition emits a class, once.
func (w *walk) definition(ctx context.Context, e *stream, c *cim.Class) error {
	if w.classes[c] {
		return nil
	}
	w.classes[c] = true
	return e.emitClass(ctx, c)
}

// associator emits what the other references of the association name. One
// that no longer exists is passed over.
func (w *walk) associator(ctx context.Context, e *stream, assoc *entry, i *cim.Instance, role int) error {
	for n := range assoc.class.Properties {
		p := &assoc.class.Properties[n]
		if n == role || p.Type != cim.Reference || w.options.ResultRole != "" && !cim.EqualFold(p.Name, w.options.ResultRole) {
			continue
		}
		text, ok := i.At(n).Str()
		if !ok {
			continue
		}
		path, err := cim.ParsePath(text)
		if err != nil {
			continue
		}
		if err := w.endpoint(ctx, e, path); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) endpoint(ctx context.Context, e *stream, path cim.ObjectPath) error {
	f, err := w.session.find(ctx, path, w.options.OperationOptions, func(c *cim.Class) shape {
		return shapeOf(c, c, w.options.Properties, w.options.KeysOnly)
	})
	switch cim.StatusOf(err) {
	case cim.StatusOK:
	case cim.ErrNotFound, cim.ErrInvalidClass, cim.ErrInvalidObjectPath, cim.ErrInvalidNamespace:
		return nil
	default:
		return err
	}
	if w.options.ResultClass != "" && !f.entry.class.IsA(w.options.ResultClass) || !has(f.entry.class, w.need.result) {
		return nil
	}
	if w.classes != nil {
		return w.definition(ctx, e, f.entry.class)
	}
	same := shape{class: f.instance.Class()}
	return e.emit(ctx, f.instance, &same)
}
