package wsmanclient

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/wscim"
)

// encoders keeps how the classes that pass by are written.
var encoders wscim.Encoders

// Invoke implements cim.Session. See [MS-WSMV] 3.1.4.1.26 and 4.1.4.
func (s *Session) Invoke(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments, o cim.OperationOptions) (cim.Result, error) {
	const op = "ExecMethod"
	res, err := s.invoke(ctx, op, path, method, in, o)
	return res, s.missing(ctx, op, path, err)
}

func (s *Session) invoke(ctx context.Context, op string, path cim.ObjectPath, method string, in cim.Arguments, o cim.OperationOptions) (cim.Result, error) {
	if err := s.usable(op); err != nil {
		return cim.Result{}, err
	}
	target, err := s.epr(ctx, path, 0)
	if err != nil {
		return cim.Result{}, err
	}
	input, output, err := s.parameters(ctx, path, method, in)
	if err != nil {
		return cim.Result{}, err
	}
	body, err := encoders.AppendParameters(nil, input, target.ResourceURI, false)
	if err != nil {
		return cim.Result{}, err
	}
	r := requestOptions(o)
	name := input.Class().Name[:len(input.Class().Name)-len("_INPUT")]
	m, err := s.c.send(ctx, &call{action: target.ResourceURI + "/" + name, resource: target.ResourceURI, select_: target.Selectors,
		opts: &r, body: rawBody(body)})
	if err != nil {
		return cim.Result{}, err
	}
	return s.result(ctx, m, output)
}

// parameters makes the pseudo instance of the in parameters, and the class of
// the out parameters, nil where the host does not tell.
func (s *Session) parameters(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments) (*cim.Instance, *cim.Class, error) {
	namespace := path.Namespace
	if namespace == "" {
		namespace = s.namespace
	}
	class := s.c.classNow(ctx, namespace, path.Class)
	if class == nil {
		k := &cim.Class{Name: method + "_INPUT", Namespace: namespace, Partial: true}
		var values []cim.Value
		for _, a := range in {
			k.Properties = append(k.Properties, cim.Property{Name: a.Name, Type: a.Value.Type()})
			values = append(values, a.Value)
		}
		if !soap.IsName(method) {
			return nil, nil, &cim.Error{Status: cim.ErrInvalidMethod}
		}
		return cim.MakeInstance(k.Seal(), values), nil, nil
	}
	m := class.Method(method)
	if m == nil {
		return nil, nil, &cim.Error{Status: cim.ErrInvalidMethod, Detail: class.Name + " has no method " + clip(method)}
	}
	input := cim.NewInstance(wscim.ParameterClass(class, m, false))
	for _, a := range in {
		if err := input.Set(a.Name, a.Value); err != nil {
			return nil, nil, &cim.Error{Status: cim.ErrInvalidMethodParameters, Detail: "the parameter " + clip(a.Name) + " of " + m.Name + ": " + err.Error()}
		}
	}
	return input, wscim.ParameterClass(class, m, true), nil
}

// result reads METHOD_OUTPUT.
func (s *Session) result(ctx context.Context, m *wsman.Message, output *cim.Class) (cim.Result, error) {
	d := s.decoder(ctx)
	if output != nil {
		known := d.Classes
		d.Fallback = output
		d.Classes = func(namespace, class string) *cim.Class {
			if cim.EqualFold(class, output.Name) {
				return output
			}
			return known(namespace, class)
		}
	}
	var res cim.Result
	err := m.Body(func(r *soap.Reader) error {
		i, err := d.Instance(r)
		if err != nil {
			return err
		}
		for n := range i.Len() {
			name := i.Class().Properties[n].Name
			if cim.EqualFold(name, "ReturnValue") {
				res.ReturnValue = i.At(n)
				continue
			}
			res.Out = append(res.Out, cim.NamedValue{Name: name, Value: i.At(n)})
		}
		return nil
	})
	return res, err
}

// Create implements cim.Session. See [MS-WSMV] 3.1.4.5.
func (s *Session) Create(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (cim.ObjectPath, error) {
	const op = "CreateInstance"
	class := instance.Class().Name
	if err := s.usable(op); err != nil {
		return cim.ObjectPath{}, err
	}
	body, uri, err := s.body(instance, nil)
	if err != nil {
		return cim.ObjectPath{}, s.fail(op, class, err, 0)
	}
	r := requestOptions(o)
	epr, err := s.c.Create(ctx, wsman.EPR{ResourceURI: uri}, body, &r)
	if err != nil {
		return cim.ObjectPath{}, s.missing(ctx, op, cim.ObjectPath{Class: class}, err)
	}
	path, err := s.pathOf(ctx, &epr)
	return path, s.fail(op, class, err, 0)
}

// body writes an instance as its class in the session's namespace; only, if
// not nil, leaves the other properties out.
func (s *Session) body(i *cim.Instance, only []string) (body []byte, uri string, err error) {
	class := i.Class()
	if only != nil {
		i = newProjection(only, true).apply(i)
		class = i.Class()
	}
	if class.Namespace == "" {
		k := *class
		k.Namespace = s.namespace
		values := make([]cim.Value, i.Len())
		for n := range values {
			values[n] = i.At(n)
		}
		i = cim.MakeInstance(k.Seal(), values)
		class = i.Class()
	}
	var enc wscim.Encoders
	e := enc.For(class)
	body, err = e.AppendInstance(nil, i)
	return body, e.URI(), err
}

// Put implements cim.Session: it replaces the properties of an instance, those
// of PutOptions.Properties alone where they are given. A host has no way to be
// asked for CreateOrUpdate, so that mode tries to update and then creates. See
// [MS-WSMV] 3.1.4.3.
func (s *Session) Put(ctx context.Context, instance *cim.Instance, o cim.PutOptions) error {
	const op = "PutInstance"
	if err := s.usable(op); err != nil {
		return err
	}
	path, whole := instance.Path()
	if !whole {
		return s.fail(op, path.Relative(), &cim.Error{Status: cim.ErrInvalidObject, Detail: "a key has no value"}, 0)
	}
	err := s.put(ctx, path, instance, o)
	if err != nil && o.Mode == cim.CreateOrUpdate && statusOf(s.fail(op, "", err, cim.ErrNotFound)) == cim.ErrNotFound {
		_, err = s.Create(ctx, instance, o.OperationOptions)
	}
	return s.missing(ctx, op, path, err)
}

func (s *Session) put(ctx context.Context, path cim.ObjectPath, instance *cim.Instance, o cim.PutOptions) error {
	target, err := s.epr(ctx, path, 0)
	if err != nil {
		return err
	}
	body, _, err := s.body(instance, o.Properties)
	if err != nil {
		return err
	}
	r := requestOptions(o.OperationOptions)
	_, err = s.c.Put(ctx, target, body, &r)
	return err
}

// Delete implements cim.Session. See [MS-WSMV] 3.1.4.4.
func (s *Session) Delete(ctx context.Context, path cim.ObjectPath, o cim.OperationOptions) error {
	const op = "DeleteInstance"
	if err := s.usable(op); err != nil {
		return err
	}
	target, err := s.epr(ctx, path, 0)
	if err == nil {
		r := requestOptions(o)
		err = s.c.Delete(ctx, target, &r)
	}
	return s.missing(ctx, op, path, err)
}
