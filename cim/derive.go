package cim

import "slices"

// The limits of a class. See spec/wmi.md 2.2.
const (
	MaxNameLength = 255  // characters of the name of a class, property, method or qualifier
	MaxProperties = 1024 // inherited ones included
	MaxKeys       = 256
)

// The limits that the documentation does not give: they keep a class from
// costing more than its text.
const (
	MaxMethods    = 1024 // inherited ones included
	MaxQualifiers = 256  // that one element declares
	MaxParameters = 256  // in or out, of one method
	MaxDerivation = 256  // superclasses above each other
)

// Derive makes the whole class that a declaration below super means: what it
// inherits, with the qualifiers that descend, and what it declares or
// overrides. The declaration may repeat what it inherits; a qualifier with the
// flavor Propagated is such a repetition. super is nil for a top class,
// otherwise sealed; the result is sealed and lies in the namespace of the
// declaration.
//
// The rules are those of [MS-WMI] 3.1.4.3.6 and spec/wmi.md 2.2 and 2.7; what
// breaks one fails with the status that the WMI documentation gives it, and a
// detail that names the element. Whether the classes that references name
// exist is not asked, nor whether the name is reserved for the system.
func Derive(super, declared *Class) (*Class, error) {
	d := derivation{super: super, declared: declared}
	for _, step := range []func() error{d.size, d.line, d.classQualifiers, d.properties, d.methods, d.whole} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return d.class.Seal(), nil
}

// derivation is the making of one class.
type derivation struct {
	super, declared *Class
	class           Class
	keyed           bool // the superclass has keys
}

// fail makes the error of one element of the class, or of the class for "".
func (d *derivation) fail(status Status, element, why string) error {
	path := d.declared.Name
	if element != "" {
		path += "." + element
	}
	return &Error{Status: status, Path: path, Detail: why}
}

// size refuses a declaration that is too large, before its elements are compared
// with each other.
func (d *derivation) size() error {
	switch c := d.declared; {
	case len(c.Properties) > MaxProperties:
		return d.tooManyProperties()
	case len(c.Methods) > MaxMethods:
		return d.tooManyMethods()
	case d.super != nil && len(d.super.Derivation) >= MaxDerivation:
		return d.fail(ErrTooMuchData, "", "a class has at most 256 superclasses above each other")
	}
	return nil
}

func (d *derivation) tooManyProperties() error {
	return d.fail(ErrTooManyProperties, "", "a class has at most 1024 properties")
}

func (d *derivation) tooManyMethods() error {
	return d.fail(ErrTooMuchData, "", "a class has at most 1024 methods")
}

// line checks the name and takes over the line of superclasses.
func (d *derivation) line() error {
	c, super := &d.class, d.super
	c.Name, c.Namespace, c.Server = d.declared.Name, d.declared.Namespace, d.declared.Server
	if err := checkClassName(c.Name); err != nil {
		return d.fail(StatusOf(err), "", err.Error())
	}
	if super == nil {
		if d.declared.Superclass != "" {
			return d.fail(ErrInvalidSuperclass, "", "the superclass "+d.declared.Superclass+" does not exist")
		}
		return nil
	}
	if !EqualFold(super.Name, d.declared.Superclass) {
		return d.fail(ErrInvalidSuperclass, "", "the class is declared below "+d.declared.Superclass+" and not below "+super.Name)
	}
	if super.IsA(c.Name) {
		return d.fail(ErrCircularReference, "", "the class would be its own superclass")
	}
	if super.Qualifiers.True("Terminal") {
		return d.fail(ErrInvalidSuperclass, "", "the superclass "+super.Name+" is terminal")
	}
	c.Superclass = super.Name
	c.Derivation = append([]string{super.Name}, super.Derivation...)
	d.keyed = len(super.Keys()) > 0
	if c.Namespace == "" {
		c.Namespace = super.Namespace
	}
	return nil
}

// classQualifiers merges the qualifiers of the class and checks the kind of
// class that they make of it.
func (d *derivation) classQualifiers() error {
	c, super := &d.class, d.super
	var above Qualifiers
	if super != nil {
		above = super.Qualifiers.inherited()
	}
	merged, err := d.qualifiers("", above, d.declared.Qualifiers)
	if err != nil {
		return err
	}
	c.Qualifiers = merged
	switch {
	case super != nil && c.IsAbstract() && !super.IsAbstract():
		return d.fail(ErrCannotBeAbstract, "", "the superclass "+super.Name+" is not abstract")
	case c.IsAbstract() && c.Qualifiers.True("Terminal"):
		return d.fail(ErrInvalidQualifier, "", "a terminal class cannot be abstract")
	case c.IsSingleton() && super != nil && !super.IsSingleton() && (!super.IsAbstract() || d.keyed):
		return d.fail(ErrCannotBeSingleton, "", "the superclass "+super.Name+" is no singleton")
	case c.IsAssociation() && c.Qualifiers.True("Indication"):
		return d.fail(ErrInvalidQualifier, "", "a class is an association or an indication, not both")
	case super != nil && super.Qualifiers.True("Dynamic") && !c.Qualifiers.True("Dynamic") && !c.IsAbstract():
		return d.fail(ErrInvalidSuperclass, "", "a class below the dynamic class "+super.Name+" must be dynamic")
	}
	return nil
}

// whole checks what only the whole class shows.
func (d *derivation) whole() error {
	c := &d.class
	if len(c.Properties) > MaxProperties {
		return d.tooManyProperties()
	}
	if len(c.Methods) > MaxMethods {
		return d.tooManyMethods()
	}
	keys, refs := 0, 0
	for i := range c.Properties {
		if c.Properties[i].Key {
			keys++
		}
		if c.Properties[i].Type == Reference {
			refs++
		}
	}
	switch {
	case keys > MaxKeys:
		return d.fail(ErrTooManyProperties, "", "a class has at most 256 keys")
	case keys > 0 && c.IsSingleton():
		return d.fail(ErrCannotBeSingleton, "", "a singleton has no keys")
	case c.IsAssociation() && !c.IsAbstract() && refs != 2:
		return d.fail(ErrInvalidAssociation, "", "an association has exactly two references")
	}
	return nil
}

// Declaration takes a whole class apart again: only what is its own, so that
// Derive(super, c.Declaration(super)) is c. super is nil for a top class; the
// result is sealed, and its qualifiers carry no flavor Propagated.
func (c *Class) Declaration(super *Class) *Class {
	own := &Class{Name: c.Name, Superclass: c.Superclass, Namespace: c.Namespace, Server: c.Server, Qualifiers: c.Qualifiers.own()}
	for _, p := range c.Properties {
		var above *Property
		if super != nil {
			above = super.Property(p.Name)
		}
		p.Qualifiers = p.Qualifiers.own()
		if above == nil || len(p.Qualifiers) > 0 || !p.Default.Equal(above.Default) || !EqualFold(p.RefClass, above.RefClass) {
			own.Properties = append(own.Properties, p)
		}
	}
	for _, m := range c.Methods {
		inherits := super != nil && super.Method(m.Name) != nil
		m.Qualifiers = m.Qualifiers.own()
		if !inherits || EqualFold(m.Origin, c.Name) || len(m.Qualifiers) > 0 {
			own.Methods = append(own.Methods, m)
		}
	}
	return own.Seal()
}

// own are the qualifiers that were declared here and not inherited.
func (q Qualifiers) own() Qualifiers {
	return slices.DeleteFunc(slices.Clone(q), func(one Qualifier) bool { return one.Flavor&Propagated != 0 })
}
