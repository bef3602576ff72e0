package lists

import (
	"net/netip"
	"strings"
)

// readAnsible reads the INI of an inventory: hosts with variables, [group],
// [group:vars], [group:children], # and ; before comments.
func readAnsible(b *builder, text string) error {
	v := newInventory(b)
	var in *group
	kind := ""
	for n, raw := range strings.Split(text, "\n") {
		n++
		line := strings.TrimSpace(raw)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		column := 1 + strings.Index(raw, line)
		if line[0] == '[' {
			name, rest, ok := strings.Cut(line[1:], "]")
			if rest = strings.TrimSpace(rest); !ok || rest != "" && rest[0] != '#' && rest[0] != ';' {
				return wrong(n, column, "%s is not a group, as in [web] or [web:vars]", quoted(line))
			}
			name, kind, _ = strings.Cut(strings.TrimSpace(name), ":")
			if kind != "" && kind != "vars" && kind != "children" && kind != "hosts" {
				return wrong(n, column, "a group has vars, children and hosts, but no %s", quoted(kind))
			}
			var err error
			if in, err = v.group(name, n, column+1); err != nil {
				return err
			}
			continue
		}
		var err error
		switch kind {
		case "vars":
			err = v.groupVariable(in, line, n, column)
		case "children":
			err = v.child(in, line, n, column)
		default:
			err = v.hostLine(in, line, n, column)
		}
		if err != nil {
			return err
		}
	}
	return v.finish()
}

func (v *inventory) groupVariable(g *group, line string, n, column int) error {
	name, text, ok := strings.Cut(line, "=")
	if !ok {
		return wrong(n, column, "%s is not a variable, as in name=value", quoted(line))
	}
	text = strings.TrimSpace(text)
	if len(text) > 1 && (text[0] == '\'' || text[0] == '"') {
		if end := strings.IndexByte(text[1:], text[0]); end >= 0 {
			text = text[1 : 1+end]
		}
	} else if i := strings.Index(text, " #"); i >= 0 {
		text = strings.TrimSpace(text[:i])
	}
	return v.set(g.variables, strings.TrimSpace(name), text, n, column)
}

func (v *inventory) child(parent *group, line string, n, column int) error {
	name := line
	if i := strings.IndexAny(name, " \t#"); i >= 0 {
		name = name[:i]
	}
	g, err := v.group(name, n, column)
	if err != nil {
		return err
	}
	if len(g.parents) == maxTags {
		return wrong(n, column, "the group %s is in more than %d others", quoted(name), maxTags)
	}
	g.parents = append(g.parents, parent)
	return nil
}

func (v *inventory) hostLine(g *group, line string, n, column int) error {
	words, err := shellWords(line)
	if err != nil {
		return wrong(n, column, "%v", err)
	}
	if len(words) == 0 {
		return nil
	}
	set := variables{}
	for _, w := range words[1:] {
		name, text, ok := strings.Cut(w, "=")
		if !ok {
			return wrong(n, column, "%s is not a variable, as in name=value", quoted(w))
		}
		if err := v.set(set, name, text, n, column); err != nil {
			return err
		}
	}
	name := words[0]
	if _, err := netip.ParseAddr(name); err != nil {
		// host:port, where the colon is not that of a range
		if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') && strings.LastIndexByte(name, '[') <= strings.LastIndexByte(name, ']') {
			if _, there := set["port"]; !there {
				set["port"] = value{name[i+1:], n, column}
			}
			name = name[:i]
		}
	}
	return v.add(name, g, set, n, column)
}

type unended struct{}

func (unended) Error() string { return "a quotation mark is not closed" }

// shellWords splits a line as a shell does: quotes, backslashes, and a comment after
// a #.
func shellWords(line string) (words []string, err error) {
	var word strings.Builder
	inWord := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ' ' || c == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case c == '#' && !inWord:
			return words, nil
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			inWord = true
		case c == '\'' || c == '"':
			inWord = true
			for i++; ; i++ {
				if i >= len(line) {
					return nil, unended{}
				}
				if line[i] == c {
					break
				}
				if c == '"' && line[i] == '\\' && i+1 < len(line) {
					i++
				}
				word.WriteByte(line[i])
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
