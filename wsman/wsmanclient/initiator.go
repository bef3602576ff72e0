package wsmanclient

import (
	"fmt"
	"os"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// initiator makes the client's side of one exchange.
func (c *Client) initiator(scheme string, bindings *auth.ChannelBindings) (auth.Initiator, error) {
	switch scheme {
	case httpauth.Negotiate:
		return c.negotiation("HTTP", bindings), nil
	case httpauth.CredSSP:
		return c.credSSP(), nil
	}
	return nil, fmt.Errorf("scheme %s: %w", scheme, auth.ErrUnsupported)
}

// negotiation is SPNEGO for a service of the host.
func (c *Client) negotiation(class string, bindings *auth.ChannelBindings) auth.Initiator {
	mech := spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c.opts.Credentials,
			TargetName: class + "/" + c.url.Hostname(), Workstation: workstation(), ChannelBindings: bindings})
	}}
	return spnego.NewInitiator(mech)
}

// workstation is the name that the client gives for its machine.
func workstation() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	return strings.ToUpper(name[:min(len(name), 15)])
}
