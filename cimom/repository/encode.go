package repository

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/casementhq/casement/cim"
)

// The form of values. Numbers are varints, zigzag where signed; reals are their
// 8 bytes; a text, a list and an array have their length before them.
const (
	stateNull  = 0 // NULL of the type that is expected here
	stateValue = 1 // a value of that type
	stateOther = 2 // another type, then the state and the value
)

// maxDepth is how deep embedded objects may nest.
const maxDepth = 32

var errTooDeep = errors.New("objects are nested too deep")

// encoder appends to b; err stays once it is set.
type encoder struct {
	b     []byte
	depth int
	err   error
}

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

// value appends v where a value of type t is expected.
func (e *encoder) value(v cim.Value, t cim.Type) {
	if v.Type() != t {
		t = v.Type()
		e.b = append(e.b, stateOther)
		e.uint(uint64(t))
	}
	if v.IsNull() {
		e.b = append(e.b, stateNull)
		return
	}
	e.b = append(e.b, stateValue)
	if t.IsArray() {
		elems := v.Elems()
		e.uint(uint64(len(elems)))
		for _, x := range elems {
			e.value(x, t.Elem())
		}
		return
	}
	switch {
	case t.IsSigned():
		n, _ := v.Int()
		e.b = binary.AppendVarint(e.b, n)
	case t.IsUnsigned(), t == cim.Char16:
		n, _ := v.Uint()
		e.uint(n)
	case t.IsReal():
		f, _ := v.Float()
		e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(f))
	case t == cim.Boolean:
		x, _ := v.Bool()
		e.bool(x)
	case t == cim.Object:
		e.object(v.Object())
	default:
		s, _ := v.Str()
		e.text(s)
	}
}

// object appends an embedded object with its class, or an embedded class.
func (e *encoder) object(i *cim.Instance) {
	if e.depth++; e.depth > maxDepth {
		e.err = errTooDeep
		return
	}
	e.bool(i.IsClass())
	e.class(i.Class())
	if !i.IsClass() {
		for n := range i.Len() {
			e.value(i.At(n), i.Class().Properties[n].Type)
		}
	}
	e.depth--
}

// class appends all that a class says.
func (e *encoder) class(c *cim.Class) {
	e.text(c.Name)
	e.text(c.Superclass)
	e.uint(uint64(len(c.Derivation)))
	for _, d := range c.Derivation {
		e.text(d)
	}
	e.text(c.Namespace)
	e.text(c.Server)
	e.bool(c.Partial)
	e.qualifiers(c.Qualifiers)
	e.uint(uint64(len(c.Properties)))
	for i := range c.Properties {
		p := &c.Properties[i]
		e.text(p.Name)
		e.uint(uint64(p.Type))
		e.text(p.RefClass)
		e.bool(p.Key)
		e.text(p.Origin)
		e.value(p.Default, p.Type)
		e.qualifiers(p.Qualifiers)
	}
	e.uint(uint64(len(c.Methods)))
	for i := range c.Methods {
		m := &c.Methods[i]
		e.text(m.Name)
		e.uint(uint64(m.Return))
		e.bool(m.Static)
		e.text(m.Origin)
		e.qualifiers(m.Qualifiers)
		e.parameters(m.In)
		e.parameters(m.Out)
	}
}

func (e *encoder) qualifiers(q cim.Qualifiers) {
	e.uint(uint64(len(q)))
	for i := range q {
		e.text(q[i].Name)
		e.b = append(e.b, byte(q[i].Flavor))
		e.value(q[i].Value, cim.Boolean)
	}
}

func (e *encoder) parameters(list []cim.Parameter) {
	e.uint(uint64(len(list)))
	for i := range list {
		p := &list[i]
		e.text(p.Name)
		e.uint(uint64(p.Type))
		e.text(p.RefClass)
		e.bool(p.Optional)
		e.value(p.Default, p.Type)
		e.qualifiers(p.Qualifiers)
	}
}
