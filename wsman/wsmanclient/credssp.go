package wsmanclient

import (
	"crypto/x509"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/credssp"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
)

// credSSP makes the client's side of CredSSP. Its TLS channel is its own, also within https, and is bound to the
// negotiation by the protocol; other implementations put no channel binding there.
func (c *Client) credSSP() auth.Initiator {
	set := c.opts.settings()
	return credssp.NewInitiator(credssp.InitiatorOptions{
		Credentials: c.opts.Credentials,
		MinVersion:  set.Delegation.Oracle.ClientMinVersion(),
		Inner:       func() auth.Initiator { return c.negotiation("WSMAN", nil, false) },
		Permit: func(id auth.Identity, shown []*x509.Certificate) error {
			return c.mayDelegateTo(c.url.Hostname(), set, id.Mechanism, shown)
		},
	})
}

// mayDelegate is asked before anything is sent: is there a policy that lets the user's credentials go to this
// host at all? Where no policy is configured they go where the user sends them, who gave them for that host and
// named the scheme; on Windows there must be one. See spec section 3.8.
func (c *Client) mayDelegate(host string, set *settings.Client) error {
	d, spn := set.Delegation, "WSMAN/"+host
	switch {
	case d.Deny.Match(spn):
		return c.delegationFault(codeDelegationDenied, spn, "DenyFreshCredentials names it")
	case d.Restricts() && !d.Fresh.Match(spn) && !d.FreshNTLMOnly.Match(spn):
		return c.delegationFault(codeDelegationDenied, spn, "AllowFreshCredentials does not name it")
	}
	return nil
}

// mayDelegateTo is asked when it is known how the service proved itself. AllowFreshCredentials wants more than
// NTLM: Kerberos, or a certificate that this machine trusts.
func (c *Client) mayDelegateTo(host string, set *settings.Client, mechanism string, shown []*x509.Certificate) error {
	if err := c.mayDelegate(host, set); err != nil {
		return err
	}
	d, spn := set.Delegation, "WSMAN/"+host
	if !d.Restricts() || d.FreshNTLMOnly.Match(spn) || mechanism == auth.Kerberos || c.vouched(host, shown) {
		return nil
	}
	return c.delegationFault(codeDelegationNTLMOnly, spn, "AllowFreshCredentialsWhenNTLMOnly does not name it, and nothing but NTLM says who the service is: "+
		"give it a certificate of an authority that is trusted here (winrm set winrm/config/service @{CertificateThumbprint=...})")
}

// vouched tells whether a certificate of CredSSP's own TLS channel is good for the host.
func (c *Client) vouched(host string, shown []*x509.Certificate) bool {
	if len(shown) == 0 {
		return false
	}
	o := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
	if c.opts.TLS.Config != nil {
		o.Roots = c.opts.TLS.Config.RootCAs
	}
	for _, more := range shown[1:] {
		o.Intermediates.AddCert(more)
	}
	_, err := shown[0].Verify(o)
	return err == nil
}

func (c *Client) delegationFault(code wsman.Code, spn, why string) error {
	return c.fault(code, "a policy of this machine does not let credentials go to "+spn+": "+why, nil)
}
