package repository

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"

	"github.com/casementhq/casement/cim"
)

var (
	errContent = errors.New("the content makes no sense")
	errOrder   = errors.New("it is out of order")
	errKey     = errors.New("its key is wrong")
)

// decoder reads what an encoder wrote. The texts that it returns lie in b: they
// are valid as long as b is. Every length is checked against what is left of b
// before anything is made for it. err stays once it is set, and zero values
// come from then on.
type decoder struct {
	b     []byte
	depth int
	err   error
}

func (d *decoder) fail() { d.b, d.err = nil, errContent }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool { return d.byte() != 0 }

func (d *decoder) text() string {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	if n == 0 {
		return ""
	}
	s := unsafe.String(&d.b[0], n) //nolint:gosec // the bytes do not change while they are valid
	d.b = d.b[n:]
	return s
}

// count reads the length of a list whose items have at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) typ() cim.Type {
	n := d.uint()
	if n > math.MaxUint16 {
		d.fail()
	}
	return cim.Type(n)
}

// value reads a value where one of type t is expected.
func (d *decoder) value(t cim.Type) cim.Value {
	state := d.byte()
	if state == stateOther {
		t, state = d.typ(), d.byte()
	}
	switch state {
	case stateNull:
		return cim.Null(t)
	case stateValue:
		return d.present(t)
	}
	d.fail()
	return cim.Value{}
}

func (d *decoder) present(t cim.Type) cim.Value {
	if t.IsArray() {
		if d.depth++; d.depth > maxDepth { // an element may claim to be an array
			d.fail()
			return cim.Value{}
		}
		n := d.count(1)
		elems := make([]cim.Value, 0, min(n, 64)) // the length is a claim: more room comes with the elements
		for range n {
			if d.err != nil {
				return cim.Value{}
			}
			elems = append(elems, d.value(t.Elem()))
		}
		d.depth--
		return cim.Array(t.Elem(), elems)
	}
	switch {
	case t.IsSigned():
		v, n := binary.Varint(d.b)
		if n <= 0 {
			d.fail()
			return cim.Value{}
		}
		d.b = d.b[n:]
		return cim.Int(t, v)
	case t.IsUnsigned(), t == cim.Char16:
		return cim.Uint(t, d.uint())
	case t.IsReal():
		if len(d.b) < 8 {
			d.fail()
			return cim.Value{}
		}
		v := binary.LittleEndian.Uint64(d.b)
		d.b = d.b[8:]
		return cim.Real(t, math.Float64frombits(v))
	}
	switch t {
	case cim.Boolean:
		return cim.Bool(d.bool())
	case cim.String:
		return cim.Str(d.text())
	case cim.Datetime:
		return cim.Time(cim.DateTime(d.text()))
	case cim.Reference:
		return cim.Ref(d.text())
	case cim.Untyped:
		return cim.Text(d.text())
	case cim.Object:
		return cim.Obj(d.object())
	}
	d.fail()
	return cim.Value{}
}

func (d *decoder) object() *cim.Instance {
	if d.depth++; d.depth > maxDepth {
		d.fail()
		return nil
	}
	definition := d.bool()
	c := d.class()
	if d.err != nil {
		return nil
	}
	c.Seal()
	d.depth--
	if definition {
		return cim.ClassObject(c)
	}
	values := make([]cim.Value, len(c.Properties))
	for i := range values {
		values[i] = d.value(c.Properties[i].Type)
	}
	return cim.MakeInstance(c, values)
}

// class reads a class; it is not sealed.
func (d *decoder) class() *cim.Class {
	c := &cim.Class{Name: d.text(), Superclass: d.text()}
	for range d.count(1) {
		if d.err != nil {
			return c
		}
		c.Derivation = append(c.Derivation, d.text())
	}
	c.Namespace, c.Server, c.Partial = d.text(), d.text(), d.bool()
	c.Qualifiers = d.qualifiers()
	for range d.count(7) {
		if d.err != nil {
			return c
		}
		p := cim.Property{Name: d.text(), Type: d.typ(), RefClass: d.text(), Key: d.bool(), Origin: d.text()}
		p.Default, p.Qualifiers = d.value(p.Type), d.qualifiers()
		c.Properties = append(c.Properties, p)
	}
	for range d.count(7) {
		if d.err != nil {
			return c
		}
		m := cim.Method{Name: d.text(), Return: d.typ(), Static: d.bool(), Origin: d.text(), Qualifiers: d.qualifiers()}
		m.In, m.Out = d.parameters(), d.parameters()
		c.Methods = append(c.Methods, m)
	}
	return c
}

func (d *decoder) qualifiers() (list cim.Qualifiers) {
	for range d.count(3) {
		if d.err != nil {
			return nil
		}
		list = append(list, cim.Qualifier{Name: d.text(), Flavor: cim.Flavor(d.byte()), Value: d.value(cim.Boolean)})
	}
	return list
}

func (d *decoder) parameters() (list []cim.Parameter) {
	for range d.count(6) {
		if d.err != nil {
			return nil
		}
		p := cim.Parameter{Name: d.text(), Type: d.typ(), RefClass: d.text(), Optional: d.bool()}
		p.Default, p.Qualifiers = d.value(p.Type), d.qualifiers()
		list = append(list, p)
	}
	return list
}

// end fails where something is left.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	return d.err
}
