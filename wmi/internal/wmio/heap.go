package wmio

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/casementhq/casement/cim"
)

// heap are the items that the references of one part of an object point into.
// See [MS-WMIO] 2.2.66.
type heap struct {
	b []byte
	// s is b as text. Every text of ASCII in the heap is a piece of it, so that
	// an object costs one allocation for all of them.
	s string
}

func (h *heap) text() string {
	if h.s == "" {
		h.s = string(h.b)
	}
	return h.s
}

// heap takes a heap.
func (c *cursor) heap() heap { return heap{b: c.take(int(c.u32() &^ topBit))} }

// at is what stands in the heap from a reference on; nil where it points
// outside.
func (h *heap) at(ref uint32) []byte {
	if uint64(ref) >= uint64(len(h.b)) {
		return nil
	}
	return h.b[ref:]
}

// decoder reads one object, or one packet of them.
type decoder struct {
	codec *Codec
	budget
	depth int
	// slabs that the qualifiers and the elements of short arrays are cut from
	someQualifiers []cim.Qualifier
	someValues     []cim.Value
}

// slab is how many qualifiers or values are allocated at once.
const slab = 32

// elements is room for n elements of an array.
func (d *decoder) elements(n int) []cim.Value {
	if n > slab/2 {
		return make([]cim.Value, n)
	}
	if len(d.someValues) < n {
		d.someValues = make([]cim.Value, slab)
	}
	v := d.someValues[:n:n]
	d.someValues = d.someValues[n:]
	return v
}

// str is the text that a HeapStringRef points at; ok is false for none.
func (d *decoder) str(h *heap, ref uint32) (text string, ok bool, err error) {
	if ref == noRef {
		return "", false, nil
	}
	if ref&topBit != 0 {
		if n := ref &^ topBit; n < uint32(len(dictionary)) {
			return dictionary[n], true, nil
		}
		return "", false, malformed("a string that is not in the dictionary")
	}
	b := h.at(ref)
	n := stringLength(b)
	if n < 0 {
		return "", false, malformed("a reference to a string leaves the heap")
	}
	if b[0]&1 == 0 && ascii(b[1:n-1]) {
		// nothing is copied, but looking for the end takes time
		if err := d.charge(n); err != nil {
			return "", false, err
		}
		return h.text()[int(ref)+1 : int(ref)+n-1], true, nil
	}
	if err := d.charge(4 * n); err != nil {
		return "", false, err
	}
	return decodeString(b[:n]), true, nil
}

// name is the text of a reference that must not be to nothing.
func (d *decoder) name(h *heap, ref uint32) (string, error) {
	s, ok, err := d.str(h, ref)
	if err == nil && (!ok || s == "") {
		err = malformed("an element without a name")
	}
	return s, err
}

// value reads the EncodedValue in slot, which is slotSize(t) octets, into v. It stands
// alone beside inline and textValue because most of decoding is here, and a Value
// handed from hand to hand costs more than reading it.
func (d *decoder) value(v *cim.Value, t cim.Type, slot []byte, h *heap) error {
	switch {
	case t.IsArray():
		return d.array(v, t, binary.LittleEndian.Uint32(slot), h)
	case t == cim.String, t == cim.Datetime, t == cim.Reference:
		s, ok, err := d.str(h, binary.LittleEndian.Uint32(slot))
		switch {
		case err != nil:
			return err
		case !ok:
			*v = cim.Null(t)
		case t == cim.String:
			*v = cim.Str(s)
		default:
			*v = textValue(t, s)
		}
		return nil
	case t == cim.Object:
		return d.embedded(v, binary.LittleEndian.Uint32(slot), h)
	}
	inline(v, t, slot)
	return nil
}

func textValue(t cim.Type, s string) cim.Value {
	switch t {
	case cim.Datetime:
		return cim.Time(cim.DateTime(s))
	case cim.Reference:
		return cim.Ref(s)
	}
	return cim.Str(s)
}

// inline reads a value that stands in its slot.
func inline(v *cim.Value, t cim.Type, slot []byte) {
	switch t {
	case cim.Boolean:
		*v = cim.Bool(binary.LittleEndian.Uint16(slot) != 0)
	case cim.Uint8:
		*v = cim.U8(slot[0])
	case cim.Uint16:
		*v = cim.U16(binary.LittleEndian.Uint16(slot))
	case cim.Uint32:
		*v = cim.U32(binary.LittleEndian.Uint32(slot))
	case cim.Uint64:
		*v = cim.U64(binary.LittleEndian.Uint64(slot))
	case cim.Sint8:
		*v = cim.Int(t, int64(int8(slot[0])))
	case cim.Sint16:
		*v = cim.S16(int16(binary.LittleEndian.Uint16(slot)))
	case cim.Sint32:
		*v = cim.S32(int32(binary.LittleEndian.Uint32(slot)))
	case cim.Sint64:
		*v = cim.S64(int64(binary.LittleEndian.Uint64(slot)))
	case cim.Char16:
		*v = cim.Uint(t, uint64(binary.LittleEndian.Uint16(slot)))
	case cim.Real32:
		*v = cim.Real(t, float64(math.Float32frombits(binary.LittleEndian.Uint32(slot))))
	case cim.Real64:
		*v = cim.Real(t, math.Float64frombits(binary.LittleEndian.Uint64(slot)))
	}
}

// array reads an Encoded-Array. See [MS-WMIO] 2.2.79.
func (d *decoder) array(v *cim.Value, t cim.Type, ref uint32, h *heap) error {
	if ref == noRef {
		*v = cim.Null(t)
		return nil
	}
	c := cursor{b: h.at(ref)}
	count, elem := uint64(c.u32()), t.Elem()
	size := slotSize(elem)
	if c.short || count*uint64(size) > uint64(len(c.b)) {
		return malformed("an array leaves the heap")
	}
	if err := d.charge(int(count) * costValue); err != nil {
		return err
	}
	elems := d.elements(int(count))
	for n := range elems {
		if err := d.value(&elems[n], elem, c.take(size), h); err != nil {
			return err
		}
	}
	*v = cim.Array(elem, elems)
	return nil
}

// embedded reads an object in the heap: its length, which does not count
// itself, and its block. See [MS-WMIO] 2.2.71.
func (d *decoder) embedded(v *cim.Value, ref uint32, h *heap) error {
	if ref == noRef {
		*v = cim.Null(cim.Object)
		return nil
	}
	c := cursor{b: h.at(ref)}
	block := c.take(int(c.u32()))
	if c.short {
		return malformed("an embedded object leaves the heap")
	}
	i, _, err := d.block(block)
	if err == nil {
		*v = cim.Obj(i)
	}
	return err
}

// qualifiers reads the qualifiers of a QualifierSet without its length. Where
// cimtype is given, it gets the text of CIMTYPE, which is then left out: type
// and class of a property say it too. See [MS-WMIO] 2.2.59.
func (d *decoder) qualifiers(set []byte, h *heap, cimtype *string) (q cim.Qualifiers, err error) {
	for c := (cursor{b: set}); len(c.b) > 0; {
		ref, flavor, raw := c.u32(), c.u8(), c.u32()
		t, _, err := cimType(raw)
		if err != nil {
			return nil, err
		}
		slot := c.take(slotSize(t))
		if c.short || t.Elem() == cim.Object {
			return nil, malformed("a qualifier set that is none")
		}
		name, err := d.name(h, ref)
		if err != nil {
			return nil, err
		}
		var v cim.Value
		if err := d.value(&v, t, slot, h); err != nil {
			return nil, err
		}
		if cimtype != nil && cim.EqualFold(name, "CIMTYPE") {
			*cimtype, _ = v.Str()
			continue
		}
		if err := d.charge(costQualifier); err != nil {
			return nil, err
		}
		if q == nil {
			q = d.roomForQualifiers(1 + len(c.b)/minQualifier)
		}
		q = append(q, cim.Qualifier{Name: name, Value: v, Flavor: cim.Flavor(flavor)})
	}
	if n := len(q); n > 0 && len(d.someQualifiers) > 0 && &q[0] == &d.someQualifiers[0] {
		d.someQualifiers = d.someQualifiers[n:]
	}
	return slices.Clip(q), nil
}

// minQualifier is the octets of the shortest qualifier that is in use, a
// boolean.
const minQualifier = 11

// roomForQualifiers is the room for up to n qualifiers, of which the caller
// takes away what it used. Nothing else is cut from the slab in between, for
// no qualifier is an object.
func (d *decoder) roomForQualifiers(n int) cim.Qualifiers {
	if n > slab/2 {
		return make(cim.Qualifiers, 0, n)
	}
	if len(d.someQualifiers) < n {
		d.someQualifiers = make([]cim.Qualifier, slab)
	}
	return d.someQualifiers[:0:n]
}
