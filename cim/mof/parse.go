package mof

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
)

// ParseOptions are the options of Parse; the zero value is the default.
type ParseOptions struct {
	// Include is where #include finds files: what the text itself includes by
	// its root, what an included text includes by the folder of that text.
	// nil: an #include fails with ErrMofErrorInvalidIncludeFile.
	Include fs.FS
}

// Parse reads a MOF text in UTF-8, or in UTF-16 with a byte order mark. name
// stands in positions. Every mistake that can be seen without a repository is
// an *Error with its WBEMMOF_E code; the first one ends the parse. See
// spec/wmi.md 2.9 and section 12.
func Parse(name string, src []byte, o ParseOptions) (*File, error) {
	u := &unit{
		file: &File{Name: name}, include: o.Include, budget: MaxSize,
		qualifiers: map[string]qualifierRule{}, aliases: map[string]*alias{},
	}
	if err := u.parse(name, ".", src); err != nil {
		return nil, err
	}
	if err := u.checkAliases(); err != nil {
		return nil, err
	}
	return u.file, nil
}

// unit is what a text shares with the texts that it includes.
type unit struct {
	file       *File
	include    fs.FS
	budget     int      // bytes that may still be read
	open       []string // the included files around the current one
	qualifiers map[string]qualifierRule
	aliases    map[string]*alias
	uses       []aliasUse

	namespace                 string
	classFlags, instanceFlags Flags
}

type parser struct {
	*unit
	lex   lexer
	tok   token
	dir   string // of the text within include
	depth int    // instances around the current one
}

func (u *unit) parse(name, dir string, src []byte) error {
	u.budget -= len(src)
	if u.budget < 0 {
		return notText(name, "the texts are too large together")
	}
	text, why := decode(src)
	if why != "" {
		return notText(name, why)
	}
	p := &parser{unit: u, lex: lexer{file: name, src: text}, dir: dir}
	if err := p.advance(); err != nil {
		return err
	}
	for p.tok.kind != end {
		if err := p.statement(); err != nil {
			return err
		}
	}
	return nil
}

// advance reads the next token into p.tok.
func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

func (p *parser) position(t token) Position { return p.lex.position(t) }

// fail is an error at the current token.
func (p *parser) fail(code cim.Status, why string) error { return p.lex.fail(code, p.tok, why) }

// expect takes the symbol c, or fails with code.
func (p *parser) expect(c byte, code cim.Status) error {
	if !p.tok.is(c) {
		return p.fail(code, "expected '"+string(c)+"' before "+p.tok.String())
	}
	return p.advance()
}

// take takes the symbol c where it stands.
func (p *parser) take(c byte) (bool, error) {
	if !p.tok.is(c) {
		return false, nil
	}
	return true, p.advance()
}

// name takes an identifier, or fails with code.
func (p *parser) name(code cim.Status, what string) (string, error) {
	if p.tok.kind != word {
		return "", p.fail(code, "expected "+what+" before "+p.tok.String())
	}
	name := p.tok.text
	return name, p.advance()
}

// statement reads one pragma, include, qualifier declaration, class or instance.
func (p *parser) statement() error {
	start := p.tok
	switch {
	case start.kind == directive:
		return p.directive()
	case start.isWord("qualifier"):
		return p.qualifierDeclaration()
	case start.isWord("typedef"), start.isWord("enum"):
		return p.fail(cim.ErrMofTypedefNotSupported, "typedefs and enumerations are not supported")
	}
	o := p.object()
	var quals []qualifier
	var err error
	if start.is('[') {
		if quals, err = p.qualifierList(); err != nil {
			return err
		}
	}
	switch {
	case p.tok.isWord("class"):
		o.Class, err = p.class(quals)
	case p.tok.isWord("instance"):
		o.Instance, err = p.instance(quals, false)
		if err == nil {
			err = p.expect(';', cim.ErrMofExpectedSemi)
		}
	case quals != nil:
		return p.fail(cim.ErrMofInvalidClassDeclaration, "qualifiers stand in front of a class or an instance, not of "+p.tok.String())
	default:
		return p.fail(cim.ErrMofUnrecognizedToken, "expected a class, an instance or a pragma instead of "+p.tok.String())
	}
	if err != nil {
		return err
	}
	p.file.Objects = append(p.file.Objects, o)
	return nil
}

// object begins an object at the current token.
func (p *parser) object() Object {
	return Object{
		Position: p.position(p.tok), Namespace: p.namespace,
		ClassFlags: p.classFlags, InstanceFlags: p.instanceFlags,
	}
}

// includeFile reads the file that #include names.
func (p *parser) includeFile(at token, name string) error {
	bad := func(why string) error { return p.lex.fail(cim.ErrMofErrorInvalidIncludeFile, at, why) }
	file := path.Join(p.dir, strings.ReplaceAll(name, `\`, "/"))
	switch {
	case p.include == nil:
		return bad("there is no folder to include files from")
	case name == "" || path.IsAbs(name) || !fs.ValidPath(file):
		return bad("the included file must be in the folder of the text or below it")
	case slices.Contains(p.open, file):
		return bad(file + " includes itself")
	case len(p.open) >= MaxIncludeDepth:
		return bad("files include each other too deeply")
	}
	src, err := readBounded(p.include, file, p.budget)
	if err != nil {
		return &Error{Code: cim.ErrMofErrorInvalidIncludeFile, Position: p.position(at), Detail: file + " cannot be read", Err: err}
	}
	p.open = append(p.open, file)
	err = p.unit.parse(file, path.Dir(file), src)
	p.open = p.open[:len(p.open)-1]
	return err
}
