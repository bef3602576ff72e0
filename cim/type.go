package cim

import "strconv"

// Type is a CIM type; the numbers are those of CIMTYPE_ENUMERATION.
//
// See [MS-WMIO] 2.2.82.
type Type uint16

// The CIM types. An array type is its element type with [ArrayFlag] set.
const (
	// Untyped marks a value whose text is known and whose type is not: what a
	// WS-Man peer sent where no class metadata could be had.
	Untyped   Type = 0
	Sint16    Type = 2
	Sint32    Type = 3
	Real32    Type = 4
	Real64    Type = 5
	String    Type = 8
	Boolean   Type = 11
	Object    Type = 13
	Sint8     Type = 16
	Uint8     Type = 17
	Uint16    Type = 18
	Uint32    Type = 19
	Sint64    Type = 20
	Uint64    Type = 21
	Datetime  Type = 101
	Reference Type = 102
	Char16    Type = 103

	// ArrayFlag is set in the type of every array.
	ArrayFlag Type = 0x2000
)

// IsArray tells whether t is an array type.
func (t Type) IsArray() bool { return t&ArrayFlag != 0 }

// Elem is the element type of an array type, and t itself otherwise.
func (t Type) Elem() Type { return t &^ ArrayFlag }

// Array is the array type whose elements are of type t.
func (t Type) Array() Type { return t | ArrayFlag }

// IsInteger tells whether t is one of the eight integer types.
func (t Type) IsInteger() bool { return t.IsSigned() || t.IsUnsigned() }

// IsSigned tells whether t is sint8, sint16, sint32 or sint64.
func (t Type) IsSigned() bool {
	return t == Sint8 || t == Sint16 || t == Sint32 || t == Sint64
}

// IsUnsigned tells whether t is uint8, uint16, uint32 or uint64.
func (t Type) IsUnsigned() bool {
	return t == Uint8 || t == Uint16 || t == Uint32 || t == Uint64
}

// IsReal tells whether t is real32 or real64.
func (t Type) IsReal() bool { return t == Real32 || t == Real64 }

// Bits is the width of a numeric type, and 0 for every other.
func (t Type) Bits() int {
	switch t {
	case Sint8, Uint8:
		return 8
	case Sint16, Uint16, Char16:
		return 16
	case Sint32, Uint32, Real32:
		return 32
	case Sint64, Uint64, Real64:
		return 64
	}
	return 0
}

var typeNames = map[Type]string{
	Untyped: "untyped", Sint8: "sint8", Uint8: "uint8", Sint16: "sint16", Uint16: "uint16",
	Sint32: "sint32", Uint32: "uint32", Sint64: "sint64", Uint64: "uint64", Real32: "real32",
	Real64: "real64", String: "string", Boolean: "boolean", Object: "object",
	Datetime: "datetime", Reference: "ref", Char16: "char16",
}

// String is the MOF name of the type; an array has "[]" after it.
func (t Type) String() string {
	name, ok := typeNames[t.Elem()]
	if !ok {
		name = "type(" + strconv.Itoa(int(t.Elem())) + ")"
	}
	if t.IsArray() {
		return name + "[]"
	}
	return name
}

// ParseType reads a MOF type name, case-blind, as CIMTYPE qualifiers and
// CIM-XML TYPE attributes carry it. "reference" is accepted for "ref".
func ParseType(name string) (Type, bool) {
	var arr Type
	if n := len(name); n > 2 && name[n-2:] == "[]" {
		arr, name = ArrayFlag, name[:n-2]
	}
	folded := Fold(name)
	if folded == "reference" {
		return Reference | arr, true
	}
	for t, n := range typeNames {
		if t != Untyped && n == folded {
			return t | arr, true
		}
	}
	return Untyped, false
}
