package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/user"
	"strconv"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/shell"
	"github.com/casementhq/casement/wsman/wsmanserver"
)

// people turns proofs into identities, identities into tokens, and tokens into
// Unix users.
type people struct {
	store      *accounts.Store
	state      *State
	winbind    *winbind
	selfSigned credSSPCertificate
	replays    *krb5.Replays    // of the process
	now        func() time.Time // nil: the clock of this machine
}

// negotiate is the service's side of Negotiate over HTTP.
func (p *people) negotiate(peer wsmanserver.Peer) auth.Acceptor {
	o := ntlm.AcceptorOptions{ChannelBindings: peer.Bindings, Hardening: p.hardening(), Services: []string{"HTTP", "WSMAN", "HOST"}}
	return p.spnego(peer.Remote, o, false)
}

// spnego negotiates a mechanism: Kerberos, or NTLM against the local accounts.
func (p *people) spnego(remote net.Addr, o ntlm.AcceptorOptions, rpc bool) auth.Acceptor {
	g := &guarded{people: p, from: addrOf(remote)}
	local := spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: func() auth.Acceptor { return g.ntlm(o) }}
	g.Acceptor = spnego.NewAcceptor(append(p.kerberosMechanism(o, rpc), local)...)
	return g
}

// ntlm is NTLM alone.
func (p *people) ntlm(remote net.Addr, o ntlm.AcceptorOptions) auth.Acceptor {
	g := &guarded{people: p, from: addrOf(remote)}
	g.Acceptor = g.ntlm(o)
	return g
}

// ntlm is NTLM against the local accounts.
func (g *guarded) ntlm(o ntlm.AcceptorOptions) auth.Acceptor {
	allowed := g.people.state.Snapshot().NTLM
	if !allowed.Accepts(false) {
		return noNTLM{}
	}
	machine, err := g.people.store.Machine()
	if err != nil {
		machine = machineName()
	}
	o.Secrets, o.NetBIOSName, o.DNSName = g.secret, machine, hostName()
	joined := g.people.winbind.domain()
	if joined.machine != "" { // the domain's controller compares what the client saw with the account that asks it
		o.NetBIOSName = joined.machine
	}
	o.PassThrough, o.NetBIOSDomain = g.elsewhere, joined.netBIOS
	if !allowed.Accepts(true) {
		o.PassThrough = nil
	}
	return ntlm.NewAcceptor(o)
}

// guarded counts what comes of a proof, so that guessing is slowed down.
type guarded struct {
	auth.Acceptor
	people *people
	from   netip.Addr
	name   string // whose proof is under way
	barred error  // why that proof is not looked at
	judged func() // ends the judgement of that proof
}

// secret gives the mechanism what it verifies a proof with.
func (g *guarded) secret(_ context.Context, domain, name string) ([16]byte, error) {
	g.judged = g.people.store.Judge()
	g.name = name
	if domain != "" {
		g.name = domain + `\` + name
	}
	if g.barred = g.people.store.Allow(g.name, g.from); g.barred != nil {
		hash, _ := g.people.store.NTHash(domain, name)
		return hash, fmt.Errorf("%w: %w", auth.ErrLogonFailure, g.barred)
	}
	hash, err := g.people.store.NTHash(domain, name)
	if err != nil {
		err = fmt.Errorf("%w: %w", auth.ErrLogonFailure, err)
	}
	return hash, err
}

func (g *guarded) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	defer func() {
		if g.judged != nil {
			g.judged()
			g.judged = nil
		}
	}()
	out, done, err = g.Acceptor.Step(ctx, in)
	if g.name != "" {
		switch {
		case g.barred != nil && err != nil:
			// It was not looked at, so it is no failure: else who tries again and
			// again would never get in, with the right password either.
			err = fmt.Errorf("%w: %w", err, g.barred)
		case err != nil:
			g.people.store.Failed(g.name, g.from)
		case done:
			g.people.store.Succeeded(g.name, g.from)
		}
	}
	return out, done, err
}

func addrOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// checkBasic verifies a password of a local account.
func (p *people) checkBasic(_ context.Context, name, password string, remote net.Addr) (auth.Identity, error) {
	u, err := p.store.VerifyPassword(name, password, addrOf(remote))
	if err != nil {
		return auth.Identity{}, fmt.Errorf("%w: %w", auth.ErrLogonFailure, err)
	}
	machine, err := p.store.Machine()
	return auth.Identity{User: u.Name, Domain: machine, Mechanism: auth.Basic}, err
}

// token is gate 4: the token of a proven identity, filtered as User Account
// Control demands.
func (p *people) token(_ context.Context, id auth.Identity) (*security.Token, error) {
	if id.Anonymous {
		return nil, errors.New("an anonymous caller has no token")
	}
	if id.Account != nil {
		return p.domainToken(id.Account)
	}
	t, err := p.store.Token(accountName(id), accounts.TokenOptions{
		LocalAccountTokenFilterPolicy: !p.state.Snapshot().FilterTokens,
	})
	return &t, err
}

// current is a caller who signed in a while ago as he is now.
func (p *people) current(c cim.Caller) (cim.Caller, error) {
	if c.Token == nil {
		return c, nil
	}
	t, err := p.store.Refresh(c.Token)
	if err != nil {
		return cim.Caller{}, &cim.Error{Status: cim.ErrAccessDenied, Detail: "the account or its groups are not what they were when the caller signed in", Err: err}
	}
	c.Token = &t
	return c, nil
}

func accountName(id auth.Identity) string {
	if id.Domain == "" {
		return id.User
	}
	return id.Domain + `\` + id.User
}

// localToken is the token of a local caller: the service's own user and root
// are the Administrator, elevated; an account that is mapped to the Unix user
// is that account, not elevated; everybody else is a plain user.
func (p *people) localToken(uid uint32) (*security.Token, error) {
	if uid == 0 || uid == ownUID() {
		users, err := p.store.Users()
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			if u.RID == administrator {
				t, err := p.store.Token(u.Name, accounts.TokenOptions{
					LogonType: security.LogonInteractive, LocalAccountTokenFilterPolicy: true, Elevated: true,
				})
				return &t, err
			}
		}
		return nil, errors.New("the state has no built-in Administrator")
	}
	if u, ok := p.mapped(uid); ok {
		t, err := p.store.Token(u.Name, accounts.TokenOptions{LogonType: security.LogonInteractive})
		if err == nil {
			t = security.Filter(t)
		}
		return &t, err
	}
	t, err := p.store.UnixToken(uid, unixName(uid), security.LogonInteractive)
	return &t, err
}

// unixName is the name of a user of the system, or else its number.
func unixName(uid uint32) string {
	name := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return name
}

// mapped is the account that is mapped to a Unix user.
func (p *people) mapped(uid uint32) (accounts.User, bool) {
	unix, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return accounts.User{}, false
	}
	users, err := p.store.Users()
	if err != nil {
		return accounts.User{}, false
	}
	for _, u := range users {
		if u.UnixUser == unix.Username {
			return u, true
		}
	}
	return accounts.User{}, false
}

// accountOf is what Win32 classes show for a Unix user.
func (p *people) accountOf(uid uint32) (sid security.SID, domain, name string, ok bool) {
	u, ok := p.mapped(uid)
	if !ok {
		return sid, "", "", false
	}
	machine, err := p.store.Machine()
	return u.SID, machine, u.Name, err == nil
}

// unixIdentity is the Unix user as whom a caller's commands run: the one that
// its account is mapped to; that of an administrator without one is the
// service's own. An account that is mapped to
// root runs as root only where that was permitted.
func (p *people) unixIdentity(c cim.Caller) (shell.Identity, error) {
	if c.Token == nil {
		return shell.Identity{}, errors.New("nobody has no Unix user")
	}
	if p.store.OfDomain(c.Token) {
		return p.domainIdentity(c.Token)
	}
	users, err := p.store.Users()
	if err != nil {
		return shell.Identity{}, err
	}
	for _, u := range users {
		if u.SID != c.Token.User {
			continue
		}
		if u.UnixUser == "" {
			return p.own(u.Name, c.Token)
		}
		id, err := shell.LookupIdentity(u.UnixUser)
		if err != nil {
			return id, fmt.Errorf("the account %s is mapped to %s: %w", u.Name, u.UnixUser, err)
		}
		if id.UID == 0 && !u.AllowRoot {
			return id, fmt.Errorf("the account %s is mapped to root without permission to be", u.Name)
		}
		return id, nil
	}
	return shell.Identity{}, fmt.Errorf("the account %s is not one of this machine's", c.Token.UserName)
}

// own is the service's own user, whose files are the accounts and all of the
// state: it is for members of Administrators who may change those anyway. One
// whom User Account Control filters may not: his commands would be elevated by
// it. A service that runs as root lends it to nobody.
func (p *people) own(account string, t *security.Token) (shell.Identity, error) {
	if !t.Has(security.SIDAdministrators) {
		return shell.Identity{}, fmt.Errorf("the account %s is mapped to no Unix user: 'casement user map %s --unix USER' gives it one", account, account)
	}
	id, err := shell.Current()
	if err == nil && id.UID == 0 {
		return id, fmt.Errorf("the account %s is mapped to no Unix user and the service runs as root", account)
	}
	return id, err
}
