package cim

import (
	"strconv"
	"strings"
)

// Limits of a path, far above what Windows accepts.
const (
	maxPathLength = 64 << 10
	maxPathKeys   = 256
)

// ParsePath reads an object path. Slashes serve as backslashes in front of the
// class, key order is free, values stand in either kind of quotes or none. It
// fails with ErrInvalidObjectPath and says at which byte.
func ParsePath(s string) (ObjectPath, error) {
	if len(s) > maxPathLength {
		return ObjectPath{}, badPath(s[:32]+"…", maxPathLength, "path is too long")
	}
	p := pathParser{src: s, rest: s}
	path, err := p.parse()
	if err != nil {
		return ObjectPath{}, err
	}
	return path, nil
}

type pathParser struct {
	src, rest string
}

func badPath(src string, offset int, why string) error {
	return &Error{Status: ErrInvalidObjectPath, Path: src, Detail: why + " at byte " + strconv.Itoa(offset)}
}

func (p *pathParser) fail(why string) error {
	return badPath(p.src, len(p.src)-len(p.rest), why)
}

func isSlash(c byte) bool { return c == '\\' || c == '/' }

func (p *pathParser) parse() (path ObjectPath, err error) {
	if len(p.rest) > 2 && isSlash(p.rest[0]) && isSlash(p.rest[1]) {
		p.rest = p.rest[2:]
		end := strings.IndexAny(p.rest, `\/`)
		if end <= 0 {
			return path, p.fail("a namespace is missing after the server")
		}
		path.Server, p.rest = p.rest[:end], p.rest[end+1:]
	}
	head := p.rest
	if i := strings.IndexAny(head, `."'=`); i >= 0 && strings.IndexByte(head[:i], ':') < 0 {
		// no namespace separator before the first key: all of it is class and keys
		if strings.ContainsAny(head[:i], `\/`) || path.Server != "" {
			return path, p.fail("':' is missing between namespace and class")
		}
	} else if i := strings.IndexByte(head, ':'); i >= 0 {
		path.Namespace = normalNamespace(head[:i])
		if path.Namespace == "" && path.Server != "" {
			return path, p.fail("a namespace is missing after the server")
		}
		p.rest = head[i+1:]
	} else if path.Server != "" || strings.ContainsAny(head, `\/`) {
		path.Namespace, p.rest = normalNamespace(head), ""
		if path.Namespace == "" {
			return path, p.fail("a namespace is missing")
		}
		if strings.Contains(path.Namespace, `\\`) {
			return path, p.fail("an empty namespace part")
		}
		return path, nil
	}
	return p.object(path)
}

func normalNamespace(s string) string {
	return strings.Trim(strings.ReplaceAll(s, "/", `\`), `\`)
}

func (p *pathParser) object(path ObjectPath) (ObjectPath, error) {
	path.Class = p.identifier()
	if path.Class == "" {
		return path, p.fail("a class name is missing")
	}
	if p.rest == "" {
		return path, nil
	}
	switch p.rest[0] {
	case '=':
		p.rest = p.rest[1:]
		if p.rest == "@" {
			path.Singleton = true
			return path, nil
		}
		v, err := p.value()
		path.Keys = []Key{{Value: v}}
		if err == nil && p.rest != "" {
			err = p.fail("text after the key value")
		}
		return path, err
	case '.':
		p.rest = p.rest[1:]
		keys, err := p.keys()
		path.Keys = keys
		return path, err
	}
	return path, p.fail("'.' or '=' is missing after the class name")
}

func (p *pathParser) keys() (keys []Key, err error) {
	for {
		name := p.identifier()
		if name == "" {
			return nil, p.fail("a key name is missing")
		}
		if p.rest == "" || p.rest[0] != '=' {
			return nil, p.fail("'=' is missing after key " + name)
		}
		p.rest = p.rest[1:]
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		if len(keys) == maxPathKeys {
			return nil, p.fail("too many keys")
		}
		keys = append(keys, Key{Name: name, Value: v})
		if p.rest == "" {
			return keys, nil
		}
		if p.rest[0] != ',' {
			return nil, p.fail("',' is missing between keys")
		}
		p.rest = p.rest[1:]
	}
}

func (p *pathParser) identifier() string {
	i := 0
	for i < len(p.rest) && isNameByte(p.rest[i]) {
		i++
	}
	name := p.rest[:i]
	p.rest = p.rest[i:]
	return name
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

func (p *pathParser) value() (Value, error) {
	if p.rest == "" {
		return Value{}, p.fail("a key value is missing")
	}
	if q := p.rest[0]; q == '"' || q == '\'' {
		return p.quoted(q)
	}
	end := strings.IndexByte(p.rest, ',')
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	switch Fold(word) {
	case "true":
		p.rest = p.rest[end:]
		return Bool(true), nil
	case "false":
		p.rest = p.rest[end:]
		return Bool(false), nil
	}
	if v, err := parseNumber(Sint64, word); err == nil {
		p.rest = p.rest[end:]
		return v, nil
	}
	if v, err := parseNumber(Uint64, word); err == nil {
		p.rest = p.rest[end:]
		return v, nil
	}
	return Value{}, p.fail("a key value must be quoted or a number")
}

func (p *pathParser) quoted(quote byte) (Value, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		case c == quote:
			p.rest = p.rest[i+1:]
			return Str(b.String()), nil
		default:
			b.WriteByte(c)
		}
	}
	return Value{}, p.fail("the quote is not closed")
}
