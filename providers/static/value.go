package static

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/casementhq/casement/cim"
)

// maxNesting is how deep embedded objects of a file may lie in each other.
// See spec/wmi.md 2.2, WBEM_MAX_OBJECT_NESTING.
const maxNesting = 64

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (l *loader) instance(namespace string, f *fileInstance, depth int) (*cim.Instance, error) {
	if depth > maxNesting {
		return nil, errors.New("embedded objects lie too deep")
	}
	c, err := l.find(namespace, f.Class)
	if err != nil {
		return nil, err
	}
	i := cim.NewInstance(c)
	for _, name := range sorted(f.Properties) {
		p := c.Property(name)
		if p == nil {
			return nil, &cim.Error{Status: cim.ErrInvalidProperty, Path: c.Name + "." + name}
		}
		v, err := l.value(namespace, p.Type, f.Properties[name], depth)
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", name, err)
		}
		if err := i.Set(name, v); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// value reads a JSON value of a type. Numbers may be written as strings, so
// that 64 bits survive other programs.
func (l *loader) value(namespace string, t cim.Type, raw json.RawMessage, depth int) (cim.Value, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case string(raw) == "null":
		return cim.Null(t), nil
	case t.IsArray():
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return cim.Value{}, err
		}
		elems := make([]cim.Value, len(list))
		for n, e := range list {
			v, err := l.value(namespace, t.Elem(), e, depth)
			if err != nil {
				return cim.Value{}, err
			}
			if v.IsNull() {
				return cim.Value{}, errors.New("an array has no NULL")
			}
			elems[n] = v
		}
		return cim.Array(t.Elem(), elems), nil
	case t == cim.Object:
		var f fileInstance
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			return cim.Value{}, err
		}
		i, err := l.instance(namespace, &f, depth+1)
		return cim.Obj(i), err
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return cim.Value{}, err
		}
	} else if t == cim.String || t == cim.Datetime || t == cim.Reference {
		return cim.Value{}, fmt.Errorf("a %s is written in quotes", t)
	}
	return cim.ParseValue(t, text)
}
