package wql

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// Associators is an ASSOCIATORS OF or REFERENCES OF query. See spec/wmi.md 3.4.
type Associators struct {
	References bool // REFERENCES OF
	Source     cim.ObjectPath

	AssocClass, ResultClass string
	Role, ResultRole        string
	// RequiredQualifier and RequiredAssocQualifier must be true qualifiers of
	// the class of the result and of the association.
	RequiredQualifier, RequiredAssocQualifier string

	KeysOnly      bool
	ClassDefsOnly bool
	SchemaOnly    bool
}

// IsAssociators tells whether a query begins as one that [ParseAssociators]
// reads.
func IsAssociators(query string) bool {
	p, err := newParser(query)
	return err == nil && (p.tok.is("ASSOCIATORS") || p.tok.is("REFERENCES"))
}

// ParseAssociators reads an ASSOCIATORS OF or REFERENCES OF query. It fails
// with ErrInvalidQuery or ErrQuotaViolation as [Parse] does, and where the
// path in braces is none.
func ParseAssociators(query string) (*Associators, error) {
	p, err := newParser(query)
	if err != nil {
		return nil, err
	}
	a := &Associators{References: p.tok.is("REFERENCES")}
	if !a.References && !p.tok.is("ASSOCIATORS") {
		return nil, invalid(p.tok.at, "ASSOCIATORS or REFERENCES is missing")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.tok.is("OF") {
		return nil, invalid(p.tok.at, "OF is missing")
	}
	if err := a.source(p); err != nil {
		return nil, err
	}
	where, err := p.accept("WHERE")
	if err != nil {
		return nil, err
	}
	if where {
		if err := a.terms(p); err != nil {
			return nil, err
		}
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return a, a.check(p)
}

// source reads the path in braces.
func (a *Associators) source(p *parser) error {
	l := &p.lex
	for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.src) || l.src[l.pos] != '{' {
		return invalid(l.pos, "{ is missing")
	}
	start := l.pos + 1
	stop := closingBrace(l.src, start)
	if stop < 0 {
		return invalid(l.pos, "} is missing")
	}
	path, err := cim.ParsePath(strings.Trim(l.src[start:stop], " \t\r\n"))
	if err != nil || path.Class == "" {
		return invalid(start, "the path in braces names no object")
	}
	a.Source = path
	l.pos = stop + 1
	return p.advance()
}

// closingBrace finds the brace that is not in a quoted key.
func closingBrace(s string, from int) int {
	var quote byte
	for i := from; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == '}':
			return i
		}
	}
	return -1
}

// terms reads what follows WHERE: words, and words with = and a bare name,
// separated by white space only.
func (a *Associators) terms(p *parser) error {
	seen := map[string]bool{}
	for first := true; first || p.tok.kind == word; first = false {
		t := p.tok
		name := strings.ToLower(t.text)
		if seen[name] {
			return invalid(t.at, t.text+" is given twice")
		}
		seen[name] = true
		if flag := a.flag(name); flag != nil && t.kind == word {
			*flag = true
			if err := p.advance(); err != nil {
				return err
			}
			continue
		}
		value := a.value(name)
		if value == nil || t.kind != word {
			return invalid(t.at, "a keyword of this query is missing")
		}
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.expect("="); err != nil {
			return err
		}
		if p.tok.kind != word {
			return invalid(p.tok.at, "a name is missing")
		}
		*value = p.tok.text
		if err := p.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (a *Associators) flag(name string) *bool {
	switch name {
	case "keysonly":
		return &a.KeysOnly
	case "classdefsonly":
		return &a.ClassDefsOnly
	case "schemaonly":
		return &a.SchemaOnly
	}
	return nil
}

func (a *Associators) value(name string) *string {
	switch name {
	case "resultclass":
		return &a.ResultClass
	case "role":
		return &a.Role
	case "requiredqualifier":
		return &a.RequiredQualifier
	}
	if a.References {
		return nil
	}
	switch name {
	case "assocclass":
		return &a.AssocClass
	case "resultrole":
		return &a.ResultRole
	case "requiredassocqualifier":
		return &a.RequiredAssocQualifier
	}
	return nil
}

// check refuses what does not go together.
func (a *Associators) check(p *parser) error {
	switch {
	case a.ClassDefsOnly && a.ResultClass != "":
		return invalid(p.tok.at, "ClassDefsOnly excludes ResultClass")
	case a.SchemaOnly && !a.Source.IsClass():
		return invalid(p.tok.at, "SchemaOnly needs the path of a class")
	}
	return nil
}
