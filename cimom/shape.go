package cimom

import (
	"errors"
	"slices"

	"github.com/casementhq/casement/cim"
)

// shape is how instances of a class leave the manager: the class that they
// have for the caller, and where its values come from.
type shape struct {
	class   *cim.Class
	columns []int // position in the source for each property; nil: the same
}

// shapeOf is the shape of instances of source that are to be seen as
// instances of view, which is source or a superclass of it, with the named
// properties (nil: all) or the keys only.
func shapeOf(source, view *cim.Class, properties []string, keysOnly bool) shape {
	out := shape{class: view}
	switch {
	case keysOnly && len(view.Keys()) > 0:
		out.class = view.Project(nil, true)
	case properties != nil:
		out.class = view.Project(properties, false)
	}
	if out.class == source {
		return out
	}
	out.columns = make([]int, len(out.class.Properties))
	for i := range out.class.Properties {
		out.columns[i] = source.PropertyIndex(out.class.Properties[i].Name)
	}
	return out
}

// wanted are the properties of the source that the shape shows, with those
// that more names; nil means all.
func (s *shape) wanted(source *cim.Class, more ...[]int) []bool {
	if s.columns == nil {
		return nil
	}
	w := make([]bool, len(source.Properties))
	for _, list := range append(more, s.columns, source.Keys()) {
		for _, n := range list {
			if n >= 0 {
				w[n] = true
			}
		}
	}
	return w
}

// fill copies the values of i into values, which has room for all of them.
func (s *shape) fill(values []cim.Value, i *cim.Instance) {
	if s.columns == nil {
		for n := range values {
			values[n] = i.At(n)
		}
		return
	}
	for n, c := range s.columns {
		if c >= 0 {
			values[n] = i.At(c)
		} else {
			values[n] = s.class.Properties[n].Default
		}
	}
}

// make is i in this shape.
func (s *shape) make(i *cim.Instance) *cim.Instance {
	values := make([]cim.Value, len(s.class.Properties))
	s.fill(values, i)
	return cim.MakeInstance(s.class, values)
}

// fits tells whether an instance that a provider made is of the class that it
// was asked for. One of the class as it was registered is taken over into the
// class as it is now, where what is stored has changed that.
func (e *entry) fits(i *cim.Instance) (*cim.Instance, error) {
	if i == nil {
		return nil, errors.New("provider gave no instance")
	}
	c := i.Class()
	switch {
	case c == e.class || c == e.given && !e.stored && !e.inheritsStored():
		return i, nil
	case !cim.EqualFold(c.Name, e.class.Name):
	case !e.stored && !e.inheritsStored():
		if sameProperties(c, e.class) {
			return i, nil
		}
	default:
		out := cim.NewInstance(e.class)
		for n := range c.Properties {
			if at := e.class.PropertyIndex(c.Properties[n].Name); at >= 0 {
				if err := out.SetAt(at, i.At(n)); err != nil {
					return nil, err
				}
			}
		}
		return out, nil
	}
	return nil, errors.New("provider gave an instance of " + c.Name + " for " + e.class.Name)
}

// sameProperties tells whether two classes have the same properties in the same
// order, so that the values of one are values of the other.
func sameProperties(a, b *cim.Class) bool {
	return slices.EqualFunc(a.Properties, b.Properties, func(p, q cim.Property) bool {
		return p.Type == q.Type && cim.EqualFold(p.Name, q.Name)
	})
}
