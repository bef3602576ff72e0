package registry

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Type is the data type of a value, with the numbers of winnt.h.
type Type uint32

// The data types that have a typed form. Any other number is kept as raw bytes.
const (
	TypeNone     Type = 0
	TypeSZ       Type = 1
	TypeExpandSZ Type = 2
	TypeBinary   Type = 3
	TypeDWORD    Type = 4
	TypeMultiSZ  Type = 7
	TypeQWORD    Type = 11
)

// String returns the name of the type as reg.exe prints it, for example REG_DWORD.
func (t Type) String() string {
	switch t {
	case TypeNone:
		return "REG_NONE"
	case TypeSZ:
		return "REG_SZ"
	case TypeExpandSZ:
		return "REG_EXPAND_SZ"
	case TypeBinary:
		return "REG_BINARY"
	case TypeDWORD:
		return "REG_DWORD"
	case TypeMultiSZ:
		return "REG_MULTI_SZ"
	case TypeQWORD:
		return "REG_QWORD"
	}
	return "REG_TYPE_" + strconv.FormatUint(uint64(t), 10)
}

// Value is one immutable registry value. The zero Value is an empty REG_NONE.
// Values are comparable with ==.
type Value struct {
	typ  Type
	num  uint64 // TypeDWORD, TypeQWORD
	text string // strings; TypeMultiSZ joined by NUL; raw bytes for all others
}

// SZ returns a REG_SZ.
func SZ(s string) Value { return Value{typ: TypeSZ, text: untilNUL(s)} }

// ExpandSZ returns a REG_EXPAND_SZ; variables are kept as text.
func ExpandSZ(s string) Value { return Value{typ: TypeExpandSZ, text: untilNUL(s)} }

// MultiSZ returns a REG_MULTI_SZ. Empty strings are dropped, since the wire form
// cannot carry them.
func MultiSZ(list ...string) Value {
	keep := make([]string, 0, len(list))
	for _, s := range list {
		if s = untilNUL(s); s != "" {
			keep = append(keep, s)
		}
	}
	return Value{typ: TypeMultiSZ, text: strings.Join(keep, "\x00")}
}

// DWORD returns a REG_DWORD.
func DWORD(n uint32) Value { return Value{typ: TypeDWORD, num: uint64(n)} }

// QWORD returns a REG_QWORD.
func QWORD(n uint64) Value { return Value{typ: TypeQWORD, num: n} }

// Binary returns a REG_BINARY with a copy of b.
func Binary(b []byte) Value { return Value{typ: TypeBinary, text: string(b)} }

// None returns a REG_NONE with a copy of b.
func None(b []byte) Value { return Value{typ: TypeNone, text: string(b)} }

// Type returns the data type.
func (v Value) Type() Type { return v.typ }

// Text returns the string of a REG_SZ or REG_EXPAND_SZ; ok is false for other types.
func (v Value) Text() (s string, ok bool) {
	if v.typ != TypeSZ && v.typ != TypeExpandSZ {
		return "", false
	}
	return v.text, true
}

// Strings returns the list of a REG_MULTI_SZ; ok is false for other types.
func (v Value) Strings() (list []string, ok bool) {
	if v.typ != TypeMultiSZ {
		return nil, false
	}
	if v.text == "" {
		return nil, true
	}
	return strings.Split(v.text, "\x00"), true
}

// Uint returns the number of a REG_DWORD or REG_QWORD; ok is false for other types.
func (v Value) Uint() (n uint64, ok bool) {
	return v.num, v.typ == TypeDWORD || v.typ == TypeQWORD
}

// Bytes returns the data as Windows stores it: strings as UTF-16LE with their
// terminators, numbers little-endian. The slice belongs to the caller.
func (v Value) Bytes() []byte {
	switch v.typ {
	case TypeSZ, TypeExpandSZ:
		return utf16Bytes(v.text + "\x00")
	case TypeMultiSZ:
		if v.text == "" {
			return []byte{0, 0}
		}
		return utf16Bytes(v.text + "\x00\x00")
	case TypeDWORD:
		return binary.LittleEndian.AppendUint32(nil, uint32(v.num))
	case TypeQWORD:
		return binary.LittleEndian.AppendUint64(nil, v.num)
	}
	return []byte(v.text)
}

// FromBytes makes a value from data as Windows stores it. A number of the wrong
// length or a string of an odd length is an error.
func FromBytes(t Type, b []byte) (Value, error) {
	switch t {
	case TypeDWORD:
		if len(b) != 4 {
			return Value{}, fmt.Errorf("registry: REG_DWORD of %d bytes, want 4", len(b))
		}
		return DWORD(binary.LittleEndian.Uint32(b)), nil
	case TypeQWORD:
		if len(b) != 8 {
			return Value{}, fmt.Errorf("registry: REG_QWORD of %d bytes, want 8", len(b))
		}
		return QWORD(binary.LittleEndian.Uint64(b)), nil
	case TypeSZ, TypeExpandSZ, TypeMultiSZ:
		if len(b)%2 != 0 {
			return Value{}, fmt.Errorf("registry: %v of %d bytes, want an even number", t, len(b))
		}
		s := utf16Text(b)
		if t == TypeMultiSZ {
			return MultiSZ(multi(s)...), nil
		}
		return Value{typ: t, text: untilNUL(s)}, nil
	}
	return Value{typ: t, text: string(b)}, nil
}

// String renders the value for people; it is not a file format.
func (v Value) String() string {
	switch v.typ {
	case TypeSZ, TypeExpandSZ:
		return v.text
	case TypeMultiSZ:
		return strings.ReplaceAll(v.text, "\x00", ", ")
	case TypeDWORD, TypeQWORD:
		return strconv.FormatUint(v.num, 10)
	}
	return fmt.Sprintf("%x", v.text)
}

func multi(s string) []string {
	end := strings.Index(s, "\x00\x00")
	if end >= 0 {
		s = s[:end]
	}
	if strings.HasPrefix(s, "\x00") {
		return nil
	}
	return strings.Split(s, "\x00")
}

func untilNUL(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return strings.ToValidUTF8(s, "\uFFFD")
}

func utf16Bytes(s string) []byte {
	out := make([]byte, 0, 2*len(s))
	for _, r := range s {
		if r1, r2 := utf16.EncodeRune(r); r > 0xFFFF {
			out = binary.LittleEndian.AppendUint16(out, uint16(r1))
			out = binary.LittleEndian.AppendUint16(out, uint16(r2))
			continue
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(r))
	}
	return out
}

func utf16Text(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
