package wsman

import "github.com/casementhq/casement/wsman/internal/soap"

// Release ends an enumeration before its last item. The response has an
// empty body. See [MS-WSMV] 3.1.4.10.
type Release struct{ Context string }

// ReadRelease reads the body of a Release.
func (m *Message) ReadRelease() (*Release, error) {
	rel := &Release{}
	err := m.Expect(soap.Enumeration, "Release", func(r *soap.Reader) error {
		return eachChild(r, func() (err error) {
			if string(r.Local()) != "EnumerationContext" {
				return r.Skip()
			}
			rel.Context, err = readContext(r)
			return err
		})
	})
	if err == nil && rel.Context == "" {
		err = NewFault(CodeInvalidEnumerationContext, "the request has no EnumerationContext")
	}
	return rel, err
}

// Namespaces lists what the body needs on the envelope.
func (rel *Release) Namespaces() []soap.NS { return []soap.NS{soap.Enumeration} }

// WriteBody writes the n:Release.
func (rel *Release) WriteBody(w *soap.Writer) error {
	w.Start(soap.Enumeration, "Release")
	writeContext(w, rel.Context)
	w.End()
	return nil
}
