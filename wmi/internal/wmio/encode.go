package wmio

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/casementhq/casement/cim"
)

// AppendUnit appends an object as an EncodingUnit: what stands in an
// OBJREF_CUSTOM of an IWbemClassObject. A class object gives a class, as
// AppendClass. It fails with ErrTypeMismatch where a value is not of the type
// of its property, and with ErrInvalidObject where the object has no form on
// the wire; dst is then unchanged. See [MS-WMIO] 2.2.1.
func (k *Codec) AppendUnit(dst []byte, i *cim.Instance) ([]byte, error) {
	return k.unit(dst, func(e *encoder) error { return e.block(i) })
}

// AppendBlock is AppendUnit without the envelope. See [MS-WMIO] 2.2.2.
func (k *Codec) AppendBlock(dst []byte, i *cim.Instance) ([]byte, error) {
	e := encoder{codec: k, b: dst}
	if err := e.block(i); err != nil {
		return dst, err
	}
	return e.b, nil
}

// AppendClass appends a class definition as an EncodingUnit. super is the
// superclass, which the definition carries along; where it is nil and the
// class has one, it is put together from what the class inherited. flags are
// Prototype and KeysLeftOut, or 0.
func (k *Codec) AppendClass(dst []byte, c, super *cim.Class, flags Flags) ([]byte, error) {
	return k.unit(dst, func(e *encoder) error { return e.class(c, super, flags) })
}

func (k *Codec) unit(dst []byte, block func(*encoder) error) ([]byte, error) {
	e := encoder{codec: k, b: binary.LittleEndian.AppendUint32(dst, signature)}
	at := e.reserve(4)
	if err := block(&e); err != nil {
		return dst, err
	}
	e.setU32(at, uint32(len(e.b)-at-4))
	return e.b, nil
}

// unencodable is the error of an object that the wire has no form for.
func unencodable(status cim.Status, path, why string) error {
	return &cim.Error{Status: status, Path: path, Detail: why}
}

// encoder appends to b. The items of the heap that is being filled begin at
// heap.
type encoder struct {
	codec *Codec
	b     []byte
	heap  int
	depth int
}

// reserve appends n octets of 0 and returns where they are.
func (e *encoder) reserve(n int) int {
	at := len(e.b)
	e.b = slices.Grow(e.b, n)[:at+n]
	clear(e.b[at:])
	return at
}

func (e *encoder) u8(v uint8)              { e.b = append(e.b, v) }
func (e *encoder) u16(v uint16)            { e.b = binary.LittleEndian.AppendUint16(e.b, v) }
func (e *encoder) u32(v uint32)            { e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *encoder) setU32(at int, v uint32) { binary.LittleEndian.PutUint32(e.b[at:], v) }

// beginHeap appends the length of a heap, whose items come next, and returns
// the heap around it.
func (e *encoder) beginHeap() (outer int) {
	e.reserve(4)
	outer, e.heap = e.heap, len(e.b)
	return outer
}

func (e *encoder) endHeap(outer int) error {
	n := len(e.b) - e.heap
	if n > math.MaxInt32 {
		return unencodable(cim.ErrTooMuchData, "", "an object of more than 2 GiB")
	}
	e.setU32(e.heap-4, uint32(n)|topBit)
	e.heap = outer
	return nil
}

// ref is the reference to what is appended next.
func (e *encoder) ref() uint32 { return uint32(len(e.b) - e.heap) }

// text appends a string to the heap and puts the reference to it at slot.
func (e *encoder) text(slot int, s string) {
	e.setU32(slot, e.ref())
	e.b = appendString(e.b, s)
}

// name is text for the name of a class, property or method. Names that have
// numbers in the dictionary take no room. Values do not use it: clients that
// look for values in the heap alone do not find them.
func (e *encoder) name(slot int, s string) {
	for n, word := range dictionary {
		if s == word {
			e.setU32(slot, topBit|uint32(n))
			return
		}
	}
	e.text(slot, s)
}

// qualifierName is name for a qualifier. Those of the dictionary go by their
// numbers in whatever case they are written, for clients look for "key" and
// not for "Key".
func (e *encoder) qualifierName(slot int, s string) {
	for n, word := range dictionary {
		if len(s) == len(word) && cim.EqualFold(s, word) {
			e.setU32(slot, topBit|uint32(n))
			return
		}
	}
	e.text(slot, s)
}

// value puts v into the slot of an element of type t. NULL is the reference to
// nothing, or 0 where the value stands in the slot itself.
func (e *encoder) value(slot int, t cim.Type, v cim.Value) error {
	if v.Type() != t {
		var err error
		if v, err = v.As(t); err != nil {
			return err
		}
	}
	switch {
	case v.IsNull():
		if t.IsArray() || slotSize(t) == 4 && !t.IsInteger() && !t.IsReal() {
			e.setU32(slot, noRef)
		}
	case t.IsArray():
		return e.array(slot, t.Elem(), v.Elems())
	case t == cim.Object:
		e.setU32(slot, e.ref())
		length := e.reserve(4)
		if err := e.block(v.Object()); err != nil {
			return err
		}
		e.setU32(length, uint32(len(e.b)-length-4))
	case t == cim.Datetime:
		d, _ := v.DateTime()
		e.text(slot, string(d))
	case t == cim.String, t == cim.Reference:
		s, _ := v.Str()
		e.text(slot, s)
	default:
		e.inline(slot, t, v)
	}
	return nil
}

// inline puts a value that stands in its slot.
func (e *encoder) inline(slot int, t cim.Type, v cim.Value) {
	var n uint64
	switch {
	case t == cim.Boolean:
		if b, _ := v.Bool(); b {
			n = 0xFFFF
		}
	case t == cim.Real32:
		f, _ := v.Float()
		n = uint64(math.Float32bits(float32(f)))
	case t == cim.Real64:
		f, _ := v.Float()
		n = math.Float64bits(f)
	case t.IsSigned():
		s, _ := v.Int()
		n = uint64(s)
	default:
		n, _ = v.Uint()
	}
	switch slotSize(t) {
	case 1:
		e.b[slot] = byte(n)
	case 2:
		binary.LittleEndian.PutUint16(e.b[slot:], uint16(n))
	case 4:
		e.setU32(slot, uint32(n))
	case 8:
		binary.LittleEndian.PutUint64(e.b[slot:], n)
	}
}

// array appends an Encoded-Array to the heap. What the elements refer to
// follows them. See [MS-WMIO] 2.2.79.
func (e *encoder) array(slot int, elem cim.Type, elems []cim.Value) error {
	e.setU32(slot, e.ref())
	e.u32(uint32(len(elems)))
	size := slotSize(elem)
	at := e.reserve(size * len(elems))
	for n, v := range elems {
		if v.IsNull() && (elem == cim.Boolean || elem.Bits() > 0) {
			return unencodable(cim.ErrInvalidObject, "", "an array of "+elem.String()+" with a NULL in it")
		}
		if err := e.value(at+n*size, elem, v); err != nil {
			return err
		}
	}
	return nil
}

// wireType is the type that a qualifier with this value has on the wire: a
// NULL can only be one of a string or array.
func wireType(v cim.Value) cim.Type {
	if t := v.Type(); slotSize(t) > 0 && !(v.IsNull() && (t == cim.Boolean || t.Bits() > 0)) {
		return t
	}
	return cim.String
}

// qualifierSize is the octets of a QualifierSet. See [MS-WMIO] 2.2.59.
func qualifierSize(q cim.Qualifiers) int {
	n := 4
	for i := range q {
		n += 9 + slotSize(wireType(q[i].Value))
	}
	return n
}

// qualifiers fills the qualifierSize(q) octets at `at`; names and values go to
// the heap.
func (e *encoder) qualifiers(at int, q cim.Qualifiers) error {
	e.setU32(at, uint32(qualifierSize(q)))
	at += 4
	for i := range q {
		t := wireType(q[i].Value)
		if t.Elem() == cim.Object {
			return unencodable(cim.ErrInvalidQualifierType, "", "the qualifier "+q[i].Name+" is an object")
		}
		if err := checkName(q[i].Name); err != nil {
			return err
		}
		e.qualifierName(at, q[i].Name)
		e.b[at+4] = byte(q[i].Flavor)
		e.setU32(at+5, uint32(t))
		if err := e.value(at+9, t, q[i].Value); err != nil {
			return err
		}
		at += 9 + slotSize(t)
	}
	return nil
}

// prologue appends ObjectFlags and Decoration.
func (e *encoder) prologue(c *cim.Class, flags Flags) {
	if c.Namespace == "" && c.Server == "" {
		e.u8(byte(flags))
		return
	}
	server := c.Server
	if server == "" {
		server = e.codec.Server
	}
	e.u8(byte(flags | flagDecoration))
	e.b = appendString(e.b, server)
	e.b = appendString(e.b, c.Namespace)
}

// block appends an ObjectBlock.
func (e *encoder) block(i *cim.Instance) error {
	if i.IsClass() {
		return e.class(i.Class(), nil, 0)
	}
	l, err := e.codec.layout(i.Class())
	if err != nil {
		return err
	}
	e.prologue(i.Class(), flagInstance)
	e.b = append(e.b, l.part...)
	return e.instance(l, i)
}

// instance appends what follows the class of an instance. See [MS-WMIO] 2.2.53.
func (e *encoder) instance(l *layout, i *cim.Instance) error {
	if e.depth++; e.depth > maxDepth {
		return unencodable(cim.ErrInvalidObject, l.class.Name, "objects in objects, too deep")
	}
	start := e.reserve(9)
	if _, err := e.state(l, i); err != nil {
		return err
	}
	e.setU32(start, uint32(len(e.b)-start))
	e.depth--
	return nil
}

// state appends NdTable, InstanceData, InstanceQualifierSet and InstanceHeap.
// The heap begins with the name of the class, and then has the values in the
// order of the PropertyLookupTable, as the example in [MS-WMIO] 3.1 has them.
// It returns the octets of the heap's items.
func (e *encoder) state(l *layout, i *cim.Instance) (heap int, err error) {
	table := e.reserve(l.table)
	sets, err := e.reserveInstanceQualifiers(l, i.Qualifiers())
	if err != nil {
		return 0, err
	}
	outer := e.beginHeap()
	e.b = appendString(e.b, l.class.Name)
	for _, n := range l.sorted {
		f, v := &l.fields[n], i.At(n)
		nd := byte(0)
		switch d := &l.class.Properties[n].Default; {
		case v.IsNull():
			if nd = ndNull; d.IsNull() {
				nd |= ndDefault
			}
		case !e.codec.SpellDefaults && f.typ.Elem() != cim.Object && v.Equal(*d):
			nd = ndDefault // objects may be equal and of different classes
		default:
			if p := l.class.Properties[n].Type; p != f.typ && v.Type() == p {
				v = retyped(v, f.typ)
			}
			if err := e.value(table+f.offset, f.typ, v); err != nil {
				return 0, inProperty(err, l.class, n)
			}
		}
		e.b[table+f.bits/4] |= nd << (f.bits % 4 * 2)
	}
	if q := i.Qualifiers(); q != nil {
		if err := e.instanceQualifiers(sets, l, q); err != nil {
			return 0, err
		}
	}
	heap = len(e.b) - e.heap
	return heap, e.endHeap(outer)
}

// inProperty says in which property an error arose.
func inProperty(err error, c *cim.Class, n int) error {
	return &cim.Error{Status: cim.StatusOf(err), Path: c.Name + "." + c.Properties[n].Name, Err: err}
}

// reserveInstanceQualifiers makes room for an InstanceQualifierSet and returns
// where it begins.
func (e *encoder) reserveInstanceQualifiers(l *layout, q *cim.InstanceQualifiers) (at int, err error) {
	if q == nil {
		at = e.reserve(5)
		e.b[at], e.b[at+4] = 4, 1
		return at, nil
	}
	if q.Properties != nil && len(q.Properties) != len(l.fields) {
		return 0, unencodable(cim.ErrInvalidObject, l.class.Name, "qualifiers of other properties than the class has")
	}
	n := qualifierSize(q.Object) + 1
	for _, set := range q.Properties {
		n += qualifierSize(set)
	}
	return e.reserve(n), nil
}

// instanceQualifiers fills the room that reserveInstanceQualifiers made.
func (e *encoder) instanceQualifiers(at int, l *layout, q *cim.InstanceQualifiers) error {
	if err := e.qualifiers(at, q.Object); err != nil {
		return err
	}
	at += qualifierSize(q.Object) + 1
	if e.b[at-1] = 1; q.Properties == nil {
		return nil
	}
	e.b[at-1] = 2
	for _, n := range l.sorted {
		if err := e.qualifiers(at, q.Properties[n]); err != nil {
			return err
		}
		at += qualifierSize(q.Properties[n])
	}
	return nil
}
