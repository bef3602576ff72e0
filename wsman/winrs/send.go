package winrs

import (
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Send carries input. See [MS-WSMV] 3.1.4.13.
type Send struct{ Streams []Stream }

// ReadSend reads the body of a Send. The data is appended to buf; see
// ReadReceiveResponse.
func ReadSend(m *wsman.Message, buf []byte) (*Send, []byte, error) {
	c := &Send{}
	err := m.Expect(soap.Shell, "Send", func(r *soap.Reader) error {
		return children(r, func() error {
			if string(r.Local()) != "Stream" {
				return r.Skip()
			}
			s, grown, err := readStream(r, buf)
			buf = grown
			c.Streams = append(c.Streams, s)
			return err
		}, nil)
	})
	return c, buf, err
}

// Namespaces lists what the body needs on the envelope.
func (c *Send) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:Send.
func (c *Send) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, "Send")
	for i := range c.Streams {
		c.Streams[i].write(w)
	}
	w.End()
	return nil
}

// Empty is the body of the answer to a Send, "SendResponse", or a Signal,
// "SignalResponse", and of a Reconnect, "Reconnect": one element without
// content.
type Empty string

// Namespaces lists what the body needs on the envelope.
func (Empty) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the element.
func (e Empty) WriteBody(w *soap.Writer) error {
	w.Element(soap.Shell, string(e), "")
	return nil
}
