package wql

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

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
	if q.Select != nil {
		b.Properties = []string{}
	}
	for _, n := range q.Select {
		if isSystem(n.Parts[0]) {
			continue
		}
		i, err := b.property(n)
		if err != nil {
			return nil, err
		}
		b.Properties = append(b.Properties, class.Properties[i].Name)
	}
	if q.Where == nil {
		return b, nil
	}
	n, err := b.compile(q.Where)
	if err != nil {
		return nil, err
	}
	switch n {
	case always:
	case never:
		b.Never = true
		b.where = n
	default:
		b.where = n
		err = b.constrain(q.Where)
	}
	return b, err
}

// Match tells whether an instance of the class is a result.
func (b *Bound) Match(i *cim.Instance) bool { return b.where == nil || b.where.eval(i) }

// Filters tells whether Match can be false.
func (b *Bound) Filters() bool { return b.where != nil }

// property is the position of the first part of a name.
func (b *Bound) property(n Name) (int, error) {
	i := b.Class.PropertyIndex(n.Parts[0])
	if i < 0 {
		return i, invalid(n.At, "class "+b.Class.Name+" has no property "+n.Parts[0])
	}
	if t := b.Class.Properties[i].Type; len(n.Parts) > 1 && t != cim.Object {
		return i, fail(cim.ErrPropertyNotAnObject, n.At, n.Parts[0]+" is no embedded object")
	}
	return i, nil
}

// constrain collects the equalities and orders of the outermost AND.
func (b *Bound) constrain(e Expr) error {
	switch x := e.(type) {
	case *And:
		for _, one := range x.List {
			if err := b.constrain(one); err != nil {
				return err
			}
		}
	case *Compare:
		i := b.Class.PropertyIndex(x.Name.Parts[0])
		if x.Op == NotEqual || len(x.Name.Parts) > 1 || i < 0 {
			return nil
		}
		v, err := typed(x, b.Class.Properties[i].Type)
		if err != nil {
			return err
		}
		if x.Op == Equal {
			b.Constraints = append(b.Constraints, Constraint{Property: i, Value: v})
		} else {
			b.Orders = append(b.Orders, Order{Property: i, Op: x.Op, Value: v})
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

// compile makes the evaluator of a condition; what the class alone decides is
// decided here.
func (b *Bound) compile(e Expr) (node, error) {
	switch x := e.(type) {
	case *And:
		return b.compileList(x.List, never, always, func(l []node) node { return andNode(l) })
	case *Or:
		return b.compileList(x.List, always, never, func(l []node) node { return orNode(l) })
	case *Not:
		n, err := b.compile(x.X)
		if err != nil {
			return nil, err
		}
		return negate(n), nil
	case *Compare:
		return b.compileCompare(x)
	case *IsNull:
		return b.compileIsNull(x)
	case *Like:
		return b.compileLike(x)
	}
	return b.compileIsA(e.(*IsA))
}

// compileList joins conditions: decides is the operand that decides alone,
// neutral the one that says nothing.
func (b *Bound) compileList(list []Expr, decides, neutral node, join func([]node) node) (node, error) {
	var nodes []node
	decided := false
	for _, e := range list {
		n, err := b.compile(e)
		if err != nil {
			return nil, err
		}
		decided = decided || n == decides
		if n != neutral {
			nodes = append(nodes, n)
		}
	}
	switch {
	case decided:
		return decides, nil
	case len(nodes) == 0:
		return neutral, nil
	case len(nodes) == 1:
		return nodes[0], nil
	}
	return join(nodes), nil
}

func (b *Bound) compileCompare(x *Compare) (node, error) {
	if isSystem(x.Name.Parts[0]) {
		return b.compileSystem(x.Name, func(v cim.Value) (bool, error) {
			c := newConstant(x.Value)
			r, ok := c.compare(v)
			return ok && x.Op.holds(r), nil
		})
	}
	op, t, err := b.operand(x.Name)
	if err != nil {
		return nil, err
	}
	if len(op.rest) > 0 { // what the embedded object has is seen only later
		return &compareNode{op, x.Op, newConstant(x.Value)}, nil
	}
	switch {
	case t.IsArray():
		return nil, invalid(x.At, "array "+x.Name.String()+" cannot be compared")
	case t == cim.Object, t == cim.Boolean && x.Op.orders():
		return nil, fail(cim.ErrInvalidOperator, x.At, "a "+t.String()+" has no such comparison")
	}
	v, err := typed(x, t)
	if err != nil {
		return nil, err
	}
	if d, ok := v.DateTime(); ok && x.Op.orders() && d.HasWildcards() {
		return nil, fail(cim.ErrInvalidOperator, x.At, "a datetime with asterisks has no order")
	}
	return &compareNode{op, x.Op, newConstant(v)}, nil
}

func (b *Bound) compileIsNull(x *IsNull) (node, error) {
	if isSystem(x.Name.Parts[0]) {
		return b.compileSystem(x.Name, func(v cim.Value) (bool, error) { return v.IsNull(), nil })
	}
	op, _, err := b.operand(x.Name)
	return &isNullNode{op}, err
}

func (b *Bound) compileLike(x *Like) (node, error) {
	p, err := compilePattern(x.Pattern)
	if err != nil {
		return nil, invalid(x.At, err.Error())
	}
	if isSystem(x.Name.Parts[0]) {
		return b.compileSystem(x.Name, func(v cim.Value) (bool, error) {
			s, ok := v.Str()
			return ok && p.Match(s), nil
		})
	}
	op, t, err := b.operand(x.Name)
	if err != nil {
		return nil, err
	}
	if len(op.rest) == 0 && t != cim.String && t != cim.Reference && t != cim.Datetime {
		return nil, fail(cim.ErrInvalidOperator, x.At, "LIKE needs a string, "+x.Name.String()+" is a "+t.String())
	}
	return &likeNode{op, p}, nil
}

func (b *Bound) compileIsA(x *IsA) (node, error) {
	op, t, err := b.operand(x.Name)
	if err != nil {
		return nil, err
	}
	if len(op.rest) == 0 && t != cim.Object {
		return nil, fail(cim.ErrInvalidOperator, x.Name.At, "ISA needs an embedded object, "+x.Name.String()+" is a "+t.String())
	}
	return &isANode{op, x.Class}, nil
}

// operand is where the value of a name comes from.
func (b *Bound) operand(n Name) (operand, cim.Type, error) {
	i, err := b.property(n)
	if err != nil {
		return operand{}, cim.Untyped, err
	}
	b.Uses = append(b.Uses, i)
	return operand{i, n.Parts[1:]}, b.Class.Properties[i].Type, nil
}

func isSystem(name string) bool { return strings.HasPrefix(name, "__") }
