package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// An account of a domain gets a ticket for the host's name, and the host takes
// it. See spec/winrm.md 5.1.
func init() {
	register(check{id: wayKerberos, layer: LayerAuth, title: "Kerberos signs in", transport: "winrm", needs: []string{"auth.offer", "auth.client"}, run: authKerberos})
}

// ticketEnd is what came of asking for a ticket.
type ticketEnd struct {
	spn, realm string
	err        *krb5.Error // nil where there is one
}

func authKerberos(ctx context.Context, x *examination) found {
	if x.way() != wayKerberos {
		return found{outcome: Info, detail: "not used: " + x.whyNotKerberos()}
	}
	t, err := x.askTicket(ctx)
	x.winrm.ticket = t
	if err != nil && t.err == nil {
		return failed(err)
	}
	if t.err != nil && (t.err.Code == krb5.LogonDenied || x.target.Scheme == wsmanclient.Kerberos || x.options.Credentials.IsZero()) {
		// Nothing else could follow, and a wrong password is not tried twice.
		return failed(t.err)
	}
	s := x.signInWinRM(ctx)
	switch {
	case s.err != nil && t.err != nil:
		f := failed(t.err)
		f.seen = []string{"after that, by NTLM: " + s.err.Error()}
		return f
	case s.err != nil:
		return failed(s.err)
	case t.err != nil:
		f := failed(t.err)
		f.outcome = Warn
		f.detail += "; signed in by " + s.mechanism() + " instead"
		return f
	case s.mechanism() != "Kerberos":
		return found{outcome: Warn, detail: "there is a ticket for " + t.spn + ", and the host took " + s.mechanism() + " instead"}
	}
	return found{detail: t.spn, seen: []string{fmt.Sprintf("realm %s, %s", t.realm, s.took)}}
}

func (x *examination) whyNotKerberos() string {
	u, err := x.target.endpoint()
	switch {
	case err != nil:
		return err.Error()
	case x.target.Scheme != wsmanclient.Automatic && x.target.Scheme != wsmanclient.Negotiate:
		return string(x.target.Scheme) + " was asked for"
	case hasNoName(u.Hostname()):
		return "an address has no service principal name"
	}
	return "the account is not one of a domain that this machine knows"
}

// spn is the service principal name that is asked for.
func (x *examination) spn() (string, error) {
	u, err := x.target.endpoint()
	if err != nil {
		return "", err
	}
	class := x.options.SPN
	if class == "" {
		class = "HTTP"
	}
	if x.options.SPNPort {
		return class + "/" + u.Host, nil
	}
	return class + "/" + u.Hostname(), nil
}

// askTicket asks the domain alone; the host learns nothing of it.
func (x *examination) askTicket(ctx context.Context) (*ticketEnd, error) {
	t := &ticketEnd{}
	var err error
	if t.spn, err = x.spn(); err != nil {
		return t, err
	}
	client, err := x.options.Tickets.Client(x.options.Credentials)
	if err == nil {
		t.realm = client.Realm()
		_, _, err = krb5.NewInitiator(krb5.InitiatorOptions{Client: client, SPN: t.spn}).Step(ctx, nil)
	}
	errors.As(err, &t.err)
	return t, err
}
