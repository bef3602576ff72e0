package wmio

import (
	"slices"

	"github.com/casementhq/casement/cim"
)

// classPart reads a ClassPart; text is b as text, so that the names of the
// class are pieces of it. See [MS-WMIO] 2.2.15.
func (d *decoder) classPart(b []byte, text string) (*layout, error) {
	if len(b) > maxClassPart {
		return nil, malformed("a class of more than 1 MiB")
	}
	c := cursor{b: b}
	c.take(5) // EncodingLength, ReservedOctet
	nameRef, table := c.u32(), int(c.u32())
	derivation, qualifiers := c.counted(), c.counted()
	count := int(c.u32())
	if count > cim.MaxProperties {
		return nil, malformed("a class of more than 1024 properties")
	}
	lookup := c.take(count * 8)
	tables := c.take(table)
	h := c.heap()
	if c.short || table < ndSize(count) {
		return nil, malformed("a class that is too short")
	}
	h.s = text[len(b)-len(c.b)-len(h.b) : len(b)-len(c.b)]

	class := &cim.Class{}
	l := &layout{class: class, part: text, nd: ndSize(count), table: table}
	var err error
	if nameRef != noRef {
		if class.Name, err = d.name(&h, nameRef); err != nil {
			return nil, err
		}
	}
	if class.Derivation, err = d.derivation(derivation); err != nil {
		return nil, err
	}
	if len(class.Derivation) > 0 {
		class.Superclass = class.Derivation[0]
	}
	if class.Qualifiers, err = d.qualifiers(qualifiers, &h, nil); err != nil {
		return nil, err
	}
	if err := d.properties(l, lookup, tables, &h); err != nil {
		return nil, err
	}
	return l, nil
}

// derivation reads a DerivationList without its length: the superclasses, the
// nearest first. See [MS-WMIO] 2.2.17.
func (d *decoder) derivation(list []byte) ([]string, error) {
	var names []string
	for c := (cursor{b: list}); len(c.b) > 0; {
		if err := d.charge(costQualifier); err != nil {
			return nil, err
		}
		names = append(names, c.encodedString())
		if c.u32(); c.short || len(names) > cim.MaxDerivation {
			return nil, malformed("a list of superclasses that does not fit")
		}
	}
	return names, nil
}

// properties reads the PropertyLookupTable and what it refers to. The
// properties of the class get the order of their declaration, which is the
// order of the NdTable too. See [MS-WMIO] 2.2.21 to 2.2.36.
func (d *decoder) properties(l *layout, lookup, tables []byte, h *heap) error {
	n := len(lookup) / 8
	if n == 0 {
		l.class.Seal()
		return nil
	}
	if err := d.charge(n * costProperty); err != nil {
		return err
	}
	l.class.Properties, l.fields, l.sorted = make([]cim.Property, n), make([]field, n), make([]int, n)
	if err := declarationOrder(l, lookup, h); err != nil {
		return err
	}
	c := cursor{b: lookup}
	for _, i := range l.sorted {
		nameRef, infoRef := c.u32(), c.u32()
		p := &l.class.Properties[i]
		var err error
		if p.Name, err = d.name(h, nameRef); err != nil {
			return err
		}
		if err := d.property(l, p, &l.fields[i], cursor{b: h.at(infoRef)}, tables, h); err != nil {
			return err
		}
	}
	l.class.Seal()
	for i := range l.class.Properties {
		if l.class.PropertyIndex(l.class.Properties[i].Name) != i {
			return malformed("two properties of one name")
		}
	}
	return nil
}

// declarationOrder finds the place of each looked-up property in the class.
func declarationOrder(l *layout, lookup []byte, h *heap) error {
	at := make([]int, 4*l.nd) // one more than the place in the lookup table, by DeclarationOrder
	c := cursor{b: lookup}
	for i := range l.sorted {
		c.u32()
		info := cursor{b: h.at(c.u32())}
		info.u32()
		order := int(info.u16())
		if info.short || order >= len(at) || at[order] != 0 {
			return malformed("a property without a place of its own")
		}
		at[order] = i + 1
	}
	place := 0
	for _, i := range at {
		if i > 0 {
			l.sorted[i-1] = place
			place++
		}
	}
	return nil
}

// property reads a PropertyInfo and the default of the property.
func (d *decoder) property(l *layout, p *cim.Property, f *field, info cursor, tables []byte, h *heap) error {
	raw, order, offset, origin := info.u32(), info.u16(), int(info.u32()), info.u32()
	set := info.counted()
	if info.short {
		return malformed("a property leaves the heap")
	}
	t, inherits, err := cimType(raw)
	if err != nil {
		return err
	}
	*f = field{typ: t, bits: int(order), offset: l.nd + offset, size: slotSize(t)}
	if offset < 0 || f.offset+f.size > l.table {
		return malformed("a property whose value is outside of its table")
	}
	cimtype := ""
	if p.Qualifiers, err = d.qualifiers(set, h, &cimtype); err != nil {
		return err
	}
	p.Type, p.Origin, p.Key = t, originOf(l.class, origin, inherits), p.Qualifiers.True("Key")
	switch e := t.Elem(); {
	case e == cim.Reference || e == cim.Object:
		p.RefClass = refClass(cimtype)
	case e == cim.Datetime && cimtype == "": // is a string, [MS-WMIO] 2.3.1
		p.Type = cim.String | t&cim.ArrayFlag
	}
	f.as = p.Type
	if nullness(tables, f.bits)&ndNull != 0 {
		p.Default = cim.Null(p.Type)
		return nil
	}
	// A value is there also where it is the superclass's.
	err = d.value(&p.Default, t, tables[f.offset:f.offset+f.size], h)
	if err == nil {
		p.Default = retyped(p.Default, p.Type)
	}
	return err
}

func nullness(table []byte, n int) byte { return table[n/4] >> (n % 4 * 2) & 3 }

// retyped is a text of one type as a text of another, or an array of them.
func retyped(v cim.Value, t cim.Type) cim.Value {
	switch {
	case v.Type() == t:
		return v
	case v.IsNull():
		return cim.Null(t)
	case t.IsArray():
		elems := slices.Clone(v.Elems())
		for i := range elems {
			elems[i] = retyped(elems[i], t.Elem())
		}
		return cim.Array(t.Elem(), elems)
	}
	s, _ := v.Str()
	return textValue(t, s)
}

// originOf is the class that a ClassOfOrigin or MethodOrigin names. The
// examples of [MS-WMIO] 3.2 count from the top class: there 0 is Base, 1
// MyClass and 2 MyClass2 itself, while the list of superclasses begins with
// MyClass. "" where the list was left out, as in a prototype.
func originOf(c *cim.Class, n uint32, inherits bool) string {
	switch above := uint32(len(c.Derivation)); {
	case n < above:
		return c.Derivation[above-1-n]
	case n == above || !inherits:
		return c.Name
	}
	return ""
}

// methods reads a MethodsPart into the class of l. See [MS-WMIO] 2.2.38.
func (d *decoder) methods(l *layout, b []byte, text string) error {
	c := cursor{b: b}
	c.take(4) // EncodingLength
	count := int(c.u16())
	c.take(2)
	list := cursor{b: c.take(count * 24)}
	h := c.heap()
	if c.short || count > cim.MaxMethods {
		return malformed("a list of methods that does not fit")
	}
	if count == 0 {
		return nil
	}
	h.s = text[len(b)-len(c.b)-len(h.b) : len(b)-len(c.b)]
	if err := d.charge(count * costMethod); err != nil {
		return err
	}
	l.class.Methods = make([]cim.Method, count)
	l.in, l.out = make([]*layout, count), make([]*layout, count)
	for i := range l.class.Methods {
		m := &l.class.Methods[i]
		nameRef, flags := list.u32(), list.u8()
		list.take(3)
		origin, set, in, out := list.u32(), list.u32(), list.u32(), list.u32()
		var err error
		if m.Name, err = d.name(&h, nameRef); err != nil {
			return err
		}
		m.Origin = originOf(l.class, origin, cim.Flavor(flags)&cim.Propagated != 0)
		if set != noRef {
			q := cursor{b: h.at(set)}
			own := q.counted()
			if q.short {
				return malformed("the qualifiers of a method leave the heap")
			}
			if m.Qualifiers, err = d.qualifiers(own, &h, nil); err != nil {
				return err
			}
		}
		m.Static = m.Qualifiers.True("Static")
		if l.in[i], err = d.signature(in, &h); err != nil {
			return err
		}
		if l.out[i], err = d.signature(out, &h); err != nil {
			return err
		}
		m.In, _ = parameters(l.in[i])
		m.Out, m.Return = parameters(l.out[i])
	}
	return nil
}

// signature reads a MethodSignatureBlock: a class __PARAMETERS, or nothing.
// Its length does not count itself, against the letter of [MS-WMIO] 2.2.73:
// the example in 3.2 and 2.2.70 say so.
func (d *decoder) signature(ref uint32, h *heap) (*layout, error) {
	if ref == noRef {
		return nil, nil
	}
	c := cursor{b: h.at(ref)}
	block := c.take(int(c.u32()))
	switch {
	case c.short:
		return nil, malformed("a signature leaves the heap")
	case len(block) == 0:
		return nil, nil
	}
	if d.depth++; d.depth > maxDepth {
		return nil, malformed("objects in objects, too deep")
	}
	defer func() { d.depth-- }()
	c = cursor{b: block}
	p, err := c.prologue()
	switch {
	case err != nil:
		return nil, err
	case p.flags&flagClass == 0:
		return nil, malformed("a signature that is no class")
	}
	return d.definition(p, c.b)
}

// parameters are the parameters that a signature declares, and the type of
// the return value.
func parameters(l *layout) (list []cim.Parameter, returns cim.Type) {
	if l == nil {
		return nil, cim.Untyped
	}
	list = make([]cim.Parameter, 0, len(l.class.Properties))
	for _, p := range l.class.Properties {
		if cim.EqualFold(p.Name, returnValue) {
			returns = p.Type
			continue
		}
		list = append(list, cim.Parameter{
			Name: p.Name, Type: p.Type, RefClass: p.RefClass, Default: p.Default,
			Qualifiers: p.Qualifiers, Optional: p.Qualifiers.True("Optional"),
		})
	}
	return list, returns
}
