package wsman

import (
	"strings"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// EnumerationMode says what an enumeration returns. See [MS-WSMV] 3.1.4.1.17.
type EnumerationMode string

// The enumeration modes. The zero value returns objects.
const (
	EnumerateObject       EnumerationMode = ""
	EnumerateEPR          EnumerationMode = "EnumerateEPR"
	EnumerateObjectAndEPR EnumerationMode = "EnumerateObjectAndEPR"
)

// PolymorphismMode says how instances of derived classes are returned. See
// DSP0227 and [MS-WSMV] 3.1.4.1.27.
type PolymorphismMode string

// The polymorphism modes. The zero value means the first of the others.
const (
	PolymorphismDefault PolymorphismMode = ""
	IncludeSubClass     PolymorphismMode = "IncludeSubClassProperties" // deep
	ExcludeSubClass     PolymorphismMode = "ExcludeSubClassProperties" // deep, base properties only
	PolymorphismNone    PolymorphismMode = "None"                      // shallow
)

// Enumerate opens an enumeration. See [MS-WSMV] 3.1.4.8.
type Enumerate struct {
	Expires      string // xs:duration or xs:dateTime; empty: the service decides
	Filter       *Filter
	Optimize     bool   // the response carries the first items
	MaxElements  uint32 // of the first items; 0 means absent (1)
	Mode         EnumerationMode
	Polymorphism PolymorphismMode
}

// ReadEnumerate reads the body of an Enumerate. Filters are read in both
// namespaces that clients use.
func (m *Message) ReadEnumerate() (*Enumerate, error) {
	e := &Enumerate{}
	err := m.Expect(soap.Enumeration, "Enumerate", func(r *soap.Reader) error {
		return eachChild(r, func() error { return e.child(r) })
	})
	return e, err
}

func (e *Enumerate) child(r *soap.Reader) (err error) {
	ns := r.Space()
	if ns != soap.Enumeration && ns != soap.WSMan && ns != soap.CIMBinding {
		return r.Skip()
	}
	switch string(r.Local()) {
	case "Expires":
		e.Expires, err = readTrimmed(r)
	case "Filter":
		if e.Filter != nil {
			return NewFault(CodeEnumerateCannotProcessFilter, "the request has more than one filter")
		}
		e.Filter, err = readFilter(r)
	case "OptimizeEnumeration":
		e.Optimize = true
		err = r.Skip()
	case "MaxElements":
		e.MaxElements, err = readCount(r)
	case "EnumerationMode":
		var v string
		v, err = readTrimmed(r)
		e.Mode = EnumerationMode(v)
		switch e.Mode {
		case EnumerateObject, EnumerateEPR, EnumerateObjectAndEPR:
		case "EnumerateObject":
			e.Mode = EnumerateObject
		default:
			return NewFault(CodeEnumerationModeUnsupported, "")
		}
	case "PolymorphismMode":
		var v string
		v, err = readTrimmed(r)
		e.Polymorphism = PolymorphismMode(v)
		switch e.Polymorphism {
		case PolymorphismDefault, IncludeSubClass, ExcludeSubClass, PolymorphismNone:
		default:
			return NewFault(CodePolymorphismModeUnsupported, "the polymorphism mode is not known: "+clip(v))
		}
	default:
		err = r.Skip()
	}
	return err
}

// readCount reads a positive number of elements.
func readCount(r *soap.Reader) (uint32, error) {
	name := string(r.Local())
	s, err := readTrimmed(r)
	if err != nil {
		return 0, err
	}
	n, ok := parseUint(s, 64)
	if !ok || n == 0 {
		return 0, NewFault(CodeInvalidParameter, name+" is not a positive number: "+clip(s))
	}
	return uint32(min(n, 1<<32-1)), nil
}

// Namespaces lists what the body needs on the envelope.
func (e *Enumerate) Namespaces() []soap.NS {
	if e.Polymorphism != "" {
		return []soap.NS{soap.Enumeration, soap.CIMBinding}
	}
	return []soap.NS{soap.Enumeration}
}

// WriteBody writes the n:Enumerate.
func (e *Enumerate) WriteBody(w *soap.Writer) error {
	w.Start(soap.Enumeration, "Enumerate")
	if e.Expires != "" {
		w.Element(soap.Enumeration, "Expires", e.Expires)
	}
	if e.Optimize {
		w.Element(soap.WSMan, "OptimizeEnumeration", "")
	}
	if e.MaxElements > 0 {
		w.Start(soap.WSMan, "MaxElements")
		w.Uint(uint64(e.MaxElements))
		w.End()
	}
	if e.Filter != nil {
		if err := e.Filter.write(w); err != nil {
			return err
		}
	}
	if e.Mode != "" {
		w.Element(soap.WSMan, "EnumerationMode", string(e.Mode))
	}
	if e.Polymorphism != "" {
		w.Element(soap.CIMBinding, "PolymorphismMode", string(e.Polymorphism))
	}
	w.End()
	return nil
}

// ItemFunc is called at the StartElement of each item: an instance, an
// a:EndpointReference, or a w:Item that holds both (see ReadItem). It reads
// the item to its end, or leaves the rest, which is skipped.
type ItemFunc func(r *soap.Reader) error

// Items is one batch of an enumeration: EnumerateResponse or PullResponse.
type Items struct {
	Context       string // empty after the end
	Expires       string // of an EnumerateResponse
	EndOfSequence bool
	// HasItems tells an empty Items element from none at all; set it, and
	// XML, to write items.
	HasItems bool
	// XML holds the items to be written: well-formed elements that declare
	// the prefixes they use beyond those of the envelope.
	XML []byte

	response string // EnumerateResponse or PullResponse
}

// ReadEnumerateResponse reads the body of an EnumerateResponse. The
// elements may be of the WS-Enumeration or of the WS-Management namespace:
// Windows and others write both.
func (m *Message) ReadEnumerateResponse(item ItemFunc) (*Items, error) {
	return m.readItems("EnumerateResponse", item)
}

func (m *Message) readItems(name string, item ItemFunc) (*Items, error) {
	it := &Items{response: name}
	err := m.Expect(soap.Enumeration, name, func(r *soap.Reader) error {
		return eachChild(r, func() error { return it.child(r, item) })
	})
	return it, err
}

func (it *Items) child(r *soap.Reader, item ItemFunc) (err error) {
	if ns := r.Space(); ns != soap.Enumeration && ns != soap.WSMan {
		return r.Skip()
	}
	switch string(r.Local()) {
	case "EnumerationContext":
		it.Context, err = readContext(r)
	case "Expires":
		it.Expires, err = readTrimmed(r)
	case "EndOfSequence":
		it.EndOfSequence = true
		err = r.Skip()
	case "Items":
		it.HasItems = true
		depth := r.Depth()
		err = eachChild(r, func() error {
			if err := item(r); err != nil {
				return err
			}
			for r.Depth() > depth {
				if _, err := r.Next(); err != nil {
					return err
				}
			}
			return nil
		})
	default:
		err = r.Skip()
	}
	return err
}

// readContext reads an enumeration context. It is opaque and may hold XML of
// other services; then the XML is the context.
func readContext(r *soap.Reader) (string, error) {
	inner, err := r.Inner()
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(inner.XML), "<") {
		sub := inner.Reader(soap.Limits{})
		k, err := sub.Next()
		if err != nil || k != soap.Text {
			return "", err
		}
		return string(soap.TrimSpace(sub.Text())), nil
	}
	return string(inner.XML), nil
}

// writeContext writes a context as it was read.
func writeContext(w *soap.Writer, context string) {
	w.Start(soap.Enumeration, "EnumerationContext")
	if strings.HasPrefix(context, "<") {
		w.Raw([]byte(context))
	} else {
		w.Text(context)
	}
	w.End()
}

// EnumerateResponse returns the items as the body of an EnumerateResponse.
func (it Items) EnumerateResponse() Body {
	it.response = "EnumerateResponse"
	return &it
}

// PullResponse returns the items as the body of a PullResponse.
func (it Items) PullResponse() Body {
	it.response = "PullResponse"
	return &it
}

// Namespaces lists what the body needs on the envelope.
func (it *Items) Namespaces() []soap.NS { return []soap.NS{soap.Enumeration} }

// WriteBody writes the response. Items and EndOfSequence are of the
// WS-Management namespace in an EnumerateResponse and of WS-Enumeration in a
// PullResponse. See DSP0226 section 8.2.3.
func (it *Items) WriteBody(w *soap.Writer) error {
	ns := soap.Enumeration
	if it.response == "EnumerateResponse" {
		ns = soap.WSMan
	}
	w.Start(soap.Enumeration, it.response)
	if it.Expires != "" {
		w.Element(soap.Enumeration, "Expires", it.Expires)
	}
	if it.Context != "" || it.response == "EnumerateResponse" {
		writeContext(w, it.Context)
	}
	if it.HasItems {
		w.Start(ns, "Items")
		w.Raw(it.XML)
		w.End()
	}
	if it.EndOfSequence {
		w.Element(ns, "EndOfSequence", "")
	}
	w.End()
	return nil
}

// Item is one item of an enumeration as XML: the object, its reference, or
// both, by the enumeration mode.
type Item struct {
	Object soap.Fragment // zero in mode EnumerateEPR
	EPR    *EPR          // nil in mode EnumerateObject
}

// ReadItem reads an item at its StartElement, whatever the mode was.
func ReadItem(r *soap.Reader) (Item, error) {
	var it Item
	part := func() (err error) {
		if r.Is(soap.Addressing, "EndpointReference") && it.EPR == nil {
			var epr EPR
			epr, err = ReadEPR(r)
			it.EPR = &epr
			return err
		}
		it.Object, err = r.Outer()
		return err
	}
	if r.Is(soap.WSMan, "Item") {
		return it, eachChild(r, part)
	}
	return it, part()
}
