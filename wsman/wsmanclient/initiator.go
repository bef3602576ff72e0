package wsmanclient

import (
	"context"
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
		if c.opts.NTLM != nil && !c.opts.NTLM().SendsTo(c.url.Hostname()) {
			return noNTLM{c}
		}
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c.opts.Credentials,
			TargetName: class + "/" + c.url.Hostname(), Workstation: workstation(), ChannelBindings: bindings})
	}}
	return spnego.NewInitiator(mech)
}

// noNTLM is NTLM where this machine's settings forbid it: it fails at once.
type noNTLM struct{ c *Client }

func (n noNTLM) Step(context.Context, []byte) ([]byte, bool, error) {
	return nil, false, n.c.fault(codeNTLMBlocked, "this machine must not use NTLM with "+n.c.url.Hostname()+
		": its setting RestrictSendingNTLMTraffic is 2 and ClientAllowedNTLMServers does not name the host; use another scheme", auth.ErrNTLMBlocked)
}

func (noNTLM) Context() auth.Context { return nil }

// workstation is the name that the client gives for its machine.
func workstation() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	return strings.ToUpper(name[:min(len(name), 15)])
}
