package mof

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// directive reads #include and #pragma.
func (p *parser) directive() error {
	at, o := p.tok, p.object()
	if strings.EqualFold(at.text, "#include") {
		if err := p.advance(); err != nil {
			return err
		}
		return p.includeDirective(at)
	}
	if !strings.EqualFold(at.text, "#pragma") {
		return p.fail(cim.ErrMofUnrecognizedToken, at.String()+" is neither #pragma nor #include")
	}
	if err := p.advance(); err != nil {
		return err
	}
	keyword := p.tok
	if keyword.kind != word {
		return p.fail(cim.ErrMofInvalidPragma, "#pragma must be followed by a keyword")
	}
	if err := p.advance(); err != nil {
		return err
	}
	switch cim.Fold(keyword.text) {
	case "autorecover":
		p.file.Autorecover = true
		return nil
	case "include": // as DSP0004 writes it
		return p.includeDirective(at)
	case "namespace":
		return p.pragmaNamespace()
	case "amendment":
		return p.pragmaAmendment()
	case "classflags":
		return p.pragmaFlags(&p.classFlags, map[string]Flags{
			"createonly": CreateOnly, "updateonly": UpdateOnly, "safeupdate": SafeUpdate, "forceupdate": ForceUpdate})
	case "instanceflags":
		return p.pragmaFlags(&p.instanceFlags, map[string]Flags{"createonly": CreateOnly, "updateonly": UpdateOnly})
	case "deleteclass":
		return p.pragmaDelete(o, cim.ErrMofInvalidDeleteclassSyntax)
	case "deleteinstance":
		return p.pragmaDelete(o, cim.ErrMofInvalidDeleteinstanceSyntax)
	case "locale", "instancelocale": // of DSP0004: the language of the texts, which changes nothing in WMI
		_, _, err := p.argument(cim.ErrMofInvalidPragma)
		return err
	}
	return p.lex.fail(cim.ErrMofInvalidPragma, keyword, keyword.String()+" is no keyword of #pragma")
}

// argument reads ("text"). A missing text fails with code.
func (p *parser) argument(code cim.Status) (at token, text string, err error) {
	if err := p.expect('(', cim.ErrMofExpectedOpenParen); err != nil {
		return at, "", err
	}
	at = p.tok
	if !at.isString() {
		return at, "", p.fail(code, "expected a string instead of "+at.String())
	}
	text, _ = at.value.Str()
	if err := p.advance(); err != nil {
		return at, "", err
	}
	return at, text, p.expect(')', cim.ErrMofExpectedCloseParen)
}

func (p *parser) includeDirective(at token) error {
	_, name, err := p.argument(cim.ErrMofErrorInvalidIncludeFile)
	if err != nil {
		return err
	}
	return p.includeFile(at, name)
}

func (p *parser) pragmaNamespace() error {
	at, text, err := p.argument(cim.ErrMofInvalidNamespaceSyntax)
	if err != nil {
		return err
	}
	namespace, code, why := parseNamespace(text)
	if why != "" {
		return p.lex.fail(code, at, why)
	}
	p.namespace = namespace
	return nil
}

// parseNamespace reads "root\cimv2", "\root\cimv2" or "\\.\root\cimv2", with
// either kind of slashes. Another server is refused: the compiler is connected
// to one.
func parseNamespace(text string) (namespace string, code cim.Status, why string) {
	text = strings.ReplaceAll(text, "/", `\`)
	if rest, ok := strings.CutPrefix(text, `\\`); ok {
		server, below, _ := strings.Cut(rest, `\`)
		if server != "." {
			return "", cim.ErrMofInvalidNamespaceSpecification, "references to other servers are not allowed"
		}
		text = below
	} else {
		text = strings.TrimPrefix(text, `\`)
	}
	for _, level := range strings.Split(text, `\`) {
		if !isIdentifier(level) {
			return "", cim.ErrMofInvalidNamespaceSyntax, "the path of a namespace is names with backslashes between them, as in \"\\\\\\\\.\\\\root\\\\cimv2\""
		}
	}
	return text, 0, ""
}

// isIdentifier tells whether s is a name of a class, a property or a namespace.
func isIdentifier(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isLetter(s[i]) && (i == 0 || !isDigit(s[i])) {
			return false
		}
	}
	return s != ""
}

func (p *parser) pragmaAmendment() error {
	at, text, err := p.argument(cim.ErrMofInvalidAmendmentSyntax)
	if err != nil {
		return err
	}
	if _, ok := ParseLocale(text); !ok {
		return p.lex.fail(cim.ErrMofInvalidAmendmentSyntax, at, "a locale is MS_ and the hexadecimal number of a language, as in MS_409")
	}
	if p.file.Amendment != "" {
		return p.lex.fail(cim.ErrMofInvalidDuplicateAmendment, at, "the text has an amendment already")
	}
	p.file.Amendment = text
	return nil
}

// pragmaFlags reads ("flag", "flag") or ("flag, flag"); flags that contradict
// each other are refused.
func (p *parser) pragmaFlags(into *Flags, known map[string]Flags) error {
	if err := p.expect('(', cim.ErrMofExpectedOpenParen); err != nil {
		return err
	}
	var flags Flags
	for {
		if !p.tok.isString() {
			return p.fail(cim.ErrMofInvalidFlagsSyntax, "expected a flag in quotes instead of "+p.tok.String())
		}
		text, _ := p.tok.value.Str()
		for _, name := range strings.Split(text, ",") {
			f, ok := known[cim.Fold(strings.TrimSpace(name))]
			if !ok {
				return p.fail(cim.ErrMofInvalidFlagsSyntax, p.tok.String()+" is no flag here")
			}
			flags |= f
		}
		if flags.contradict() {
			return p.fail(cim.ErrMofInvalidFlagsSyntax, "the flags contradict each other")
		}
		if err := p.advance(); err != nil {
			return err
		}
		more, err := p.take(',')
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	*into = flags
	return p.expect(')', cim.ErrMofExpectedCloseParen)
}

func (f Flags) contradict() bool {
	return f&CreateOnly != 0 && f&^CreateOnly != 0 || f&(SafeUpdate|ForceUpdate) == SafeUpdate|ForceUpdate
}

// pragmaDelete reads ("name", fail|nofail).
func (p *parser) pragmaDelete(o Object, code cim.Status) error {
	bad := func(why string) error { return p.fail(code, why) }
	if !p.tok.is('(') {
		return bad("expected '('")
	}
	if err := p.advance(); err != nil {
		return err
	}
	if !p.tok.isString() {
		return bad("expected what to delete, in quotes")
	}
	what, _ := p.tok.value.Str()
	d := &Deletion{}
	if code == cim.ErrMofInvalidDeleteclassSyntax {
		if d.Class = what; !isIdentifier(what) {
			return bad("expected the name of a class")
		}
	} else {
		path, err := cim.ParsePath(what)
		if err != nil || path.Class == "" || path.IsClass() || path.Namespace != "" || path.Server != "" {
			return bad("expected the path of an instance in the namespace, as in \"Class.Key='value'\"")
		}
		d.Path = path
	}
	for _, symbol := range ",f)" {
		if err := p.advance(); err != nil {
			return err
		}
		switch {
		case symbol == 'f' && p.tok.isWord("nofail"):
			d.NoFail = true
		case symbol == 'f' && p.tok.isWord("fail"):
		case !p.tok.is(byte(symbol)):
			return bad(`expected ("name", FAIL) or ("name", NOFAIL)`)
		}
	}
	o.Delete = d
	p.file.Objects = append(p.file.Objects, o)
	return p.advance()
}
