package pool

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// link is the kept way to one server: at most one connection for each transport.
type link struct {
	g      *gatherer
	server Server
	as     signIn

	// Of g.mu: who uses it, when it was last used, and whether it goes when nobody
	// uses it any more.
	holds   int
	used    time.Time
	retired bool

	turn  sync.Mutex // one refresh at a time
	mu    sync.Mutex
	winrm *casement.Connection // nil until it is needed
	dcom  *casement.Connection
	// asked is what the doctor was last asked about and what he said: while the same
	// goes wrong he is not asked again.
	asked, said verdict
}

// hold finds the kept way to a server, or makes a new one where its entry or the
// account are not those of the kept one: what goes on over that one goes on. The
// caller releases it.
func (g *gatherer) hold(s Server, as signIn) *link {
	key := cim.Fold(s.Name)
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.links[key]
	if l == nil || !l.is(s, as) {
		g.retire(key)
		l = &link{g: g, server: s, as: as, retired: g.closed}
		if !g.closed {
			g.links[key] = l
		}
	}
	l.holds++
	return l
}

// release is the other end of hold.
func (l *link) release() {
	l.g.mu.Lock()
	l.holds--
	l.used = l.g.o.Now()
	gone := l.retired && l.holds == 0
	l.g.mu.Unlock()
	if gone {
		l.close()
	}
}

// retire takes a link out of the kept ones; who releases it last closes it. The
// caller has g.mu.
func (g *gatherer) retire(key string) {
	l := g.links[key]
	if l == nil {
		return
	}
	delete(g.links, key)
	if l.retired = true; l.holds == 0 {
		g.closing.Go(l.close) // it may wait for the network
	}
}

// is tells whether a link leads to a server as its entry is now.
func (l *link) is(s Server, as signIn) bool {
	o := l.server
	return o.Address == s.Address && o.Endpoint == s.Endpoint && o.Transport == s.Transport && o.ResolverPort == s.ResolverPort &&
		o.Thumbprint == s.Thumbprint && o.NoCounters == s.NoCounters && l.as.Scheme == as.Scheme && sameCredentials(l.as.Credentials, as.Credentials)
}

func sameCredentials(a, b auth.Credentials) bool {
	return a.Username == b.Username && a.Password == b.Password && string(a.NTHash) == string(b.NTHash)
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range []*casement.Connection{l.winrm, l.dcom} {
		if c != nil {
			c.Close() //nolint:errcheck // nobody needs it any more
		}
	}
	l.winrm, l.dcom = nil, nil
}

// endpoint is the URL of WinRM.
func (l *link) endpoint() string {
	if l.server.Endpoint != "" {
		return l.server.Endpoint
	}
	return "http://" + net.JoinHostPort(l.server.Name, "5985") + "/wsman"
}

// options are those of a connection. Address is dialled where the name would be.
func (l *link) options() casement.Options {
	o := l.g.o
	return casement.Options{User: l.as.Credentials.Username, Password: l.as.Credentials.Password, NTHash: l.as.Credentials.NTHash,
		Scheme: l.as.Scheme, TLS: wsmanclient.TLSOptions{SHA256: l.server.Thumbprint}, OperationTimeout: answerLimit,
		Settings: o.Settings, NTLM: o.NTLM, Tickets: o.Tickets, HostsFile: "-", DialContext: l.dial, Untyped: true, Logger: o.Log}
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && l.server.Address != "" && strings.EqualFold(host, l.server.Name) {
		address = net.JoinHostPort(l.server.Address, port)
	}
	if l.g.o.DialContext != nil {
		return l.g.o.DialContext(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// overWinRM is the connection over WinRM, which is made at its first use.
func (l *link) overWinRM(ctx context.Context) (*casement.Connection, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.winrm == nil {
		c, err := casement.Dial(ctx, l.endpoint(), l.options())
		if err != nil {
			return nil, err
		}
		l.winrm = c
	}
	return l.winrm, nil
}

// overDCOM is the same over DCOM.
func (l *link) overDCOM(ctx context.Context) (*casement.Connection, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dcom == nil {
		o := l.options()
		o.Scheme = ""
		c, err := casement.Dial(ctx, l.moniker(), o)
		if err != nil {
			return nil, err
		}
		l.dcom = c
	}
	return l.dcom, nil
}

// moniker names the server to DCOM.
func (l *link) moniker() string {
	target := l.server.Name
	if a, err := netip.ParseAddr(target); err == nil && a.Is6() {
		target = "[" + target + "]"
	}
	if p := l.server.ResolverPort; p != 0 {
		target += ":" + strconv.Itoa(int(p))
	}
	return "dcom://" + target
}

// connection is the one of a transport that answered.
func (l *link) connection(ctx context.Context, t Transport) (*casement.Connection, error) {
	if t == DCOM {
		return l.overDCOM(ctx)
	}
	return l.overWinRM(ctx)
}

// target is the server for the doctor.
func (l *link) target(transports ...string) doctor.Target {
	return doctor.Target{Name: l.server.Name, Address: l.server.Address, Endpoint: l.server.Endpoint, ResolverPort: l.server.ResolverPort,
		Thumbprint: l.server.Thumbprint, Transports: transports, Scheme: l.as.Scheme}
}
