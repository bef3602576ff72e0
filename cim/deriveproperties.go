package cim

import (
	"slices"
	"strings"
)

// properties takes over the properties of the superclass and puts the declared
// ones in their places or after them.
func (d *derivation) properties() error {
	c := &d.class
	if d.super != nil {
		c.Properties = slices.Clone(d.super.Properties)
		for i := range c.Properties {
			c.Properties[i].Qualifiers = c.Properties[i].Qualifiers.inherited()
		}
	}
	inherited := len(c.Properties)
	for i, p := range d.declared.Properties {
		for _, other := range d.declared.Properties[:i] {
			if EqualFold(other.Name, p.Name) {
				return d.fail(ErrInvalidParameter, p.Name, "the property is declared twice")
			}
		}
		if err := d.checkProperty(&p); err != nil {
			return err
		}
		at := slices.IndexFunc(c.Properties[:inherited], func(o Property) bool { return EqualFold(o.Name, p.Name) })
		var err error
		if at < 0 {
			err = d.newProperty(p)
		} else {
			err = d.override(&c.Properties[at], p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkProperty checks what holds for a property by itself. The CIMTYPE
// qualifier says what Type and RefClass say; it is checked and left out.
func (d *derivation) checkProperty(p *Property) error {
	if strings.HasPrefix(p.Name, "__") {
		return d.fail(ErrSystemProperty, p.Name, "system properties are not declared")
	}
	if err := checkName(p.Name, ErrPropertyNameTooWide); err != nil {
		return d.fail(StatusOf(err), p.Name, err.Error())
	}
	if _, known := typeNames[p.Type.Elem()]; !known || p.Type.Elem() == Untyped || p.Type&^(ArrayFlag|0xFF) != 0 {
		return d.fail(ErrInvalidCimType, p.Name, "the type is not a CIM type")
	}
	if text, ok := p.Qualifiers.Get("CIMTYPE"); ok {
		if !p.saidBy(text) {
			return d.fail(ErrInvalidCimType, p.Name, "the qualifier CIMTYPE says "+text.String()+", the property is a "+p.CIMType())
		}
		p.Qualifiers = slices.DeleteFunc(slices.Clone(p.Qualifiers), func(q Qualifier) bool { return EqualFold(q.Name, "CIMTYPE") })
	}
	if !p.Default.IsNull() && p.Default.Type() != p.Type {
		v, err := p.Default.As(p.Type)
		if err != nil {
			return d.fail(ErrTypeMismatch, p.Name, "the default value is not a "+p.Type.String())
		}
		p.Default = v
	}
	if _, marked := p.Qualifiers.Get("Key"); p.Key && !marked {
		p.Qualifiers = append(Qualifiers{{Name: "Key", Value: Bool(true)}}, p.Qualifiers...)
	}
	return nil
}

// CIMType is the text of the property's CIMTYPE qualifier: "uint32",
// "ref:Win32_LogicalDisk", "object". See spec/wmi.md 2.4.
func (p *Property) CIMType() string {
	t := p.Type.Elem()
	if (t == Reference || t == Object) && p.RefClass != "" && !EqualFold(p.RefClass, "object") {
		return t.String() + ":" + p.RefClass
	}
	return t.String()
}

// saidBy tells whether a CIMTYPE qualifier fits the property. A narrower class
// than the declared one, and blanks, are taken as they come.
func (p *Property) saidBy(v Value) bool {
	text, _ := v.Str()
	text = strings.TrimSpace(text)
	if EqualFold(text, p.CIMType()) {
		return true
	}
	name, _, _ := strings.Cut(text, ":")
	t, ok := ParseType(strings.TrimSuffix(name, "[]"))
	return ok && t == p.Type.Elem()
}

// newProperty adds a property that the superclass does not have.
func (d *derivation) newProperty(p Property) error {
	var err error
	if p.Qualifiers, err = d.qualifiers(p.Name, nil, p.Qualifiers); err != nil {
		return err
	}
	p.Key = p.Qualifiers.True("Key")
	if p.Key || p.Qualifiers.True("Indexed") {
		if !canBeKey(p.Type) {
			return d.fail(ErrCannotBeKey, p.Name, "a key or index is no array, no real number and no embedded object")
		}
	}
	if p.Key && d.keyed {
		return d.fail(ErrCannotChangeKeyInheritance, p.Name, "the keys of the class are those of its superclass "+d.super.Name)
	}
	if p.Origin == "" || d.super == nil || !slices.ContainsFunc(d.class.Derivation, func(n string) bool { return EqualFold(n, p.Origin) }) {
		p.Origin = d.class.Name
	}
	if p.Default.IsNull() {
		p.Default = Null(p.Type)
	}
	d.class.Properties = append(d.class.Properties, p)
	return nil
}

func canBeKey(t Type) bool { return !t.IsArray() && !t.IsReal() && t != Object }

// override changes an inherited property: its default, its qualifiers, and the
// class of a reference to a narrower one.
func (d *derivation) override(old *Property, p Property) error {
	if p.Type != old.Type {
		return d.fail(ErrUpdateTypeMismatch, p.Name, "the superclass declares a "+old.Type.String()+", the class a "+p.Type.String())
	}
	merged, err := d.qualifiers(p.Name, old.Qualifiers, p.Qualifiers)
	if err != nil {
		return err
	}
	switch {
	case merged.True("Key") && d.keyed && !old.Key:
		return d.fail(ErrCannotChangeKeyInheritance, p.Name, "the keys of the class are those of its superclass "+d.super.Name)
	case merged.True("Key") && !canBeKey(p.Type):
		return d.fail(ErrCannotBeKey, p.Name, "a key is no array, no real number and no embedded object")
	case merged.True("Indexed") && !old.Qualifiers.True("Indexed"):
		return d.fail(ErrCannotChangeIndexInheritance, p.Name, "an inherited property cannot become an index")
	}
	// below a class without keys, as CIM_System makes one of the inherited Name
	old.Qualifiers, old.Key = merged, merged.True("Key")
	if !p.Default.IsNull() {
		old.Default = p.Default
	}
	if p.RefClass != "" {
		old.RefClass = p.RefClass
	}
	return nil
}
