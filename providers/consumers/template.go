package consumers

import (
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// maxExpanded bounds what a template makes of one event, and those of a record
// together, in bytes.
const maxExpanded = 1 << 20

// expansion fills the templates of one consumer from one event. See spec/wmi.md
// 5.5.
//
// What the documentation leaves open: a property that is NULL or that the
// event does not have gives nothing; a % that begins no name stands for
// itself; the strings of an array stand in quotes, as in the documented
// example, but for the only one, which has no parentheses either.
type expansion struct {
	event *cim.Instance
	mof   func(dst []byte, i *cim.Instance) []byte // the text of an object
}

// expand fills one template. It fails with ErrQuotaViolation beyond
// maxExpanded.
func (x *expansion) expand(template string) (string, error) {
	var b []byte
	for _, p := range pieces(template) {
		switch p.kind {
		case quotedText:
			b = append(append(append(b, '"'), p.text...), '"')
		case propertyName:
			b = x.property(b, p.text)
		default:
			b = append(b, p.text...)
		}
		if len(b) > maxExpanded {
			return "", tooMuch()
		}
	}
	return string(b), nil
}

// words fills a template that is a command line: its words stand between
// white space, which counts for nothing in quotes. Words are those of the
// template: whatever the event puts into one, it stays one.
func (x *expansion) words(template string) ([]string, error) {
	var words []string
	var b []byte
	size, open := 0, false // open: b is a word, empty or not
	for _, p := range pieces(template) {
		switch p.kind {
		case quotedText:
			b, open = append(b, p.text...), true
		case propertyName:
			b, open = x.property(b, p.text), true
		default:
			for _, c := range []byte(p.text) {
				if !isSpace(c) {
					b, open = append(b, c), true
				} else if open {
					words, size, open = append(words, string(b)), size+len(b), false
					b = b[:0]
				}
			}
		}
		if size+len(b) > maxExpanded {
			return nil, tooMuch()
		}
	}
	if open {
		words = append(words, string(b))
	}
	return words, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func tooMuch() error {
	return &cim.Error{Status: cim.ErrQuotaViolation, Detail: "the templates make too much text of this event"}
}

type pieceKind uint8

const (
	plainText    pieceKind = iota
	quotedText             // without its quotes
	propertyName           // without its percent signs
)

type piece struct {
	kind pieceKind
	text string
}

// pieces takes a template apart.
func pieces(template string) (list []piece) {
	start := 0
	add := func(end int, kind pieceKind, text string, next int) {
		if start < end {
			list = append(list, piece{plainText, template[start:end]})
		}
		list = append(list, piece{kind, text})
		start = next
	}
	for i := 0; i < len(template); i++ {
		switch template[i] {
		case '"':
			if end := strings.IndexByte(template[i+1:], '"'); end >= 0 {
				add(i, quotedText, template[i+1:i+1+end], i+end+2)
				i += end + 1
			}
		case '%':
			name, length := templateName(template[i+1:])
			if length == 0 {
				continue
			}
			if name == "" {
				add(i, plainText, "%", i+2)
			} else {
				add(i, propertyName, name, i+1+length)
			}
			i += length
		}
	}
	if start < len(template) {
		list = append(list, piece{plainText, template[start:]})
	}
	return list
}

// templateName reads what follows a %: a name with its closing %, or the
// closing % alone. The length is 0 where it is neither.
func templateName(s string) (name string, length int) {
	end := strings.IndexByte(s, '%')
	if end < 0 {
		return "", 0
	}
	for i := 0; i < end; i++ {
		c := s[i]
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
		part := i > 0 && s[i-1] != '.' // a part has begun
		if !letter && !(part && (c >= '0' && c <= '9' || c == '.' && i+1 < end)) {
			return "", 0
		}
	}
	return s[:end], end + 1
}

// property appends the value that a name has in the event.
func (x *expansion) property(b []byte, name string) []byte {
	if strings.EqualFold(name, "__TEXT") {
		return x.mof(b, x.event)
	}
	values, array := lookup(nil, cim.Obj(x.event), strings.Split(name, "."))
	if !array || len(values) == 1 {
		for _, v := range values {
			b = x.scalar(b, v)
		}
		return b
	}
	b = append(b, '(')
	for n, v := range values {
		if n > 0 {
			b = append(b, ',')
		}
		if s, ok := v.Str(); ok {
			b = append(b, '"')
			b = append(b, quoteEscapes.Replace(s)...)
			b = append(b, '"')
		} else {
			b = x.scalar(b, v)
		}
		if len(b) > maxExpanded {
			return b
		}
	}
	return append(b, ')')
}

var quoteEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// lookup collects what names lead to from v; array tells whether an array was
// on the way.
func lookup(list []cim.Value, v cim.Value, names []string) (values []cim.Value, array bool) {
	switch {
	case v.IsNull():
		return list, false
	case v.Type().IsArray():
		for _, e := range v.Elems() {
			list, _ = lookup(list, e, names)
		}
		return list, true
	case len(names) == 0:
		return append(list, v), false
	case v.Object() == nil:
		return list, false
	}
	i := v.Object()
	if s, ok := wql.SystemProperty(i, names[0]); ok {
		return lookup(list, s, names[1:])
	}
	return lookup(list, i.Get(names[0]), names[1:])
}

func (x *expansion) scalar(b []byte, v cim.Value) []byte {
	if i := v.Object(); i != nil {
		return x.mof(b, i)
	}
	if t, ok := v.Bool(); ok {
		if t {
			return append(b, "TRUE"...)
		}
		return append(b, "FALSE"...)
	}
	return v.AppendText(b)
}
