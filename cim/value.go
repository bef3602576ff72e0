package cim

import (
	"math"
	"strconv"
)

// Value is one CIM value: a scalar, an array, an embedded object or a
// reference, or NULL of a type. It is small, immutable and safe to copy; the
// zero Value is an untyped NULL.
type Value struct {
	typ Type
	set bool
	num uint64 // integers, booleans, char16, and the bits of reals (always as float64)
	str string // strings, datetimes, reference paths, untyped text
	box *box
}

type box struct {
	elems  []Value
	object *Instance
}

// Null is NULL of type t.
func Null(t Type) Value { return Value{typ: t} }

// Bool makes a boolean.
func Bool(v bool) Value {
	var n uint64
	if v {
		n = 1
	}
	return Value{typ: Boolean, set: true, num: n}
}

// Int makes a signed integer of type t; v is truncated to its width.
func Int(t Type, v int64) Value {
	shift := 64 - t.Bits()
	return Value{typ: t, set: true, num: uint64(v << shift >> shift)}
}

// Uint makes an unsigned integer or char16 of type t; v is truncated to its width.
func Uint(t Type, v uint64) Value {
	if b := t.Bits(); b < 64 {
		v &= 1<<b - 1
	}
	return Value{typ: t, set: true, num: v}
}

// U8 makes a uint8.
func U8(v uint8) Value { return Value{typ: Uint8, set: true, num: uint64(v)} }

// U16 makes a uint16.
func U16(v uint16) Value { return Value{typ: Uint16, set: true, num: uint64(v)} }

// U32 makes a uint32.
func U32(v uint32) Value { return Value{typ: Uint32, set: true, num: uint64(v)} }

// U64 makes a uint64.
func U64(v uint64) Value { return Value{typ: Uint64, set: true, num: v} }

// S16 makes a sint16.
func S16(v int16) Value { return Value{typ: Sint16, set: true, num: uint64(int64(v))} }

// S32 makes a sint32.
func S32(v int32) Value { return Value{typ: Sint32, set: true, num: uint64(int64(v))} }

// S64 makes a sint64.
func S64(v int64) Value { return Value{typ: Sint64, set: true, num: uint64(v)} }

// Real makes a real32 or real64. A real32 is rounded to its precision.
func Real(t Type, v float64) Value {
	if t == Real32 {
		v = float64(float32(v))
	}
	return Value{typ: t, set: true, num: math.Float64bits(v)}
}

// Str makes a string.
func Str(v string) Value { return Value{typ: String, set: true, str: v} }

// Time makes a datetime value.
func Time(v DateTime) Value { return Value{typ: Datetime, set: true, str: string(v)} }

// Ref makes a reference to the object that path names.
func Ref(path string) Value { return Value{typ: Reference, set: true, str: path} }

// Obj makes an embedded object; nil gives NULL.
func Obj(v *Instance) Value {
	if v == nil {
		return Null(Object)
	}
	return Value{typ: Object, set: true, box: &box{object: v}}
}

// Text makes a value whose type is not known; [Value.As] types it later.
func Text(v string) Value { return Value{set: true, str: v} }

// Array makes an array whose elements are of type elem. The slice is kept,
// not copied. A nil slice is an empty array, not NULL.
func Array(elem Type, elems []Value) Value {
	return Value{typ: elem.Array(), set: true, box: &box{elems: elems}}
}

// Strs makes an array of strings; nil gives NULL.
func Strs(v []string) Value {
	if v == nil {
		return Null(String | ArrayFlag)
	}
	elems := make([]Value, len(v))
	for i, s := range v {
		elems[i] = Str(s)
	}
	return Array(String, elems)
}

// Bytes makes an array of uint8.
func Bytes(v []byte) Value {
	elems := make([]Value, len(v))
	for i, b := range v {
		elems[i] = U8(b)
	}
	return Array(Uint8, elems)
}

// Type is the type of v, also where v is NULL.
func (v Value) Type() Type { return v.typ }

// IsNull tells whether v is NULL.
func (v Value) IsNull() bool { return !v.set }

// Bool is the boolean that v holds.
func (v Value) Bool() (value, ok bool) { return v.num != 0, v.set && v.typ == Boolean }

// Int is the integer that v holds; ok is false where it has none or where a
// uint64 does not fit.
func (v Value) Int() (int64, bool) {
	switch {
	case !v.set:
		return 0, false
	case v.typ.IsSigned():
		return int64(v.num), true
	case v.typ.IsUnsigned() || v.typ == Char16:
		return int64(v.num), v.num <= math.MaxInt64
	}
	return 0, false
}

// Uint is the non-negative integer or char16 that v holds.
func (v Value) Uint() (uint64, bool) {
	switch {
	case !v.set:
		return 0, false
	case v.typ.IsUnsigned() || v.typ == Char16:
		return v.num, true
	case v.typ.IsSigned():
		return v.num, int64(v.num) >= 0
	}
	return 0, false
}

// Float is the number that v holds, integers included.
func (v Value) Float() (float64, bool) {
	switch {
	case !v.set:
		return 0, false
	case v.typ.IsReal():
		return math.Float64frombits(v.num), true
	case v.typ.IsSigned():
		return float64(int64(v.num)), true
	case v.typ.IsUnsigned():
		return float64(v.num), true
	}
	return 0, false
}

// Str is the text of a string, datetime, reference or untyped value.
func (v Value) Str() (string, bool) {
	switch v.typ {
	case String, Datetime, Reference, Untyped:
		return v.str, v.set
	}
	return "", false
}

// DateTime is the datetime or interval that v holds.
func (v Value) DateTime() (DateTime, bool) {
	return DateTime(v.str), v.set && v.typ == Datetime
}

// Object is the embedded object that v holds, or nil.
func (v Value) Object() *Instance {
	if v.box == nil {
		return nil
	}
	return v.box.object
}

// Elems are the elements of an array, nil for everything else. The slice is
// shared and must not be changed.
func (v Value) Elems() []Value {
	if v.box == nil {
		return nil
	}
	return v.box.elems
}

// Bytes is an array of uint8; ok is false for NULL and for other types.
func (v Value) Bytes() (b []byte, ok bool) {
	if !v.set || v.typ != Uint8.Array() {
		return nil, false
	}
	elems := v.Elems()
	b = make([]byte, len(elems))
	for i := range elems {
		b[i] = byte(elems[i].num)
	}
	return b, true
}

// AppendText appends the text of a scalar as XML Schema and MOF write it:
// decimal integers, true and false, the shortest real, char16 as its number,
// datetimes in DMTF form. NULL, arrays and objects append nothing.
func (v Value) AppendText(b []byte) []byte {
	if !v.set {
		return b
	}
	switch t := v.typ; {
	case t == String, t == Datetime, t == Reference, t == Untyped:
		return append(b, v.str...)
	case t == Boolean:
		return strconv.AppendBool(b, v.num != 0)
	case t.IsSigned():
		return strconv.AppendInt(b, int64(v.num), 10)
	case t.IsUnsigned(), t == Char16:
		return strconv.AppendUint(b, v.num, 10)
	case t.IsReal():
		return appendReal(b, math.Float64frombits(v.num), t.Bits())
	}
	return b
}

func appendReal(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "INF"...)
	case math.IsInf(f, -1):
		return append(b, "-INF"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}

// String prints v for people: scalars as [Value.AppendText], arrays in braces
// with commas, NULL as "null", an object as its class name in brackets.
func (v Value) String() string {
	switch {
	case !v.set:
		return "null"
	case v.typ.IsArray():
		b := []byte{'{'}
		for i, e := range v.Elems() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(b, e.String()...)
		}
		return string(append(b, '}'))
	case v.typ == Object:
		return "[" + v.Object().Class().Name + "]"
	}
	if s, ok := v.Str(); ok {
		return s
	}
	return string(v.AppendText(nil))
}

// Equal tells whether v and w are of the same type and the same value.
// Strings compare exactly, arrays and objects deeply.
func (v Value) Equal(w Value) bool {
	if v.typ != w.typ || v.set != w.set {
		return false
	}
	if v.box == nil || w.box == nil {
		return v.num == w.num && v.str == w.str && (v.box == nil) == (w.box == nil)
	}
	if v.typ == Object {
		return v.Object().Equal(w.Object())
	}
	a, b := v.Elems(), w.Elems()
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
