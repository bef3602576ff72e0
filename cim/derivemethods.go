package cim

import "slices"

// methods takes over the methods of the superclass and puts the declared ones
// in their places or after them.
func (d *derivation) methods() error {
	c := &d.class
	if d.super != nil {
		c.Methods = slices.Clone(d.super.Methods)
		for i := range c.Methods {
			c.Methods[i].Qualifiers = c.Methods[i].Qualifiers.inherited()
		}
	}
	inherited := len(c.Methods)
	for i, m := range d.declared.Methods {
		for _, other := range d.declared.Methods[:i] {
			if EqualFold(other.Name, m.Name) {
				return d.fail(ErrInvalidMethod, m.Name, "the method is declared twice; methods are not overloaded")
			}
		}
		if err := d.checkMethod(&m); err != nil {
			return err
		}
		at := slices.IndexFunc(c.Methods[:inherited], func(o Method) bool { return EqualFold(o.Name, m.Name) })
		var err error
		if at < 0 {
			if m.Qualifiers, err = d.qualifiers(m.Name, nil, m.Qualifiers); err != nil {
				return err
			}
			m.Origin, m.Static = c.Name, m.Qualifiers.True("Static")
			c.Methods = append(c.Methods, m)
			continue
		}
		if err = d.overrideMethod(&c.Methods[at], m); err != nil {
			return err
		}
	}
	return nil
}

// overrideMethod changes an inherited method, whose signature must stay. One
// that is only repeated stays the superclass's.
func (d *derivation) overrideMethod(old *Method, m Method) error {
	if m.Return != old.Return || !sameParameters(m.In, old.In) || !sameParameters(m.Out, old.Out) {
		return d.fail(ErrPropagatedMethod, m.Name, "the method has another signature than that of the superclass")
	}
	own := EqualFold(m.Origin, d.class.Name) || m.Origin == "" || len(m.Qualifiers.own()) > 0
	merged, err := d.qualifiers(m.Name, old.Qualifiers, m.Qualifiers)
	if err != nil {
		return err
	}
	if !own {
		return nil
	}
	m.Qualifiers, m.Origin, m.Static = merged, d.class.Name, merged.True("Static")
	*old = m
	return nil
}

func sameParameters(a, b []Parameter) bool {
	return slices.EqualFunc(a, b, func(p, q Parameter) bool {
		return EqualFold(p.Name, q.Name) && p.Type == q.Type
	})
}

// checkMethod checks what holds for a method by itself. An out parameter
// called ReturnValue is the return value; its ID and those of the parameters
// follow [W: creating a method] in spec/wmi.md 2.2.
func (d *derivation) checkMethod(m *Method) error {
	if err := checkName(m.Name, ErrMethodNameTooWide); err != nil {
		return d.fail(StatusOf(err), m.Name, err.Error())
	}
	if _, marked := m.Qualifiers.Get("Static"); m.Static && !marked {
		m.Qualifiers = append(slices.Clip(m.Qualifiers), Qualifier{Name: "Static", Value: Bool(true)})
	}
	if n := slices.IndexFunc(m.Out, func(p Parameter) bool { return EqualFold(p.Name, "ReturnValue") }); n >= 0 {
		if _, has := m.Out[n].Qualifiers.Get("ID"); has {
			return d.fail(ErrParameterIDOnRetval, m.Name, "the return value has no ID")
		}
		m.Return = m.Out[n].Type
		m.Out = slices.Delete(slices.Clone(m.Out), n, n+1)
	}
	if m.Return.IsArray() {
		return d.fail(ErrInvalidMethodParameters, m.Name, "a method does not return an array")
	}
	for _, list := range []*[]Parameter{&m.In, &m.Out} {
		if err := d.parameters(m, list); err != nil {
			return err
		}
	}
	for _, in := range m.In {
		for _, out := range m.Out {
			if EqualFold(in.Name, out.Name) && in.Type != out.Type {
				return d.fail(ErrInvalidDuplicateParameter, m.Name, "the parameter "+in.Name+" goes in and out with different types")
			}
		}
	}
	return d.parameterIDs(m)
}

// parameters checks one list of parameters.
func (d *derivation) parameters(m *Method, list *[]Parameter) error {
	if len(*list) > MaxParameters {
		return d.fail(ErrTooMuchData, m.Name, "a method has at most 256 parameters")
	}
	*list = slices.Clone(*list)
	for i := range *list {
		p := &(*list)[i]
		if err := checkName(p.Name, ErrPropertyNameTooWide); err != nil {
			return d.fail(StatusOf(err), m.Name, "parameter "+p.Name+": "+err.Error())
		}
		if _, known := typeNames[p.Type.Elem()]; !known || p.Type.Elem() == Untyped {
			return d.fail(ErrInvalidCimType, m.Name, "the parameter "+p.Name+" has no CIM type")
		}
		for _, other := range (*list)[:i] {
			if EqualFold(other.Name, p.Name) {
				return d.fail(ErrInvalidDuplicateParameter, m.Name, "the parameter "+p.Name+" is declared twice")
			}
		}
		merged, err := d.qualifiers(m.Name, nil, p.Qualifiers.withoutType())
		if err != nil {
			return err
		}
		p.Qualifiers = merged
		p.Optional = p.Optional || merged.True("Optional")
	}
	return nil
}

// withoutType leaves out CIMTYPE, which Type and RefClass say already. What is
// inherited is so for the whole method.
func (q Qualifiers) withoutType() Qualifiers {
	q = slices.DeleteFunc(slices.Clone(q), func(one Qualifier) bool { return EqualFold(one.Name, "CIMTYPE") })
	for i := range q {
		q[i].Flavor &^= Propagated
	}
	return q
}

// parameterIDs checks the ID qualifiers of a method: none at all (the order of
// declaration counts), or one for each parameter, from 0 without gaps.
func (d *derivation) parameterIDs(m *Method) error {
	ids := map[string]int64{} // by folded name
	some, none := false, false
	for _, list := range [][]Parameter{m.In, m.Out} {
		for _, p := range list {
			v, has := p.Qualifiers.Get("ID")
			if !has {
				none = true
				continue
			}
			some = true
			id, ok := v.Int()
			if old, twice := ids[Fold(p.Name)]; !ok || id < 0 || twice && old != id {
				return d.fail(ErrInvalidParameterID, m.Name, "the ID of the parameter "+p.Name+" is not a number from 0, the same in and out")
			}
			ids[Fold(p.Name)] = id
		}
	}
	if !some {
		return nil
	}
	if none {
		return d.fail(ErrMissingParameterID, m.Name, "some parameters have an ID and others have none")
	}
	seen := make([]bool, len(ids))
	for name, id := range ids {
		if id >= int64(len(ids)) {
			return d.fail(ErrNonconsecutiveParameterIds, m.Name, "the IDs of the parameters are not 0 to n without gaps")
		}
		if seen[id] {
			return d.fail(ErrInvalidParameterID, m.Name, "the parameter "+name+" has the ID of another one")
		}
		seen[id] = true
	}
	return nil
}
