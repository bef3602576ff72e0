package casement

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/hosts"
	"github.com/casementhq/casement/internal/statefolder"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// ErrNoTransport is returned for a target whose protocol is not known.
var ErrNoTransport = errors.New("casement: no such transport")

// TargetError is returned for a target that cannot be read.
type TargetError struct {
	// Target is what was given, Detail what is wrong with it.
	Target, Detail string
}

// Error gives both.
func (e *TargetError) Error() string { return "casement: " + e.Target + ": " + e.Detail }

// Dial names the machine to be managed:
//
//	winrm://host[:port][/prefix]   WinRM over http
//	http://…, https://…            WinRM
//	dcom://host[:port]             WMI over DCOM; port is that of the endpoint mapper
//	winmgmts:{…}!\\host\namespace   a moniker, over DCOM
//	host                           a name of the hosts file, else WinRM over http
//	.                              this machine: its service's local socket, or Options.Opener
//
// The host of a dcom:// URL and of a moniker may be a name of the hosts file too.
// It connects at the first operation, not here. Errors of a connection say which
// layer failed, with its code.
func Dial(ctx context.Context, target string, o Options) (*Connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scheme, rest, named := strings.Cut(target, "://")
	switch {
	case target == ".":
		return dialLocal(o)
	case isMoniker(target):
		return dialMoniker(target, o)
	case !named:
		return dialName(target, o)
	case strings.EqualFold(scheme, "winrm"):
		return dialURL(target, "http://"+rest, o)
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "https"):
		return dialURL(target, target, o)
	case strings.EqualFold(scheme, "dcom"):
		host, port, err := splitDCOM(rest)
		if err != nil {
			return nil, err
		}
		return dialDCOM(target, host, port, o)
	}
	return nil, fmt.Errorf("%w: %s: write winrm://, http://, https:// or dcom:// before the host", ErrNoTransport, target)
}

// dialName looks a name up in the hosts file.
func dialName(name string, o Options) (*Connection, error) {
	if name == "" {
		return nil, errors.New("casement: the target is empty; name a host, or . for this machine")
	}
	entries, err := loadHosts(o.HostsFile)
	if err != nil {
		return nil, err
	}
	e, ok := hosts.Find(entries, name)
	if !ok {
		return dialURL(name, name, o)
	}
	if o.Certificate == nil {
		o.takeAccount(e)
	}
	if scheme, _, _ := strings.Cut(e.URL, "://"); strings.EqualFold(scheme, "dcom") {
		host, port, err := dcomHost(e, 0)
		if err != nil {
			return nil, err
		}
		return newDCOM(name, host, port, o)
	}
	if o.Scheme == "" {
		o.Scheme = wsmanclient.Scheme(e.Authentication)
	}
	if o.TLS.SHA256 == "" {
		o.TLS.SHA256 = e.Thumbprint
	}
	url := e.URL
	if url == "" {
		url = name
	}
	return dialURL(name, strings.Replace(url, "winrm://", "http://", 1), o)
}

func loadHosts(path string) ([]hosts.Entry, error) {
	switch path {
	case "-":
		return nil, nil
	case "":
		var err error
		if path, err = hosts.DefaultPath(); err != nil {
			return nil, nil //nolint:nilerr // without a configuration folder there is no hosts file
		}
	}
	return hosts.Load(path)
}

// dialURL makes the client for an endpoint.
func dialURL(name, endpoint string, o Options) (*Connection, error) {
	c, err := wsmanclient.New(endpoint, wsmanclient.Options{
		Scheme:      o.Scheme,
		Credentials: auth.Credentials{Username: o.User, Password: o.Password, NTHash: o.NTHash},
		Certificate: o.Certificate, TLS: o.TLS, Proxy: o.Proxy, OperationTimeout: o.OperationTimeout, Settings: o.Settings, NTLM: o.NTLM,
		Tickets: o.Tickets, SPN: o.SPN, SPNPort: o.SPNPort, Delegate: o.Delegate, Classes: o.Classes, Untyped: o.Untyped,
		Lenient: !o.Strict, Unencrypted: o.Unencrypted, DialContext: o.DialContext, Trace: o.Trace, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	return &Connection{name: name, client: c, way: winrm{c}}, nil
}

// dialLocal reaches this machine without a network.
func dialLocal(o Options) (*Connection, error) {
	if o.Opener != nil {
		return &Connection{name: ".", way: within{o.Opener, o.Caller}}, nil
	}
	dir := o.StateDir
	if dir == "" {
		var err error
		if dir, err = DefaultStateDir(); err != nil {
			return nil, err
		}
	}
	socket := filepath.Join(dir, "local.sock")
	if _, err := os.Stat(socket); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("casement: no service of this machine runs with the state folder %s: start one with 'casement up', or name its folder: %w", dir, err)
	}
	c, err := wsmanclient.New("http://localhost", wsmanclient.Options{Local: true, OperationTimeout: o.OperationTimeout,
		Trace: o.Trace, Logger: o.Logger,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}})
	if err != nil {
		return nil, err
	}
	return &Connection{name: ".", client: c, way: winrm{c}}, nil
}

// DefaultStateDir is the folder of this machine's service: /var/lib/casement
// for root, else casement in $XDG_STATE_HOME or ~/.local/state.
func DefaultStateDir() (string, error) {
	dir, err := statefolder.Default()
	if err != nil {
		return "", fmt.Errorf("casement: %w", err)
	}
	return dir, nil
}
