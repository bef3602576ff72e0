//go:build !nonats

package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console"
	"github.com/casementhq/casement/internal/peercred"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// consolePeople says who signs in to the console: the service is asked over WinRM
// with the password that was typed, and the accounts of the state folder give the
// groups.
type consolePeople struct{ state *service.State }

// signIn proves a password by a WinRM request that is authenticated and changes
// nothing. Who may do nothing else over WinRM can sign in too: the role is a matter
// of groups.
func (p consolePeople) signIn(ctx context.Context, user, password string) (console.Account, error) {
	plain, secure, fingerprint := p.state.URLs()
	o := wsmanclient.Options{Scheme: wsmanclient.Negotiate, Credentials: auth.Credentials{Username: user, Password: password}, Lenient: true, UserAgent: "Casement console"}
	endpoint := plain
	if secure != "" && fingerprint != "" {
		endpoint, o.TLS.SHA256 = secure, fingerprint
	}
	if endpoint == "" {
		return console.Account{}, errors.New("the service has no WinRM listener; 'casement winrm quickconfig' makes one")
	}
	if endpoint == plain {
		o.DialContext = p.dialService // no certificate proves who is there
	}
	c, err := wsmanclient.New(endpoint, o)
	if err != nil {
		return console.Account{}, err
	}
	defer c.Close() //nolint:errcheck // it was used once
	if _, err := c.Identify(ctx, wsmanclient.IdentifyOptions{}); err != nil {
		var known *cim.Error
		if errors.Is(err, auth.ErrLogonFailure) || errors.As(err, &known) && known.Status == cim.ErrAccessDenied {
			return console.Account{}, fmt.Errorf("%w: %w", console.ErrWrongPassword, err)
		}
		return console.Account{}, err
	}
	return p.account(user)
}

// dialService connects to the service, and to nobody else: while the service is away any
// user of this machine may listen in its place, and would be given the sign-in, or say
// that a password of its own making is right.
func (p consolePeople) dialService(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	uid, err := peercred.TCPUID(c)
	if err == nil && !p.isService(uid) {
		err = fmt.Errorf("at %s listens a process of the user with the number %d, and not the service", address, uid)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		c.Close() //nolint:errcheck // nothing was sent
		return nil, err
	}
	return c, nil
}

// isService tells whether a user may be that of the service: root, this one, or the
// owner of the state folder.
func (p consolePeople) isService(uid uint32) bool {
	if uid == 0 || int(uid) == os.Geteuid() {
		return true
	}
	owner, ok := peercred.Owner(p.state.Dir)
	return ok && owner == uid
}

// account is an account with its groups as they are now. Of an account of a domain
// they are those local groups of which it is a member by its own SID or name: what
// groups the domain gives it is known only while it signs in to the service itself.
func (p consolePeople) account(user string) (console.Account, error) {
	store := p.state.Accounts
	var t security.Token
	var err error
	if store.IsForeignName(user) {
		domain, name := accounts.SplitName(user)
		f := accounts.Foreign{UserName: name, Domain: domain, Realm: domain}
		if sid, found := store.DomainSID(user); found {
			f.User = sid
		}
		t, err = store.ForeignToken(f, security.LogonNetwork)
	} else {
		t, err = store.Token(user, accounts.TokenOptions{LocalAccountTokenFilterPolicy: true})
	}
	if err != nil {
		return console.Account{}, err
	}
	a := console.Account{User: t.Domain + `\` + t.UserName, SID: t.User.String()}
	for _, g := range t.Groups {
		if !g.DenyOnly {
			a.Groups = append(a.Groups, console.Group{SID: g.SID.String(), Name: store.AccountName(g.SID)})
		}
	}
	return a, nil
}

func (p consolePeople) current(_ context.Context, user string) (console.Account, error) {
	return p.account(user)
}
