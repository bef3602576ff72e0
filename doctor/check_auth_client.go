package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// This machine's own rules permit the sign-in: its TrustedHosts, the switches of
// its schemes, AllowUnencrypted, an account to sign in with. Nothing is sent.
// See spec/winrm.md 5.1, 5.4 and 5.5.
func init() {
	register(check{id: "auth.client", layer: LayerAuth, title: "This machine's settings permit the sign-in", transport: "winrm", run: authClient})
}

var errStopHere = errors.New("the rules permit it")

func authClient(ctx context.Context, x *examination) found {
	o := x.clientOptions()
	o.Proxy = ""
	o.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errStopHere }
	c, err := wsmanclient.New(x.target.endpointName(), o)
	if err != nil {
		x.winrm.rules = err
		return failed(err)
	}
	defer c.Close() //nolint:errcheck // it never connected
	_, err = c.Identify(ctx, wsmanclient.IdentifyOptions{})
	if err != nil && !errors.Is(err, errStopHere) {
		x.winrm.rules = err
		return failed(err)
	}
	if x.way() == wayNTLM && !x.target.overTLS() && !x.loopback() && !x.inTrustedHosts() {
		return found{outcome: Info, detail: "it is not in TrustedHosts: casement signs in sealed because you named the host; winrm and PowerShell of Windows would refuse (" +
			hresult(wsman.CodeServerNotTrusted) + ")"}
	}
	return found{}
}

// inTrustedHosts tells whether this machine's list has the host.
func (x *examination) inTrustedHosts() bool {
	u, err := x.target.endpoint()
	if err != nil || x.options.Settings == nil {
		return false
	}
	set := x.options.Settings()
	if set == nil {
		return false
	}
	list, err := settings.ParseTrustedHosts(set.TrustedHosts)
	return err == nil && list.Match(u.Hostname())
}

// loopback tells whether the host is this machine, under one of the names that
// need no trust.
func (x *examination) loopback() bool {
	a, err := netip.ParseAddr(x.target.host())
	return strings.EqualFold(x.target.host(), "localhost") || err == nil && a.IsLoopback()
}
