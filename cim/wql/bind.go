package wql

import "github.com/casementhq/casement/cim"

// Bound is a query that was checked against a class. It is immutable and may
// be used by several goroutines.
type Bound struct {
	Class *cim.Class
	// Properties are the properties to be shown, nil for all. A dotted name
	// stands with its first part: the whole embedded object is shown.
	Properties []string
	// Constraints are the equalities that every result meets, for a provider
	// that can use them.
	Constraints []Constraint
	// Orders are the comparisons by order that every result meets, likewise.
	Orders []Order
	// Uses are the positions of the properties that the condition looks at.
	Uses []int
	// Never says that no instance of exactly this class can be a result.
	Never bool

	where node // nil: everything is a result
}

// Bind checks q against class, for instances of exactly that class. It fails
// with ErrInvalidQuery for an unknown property, ErrPropertyNotAnObject for a
// dot after a scalar, ErrTypeMismatch for a constant that does not fit the
// property, ErrInvalidOperator for an operator that its type does not have.
// That class is what FROM names or derived from it is not checked.
func Bind(q *Query, class *cim.Class) (*Bound, error) {
	b := &Bound{Class: class}
	c := &compiler{class: class, sample: &object{class, cim.NewInstance(class)}}
	var err error
	if b.Properties, err = c.shown(q.Select); err != nil || q.Where == nil {
		return b, err
	}
	n, err := c.compile(q.Where)
	if err != nil {
		return nil, err
	}
	b.Uses = c.uses
	switch n {
	case always:
	case never:
		b.Never = true
		b.where = n
	default:
		b.where = n
		err = constrain(class, q.Where, &b.Constraints, &b.Orders)
	}
	return b, err
}

// Match tells whether an instance of the class is a result.
func (b *Bound) Match(i *cim.Instance) bool { return b.where == nil || b.where.eval(objectOf(i)) }

// Filters tells whether Match can be false.
func (b *Bound) Filters() bool { return b.where != nil }

// constrain collects the equalities and orders of the outermost AND.
func constrain(class *cim.Class, e Expr, equal *[]Constraint, ordered *[]Order) error {
	switch x := e.(type) {
	case *And:
		for _, one := range x.List {
			if err := constrain(class, one, equal, ordered); err != nil {
				return err
			}
		}
	case *Compare:
		i := class.PropertyIndex(x.Name.Parts[0])
		if x.Op == NotEqual || len(x.Name.Parts) > 1 || i < 0 {
			return nil
		}
		v, err := typed(x, class.Properties[i].Type)
		if err != nil {
			return err
		}
		if x.Op == Equal {
			*equal = append(*equal, Constraint{Property: i, Value: v})
		} else {
			*ordered = append(*ordered, Order{Property: i, Op: x.Op, Value: v})
		}
	}
	return nil
}

// typed is the constant of a comparison in the type of the property.
func typed(x *Compare, t cim.Type) (cim.Value, error) {
	mismatch := func() (cim.Value, error) {
		return cim.Value{}, fail(cim.ErrTypeMismatch, x.At, "the constant for "+x.Name.String()+" is not a "+t.String())
	}
	s, isText := x.Value.Str()
	switch {
	case t == cim.Datetime:
		d, err := parseTime(s)
		if !isText || err != nil {
			return mismatch()
		}
		return cim.Time(d), nil
	case t == cim.Char16 && isText:
		if r := []rune(s); len(r) == 1 && r[0] < 0x10000 {
			return cim.Uint(cim.Char16, uint64(r[0])), nil
		}
	case t == cim.Reference && isText:
		return cim.Ref(s), nil
	}
	if v, err := x.Value.As(t); err == nil {
		return v, nil
	}
	return mismatch()
}
