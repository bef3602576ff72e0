package cimxml

import (
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Bounds of one class.
const (
	maxProperties = 4096
	maxMethods    = 4096
	maxParameters = 1024
	maxQualifiers = 1024
	maxValues     = 1 << 16 // of one array
	maxDerivation = 256
)

func tooMany(what string) error {
	return &cim.Error{Status: cim.ErrTooMuchData, Detail: "the definition of a class has too many " + what}
}

// IsClass tells whether r stands at a CLASS element. Some services write it in
// a namespace.
func IsClass(r *soap.Reader) bool {
	return r.Kind() == soap.StartElement && string(r.Local()) == "CLASS"
}

// ReadClass reads the CLASS element at which r stands, to its end. The class is
// not sealed: the caller sets its namespace and seals it. Elements that are not
// known are skipped; text that does not fit its type, or too much of
// something, is an error.
func ReadClass(r *soap.Reader) (*cim.Class, error) {
	c := &cim.Class{Name: attr(r, "NAME"), Superclass: attr(r, "SUPERCLASS")}
	if c.Name == "" {
		return nil, &cim.Error{Status: cim.ErrInvalidClass, Detail: "the definition of a class does not name it"}
	}
	if d := attr(r, "DERIVATION"); d != "" {
		list := strings.Split(d, ",")
		if len(list) > maxDerivation {
			return nil, tooMany("superclasses")
		}
		for _, name := range list {
			c.Derivation = append(c.Derivation, strings.TrimSpace(name))
		}
	} else if c.Superclass != "" {
		c.Derivation = []string{c.Superclass}
	}
	err := children(r, func(name string) error {
		kind, form, _ := strings.Cut(name, ".")
		switch kind {
		case "QUALIFIER":
			return readQualifier(r, &c.Qualifiers)
		case "PROPERTY":
			if len(c.Properties) >= maxProperties {
				return tooMany("properties")
			}
			p, err := readProperty(r, form, c.Name)
			c.Properties = append(c.Properties, p)
			return err
		case "METHOD":
			if len(c.Methods) >= maxMethods {
				return tooMany("methods")
			}
			m, err := readMethod(r, c.Name)
			c.Methods = append(c.Methods, m)
			return err
		}
		return r.Skip()
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// children calls f at each child element.
func children(r *soap.Reader, f func(name string) error) error {
	for {
		more, err := r.Child()
		if err != nil || !more {
			return err
		}
		if err := f(string(r.Local())); err != nil {
			return err
		}
	}
}

func attr(r *soap.Reader, name string) string {
	v, _ := r.Attr(soap.None, name)
	return string(v)
}

func flag(r *soap.Reader, name string, standard bool) bool {
	v, ok := r.Attr(soap.None, name)
	if !ok {
		return standard
	}
	return strings.EqualFold(string(v), "true")
}

// element is what PROPERTY and PARAMETER have in common.
type element struct {
	name, refClass string
	typ            cim.Type
	qualifiers     cim.Qualifiers
}

// readElement reads the attributes of the element at which r stands; form is
// what follows the dot of its name.
func readElement(r *soap.Reader, form string) (e element, err error) {
	e.name, e.refClass = attr(r, "NAME"), attr(r, "REFERENCECLASS")
	switch form {
	case "REFERENCE":
		e.typ = cim.Reference
	case "REFARRAY":
		e.typ = cim.Reference.Array()
	default:
		if e.typ, err = readType(r); err != nil {
			return e, err
		}
		if attr(r, "EmbeddedObject") != "" || attr(r, "EMBEDDEDOBJECT") != "" {
			e.typ = cim.Object
		}
		if form == "ARRAY" {
			e.typ = e.typ.Array()
		}
	}
	if e.name == "" {
		return e, &cim.Error{Status: cim.ErrInvalidClass, Detail: "an element of a class has no name"}
	}
	return e, nil
}

func readType(r *soap.Reader) (cim.Type, error) {
	name := attr(r, "TYPE")
	t, ok := cim.ParseType(name)
	if !ok || t.IsArray() {
		return 0, &cim.Error{Status: cim.ErrInvalidCimType, Path: attr(r, "NAME"), Detail: "the type " + clip(name) + " is not known"}
	}
	return t, nil
}

// embedded turns a string that its qualifiers say is an object into one, and
// takes those qualifiers away: the type says the same.
func (e *element) embedded() {
	if t := e.typ.Elem(); t != cim.String && t != cim.Object {
		return
	}
	class, isInstance := e.qualifiers.Get("EmbeddedInstance")
	if !isInstance && !e.qualifiers.True("EmbeddedObject") && e.typ.Elem() != cim.Object {
		return
	}
	if name, ok := class.Str(); ok {
		e.refClass = name
	}
	array := e.typ.IsArray()
	if e.typ = cim.Object; array {
		e.typ = cim.Object.Array()
	}
	kept := e.qualifiers[:0]
	for _, q := range e.qualifiers {
		if !cim.EqualFold(q.Name, "EmbeddedInstance") && !cim.EqualFold(q.Name, "EmbeddedObject") {
			kept = append(kept, q)
		}
	}
	if e.qualifiers = kept; len(kept) == 0 {
		e.qualifiers = nil
	}
}

func readProperty(r *soap.Reader, form, class string) (cim.Property, error) {
	origin := attr(r, "CLASSORIGIN")
	propagated := flag(r, "PROPAGATED", false)
	e, err := readElement(r, form)
	if err != nil {
		return cim.Property{}, err
	}
	value := cim.Null(e.typ)
	err = children(r, func(name string) (err error) {
		switch name {
		case "QUALIFIER":
			return readQualifier(r, &e.qualifiers)
		case "VALUE", "VALUE.ARRAY":
			value, err = readValue(r, name, e.typ)
			return err
		}
		return r.Skip()
	})
	if err != nil {
		return cim.Property{}, err
	}
	e.embedded()
	if value.Type() != e.typ {
		value = cim.Null(e.typ) // the text of an embedded object is not a default that could be used
	}
	if origin == "" && !propagated {
		origin = class
	}
	return cim.Property{Name: e.name, Type: e.typ, RefClass: e.refClass, Default: value, Qualifiers: e.qualifiers,
		Key: e.qualifiers.True("Key"), Origin: origin}, nil
}

func readMethod(r *soap.Reader, class string) (cim.Method, error) {
	m := cim.Method{Name: attr(r, "NAME"), Origin: attr(r, "CLASSORIGIN")}
	if m.Origin == "" && !flag(r, "PROPAGATED", false) {
		m.Origin = class
	}
	if m.Name == "" {
		return m, &cim.Error{Status: cim.ErrInvalidClass, Detail: "a method of a class has no name"}
	}
	if attr(r, "TYPE") != "" {
		t, err := readType(r)
		if err != nil {
			return m, err
		}
		if m.Return = t; attr(r, "EmbeddedObject") != "" {
			m.Return = cim.Object
		}
	}
	count := 0
	err := children(r, func(name string) error {
		kind, form, _ := strings.Cut(name, ".")
		switch kind {
		case "QUALIFIER":
			return readQualifier(r, &m.Qualifiers)
		case "PARAMETER":
			if count++; count > maxParameters {
				return tooMany("parameters")
			}
			return readParameter(r, form, &m)
		}
		return r.Skip()
	})
	m.Static = m.Qualifiers.True("Static")
	return m, err
}

func readParameter(r *soap.Reader, form string, m *cim.Method) error {
	e, err := readElement(r, form)
	if err != nil {
		return err
	}
	err = children(r, func(name string) error {
		if name == "QUALIFIER" {
			return readQualifier(r, &e.qualifiers)
		}
		return r.Skip()
	})
	if err != nil {
		return err
	}
	e.embedded()
	p := cim.Parameter{Name: e.name, Type: e.typ, RefClass: e.refClass, Qualifiers: e.qualifiers, Optional: e.qualifiers.True("Optional")}
	_, hasIn := e.qualifiers.Get("In")
	out := e.qualifiers.True("Out")
	if e.qualifiers.True("In") || !hasIn && !out { // In is the default. See DSP0004 5.6.3.
		m.In = append(m.In, p)
	}
	if out {
		m.Out = append(m.Out, p)
	}
	return nil
}

func readQualifier(r *soap.Reader, list *cim.Qualifiers) error {
	if len(*list) >= maxQualifiers {
		return tooMany("qualifiers")
	}
	q := cim.Qualifier{Name: attr(r, "NAME")}
	t, err := readType(r)
	if err != nil {
		return err
	}
	set := func(name string, bit cim.Flavor, standard, when bool) {
		if flag(r, name, standard) == when {
			q.Flavor |= bit
		}
	}
	set("PROPAGATED", cim.Propagated, false, true)
	set("OVERRIDABLE", cim.NotOverridable, true, false)
	set("TOSUBCLASS", cim.ToSubClass, true, true)
	set("TOINSTANCE", cim.ToInstance, false, true)
	set("TRANSLATABLE", cim.Amended, false, true)
	q.Value = cim.Null(t)
	err = children(r, func(name string) (err error) {
		switch name {
		case "VALUE":
			q.Value, err = readValue(r, name, t)
		case "VALUE.ARRAY":
			q.Value, err = readValue(r, name, t.Array())
		default:
			err = r.Skip()
		}
		return err
	})
	*list = append(*list, q)
	return err
}

// readValue reads VALUE or VALUE.ARRAY.
func readValue(r *soap.Reader, name string, t cim.Type) (cim.Value, error) {
	if name == "VALUE" {
		return readScalar(r, t.Elem())
	}
	var elems []cim.Value
	err := children(r, func(name string) error {
		if len(elems) >= maxValues {
			return tooMany("values")
		}
		v := cim.Null(t.Elem())
		var err error
		if name == "VALUE" {
			v, err = readScalar(r, t.Elem())
		} else {
			err = r.Skip()
		}
		elems = append(elems, v)
		return err
	})
	return cim.Array(t.Elem(), elems), err
}

func readScalar(r *soap.Reader, t cim.Type) (cim.Value, error) {
	text, err := r.ReadText()
	if err != nil {
		return cim.Value{}, err
	}
	switch t {
	case cim.String, cim.Object:
		return cim.Str(string(text)), nil
	case cim.Reference:
		return cim.Ref(string(text)), nil
	}
	return cim.ParseValue(t, string(text))
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
