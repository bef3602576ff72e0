package mof

import (
	"math"

	"github.com/casementhq/casement/cim"
)

// initializer reads a value: a constant, an array, or, where objects are
// allowed, an alias or an instance.
func (p *parser) initializer(objects bool) (Initializer, error) {
	if !p.tok.is('{') {
		return p.scalar(objects)
	}
	i := Initializer{Position: p.position(p.tok), IsArray: true}
	if err := p.advance(); err != nil {
		return i, err
	}
	if closed, err := p.take('}'); err != nil || closed {
		return i, err
	}
	for {
		if p.tok.is('{') {
			return i, p.fail(cim.ErrMofExpectedCloseBrace, "an array has no arrays in it")
		}
		at := p.tok
		e, err := p.scalar(objects)
		if err != nil {
			return i, err
		}
		if e.Alias == "" && e.Instance == nil && e.Constant.IsNull() {
			return i, p.lex.fail(cim.ErrMofNullArrayElem, at, "an array has no NULL in it")
		}
		i.Elems = append(i.Elems, e)
		if more, err := p.take(','); err != nil {
			return i, err
		} else if !more {
			return i, p.expect('}', cim.ErrMofExpectedCloseBrace)
		}
	}
}

func (p *parser) scalar(objects bool) (Initializer, error) {
	i := Initializer{Position: p.position(p.tok)}
	switch t := p.tok; {
	case t.kind == constant:
		i.Constant = t.value
		return i, p.advance()
	case t.isWord("TRUE"), t.isWord("FALSE"):
		i.Constant = cim.Bool(t.isWord("TRUE"))
		return i, p.advance()
	case t.isWord("NULL"):
		return i, p.advance()
	case t.is('$'):
		if !objects {
			return i, p.fail(cim.ErrMofUnexpectedAlias, "only a reference has an alias for its value")
		}
		if p.depth > 0 {
			return i, p.fail(cim.ErrMofAliasesInEmbedded, "an embedded instance cannot use aliases")
		}
		name, err := p.aliasName()
		if err != nil {
			return i, err
		}
		i.Alias = name
		p.uses = append(p.uses, aliasUse{name, i.Position})
		return i, nil
	case t.isWord("instance"):
		if !objects {
			return i, p.fail(cim.ErrMofUnsupportedCimv22QualValue, "a qualifier has no instance for its value")
		}
		if p.depth++; p.depth > MaxNesting {
			return i, p.fail(cim.ErrMofInvalidInstanceDeclaration, "instances stand within each other too deeply")
		}
		inst, err := p.instance(nil, true)
		i.Instance = inst
		p.depth--
		return i, err
	}
	return i, p.fail(cim.ErrMofIllegalConstantValue, "expected a value instead of "+p.tok.String()+"; a string stands in quotes")
}

// aliasName reads $Name.
func (p *parser) aliasName() (string, error) {
	if err := p.expect('$', cim.ErrMofExpectedDollar); err != nil {
		return "", err
	}
	return p.name(cim.ErrMofExpectedAliasName, "the name of an alias")
}

// as converts a constant or an array of constants to the type of a property.
// See spec/wmi.md 2.9: a real rounds to an integer, what does not fit fails
// with ErrMofOutOfRange, what cannot be converted with ErrMofTypeMismatch.
func (i *Initializer) as(t cim.Type) (cim.Value, error) {
	switch {
	case i.Alias != "":
		return cim.Value{}, i.fail(cim.ErrMofUnexpectedAlias, "only a reference has an alias for its value")
	case i.IsArray && !t.IsArray():
		return cim.Value{}, i.fail(cim.ErrMofUnexpectedArrayInit, "an array is declared with []")
	case i.Instance != nil:
		return cim.Value{}, i.fail(cim.ErrMofTypeMismatch, "an instance is no "+t.String())
	case i.IsArray:
		elems := make([]cim.Value, len(i.Elems))
		for n := range i.Elems {
			v, err := i.Elems[n].as(t.Elem())
			if err != nil {
				return cim.Value{}, err
			}
			elems[n] = v
		}
		return cim.Array(t.Elem(), elems), nil
	case i.Constant.IsNull():
		return cim.Null(t), nil
	case t.IsArray():
		return cim.Value{}, i.fail(cim.ErrMofTypeMismatch, "the value of an array stands in braces")
	}
	v, code := convert(i.Constant, t)
	if code != 0 {
		what := i.Constant.String()
		if len(what) > 60 {
			what = what[:60] + "..."
		}
		return cim.Value{}, i.fail(code, what+" cannot be made a "+t.String())
	}
	return v, nil
}

func (i *Initializer) fail(code cim.Status, why string) error {
	return &Error{Code: code, Position: i.Position, Detail: why}
}

// convert makes a constant a value of type t.
func convert(c cim.Value, t cim.Type) (cim.Value, cim.Status) {
	switch {
	case t == cim.Object, c.Type() == cim.Boolean && t != cim.Boolean && t != cim.String,
		c.Type() == cim.Char16 && t.IsReal():
		return cim.Value{}, cim.ErrMofTypeMismatch
	case c.Type() == cim.Real64 && (t.IsInteger() || t == cim.Char16):
		f, _ := c.Float()
		f = math.RoundToEven(f)
		switch {
		case f >= -1<<63 && f < 1<<63:
			c = cim.S64(int64(f))
		case f >= 1<<63 && f < 1<<64:
			c = cim.U64(uint64(f))
		default:
			return cim.Value{}, cim.ErrMofOutOfRange
		}
	case c.Type() == cim.Real64 && t == cim.Real32:
		if f, _ := c.Float(); math.IsInf(float64(float32(f)), 0) {
			return cim.Value{}, cim.ErrMofOutOfRange
		}
	case c.Type() == cim.Boolean && t == cim.String:
		if b, _ := c.Bool(); b {
			return cim.Str("TRUE"), 0
		}
		return cim.Str("FALSE"), 0
	case c.Type() == cim.Char16 && t == cim.String:
		n, _ := c.Uint()
		return cim.Str(string(rune(n))), 0
	case c.Type() != cim.String && (t == cim.Datetime || t == cim.Reference):
		return cim.Value{}, cim.ErrMofTypeMismatch
	}
	v, err := c.As(t)
	switch {
	case err == nil:
		return v, 0
	case c.Type().IsInteger() && (t.IsInteger() || t == cim.Char16):
		return cim.Value{}, cim.ErrMofOutOfRange
	}
	return cim.Value{}, cim.ErrMofTypeMismatch
}
