package wmio

import (
	"slices"

	"github.com/casementhq/casement/cim"
)

const (
	parametersClass = "__PARAMETERS"
	returnValue     = "ReturnValue"
)

// signatureClass is the class __PARAMETERS of what goes into a method, or
// comes out of it; nil where nothing does. See [MS-WMIO] 2.3.3.
func signatureClass(c *cim.Class, m *cim.Method, out bool) *cim.Class {
	list, way := m.In, "In"
	if out {
		list, way = m.Out, "Out"
	}
	if len(list) == 0 && (!out || m.Return == cim.Untyped) {
		return nil
	}
	s := &cim.Class{
		Name: parametersClass, Server: c.Server, Namespace: c.Namespace,
		Qualifiers: cim.Qualifiers{{Name: "abstract", Value: cim.Bool(true)}},
	}
	for n := range list {
		p := &list[n]
		q := p.Qualifiers
		if !q.True(way) {
			q = append(cim.Qualifiers{{Name: way, Value: cim.Bool(true)}}, q...)
		}
		if _, has := q.Get("ID"); !has {
			q = append(slices.Clip(q), cim.Qualifier{Name: "ID", Value: cim.S32(parameterID(m, n, out)), Flavor: cim.ToInstance | cim.NotOverridable})
		}
		s.Properties = append(s.Properties, cim.Property{
			Name: p.Name, Type: p.Type, RefClass: p.RefClass, Default: p.Default, Qualifiers: q, Origin: parametersClass,
		})
	}
	if out && m.Return != cim.Untyped {
		s.Properties = append(s.Properties, cim.Property{
			Name: returnValue, Type: m.Return, Origin: parametersClass,
			Qualifiers: cim.Qualifiers{{Name: "out", Value: cim.Bool(true)}},
		})
	}
	return s.Seal()
}

// parameterID is the position of a parameter that has no ID: the in parameters
// come first, an out parameter that also goes in has its place among them.
func parameterID(m *cim.Method, n int, out bool) int32 {
	if !out {
		return int32(n)
	}
	goesIn := func(p cim.Parameter) int {
		return slices.IndexFunc(m.In, func(o cim.Parameter) bool { return cim.EqualFold(o.Name, p.Name) })
	}
	if at := goesIn(m.Out[n]); at >= 0 {
		return int32(at)
	}
	id := len(m.In)
	for _, p := range m.Out[:n] {
		if goesIn(p) < 0 {
			id++
		}
	}
	return int32(id)
}

// signature is the class __PARAMETERS of a method: the one that was received
// with the class, or one made for it. It is nil where the method has none.
func (k *Codec) signature(c *cim.Class, method string, out bool) (*cim.Class, error) {
	m := c.Method(method)
	if m == nil {
		return nil, &cim.Error{Status: cim.ErrInvalidMethod, Path: c.Name + "." + method}
	}
	if l := k.known(c); l != nil && l.in != nil {
		list := l.in
		if out {
			list = l.out
		}
		for i := range c.Methods {
			if m != &c.Methods[i] {
				continue
			}
			if list[i] == nil {
				return nil, nil
			}
			k.remember(list[i], "")
			return list[i].class, nil
		}
	}
	return signatureClass(c, m, out), nil
}

// InParams is the object that carries the arguments of a call of a method,
// made of the method's own signature; nil where the method takes none. It fails
// with ErrInvalidMethod, with ErrInvalidMethodParameters for an argument that
// the method does not have and with ErrTypeMismatch for one of another type.
// See [MS-WMI] 3.1.4.3.22.
func (k *Codec) InParams(c *cim.Class, method string, in cim.Arguments) (*cim.Instance, error) {
	s, err := k.signature(c, method, false)
	if err != nil {
		return nil, err
	}
	return fill(s, c.Name+"."+method, in)
}

// OutParams is the object that carries what a method gave back; nil where the
// method gives nothing back.
func (k *Codec) OutParams(c *cim.Class, method string, r cim.Result) (*cim.Instance, error) {
	s, err := k.signature(c, method, true)
	if err != nil {
		return nil, err
	}
	if s != nil && s.Property(returnValue) != nil {
		r.Out = append(slices.Clip(r.Out), cim.NamedValue{Name: returnValue, Value: r.ReturnValue})
	}
	return fill(s, c.Name+"."+method, r.Out)
}

func fill(s *cim.Class, path string, values cim.NamedArray) (*cim.Instance, error) {
	if s == nil {
		if len(values) > 0 {
			return nil, unknownParameter(path, values[0].Name)
		}
		return nil, nil
	}
	i := cim.NewInstance(s)
	for _, v := range values {
		n := s.PropertyIndex(v.Name)
		if n < 0 {
			return nil, unknownParameter(path, v.Name)
		}
		if err := i.SetAt(n, v.Value); err != nil {
			return nil, &cim.Error{Status: cim.StatusOf(err), Path: path + "." + v.Name, Err: err}
		}
	}
	return i, nil
}

func unknownParameter(path, name string) error {
	return &cim.Error{Status: cim.ErrInvalidMethodParameters, Path: path, Detail: "the method has no parameter " + name}
}

// Arguments are the arguments in the object of a call; none for nil. A
// parameter that is NULL, as it is where nobody sets it, was not given.
func Arguments(in *cim.Instance) cim.Arguments {
	if in == nil {
		return nil
	}
	c := in.Class()
	args := make(cim.Arguments, 0, len(c.Properties))
	for n := range c.Properties {
		if v := in.At(n); !v.IsNull() || !c.Properties[n].Default.IsNull() {
			args = append(args, cim.NamedValue{Name: c.Properties[n].Name, Value: v})
		}
	}
	return args
}

// Result is what the object of the out parameters says that a method gave back.
func Result(out *cim.Instance) cim.Result {
	var r cim.Result
	if out == nil {
		return r
	}
	for n, p := range out.Class().Properties {
		if cim.EqualFold(p.Name, returnValue) {
			r.ReturnValue = out.At(n)
			continue
		}
		r.Out = append(r.Out, cim.NamedValue{Name: p.Name, Value: out.At(n)})
	}
	return r
}
