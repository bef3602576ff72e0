package wsmanclient

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// initiator makes the client's side of one exchange. mutual leaves out what does
// not prove the service.
func (c *Client) initiator(scheme string, bindings *auth.ChannelBindings, mutual bool) (auth.Initiator, error) {
	switch scheme {
	case httpauth.Negotiate:
		return c.negotiation(cmpOr(c.opts.SPN, "HTTP"), bindings, mutual), nil
	case httpauth.Kerberos:
		return c.ticket(cmpOr(c.opts.SPN, "HTTP"), bindings)
	case httpauth.CredSSP:
		return c.credSSP(), nil
	}
	return nil, fmt.Errorf("scheme %s: %w", scheme, auth.ErrUnsupported)
}

// negotiation is SPNEGO for a service of the host: Kerberos for an account of a
// domain, and NTLM, which is all that others have.
func (c *Client) negotiation(class string, bindings *auth.ChannelBindings, mutual bool) auth.Initiator {
	var mechs []spnego.InitiatorMechanism
	if c.opts.Tickets.Domain(c.opts.Credentials, c.url.Hostname()) {
		mechs = append(mechs, spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: func() auth.Initiator {
			i, err := c.ticket(class, bindings)
			if err != nil {
				return failed{err}
			}
			return i
		}})
	}
	if mutual {
		return &mutually{spnego.NewInitiator(mechs...), c}
	}
	if c.opts.Credentials.IsZero() {
		return spnego.NewInitiator(mechs...)
	}
	mech := spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
		if c.opts.NTLM != nil && !c.opts.NTLM().SendsTo(c.url.Hostname()) {
			return noNTLM{c}
		}
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c.opts.Credentials,
			TargetName: class + "/" + c.url.Hostname(), Workstation: workstation(), ChannelBindings: bindings})
	}}
	return spnego.NewInitiator(append(mechs, mech)...)
}

// ticket is Kerberos for a service of the host.
func (c *Client) ticket(class string, bindings *auth.ChannelBindings) (auth.Initiator, error) {
	client, err := c.opts.Tickets.Client(c.opts.Credentials)
	if err != nil {
		return nil, err
	}
	spn := class + "/" + c.url.Hostname()
	if c.opts.SPNPort {
		spn = class + "/" + c.url.Host
	}
	return krb5.NewInitiator(krb5.InitiatorOptions{Client: client, SPN: spn, Bindings: bindings, Delegate: c.opts.Delegate}), nil
}

// failed is a mechanism that cannot begin.
type failed struct{ err error }

func (f failed) Step(context.Context, []byte) ([]byte, bool, error) { return nil, false, f.err }

func (failed) Context() auth.Context { return nil }

// mutually is a negotiation that ends where it would begin without a ticket.
type mutually struct {
	*spnego.Initiator
	c *Client
}

func (m *mutually) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if out, done, err = m.Initiator.Step(ctx, in); err != nil && in == nil {
		err = m.c.untrusted(m.c.url.Hostname(), err)
	}
	return out, done, err
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
