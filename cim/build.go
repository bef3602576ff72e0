package cim

import "slices"

// ClassBuilder makes a class in Go code. Its methods return the builder, so
// that a definition reads like MOF:
//
//	process := cim.NewClass("Win32_Process", base).Dynamic().
//		Key("Handle", cim.String).
//		Property("Name", cim.String, cim.Maps("Win32API|Tool Help Structures|PROCESSENTRY32|szExeFile")).
//		Method("Terminate", cim.Uint32, cim.In("Reason", cim.Uint32)).
//		Build(`root\cimv2`)
//
// A builder makes one class; it must not be used after Build.
type ClassBuilder struct{ class Class }

// NewClass begins a class below super; nil makes a top class. Properties,
// methods and the qualifiers that go to subclasses are inherited from super,
// which must be finished.
func NewClass(name string, super *Class) *ClassBuilder {
	b := &ClassBuilder{Class{Name: name}}
	if super == nil {
		return b
	}
	c := &b.class
	c.Superclass = super.Name
	c.Derivation = append([]string{super.Name}, super.Derivation...)
	c.Namespace = super.Namespace
	c.Qualifiers = super.Qualifiers.inherited()
	c.Properties = slices.Clone(super.Properties)
	for i := range c.Properties {
		c.Properties[i].Qualifiers = c.Properties[i].Qualifiers.inherited()
	}
	c.Methods = slices.Clone(super.Methods)
	for i := range c.Methods {
		c.Methods[i].Qualifiers = c.Methods[i].Qualifiers.inherited()
	}
	return b
}

// inherited are the qualifiers that descend to a subclass.
func (q Qualifiers) inherited() Qualifiers {
	var out Qualifiers
	for _, one := range q {
		if one.Flavor&ToSubClass != 0 {
			one.Flavor |= Propagated
			out = append(out, one)
		}
	}
	return out
}

// set puts one in place of the qualifier of its name, or at the end.
func (q Qualifiers) set(one Qualifier) Qualifiers {
	for i := range q {
		if EqualFold(q[i].Name, one.Name) {
			q = slices.Clone(q)
			q[i] = one
			return q
		}
	}
	return append(q, one)
}

// Qualifier adds a qualifier to the class.
func (b *ClassBuilder) Qualifier(q Qualifier) *ClassBuilder {
	b.class.Qualifiers = b.class.Qualifiers.set(q)
	return b
}

// Abstract says that the class has no instances of its own.
func (b *ClassBuilder) Abstract() *ClassBuilder {
	return b.Qualifier(Qualifier{Name: "Abstract", Value: Bool(true)})
}

// Dynamic says that a provider makes the instances.
func (b *ClassBuilder) Dynamic() *ClassBuilder {
	return b.Qualifier(Qualifier{Name: "Dynamic", Value: Bool(true), Flavor: ToInstance | ToSubClass})
}

// Singleton says that there is at most one instance, without a key.
func (b *ClassBuilder) Singleton() *ClassBuilder {
	return b.Qualifier(Qualifier{Name: "Singleton", Value: Bool(true), Flavor: ToInstance | ToSubClass | NotOverridable})
}

// Association says that instances associate the objects that their two
// references name. See [MS-WMIO] and spec/wmi.md 2.6.
func (b *ClassBuilder) Association() *ClassBuilder {
	return b.Qualifier(Qualifier{Name: "Association", Value: Bool(true), Flavor: ToInstance | ToSubClass | NotOverridable})
}

// Description adds the text that people read.
func (b *ClassBuilder) Description(text string) *ClassBuilder { return b.Qualifier(Describes(text)) }

// Key adds a key property.
func (b *ClassBuilder) Key(name string, t Type, q ...Qualifier) *ClassBuilder {
	return b.Add(keyed(Property{Name: name, Type: t, Qualifiers: q}))
}

// Property adds a property.
func (b *ClassBuilder) Property(name string, t Type, q ...Qualifier) *ClassBuilder {
	return b.Add(Property{Name: name, Type: t, Qualifiers: q})
}

// Ref adds a reference to an object of class; "" means any.
func (b *ClassBuilder) Ref(name, class string, q ...Qualifier) *ClassBuilder {
	return b.Add(Property{Name: name, Type: Reference, RefClass: class, Qualifiers: q})
}

// KeyRef adds a reference that is a key.
func (b *ClassBuilder) KeyRef(name, class string, q ...Qualifier) *ClassBuilder {
	return b.Add(keyed(Property{Name: name, Type: Reference, RefClass: class, Qualifiers: q}))
}

// Object adds an embedded object of class; "" means any.
func (b *ClassBuilder) Object(name, class string, q ...Qualifier) *ClassBuilder {
	return b.Add(Property{Name: name, Type: Object, RefClass: class, Qualifiers: q})
}

func keyed(p Property) Property {
	p.Key = true
	p.Qualifiers = append(Qualifiers{{Name: "Key", Value: Bool(true), Flavor: ToInstance | ToSubClass | NotOverridable}}, p.Qualifiers...)
	return p
}

// Add adds a property as it is. One that the superclass has is overridden and
// keeps its place, its key and the qualifiers that are not given anew.
func (b *ClassBuilder) Add(p Property) *ClassBuilder {
	c := &b.class
	p.Origin = c.Name
	for i := range c.Properties {
		if old := &c.Properties[i]; EqualFold(old.Name, p.Name) {
			p.Key = p.Key || old.Key
			merged := old.Qualifiers
			for _, q := range p.Qualifiers {
				merged = merged.set(q)
			}
			p.Qualifiers = merged
			*old = p
			return b
		}
	}
	c.Properties = append(c.Properties, p)
	return b
}

// Method adds a method of instances. Parameters come from [In], [Out] and
// [InOut]; ret is Untyped for a method without a return value.
func (b *ClassBuilder) Method(name string, ret Type, params ...Parameter) *ClassBuilder {
	return b.AddMethod(Method{Name: name, Return: ret}, params...)
}

// StaticMethod adds a method of the class itself.
func (b *ClassBuilder) StaticMethod(name string, ret Type, params ...Parameter) *ClassBuilder {
	static := Qualifier{Name: "Static", Value: Bool(true), Flavor: ToSubClass | NotOverridable}
	return b.AddMethod(Method{Name: name, Return: ret, Static: true, Qualifiers: Qualifiers{static}}, params...)
}

// AddMethod adds a method as it is, with further parameters, and the
// qualifier Implemented. One that the superclass has is replaced in its place.
func (b *ClassBuilder) AddMethod(m Method, params ...Parameter) *ClassBuilder {
	c := &b.class
	m.Origin = c.Name
	m.Qualifiers = m.Qualifiers.set(Qualifier{Name: "Implemented", Value: Bool(true), Flavor: ToSubClass})
	for _, p := range params {
		if p.Qualifiers.True("In") {
			m.In = append(m.In, p)
		}
		if p.Qualifiers.True("Out") {
			m.Out = append(m.Out, p)
		}
	}
	for i := range c.Methods {
		if EqualFold(c.Methods[i].Name, m.Name) {
			c.Methods[i] = m
			return b
		}
	}
	c.Methods = append(c.Methods, m)
	return b
}

// Build finishes the class for a namespace; "" keeps that of the superclass.
func (b *ClassBuilder) Build(namespace string) *Class {
	if namespace != "" {
		b.class.Namespace = namespace
	}
	return b.class.Seal()
}

// In makes an in parameter.
func In(name string, t Type, q ...Qualifier) Parameter { return parameter(name, t, q, "In") }

// Out makes an out parameter.
func Out(name string, t Type, q ...Qualifier) Parameter { return parameter(name, t, q, "Out") }

// InOut makes a parameter that goes both ways.
func InOut(name string, t Type, q ...Qualifier) Parameter { return parameter(name, t, q, "In", "Out") }

func parameter(name string, t Type, q []Qualifier, ways ...string) Parameter {
	p := Parameter{Name: name, Type: t}
	for _, way := range ways {
		p.Qualifiers = append(p.Qualifiers, Qualifier{Name: way, Value: Bool(true), Flavor: ToSubClass | NotOverridable})
	}
	p.Qualifiers = append(p.Qualifiers, q...)
	p.Optional = p.Qualifiers.True("Optional")
	return p
}

// Maps is the MappingStrings qualifier: where a value comes from.
func Maps(sources ...string) Qualifier {
	return Qualifier{Name: "MappingStrings", Value: Strs(sources), Flavor: ToInstance | ToSubClass}
}

// Describes is the Description qualifier.
func Describes(text string) Qualifier {
	return Qualifier{Name: "Description", Value: Str(text), Flavor: ToInstance | ToSubClass}
}

// Units is the Units qualifier.
func Units(name string) Qualifier {
	return Qualifier{Name: "Units", Value: Str(name), Flavor: ToInstance | ToSubClass}
}

// Writable is the Write qualifier: the property may be changed by Put.
func Writable() Qualifier {
	return Qualifier{Name: "Write", Value: Bool(true), Flavor: ToInstance | ToSubClass}
}

// IsInterval is the SubType qualifier of a datetime that is an interval.
func IsInterval() Qualifier {
	return Qualifier{Name: "SubType", Value: Str("interval"), Flavor: ToInstance | ToSubClass}
}

// IsOptional marks an in parameter that may be left out.
func IsOptional() Qualifier {
	return Qualifier{Name: "Optional", Value: Bool(true), Flavor: ToSubClass}
}
