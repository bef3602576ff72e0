// Package casement manages Windows, and machines that run the Casement
// service, over their remote management protocols.
//
// Dial names a machine and gives a Connection, which opens sessions for CIM
// objects (cim.Session), shells, and copies files:
//
//	conn, err := casement.Dial(ctx, "winrm://server.example.com",
//		casement.Options{User: "Administrator", Password: password})
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	rows, err := conn.Query(ctx, `root\cimv2`, "SELECT Name, State FROM Win32_Service")
//	if err != nil {
//		return err
//	}
//	return cim.Each(ctx, rows, func(i *cim.Instance) error {
//		fmt.Println(i.Get("Name"), i.Get("State"))
//		return nil
//	})
package casement

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Options configure a Connection. The zero value reaches a host of the hosts
// file, or this machine.
type Options struct {
	// User is user, DOMAIN\user or user@realm, and goes before the one of the
	// hosts file, as every field does.
	User, Password string
	// NTHash is MD4 of the UTF-16LE password and stands in its place; nil is none.
	NTHash []byte
	// Certificate, with its chain and key, is for the scheme Certificate, over
	// https; User and Password stay empty then, those of the hosts file too.
	Certificate *tls.Certificate
	// Scheme is how to authenticate; the default is chosen by rule.
	Scheme wsmanclient.Scheme
	// TLS says what is checked of an https server's certificate; the default
	// checks all of it.
	TLS wsmanclient.TLSOptions
	// Proxy is the URL of an HTTP or SOCKS5 proxy, "env" for that of the
	// environment; the default is none.
	Proxy string
	// OperationTimeout is how long the host may work on one message; the
	// default is 60 s.
	OperationTimeout time.Duration
	// Settings gives the client's WinRM settings; nil means the documented
	// defaults.
	Settings func() *settings.Client
	// Tickets are where Kerberos comes from, over WinRM and DCOM; it may be shared.
	// nil takes passwords to the realm of the name, and without credentials the
	// default credential cache.
	Tickets *tickets.Source
	// Classes are the class definitions of many hosts, over WinRM; who talks to
	// many gives the same to all Dials. Default: each connection has its own.
	Classes *wsmanclient.Classes
	// SPN is the class of the service principal name over WinRM, HTTP by default;
	// SPNPort puts the port into the name.
	SPN     string
	SPNPort bool
	// Delegate hands a forwarded ticket over, over WinRM; over DCOM the
	// impersonation level says so.
	Delegate bool
	// NTLM says with which hosts NTLM may be used, and is asked at each sign-in; nil
	// means with all.
	NTLM func() settings.NTLM
	// Strict obeys TrustedHosts to the letter. The default permits sealed
	// NTLM to a host that the caller named.
	Strict bool
	// Unencrypted sends messages in the clear over http, where the settings
	// permit that.
	Unencrypted bool
	// Untyped asks for no class definitions over WinRM: values stay text there.
	Untyped bool
	// HostsFile is where names are looked up; the default is
	// hosts.DefaultPath's, "-" is nowhere.
	HostsFile string
	// StateDir is the state folder of this machine's service, whose local.sock
	// serves the target "."; the default is that of the user, or the machine's
	// for root.
	StateDir string
	// Opener serves sessions of the target "." in this process instead.
	Opener cim.Opener
	// Caller is whom Opener is told; the zero value is nobody.
	Caller cim.Caller
	// DialContext opens TCP connections; the default is a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// DCOM are the options of dcom:// and of monikers.
	DCOM DCOMOptions
	// Trace observes the layers of WinRM; nil does not.
	Trace *wsmanclient.Trace
	// Logger records retries at level Debug and what is unwise at level Warn; nil
	// is silent.
	Logger *slog.Logger
}

// Connection is the way to one machine. It is safe for concurrent use.
type Connection struct {
	name      string
	namespace string              // for ""
	client    *wsmanclient.Client // nil where it is not WinRM
	way       way
}

// way is a transport to one machine.
type way interface {
	session(ctx context.Context, namespace string) (cim.Session, error)
	close() error
}

// Target is the machine as it was named.
func (c *Connection) Target() string { return c.name }

// Client is the WinRM client below, nil where another transport or
// Options.Opener serves.
func (c *Connection) Client() *wsmanclient.Client { return c.client }

// Session opens a namespace; "" is that of the moniker, else root\cimv2. It
// fails with *cim.Error. Over DCOM it signs in; over WinRM it sends nothing, and
// what is wrong shows at the first operation.
func (c *Connection) Session(ctx context.Context, namespace string) (cim.Session, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	if namespace == "" {
		namespace = `root\cimv2`
	}
	return c.way.session(ctx, namespace)
}

// winrm is the way over WinRM.
type winrm struct{ *wsmanclient.Client }

func (w winrm) session(_ context.Context, namespace string) (cim.Session, error) {
	return w.Session(namespace), nil
}

func (w winrm) close() error { return w.Close() }

// within is the way to an Opener of this process.
type within struct {
	opener cim.Opener
	caller cim.Caller
}

func (w within) session(ctx context.Context, namespace string) (cim.Session, error) {
	return w.opener.Open(ctx, w.caller, namespace, cim.OpenOptions{})
}

func (within) close() error { return nil }

// Query runs a WQL query in a namespace, root\cimv2 for "". The rows end their
// session with their Close.
func (c *Connection) Query(ctx context.Context, namespace, query string) (cim.Enumerator, error) {
	s, err := c.Session(ctx, namespace)
	if err != nil {
		return nil, err
	}
	rows, err := s.Query(ctx, query, cim.QueryOptions{})
	if err != nil {
		s.Close() //nolint:errcheck // the first error tells more
		return nil, err
	}
	return &sessionRows{rows, s}, nil
}

// sessionRows closes the session that was opened for them.
type sessionRows struct {
	cim.Enumerator
	session cim.Session
}

// Close ends the rows and their session.
func (r *sessionRows) Close() error {
	err := r.Enumerator.Close()
	if e := r.session.Close(); err == nil {
		err = e
	}
	return err
}

// onlyWinRM is the error of what DCOM knows nothing of, nil for other ways.
func (c *Connection) onlyWinRM(operation string) error {
	d, isDCOM := c.way.(dcom)
	if !isDCOM {
		return nil
	}
	_, host, named := strings.Cut(c.name, "://")
	if !named {
		host = d.client.Host()
	}
	return &cim.Error{Status: cim.ErrNotSupported, Operation: operation, Detail: "this belongs to WinRM, not to WMI over DCOM: name the host as winrm://" + host}
}

// Identify asks what the service is, without authentication where
// unauthenticated is set.
func (c *Connection) Identify(ctx context.Context, unauthenticated bool) (*wsman.IdentifyResponse, error) {
	if err := c.onlyWinRM("Identify"); err != nil {
		return nil, err
	}
	if c.client == nil {
		return nil, wsman.NewFault(wsman.CodeNoLocalIdentify, "")
	}
	return c.client.Identify(ctx, wsmanclient.IdentifyOptions{Unauthenticated: unauthenticated})
}

// Shell opens a shell on the machine. Close it when it is no longer needed.
func (c *Connection) Shell(ctx context.Context, o wsmanclient.ShellOptions) (*wsmanclient.Shell, error) {
	if err := c.onlyWinRM("Shell"); err != nil {
		return nil, err
	}
	if c.client == nil {
		return nil, &cim.Error{Status: cim.ErrNotSupported, Operation: "Shell", Detail: "shells need a running service on this machine: casement up"}
	}
	return c.client.CreateShell(ctx, o)
}

// Close ends every session and connection.
func (c *Connection) Close() error { return c.way.close() }
