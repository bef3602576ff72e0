package decoupled

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

// Lookup finds a class by name, for embedded objects; nil where there is none.
type Lookup func(class string) *cim.Class

// className is the member of an object that names its class.
const className = "__CLASS"

// appendInstance appends i as a JSON object: __CLASS, then every property that
// is not NULL and, with only, wanted.
func appendInstance(b []byte, i *cim.Instance, only func(n int) bool) []byte {
	b = append(b, `{"`+className+`":`...)
	b = appendString(b, i.Class().Name)
	for n := range i.Len() {
		v := i.At(n)
		if v.IsNull() || only != nil && !only(n) {
			continue
		}
		b = append(b, ',')
		b = appendString(b, i.Class().Properties[n].Name)
		b = append(b, ':')
		b = appendValue(b, v)
	}
	return append(b, '}')
}

// appendValue appends a value: numbers and booleans as themselves, an array as
// an array, an embedded object as an object, all else as a string.
func appendValue(b []byte, v cim.Value) []byte {
	t := v.Type()
	switch {
	case v.IsNull():
		return append(b, "null"...)
	case t.IsArray():
		b = append(b, '[')
		for n, e := range v.Elems() {
			if n > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		return append(b, ']')
	case t == cim.Object:
		return appendInstance(b, v.Object(), nil)
	case t == cim.Boolean, t.IsInteger():
		if t == cim.Boolean {
			ok, _ := v.Bool()
			return strconv.AppendBool(b, ok)
		}
		return v.AppendText(b)
	case t == cim.Char16:
		n, _ := v.Uint()
		return strconv.AppendUint(b, n, 10)
	case t.IsReal():
		f, _ := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return appendString(b, strconv.FormatFloat(f, 'g', -1, 64))
		}
		return strconv.AppendFloat(b, f, 'g', -1, 64)
	}
	return appendString(b, string(v.AppendText(nil)))
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for n := 0; n < len(s); {
		c := s[n]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < 0x20 || c == 0x7F:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, size := utf8.DecodeRuneInString(s[n:])
			b = utf8.AppendRune(b, r) // what is no UTF-8 becomes U+FFFD
			n += size
			continue
		}
		n++
	}
	return append(b, '"')
}

// instance makes an instance of class of a JSON object. A property that the
// object lacks is NULL; one that the class lacks is a broken promise.
func instance(o map[string]any, class *cim.Class, lookup Lookup, depth int) (*cim.Instance, error) {
	if depth > maxNesting {
		return nil, broken("objects are nested deeper than %d", maxNesting)
	}
	if name, ok := o[className]; ok {
		if s, _ := name.(string); !cim.EqualFold(s, class.Name) {
			return nil, broken("an instance of %.64q came for the class %s", s, class.Name)
		}
	}
	values := make([]cim.Value, len(class.Properties))
	for n := range values {
		values[n] = cim.Null(class.Properties[n].Type)
	}
	for name, raw := range o {
		if name == className {
			continue
		}
		n := class.PropertyIndex(name)
		if n < 0 {
			return nil, broken("the class %s has no property %.64q", class.Name, name)
		}
		p := &class.Properties[n]
		v, err := value(raw, p.Type, p.RefClass, lookup, depth)
		if err != nil {
			return nil, err
		}
		values[n] = v
	}
	return cim.MakeInstance(class, values), nil
}

// value makes a value of type t of what JSON has.
func value(raw any, t cim.Type, refClass string, lookup Lookup, depth int) (cim.Value, error) {
	wrong := func() (cim.Value, error) { return cim.Value{}, broken("%T does not fit the type %s", raw, t) }
	if t.IsArray() {
		switch list := raw.(type) {
		case nil:
			return cim.Null(t), nil
		case []any:
			elems := make([]cim.Value, len(list))
			for n, e := range list {
				v, err := value(e, t.Elem(), refClass, lookup, depth+1)
				if err != nil {
					return v, err
				}
				elems[n] = v
			}
			return cim.Array(t.Elem(), elems), nil
		}
		return wrong()
	}
	switch x := raw.(type) {
	case nil:
		return cim.Null(t), nil
	case bool:
		if t != cim.Boolean {
			return wrong()
		}
		return cim.Bool(x), nil
	case json.Number:
		if t != cim.Char16 && !t.IsInteger() && !t.IsReal() {
			return wrong()
		}
		return parsed(t, x.String())
	case string:
		if t == cim.Object || t == cim.Boolean || t == cim.Char16 {
			return wrong()
		}
		return parsed(t, x)
	case map[string]any:
		return object(x, t, refClass, lookup, depth)
	}
	return wrong()
}

func parsed(t cim.Type, s string) (cim.Value, error) {
	if t == cim.Char16 {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return cim.Value{}, broken("%.32q is no char16", s)
		}
		return cim.Uint(t, n), nil
	}
	v, err := cim.ParseValue(t, s)
	if err != nil {
		return v, broken("%.64q is no %s", s, t)
	}
	return v, nil
}

func object(o map[string]any, t cim.Type, refClass string, lookup Lookup, depth int) (cim.Value, error) {
	if t != cim.Object {
		return cim.Value{}, broken("an object does not fit the type %s", t)
	}
	name, _ := o[className].(string)
	if name == "" {
		name = refClass
	}
	var class *cim.Class
	if lookup != nil && name != "" {
		class = lookup(name)
	}
	if class == nil || refClass != "" && !class.IsA(refClass) {
		return cim.Value{}, broken("an embedded object of the class %.64q, where %q is wanted", name, refClass)
	}
	i, err := instance(o, class, lookup, depth+1)
	if err != nil {
		return cim.Value{}, err
	}
	return cim.Obj(i), nil
}

// named makes a JSON object of named values.
func named(list cim.NamedArray) map[string]json.RawMessage {
	if len(list) == 0 {
		return nil
	}
	o := make(map[string]json.RawMessage, len(list))
	for _, v := range list {
		o[v.Name] = appendValue(nil, v.Value)
	}
	return o
}
