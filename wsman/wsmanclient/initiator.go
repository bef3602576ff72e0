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
	if scheme != httpauth.Negotiate {
		return nil, fmt.Errorf("scheme %s: %w", scheme, auth.ErrUnsupported)
	}
	mech := spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c.opts.Credentials,
			TargetName: "HTTP/" + c.url.Hostname(), Workstation: workstation(), ChannelBindings: bindings})
	}}
	return spnego.NewInitiator(mech), nil
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
