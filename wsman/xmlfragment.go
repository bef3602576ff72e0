package wsman

import "github.com/casementhq/casement/wsman/internal/soap"

// XMLFragment is the body of a Get or Put with FragmentTransfer: the part of
// the instance, inside w:XmlFragment. See [MS-WSMV] 3.1.4.1.18.
type XMLFragment struct {
	Nil bool // xsi:nil: the part does not exist
	// Content is what was read; zero if there was none.
	Content soap.Fragment
	// XML is what is to be written.
	XML []byte
}

// ReadXMLFragment reads the w:XmlFragment in the body.
func (m *Message) ReadXMLFragment() (*XMLFragment, error) {
	x := &XMLFragment{}
	err := m.Expect(soap.WSMan, "XmlFragment", func(r *soap.Reader) (err error) {
		if v, ok := r.Attr(soap.XSI, "nil"); ok {
			x.Nil, _ = parseBool(v)
		}
		x.Content, err = r.Inner()
		return err
	})
	return x, err
}

// Namespaces lists what the body needs on the envelope.
func (x *XMLFragment) Namespaces() []soap.NS { return nil }

// WriteBody writes the w:XmlFragment.
func (x *XMLFragment) WriteBody(w *soap.Writer) error {
	w.Start(soap.WSMan, "XmlFragment")
	if x.Nil {
		w.Declare(soap.XSI)
		w.Attr(soap.XSI, "nil", "true")
	}
	w.Raw(x.XML)
	w.End()
	return nil
}
