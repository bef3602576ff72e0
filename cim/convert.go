package cim

import (
	"math"
	"strconv"
	"strings"
)

// As converts v to type t without losing anything: an untyped text is parsed,
// an integer widened or narrowed where it fits, a scalar becomes an array of
// one, NULL a NULL of t. Everything else is [ErrTypeMismatch].
func (v Value) As(t Type) (Value, error) {
	switch {
	case v.typ == t:
		return v, nil
	case !v.set:
		return Null(t), nil
	case t.IsArray():
		return v.asArray(t)
	case v.typ.IsArray():
		return Value{}, mismatch(v, t)
	case v.typ == Untyped, v.typ == String && t != Object:
		return ParseValue(t, v.str)
	case t == String:
		if v.typ == Object {
			return Value{}, mismatch(v, t)
		}
		return Str(string(v.AppendText(nil))), nil
	}
	return v.asNumber(t)
}

func (v Value) asArray(t Type) (Value, error) {
	if !v.typ.IsArray() {
		e, err := v.As(t.Elem())
		if err != nil {
			return Value{}, err
		}
		return Array(t.Elem(), []Value{e}), nil
	}
	src := v.Elems()
	elems := make([]Value, len(src))
	for i := range src {
		e, err := src[i].As(t.Elem())
		if err != nil {
			return Value{}, err
		}
		elems[i] = e
	}
	return Array(t.Elem(), elems), nil
}

func (v Value) asNumber(t Type) (Value, error) {
	switch {
	case t.IsSigned():
		if n, ok := v.Int(); ok && fitsSigned(t, n) {
			return Int(t, n), nil
		}
	case t.IsUnsigned(), t == Char16:
		if n, ok := v.Uint(); ok && fitsUnsigned(t, n) {
			return Uint(t, n), nil
		}
	case t.IsReal():
		if f, ok := v.Float(); ok {
			return Real(t, f), nil
		}
	case t == Boolean:
		if n, ok := v.Int(); ok {
			return Bool(n != 0), nil
		}
	}
	if b, ok := v.Bool(); ok && t.IsInteger() {
		if b {
			return Uint(t, 1), nil
		}
		return Uint(t, 0), nil
	}
	return Value{}, mismatch(v, t)
}

func fitsSigned(t Type, n int64) bool {
	shift := 64 - t.Bits()
	return n<<shift>>shift == n
}

func fitsUnsigned(t Type, n uint64) bool {
	return t.Bits() == 64 || n>>t.Bits() == 0
}

// ParseValue reads the text of a scalar of type t: what XML Schema, MOF and
// WQL clients write. Blanks around numbers and booleans are ignored.
func ParseValue(t Type, s string) (Value, error) {
	switch t {
	case Untyped:
		return Text(s), nil
	case String:
		return Str(s), nil
	case Reference:
		return Ref(s), nil
	case Boolean:
		return parseBool(s)
	case Datetime:
		d, err := ParseDateTime(strings.TrimSpace(s))
		if err != nil {
			return Value{}, err
		}
		return Time(d), nil
	}
	if t.IsArray() || t == Object {
		return Value{}, mismatch(Text(s), t)
	}
	return parseNumber(t, strings.TrimSpace(s))
}

func parseBool(s string) (Value, error) {
	switch Fold(strings.TrimSpace(s)) {
	case "true", "1", "-1":
		return Bool(true), nil
	case "false", "0":
		return Bool(false), nil
	}
	return Value{}, mismatch(Text(s), Boolean)
}

func parseNumber(t Type, s string) (Value, error) {
	switch {
	case t.IsSigned():
		digits, base := integerBase(s)
		if n, err := strconv.ParseInt(digits, base, t.Bits()); err == nil {
			return Int(t, n), nil
		}
	case t.IsUnsigned(), t == Char16:
		digits, base := integerBase(strings.TrimPrefix(s, "+"))
		if n, err := strconv.ParseUint(digits, base, t.Bits()); err == nil {
			return Uint(t, n), nil
		}
	case t.IsReal():
		if f, err := parseReal(s, t.Bits()); err == nil {
			return Real(t, f), nil
		}
	}
	return Value{}, mismatch(Text(s), t)
}

// integerBase tells hexadecimal from decimal: 0x is allowed in object paths
// and queries, and a leading zero never means octal.
func integerBase(s string) (digits string, base int) {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return s[2:], 16
	}
	return s, 10
}

func parseReal(s string, bits int) (float64, error) {
	switch s {
	case "INF", "+INF":
		return math.Inf(1), nil
	case "-INF":
		return math.Inf(-1), nil
	case "NaN":
		return math.NaN(), nil
	}
	return strconv.ParseFloat(s, bits)
}

func mismatch(v Value, t Type) error {
	return &Error{Status: ErrTypeMismatch, Detail: strconv.Quote(v.String()) + " is not a " + t.String()}
}
