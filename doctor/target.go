package doctor

import (
	"net/url"
	"strings"

	"github.com/casementhq/casement/wsman/wsmanclient"
)

// defaultPort and defaultTLSPort are WinRM's own. See spec/winrm.md 9.
const (
	defaultPort    = "5985"
	defaultTLSPort = "5986"
)

// endpoint is the URL of WinRM, with its defaults filled in.
func (t Target) endpoint() (*url.URL, error) {
	c, err := wsmanclient.New(t.endpointName(), wsmanclient.Options{})
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // it never connected
	return url.Parse(c.Endpoint())
}

// endpointName is what a client is given.
func (t Target) endpointName() string {
	if t.Endpoint != "" {
		return t.Endpoint
	}
	if strings.Contains(t.Name, ":") && !strings.Contains(t.Name, "[") {
		return "http://[" + t.Name + "]"
	}
	return "http://" + t.Name
}

// port is that of the endpoint.
func (t Target) port() string {
	u, err := t.endpoint()
	if err != nil {
		return defaultPort
	}
	return u.Port()
}

// portCheck is the name of the check of that port.
func (t Target) portCheck() string { return "tcp." + t.port() }

// overTLS tells whether the endpoint is one of https.
func (t Target) overTLS() bool { return strings.HasPrefix(strings.ToLower(t.Endpoint), "https://") }

// command is how the machine is named on a command line.
func (t Target) command() string {
	switch {
	case t.Endpoint != "":
		return t.Endpoint
	case len(t.Transports) != 1 || t.Transports[0] != "dcom":
		return t.Name
	case t.ResolverPort != 0:
		return "dcom://" + hostPort(t.Name, t.ResolverPort)
	}
	return "dcom://" + t.Name
}

// HostOf is the name of the machine in an endpoint of WinRM.
func HostOf(endpoint string) (string, error) {
	u, err := Target{Endpoint: endpoint}.endpoint()
	if err != nil {
		return "", err
	}
	return u.Hostname(), nil
}
