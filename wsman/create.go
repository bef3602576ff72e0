package wsman

import "github.com/casementhq/casement/wsman/internal/soap"

// ResourceCreated is the body of a CreateResponse: the reference to the new
// resource. A shell adds a second element, which the caller of Rest reads or
// writes. See [MS-WSMV] 3.1.4.5.
type ResourceCreated struct {
	EPR  EPR
	Rest Body // what else stands in the body; may be nil
}

// ReadResourceCreated reads the body of a CreateResponse. rest, if not nil,
// is called for each other element.
func (m *Message) ReadResourceCreated(rest func(r *soap.Reader) error) (*ResourceCreated, error) {
	c := &ResourceCreated{}
	found := false
	err := m.Body(func(r *soap.Reader) (err error) {
		switch {
		case r.Is(soap.Transfer, "ResourceCreated") && !found:
			found = true
			c.EPR, err = ReadEPR(r)
		case rest != nil:
			err = rest(r)
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil && !found {
		err = NewFault(CodeSchemaValidationError, "the body has no ResourceCreated")
	}
	return c, err
}

// Namespaces lists what the body needs on the envelope.
func (c *ResourceCreated) Namespaces() []soap.NS {
	list := []soap.NS{soap.Transfer}
	if c.Rest != nil {
		list = append(list, c.Rest.Namespaces()...)
	}
	return list
}

// WriteBody writes the x:ResourceCreated and the rest.
func (c *ResourceCreated) WriteBody(w *soap.Writer) error {
	c.EPR.Write(w, soap.Transfer, "ResourceCreated")
	if c.Rest != nil {
		return c.Rest.WriteBody(w)
	}
	return nil
}
