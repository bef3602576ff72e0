package cimxml

import (
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// AppendClass appends the CLASS element of c with what o includes. A class
// without its inherited elements is one of which those alone remain whose
// Origin is c.
func AppendClass(dst []byte, c *cim.Class, o GetOptions) []byte {
	e := encoder{w: soap.NewWriter(dst), o: o, class: c.Name}
	e.open("CLASS")
	e.attr("NAME", c.Name)
	e.attr("SUPERCLASS", c.Superclass)
	if o.IncludeHierarchy || len(c.Derivation) > 0 && o.IncludeInherited {
		e.w.Attr(soap.None, "DERIVATION", strings.Join(c.Derivation, ","))
	}
	e.qualifiers(c.Qualifiers)
	for i := range c.Properties {
		e.property(&c.Properties[i])
	}
	for i := range c.Methods {
		e.method(&c.Methods[i])
	}
	e.w.End()
	return e.w.Bytes()
}

type encoder struct {
	w     *soap.Writer
	o     GetOptions
	class string
}

func (e *encoder) open(name string) { e.w.StartPrefix("", name) }

// attr writes an attribute unless it is empty.
func (e *encoder) attr(name, value string) {
	if value != "" {
		e.w.Attr(soap.None, name, value)
	}
}

// origin writes where an element was declared, and tells whether it is wanted.
func (e *encoder) inherited(origin string) bool {
	return origin != "" && !cim.EqualFold(origin, e.class)
}

func (e *encoder) origin(origin string) {
	if e.o.IncludeClassOrigin {
		e.attr("CLASSORIGIN", origin)
	}
	if e.inherited(origin) {
		e.attr("PROPAGATED", "true")
	}
}

func (e *encoder) property(p *cim.Property) {
	if !e.o.IncludeInherited && e.inherited(p.Origin) {
		return
	}
	e.start("PROPERTY", p.Name, p.Type, p.RefClass)
	e.origin(p.Origin)
	e.embedded(p.Type, p.RefClass, p.Qualifiers)
	e.qualifiers(p.Qualifiers)
	e.value(p.Default)
	e.w.End()
}

// start opens PROPERTY or PARAMETER in the form that the type needs.
func (e *encoder) start(kind, name string, t cim.Type, refClass string) {
	switch {
	case t == cim.Reference:
		e.open(kind + ".REFERENCE")
		e.attr("NAME", name)
		e.attr("REFERENCECLASS", refClass)
		return
	case t.Elem() == cim.Reference: // DSP0201 has it for parameters; WMI has it for properties as well
		e.open(kind + ".REFARRAY")
		e.attr("NAME", name)
		e.attr("REFERENCECLASS", refClass)
		return
	case t.IsArray():
		e.open(kind + ".ARRAY")
	default:
		e.open(kind)
	}
	e.attr("NAME", name)
	e.attr("TYPE", typeName(t.Elem()))
	if t.Elem() == cim.Object {
		e.attr("EmbeddedObject", embeddedKind(refClass))
	}
}

// typeName is the TYPE of CIM-XML, which has none for objects and references.
func typeName(t cim.Type) string {
	switch t {
	case cim.Object, cim.Reference, cim.Untyped:
		return "string"
	}
	return t.String()
}

func embeddedKind(refClass string) string {
	if refClass != "" {
		return "instance"
	}
	return "object"
}

// embedded writes the qualifier that tells an embedded object from a string;
// it goes along even where qualifiers are not included, for it is the type.
func (e *encoder) embedded(t cim.Type, refClass string, have cim.Qualifiers) {
	if t.Elem() != cim.Object {
		return
	}
	if _, ok := have.Get("EmbeddedInstance"); ok && e.o.IncludeQualifiers {
		return
	}
	if _, ok := have.Get("EmbeddedObject"); ok && e.o.IncludeQualifiers {
		return
	}
	q := cim.Qualifier{Name: "EmbeddedObject", Value: cim.Bool(true), Flavor: cim.ToSubClass}
	if refClass != "" {
		q = cim.Qualifier{Name: "EmbeddedInstance", Value: cim.Str(refClass), Flavor: cim.ToSubClass}
	}
	e.qualifier(&q)
}

func (e *encoder) qualifiers(list cim.Qualifiers) {
	for i := range list {
		if e.o.IncludeQualifiers || structural(list[i].Name) {
			e.qualifier(&list[i])
		}
	}
}

// structural tells the qualifiers that a reader cannot do without: they say
// which properties are keys and which way parameters go.
func structural(name string) bool {
	switch cim.Fold(name) {
	case "key", "in", "out", "static", "association", "abstract", "singleton", "embeddedinstance", "embeddedobject", "optional":
		return true
	}
	return false
}

func (e *encoder) qualifier(q *cim.Qualifier) {
	e.open("QUALIFIER")
	e.attr("NAME", q.Name)
	e.attr("TYPE", typeName(q.Value.Type().Elem()))
	flag := func(name string, on, standard bool) {
		if on != standard {
			e.attr(name, map[bool]string{true: "true", false: "false"}[on])
		}
	}
	flag("PROPAGATED", q.Flavor&cim.Propagated != 0, false)
	flag("OVERRIDABLE", q.Flavor&cim.NotOverridable == 0, true)
	flag("TOSUBCLASS", q.Flavor&cim.ToSubClass != 0, true)
	flag("TOINSTANCE", q.Flavor&cim.ToInstance != 0, false)
	flag("TRANSLATABLE", q.Flavor&cim.Amended != 0, false)
	e.value(q.Value)
	e.w.End()
}

// value writes VALUE or VALUE.ARRAY; NULL and objects write nothing.
func (e *encoder) value(v cim.Value) {
	switch {
	case v.IsNull(), v.Type().Elem() == cim.Object:
	case v.Type().IsArray():
		e.open("VALUE.ARRAY")
		for _, elem := range v.Elems() {
			if elem.IsNull() {
				e.open("VALUE.NULL")
				e.w.End()
				continue
			}
			e.scalar(elem)
		}
		e.w.End()
	default:
		e.scalar(v)
	}
}

func (e *encoder) scalar(v cim.Value) {
	e.open("VALUE")
	switch s, ok := v.Str(); {
	case ok:
		e.w.Text(s)
	default:
		e.w.Text(string(v.AppendText(nil)))
	}
	e.w.End()
}

func (e *encoder) method(m *cim.Method) {
	if !e.o.IncludeInherited && e.inherited(m.Origin) {
		return
	}
	e.open("METHOD")
	e.attr("NAME", m.Name)
	if m.Return != cim.Untyped {
		e.attr("TYPE", typeName(m.Return.Elem()))
		if m.Return == cim.Object {
			e.attr("EmbeddedObject", "object")
		}
	}
	e.origin(m.Origin)
	if m.Static && !m.Qualifiers.True("Static") {
		e.qualifier(&cim.Qualifier{Name: "Static", Value: cim.Bool(true), Flavor: cim.ToSubClass | cim.NotOverridable})
	}
	e.qualifiers(m.Qualifiers)
	e.parameters(m)
	e.w.End()
}

// parameters writes the two lists as one that keeps the order of both.
func (e *encoder) parameters(m *cim.Method) {
	out := m.Out
	until := func(name string) {
		for len(out) > 0 && !cim.EqualFold(out[0].Name, name) {
			e.parameter(&out[0], false, true)
			out = out[1:]
		}
	}
	for i := range m.In {
		p := &m.In[i]
		both := false
		for j := range out {
			both = both || cim.EqualFold(out[j].Name, p.Name)
		}
		if both {
			until(p.Name)
			out = out[1:]
		}
		e.parameter(p, true, both)
	}
	until("")
}

func (e *encoder) parameter(p *cim.Parameter, in, out bool) {
	e.start("PARAMETER", p.Name, p.Type, p.RefClass)
	e.embedded(p.Type, p.RefClass, p.Qualifiers)
	way := func(name string, on bool) {
		if on && !p.Qualifiers.True(name) {
			e.qualifier(&cim.Qualifier{Name: name, Value: cim.Bool(true), Flavor: cim.ToSubClass | cim.NotOverridable})
		}
	}
	way("In", in)
	way("Out", out)
	e.qualifiers(p.Qualifiers)
	e.w.End()
}
