package cimom

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// Create makes a new instance. See [MS-WMI] 3.1.4.3.14.
func (s *session) Create(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (cim.ObjectPath, error) {
	const operation = "Create"
	class := instance.Class().Name
	if err := s.begin(ctx, rightEnable); err != nil {
		return cim.ObjectPath{}, s.fail(err, operation, class)
	}
	path, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (cim.ObjectPath, error) {
		return s.create(ctx, instance, o)
	})
	return path, s.fail(err, operation, class)
}

func (s *session) create(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (cim.ObjectPath, error) {
	if raised, err := s.raise(ctx, instance); raised {
		return cim.ObjectPath{}, err
	}
	w, err := s.writing(instance, nil)
	if err != nil {
		return cim.ObjectPath{}, err
	}
	if err := w.create(ctx, s, o); err != nil {
		return cim.ObjectPath{}, err
	}
	path, whole := w.instance.Path()
	if !whole {
		return cim.ObjectPath{}, &cim.Error{Status: cim.ErrNoKey, Detail: "an instance needs a value for every key"}
	}
	return path, nil
}

// Put changes an instance, or makes it where the mode allows that. See
// [MS-WMI] 3.1.4.3.14.
func (s *session) Put(ctx context.Context, instance *cim.Instance, o cim.PutOptions) error {
	const operation = "Put"
	class := instance.Class().Name
	if err := s.begin(ctx, rightEnable); err != nil {
		return s.fail(err, operation, class)
	}
	_, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.put(ctx, instance, o)
	})
	return s.fail(err, operation, class)
}

func (s *session) put(ctx context.Context, instance *cim.Instance, o cim.PutOptions) error {
	if raised, err := s.raise(ctx, instance); raised {
		return err
	}
	if err := partialPut(instance, &o); err != nil {
		return err
	}
	w, err := s.writing(instance, o.Properties)
	if err != nil {
		return err
	}
	path, whole := w.instance.Path()
	if !whole {
		if o.Mode == cim.CreateOrUpdate && namesItself(w.entry.class) {
			return w.create(ctx, s, o.OperationOptions)
		}
		return &cim.Error{Status: cim.ErrNoKey, Path: path.String(), Detail: "an instance needs a value for every key"}
	}
	keys, err := wql.ConstraintsOf(w.entry.class, path)
	if err != nil {
		return err
	}
	for _, above := range s.partakers(w.entry) {
		if err := s.putAbove(ctx, above, w, o); err != nil {
			return err
		}
	}
	r := s.request(w.entry, o.OperationOptions, w.wanted, keys)
	err = w.source.change(w.entry, r, updating(w.instance), w.source.noPut, func(writer InstanceWriter) error {
		return writer.Put(ctx, r, w.instance)
	})
	if o.Mode == cim.CreateOrUpdate && errors.Is(err, cim.ErrNotFound) {
		return w.create(ctx, s, o.OperationOptions)
	}
	return err
}

// The flags of IWbemServices::PutInstance. See spec/wmi.md 4.1.
const (
	updateOnly uint32 = 1
	createOnly uint32 = 2
)

// updating is the change of an instance.
func updating(i *cim.Instance) operation {
	return operation{kind: OpPut, flags: updateOnly, instance: i}
}

// namesItself tells whether an instance without a key gets one when it is
// stored. See spec/wmi.md 5.3.
func namesItself(c *cim.Class) bool { return c.IsA("__EventFilter") }

// partialPut turns the reserved context values of a partial update into the
// list of properties. See spec/wmi.md 4.7.
func partialPut(i *cim.Instance, o *cim.PutOptions) error {
	if on, _ := o.Context.Get("__PUT_EXTENSIONS").Bool(); !on {
		return nil
	}
	if o.Mode != cim.UpdateOnly {
		return &cim.Error{Status: cim.ErrInvalidContext, Detail: "a partial update needs the mode UPDATE_ONLY"}
	}
	strict, _ := o.Context.Get("__PUT_EXT_STRICT_NULLS").Bool()
	if o.Context.Has("__PUT_EXT_PROPERTIES") {
		o.Properties = []string{}
		for _, v := range o.Context.Get("__PUT_EXT_PROPERTIES").Elems() {
			if name, ok := v.Str(); ok && (len(name) < 2 || name[:2] != "__") {
				o.Properties = append(o.Properties, name)
			}
		}
		return nil
	}
	if strict {
		return nil // all of them, NULL too
	}
	o.Properties = []string{}
	for n := range i.Len() {
		if !i.At(n).IsNull() {
			o.Properties = append(o.Properties, i.Class().Properties[n].Name)
		}
	}
	return nil
}

// partakers are the classes above e whose instances another provider keeps: an
// update and a deletion go to all of them, the topmost first. See spec/wmi.md
// 2.2.
func (s *session) partakers(e *entry) (list []*entry) {
	own, err := s.source(e)
	if err != nil {
		return nil
	}
	for up := e.super; up != nil; up = up.super {
		if up.class.IsAbstract() || !up.class.Qualifiers.True("Dynamic") {
			continue
		}
		if src, err := s.source(up); err == nil && src.provider != own.provider {
			list = append([]*entry{up}, list...)
		}
	}
	return list
}

// putAbove gives the provider of a superclass its part of an instance.
func (s *session) putAbove(ctx context.Context, above *entry, w *written, o cim.PutOptions) error {
	src, err := s.source(above)
	if err != nil {
		return err
	}
	part := cim.NewInstance(above.class)
	wanted := make([]bool, part.Len())
	for n := range part.Len() {
		at := w.entry.class.PropertyIndex(above.class.Properties[n].Name)
		if at < 0 {
			continue
		}
		if err := part.SetAt(n, w.instance.At(at)); err != nil {
			return err
		}
		wanted[n] = w.wanted[at]
	}
	r := s.request(above, o.OperationOptions, wanted, nil)
	return src.change(above, r, updating(part), src.noPut, func(writer InstanceWriter) error {
		return writer.Put(ctx, r, part)
	})
}

// Delete removes an instance. See [MS-WMI] 3.1.4.3.16.
func (s *session) Delete(ctx context.Context, path cim.ObjectPath, o cim.OperationOptions) error {
	const operation = "Delete"
	if err := s.begin(ctx, rightEnable); err != nil {
		return s.fail(err, operation, path.String())
	}
	_, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.delete(ctx, path, o)
	})
	return s.fail(err, operation, path.String())
}

func (s *session) delete(ctx context.Context, path cim.ObjectPath, o cim.OperationOptions) error {
	if e, err := s.located(path); err != nil {
		return err
	} else if err := s.mayWrite(e); err != nil {
		return err
	}
	f, err := s.find(ctx, path, o, func(c *cim.Class) shape { return shapeOf(c, c, nil, true) })
	if err != nil {
		return err
	}
	if err := s.mayWrite(f.entry); err != nil {
		return err
	}
	// The topmost class decides whether it worked.
	var outcome error
	for n, e := range append(s.partakers(f.entry), f.entry) {
		src, err := s.source(e)
		if err == nil {
			at := f.path
			at.Class = e.class.Name
			r := s.request(e, o, nil, nil)
			err = src.change(e, r, operation{kind: OpDelete, path: at}, src.noDelete, func(w InstanceWriter) error {
				return w.Delete(ctx, r, at)
			})
		}
		if n == 0 {
			outcome = err
		}
	}
	return outcome
}

// mayWrite checks the right to write instances of a class: stored ones need
// Partial Write, namespaces Full Write, what a provider keeps Provider Write.
// Full Write is enough for all. Registrations, those of derived classes too, are
// for administrators. See [MS-WMI] 5.2 and spec/wmi.md 6.1.
func (s *session) mayWrite(e *entry) error {
	if (e.class.IsA("__Provider") || e.class.IsA("__ProviderRegistration")) && !isAdministrator(s.caller) {
		return &cim.Error{Status: cim.ErrAccessDenied, Path: e.class.Name, Detail: "only administrators register providers"}
	}
	right := rightWriteProvider
	switch src, err := s.source(e); {
	case e.class.IsA("__NAMESPACE"):
		right = rightFullWrite
	case err == nil && (src == s.manager.storage || src == s.manager.system):
		right = rightPartialWrite
	}
	err := s.ns.check(s.caller, rightEnable|right)
	if err != nil && right != rightFullWrite && s.ns.check(s.caller, rightEnable|rightFullWrite) == nil {
		err = nil
	}
	s.manager.audit.note(s.ns, s.caller, right, err == nil)
	return err
}

// written is an instance on its way to a provider.
type written struct {
	entry    *entry
	source   *source
	instance *cim.Instance
	wanted   []bool
}

func (w *written) create(ctx context.Context, s *session, o cim.OperationOptions) error {
	r := s.request(w.entry, o, nil, nil)
	made := updating(w.instance)
	made.flags = createOnly
	return w.source.change(w.entry, r, made, w.source.noPut, func(writer InstanceWriter) error {
		return writer.Create(ctx, r, w.instance)
	})
}

// writing makes a caller's instance one of the class as it is served: every
// property in its type. Those that the caller's class lacks, or that only
// leaves out, are not wanted.
func (s *session) writing(from *cim.Instance, only []string) (*written, error) {
	if from.IsClass() {
		return nil, &cim.Error{Status: cim.ErrInvalidObject, Path: from.Class().Name, Detail: "it is a class and not an instance"}
	}
	e, err := s.class(from.Class().Name)
	if err != nil {
		return nil, err
	}
	if err := s.mayWrite(e); err != nil {
		return nil, err
	}
	if e.class.IsAbstract() {
		return nil, &cim.Error{Status: cim.ErrIllegalOperation, Path: e.class.Name, Detail: "an abstract class has no instances"}
	}
	if isLocalized(s.ns.name) {
		return nil, &cim.Error{Status: cim.ErrInvalidOperation, Path: e.class.Name, Detail: "a localized namespace has no instances"}
	}
	src, err := s.source(e)
	if err != nil {
		return nil, err
	}
	if _, ok := src.provider.(InstanceWriter); !ok {
		return nil, incapable(e, "instances of the class cannot be written")
	}
	for _, name := range only {
		if e.class.PropertyIndex(name) < 0 {
			return nil, &cim.Error{Status: cim.ErrInvalidProperty, Path: e.class.Name + "." + name}
		}
	}
	w := &written{entry: e, source: src, instance: cim.NewInstance(e.class), wanted: make([]bool, len(e.class.Properties))}
	for n := range from.Len() {
		name := from.Class().Properties[n].Name
		if err := w.instance.Set(name, from.At(n)); err != nil {
			return nil, err
		}
		w.wanted[e.class.PropertyIndex(name)] = only == nil || contains(only, name)
	}
	return w, nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if cim.EqualFold(n, name) {
			return true
		}
	}
	return false
}
