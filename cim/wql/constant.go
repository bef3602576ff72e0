package wql

import (
	"cmp"

	"github.com/casementhq/casement/cim"
)

// constant is the constant of a comparison in every form that a value may
// have to be compared with.
type constant struct {
	text    string
	boolean cim.Value
	signed  cim.Value // sint64
	whole   cim.Value // uint64
	real    cim.Value // real64
	time    cim.DateTime
	instant int64
	length  bool // time is an interval
	timed   bool // time has an instant
}

func newConstant(v cim.Value) constant {
	c := constant{text: v.String()}
	if v.Type() == cim.Char16 {
		n, _ := v.Uint()
		v = cim.U64(n)
	}
	as := func(t cim.Type) cim.Value {
		w, err := v.As(t)
		if err != nil {
			return cim.Null(t)
		}
		return w
	}
	c.boolean, c.signed, c.whole, c.real = as(cim.Boolean), as(cim.Sint64), as(cim.Uint64), as(cim.Real64)
	if d, err := parseTime(c.text); err == nil {
		c.time = d
		c.instant, c.length, c.timed = instant(d)
	}
	return c
}

// compare puts v in order with the constant; ok is false where they do not
// compare. It allocates nothing.
func (k *constant) compare(v cim.Value) (order int, ok bool) {
	if v.IsNull() {
		return 0, false
	}
	switch t := v.Type(); {
	case t == cim.String, t == cim.Reference, t == cim.Untyped:
		s, _ := v.Str()
		return compareText(s, k.text), true
	case t == cim.Datetime:
		d, _ := v.DateTime()
		return k.compareTime(d)
	case t == cim.Boolean:
		a, _ := v.Bool()
		b, ok := k.boolean.Bool()
		if a == b {
			return 0, ok
		}
		return 1, ok
	case t.IsSigned():
		return k.compareSigned(v)
	case t.IsUnsigned(), t == cim.Char16:
		return k.compareUnsigned(v)
	case t.IsReal():
		return k.compareReal(v)
	}
	return 0, false
}

func (k *constant) compareSigned(v cim.Value) (int, bool) {
	a, _ := v.Int()
	if b, ok := k.signed.Int(); ok {
		return cmp.Compare(a, b), true
	}
	return k.compareReal(v)
}

func (k *constant) compareUnsigned(v cim.Value) (int, bool) {
	a, _ := v.Uint()
	if b, ok := k.whole.Uint(); ok {
		return cmp.Compare(a, b), true
	}
	return k.compareReal(v)
}

func (k *constant) compareReal(v cim.Value) (int, bool) {
	a, ok := v.Float()
	b, bok := k.real.Float()
	return cmp.Compare(a, b), ok && bok
}

func (k *constant) compareTime(d cim.DateTime) (int, bool) {
	if k.time == "" {
		return 0, false
	}
	if d == k.time {
		return 0, true
	}
	at, length, ok := instant(d)
	if !ok || !k.timed || length != k.length {
		return 0, false
	}
	return cmp.Compare(at, k.instant), true
}

// kind is what values have in common that compare with one another.
type kind uint8

const (
	kindNone kind = iota // arrays and objects
	kindText
	kindTime
	kindBool
	kindNumber
)

func kindOf(t cim.Type) kind {
	switch {
	case t == cim.String, t == cim.Reference, t == cim.Untyped:
		return kindText
	case t == cim.Datetime:
		return kindTime
	case t == cim.Boolean:
		return kindBool
	case t.IsSigned(), t.IsUnsigned(), t.IsReal(), t == cim.Char16:
		return kindNumber
	}
	return kindNone
}

// compareValues puts two values in order that are not NULL; ok is false where
// they do not compare. It allocates nothing.
func compareValues(a, b cim.Value) (order int, ok bool) {
	k := kindOf(a.Type())
	if k != kindOf(b.Type()) {
		return 0, false
	}
	switch k {
	case kindText:
		x, _ := a.Str()
		y, _ := b.Str()
		return compareText(x, y), true
	case kindTime:
		x, _ := a.DateTime()
		y, _ := b.DateTime()
		return compareTimes(x, y)
	case kindBool:
		x, _ := a.Bool()
		y, _ := b.Bool()
		if x == y {
			return 0, true
		}
		return 1, true
	case kindNumber:
		return compareNumbers(a, b)
	}
	return 0, false
}

func compareNumbers(a, b cim.Value) (int, bool) {
	x, xok := a.Int()
	y, yok := b.Int()
	if xok && yok {
		return cmp.Compare(x, y), true
	}
	m, mok := a.Uint()
	n, nok := b.Uint()
	if mok && nok {
		return cmp.Compare(m, n), true
	}
	f, fok := a.Float()
	g, gok := b.Float()
	return cmp.Compare(f, g), fok && gok
}

func compareTimes(a, b cim.DateTime) (int, bool) {
	if a == b {
		return 0, true
	}
	x, xi, xok := instant(a)
	y, yi, yok := instant(b)
	return cmp.Compare(x, y), xok && yok && xi == yi
}
