package lists

import (
	"strings"
)

// A subset of YAML, as people write inventories in it: one document of block
// mappings, with plain and quoted values, comments, {} and null; lists, literal and
// folded blocks (| and >), and lists and mappings in brackets on one line are passed
// over, for no variable that we take is one. Anchors, aliases, merge keys, tags other
// than !vault, complex keys, several documents and tabs as indentation are refused.

// maxDepth is how deep mappings may be nested.
const maxDepth = 64

// node is a key with its value.
type node struct {
	key          string
	line, column int
	value        string
	children     []*node
	vault        bool // encrypted; the value is not kept
	opaque       bool // a list, a block or brackets, which are not kept
}

// mustBeMapping refuses a value where a mapping or nothing is expected.
func (n *node) mustBeMapping(what string) error {
	if n.value != "" || n.opaque || n.vault {
		return wrong(n.line, n.column, "%s, %s, is no mapping: write %s: with what belongs to it below, indented", quoted(n.key), what, n.key)
	}
	return nil
}

// yamlLine is a line with something on it.
type yamlLine struct {
	number, indent int
	text           string // without indentation; comments are still there
}

type yamlParser struct {
	lines []yamlLine
	at    int
}

func parseYAML(text string) ([]*node, error) {
	p := &yamlParser{}
	begun := false
	for i, raw := range strings.Split(text, "\n") {
		raw = strings.TrimRight(raw, " \t\r")
		trimmed := strings.TrimLeft(raw, " ")
		switch {
		case trimmed == "" || trimmed[0] == '#':
			continue
		case raw == "---" && !begun:
			begun = true
			continue
		case strings.HasPrefix(raw, "---"):
			return nil, wrong(i+1, 1, "a second document, or something after ---, is not read")
		case raw == "...":
			return p.document()
		case raw[0] == '%':
			return nil, wrong(i+1, 1, "directives of YAML are not read")
		}
		begun = true
		p.lines = append(p.lines, yamlLine{i + 1, len(raw) - len(trimmed), trimmed})
	}
	return p.document()
}

func (p *yamlParser) document() ([]*node, error) {
	if len(p.lines) == 0 {
		return nil, nil
	}
	first := p.lines[0]
	nodes, err := p.mapping(first.indent, 1)
	if err == nil && p.at < len(p.lines) {
		l := p.lines[p.at]
		err = wrong(l.number, l.indent+1, "the indentation fits nothing above")
	}
	return nodes, err
}

// mapping reads the keys that stand at an indentation.
func (p *yamlParser) mapping(indent, depth int) ([]*node, error) {
	if depth > maxDepth {
		l := p.lines[p.at]
		return nil, wrong(l.number, l.indent+1, "mappings are nested deeper than %d", maxDepth)
	}
	var nodes []*node
	seen := map[string]bool{}
	for p.at < len(p.lines) && p.lines[p.at].indent == indent {
		l := p.lines[p.at]
		if l.text[0] == '\t' {
			return nil, wrong(l.number, indent+1, "a tab cannot indent in YAML")
		}
		key, rest, err := splitKey(l)
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, wrong(l.number, indent+1, "%s is there twice", quoted(key))
		}
		seen[key] = true
		n := &node{key: key, line: l.number, column: indent + 1}
		p.at++
		if err := p.value(n, rest, indent, depth); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// value reads what follows a key: on its line, or in lines that are indented more.
func (p *yamlParser) value(n *node, rest string, indent, depth int) error {
	refuse := func(what string) error { return wrong(n.line, n.column, "%s of YAML are not read here", what) }
	if tag, after, _ := strings.Cut(rest, " "); strings.HasPrefix(rest, "!") {
		if tag != "!vault" && tag != "!vault-encrypted" {
			return refuse("tags such as " + quoted(tag))
		}
		n.vault, rest = true, strings.TrimSpace(after)
	}
	deeper := func() bool { return p.at < len(p.lines) && p.lines[p.at].indent > indent }
	skip := func() {
		for deeper() {
			p.at++
		}
	}
	if rest == "" || rest[0] == '#' {
		switch {
		case p.at < len(p.lines) && p.lines[p.at].indent >= indent && isItem(p.lines[p.at].text):
			n.opaque = true
			for p.at < len(p.lines) && (p.lines[p.at].indent > indent || p.lines[p.at].indent == indent && isItem(p.lines[p.at].text)) {
				p.at++
			}
		case n.vault:
			skip()
		case deeper():
			var err error
			n.children, err = p.mapping(p.lines[p.at].indent, depth+1)
			return err
		}
		return nil
	}
	switch rest[0] {
	case '&', '*':
		return refuse("anchors and aliases")
	case '@', '`', '%':
		return refuse("values that begin with " + quoted(rest[:1]))
	case '|', '>':
		n.opaque = !n.vault
		skip()
		return nil
	case '[', '{':
		text := strings.TrimSpace(uncommented(rest))
		if text == "{}" {
			return nil
		}
		if end := text[len(text)-1]; end != ']' && end != '}' {
			return refuse("brackets over several lines")
		}
		n.opaque = true
		return nil
	}
	text, err := scalar(rest, n)
	if err != nil {
		return err
	}
	if deeper() {
		l := p.lines[p.at]
		return wrong(l.number, l.indent+1, "values over several lines are not read here")
	}
	if !n.vault {
		n.value = text
	}
	return nil
}

func isItem(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

// splitKey takes the key off a line.
func splitKey(l yamlLine) (key, rest string, err error) {
	column := l.indent + 1
	switch c := l.text[0]; {
	case isItem(l.text):
		return "", "", wrong(l.number, column, "a list stands where keys are expected: write name: instead of - name")
	case c == '?' && (len(l.text) == 1 || l.text[1] == ' '), strings.IndexByte("&*!{[|>@`%", c) >= 0:
		return "", "", wrong(l.number, column, "keys that begin with %s are not read here", quoted(l.text[:1]))
	case c == '"' || c == '\'':
		end := strings.IndexByte(l.text[1:], c)
		if end < 0 || strings.Contains(l.text[1:1+end], `\`) {
			return "", "", wrong(l.number, column, "the key %s is not read here", quoted(l.text))
		}
		key, rest = l.text[1:1+end], l.text[2+end:]
		if !strings.HasPrefix(rest, ":") || len(rest) > 1 && rest[1] != ' ' {
			return "", "", wrong(l.number, column, "a colon is missing after %s", quoted(key))
		}
		return key, strings.TrimSpace(rest[1:]), nil
	}
	// A plain key ends at a colon with a space or the end of the line after it.
	for i := 0; i < len(l.text); i++ {
		switch {
		case l.text[i] == ':' && (i+1 == len(l.text) || l.text[i+1] == ' '):
			if key = strings.TrimSpace(l.text[:i]); key == "<<" {
				return "", "", wrong(l.number, column, "merge keys of YAML are not read here")
			}
			return key, strings.TrimSpace(l.text[i+1:]), nil
		case l.text[i] == '#' && i > 0 && l.text[i-1] == ' ':
			return "", "", wrong(l.number, column, "a colon is missing after %s", quoted(l.text[:i-1]))
		}
	}
	return "", "", wrong(l.number, column, "a colon is missing after %s", quoted(l.text))
}

// uncommented cuts a comment off that stands after a space.
func uncommented(s string) string {
	if i := strings.Index(s, " #"); i >= 0 {
		return s[:i]
	}
	return s
}

// scalar reads a plain or quoted value on one line.
func scalar(s string, n *node) (string, error) {
	if s[0] != '"' && s[0] != '\'' {
		s = strings.TrimSpace(uncommented(s))
		if strings.Contains(s, ": ") || strings.HasSuffix(s, ":") {
			return "", wrong(n.line, n.column, "a second key stands on the line")
		}
		if s == "~" || strings.EqualFold(s, "null") {
			return "", nil
		}
		return s, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\'' && s[0] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
			b.WriteByte('\'')
		case s[i] == s[0]:
			if rest := strings.TrimSpace(s[i+1:]); rest != "" && rest[0] != '#' {
				return "", wrong(n.line, n.column, "something follows the closing quotation mark")
			}
			return b.String(), nil
		case s[i] == '\\' && s[0] == '"' && i+1 < len(s):
			i++
			switch s[i] {
			case '\\', '"', '/':
				b.WriteByte(s[i])
			case 'n', 't', 'r':
				b.WriteByte(' ') // no value that we take has one
			default:
				return "", wrong(n.line, n.column, "the escape \\%c is not read here", s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", wrong(n.line, n.column, "the quotation mark is not closed, or values over several lines are not read here")
}
