package repository

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// Keep copies an instance that Scan gave, with every text in it, so that it
// stays valid. Its class is shared.
func Keep(i *cim.Instance) *cim.Instance {
	values := make([]cim.Value, i.Len())
	for n := range values {
		values[n] = keepValue(i.At(n))
	}
	return cim.MakeInstance(i.Class(), values)
}

func keepValue(v cim.Value) cim.Value {
	if v.IsNull() {
		return v
	}
	t := v.Type()
	if t.IsArray() {
		elems := make([]cim.Value, len(v.Elems()))
		for n, e := range v.Elems() {
			elems[n] = keepValue(e)
		}
		return cim.Array(t.Elem(), elems)
	}
	s, _ := v.Str()
	switch t {
	case cim.String:
		return cim.Str(strings.Clone(s))
	case cim.Datetime:
		return cim.Time(cim.DateTime(strings.Clone(s)))
	case cim.Reference:
		return cim.Ref(strings.Clone(s))
	case cim.Untyped:
		return cim.Text(strings.Clone(s))
	case cim.Object:
		return cim.Obj(keepObject(v.Object()))
	}
	return v
}

// keepObject copies an embedded object, whose class lies in the file too.
func keepObject(i *cim.Instance) *cim.Instance {
	var e encoder
	e.object(i)
	d := decoder{b: e.b}
	return d.object()
}
