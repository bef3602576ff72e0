package mof

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"github.com/casementhq/casement/cim"
)

// PrintOptions are the options of AppendClass; the zero value is the default.
type PrintOptions struct {
	// Super is the superclass. Without it, a property or method of the
	// superclass of which the class changes nothing but the default value is
	// taken for inherited.
	Super *cim.Class
}

// AppendClass appends the MOF text of a class: what it declares itself, with
// flavors where they are not the qualifier's own. Parsed and derived again, the
// text is the same class. The text ends with a line end and has no #pragma.
func AppendClass(dst []byte, c *cim.Class, o PrintOptions) []byte {
	own := c.Declaration(o.Super)
	if o.Super == nil && c.Superclass != "" {
		own.Properties = slices.DeleteFunc(own.Properties, func(p cim.Property) bool {
			return p.Origin != "" && !cim.EqualFold(p.Origin, c.Name) && len(p.Qualifiers) == 0
		})
		own.Methods = slices.DeleteFunc(own.Methods, func(m cim.Method) bool {
			return m.Origin != "" && !cim.EqualFold(m.Origin, c.Name) && len(m.Qualifiers) == 0
		})
	}
	p := printer{dst}
	p.class(&Class{Declared: own})
	return p.b
}

// AppendInstance appends the MOF text of an instance, with its embedded ones: every
// property that has a value, and those that have none in place of the class's
// default. The text ends with a line end. A class object is printed as its class.
func AppendInstance(dst []byte, i *cim.Instance) []byte {
	if i.IsClass() {
		return AppendClass(dst, i.Class(), PrintOptions{})
	}
	return AppendQualifiedInstance(dst, i, nil, nil)
}

// AppendQualifiedInstance is AppendInstance with qualifiers of the instance and
// of properties of it, by name; a property with qualifiers is printed without a
// value where it has none.
func AppendQualifiedInstance(dst []byte, i *cim.Instance, qualifiers cim.Qualifiers, properties map[string]cim.Qualifiers) []byte {
	p := printer{dst}
	if len(qualifiers) > 0 {
		p.qualifiers(qualifiers, false)
		p.text("\n")
	}
	p.values(i, properties, 0)
	p.text(";\n")
	return p.b
}

type printer struct{ b []byte }

func (p *printer) text(parts ...string) {
	for _, s := range parts {
		p.b = append(p.b, s...)
	}
}

func (p *printer) indent(depth int) {
	for range depth {
		p.b = append(p.b, "  "...)
	}
}

// class prints a declaration, with the values that need other objects.
func (p *printer) class(c *Class) {
	d := c.Declared
	if len(d.Qualifiers) > 0 {
		p.fitting(func(sep string) { p.qualifierList(d.Qualifiers, false, sep) }, ", ", ",\n  ")
		p.text("\n")
	}
	p.text("class ", d.Name)
	if c.Alias != "" {
		p.text(" as $", c.Alias)
	}
	if d.Superclass != "" {
		p.text(" : ", d.Superclass)
	}
	p.text("\n{\n")
	rest := c.Defaults // in the order of the properties
	for i := range d.Properties {
		prop := &d.Properties[i]
		if len(rest) > 0 && rest[0].Property == prop.Name {
			p.property(d.Name, prop, &rest[0].Value)
			rest = rest[1:]
		} else {
			p.property(d.Name, prop, nil)
		}
	}
	for i := range d.Methods {
		p.method(&d.Methods[i])
	}
	p.text("};\n")
}

// property prints a property of a class; object is its default value where that
// needs other objects.
func (p *printer) property(class string, prop *cim.Property, object *Initializer) {
	p.indent(1)
	// an inherited key has its qualifier from the superclass
	key := prop.Key && (prop.Origin == "" || cim.EqualFold(prop.Origin, class))
	if len(prop.Qualifiers) > 0 || key {
		p.qualifiers(prop.Qualifiers, key)
		p.text(" ")
	}
	p.typed(prop.Type, prop.RefClass, prop.Name)
	switch {
	case object != nil:
		p.text(" = ")
		p.initializer(object, 1)
	case !prop.Default.IsNull():
		p.text(" = ")
		p.value(prop.Default, 1)
	}
	p.text(";\n")
}

// typed prints a type and a name, with the brackets of an array behind it.
func (p *printer) typed(t cim.Type, class, name string) {
	if class == "" {
		class = "object"
	}
	switch t.Elem() {
	case cim.Reference:
		p.text(class, " ref")
	case cim.Object:
		p.text(class)
	case cim.Untyped:
		p.text("string")
	default:
		p.text(t.Elem().String())
	}
	p.text(" ", name)
	if t.IsArray() {
		p.text("[]")
	}
}

func (p *printer) method(m *cim.Method) {
	p.indent(1)
	quals := m.Qualifiers
	if _, marked := quals.Get("Static"); m.Static && !marked {
		quals = append(slices.Clip(quals), cim.Qualifier{Name: "Static", Value: cim.Bool(true), Flavor: defaultFlavor("Static")})
	}
	if len(quals) > 0 {
		p.qualifiers(quals, false)
		p.text(" ")
	}
	if m.Return == cim.Untyped {
		p.text("void ", m.Name, "(")
	} else {
		p.typed(m.Return, "", m.Name)
		p.text("(")
	}
	parameters := signature(m)
	p.fitting(func(sep string) {
		for n, par := range parameters {
			if n > 0 {
				p.text(sep)
			} else if strings.Contains(sep, "\n") {
				p.text(sep[1:])
			}
			p.qualifiers(par.Qualifiers, false)
			p.text(" ")
			p.typed(par.Type, par.RefClass, par.Name)
			if !par.Default.IsNull() {
				p.text(" = ")
				p.value(par.Default, 2)
			}
		}
		p.text(");\n")
	}, ", ", ",\n    ")
}

// signature are the parameters as the text has them: each once, in the order of
// their IDs, which are left out where they are the default, 0 to n.
func signature(m *cim.Method) []cim.Parameter {
	var all []cim.Parameter
	for way, list := range [][]cim.Parameter{m.In, m.Out} {
		name := [...]string{"In", "Out"}[way]
		for _, par := range list {
			if at := slices.IndexFunc(all, func(o cim.Parameter) bool { return cim.EqualFold(o.Name, par.Name) }); at >= 0 {
				par = all[at]
				all = slices.Delete(all, at, at+1)
			}
			if !par.Qualifiers.True(name) {
				par.Qualifiers = append(cim.Qualifiers{{Name: name, Value: cim.Bool(true), Flavor: defaultFlavor(name)}}, par.Qualifiers...)
			}
			all = append(all, par)
		}
	}
	id := func(par cim.Parameter) int64 {
		v, _ := par.Qualifiers.Get("ID")
		n, ok := v.Int()
		if !ok {
			return -1
		}
		return n
	}
	slices.SortStableFunc(all, func(a, b cim.Parameter) int { return int(id(a)) - int(id(b)) })
	for n := range all {
		if id(all[n]) != int64(n) {
			return all
		}
	}
	for n := range all {
		all[n].Qualifiers = slices.DeleteFunc(slices.Clone(all[n].Qualifiers), func(q cim.Qualifier) bool {
			return cim.EqualFold(q.Name, "ID") && q.Flavor&declared == defaultFlavor("ID")
		})
	}
	return all
}

// declared are the flavor bits that the text decides.
const declared = cim.ToInstance | cim.ToSubClass | cim.NotOverridable | cim.Amended

// lineLength is where a list is broken into lines.
const lineLength = 120

// fitting prints with short between the elements of a list, and with long where
// the line gets too long otherwise.
func (p *printer) fitting(list func(sep string), short, long string) {
	start := len(p.b)
	line := start - bytes.LastIndexByte(p.b, '\n')
	if list(short); line+len(p.b)-start > lineLength {
		p.b = p.b[:start]
		list(long)
	}
}

func (p *printer) qualifiers(list cim.Qualifiers, key bool) { p.qualifierList(list, key, ", ") }

// qualifierList prints a list, Key first; one that is missing is added for key.
func (p *printer) qualifierList(list cim.Qualifiers, key bool, sep string) {
	p.text("[")
	isKey := func(q cim.Qualifier) bool { return cim.EqualFold(q.Name, "Key") }
	first := true
	one := func(q cim.Qualifier) {
		if !first {
			p.text(sep)
		}
		first = false
		p.qualifier(q)
	}
	if at := slices.IndexFunc(list, isKey); at >= 0 {
		one(list[at])
	} else if key {
		p.text("Key")
		first = false
	}
	for _, q := range list {
		if !isKey(q) {
			one(q)
		}
	}
	p.text("]")
}

func (p *printer) qualifier(q cim.Qualifier) {
	p.text(q.Name)
	if b, ok := q.Value.Bool(); !ok || !b {
		if q.Value.Type().IsArray() {
			p.value(q.Value, 0)
		} else {
			p.text("(")
			p.value(q.Value, 0)
			p.text(")")
		}
	}
	base := defaultFlavor(q.Name)
	differs := (q.Flavor ^ base) & declared
	if differs == 0 {
		return
	}
	p.text(" :")
	const propagation = cim.ToInstance | cim.ToSubClass
	if differs&propagation != 0 {
		switch q.Flavor & propagation {
		case 0:
			p.text(" Restricted")
		case cim.ToInstance:
			p.text(" ToInstance")
		case cim.ToSubClass:
			p.text(" ToSubClass")
		default:
			p.text(" ToInstance ToSubClass")
		}
	}
	if differs&cim.NotOverridable != 0 {
		if q.Flavor&cim.NotOverridable != 0 {
			p.text(" DisableOverride")
		} else {
			p.text(" EnableOverride")
		}
	}
	if differs&cim.Amended != 0 {
		p.text(" Amended")
	}
}

// value prints a value as an initializer.
func (p *printer) value(v cim.Value, depth int) {
	switch t := v.Type(); {
	case v.IsNull():
		p.text("NULL")
	case t.IsArray():
		p.text("{")
		for n, e := range v.Elems() {
			if n > 0 {
				p.text(", ")
			}
			p.value(e, depth)
		}
		p.text("}")
	case t == cim.Object:
		p.values(v.Object(), nil, depth)
	case t == cim.Boolean:
		p.text(strings.ToUpper(v.String()))
	case t == cim.Char16:
		p.char(v)
	case t.IsReal():
		p.real(v)
	case t.IsInteger():
		p.b = v.AppendText(p.b)
	default:
		s, _ := v.Str()
		p.quoted(s)
	}
}

// values prints an instance up to its closing brace, with the qualifiers of its
// properties.
func (p *printer) values(i *cim.Instance, qualifiers map[string]cim.Qualifiers, depth int) {
	c := i.Class()
	p.text("instance of ", c.Name, "\n")
	p.indent(depth)
	p.text("{\n")
	for n := range i.Len() {
		v := i.At(n)
		name := c.Properties[n].Name
		own := qualifiers[name]
		set := !v.IsNull() || !c.Properties[n].Default.IsNull()
		if !set && len(own) == 0 {
			continue
		}
		p.indent(depth + 1)
		if len(own) > 0 {
			p.qualifiers(own, false)
			p.text(" ")
		}
		p.text(name)
		if set {
			p.text(" = ")
			p.value(v, depth+1)
		}
		p.text(";\n")
	}
	p.indent(depth)
	p.text("}")
}

func (p *printer) char(v cim.Value) {
	n, _ := v.Uint()
	if n > 0x20 && n < 0x7F && n != '\'' && n != '\\' {
		p.text("'", string(rune(n)), "'")
		return
	}
	p.b = v.AppendText(p.b)
}

// real prints a number that reads as a real; infinities and NaN have no
// literal and stand as text.
func (p *printer) real(v cim.Value) {
	s := string(v.AppendText(nil))
	switch {
	case strings.ContainsAny(s, "IN"):
		p.quoted(s)
	case strings.ContainsAny(s, ".e"):
		p.text(s)
	default:
		p.text(s, ".0")
	}
}

// quoted prints a string literal.
func (p *printer) quoted(s string) {
	const hex = "0123456789ABCDEF"
	p.b = append(p.b, '"')
	for _, r := range s {
		if n := strings.IndexRune("\b\t\n\f\r\"\\", r); n >= 0 {
			p.b = append(p.b, '\\', `btnfr"\`[n])
		} else if !unicode.IsGraphic(r) && r < 0x10000 {
			p.b = append(p.b, '\\', 'x', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		} else {
			p.b = append(p.b, string(r)...)
		}
	}
	p.b = append(p.b, '"')
}

// initializer prints a value as the text had it.
func (p *printer) initializer(i *Initializer, depth int) {
	switch {
	case i.Alias != "":
		p.text("$", i.Alias)
	case i.Instance != nil:
		p.instance(i.Instance, depth)
	case i.IsArray:
		p.text("{")
		for n := range i.Elems {
			if n > 0 {
				p.text(", ")
			}
			p.initializer(&i.Elems[n], depth)
		}
		p.text("}")
	default:
		p.value(i.Constant, depth)
	}
}

// instance prints a declaration up to its closing brace.
func (p *printer) instance(i *Instance, depth int) {
	if len(i.Qualifiers) > 0 {
		p.qualifiers(i.Qualifiers, false)
		p.text("\n")
		p.indent(depth)
	}
	p.text("instance of ", i.Class)
	if i.Alias != "" {
		p.text(" as $", i.Alias)
	}
	p.text("\n")
	p.indent(depth)
	p.text("{\n")
	for n := range i.Values {
		a := &i.Values[n]
		p.indent(depth + 1)
		if len(a.Qualifiers) > 0 {
			p.qualifiers(a.Qualifiers, false)
			p.text(" ")
		}
		p.text(a.Property)
		if !a.NoValue {
			p.text(" = ")
			p.initializer(&a.Value, depth+1)
		}
		p.text(";\n")
	}
	p.indent(depth)
	p.text("}")
}
