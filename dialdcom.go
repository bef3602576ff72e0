package casement

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/dial"
	"github.com/casementhq/casement/internal/hosts"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// ErrDCOMDisabled is returned for a target over DCOM where this machine has none:
// RPC_E_REMOTE_DISABLED.
var ErrDCOMDisabled = errors.New("casement: DCOM is switched off on this machine (0x8001011C): EnableDCOM is not Y")

// DCOMOptions configure connections over DCOM. The zero value seals every call.
type DCOMOptions struct {
	// Disabled says that EnableDCOM of this machine is N, which refuses DCOM to
	// other machines as well as from them.
	Disabled bool
	// AuthenticationLevel is how calls are protected; the default is pktPrivacy.
	AuthenticationLevel wmi.AuthenticationLevel
	// ImpersonationLevel is what the host may do as the user; the default is that
	// of Scripting.
	ImpersonationLevel wmi.ImpersonationLevel
	// Authority is NTLMDomain:domain or Kerberos:principal; the default negotiates.
	Authority string
	// Locales are the preferred languages of texts, MS_409 or en-US.
	Locales []string
	// Scripting gives the defaults for what a target leaves out; nil means those
	// that are documented.
	Scripting func() settings.Scripting
	// Sinks are where the host calls back in asynchronous operations; the default
	// is nowhere. Connections may share one.
	Sinks *wmiclient.Sinks
	// Trace observes the layers; nil does not.
	Trace *wmiclient.Trace
}

// dcom is the way over DCOM.
type dcom struct{ client *wmiclient.Client }

func (d dcom) session(ctx context.Context, namespace string) (cim.Session, error) {
	return d.client.Open(ctx, cim.Caller{}, namespace, cim.OpenOptions{})
}

func (d dcom) close() error { return d.client.Close() }

// dialDCOM makes the client for a host, where port is that of the resolver, 0 for
// 135. A host that the hosts file knows by this name is reached there, as the
// account that it names.
func dialDCOM(name, host string, port uint16, o Options) (*Connection, error) {
	entries, err := loadHosts(o.HostsFile)
	if err != nil {
		return nil, err
	}
	if e, ok := hosts.Find(entries, host); ok {
		o.takeAccount(e)
		if host, port, err = dcomHost(e, port); err != nil {
			return nil, err
		}
	}
	return newDCOM(name, host, port, o)
}

// takeAccount takes the account of an entry of the hosts file where none was
// given.
func (o *Options) takeAccount(e hosts.Entry) {
	if o.User == "" && o.Password == "" && o.NTHash == nil {
		o.User, o.Password = e.User, e.Password
	}
}

// dcomHost is the host of an entry, whatever the transport of its URL, and the
// port of the resolver where the URL is dcom:// and none was given.
func dcomHost(e hosts.Entry, port uint16) (string, uint16, error) {
	scheme, rest, named := strings.Cut(e.URL, "://")
	switch {
	case e.URL == "":
		return e.Name, port, nil
	case !named:
		return e.URL, port, nil
	case strings.EqualFold(scheme, "dcom"):
		host, own, err := splitDCOM(rest)
		if port == 0 {
			port = own
		}
		return host, port, err
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		return "", 0, fmt.Errorf("casement: the URL of %s in the hosts file: %w", e.Name, err)
	}
	return u.Hostname(), port, nil
}

// splitDCOM reads what stands behind dcom://.
func splitDCOM(target string) (host string, port uint16, err error) {
	host = strings.TrimSuffix(target, "/")
	if h, p, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", 0, &TargetError{"dcom://" + target, fmt.Sprintf("the port %q is not a number of 1 to 65535", p)}
		}
		host, port = h, uint16(n)
	}
	host = strings.Trim(host, "[]")
	if host == "" || strings.ContainsAny(host, `/\@?#`) {
		return "", 0, &TargetError{"dcom://" + target, "want dcom://host or dcom://host:port"}
	}
	return host, port, nil
}

// newDCOM makes the client.
func newDCOM(name, host string, port uint16, o Options) (*Connection, error) {
	if o.DCOM.Disabled {
		return nil, ErrDCOMDisabled
	}
	authority, err := wmi.ParseAuthority(o.DCOM.Authority)
	if err != nil {
		return nil, err
	}
	if o.Scheme != "" && !strings.EqualFold(string(o.Scheme), "Negotiate") {
		return nil, fmt.Errorf("casement: %s: DCOM has no authentication scheme %s", name, o.Scheme)
	}
	if o.Unencrypted {
		return nil, errors.New("casement: unencrypted messages belong to WinRM; for DCOM there are authentication levels")
	}
	if o.Proxy == dial.Environment {
		return nil, errors.New("casement: the environment names proxies for URLs of http and https, not for DCOM; name one, such as socks5://proxy:1080")
	}
	through, err := dial.Through(o.Proxy, nil, o.DialContext)
	if err != nil {
		return nil, fmt.Errorf("casement: %w", err)
	}
	c, err := wmiclient.New(host, wmiclient.Options{
		Credentials: auth.Credentials{Username: o.User, Password: o.Password, NTHash: o.NTHash}, Authority: authority,
		Authentication: o.DCOM.AuthenticationLevel, Impersonation: o.DCOM.ImpersonationLevel, Locales: o.DCOM.Locales,
		Timeout: o.OperationTimeout, Defaults: o.DCOM.Scripting, Port: port, Sinks: o.DCOM.Sinks, NTLM: o.NTLM, Tickets: o.Tickets, DialContext: through, Trace: o.DCOM.Trace, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	return &Connection{name: name, way: dcom{c}}, nil
}

// isMoniker tells whether a target is a moniker.
func isMoniker(target string) bool {
	return len(target) >= len(monikerPrefix) && strings.EqualFold(target[:len(monikerPrefix)], monikerPrefix)
}

const monikerPrefix = "winmgmts:"

// dialMoniker reaches the machine that a moniker names, with what it says of
// security; it goes before the same in the options. Privileges are not set:
// another machine enables all that the account has.
func dialMoniker(target string, o Options) (*Connection, error) {
	m, err := wmi.ParseMoniker(target)
	if err != nil {
		return nil, err
	}
	if m.Impersonation != wmi.ImpersonationDefault {
		o.DCOM.ImpersonationLevel = m.Impersonation
	}
	if m.Authentication != wmi.AuthenticationDefault {
		o.DCOM.AuthenticationLevel = m.Authentication
	}
	if a := m.Authority.String(); a != "" {
		o.DCOM.Authority = a
	}
	if m.Locale != "" {
		o.DCOM.Locales = []string{m.Locale}
	}
	var c *Connection
	if m.Server == "" || m.Server == "." {
		if o.DCOM.Authority != "" {
			return nil, &cim.Error{Status: cim.ErrLocalCredentials, Operation: "connect", Path: target, Detail: "an authority belongs to a connection to another machine"}
		}
		c, err = dialLocal(o)
	} else {
		c, err = dialDCOM(target, m.Server, 0, o)
	}
	if err != nil {
		return nil, err
	}
	if c.namespace = m.Path.Namespace; c.namespace == "" && o.DCOM.Scripting != nil {
		c.namespace = o.DCOM.Scripting().Namespace
	}
	c.name = target
	return c, nil
}
