package mof

import (
	"regexp"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// instance reads an instance declaration from the word instance to the closing
// brace.
func (p *parser) instance(quals []qualifier, embedded bool) (*Instance, error) {
	at := p.tok
	i := &Instance{Position: p.position(at)}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.tok.isWord("of") {
		return nil, p.fail(cim.ErrMofInvalidInstanceDeclaration, `an instance begins with "instance of"`)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var err error
	if i.Class, err = p.name(cim.ErrMofExpectedClassName, "the name of a class"); err != nil {
		return nil, err
	}
	if embedded && p.tok.isWord("as") {
		return nil, p.fail(cim.ErrMofAliasesInEmbedded, "an embedded instance has no alias")
	}
	if i.Alias, err = p.as("", i, at); err != nil {
		return nil, err
	}
	if i.Qualifiers, err = p.qualifiersAt(quals, onInstance); err != nil {
		return nil, err
	}
	if err := p.checkSecurity(quals); err != nil {
		return nil, err
	}
	if err := p.expect('{', cim.ErrMofExpectedOpenBrace); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for !p.tok.is('}') {
		a, err := p.assignment(embedded)
		if err != nil {
			return nil, err
		}
		if seen[cim.Fold(a.Property)] {
			return nil, &Error{Code: cim.ErrMofDuplicateProperty, Position: a.Position, Detail: a.Property + " has a value already"}
		}
		seen[cim.Fold(a.Property)] = true
		i.Values = append(i.Values, a)
	}
	return i, p.advance()
}

// hexadecimal is a mask of rights in SDDL.
var hexadecimal = regexp.MustCompile(`0x[0-9A-Fa-f]+`)

// checkSecurity refuses a NamespaceSecuritySDDL that is no SDDL in capitals. See
// spec/wmi.md 2.9.
func (p *parser) checkSecurity(quals []qualifier) error {
	for _, q := range quals {
		if !cim.EqualFold(q.Name, "NamespaceSecuritySDDL") {
			continue
		}
		text, _ := q.Value.Str()
		if _, err := security.ParseSDDL(text); err != nil {
			return p.lex.fail(cim.ErrMofIllegalConstantValue, q.at, "NamespaceSecuritySDDL: "+err.Error())
		}
		if letters := hexadecimal.ReplaceAllString(text, ""); letters != strings.ToUpper(letters) {
			return p.lex.fail(cim.ErrMofIllegalConstantValue, q.at, "the letters of NamespaceSecuritySDDL are capitals")
		}
	}
	return nil
}

func (p *parser) assignment(embedded bool) (a Assignment, err error) {
	var quals []qualifier
	if p.tok.is('[') {
		if quals, err = p.qualifierList(); err != nil {
			return a, err
		}
	}
	a.Position = p.position(p.tok)
	if p.tok.kind == end {
		return a, p.fail(cim.ErrMofExpectedCloseBrace, "the instance is not closed")
	}
	if a.Property, err = p.name(cim.ErrMofExpectedPropertyName, "the name of a property"); err != nil {
		return a, err
	}
	if a.Qualifiers, err = p.qualifiersAt(quals, onProperty|onReference); err != nil {
		return a, err
	}
	switch {
	case p.tok.is(';'):
		a.NoValue = true
		return a, p.advance()
	case !p.tok.is('='):
		return a, p.fail(cim.ErrMofExpectedSemi, "expected '=' or ';' before "+p.tok.String())
	}
	if err := p.advance(); err != nil {
		return a, err
	}
	if a.Value, err = p.initializer(true); err != nil {
		return a, err
	}
	return a, p.expect(';', cim.ErrMofExpectedSemi)
}

// alias is what `as $Name` names: a class, or an instance.
type alias struct {
	class    string
	instance *Instance
}

type aliasUse struct {
	name string
	at   Position
}

// as reads the optional `as $Alias` of a class or an instance.
func (p *parser) as(class string, i *Instance, of token) (string, error) {
	if !p.tok.isWord("as") {
		return "", nil
	}
	if err := p.advance(); err != nil {
		return "", err
	}
	at := p.tok
	name, err := p.aliasName()
	if err != nil {
		return "", err
	}
	if _, taken := p.aliases[cim.Fold(name)]; taken {
		return "", p.lex.fail(cim.ErrMofMultipleAliases, at, "the alias $"+name+" names another object already")
	}
	p.aliases[cim.Fold(name)] = &alias{class: class, instance: i}
	return name, nil
}

// checkAliases refuses aliases that name nothing, and instances that need each
// other: an instance is stored after those that it refers to.
func (u *unit) checkAliases() error {
	for _, use := range u.uses {
		if u.aliases[cim.Fold(use.name)] == nil {
			return &Error{Code: cim.ErrMofUnexpectedAlias, Position: use.at, Detail: "no object of the text has the alias $" + use.name}
		}
	}
	done := map[*Instance]bool{} // false while its aliases are followed
	for _, o := range u.file.Objects {
		if o.Instance != nil {
			if err := u.followAliases(o.Instance, done); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *unit) followAliases(root *Instance, done map[*Instance]bool) error {
	// with a stack of its own: a chain of aliases may be as long as the text
	type step struct {
		of   *Instance
		uses []aliasUse
	}
	if done[root] {
		return nil
	}
	stack := []step{{root, root.aliasUses()}}
	done[root] = false
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.uses) == 0 {
			done[top.of] = true
			stack = stack[:len(stack)-1]
			continue
		}
		use := top.uses[0]
		top.uses = top.uses[1:]
		next := u.aliases[cim.Fold(use.name)].instance
		if next == nil {
			continue
		}
		finished, seen := done[next]
		switch {
		case finished:
		case seen:
			return &Error{Code: cim.ErrMofUnexpectedAlias, Position: use.at, Detail: "the alias $" + use.name + " leads back to this instance"}
		default:
			done[next] = false
			stack = append(stack, step{next, next.aliasUses()})
		}
	}
	return nil
}

// aliasUses are the aliases among the values of an instance. Embedded ones
// have none.
func (i *Instance) aliasUses() []aliasUse {
	var uses []aliasUse
	for n := range i.Values {
		v := &i.Values[n].Value
		if v.Alias != "" {
			uses = append(uses, aliasUse{v.Alias, v.Position})
		}
		for _, e := range v.Elems {
			if e.Alias != "" {
				uses = append(uses, aliasUse{e.Alias, e.Position})
			}
		}
	}
	return uses
}
