package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// Invoke runs a method. The class that decides is that of the instance, not
// the one that the path names. See [MS-WMI] 3.1.4.3.22 and spec/wmi.md 2.2.
func (s *session) Invoke(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments, o cim.OperationOptions) (cim.Result, error) {
	const operation = "Invoke"
	named := func(err error) error { return s.fail(err, operation, path.String()+"."+method) }
	if err := s.begin(ctx, rightsToInvoke(path, method)); err != nil {
		return cim.Result{}, named(err)
	}
	result, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (cim.Result, error) {
		return s.invoke(ctx, path, method, in, o)
	})
	return result, named(err)
}

// rightsToInvoke: whoever may read may ask what rights he has. See spec/wmi.md
// 5.7.
func rightsToInvoke(path cim.ObjectPath, method string) uint32 {
	if cim.EqualFold(path.Class, "__SystemSecurity") && cim.EqualFold(method, "GetCallerAccessRights") {
		return rightEnable
	}
	return rightEnable | rightExecute
}

func (s *session) invoke(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments, o cim.OperationOptions) (cim.Result, error) {
	e, err := s.located(path)
	if err != nil {
		return cim.Result{}, err
	}
	if path.IsClass() && !e.class.IsSingleton() {
		path = cim.ObjectPath{Server: e.class.Server, Namespace: e.class.Namespace, Class: e.class.Name}
	} else if m := e.class.Method(method); m == nil || !m.Static || !path.IsClass() {
		if path.IsClass() {
			path.Singleton = true
		}
		f, err := s.find(ctx, path, o, func(c *cim.Class) shape { return shapeOf(c, c, nil, true) })
		if err != nil {
			return cim.Result{}, err
		}
		e, path = f.entry, f.path
	}
	m := e.class.Method(method)
	if m == nil {
		return cim.Result{}, &cim.Error{Status: cim.ErrInvalidMethod}
	}
	if path.IsClass() && !m.Static {
		return cim.Result{}, &cim.Error{Status: cim.ErrInvalidMethod, Detail: "the method needs an instance"}
	}
	if m.Qualifiers.True("Disabled") {
		return cim.Result{}, cim.ErrMethodDisabled
	}
	src, err := s.methodSource(e, m)
	if err != nil {
		return cim.Result{}, err
	}
	if src == nil || !m.Qualifiers.True("Implemented") {
		return cim.Result{}, cim.ErrMethodNotImplemented
	}
	args, err := arguments(m, in)
	if err != nil {
		return cim.Result{}, err
	}
	result, err := src.invoke(ctx, s.request(e, o, nil, nil), path, m.Name, args)
	if err != nil {
		return cim.Result{}, err
	}
	return results(m, result)
}

// arguments are the declared in parameters with the caller's values in their
// types.
func arguments(m *cim.Method, in cim.Arguments) (cim.Arguments, error) {
	fail := func(why string) (cim.Arguments, error) {
		return nil, &cim.Error{Status: cim.ErrInvalidMethodParameters, Detail: why}
	}
	for i, a := range in {
		if in[:i].Has(a.Name) {
			return fail("parameter " + a.Name + " is given twice")
		}
		if findParameter(m.In, a.Name) == nil {
			return fail("the method has no in parameter " + a.Name)
		}
	}
	out := make(cim.Arguments, len(m.In))
	for i := range m.In {
		p := &m.In[i]
		v, err := in.Get(p.Name).As(p.Type)
		if err != nil {
			return fail("parameter " + p.Name + " is not a " + p.Type.String())
		}
		out[i] = cim.NamedValue{Name: p.Name, Value: v}
	}
	return out, nil
}

func findParameter(list []cim.Parameter, name string) *cim.Parameter {
	for i := range list {
		if cim.EqualFold(list[i].Name, name) {
			return &list[i]
		}
	}
	return nil
}

// results gives what a provider returned its declared types and order.
func results(m *cim.Method, r cim.Result) (out cim.Result, err error) {
	if m.Return != cim.Untyped {
		if out.ReturnValue, err = r.ReturnValue.As(m.Return); err != nil {
			return cim.Result{}, &cim.Error{Status: cim.ErrProviderFailure, Detail: "the return value has another type", Err: err}
		}
	}
	out.Out = make(cim.NamedArray, len(m.Out))
	for i := range m.Out {
		p := &m.Out[i]
		v, err := r.Out.Get(p.Name).As(p.Type)
		if err != nil {
			return cim.Result{}, &cim.Error{Status: cim.ErrProviderFailure, Detail: "out parameter " + p.Name + " has another type", Err: err}
		}
		out.Out[i] = cim.NamedValue{Name: p.Name, Value: v}
	}
	return out, nil
}
