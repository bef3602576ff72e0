package wql

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// Constraint says that every result has Property equal to Value, strings
// compared case-blind. Value has the type of the property and is not NULL.
type Constraint struct {
	Property int // position in the class that the query was bound to
	Value    cim.Value
}

// Order says that every result has Property less or greater than Value, with
// or without equality. Value has the type of the property and is not NULL.
type Order struct {
	Property int // position in the class that the query was bound to
	Op       Op  // Less, LessOrEqual, Greater or GreaterOrEqual
	Value    cim.Value
}

// Holds tells whether an instance of that class meets the constraint.
func (c Constraint) Holds(i *cim.Instance) bool {
	return EqualValues(i.At(c.Property), c.Value)
}

// EqualValues compares two scalars of one type as WQL does: strings
// case-blind, references by what they name, datetimes in UTC. NULL equals
// nothing.
func EqualValues(a, b cim.Value) bool {
	if a.IsNull() || b.IsNull() {
		return false
	}
	switch a.Type() {
	case cim.String, cim.Untyped:
		x, _ := a.Str()
		y, ok := b.Str()
		return ok && (x == y || strings.EqualFold(x, y))
	case cim.Reference:
		x, _ := a.Str()
		y, ok := b.Str()
		return ok && sameReference(x, y)
	case cim.Datetime:
		x, _ := a.DateTime()
		y, ok := b.DateTime()
		return ok && equalTimes(x, y)
	}
	return a.Equal(b)
}

// ConstraintsOf turns the keys of a path into constraints of its class. It
// fails with ErrInvalidObjectPath where a key is missing, unknown, given twice
// or of the wrong type.
func ConstraintsOf(class *cim.Class, path cim.ObjectPath) ([]Constraint, error) {
	if path.Singleton || class.IsSingleton() {
		if len(path.Keys) > 0 || !class.IsSingleton() {
			return nil, badKeys(path, "the path does not fit the keys of the class")
		}
		return nil, nil
	}
	keys := class.Keys()
	if len(keys) == 0 || len(path.Keys) != len(keys) {
		return nil, badKeys(path, "the path must have every key of the class once")
	}
	out := make([]Constraint, 0, len(keys))
	for _, k := range keys {
		p := &class.Properties[k]
		v, ok := path.Key(p.Name)
		if !ok {
			return nil, badKeys(path, "key "+p.Name+" is missing")
		}
		typed, err := v.As(p.Type)
		if err != nil || typed.IsNull() {
			return nil, badKeys(path, "key "+p.Name+" is not a "+p.Type.String())
		}
		out = append(out, Constraint{Property: k, Value: typed})
	}
	return out, nil
}

func badKeys(path cim.ObjectPath, why string) error {
	return &cim.Error{Status: cim.ErrInvalidObjectPath, Path: path.String(), Detail: why}
}
