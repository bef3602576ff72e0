package wql

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// compiler makes evaluators of conditions and checks them on the way.
type compiler struct {
	class *cim.Class // of the objects; nil where they are classes
	uses  []int      // positions of the properties that were looked at
	// sample stands for all objects where they are of exactly one class: what
	// the class alone decides is decided with it.
	sample *object
	// event is set for events; lookup then finds the classes of embedded
	// objects, which are known holds what the conditions in force say of.
	event  bool
	lookup func(string) *cim.Class
	known  []knownClass
}

// knownClass says of which class the embedded object with that name is.
type knownClass struct {
	name  string
	class *cim.Class
}

// shown are the properties to be shown for a list of names, nil for all. A
// dotted name stands with its first part.
func (c *compiler) shown(names []Name) ([]string, error) {
	if names == nil {
		return nil, nil
	}
	list := []string{}
	for _, n := range names {
		p, _, err := c.resolve(n)
		if err != nil {
			return nil, err
		}
		if len(p.steps) > 0 {
			list = append(list, p.steps[0].name)
		}
	}
	return list, nil
}

// resolve finds out what a name means, and its type: Untyped where only the
// object itself will tell.
func (c *compiler) resolve(n Name) (operand, cim.Type, error) { return c.resolveIn(c.class, n) }

func (c *compiler) resolveIn(class *cim.Class, n Name) (p operand, t cim.Type, err error) {
	for i, part := range n.Parts {
		last := i == len(n.Parts)-1
		if y := systemOf(part); y != notSystem {
			if !last {
				return p, t, fail(cim.ErrPropertyNotAnObject, n.At, part+" is no embedded object")
			}
			if i == 0 && c.event && y.ofPlace() {
				y = sysNothing
			}
			p.system = y
			return p, y.kind(), nil
		}
		s := step{part, -1}
		refClass := ""
		t = cim.Untyped
		if class != nil {
			s.column = class.PropertyIndex(part)
		}
		switch {
		case s.column >= 0:
			property := &class.Properties[s.column]
			s.name, t, refClass = property.Name, property.Type, property.RefClass
			if !last && t != cim.Object {
				return p, t, fail(cim.ErrPropertyNotAnObject, n.At, part+" is no embedded object")
			}
		case i == 0:
			return p, t, c.unknown(n)
		}
		if p.steps = append(p.steps, s); !last {
			class = c.classOf(n.Parts[:i+1], refClass)
		}
	}
	return p, t, nil
}

func (c *compiler) unknown(n Name) error {
	if c.class == nil {
		return invalid(n.At, "a class has system properties only, not "+n.Parts[0])
	}
	return invalid(n.At, "class "+c.class.Name+" has no property "+n.Parts[0])
}

// classOf is the class that an embedded object is known to be of, or nil.
func (c *compiler) classOf(name []string, declared string) *cim.Class {
	full := strings.Join(name, ".")
	for _, k := range c.known {
		if k.class != nil && cim.EqualFold(k.name, full) {
			return k.class
		}
	}
	if c.lookup == nil || declared == "" {
		return nil
	}
	return c.lookup(declared)
}

// operand resolves a name whose value a condition looks at.
func (c *compiler) operand(n Name) (operand, cim.Type, error) {
	if m := c.modification(n); m != nil {
		return c.resolveIn(m, n)
	}
	p, t, err := c.resolve(n)
	switch {
	case err != nil:
		return p, t, err
	case len(p.steps) > 0:
		c.uses = append(c.uses, p.steps[0].column)
	case c.class != nil && !p.system.ofClass():
		c.uses = append(c.uses, c.class.Keys()...)
	}
	return p, t, nil
}

// modification is the class of the events that alone have PreviousInstance,
// PreviousClass or PreviousNamespace, where the query is for events of a class
// above it. Conditions for __InstanceOperationEvent may name it: they are met
// by no other event.
func (c *compiler) modification(n Name) *cim.Class {
	property := n.Parts[0]
	what, ok := strings.CutPrefix(cim.Fold(property), "previous")
	if !ok || !c.event || c.class.PropertyIndex(property) >= 0 {
		return nil
	}
	if m := c.lookup("__" + what + "ModificationEvent"); m != nil && m.IsA(c.class.Name) && m.PropertyIndex(property) >= 0 {
		return m
	}
	return nil
}

// decided is a condition over an operand, decided at once where the class of
// the objects decides it.
func (c *compiler) decided(p operand, n node) node {
	if c.sample != nil && len(p.steps) == 0 && p.system.ofClass() {
		return constNode(n.eval(*c.sample))
	}
	return n
}

func (c *compiler) compile(e Expr) (node, error) {
	switch x := e.(type) {
	case *And:
		mark := len(c.known)
		c.assume(x)
		n, err := c.compileList(x.List, never, always, func(l []node) node { return andNode(l) })
		c.known = c.known[:mark]
		return n, err
	case *Or:
		return c.compileList(x.List, always, never, func(l []node) node { return orNode(l) })
	case *Not:
		n, err := c.compile(x.X)
		if err != nil {
			return nil, err
		}
		return negate(n), nil
	case *Compare:
		return c.compileCompare(x)
	case *CompareNames:
		return c.compileNames(x)
	case *IsNull:
		p, _, err := c.operand(x.Name)
		if err != nil {
			return nil, err
		}
		return c.decided(p, &isNullNode{p}), nil
	case *Like:
		return c.compileLike(x)
	}
	return c.compileIsA(e.(*IsA))
}

// assume notes what an AND says of the classes of embedded objects.
func (c *compiler) assume(e Expr) {
	switch x := e.(type) {
	case *And:
		for _, one := range x.List {
			c.assume(one)
		}
	case *IsA:
		if c.lookup != nil {
			c.known = append(c.known, knownClass{x.Name.String(), c.lookup(x.Class)})
		}
	}
}

// compileList joins conditions: decides is the operand that decides alone,
// neutral the one that says nothing.
func (c *compiler) compileList(list []Expr, decides, neutral node, join func([]node) node) (node, error) {
	var nodes []node
	decided := false
	for _, e := range list {
		n, err := c.compile(e)
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

func (c *compiler) compileCompare(x *Compare) (node, error) {
	p, t, err := c.operand(x.Name)
	if err != nil {
		return nil, err
	}
	switch {
	case t == cim.Untyped: // seen only when there is a value
		return &compareNode{p, x.Op, newConstant(x.Value)}, nil
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
	if path, ok := v.Str(); ok && t == cim.Reference && !x.Op.orders() {
		return c.decided(p, &referenceNode{p, path, x.Op == NotEqual}), nil
	}
	return c.decided(p, &compareNode{p, x.Op, newConstant(v)}), nil
}

// compileNames checks what is known of both properties: the one must be as
// comparable as the other.
func (c *compiler) compileNames(x *CompareNames) (node, error) {
	l, lt, err := c.operand(x.Left)
	if err != nil {
		return nil, err
	}
	r, rt, err := c.operand(x.Right)
	if err != nil {
		return nil, err
	}
	for _, t := range []cim.Type{lt, rt} {
		switch {
		case t.IsArray():
			return nil, invalid(x.At, "an array cannot be compared")
		case t == cim.Object, t == cim.Boolean && x.Op.orders():
			return nil, fail(cim.ErrInvalidOperator, x.At, "a "+t.String()+" has no such comparison")
		}
	}
	if lt != cim.Untyped && rt != cim.Untyped && kindOf(lt) != kindOf(rt) {
		return nil, fail(cim.ErrTypeMismatch, x.At, x.Left.String()+" is a "+lt.String()+", "+x.Right.String()+" a "+rt.String())
	}
	return &namesNode{l, r, x.Op}, nil
}

// compileLike makes LIKE. With a property that is no text it is =, and has no
// pattern. See [MS-WMI] 2.2.1.1.
func (c *compiler) compileLike(x *Like) (node, error) {
	p, t, err := c.operand(x.Name)
	if err != nil {
		return nil, err
	}
	switch {
	case t == cim.Untyped, t == cim.String, t == cim.Reference, t == cim.Datetime:
	case strings.ContainsAny(x.Pattern, "%_["):
		return nil, invalid(x.At, "a LIKE pattern needs a string, "+x.Name.String()+" is a "+t.String())
	default:
		return c.compileCompare(&Compare{Name: x.Name, Op: Equal, Value: cim.Str(x.Pattern), At: x.At})
	}
	pattern, err := compilePattern(x.Pattern)
	if err != nil {
		return nil, invalid(x.At, err.Error())
	}
	return c.decided(p, &likeNode{p, pattern}), nil
}

func (c *compiler) compileIsA(x *IsA) (node, error) {
	if isThis(x.Name) {
		return c.decided(operand{}, &isANode{class: x.Class}), nil
	}
	p, t, err := c.operand(x.Name)
	if err != nil {
		return nil, err
	}
	if t != cim.Untyped && t != cim.Object || p.system != notSystem {
		return nil, fail(cim.ErrInvalidOperator, x.Name.At, "ISA needs an embedded object, "+x.Name.String()+" is a "+t.String())
	}
	if c.event && isTarget(x.Name) && c.lookup(x.Class) == nil {
		return nil, fail(cim.ErrInvalidClass, x.Name.At, "there is no class "+x.Class)
	}
	return &isANode{p, x.Class}, nil
}

func isThis(n Name) bool { return len(n.Parts) == 1 && strings.EqualFold(n.Parts[0], "__this") }
