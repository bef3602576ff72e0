package mof

import (
	"github.com/casementhq/casement/cim"
)

// scope is where a qualifier stands.
type scope uint16

const (
	onClass scope = 1 << iota
	onAssociation
	onIndication
	onInstance
	onProperty
	onReference
	onMethod
	onParameter
	onSchema
	onQualifier
	anywhere scope = 0xFFFF
)

var scopes = map[string]scope{
	"class": onClass, "association": onAssociation, "indication": onIndication, "instance": onInstance,
	"property": onProperty, "reference": onReference, "method": onMethod, "parameter": onParameter,
	"schema": onSchema, "qualifier": onQualifier, "any": anywhere,
}

// qualifierRule is what a qualifier declaration says for the rest of the text.
type qualifierRule struct {
	flavors flavors
	typ     cim.Type  // Untyped where the declaration gives none
	value   cim.Value // of a use without one
	presume bool      // a boolean is true where it is not given
	scope   scope
}

// qualifier is one use of a qualifier, with its place.
type qualifier struct {
	cim.Qualifier
	at token
}

// qualifierDeclaration reads WMI's short form, `qualifier Name : Flavor ...;`,
// and that of DSP0004, `qualifier Name : type = value, scope(...), flavor(...);`.
func (p *parser) qualifierDeclaration() error {
	const code = cim.ErrMofInvalidQualifierSyntax
	if err := p.advance(); err != nil {
		return err
	}
	name, err := p.name(code, "the name of a qualifier")
	if err != nil {
		return err
	}
	if err := p.expect(':', code); err != nil {
		return err
	}
	rule := qualifierRule{scope: anywhere}
	if t, ok := cim.ParseType(p.tok.text); ok && p.tok.kind == word {
		if err := p.advance(); err != nil {
			return err
		}
		err = p.typedRule(&rule, t)
	} else {
		err = p.flavorWords(&rule.flavors)
	}
	if err != nil {
		return err
	}
	p.qualifiers[cim.Fold(name)] = rule
	return p.expect(';', code)
}

// typedRule reads what follows the type in the form of DSP0004.
func (p *parser) typedRule(rule *qualifierRule, t cim.Type) error {
	const code = cim.ErrMofInvalidQualifierSyntax
	if t == cim.Datetime || t == cim.Char16 || t == cim.Reference || t == cim.Object {
		return p.fail(cim.ErrMofUnsupportedCimv22DataType, "a qualifier holds an integer, a real, a string or a boolean, or an array of them")
	}
	if isArray, _, err := p.brackets(); err != nil {
		return err
	} else if isArray {
		t = t.Array()
	}
	rule.typ, rule.value = t, cim.Null(t)
	if t == cim.Boolean {
		rule.value = cim.Bool(true)
	}
	if ok, err := p.take('='); err != nil {
		return err
	} else if ok {
		init, err := p.initializer(false)
		if err != nil {
			return err
		}
		v, err := init.as(t)
		if err != nil {
			return err
		}
		if t == cim.Boolean { // one that merely stands there is true all the same
			rule.presume, _ = v.Bool()
		} else {
			rule.value = v
		}
	}
	for {
		more, err := p.take(',')
		if err != nil || !more {
			return err
		}
		isScope := p.tok.isWord("scope")
		if !isScope && !p.tok.isWord("flavor") {
			return p.fail(code, "expected scope(...) or flavor(...) instead of "+p.tok.String())
		}
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.expect('(', code); err != nil {
			return err
		}
		if isScope {
			err = p.scopeWords(&rule.scope)
		} else {
			err = p.flavorList(&rule.flavors)
		}
		if err != nil {
			return err
		}
		if err := p.expect(')', code); err != nil {
			return err
		}
	}
}

func (p *parser) scopeWords(into *scope) error {
	*into = 0
	for {
		s, ok := scopes[cim.Fold(p.tok.text)]
		if !ok || p.tok.kind != word {
			return p.fail(cim.ErrMofInvalidQualifierSyntax, p.tok.String()+" is no scope")
		}
		*into |= s
		if err := p.advance(); err != nil {
			return err
		}
		if more, err := p.take(','); err != nil || !more {
			return err
		}
	}
}

// flavorWords reads one flavor or more.
func (p *parser) flavorWords(into *flavors) error {
	for first := true; first || p.tok.kind == word; first = false {
		known, code := into.add(p.tok.text)
		switch {
		case !known || p.tok.kind != word:
			return p.fail(cim.ErrMofExpectedFlavorType, "expected a flavor instead of "+p.tok.String())
		case code != 0:
			return p.fail(code, "the flavors contradict each other")
		}
		if err := p.advance(); err != nil {
			return err
		}
	}
	return nil
}

// flavorList reads flavors with commas between them, as DSP0004 has them.
func (p *parser) flavorList(into *flavors) error {
	for {
		if err := p.flavorWords(into); err != nil {
			return err
		}
		if more, err := p.take(','); err != nil || !more {
			return err
		}
	}
}

// qualifierList reads [ qualifier, ... ].
func (p *parser) qualifierList() ([]qualifier, error) {
	if err := p.advance(); err != nil { // '['
		return nil, err
	}
	list := []qualifier{}
	for {
		q, err := p.qualifier()
		if err != nil {
			return nil, err
		}
		for _, other := range list {
			if cim.EqualFold(other.Name, q.Name) {
				return nil, p.lex.fail(cim.ErrMofDuplicateQualifier, q.at, q.Name+" was given already")
			}
		}
		if list = append(list, q); len(list) > MaxQualifiers {
			return nil, p.lex.fail(cim.ErrMofOutOfRange, q.at, "an element has at most 256 qualifiers")
		}
		if more, err := p.take(','); err != nil {
			return nil, err
		} else if !more {
			return list, p.expect(']', cim.ErrMofExpectedCloseBracket)
		}
	}
}

func (p *parser) qualifier() (q qualifier, err error) {
	q.at = p.tok
	if q.Name, err = p.name(cim.ErrMofExpectedQualifierName, "the name of a qualifier"); err != nil {
		return q, err
	}
	if cim.EqualFold(q.Name, "CIMTYPE") {
		return q, p.lex.fail(cim.ErrMofCimtypeQualifier, q.at, "the type says it; CIMTYPE is never written")
	}
	rule, declared := p.qualifiers[cim.Fold(q.Name)]
	if q.Value, err = p.qualifierValue(rule); err != nil {
		return q, err
	}
	if presenceIsTrue(q.Name) {
		q.Value = cim.Bool(true)
	}
	q.Flavor = defaultFlavor(q.Name)
	if declared {
		q.Flavor = rule.flavors.over(q.Flavor)
	}
	if ok, err := p.take(':'); err != nil {
		return q, err
	} else if ok {
		var f flavors
		if err := p.flavorWords(&f); err != nil {
			return q, err
		}
		q.Flavor = f.over(q.Flavor)
	}
	return q, nil
}

// qualifierValue reads (value) or {values}; without either the qualifier is
// true, or what its declaration says.
func (p *parser) qualifierValue(rule qualifierRule) (cim.Value, error) {
	var init Initializer
	var err error
	switch {
	case p.tok.is('('):
		if err := p.advance(); err != nil {
			return cim.Value{}, err
		}
		if init, err = p.initializer(false); err != nil {
			return cim.Value{}, err
		}
		if err := p.expect(')', cim.ErrMofExpectedCloseParen); err != nil {
			return cim.Value{}, err
		}
	case p.tok.is('{'):
		if init, err = p.initializer(false); err != nil {
			return cim.Value{}, err
		}
	case !rule.value.IsNull():
		return qualifierType(rule.value), nil
	default:
		return cim.Bool(true), nil
	}
	if rule.typ != cim.Untyped {
		v, err := init.as(rule.typ)
		return qualifierType(v), err
	}
	return init.qualifierValue()
}

// qualifierValue is the value in one of the types that a qualifier may have:
// sint32, real64, string, boolean, and arrays of one of them. An integer that
// is no sint32 keeps 64 bits, and it is for who stores it to refuse it.
func (i *Initializer) qualifierValue() (cim.Value, error) {
	if !i.IsArray {
		if i.Constant.IsNull() || i.Constant.Type() == cim.Char16 {
			return cim.Value{}, &Error{Code: cim.ErrMofUnsupportedCimv22QualValue, Position: i.Position,
				Detail: "a qualifier is an integer, a real, a string or a boolean"}
		}
		return qualifierType(i.Constant), nil
	}
	elems := make([]cim.Value, len(i.Elems))
	t := cim.String
	for n := range i.Elems {
		v, err := i.Elems[n].qualifierValue()
		if err != nil {
			return cim.Value{}, err
		}
		switch {
		case n == 0:
			t = v.Type()
		case v.Type() == t:
		case v.Type().IsInteger() && t.IsInteger() || v.Type().IsReal() && t.IsInteger() || v.Type().IsInteger() && t.IsReal():
			t = wider(t, v.Type())
		default:
			return cim.Value{}, &Error{Code: cim.ErrMofTypeMismatch, Position: i.Elems[n].Position, Detail: "the elements of an array are of one type"}
		}
		elems[n] = v
	}
	for n, e := range elems {
		v, err := e.As(t)
		if err != nil {
			return cim.Value{}, &Error{Code: cim.ErrMofTypeMismatch, Position: i.Elems[n].Position, Detail: "the elements of an array are of one type"}
		}
		elems[n] = v
	}
	return cim.Array(t, elems), nil
}

// wider is the numeric type that holds both.
func wider(a, b cim.Type) cim.Type {
	rank := func(t cim.Type) int {
		switch t {
		case cim.Real64:
			return 3
		case cim.Uint64:
			return 2
		case cim.Sint64:
			return 1
		}
		return 0
	}
	if rank(a) >= rank(b) {
		return a
	}
	return b
}

// qualifierType narrows an integer to sint32 where it fits.
func qualifierType(v cim.Value) cim.Value {
	t := cim.Sint32
	if v.Type().IsArray() {
		t = t.Array()
	}
	switch {
	case v.Type().Elem().IsInteger():
		if w, err := v.As(t); err == nil {
			return w
		}
	case v.Type() == cim.Real32:
		f, _ := v.Float()
		return cim.Real(cim.Real64, f)
	}
	return v
}

// qualifiersAt checks that a list may stand where it stands, and gives it.
func (p *parser) qualifiersAt(list []qualifier, where scope) (cim.Qualifiers, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make(cim.Qualifiers, len(list))
	for i, q := range list {
		if rule, ok := p.qualifiers[cim.Fold(q.Name)]; ok && rule.scope&where == 0 {
			return nil, p.lex.fail(cim.ErrMofQualifierUsedOutsideScope, q.at, q.Name+" may not stand here, its declaration says")
		}
		out[i] = q.Qualifier
	}
	return out, nil
}
