package winrs

import (
	"strings"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Codes of signals. Clients write them in different case; see SameSignal. See
// [MS-WSMV] 2.2.4.38.
const (
	SignalTerminate  = soap.URIShell + "/signal/terminate"
	SignalCtrlC      = soap.URIShell + "/signal/ctrl_c"
	SignalCtrlBreak  = soap.URIShell + "/signal/ctrl_break"
	SignalPowerShell = "powershell/signal/ctrl_c"
)

// SameSignal compares signal codes without regard to case.
func SameSignal(a, b string) bool { return strings.EqualFold(a, b) }

// Signal is the body of a Signal. See [MS-WSMV] 3.1.4.12.
type Signal struct {
	CommandID string
	Code      string
}

// ReadSignal reads the body of a Signal.
func ReadSignal(m *wsman.Message) (*Signal, error) {
	c := &Signal{}
	err := m.Expect(soap.Shell, "Signal", func(r *soap.Reader) error {
		id, _ := r.Attr(soap.None, "CommandId")
		c.CommandID = string(id)
		return children(r, func() error {
			if string(r.Local()) == "Code" {
				return trimmed(r, &c.Code)
			}
			return r.Skip()
		}, nil)
	})
	return c, err
}

// Namespaces lists what the body needs on the envelope.
func (c *Signal) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:Signal.
func (c *Signal) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, "Signal")
	if c.CommandID != "" {
		w.Attr(soap.None, "CommandId", c.CommandID)
	}
	w.Element(soap.Shell, "Code", c.Code)
	w.End()
	return nil
}
