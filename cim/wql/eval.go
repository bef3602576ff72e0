package wql

import (
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

// object is what a condition looks at: an instance, or a class alone, which
// has no instance.
type object struct {
	class    *cim.Class
	instance *cim.Instance
}

func objectOf(i *cim.Instance) object { return object{i.Class(), i} }

// node evaluates a condition over an object. NULL compares with nothing: a
// comparison with it is not met.
type node interface{ eval(object) bool }

type constNode bool

func (n constNode) eval(object) bool { return bool(n) }

const (
	always = constNode(true)
	never  = constNode(false)
)

type andNode []node

func (l andNode) eval(o object) bool {
	for _, n := range l {
		if !n.eval(o) {
			return false
		}
	}
	return true
}

type orNode []node

func (l orNode) eval(o object) bool {
	for _, n := range l {
		if n.eval(o) {
			return true
		}
	}
	return false
}

type notNode struct{ x node }

func (n *notNode) eval(o object) bool { return !n.x.eval(o) }

func negate(n node) node {
	if c, ok := n.(constNode); ok {
		return !c
	}
	return &notNode{n}
}

// operand is where a value comes from: properties, each inside of the one
// before it, and then the system property of what they lead to, if there is
// one.
type operand struct {
	steps  []step
	system system
}

// step is a property: its name and the position that it has in the class that
// is expected, -1 for none; in another class it is looked up.
type step struct {
	name   string
	column int
}

func (s *step) in(c *cim.Class) int {
	if s.column >= 0 && s.column < len(c.Properties) && c.Properties[s.column].Name == s.name {
		return s.column
	}
	return c.PropertyIndex(s.name)
}

// value is the operand's value; ok is false where an embedded object is NULL
// or has no such property. That is no error: see spec/wmi.md 3.2.
func (p *operand) value(o object) (v cim.Value, ok bool) {
	for n := range p.steps {
		if n > 0 {
			i := v.Object()
			if i == nil {
				return v, false
			}
			o = objectOf(i)
		}
		at := p.steps[n].in(o.class)
		if at < 0 || o.instance == nil {
			return v, false
		}
		v = o.instance.At(at)
	}
	if p.system == notSystem {
		return v, true
	}
	if len(p.steps) > 0 {
		i := v.Object()
		if i == nil {
			return v, false
		}
		o = objectOf(i)
	}
	return p.system.value(o), true
}

type compareNode struct {
	operand operand
	op      Op
	with    constant
}

func (n *compareNode) eval(o object) bool {
	v, ok := n.operand.value(o)
	if !ok {
		return false
	}
	c, ok := n.with.compare(v)
	if !ok && n.op == NotEqual && !v.IsNull() && v.Type() == cim.Datetime {
		return true // no instant, so another one
	}
	return ok && n.op.holds(c)
}

// namesNode compares two properties.
type namesNode struct {
	left, right operand
	op          Op
}

func (n *namesNode) eval(o object) bool {
	l, lok := n.left.value(o)
	r, rok := n.right.value(o)
	if !lok || !rok || l.IsNull() || r.IsNull() {
		return false
	}
	c, ok := compareValues(l, r)
	if !ok && n.op == NotEqual && l.Type() == cim.Datetime && r.Type() == cim.Datetime {
		return true // not the same text, and no two instants
	}
	return ok && n.op.holds(c) && (!n.op.orders() || l.Type() != cim.Boolean)
}

type isNullNode struct{ operand operand }

func (n *isNullNode) eval(o object) bool {
	v, ok := n.operand.value(o)
	return ok && v.IsNull()
}

type likeNode struct {
	operand operand
	pattern Pattern
}

func (n *likeNode) eval(o object) bool {
	v, ok := n.operand.value(o)
	if !ok {
		return false
	}
	s, ok := v.Str()
	return ok && n.pattern.Match(s)
}

// isANode asks for the class of an embedded object, be it an instance or a
// class itself; without an operand for that of the object.
type isANode struct {
	operand operand
	class   string
}

func (n *isANode) eval(o object) bool {
	if len(n.operand.steps) == 0 {
		return o.class.IsA(n.class)
	}
	v, ok := n.operand.value(o)
	i := v.Object()
	return ok && i != nil && i.Class().IsA(n.class)
}

// compareText compares case-blind, by lower-case code points.
func compareText(a, b string) int {
	for len(a) > 0 && len(b) > 0 {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y {
			if x, y = lower(x), lower(y); x != y {
				return int(x) - int(y)
			}
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}
