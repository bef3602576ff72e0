package winrs

import (
	"strings"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Disconnect leaves a custom shell running without a client. See [MS-WSMV]
// 3.1.4.15.
type Disconnect struct {
	IdleTimeOut time.Duration // 0 means absent
	BufferMode  string        // "Block", "Drop" or empty
}

// ReadDisconnect reads the body of a Disconnect. Text between its elements,
// which an example of [MS-WSMV] has, is refused.
func ReadDisconnect(m *wsman.Message) (*Disconnect, error) {
	c := &Disconnect{}
	err := m.Expect(soap.Shell, "Disconnect", func(r *soap.Reader) error {
		return children(r, func() error {
			var has bool
			switch string(r.Local()) {
			case "IdleTimeOut", "IdleTimeout":
				return duration(r, &c.IdleTimeOut, &has)
			case "BufferMode":
				return trimmed(r, &c.BufferMode)
			}
			return r.Skip()
		}, nil)
	})
	return c, err
}

// Namespaces lists what the body needs on the envelope.
func (c *Disconnect) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:Disconnect.
func (c *Disconnect) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, "Disconnect")
	putDuration(w, "IdleTimeOut", c.IdleTimeOut)
	put(w, "BufferMode", c.BufferMode)
	w.End()
	return nil
}

// Connect attaches to a shell that another session left. Its response has the
// same form under its own name. See [MS-WSMV] 3.1.4.17.
type Connect struct {
	Response      bool   // rsp:ConnectResponse
	CommandID     string // of a Connect to a command; empty for the shell
	BufferMode    string
	InputStreams  []string        // of a response
	OutputStreams []string        // of a response
	Extra         []soap.Fragment // of the custom shell's own protocol
}

// ReadConnect reads the body of a Connect or of its response.
func ReadConnect(m *wsman.Message, response bool) (*Connect, error) {
	c := &Connect{Response: response}
	err := m.Expect(soap.Shell, c.name(), func(r *soap.Reader) error {
		id, _ := r.Attr(soap.None, "CommandId")
		c.CommandID = string(id)
		return children(r, func() error {
			switch string(r.Local()) {
			case "BufferMode":
				return trimmed(r, &c.BufferMode)
			case "InputStreams":
				return streams(r, &c.InputStreams)
			case "OutputStreams":
				return streams(r, &c.OutputStreams)
			}
			return r.Skip()
		}, func() error {
			if len(c.Extra) >= 16 {
				return r.Skip()
			}
			f, err := r.Outer()
			c.Extra = append(c.Extra, f)
			return err
		})
	})
	return c, err
}

func (c *Connect) name() string {
	if c.Response {
		return "ConnectResponse"
	}
	return "Connect"
}

// Namespaces lists what the body needs on the envelope.
func (c *Connect) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:Connect or rsp:ConnectResponse.
func (c *Connect) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, c.name())
	if c.CommandID != "" {
		w.Attr(soap.None, "CommandId", c.CommandID)
	}
	put(w, "InputStreams", strings.Join(c.InputStreams, " "))
	put(w, "OutputStreams", strings.Join(c.OutputStreams, " "))
	put(w, "BufferMode", c.BufferMode)
	for _, f := range c.Extra {
		if err := w.Fragment(f); err != nil {
			return err
		}
	}
	w.End()
	return nil
}
