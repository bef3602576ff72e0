package wql

import "github.com/casementhq/casement/cim"

// or reads a condition: AND binds tighter than OR, NOT tighter than AND.
func (p *parser) or() (Expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > MaxNesting {
		return nil, fail(cim.ErrQuotaViolation, p.tok.at, "the condition is nested too deep")
	}
	list, err := p.joined("OR", func() (Expr, error) {
		all, err := p.joined("AND", p.not)
		if err != nil || len(all) == 1 {
			return first(all), err
		}
		return &And{all}, nil
	})
	if err != nil || len(list) == 1 {
		return first(list), err
	}
	return &Or{list}, nil
}

func first(list []Expr) Expr {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func (p *parser) joined(keyword string, operand func() (Expr, error)) (list []Expr, err error) {
	for {
		x, err := operand()
		if err != nil {
			return nil, err
		}
		list = append(list, x)
		at := p.tok.at
		ok, err := p.accept(keyword)
		if err != nil || !ok {
			return list, err
		}
		if p.operators++; p.operators > MaxOperators {
			return nil, fail(cim.ErrQuotaViolation, at, "too many ANDs and ORs")
		}
	}
}

func (p *parser) not() (Expr, error) {
	negated := false
	for {
		ok, err := p.accept("NOT")
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		negated = !negated
	}
	x, err := p.term()
	if err != nil || !negated {
		return x, err
	}
	return &Not{x}, nil
}

func (p *parser) term() (Expr, error) {
	if ok, err := p.accept("("); err != nil || !ok {
		if err != nil {
			return nil, err
		}
		return p.predicate()
	}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	return x, p.expect(")")
}

func (p *parser) predicate() (Expr, error) {
	if _, ok := p.constant(); ok {
		return p.constantFirst()
	}
	n, err := p.name()
	if err != nil {
		return nil, err
	}
	at := p.tok.at
	switch {
	case p.tok.is("IS"):
		return p.isNull(n)
	case p.tok.is("NOT"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.tok.is("LIKE") {
			return nil, invalid(p.tok.at, "LIKE is missing")
		}
		x, err := p.like(n, at)
		return &Not{x}, err
	case p.tok.is("LIKE"):
		return p.like(n, at)
	case p.tok.is("ISA"):
		return p.isA(n)
	}
	op, err := p.op()
	if err != nil {
		return nil, err
	}
	v, ok := p.constant()
	switch {
	case ok:
	case !p.event:
		return nil, invalid(p.tok.at, "a constant is missing: a property is compared with a constant, never with another property")
	case p.tok.kind != word:
		return nil, invalid(p.tok.at, "a constant or a property is missing")
	default:
		other, err := p.name()
		return &CompareNames{Left: n, Right: other, Op: op, At: at}, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return compare(n, op, v, at)
}

// constantFirst reads a comparison with the constant on the left.
func (p *parser) constantFirst() (Expr, error) {
	v, _ := p.constant()
	if err := p.advance(); err != nil {
		return nil, err
	}
	at := p.tok.at
	op, err := p.op()
	if err != nil {
		return nil, err
	}
	n, err := p.name()
	if err != nil {
		return nil, err
	}
	return compare(n, op.turned(), v, at)
}

func (p *parser) op() (Op, error) {
	op, ok := ops[p.tok.text]
	if !ok || p.tok.kind != symbol {
		return 0, invalid(p.tok.at, "a comparison is missing")
	}
	return op, p.advance()
}

// constant is the value of the next token, if it is a constant.
func (p *parser) constant() (cim.Value, bool) {
	switch t := p.tok; {
	case t.kind == text || t.kind == number64:
		return t.value, true
	case t.is("TRUE"):
		return cim.Bool(true), true
	case t.is("FALSE"):
		return cim.Bool(false), true
	case t.is("NULL"):
		return cim.Value{}, true
	}
	return cim.Value{}, false
}

func compare(n Name, op Op, v cim.Value, at int) (Expr, error) {
	switch {
	case !v.IsNull():
		return &Compare{Name: n, Op: op, Value: v, At: at}, nil
	case op == Equal:
		return &IsNull{n}, nil
	case op == NotEqual:
		return &Not{&IsNull{n}}, nil
	}
	return nil, invalid(at, "NULL has no order")
}

func (p *parser) isNull(n Name) (Expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	negated, err := p.accept("NOT")
	if err != nil {
		return nil, err
	}
	if err := p.expect("NULL"); err != nil {
		return nil, err
	}
	if negated {
		return &Not{&IsNull{n}}, nil
	}
	return &IsNull{n}, nil
}

// like reads LIKE and the pattern after it.
func (p *parser) like(n Name, at int) (Expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind != text {
		return nil, invalid(p.tok.at, "a string is missing")
	}
	s := p.tok.text
	if _, err := compilePattern(s); err != nil {
		return nil, invalid(at, err.Error())
	}
	return &Like{Name: n, Pattern: s, At: at}, p.advance()
}

// isA reads ISA and the class after it, in quotes or without, as [MS-WMI] 2.2.1
// writes it.
func (p *parser) isA(n Name) (Expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind != text && p.tok.kind != word || p.tok.text == "" {
		return nil, invalid(p.tok.at, "a class name is missing")
	}
	x := &IsA{Name: n, Class: p.tok.text}
	return x, p.advance()
}
