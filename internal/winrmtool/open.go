package winrmtool

import (
	"context"
	"net/url"
	"os"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// open makes the client that the switches ask for.
func (t *Tool) open(ctx context.Context, c *Command) (*wsmanclient.Client, error) {
	n := &c.Conn
	if n.hasProxyPassword {
		t.warn("-proxypassword on the command line can be read by everybody who lists the processes of this machine")
	}
	if !n.HasRemote {
		return t.Connector.Local(ctx)
	}
	if n.HasPassword {
		t.warn("-password on the command line can be read by everybody who lists the processes of this machine; leave it out to be asked")
	}
	at, err := n.Endpoint()
	if err != nil {
		return nil, err
	}
	set := t.Connector.Client()
	if strings.TrimSpace(set.TrustedHosts) == "*" && !n.https() {
		t.warn("TrustedHosts is *: the identity of no host is checked over http")
	}
	o, err := t.options(ctx, c)
	if err != nil {
		return nil, err
	}
	return t.Connector.Remote(ctx, RemoteOptions{Endpoint: at, Options: o, Certificate: n.Certificate})
}

func (t *Tool) options(ctx context.Context, c *Command) (wsmanclient.Options, error) {
	n := &c.Conn
	o := wsmanclient.Options{
		Scheme: n.Scheme, ImplicitCredentials: n.DefaultCreds, Unencrypted: n.Unencrypted, SPNPort: n.SPNPort,
		TLS:              wsmanclient.TLSOptions{SkipCA: n.SkipCA, SkipCN: n.SkipCN, SkipRevocation: n.SkipRevocation},
		OperationTimeout: c.Timeout, UTF16: c.UTF16,
	}
	var err error
	if o.Proxy, err = n.proxy(os.Getenv); err != nil {
		return o, err
	}
	if !n.HasUser {
		return o, nil
	}
	password := n.Password
	if !n.HasPassword {
		if t.Password == nil {
			return o, fault(wsman.CodeUserNameAndPasswordNeeded, "-username needs -password where nobody can be asked for it")
		}
		if password, err = t.Password(ctx, n.User); err != nil {
			return o, fault(wsman.CodeUserNameAndPasswordNeeded, "-username needs -password: %v", err)
		}
	}
	o.Credentials = auth.Credentials{Username: n.User, Password: password}
	return o, nil
}

// proxy is the URL of the proxy that the switches ask for; "" is none. The
// systems outside of Windows keep their proxy settings in the environment.
func (n *Connection) proxy(getenv func(string) string) (string, error) {
	switch n.ProxyAccess {
	case "":
		if n.ProxyAuth == "" && n.ProxyUser == "" {
			return "", nil
		}
	case "no_proxy":
		return "", nil
	case "auto_detection":
		return "", usage("-proxyaccess:auto_detection is not built in; set HTTPS_PROXY and use -proxyaccess:ie_settings")
	}
	if n.ProxyAuth == "digest" || n.ProxyAuth == "negotiate" {
		return "", usage("-proxyauth:%s is not built in; use Basic", n.ProxyAuth)
	}
	if n.ProxyUser == "" {
		return "env", nil
	}
	at := getenv("HTTPS_PROXY")
	if at == "" {
		at = getenv("https_proxy")
	}
	if at == "" {
		return "", fault(codeNoProxy, "no proxy is set; name it in the environment variable HTTPS_PROXY")
	}
	if !strings.Contains(at, "://") {
		at = "http://" + at
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		return "", usage("the proxy in HTTPS_PROXY is no URL")
	}
	u.User = url.UserPassword(n.ProxyUser, n.ProxyPassword)
	return u.String(), nil
}
