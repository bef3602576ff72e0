package wmio

import (
	"cmp"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
)

// compile makes the layout of a class, and its ClassPart, for instances.
func (k *Codec) compile(c *cim.Class) (*layout, error) {
	e := encoder{codec: k}
	l, err := e.classPart(c, nil)
	if err != nil {
		return nil, err
	}
	if len(e.b) > maxClassPart {
		return nil, unencodable(cim.ErrTooMuchData, c.Name, "a class of more than 1 MiB")
	}
	l.part = string(e.b)
	return l, nil
}

// class appends the ObjectBlock of a class definition. A class that was
// received as one goes out in the same octets. One that is Partial is the
// prototype of the results of a query; whether it had keys that are left out is
// not to be seen where some are there. See [MS-WMI] 2.2.4.1.
func (e *encoder) class(c, super *cim.Class, flags Flags) error {
	if e.depth++; e.depth > maxDepth {
		return unencodable(cim.ErrInvalidObject, c.Name, "objects in objects, too deep")
	}
	defer func() { e.depth-- }()
	if c.Partial {
		flags |= Prototype
		if len(c.Keys()) == 0 {
			flags |= KeysLeftOut
		}
	}
	e.prologue(c, flagClass|flags)
	if l := e.codec.known(c); l != nil && l.whole != "" {
		e.b = append(e.b, l.whole...)
		return nil
	}
	switch {
	case c.Superclass == "":
		super = &cim.Class{}
	case super == nil:
		super = parentOf(c)
	}
	for _, one := range [...]struct{ c, super *cim.Class }{{super, nil}, {c, super}} {
		if _, err := e.classPart(one.c, one.super); err != nil {
			return err
		}
		if err := e.methodsPart(one.c); err != nil {
			return err
		}
	}
	return nil
}

// parentOf is the superclass of c as far as c shows it.
func parentOf(c *cim.Class) *cim.Class {
	p := &cim.Class{Name: c.Superclass, Server: c.Server, Namespace: c.Namespace, Qualifiers: fromAbove(c.Qualifiers)}
	if above := derivation(c); len(above) > 1 {
		p.Superclass, p.Derivation = above[1], above[1:]
	}
	for _, one := range c.Properties {
		if _, inherits := originNumber(c, one.Origin); inherits {
			one.Qualifiers = fromAbove(one.Qualifiers)
			p.Properties = append(p.Properties, one)
		}
	}
	for _, m := range c.Methods {
		if _, inherits := originNumber(c, m.Origin); inherits {
			p.Methods = append(p.Methods, m)
		}
	}
	return p.Seal()
}

// fromAbove are the qualifiers that were inherited, as the class above has
// them.
func fromAbove(q cim.Qualifiers) cim.Qualifiers {
	var above cim.Qualifiers
	for _, one := range q {
		if one.Flavor&cim.Propagated != 0 {
			one.Flavor &^= cim.Propagated
			above = append(above, one)
		}
	}
	return above
}

// derivation are the superclasses, the nearest first.
func derivation(c *cim.Class) []string {
	if len(c.Derivation) == 0 && c.Superclass != "" {
		return []string{c.Superclass}
	}
	return c.Derivation
}

// originNumber is the ClassOfOrigin of an element, see originOf, and whether
// that is a superclass.
func originNumber(c *cim.Class, origin string) (n uint32, inherits bool) {
	above := derivation(c)
	if origin != "" && !cim.EqualFold(origin, c.Name) {
		for i, name := range above {
			if cim.EqualFold(name, origin) {
				return uint32(len(above) - 1 - i), true
			}
		}
	}
	return uint32(len(above)), false
}

// checkName refuses names that an Encoded-String would cut short.
func checkName(name string) error {
	if name == "" || strings.IndexByte(name, 0) >= 0 {
		return unencodable(cim.ErrInvalidObject, "", "an element without a name that can be sent")
	}
	return nil
}

// lookupOrder are the properties in the order of the PropertyLookupTable: by
// name without regard to case, as one looks for them. See [MS-WMIO] 2.2.21.
func lookupOrder(p []cim.Property) []int {
	order := make([]int, len(p))
	folded := make([]string, len(p))
	for i := range p {
		order[i], folded[i] = i, cim.Fold(p[i].Name)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(folded[a], folded[b]) })
	return order
}

// classPart appends a ClassPart, and returns the layout without its octets.
// Where super is nil, an inherited default is taken to be the superclass's.
// The heap begins with the name and the qualifiers of the class, then has the
// properties as they are looked up and last the defaults, as the examples in
// [MS-WMIO] 3 have them.
func (e *encoder) classPart(c, super *cim.Class) (*layout, error) {
	if len(c.Properties) > cim.MaxProperties {
		return nil, unencodable(cim.ErrTooManyProperties, c.Name, "a class has at most 1024 properties")
	}
	l := newLayout(c)
	for _, f := range l.fields {
		if slotSize(f.typ) == 0 {
			return nil, unencodable(cim.ErrInvalidCimType, c.Name, "a property without a type")
		}
	}
	start := e.reserve(13)
	e.setU32(start+9, uint32(l.table))
	list := e.reserve(4)
	for _, name := range derivation(c) {
		if err := checkName(name); err != nil {
			return nil, err
		}
		e.b = appendString(e.b, name)
		e.u32(uint32(stringSize(name)))
	}
	e.setU32(list, uint32(len(e.b)-list))
	qualifiers := e.reserve(qualifierSize(c.Qualifiers))
	e.u32(uint32(len(c.Properties)))
	lookup := e.reserve(8 * len(c.Properties))
	table := e.reserve(l.table)
	outer := e.beginHeap()
	if c.Name == "" && len(c.Properties) == 0 {
		e.setU32(start+5, noRef) // the parent of a top class
	} else if err := checkName(c.Name); err != nil {
		return nil, err
	} else {
		e.name(start+5, c.Name)
	}
	if err := e.qualifiers(qualifiers, c.Qualifiers); err != nil {
		return nil, err
	}
	for at, n := range l.sorted {
		if err := e.property(lookup+8*at, c, n, &l.fields[n], l.nd); err != nil {
			return nil, inProperty(err, c, n)
		}
	}
	for _, n := range l.sorted {
		f := &l.fields[n]
		e.b[table+f.bits/4] |= defaultBits(c, super, n) << (f.bits % 4 * 2)
		if err := e.defaultValue(table+f.offset, f.typ, c.Properties[n].Default); err != nil {
			return nil, inProperty(err, c, n)
		}
	}
	if err := e.endHeap(outer); err != nil {
		return nil, err
	}
	e.setU32(start, uint32(len(e.b)-start))
	return l, nil
}

// newLayout places the values of the properties one after the other.
func newLayout(c *cim.Class) *layout {
	l := &layout{class: c, nd: ndSize(len(c.Properties)), sorted: lookupOrder(c.Properties), fields: make([]field, len(c.Properties))}
	l.table = l.nd
	for n := range c.Properties {
		t := c.Properties[n].Type
		l.fields[n] = field{typ: t, as: t, bits: n, offset: l.table, size: slotSize(t)}
		l.table += l.fields[n].size
	}
	return l
}

// property appends the name and the PropertyInfo of property n and puts their
// references at lookup. The CIMTYPE qualifier comes first, as the type of a
// property does. See [MS-WMIO] 2.2.30.
func (e *encoder) property(lookup int, c *cim.Class, n int, f *field, nd int) error {
	p := &c.Properties[n]
	if err := checkName(p.Name); err != nil {
		return err
	}
	typ, flavor := uint32(p.Type), cim.ToInstance|cim.ToSubClass
	origin, inherits := originNumber(c, p.Origin)
	if inherits {
		typ |= inherited
		flavor |= cim.Propagated
	}
	q := make(cim.Qualifiers, 1, 1+len(p.Qualifiers))
	q[0] = cim.Qualifier{Name: "CIMTYPE", Value: cim.Str(cimtype(p.Type, p.RefClass)), Flavor: flavor}
	q = append(q, p.Qualifiers...)
	e.name(lookup, p.Name)
	e.setU32(lookup+4, e.ref())
	e.u32(typ)
	e.u16(uint16(f.bits))
	e.u32(uint32(f.offset - nd))
	e.u32(origin)
	return e.qualifiers(e.reserve(qualifierSize(q)), q)
}

// defaultBits are the NullAndDefaultFlag of the default of property n.
func defaultBits(c, super *cim.Class, n int) byte {
	p := &c.Properties[n]
	nd := byte(0)
	if p.Default.IsNull() {
		nd |= ndNull
	}
	_, from := originNumber(c, p.Origin)
	if super != nil {
		above := super.Property(p.Name)
		from = above != nil && above.Default.Equal(p.Default)
	}
	if from {
		nd |= ndDefault
	}
	return nd
}

// defaultValue fills the slot of a default; one that is NULL is all ones. See
// [MS-WMIO] 2.2.74.
func (e *encoder) defaultValue(slot int, t cim.Type, v cim.Value) error {
	if v.IsNull() {
		for n := range slotSize(t) {
			e.b[slot+n] = 0xFF
		}
		return nil
	}
	return e.value(slot, t, v)
}

// methodsPart appends a MethodsPart. See [MS-WMIO] 2.2.38.
func (e *encoder) methodsPart(c *cim.Class) error {
	if len(c.Methods) > cim.MaxMethods {
		return unencodable(cim.ErrTooMuchData, c.Name, "a class has at most 1024 methods")
	}
	start := e.reserve(4)
	e.u16(uint16(len(c.Methods)))
	e.u16(0)
	at := e.reserve(24 * len(c.Methods))
	outer := e.beginHeap()
	for i := range c.Methods {
		if err := e.method(at+24*i, c, &c.Methods[i]); err != nil {
			return err
		}
	}
	if err := e.endHeap(outer); err != nil {
		return err
	}
	e.setU32(start, uint32(len(e.b)-start))
	return nil
}

// method fills the MethodDescription at `at`. See [MS-WMIO] 2.2.41.
func (e *encoder) method(at int, c *cim.Class, m *cim.Method) error {
	if err := checkName(m.Name); err != nil {
		return err
	}
	e.name(at, m.Name)
	origin, inherits := originNumber(c, m.Origin)
	if inherits {
		e.b[at+4] = byte(cim.Propagated)
	}
	e.setU32(at+8, origin)
	for way, slot := range [...]int{at + 16, at + 20} {
		if err := e.signature(slot, signatureClass(c, m, way == 1)); err != nil {
			return err
		}
	}
	q := m.Qualifiers
	if m.Static && !q.True("Static") {
		q = append(slices.Clip(q), cim.Qualifier{Name: "Static", Value: cim.Bool(true), Flavor: cim.ToSubClass | cim.NotOverridable})
	}
	e.setU32(at+12, e.ref())
	return e.qualifiers(e.reserve(qualifierSize(q)), q)
}

// signature appends a MethodSignatureBlock and puts the reference to it at
// slot. See [MS-WMIO] 2.2.70.
func (e *encoder) signature(slot int, c *cim.Class) error {
	if c == nil && !e.codec.EmptySignatures {
		e.setU32(slot, noRef)
		return nil
	}
	e.setU32(slot, e.ref())
	length := e.reserve(4)
	if c != nil {
		if err := e.class(c, nil, 0); err != nil {
			return err
		}
	}
	e.setU32(length, uint32(len(e.b)-length-4))
	return nil
}
