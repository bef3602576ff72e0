package wmiclient

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// Invoke implements cim.Session. The object of the in parameters is made of the method's own signature in the class, which is asked for once. See
// [MS-WMI] 3.1.4.3.22 and 3.2.4.2.5.
func (s *Session) Invoke(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments, o cim.OperationOptions) (cim.Result, error) {
	r, err := s.invoke(ctx, path, method, in, o)
	return r, s.fail("ExecMethod", path.Relative()+"."+method, err)
}

func (s *Session) invoke(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments, o cim.OperationOptions) (cim.Result, error) {
	ctx, cancel := s.limit(ctx, o)
	defer cancel()
	parameters, err := s.parameters(ctx, path, method, in)
	if err != nil {
		return cim.Result{}, err
	}
	var out *cim.Instance
	err = s.change(ctx, path.Namespace, func(services *Services) (err error) {
		out, _, err = services.ExecMethod(ctx, path.Relative(), method, parameters, 0, o.Context)
		return err
	})
	return wmio.Result(out), err
}

// parameters is the object of the in parameters. Where they do not fit the class that is known, the class is asked for anew: it may have changed.
func (s *Session) parameters(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments) (*cim.Instance, error) {
	class, err := s.class(ctx, path.Namespace, path.Class)
	if err != nil {
		return nil, err
	}
	object, err := s.c.codec.InParams(class, method, in)
	if err != nil {
		if class, err = s.freshClass(ctx, path.Namespace, path.Class); err != nil {
			return nil, err
		}
		object, err = s.c.codec.InParams(class, method, in)
	}
	if cim.StatusOf(err) == cim.ErrTypeMismatch {
		err = &cim.Error{Status: cim.ErrInvalidMethodParameters, Err: err}
	}
	return object, err
}

// Create implements cim.Session. See [MS-WMI] 3.1.4.3.12.
func (s *Session) Create(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (cim.ObjectPath, error) {
	path, err := s.create(ctx, instance, o)
	return path, s.fail("PutInstance", instance.Class().Name, err)
}

// create is semisynchronous: only so the host tells the path, which it may have chosen itself.
func (s *Session) create(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (cim.ObjectPath, error) {
	ctx, cancel := s.limit(ctx, o)
	defer cancel()
	var result *CallResult
	err := s.change(ctx, "", func(services *Services) (err error) {
		result, err = services.PutInstance(ctx, instance, wmi.FlagCreateOnly|wmi.FlagReturnImmediately, o.Context)
		return err
	})
	if err != nil {
		return cim.ObjectPath{}, err
	}
	defer result.Close() //nolint:errcheck // it has none
	text, err := result.text(ctx)
	if err != nil {
		return cim.ObjectPath{}, err
	}
	if text == "" {
		path, whole := instance.Path()
		if !whole {
			return path, &cim.Error{Status: cim.ErrTransportFailure, Detail: "the instance was made, and the host did not tell its path", Remote: true}
		}
		return path, nil
	}
	path, err := cim.ParsePath(text)
	if path.Namespace == "" {
		path.Namespace = s.namespace
	}
	return path, err
}

// Put implements cim.Session. With PutOptions.Properties it is a partial update. See [MS-WMI] 3.1.4.3.12 and "Supporting Partial Instance Operations".
func (s *Session) Put(ctx context.Context, instance *cim.Instance, o cim.PutOptions) error {
	path, whole := instance.Path()
	if !whole {
		return s.fail("PutInstance", path.Relative(), &cim.Error{Status: cim.ErrInvalidObject, Detail: "a key has no value"})
	}
	ctx, cancel := s.limit(ctx, o.OperationOptions)
	defer cancel()
	flags, values := putFlags(o)
	err := s.change(ctx, path.Namespace, func(services *Services) error {
		_, err := services.PutInstance(ctx, instance, flags, values)
		return err
	})
	return s.fail("PutInstance", path.Relative(), err)
}

func putFlags(o cim.PutOptions) (flags uint32, values cim.NamedArray) {
	flags, values = wmi.FlagUpdateOnly, o.Context
	if o.Mode == cim.CreateOrUpdate {
		flags = 0
	}
	if o.Properties != nil {
		flags = wmi.FlagUpdateOnly // there is no other partial update
		values = append(append(cim.NamedArray{}, values...),
			cim.NamedValue{Name: "__PUT_EXTENSIONS", Value: cim.Bool(true)},
			cim.NamedValue{Name: "__PUT_EXT_CLIENT_REQUEST", Value: cim.Bool(true)},
			cim.NamedValue{Name: "__PUT_EXT_PROPERTIES", Value: cim.Strs(o.Properties)})
	}
	return flags, values
}

// Delete implements cim.Session. See [MS-WMI] 3.1.4.3.14.
func (s *Session) Delete(ctx context.Context, path cim.ObjectPath, o cim.OperationOptions) error {
	ctx, cancel := s.limit(ctx, o)
	defer cancel()
	err := s.change(ctx, path.Namespace, func(services *Services) error {
		_, err := services.DeleteInstance(ctx, path.Relative(), 0, o.Context)
		return err
	})
	return s.fail("DeleteInstance", path.Relative(), err)
}
