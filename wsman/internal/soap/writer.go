package soap

import (
	"encoding/base64"
	"strconv"
)

// Writer appends a document to a byte slice. It does not check names: they
// are constants, or were checked by IsName. The zero value is ready.
type Writer struct {
	buf  []byte
	open bool // the last start tag still lacks its >
	tags []tag
}

type tag struct{ prefix, local string }

// Mark is a place in the output to which Rewind can return.
type Mark struct {
	len  int
	tags int
	open bool
}

// NewWriter returns a writer that appends to buf, which may be nil.
func NewWriter(buf []byte) *Writer { return &Writer{buf: buf} }

// Reset empties the writer and keeps its memory.
func (w *Writer) Reset() { w.buf, w.tags, w.open = w.buf[:0], w.tags[:0], false }

// Bytes closes the last start tag and returns what was written. The slice is
// valid until the writer is used again.
func (w *Writer) Bytes() []byte {
	w.closeTag()
	return w.buf
}

// Len returns the number of bytes written. The end tags that are still due
// are not among them (see Due).
func (w *Writer) Len() int { return len(w.buf) }

// Due returns the number of bytes of the end tags that are still to come.
func (w *Writer) Due() int {
	n := 0
	if w.open {
		n++
	}
	for _, t := range w.tags {
		n += len("</>") + len(t.local)
		if t.prefix != "" {
			n += len(t.prefix) + 1
		}
	}
	return n
}

// Mark notes the current place.
func (w *Writer) Mark() Mark { return Mark{len(w.buf), len(w.tags), w.open} }

// Rewind undoes what was written after the mark. The elements that were open
// at the mark must still be.
func (w *Writer) Rewind(m Mark) {
	// The > that closed a start tag after the mark is cut off with the rest.
	w.buf, w.tags, w.open = w.buf[:m.len], w.tags[:m.tags], m.open
}

func (w *Writer) closeTag() {
	if w.open {
		w.buf = append(w.buf, '>')
		w.open = false
	}
}

func (w *Writer) name(prefix, local string) {
	if prefix != "" {
		w.buf = append(append(w.buf, prefix...), ':')
	}
	w.buf = append(w.buf, local...)
}

// Start opens an element of a known namespace, whose conventional prefix must
// be declared (see Envelope and Xmlns).
func (w *Writer) Start(ns NS, local string) { w.StartPrefix(ns.Prefix(), local) }

// StartPrefix opens an element with a prefix of the caller's choice.
func (w *Writer) StartPrefix(prefix, local string) {
	w.closeTag()
	w.buf = append(w.buf, '<')
	w.name(prefix, local)
	w.tags = append(w.tags, tag{prefix, local})
	w.open = true
}

// End closes the innermost element. An element without content is written as
// an empty one.
func (w *Writer) End() {
	t := w.tags[len(w.tags)-1]
	w.tags = w.tags[:len(w.tags)-1]
	if w.open {
		w.buf = append(w.buf, "/>"...)
		w.open = false
		return
	}
	w.buf = append(w.buf, "</"...)
	w.name(t.prefix, t.local)
	w.buf = append(w.buf, '>')
}

// Xmlns declares a namespace on the element that was just started.
func (w *Writer) Xmlns(prefix, uri string) {
	w.buf = append(w.buf, " xmlns"...)
	if prefix != "" {
		w.buf = append(append(w.buf, ':'), prefix...)
	}
	w.value(uri)
}

// Declare declares known namespaces with their conventional prefixes.
func (w *Writer) Declare(list ...NS) {
	for _, ns := range list {
		w.Xmlns(ns.Prefix(), ns.URI())
	}
}

// Attr adds an attribute to the element that was just started.
func (w *Writer) Attr(ns NS, local, value string) {
	w.buf = append(w.buf, ' ')
	w.name(ns.Prefix(), local)
	w.value(value)
}

func (w *Writer) value(s string) {
	w.buf = append(w.buf, '=', '"')
	w.buf = appendEscaped(w.buf, s, true)
	w.buf = append(w.buf, '"')
}

// Text writes character data.
func (w *Writer) Text(s string) {
	if s == "" {
		return
	}
	w.closeTag()
	w.buf = appendEscaped(w.buf, s, false)
}

// TextBytes is Text for bytes.
func (w *Writer) TextBytes(s []byte) {
	if len(s) == 0 {
		return
	}
	w.closeTag()
	w.buf = appendEscaped(w.buf, s, false)
}

// Int writes a decimal number.
func (w *Writer) Int(v int64) {
	w.closeTag()
	w.buf = strconv.AppendInt(w.buf, v, 10)
}

// Uint writes a decimal number.
func (w *Writer) Uint(v uint64) {
	w.closeTag()
	w.buf = strconv.AppendUint(w.buf, v, 10)
}

// Bool writes true or false.
func (w *Writer) Bool(v bool) {
	w.closeTag()
	w.buf = strconv.AppendBool(w.buf, v)
}

// Base64 writes bytes as base64Binary, straight into the output.
func (w *Writer) Base64(b []byte) {
	if len(b) == 0 {
		return
	}
	w.closeTag()
	w.buf = base64.StdEncoding.AppendEncode(w.buf, b)
}

// Raw writes bytes as they are: well-formed content, made by a Writer or
// taken from a document whose prefixes are declared here too.
func (w *Writer) Raw(b []byte) {
	if len(b) == 0 {
		return
	}
	w.closeTag()
	w.buf = append(w.buf, b...)
}

// Fragment writes an element of another document with the declarations that
// it needs.
func (w *Writer) Fragment(f Fragment) error {
	w.closeTag()
	buf, err := f.AppendStandalone(w.buf)
	if err != nil {
		return err
	}
	w.buf = buf
	return nil
}

// Append lets a function append character data that needs no escape, such as
// a number or a time.
func (w *Writer) Append(f func([]byte) []byte) {
	w.closeTag()
	w.buf = f(w.buf)
}

// Element writes an element that has only text.
func (w *Writer) Element(ns NS, local, text string) {
	w.Start(ns, local)
	w.Text(text)
	w.End()
}

// Envelope opens s:Envelope and declares the namespaces that nearly every
// message needs, and more: SOAP, WS-Addressing, WS-Management and Microsoft's
// extensions.
func (w *Writer) Envelope(more ...NS) {
	w.Start(Envelope, "Envelope")
	w.Declare(Envelope, Addressing, WSMan, WSMV)
	w.Declare(more...)
}

// AttrUint adds an attribute with a decimal number.
func (w *Writer) AttrUint(ns NS, local string, v uint64) {
	var b [20]byte
	w.Attr(ns, local, string(strconv.AppendUint(b[:0], v, 10)))
}
