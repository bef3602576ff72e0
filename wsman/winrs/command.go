package winrs

import (
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// CommandLine is the body of a Command. See [MS-WSMV] 3.1.4.11.
type CommandLine struct {
	CommandID string // chosen by the client; PowerShell needs it, others leave it empty
	Command   string
	Arguments []string
}

const maxArguments = 65536

// ReadCommandLine reads the body of a Command.
func ReadCommandLine(m *wsman.Message) (*CommandLine, error) {
	c := &CommandLine{}
	err := m.Expect(soap.Shell, "CommandLine", func(r *soap.Reader) error {
		id, _ := r.Attr(soap.None, "CommandId")
		c.CommandID = string(id)
		return children(r, func() error {
			switch string(r.Local()) {
			case "Command":
				return str(r, &c.Command)
			case "Arguments":
				if len(c.Arguments) >= maxArguments {
					return badValue("there are too many arguments")
				}
				var arg string
				err := str(r, &arg)
				c.Arguments = append(c.Arguments, arg)
				return err
			}
			return r.Skip()
		}, nil)
	})
	return c, err
}

// Namespaces lists what the body needs on the envelope.
func (c *CommandLine) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:CommandLine.
func (c *CommandLine) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, "CommandLine")
	if c.CommandID != "" {
		w.Attr(soap.None, "CommandId", c.CommandID)
	}
	w.Element(soap.Shell, "Command", c.Command)
	for _, a := range c.Arguments {
		w.Element(soap.Shell, "Arguments", a)
	}
	w.End()
	return nil
}

// CommandResponse is the body of the answer to a Command.
type CommandResponse struct{ CommandID string }

// ReadCommandResponse reads the body of the answer to a Command.
func ReadCommandResponse(m *wsman.Message) (*CommandResponse, error) {
	c := &CommandResponse{}
	err := m.Expect(soap.Shell, "CommandResponse", func(r *soap.Reader) error {
		return children(r, func() error {
			if string(r.Local()) == "CommandId" {
				return trimmed(r, &c.CommandID)
			}
			return r.Skip()
		}, nil)
	})
	return c, err
}

// Namespaces lists what the body needs on the envelope.
func (c *CommandResponse) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:CommandResponse.
func (c *CommandResponse) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, "CommandResponse")
	w.Element(soap.Shell, "CommandId", c.CommandID)
	w.End()
	return nil
}
