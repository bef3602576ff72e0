package wql

import (
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

// node evaluates a condition over an instance of the class that it was
// compiled for. NULL compares with nothing: a comparison with it is not met.
type node interface{ eval(*cim.Instance) bool }

type constNode bool

func (n constNode) eval(*cim.Instance) bool { return bool(n) }

const (
	always = constNode(true)
	never  = constNode(false)
)

type andNode []node

func (l andNode) eval(i *cim.Instance) bool {
	for _, n := range l {
		if !n.eval(i) {
			return false
		}
	}
	return true
}

type orNode []node

func (l orNode) eval(i *cim.Instance) bool {
	for _, n := range l {
		if n.eval(i) {
			return true
		}
	}
	return false
}

type notNode struct{ x node }

func (n *notNode) eval(i *cim.Instance) bool { return !n.x.eval(i) }

func negate(n node) node {
	if c, ok := n.(constNode); ok {
		return !c
	}
	return &notNode{n}
}

// operand is a property, or what rest names inside of it.
type operand struct {
	column int
	rest   []string
}

// value is the operand's value; ok is false where an embedded object is NULL
// or has no such property. That is no error: see spec/wmi.md 3.2.
func (o *operand) value(i *cim.Instance) (v cim.Value, ok bool) {
	v = i.At(o.column)
	for _, name := range o.rest {
		if i = v.Object(); i == nil {
			return v, false
		}
		n := i.Class().PropertyIndex(name)
		if n < 0 {
			return v, false
		}
		v = i.At(n)
	}
	return v, true
}

type compareNode struct {
	operand operand
	op      Op
	with    constant
}

func (n *compareNode) eval(i *cim.Instance) bool {
	v, ok := n.operand.value(i)
	if !ok {
		return false
	}
	c, ok := n.with.compare(v)
	if !ok && n.op == NotEqual && !v.IsNull() && v.Type() == cim.Datetime {
		return true // no instant, so another one
	}
	return ok && n.op.holds(c)
}

type isNullNode struct{ operand operand }

func (n *isNullNode) eval(i *cim.Instance) bool {
	v, ok := n.operand.value(i)
	return ok && v.IsNull()
}

type likeNode struct {
	operand operand
	pattern Pattern
}

func (n *likeNode) eval(i *cim.Instance) bool {
	v, ok := n.operand.value(i)
	if !ok {
		return false
	}
	s, ok := v.Str()
	return ok && n.pattern.Match(s)
}

type isANode struct {
	operand operand
	class   string
}

func (n *isANode) eval(i *cim.Instance) bool {
	v, ok := n.operand.value(i)
	o := v.Object()
	return ok && o != nil && o.Class().IsA(n.class)
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
