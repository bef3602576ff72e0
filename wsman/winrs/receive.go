package winrs

import (
	"strings"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Receive asks for output. See [MS-WSMV] 3.1.4.14.
type Receive struct {
	CommandID string   // empty: the streams of the shell itself
	Streams   []string // "stdout", "stderr"
}

// ReadReceive reads the body of a Receive.
func ReadReceive(m *wsman.Message) (*Receive, error) {
	c := &Receive{}
	err := m.Expect(soap.Shell, "Receive", func(r *soap.Reader) error {
		return children(r, func() error {
			if string(r.Local()) != "DesiredStream" {
				return r.Skip()
			}
			id, _ := r.Attr(soap.None, "CommandId")
			c.CommandID = string(id)
			return streams(r, &c.Streams)
		}, nil)
	})
	return c, err
}

// Namespaces lists what the body needs on the envelope.
func (c *Receive) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:Receive.
func (c *Receive) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, "Receive")
	w.Start(soap.Shell, "DesiredStream")
	if c.CommandID != "" {
		w.Attr(soap.None, "CommandId", c.CommandID)
	}
	w.Text(strings.Join(c.Streams, " "))
	w.End()
	w.End()
	return nil
}

// CommandState is the state of a command. See [MS-WSMV] 2.2.4.4.
type CommandState string

// The states of a command.
const (
	Running CommandState = soap.URIShell + "/CommandState/Running"
	Pending CommandState = soap.URIShell + "/CommandState/Pending"
	Done    CommandState = soap.URIShell + "/CommandState/Done"
)

// ReceiveResponse is the answer to a Receive.
type ReceiveResponse struct {
	Streams     []Stream
	CommandID   string
	State       CommandState // empty if the answer has none
	HasExitCode bool
	ExitCode    uint32 // also an HRESULT
}

// ReadReceiveResponse reads the body of the answer to a Receive. The data of
// the streams is appended to buf, which may be nil; the grown buffer is
// returned, so that it can be used again when the data has been.
func ReadReceiveResponse(m *wsman.Message, buf []byte) (*ReceiveResponse, []byte, error) {
	c := &ReceiveResponse{}
	err := m.Expect(soap.Shell, "ReceiveResponse", func(r *soap.Reader) error {
		return children(r, func() error {
			switch string(r.Local()) {
			case "Stream":
				s, grown, err := readStream(r, buf)
				buf = grown
				c.Streams = append(c.Streams, s)
				return err
			case "CommandState":
				return c.readState(r)
			}
			return r.Skip()
		}, nil)
	})
	return c, buf, err
}

func (c *ReceiveResponse) readState(r *soap.Reader) error {
	id, _ := r.Attr(soap.None, "CommandId")
	state, _ := r.Attr(soap.None, "State")
	c.CommandID, c.State = string(id), CommandState(state)
	return children(r, func() error {
		if string(r.Local()) != "ExitCode" {
			return r.Skip()
		}
		var s string
		if err := trimmed(r, &s); err != nil {
			return err
		}
		if c.ExitCode, c.HasExitCode = exitCode(s); !c.HasExitCode {
			return badValue("ExitCode is not a number of 32 bits")
		}
		return nil
	}, nil)
}

// Namespaces lists what the body needs on the envelope.
func (c *ReceiveResponse) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:ReceiveResponse.
func (c *ReceiveResponse) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, "ReceiveResponse")
	for i := range c.Streams {
		c.Streams[i].write(w)
	}
	if c.State != "" {
		w.Start(soap.Shell, "CommandState")
		if c.CommandID != "" {
			w.Attr(soap.None, "CommandId", c.CommandID)
		}
		w.Attr(soap.None, "State", string(c.State))
		if c.HasExitCode {
			w.Start(soap.Shell, "ExitCode")
			w.Uint(uint64(c.ExitCode))
			w.End()
		}
		w.End()
	}
	w.End()
	return nil
}
