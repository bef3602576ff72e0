package wql

import (
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

// Parse reads a data query. Its errors are *cim.Error: ErrInvalidParameter for
// an empty text, ErrQuotaViolation beyond the limits, otherwise
// ErrInvalidQuery with the column, counted in bytes from 1, in the detail.
func Parse(query string) (*Query, error) {
	p, err := newParser(query)
	if err != nil {
		return nil, err
	}
	q, err := p.query()
	if err != nil {
		return nil, err
	}
	q.Text = query
	return q, nil
}

type parser struct {
	lex       lexer
	tok       token // the one to look at
	depth     int
	operators int
	event     bool // an event query: properties compare with properties
}

func newParser(query string) (*parser, error) {
	if query == "" {
		return nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "the query is empty"}
	}
	if len(query) > MaxLength {
		return nil, fail(cim.ErrQuotaViolation, MaxLength, "the query is too long")
	}
	if !utf8.ValidString(query) {
		return nil, invalid(0, "the query is not valid UTF-8")
	}
	p := &parser{lex: lexer{src: query}}
	return p, p.advance()
}

func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

// accept goes past a keyword or symbol, if it is the next.
func (p *parser) accept(s string) (bool, error) {
	if !p.tok.is(s) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(s string) error {
	ok, err := p.accept(s)
	if err == nil && !ok {
		return invalid(p.tok.at, s+" is missing")
	}
	return err
}

func (p *parser) query() (*Query, error) {
	q := &Query{}
	var err error
	if q.Select, q.Class, err = p.selectFrom(); err != nil {
		return nil, err
	}
	if q.Where, err = p.where(); err != nil {
		return nil, err
	}
	return q, p.finish()
}

// selectFrom reads SELECT, * or names, FROM and a class.
func (p *parser) selectFrom() (names []Name, class string, err error) {
	if err := p.expect("SELECT"); err != nil {
		return nil, "", err
	}
	star, err := p.accept("*")
	if err != nil {
		return nil, "", err
	}
	if !star {
		if names, err = p.names(); err != nil {
			return nil, "", err
		}
	}
	if err := p.expect("FROM"); err != nil {
		return nil, "", err
	}
	if p.tok.kind != word {
		return nil, "", invalid(p.tok.at, "a class name is missing")
	}
	class = p.tok.text
	return names, class, p.advance()
}

// where reads WHERE and its condition, if it is the next.
func (p *parser) where() (Expr, error) {
	if ok, err := p.accept("WHERE"); err != nil || !ok {
		return nil, err
	}
	return p.or()
}

// finish reads the end of a query, which may have a semicolon before it.
func (p *parser) finish() error {
	if _, err := p.accept(";"); err != nil {
		return err
	}
	if p.tok.kind != end {
		return invalid(p.tok.at, "text after the end of the query")
	}
	return nil
}

func (p *parser) names() (list []Name, err error) {
	for {
		n, err := p.name()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if ok, err := p.accept(","); err != nil || !ok {
			return list, err
		}
	}
}

func (p *parser) name() (Name, error) {
	n := Name{At: p.tok.at}
	for {
		if p.tok.kind != word || isConstantWord(p.tok) {
			return n, invalid(p.tok.at, "a property name is missing")
		}
		n.Parts = append(n.Parts, p.tok.text)
		if err := p.advance(); err != nil {
			return n, err
		}
		if ok, err := p.accept("."); err != nil || !ok {
			return n, err
		}
		if len(n.Parts) == MaxNesting {
			return n, fail(cim.ErrQuotaViolation, n.At, "the name is too deep")
		}
	}
}

func isConstantWord(t token) bool { return t.is("NULL") || t.is("TRUE") || t.is("FALSE") }
