package cimom

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// rightsToWrite: the instances that providers make are written with
// WBEM_WRITE_PROVIDER. See [MS-WMI] 5.2.
const rightsToWrite = rightEnable | rightWriteProvider

// Create makes a new instance. See [MS-WMI] 3.1.4.3.14.
func (s *session) Create(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (cim.ObjectPath, error) {
	const operation = "Create"
	class := instance.Class().Name
	if err := s.begin(ctx, rightsToWrite); err != nil {
		return cim.ObjectPath{}, s.fail(err, operation, class)
	}
	path, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (cim.ObjectPath, error) {
		return s.create(ctx, instance, o)
	})
	return path, s.fail(err, operation, class)
}

func (s *session) create(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (cim.ObjectPath, error) {
	w, err := s.writing(instance, nil)
	if err != nil {
		return cim.ObjectPath{}, err
	}
	if err := w.writer.Create(ctx, s.request(w.entry, o, nil, nil), w.instance); err != nil {
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
	if err := s.begin(ctx, rightsToWrite); err != nil {
		return s.fail(err, operation, class)
	}
	_, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.put(ctx, instance, o)
	})
	return s.fail(err, operation, class)
}

func (s *session) put(ctx context.Context, instance *cim.Instance, o cim.PutOptions) error {
	w, err := s.writing(instance, o.Properties)
	if err != nil {
		return err
	}
	path, whole := w.instance.Path()
	if !whole {
		return &cim.Error{Status: cim.ErrNoKey, Path: path.String(), Detail: "an instance needs a value for every key"}
	}
	keys, err := wql.ConstraintsOf(w.entry.class, path)
	if err != nil {
		return err
	}
	err = w.writer.Put(ctx, s.request(w.entry, o.OperationOptions, w.wanted, keys), w.instance)
	if o.Mode == cim.CreateOrUpdate && errors.Is(err, cim.ErrNotFound) {
		return w.writer.Create(ctx, s.request(w.entry, o.OperationOptions, nil, nil), w.instance)
	}
	return err
}

// Delete removes an instance. See [MS-WMI] 3.1.4.3.16.
func (s *session) Delete(ctx context.Context, path cim.ObjectPath, o cim.OperationOptions) error {
	const operation = "Delete"
	if err := s.begin(ctx, rightsToWrite); err != nil {
		return s.fail(err, operation, path.String())
	}
	_, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (struct{}, error) {
		f, err := s.find(ctx, path, o, func(c *cim.Class) shape { return shapeOf(c, c, nil, true) })
		if err != nil {
			return struct{}{}, err
		}
		writer, err := writerOf(f.entry)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, writer.Delete(ctx, s.request(f.entry, o, nil, nil), f.path)
	})
	return s.fail(err, operation, path.String())
}

// written is an instance on its way to a provider.
type written struct {
	entry    *entry
	writer   InstanceWriter
	instance *cim.Instance
	wanted   []bool
}

func writerOf(e *entry) (InstanceWriter, error) {
	if w, ok := e.provider.(InstanceWriter); ok {
		return w, nil
	}
	return nil, &cim.Error{Status: cim.ErrProviderNotCapable, Path: e.class.Name, Detail: "instances of the class cannot be written"}
}

// writing makes a caller's instance one of the class as it is served: every
// property in its type. Those that the caller's class lacks, or that only
// leaves out, are not wanted.
func (s *session) writing(from *cim.Instance, only []string) (*written, error) {
	e, err := s.class(from.Class().Name)
	if err != nil {
		return nil, err
	}
	if e.class.IsAbstract() {
		return nil, &cim.Error{Status: cim.ErrIllegalOperation, Path: e.class.Name, Detail: "an abstract class has no instances"}
	}
	writer, err := writerOf(e)
	if err != nil {
		return nil, err
	}
	for _, name := range only {
		if e.class.PropertyIndex(name) < 0 {
			return nil, &cim.Error{Status: cim.ErrInvalidProperty, Path: e.class.Name + "." + name}
		}
	}
	w := &written{entry: e, writer: writer, instance: cim.NewInstance(e.class), wanted: make([]bool, len(e.class.Properties))}
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
