package mof

import (
	"slices"

	"github.com/casementhq/casement/cim"
)

// class reads a class declaration from the word class on.
func (p *parser) class(quals []qualifier) (*Class, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	c := &Class{Declared: &cim.Class{Namespace: p.namespace}}
	d := c.Declared
	var err error
	at := p.tok
	if d.Name, err = p.name(cim.ErrMofExpectedClassName, "the name of a class"); err != nil {
		return nil, err
	}
	if c.Alias, err = p.as(d.Name, nil, at); err != nil {
		return nil, err
	}
	if ok, err := p.take(':'); err != nil {
		return nil, err
	} else if ok {
		if d.Superclass, err = p.name(cim.ErrMofExpectedClassName, "the name of a class"); err != nil {
			return nil, err
		}
	}
	if d.Qualifiers, err = p.qualifiersAt(quals, classScope(quals)); err != nil {
		return nil, err
	}
	if p.tok.isWord("as") {
		return nil, p.fail(cim.ErrMofInvalidClassDeclaration, "the alias stands in front of the superclass")
	}
	if err := p.expect('{', cim.ErrMofExpectedOpenBrace); err != nil {
		return nil, err
	}
	members := map[string]bool{}
	for !p.tok.is('}') {
		if err := p.member(c, members); err != nil {
			return nil, err
		}
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return c, p.expect(';', cim.ErrMofExpectedSemi)
}

// classScope is which kind of class the qualifiers make.
func classScope(quals []qualifier) scope {
	for _, q := range quals {
		b, _ := q.Value.Bool()
		switch {
		case b && cim.EqualFold(q.Name, "Association"):
			return onAssociation | onClass
		case b && cim.EqualFold(q.Name, "Indication"):
			return onIndication | onClass
		}
	}
	return onClass
}

// member reads one property or method; members are the folded names of those
// before it.
func (p *parser) member(c *Class, members map[string]bool) error {
	var quals []qualifier
	var err error
	if p.tok.is('[') {
		if quals, err = p.qualifierList(); err != nil {
			return err
		}
		if p.tok.kind != word {
			return p.fail(cim.ErrMofExpectedTypeIdentifier, "expected a type instead of "+p.tok.String())
		}
	} else if p.tok.kind != word {
		return p.fail(cim.ErrMofExpectedBraceOrBadType, "expected a type, or '}' at the end of the class, instead of "+p.tok.String())
	}
	at := p.tok
	t, err := p.typeName()
	if err != nil {
		return err
	}
	nameAt := p.tok
	name, err := p.name(cim.ErrMofExpectedPropertyName, "the name of a property or a method")
	if err != nil {
		return err
	}
	if members[cim.Fold(name)] {
		return p.lex.fail(cim.ErrMofDuplicateProperty, nameAt, name+" stands in the class already")
	}
	if members[cim.Fold(name)] = true; len(members) > MaxMembers {
		return p.lex.fail(cim.ErrMofOutOfRange, nameAt, "the class has too many properties and methods")
	}
	if p.tok.is('(') {
		return p.method(c, quals, t, name)
	}
	if t.void {
		return p.lex.fail(cim.ErrMofUnrecognizedType, at, "only a method is void")
	}
	return p.property(c, quals, t, name)
}

// typeUse is a type as the text names it.
type typeUse struct {
	cim.Type
	class string // of a reference or an embedded object
	void  bool
}

// typeName reads a type: a basic one, object, object ref, Class or Class ref.
func (p *parser) typeName() (typeUse, error) {
	var t typeUse
	first := p.tok
	if first.isWord("typedef") || first.isWord("enum") {
		return t, p.fail(cim.ErrMofTypedefNotSupported, "typedefs and enumerations are not supported")
	}
	if err := p.advance(); err != nil {
		return t, err
	}
	basic, ok := cim.ParseType(first.text)
	switch {
	case first.isWord("void"):
		t.void = true
		return t, nil
	case first.isWord("ref"), first.isWord("reference"):
		return t, p.lex.fail(cim.ErrMofUnrecognizedType, first, "a reference names a class: Class ref, or object ref")
	case ok && basic != cim.Object:
		t.Type = basic
		return t, p.noReturnArray()
	case !ok:
		t.class = first.text
	}
	t.Type = cim.Object
	if p.tok.isWord("ref") {
		t.Type = cim.Reference
		return t, p.advance()
	}
	return t, p.noReturnArray()
}

// noReturnArray refuses brackets behind the type: a method returns no array,
// and those of a property stand behind its name.
func (p *parser) noReturnArray() error {
	if !p.tok.is('[') {
		return nil
	}
	return p.fail(cim.ErrMofNoArraysReturned, "a method returns no array; the brackets of a property stand behind its name")
}

// brackets reads [] or [n].
func (p *parser) brackets() (isArray bool, size int64, err error) {
	if isArray, err = p.take('['); err != nil || !isArray {
		return false, 0, err
	}
	if p.tok.kind == constant && p.tok.value.Type() == cim.Sint64 {
		if size, _ = p.tok.value.Int(); size < 1 || size > 1<<31-1 {
			return true, 0, p.fail(cim.ErrMofOutOfRange, "an array has at least one element")
		}
		if err := p.advance(); err != nil {
			return true, 0, err
		}
	}
	return true, size, p.expect(']', cim.ErrMofExpectedCloseBracket)
}

// sized adds the declared size of an array to its qualifiers; it is a hint
// only. See spec/wmi.md 2.4.
func sized(quals []qualifier, size int64) []qualifier {
	if size == 0 || slices.ContainsFunc(quals, func(q qualifier) bool { return cim.EqualFold(q.Name, "MaxLen") }) {
		return quals
	}
	return append(quals, qualifier{Qualifier: cim.Qualifier{Name: "MaxLen", Value: cim.S32(int32(size)), Flavor: defaultFlavor("MaxLen")}})
}

func (p *parser) property(c *Class, quals []qualifier, t typeUse, name string) error {
	isArray, size, err := p.brackets()
	if err != nil {
		return err
	}
	prop := cim.Property{Name: name, Type: t.Type, RefClass: t.class, Origin: c.Declared.Name}
	if isArray {
		prop.Type = prop.Type.Array()
		quals = sized(quals, size)
	}
	where := onProperty
	if t.Type == cim.Reference {
		where |= onReference
	}
	if prop.Qualifiers, err = p.qualifiersAt(quals, where); err != nil {
		return err
	}
	prop.Key = prop.Qualifiers.True("Key")
	prop.Default = cim.Null(prop.Type)
	if ok, err := p.take('='); err != nil {
		return err
	} else if ok {
		init, err := p.initializer(true)
		if err != nil {
			return err
		}
		if err := checkObjects(&init, prop.Type); err != nil {
			return err
		}
		if init.usesObjects() {
			c.Defaults = append(c.Defaults, Assignment{Position: init.Position, Property: name, Value: init})
		} else if prop.Default, err = init.as(prop.Type); err != nil {
			return err
		}
	}
	c.Declared.Properties = append(c.Declared.Properties, prop)
	return p.expect(';', cim.ErrMofExpectedSemi)
}

// usesObjects tells whether the value needs other objects of the text.
func (i *Initializer) usesObjects() bool {
	if i.Alias != "" || i.Instance != nil {
		return true
	}
	return slices.ContainsFunc(i.Elems, func(e Initializer) bool { return e.usesObjects() })
}

// checkObjects refuses aliases and instances where the type has no place for
// them.
func checkObjects(i *Initializer, t cim.Type) error {
	switch {
	case i.IsArray && !t.IsArray():
		return i.fail(cim.ErrMofUnexpectedArrayInit, "an array is declared with []")
	case i.Alias != "" && t.Elem() != cim.Reference:
		return i.fail(cim.ErrMofUnexpectedAlias, "only a reference has an alias for its value")
	case i.Instance != nil && t.Elem() != cim.Object:
		return i.fail(cim.ErrMofTypeMismatch, "an instance is no "+t.String())
	case !i.IsArray && t.IsArray() && i.usesObjects():
		return i.fail(cim.ErrMofTypeMismatch, "the value of an array stands in braces")
	}
	for n := range i.Elems {
		if err := checkObjects(&i.Elems[n], t.Elem()); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) method(c *Class, quals []qualifier, t typeUse, name string) error {
	m := cim.Method{Name: name, Return: t.Type, Origin: c.Declared.Name}
	var err error
	if m.Qualifiers, err = p.qualifiersAt(quals, onMethod); err != nil {
		return err
	}
	m.Static = m.Qualifiers.True("Static")
	if err := p.advance(); err != nil { // '('
		return err
	}
	if !p.tok.is(')') {
		var names []string
		for {
			if names, err = p.parameter(&m, names); err != nil {
				return err
			}
			if more, err := p.take(','); err != nil {
				return err
			} else if !more {
				break
			}
		}
	}
	if err := p.expect(')', cim.ErrMofExpectedCloseParen); err != nil {
		return err
	}
	if p.tok.is('[') {
		return p.fail(cim.ErrMofNoArraysReturned, "a method returns no array")
	}
	c.Declared.Methods = append(c.Declared.Methods, m)
	return p.expect(';', cim.ErrMofExpectedSemi)
}

// parameter reads one parameter and adds its name to those before it. Its ID,
// where the text gives none, is its place among the names: a name that is
// declared once for each direction is one parameter.
func (p *parser) parameter(m *cim.Method, before []string) ([]string, error) {
	var quals []qualifier
	var err error
	if p.tok.is('[') {
		if quals, err = p.qualifierList(); err != nil {
			return nil, err
		}
	}
	at := p.tok
	if at.kind != word {
		return nil, p.fail(cim.ErrMofExpectedTypeIdentifier, "expected the type of a parameter instead of "+p.tok.String())
	}
	t, err := p.typeName()
	if err != nil {
		return nil, err
	}
	if t.void {
		return nil, p.lex.fail(cim.ErrMofUnrecognizedType, at, "only a method is void")
	}
	nameAt := p.tok
	par := cim.Parameter{Type: t.Type, RefClass: t.class}
	if par.Name, err = p.name(cim.ErrMofExpectedPropertyName, "the name of a parameter"); err != nil {
		return nil, err
	}
	isArray, size, err := p.brackets()
	if err != nil {
		return nil, err
	}
	if isArray {
		par.Type = par.Type.Array()
		quals = sized(quals, size)
	}
	if par.Qualifiers, err = p.qualifiersAt(quals, onParameter); err != nil {
		return nil, err
	}
	par.Default = cim.Null(par.Type)
	if ok, err := p.take('='); err != nil {
		return nil, err
	} else if ok {
		init, err := p.initializer(false)
		if err != nil {
			return nil, err
		}
		if par.Default, err = init.as(par.Type); err != nil {
			return nil, err
		}
	}
	in, out := par.Qualifiers.True("In"), par.Qualifiers.True("Out")
	if _, given := par.Qualifiers.Get("In"); !in && !out && !given && p.qualifiers["in"].presume {
		in = true
		par.Qualifiers = append(par.Qualifiers, cim.Qualifier{Name: "In", Value: cim.Bool(true), Flavor: defaultFlavor("In")})
	}
	if !in && !out {
		return nil, p.lex.fail(cim.ErrMofMustBeInOrOut, nameAt, "the parameter "+par.Name+" needs the qualifier In or Out")
	}
	named := func(o cim.Parameter) bool { return cim.EqualFold(o.Name, par.Name) }
	if in && slices.ContainsFunc(m.In, named) || out && slices.ContainsFunc(m.Out, named) {
		return nil, p.lex.fail(cim.ErrMofDuplicateProperty, nameAt, "the parameter "+par.Name+" comes twice")
	}
	id := slices.IndexFunc(before, func(n string) bool { return cim.EqualFold(n, par.Name) })
	if id < 0 {
		id = len(before)
		if before = append(before, par.Name); id >= MaxParameters {
			return nil, p.lex.fail(cim.ErrMofOutOfRange, nameAt, "a method has at most 256 parameters")
		}
	}
	if _, given := par.Qualifiers.Get("ID"); !given {
		par.Qualifiers = append(par.Qualifiers, cim.Qualifier{Name: "ID", Value: cim.S32(int32(id)), Flavor: defaultFlavor("ID")})
	}
	par.Optional = par.Qualifiers.True("Optional")
	if in {
		m.In = append(m.In, par)
	}
	if out {
		m.Out = append(m.Out, par)
	}
	return before, nil
}
