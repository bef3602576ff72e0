package wsman

import (
	"crypto/rand"
	"errors"
	"strings"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// Message is a decoded envelope. Its body is read once, from its first
// element on.
type Message struct {
	Header
	Lang string // xml:lang of the envelope

	body  *soap.Reader
	empty bool // the body has no element
	depth int  // of the s:Body element
	state bodyState
}

type bodyState uint8

const (
	atFirst bodyState = iota // the first element has been opened, nobody read it
	inside
	done
)

// Decode reads the header of a message and stops at the first element of the
// body. charset is the parameter of the content type, "" if it had none. An
// error is always a *Fault, ready to be sent back; the message then holds
// what could be read, its MessageID for instance, and is never nil.
func Decode(data []byte, charset string) (*Message, error) {
	m := &Message{}
	r := soap.NewReaderCharset(data, charset, soap.Limits{})
	m.body = r
	if err := r.Root(); err != nil {
		return m, syntaxFault(err)
	}
	if !r.Is(soap.Envelope, "Envelope") {
		if string(r.Local()) == "Envelope" {
			return m, NewFault(CodeVersionMismatch, "")
		}
		return m, NewFault(CodeSchemaValidationError, "the document is not a SOAP envelope")
	}
	lang, _ := r.Attr(soap.XML, "lang")
	m.Lang = string(lang)
	scan := headerScan{h: &m.Header, r: r}
	if err := m.toBody(&scan); err != nil {
		return m, syntaxFault(err)
	}
	if scan.fault != nil {
		return m, scan.fault
	}
	return m, nil
}

// toBody reads up to the first element of the body.
func (m *Message) toBody(scan *headerScan) error {
	r := m.body
	header := false
	for {
		more, err := r.Child()
		switch {
		case err != nil:
			return err
		case !more:
			return NewFault(CodeSchemaValidationError, "the envelope has no body")
		case r.Is(soap.Envelope, "Header") && !header:
			header = true
			if err := scan.read(); err != nil {
				return err
			}
		case r.Is(soap.Envelope, "Body"):
			m.depth = r.Depth()
			more, err := r.Child()
			m.empty = !more
			if m.empty {
				m.state = done
			}
			return err
		default:
			return NewFault(CodeSchemaValidationError, "the envelope holds an element that is neither Header nor Body")
		}
	}
}

// syntaxFault turns an error of the reader into a fault.
func syntaxFault(err error) error {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	code := CodeInvalidXML
	if errors.Is(err, soap.ErrEncoding) {
		code = CodeCharacterSet
	}
	f = NewFault(code, "")
	if code == CodeInvalidXML {
		f.SOAPCode, f.Subcode = Sender, "w:SchemaValidationError"
	}
	f.Err = err
	return f
}

// UTF16 reports whether the message came as UTF-16; the answer then does too.
func (m *Message) UTF16() bool { return m.body.Encoding() != soap.UTF8 }

// Encoding returns the encoding in which the message came.
func (m *Message) Encoding() soap.Encoding { return m.body.Encoding() }

// First returns the namespace and the local name of the first element of the
// body, "" for both if there is none. It does not move.
func (m *Message) First() (space, local string) {
	if m.empty || m.state != atFirst {
		return "", ""
	}
	return m.body.URI(m.body.Space()), string(m.body.Local())
}

// AppendUnread appends a body of which nothing was read, and what decides how it
// reads. Two messages for which it is the same have the same body, and both are
// well-formed from there on or none is.
func (m *Message) AppendUnread(dst []byte) []byte {
	if m.empty || m.state != atFirst {
		return dst
	}
	return append(m.body.AppendContext(dst), m.body.Rest()...)
}

// IsIdentify reports whether the message is an Identify, which has no
// headers. See [MS-WSMV] 3.1.4.1.23.
func (m *Message) IsIdentify() bool {
	return !m.empty && m.state == atFirst && m.body.Is(soap.Identity, "Identify")
}

// Body calls f at the StartElement of each element of the body; f reads the
// element to its end or leaves the rest of it, which is then skipped. After
// the last one the document is read to its end, so a nil error means that all
// of it was well-formed. A message without a body calls f never. An error of
// the XML is returned as a *Fault. The body can be read once.
func (m *Message) Body(f func(r *soap.Reader) error) error {
	if m.state == inside || m.state == done && !m.empty {
		return errors.New("wsman: the body of the message has been read")
	}
	for more := m.state == atFirst; more; {
		m.state = inside
		if err := m.element(f); err != nil {
			return syntaxFault(err)
		}
		var err error
		if more, err = m.body.Child(); err != nil {
			return syntaxFault(err)
		}
	}
	m.state = done
	return m.finish()
}

func (m *Message) element(f func(r *soap.Reader) error) error {
	if err := f(m.body); err != nil {
		return err
	}
	for m.body.Depth() > m.depth {
		if _, err := m.body.Next(); err != nil {
			return err
		}
	}
	return nil
}

// finish reads from the end of the body to the end of the document.
func (m *Message) finish() error {
	for {
		k, err := m.body.Next()
		if err != nil {
			return syntaxFault(err)
		}
		switch {
		case k == soap.EOF:
			return nil
		case k == soap.StartElement, k == soap.Text && !soap.IsSpace(m.body.Text()):
			return NewFault(CodeSchemaValidationError, "there is content behind the body")
		}
	}
}

// Expect reads a body that must hold the named element, at whose StartElement
// f is called; elements beside it are
// skipped (a Create response, for instance, has a second one).
func (m *Message) Expect(ns soap.NS, local string, f func(r *soap.Reader) error) error {
	found := false
	err := m.Body(func(r *soap.Reader) error {
		if found || !r.Is(ns, local) {
			return r.Skip()
		}
		found = true
		return f(r)
	})
	if err == nil && !found {
		return NewFault(CodeSchemaValidationError, "the body has no "+local)
	}
	return err
}

// End checks that the body is empty, or skips what it holds, and reads to the
// end of the document.
func (m *Message) End() error {
	return m.Body(func(r *soap.Reader) error { return r.Skip() })
}

// Fragment reads the body and returns its first element as XML that can be
// read alone. It is the zero Fragment if the body is empty.
func (m *Message) Fragment() (soap.Fragment, error) {
	var out soap.Fragment
	err := m.Body(func(r *soap.Reader) error {
		if !out.IsZero() {
			return r.Skip()
		}
		var err error
		out, err = r.Outer()
		return err
	})
	return out, err
}

// IsFault reports whether the body is a SOAP fault.
func (m *Message) IsFault() bool {
	return !m.empty && m.state == atFirst && m.body.Is(soap.Envelope, "Fault")
}

// ReadFault reads the SOAP fault in the body.
func (m *Message) ReadFault() (*Fault, error) {
	var f *Fault
	err := m.Expect(soap.Envelope, "Fault", func(r *soap.Reader) (err error) {
		f, err = ReadFault(r)
		return err
	})
	return f, err
}

// DecodeResponse is Decode for a client: a message that carries a fault gives
// that fault, with Remote set, as the error.
func DecodeResponse(data []byte, charset string) (*Message, error) {
	m, err := Decode(data, charset)
	if err != nil || !m.IsFault() {
		return m, err
	}
	f, err := m.ReadFault()
	if err != nil {
		return m, err
	}
	return m, f
}

// Body is what stands in the body of a message to be written.
type Body interface {
	// Namespaces lists what the envelope must declare beyond SOAP,
	// WS-Addressing, WS-Management and Microsoft's extensions.
	Namespaces() []soap.NS
	// WriteBody writes the elements of the body.
	WriteBody(w *soap.Writer) error
}

// BodyFunc is a Body that needs no further namespaces on the envelope.
type BodyFunc func(w *soap.Writer) error

// Namespaces returns nil.
func (BodyFunc) Namespaces() []soap.NS { return nil }

// WriteBody calls the function.
func (f BodyFunc) WriteBody(w *soap.Writer) error { return f(w) }

// Encode writes a message. A header with RelatesTo is written as a response,
// with xml:lang on the envelope. body may be nil.
func Encode(w *soap.Writer, h *Header, body Body) error {
	var more []soap.NS
	if body != nil {
		more = body.Namespaces()
	}
	w.Start(soap.Envelope, "Envelope")
	if h.RelatesTo != "" {
		w.Attr(soap.XML, "lang", "en-US")
	}
	w.Declare(soap.Envelope, soap.Addressing, soap.WSMan, soap.WSMV)
	w.Declare(more...)
	h.write(w)
	w.Start(soap.Envelope, "Body")
	if body != nil {
		if err := body.WriteBody(w); err != nil {
			return err
		}
	}
	w.End()
	w.End()
	return nil
}

// AppendMessage appends an encoded message to dst, in UTF-8.
func AppendMessage(dst []byte, h *Header, body Body) ([]byte, error) {
	w := soap.NewWriter(dst)
	err := Encode(w, h, body)
	return w.Bytes(), err
}

// ResponseHeader returns the header of the answer to a request: the action
// with "Response" appended, a new MessageID, RelatesTo and ActivityId.
func (h *Header) ResponseHeader() Header {
	out := h.reply()
	out.Action = h.Action + "Response"
	return out
}

// FaultHeader returns the header of the fault that answers a request.
func (h *Header) FaultHeader(f *Fault) Header {
	out := h.reply()
	out.Action = f.Action()
	if f.NotUnderstood[1] != "" {
		out.NotUnderstood = []HeaderName{{f.NotUnderstood[1], f.NotUnderstood[0]}}
	}
	return out
}

func (h *Header) reply() Header {
	out := Header{MessageID: NewMessageID(), To: Anonymous, RelatesTo: h.MessageID}
	if out.RelatesTo == "" {
		out.RelatesTo = soap.URIAddressing + "/id/unspecified"
	}
	return out
}

// NewUUID returns a random UUID in upper case, as Windows writes them.
func NewUUID() string {
	var b [36]byte
	return string(appendUUID(b[:0]))
}

// NewMessageID returns a new MessageID: "uuid:" and a UUID in upper case.
// See [MS-WSMV] 3.1.4.1.5.
func NewMessageID() string {
	var b [41]byte
	return string(appendUUID(append(b[:0], "uuid:"...)))
}

func appendUUID(dst []byte) []byte {
	const digits = "0123456789ABCDEF"
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	b[6] = b[6]&0x0F | 0x40
	b[8] = b[8]&0x3F | 0x80
	for i, c := range b {
		switch i {
		case 4, 6, 8, 10:
			dst = append(dst, '-')
		}
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}

// SameResource reports whether two resource URIs are the same: case does not
// matter. See [MS-WSMV] 3.1.4.1.1.
func SameResource(a, b string) bool { return strings.EqualFold(a, b) }
