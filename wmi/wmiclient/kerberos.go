package wmiclient

import (
	"context"
	"errors"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
)

// ticket is Kerberos in the three legs of RPC, for the service spn of the host, or for the principal of an authority. See spec/wmi.md 1.6.
func (o *Options) ticket(c auth.Credentials, spn string) (auth.Initiator, error) {
	client, err := o.Tickets.Client(c)
	if err != nil {
		return nil, err
	}
	io := krb5.InitiatorOptions{Client: client, SPN: spn, DCE: true, Delegate: o.delegates()}
	if p := o.Authority.Kerberos; p != "" {
		io.SPN = servicePrincipal(p)
	}
	return &host{Initiator: krb5.NewInitiator(io), options: io}, nil
}

// servicePrincipal is the name of the host's service that the principal of an authority stands for: a service principal name as it is; of
// domain\computer and of a computer's name or account that of the computer.
func servicePrincipal(p string) string {
	if strings.Contains(p, "/") {
		return p
	}
	if _, name, ok := strings.Cut(p, `\`); ok {
		p = name
	}
	return "host/" + strings.TrimSuffix(p, "$")
}

// host is an exchange with the host's RPCSS, or with the host itself where the domain has no name for that service: only Windows' domains
// take every service of a computer for the computer.
type host struct {
	*krb5.Initiator
	options krb5.InitiatorOptions
	begun   bool
}

func (h *host) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	out, done, err = h.Initiator.Step(ctx, in)
	var refused *krb5.Error
	class, name, _ := strings.Cut(h.options.SPN, "/")
	if !h.begun && errors.As(err, &refused) && refused.Code == krb5.TargetUnknown && !strings.EqualFold(class, "host") && h.options.SPN != "" {
		h.options.SPN = "host/" + name
		h.Initiator = krb5.NewInitiator(h.options)
		out, done, err = h.Initiator.Step(ctx, in)
	}
	h.begun = true
	return out, done, err
}

// noTicket is a mechanism that cannot begin.
type noTicket struct{ err error }

func (f noTicket) Step(context.Context, []byte) ([]byte, bool, error) { return nil, false, f.err }

func (noTicket) Context() auth.Context { return nil }
