package wmiclient

import (
	"context"
	"errors"
	"io"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// Asynchronous operations that change something: as with their semisynchronous forms the host is asked once, whatever happens to the connection.

// InvokeAsync calls a method; Async.Result waits for what it gave. See [MS-WMI] 3.1.4.3.23.
func (s *Session) InvokeAsync(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments, o cim.OperationOptions) (*Async, error) {
	const operation = "ExecMethodAsync"
	text := path.Relative()
	limited, stop := s.limit(ctx, o)
	defer stop()
	object, err := s.parameters(limited, path, method, in)
	var unit iwbem.ClassObject
	if err == nil && object != nil {
		unit, err = s.c.codec.AppendUnit(nil, object)
	}
	if err != nil {
		return nil, s.fail(operation, text+"."+method, err)
	}
	return s.asyncBy(ctx, s.change, operation, text+"."+method, path.Namespace, iwbem.OpExecMethodAsync, o, func(values iwbem.Context, sink *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.ExecMethodAsyncRequest{Path: iwbem.String{Text: text}, Method: iwbem.String{Text: method}, Context: values, InParams: unit, Sink: sink}
	})
}

// CreateAsync makes an instance; Async.Path waits for its path. See [MS-WMI] 3.1.4.3.13.
func (s *Session) CreateAsync(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (*Async, error) {
	return s.putAsync(ctx, instance, "", wmi.FlagCreateOnly, o)
}

// PutAsync changes an instance; nothing but the end is pushed. See [MS-WMI] 3.1.4.3.13.
func (s *Session) PutAsync(ctx context.Context, instance *cim.Instance, o cim.PutOptions) (*Async, error) {
	path, whole := instance.Path()
	if !whole {
		return nil, s.fail("PutInstanceAsync", path.Relative(), &cim.Error{Status: cim.ErrInvalidObject, Detail: "a key has no value"})
	}
	flags, values := putFlags(o)
	o.Context = values
	return s.putAsync(ctx, instance, path.Namespace, flags, o.OperationOptions)
}

func (s *Session) putAsync(ctx context.Context, instance *cim.Instance, namespace string, flags uint32, o cim.OperationOptions) (*Async, error) {
	path, _ := instance.Path()
	unit, err := s.c.codec.AppendUnit(nil, instance)
	return s.asyncPut(ctx, "PutInstanceAsync", iwbem.OpPutInstanceAsync, path.Relative(), namespace, unit, err, flags, o)
}

// PutClassAsync stores a class; nothing but the end is pushed. See [MS-WMI] 3.1.4.3.7.
func (s *Session) PutClassAsync(ctx context.Context, class *cim.Class, o cim.PutClassOptions) (*Async, error) {
	defer s.forget(class.Name)
	unit, err := s.c.codec.AppendClass(nil, class, nil, 0)
	return s.asyncPut(ctx, "PutClassAsync", iwbem.OpPutClassAsync, class.Name, "", unit, err, classFlags(o), o.OperationOptions)
}

func (s *Session) asyncPut(ctx context.Context, operation string, opnum uint16, path, namespace string, unit []byte, err error, flags uint32, o cim.OperationOptions) (*Async, error) {
	if err != nil {
		return nil, s.fail(operation, path, err)
	}
	return s.asyncBy(ctx, s.change, operation, path, namespace, opnum, o, func(values iwbem.Context, sink *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.PutAsyncRequest{Object: unit, Flags: flags, Context: values, Sink: sink}
	})
}

// DeleteAsync deletes an instance; nothing but the end is pushed. See [MS-WMI] 3.1.4.3.15.
func (s *Session) DeleteAsync(ctx context.Context, path cim.ObjectPath, o cim.OperationOptions) (*Async, error) {
	return s.asyncDelete(ctx, "DeleteInstanceAsync", iwbem.OpDeleteInstanceAsync, path.Relative(), path.Namespace, o)
}

// DeleteClassAsync removes a class; nothing but the end is pushed. See [MS-WMI] 3.1.4.3.9.
func (s *Session) DeleteClassAsync(ctx context.Context, name string, o cim.OperationOptions) (*Async, error) {
	defer s.forget(name)
	return s.asyncDelete(ctx, "DeleteClassAsync", iwbem.OpDeleteClassAsync, name, "", o)
}

func (s *Session) asyncDelete(ctx context.Context, operation string, opnum uint16, path, namespace string, o cim.OperationOptions) (*Async, error) {
	return s.asyncBy(ctx, s.change, operation, path, namespace, opnum, o, func(values iwbem.Context, sink *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.PathAsyncRequest{Path: iwbem.String{Text: path}, Context: values, Sink: sink}
	})
}

// Result waits for the end of InvokeAsync, and gives what the method returned.
func (a *Async) Result(ctx context.Context) (cim.Result, error) {
	var out *cim.Instance
	for {
		objects, err := a.Next(ctx, 0)
		if n := len(objects); n > 0 {
			out = objects[n-1]
		}
		switch {
		case errors.Is(err, io.EOF):
			return wmio.Result(out), nil
		case err != nil:
			return cim.Result{}, err
		}
	}
}

// Path waits for the end of CreateAsync, and gives the path that the host tells: the zero path where it tells none.
func (a *Async) Path(ctx context.Context) (cim.ObjectPath, error) {
	for {
		_, err := a.Next(ctx, 0)
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF):
			return cim.ObjectPath{}, err
		}
		a.queue.mu.Lock()
		text := a.queue.text
		a.queue.mu.Unlock()
		if text == "" {
			return cim.ObjectPath{}, nil
		}
		path, err := cim.ParsePath(text)
		if path.Namespace == "" {
			path.Namespace = a.s.namespace
		}
		return path, err
	}
}
