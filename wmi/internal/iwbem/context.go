package iwbem

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf16"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// The types of values of a context, VARENUM of [MS-OAUT] 2.2.7. Types that CIM has beside these travel as text.
const (
	vtNull    = 1
	vtI2      = 2
	vtI4      = 3
	vtR4      = 4
	vtR8      = 5
	vtBSTR    = 8
	vtBool    = 11
	vtUnknown = 13
	vtI1      = 16
	vtUI1     = 17
	vtUI2     = 18
	vtUI4     = 19
	vtArray   = 0x2000
)

// variant is a type of values: how many octets an element has, alone in the first of eight, and what it is in CIM.
type variant struct {
	cim  cim.Type
	size int
}

var variants = map[uint16]variant{
	vtI1: {cim.Sint8, 1}, vtUI1: {cim.Uint8, 1}, vtI2: {cim.Sint16, 2}, vtUI2: {cim.Uint16, 2}, vtBool: {cim.Boolean, 2},
	vtI4: {cim.Sint32, 4}, vtUI4: {cim.Uint32, 4}, vtR4: {cim.Real32, 4}, vtR8: {cim.Real64, 8},
}

// variantOf is the type that values of a CIM type travel as.
func variantOf(t cim.Type) uint16 {
	switch t {
	case cim.Char16:
		return vtI2
	case cim.Object:
		return vtUnknown
	}
	for vt, v := range variants {
		if v.cim == t {
			return vt
		}
	}
	return vtBSTR
}

func badContext(format string, args ...any) error {
	return &cim.Error{Status: cim.ErrInvalidContext, Detail: fmt.Sprintf(format, args...)}
}

// NewContext writes named values as a context, nil for none. Integers of 64 bits, datetimes and references travel as text, an embedded object as its
// encoding unit. ErrInvalidContext for an object that has no form on the wire. See [MS-WMI] 2.2.13.
func NewContext(values cim.NamedArray) (Context, error) {
	if len(values) == 0 {
		return nil, nil
	}
	b := binary.LittleEndian.AppendUint32(nil, 1)
	b = append(b, make([]byte, 16)...) // one GUID has to be there; what it is means nothing
	b = binary.LittleEndian.AppendUint32(b, uint32(len(values)))
	for _, v := range values {
		b = appendText(b, v.Name)
		b = binary.LittleEndian.AppendUint32(b, 0)
		var err error
		if b, err = appendVariant(b, v.Value); err != nil {
			return nil, badContext("the value %s: %v", v.Name, err)
		}
	}
	return b, nil
}

// appendText writes an IWbemContextString, which has no terminator.
func appendText(b []byte, s string) []byte {
	units := utf16.Encode([]rune(s))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(units)))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// appendVariant writes the type of a value and the value.
func appendVariant(b []byte, v cim.Value) ([]byte, error) {
	if v.IsNull() {
		return binary.LittleEndian.AppendUint16(b, vtNull), nil
	}
	vt := variantOf(v.Type().Elem())
	if !v.Type().IsArray() {
		b = binary.LittleEndian.AppendUint16(b, vt)
		switch vt {
		case vtBSTR:
			return appendText(b, v.String()), nil
		case vtUnknown:
			return appendObject(b, v)
		}
		at := len(b)
		b = appendElement(b, vt, v)
		return append(b, make([]byte, 8-(len(b)-at))...), nil
	}
	b = binary.LittleEndian.AppendUint16(b, vt|vtArray)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(v.Elems())))
	size := variants[vt].size
	switch vt {
	case vtBSTR, vtUnknown:
		size = 4 // of a pointer
	case vtR4:
		size = 8
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	for _, e := range v.Elems() {
		switch vt {
		case vtBSTR:
			b = appendText(b, e.String())
			continue
		case vtUnknown:
			var err error
			if b, err = appendObject(b, e); err != nil {
				return nil, err
			}
			continue
		}
		at := len(b)
		b = appendElement(b, vt, e)
		b = append(b, make([]byte, size-(len(b)-at))...)
	}
	return b, nil
}

// appendObject writes the marshaling buffer of an IWbemClassObject, as [MS-WMI] 2.2.4 has it.
func appendObject(b []byte, v cim.Value) ([]byte, error) {
	if v.IsNull() {
		return nil, errors.New("an object in an array is NULL")
	}
	return new(wmio.Codec).AppendUnit(b, v.Object())
}

// appendElement writes a number in the size of its type.
func appendElement(b []byte, vt uint16, v cim.Value) []byte {
	var n uint64
	switch vt {
	case vtBool:
		if set, _ := v.Bool(); set {
			n = 0xffff // VARIANT_TRUE
		}
	case vtR4:
		f, _ := v.Float()
		n = uint64(math.Float32bits(float32(f)))
	case vtR8:
		f, _ := v.Float()
		n = math.Float64bits(f)
	default:
		n, _ = v.Uint()
	}
	var octets [8]byte
	binary.LittleEndian.PutUint64(octets[:], n)
	return append(b, octets[:variants[vt].size]...)
}

// Values reads the named values of a context, none for NULL. What is wrong is ErrInvalidContext.
func (c Context) Values() (cim.NamedArray, error) {
	if c == nil {
		return nil, nil
	}
	r := &contextReader{b: c, ok: true}
	if guids := r.uint32(); r.ok && guids != 1 {
		return nil, badContext("%d identifiers where one has to be", guids)
	}
	r.take(16)
	n := r.uint32()
	if !r.ok || n > uint32(len(r.b)/10) { // the smallest value has ten octets
		return nil, badContext("%d values in %d octets", n, len(c))
	}
	values := make(cim.NamedArray, 0, n)
	for range n {
		name := r.text()
		r.uint32() // flags
		v := r.variant()
		if !r.ok {
			return nil, badContext("the value %.60q is cut off or of a type that is none", name)
		}
		values = append(values, cim.NamedValue{Name: name, Value: v})
	}
	return values, nil
}

// contextReader reads from the front of b while ok.
type contextReader struct {
	b  []byte
	ok bool
}

func (r *contextReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.ok = false
	}
	if !r.ok {
		return make([]byte, min(max(n, 0), 16))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *contextReader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

func (r *contextReader) text() string {
	n := r.uint32()
	if n > uint32(len(r.b)/2) {
		r.ok = false
		return ""
	}
	b := r.take(2 * int(n))
	units := make([]uint16, n)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

func (r *contextReader) variant() cim.Value {
	vt := binary.LittleEndian.Uint16(r.take(2))
	if vt&vtArray != 0 {
		return r.array(vt &^ vtArray)
	}
	switch vt {
	case vtNull:
		return cim.Value{}
	case vtBSTR:
		return cim.Str(r.text())
	case vtUnknown:
		return cim.Obj(r.object())
	}
	return r.element(vt, r.take(8))
}

// array reads the elements of an array, each in as many octets as the array says.
func (r *contextReader) array(vt uint16) cim.Value {
	n, size := r.uint32(), r.uint32()
	known, fixed := variants[vt]
	smallest := size
	switch {
	case vt == vtBSTR:
		smallest = 4
	case vt == vtUnknown:
		smallest = unitHeader
	case !fixed || size < uint32(known.size) || size > 8:
		r.ok = false
	}
	if !r.ok || n > uint32(len(r.b))/smallest {
		r.ok = false
		return cim.Value{}
	}
	elems := make([]cim.Value, n)
	for i := range elems {
		switch vt {
		case vtBSTR:
			elems[i] = cim.Str(r.text())
		case vtUnknown:
			elems[i] = cim.Obj(r.object())
		default:
			elems[i] = r.element(vt, r.take(int(size)))
		}
	}
	switch vt {
	case vtBSTR:
		return cim.Array(cim.String, elems)
	case vtUnknown:
		return cim.Array(cim.Object, elems)
	}
	return cim.Array(known.cim, elems)
}

// The heads of what an object is read from: of an encoding unit ([MS-WMIO] 2.2.1) the signature and the length, and of the OBJREF_CUSTOM that some
// put around it the signature.
const (
	unitHeader    = 8
	objrefHeader  = 48
	objrefAsText  = "MEOW"
	classIDOffset = 24
)

// object reads an object, with or without an OBJREF_CUSTOM around it. It is never nil where r is still ok.
func (r *contextReader) object() *cim.Instance {
	if len(r.b) >= objrefHeader && string(r.b[:4]) == objrefAsText {
		head := r.take(objrefHeader)
		r.ok = string(head[classIDOffset:classIDOffset+16]) == string(wmi.CLSIDClassObject[:])
	}
	if len(r.b) < unitHeader {
		r.ok = false
		return nil
	}
	n := uint64(unitHeader) + uint64(binary.LittleEndian.Uint32(r.b[4:]))
	if n > uint64(len(r.b)) {
		r.ok = false
		return nil
	}
	i, _, err := new(wmio.Codec).Decode(r.take(int(n)))
	if err != nil {
		r.ok = false
		return nil
	}
	return i
}

func (r *contextReader) element(vt uint16, b []byte) cim.Value {
	v, known := variants[vt]
	if !known {
		r.ok = false
		return cim.Value{}
	}
	var octets [8]byte
	copy(octets[:], b[:v.size])
	n := binary.LittleEndian.Uint64(octets[:])
	switch vt {
	case vtBool:
		return cim.Bool(n != 0)
	case vtR4:
		return cim.Real(cim.Real32, float64(math.Float32frombits(uint32(n))))
	case vtR8:
		return cim.Real(cim.Real64, math.Float64frombits(n))
	case vtI1, vtI2, vtI4:
		return cim.Int(v.cim, int64(n)) // cut to its width
	}
	return cim.Uint(v.cim, n)
}
