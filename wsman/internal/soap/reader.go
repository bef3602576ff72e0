package soap

import (
	"bytes"
	"math"
)

// Kind is the kind of a token.
type Kind uint8

// The kinds of tokens. An empty element gives a StartElement and an
// EndElement. Text is character data or a CDATA section; one text may come in
// several tokens (see Reader.ReadText). Comments and the XML declaration give
// no token.
const (
	EOF Kind = iota
	StartElement
	EndElement
	Text
)

// Limits bounds what a Reader accepts. A zero field means its default.
type Limits struct {
	Depth      int // nested elements; default 100
	Attributes int // attributes and declarations of one element; default 128
	Name       int // bytes of a qualified name; default 512
	Bindings   int // namespace declarations in scope at one time; default 256
	Namespaces int // different unknown namespaces in the document; default 4096
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Depth, 100)
	def(&l.Attributes, 128)
	def(&l.Name, 512)
	def(&l.Bindings, 256)
	def(&l.Namespaces, 4096)
	l.Namespaces = min(l.Namespaces, math.MaxUint16-int(FirstUnknown))
	return l
}

// Name is an expanded name. Local is a slice of the document.
type Name struct {
	Space NS
	Local []byte
}

// frame is an open element: where its qualified name is and which namespace
// declarations it found in scope.
type frame struct {
	start, local, end uint32
	binds             uint32
	ns                NS
}

// Reader reads the tokens of one document. It is not safe for concurrent use.
type Reader struct {
	data   []byte
	pos    int
	kind   Kind
	empty  bool // the element of the last StartElement was <a/>
	inner  bool // content of an element: several elements and text at depth 0
	seen   bool // the document element has been opened
	ns     NS
	local  []byte
	text   []byte
	start  int // offset of the current token
	stack  []frame
	attrs  []Attr
	binds  []binding
	uris   []string
	byURI  map[string]NS
	buf    []byte // decoded text
	valbuf []byte // decoded attribute values
	key    uint64 // the prefix resolved last
	keyNS  NS
	keyOK  bool
	enc    Encoding
	lim    Limits
	err    error

	// what most documents need, so that a message costs one allocation
	stack0 [12]frame
	attrs0 [4]Attr
	binds0 [16]binding
}

// NewReader returns a reader of one document: UTF-8, or UTF-16 with a byte
// order mark. Errors of the encoding are returned by the first Next. The
// slices that the reader gives out are parts of data, or of a buffer that is
// valid until the next call of Next.
func NewReader(data []byte, lim Limits) *Reader {
	return NewReaderCharset(data, "", lim)
}

// NewReaderCharset is NewReader with the charset parameter of the content
// type as a hint for text without a byte order mark.
func NewReaderCharset(data []byte, charset string, lim Limits) *Reader {
	r := &Reader{lim: lim.withDefaults()}
	r.stack, r.attrs, r.binds = r.stack0[:0], r.attrs0[:0], r.binds0[:0]
	text, enc, err := ToUTF8(data, charset)
	r.data, r.enc, r.err = text, enc, err
	switch {
	case err != nil:
	case len(text) > math.MaxInt32:
		r.fail(0, "document is too large", ErrLimit)
	default:
		if i := invalidChar(text); i >= 0 {
			r.fail(i, "not UTF-8, or a character that XML does not permit", nil)
		} else if err := r.declaration(); err != nil {
			r.err = err
		}
	}
	return r
}

// Encoding returns the encoding in which the document came.
func (r *Reader) Encoding() Encoding { return r.enc }

// Kind returns the kind of the current token.
func (r *Reader) Kind() Kind { return r.kind }

// Name returns the name of the current StartElement or EndElement.
func (r *Reader) Name() Name { return Name{r.ns, r.local} }

// Space returns the namespace of the current element.
func (r *Reader) Space() NS { return r.ns }

// Local returns the local name of the current element.
func (r *Reader) Local() []byte { return r.local }

// Is reports whether the current element has this name.
func (r *Reader) Is(space NS, local string) bool {
	return r.ns == space && string(r.local) == local
}

// Text returns the current text, with references resolved and line ends
// normalised to LF. It is valid until the next call of Next.
func (r *Reader) Text() []byte { return r.text }

// Depth returns the number of open elements: a StartElement counts itself, an
// EndElement no longer does.
func (r *Reader) Depth() int { return len(r.stack) }

// Offset returns the offset of the current token in the document as UTF-8.
func (r *Reader) Offset() int { return r.start }

// Err returns the error that stopped the reader, or nil.
func (r *Reader) Err() error { return r.err }

// URI returns the URI of a namespace of this document.
func (r *Reader) URI(ns NS) string {
	if ns < FirstUnknown {
		return ns.URI()
	}
	if i := int(ns - FirstUnknown); i < len(r.uris) {
		return r.uris[i]
	}
	return ""
}

func (r *Reader) fail(off int, msg string, why error) error {
	r.err = &SyntaxError{Offset: off, Msg: msg, Err: why}
	return r.err
}

// Next reads the next token. After the end of the document it returns EOF.
// After an error it returns the same error again.
func (r *Reader) Next() (Kind, error) {
	if r.err != nil {
		return EOF, r.err
	}
	if r.empty {
		r.empty = false
		r.attrs = r.attrs[:0]
		return r.pop(), nil
	}
	r.attrs = r.attrs[:0]
	for {
		p := r.pos
		if p >= len(r.data) {
			return r.end()
		}
		r.start = p
		if r.data[p] != '<' {
			done, err := r.readText()
			if err != nil {
				return EOF, err
			}
			if done {
				r.kind = Text
				return Text, nil
			}
			continue
		}
		if p+1 >= len(r.data) {
			return EOF, r.fail(p, "document ends inside a tag", nil)
		}
		switch r.data[p+1] {
		case '/':
			return r.endTag(p)
		case '!':
			done, err := r.markup(p)
			if err != nil {
				return EOF, err
			}
			if done {
				r.kind = Text
				return Text, nil
			}
		case '?':
			return EOF, r.fail(p, "processing instructions are not permitted", nil)
		default:
			return r.startTag(p)
		}
	}
}

func (r *Reader) end() (Kind, error) {
	r.start = r.pos
	if len(r.stack) > 0 {
		return EOF, r.fail(r.pos, "document ends with open elements", nil)
	}
	if !r.seen && !r.inner {
		return EOF, r.fail(r.pos, "document has no element", nil)
	}
	r.kind = EOF
	return EOF, nil
}

// endTag reads </name>. The name must be written as in the start tag, so
// comparing the bytes is enough.
func (r *Reader) endTag(p int) (Kind, error) {
	if len(r.stack) == 0 {
		return EOF, r.fail(p, "end tag without a start tag", nil)
	}
	f := &r.stack[len(r.stack)-1]
	name := r.data[f.start:f.end]
	rest := r.data[p+2:]
	if len(rest) <= len(name) || !bytes.Equal(rest[:len(name)], name) {
		return EOF, r.fail(p, "end tag does not match the start tag", nil)
	}
	i := len(name)
	for i < len(rest) && class[rest[i]]&cSpace != 0 {
		i++
	}
	if i >= len(rest) || rest[i] != '>' {
		return EOF, r.fail(p, "end tag does not match the start tag", nil)
	}
	r.pos = p + 2 + i + 1
	return r.pop(), nil
}

// pop closes the innermost element.
func (r *Reader) pop() Kind {
	f := &r.stack[len(r.stack)-1]
	r.ns = f.ns
	r.local = r.data[f.local:f.end:f.end]
	if int(f.binds) != len(r.binds) {
		r.binds = r.binds[:f.binds]
		r.keyOK = false
	}
	r.stack = r.stack[:len(r.stack)-1]
	r.kind = EndElement
	return EndElement
}

// markup reads a comment or a CDATA section; anything else that starts with
// <! is a document type declaration or not XML.
func (r *Reader) markup(p int) (bool, error) {
	rest := r.data[p:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		i := bytes.Index(rest[4:], []byte("--"))
		if i < 0 || 4+i+2 >= len(rest) {
			return false, r.fail(p, "comment without an end", nil)
		}
		if rest[4+i+2] != '>' {
			return false, r.fail(p+4+i, "-- inside a comment", nil)
		}
		r.pos = p + 4 + i + 3
		return false, nil
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		if len(r.stack) == 0 && !r.inner {
			return false, r.fail(p, "text outside the document element", nil)
		}
		i := bytes.Index(rest[9:], []byte("]]>"))
		if i < 0 {
			return false, r.fail(p, "CDATA section without an end", nil)
		}
		r.text = rest[9 : 9+i : 9+i]
		if bytes.IndexByte(r.text, '\r') >= 0 {
			r.buf = appendLines(r.buf[:0], r.text)
			r.text = r.buf
		}
		r.pos = p + 9 + i + 3
		return true, nil
	case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
		return false, r.fail(p, "document type declarations are not permitted", nil)
	}
	return false, r.fail(p, "unknown markup", nil)
}
