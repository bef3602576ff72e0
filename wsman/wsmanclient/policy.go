package wsmanclient

import (
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// Codes that the rules of a client end with and that package wsman has no
// constant for.
const (
	codeCredentialsNeeded   wsman.Code = 0x803380B0
	codeNTLMBlocked         wsman.Code = 1937 // ERROR_NTLM_BLOCKED
	codeCertificateNeeded   wsman.Code = 0x803380B4
	codeCertificateOverHTTP wsman.Code = 0x803380D8
	codeDigestDisabled      wsman.Code = 0x803380E0
	codeCertificateDisabled wsman.Code = 0x803380E3
	codeKerberosLoopback    wsman.Code = 0x8033810E
	codeCertificateAndUser  wsman.Code = 0x80338157
	codeCredSSPCredentials  wsman.Code = 0x803381A1
	codeCredSSPDisabled     wsman.Code = 0x803381A2
	codeDelegationDenied    wsman.Code = 0x803381A3
	codeDelegationNTLMOnly  wsman.Code = 0x803381A4
	codeDefaultAuthAddress  wsman.Code = 0x803381BB
)

// plan is how a connection is authenticated.
type plan struct {
	scheme Scheme
	plain  bool // messages may go in the clear
	mutual bool // only a mechanism that proves the service, too: the host is not in TrustedHosts
}

// wire is the scheme's name for HTTP, empty for none.
func (p plan) wire() string {
	switch p.scheme {
	case None:
		return ""
	case Certificate:
		return httpauth.Certificate
	}
	return string(p.scheme)
}

// plan applies the rules of a client to what it was asked to do. identify says
// that the message is an Identify without authentication. See spec sections
// 5.1, 5.4 and 5.5, and [MS-WSMV] 2.2.4.6.
func (c *Client) plan(identify bool) (plan, error) {
	if c.opts.Local || identify {
		return plan{scheme: None, plain: true}, nil
	}
	set := c.opts.settings()
	host := c.url.Hostname()
	scheme, err := c.choose(host, set)
	if err != nil {
		return plan{}, err
	}
	if err := c.available(scheme, host, set); err != nil {
		return plan{}, err
	}
	p := plan{scheme: scheme}
	if c.url.Scheme == "https" {
		return p, nil
	}
	sealed := (scheme == Negotiate || scheme == CredSSP || scheme == Kerberos) && !c.opts.Unencrypted
	if !isLoopback(host) && !trusted(set, host) && !(c.opts.Lenient && sealed) && scheme != Kerberos {
		// A ticket proves the host, too. See spec section 2.27 of the checklist and [MS-WSMV] 2.2.4.6.
		if p.mutual = scheme == Negotiate && c.opts.Tickets.Domain(c.opts.Credentials, host); !p.mutual {
			return plan{}, c.untrusted(host, nil)
		}
	}
	if !sealed {
		if !set.AllowUnencrypted {
			return plan{}, c.fault(wsman.CodeUnencryptedDisabled, "the message would go in the clear to "+host+
				" and the client's AllowUnencrypted is false: use https or Negotiate without -unencrypted", nil)
		}
		p.plain = true
	}
	return p, nil
}

// untrusted is the refusal to prove anything to a host that proves nothing.
func (c *Client) untrusted(host string, cause error) error {
	return c.fault(wsman.CodeServerNotTrusted, "the client does not trust "+host+
		": use https or Kerberos, or add it: winrm set winrm/config/client @{TrustedHosts=\""+host+"\"}", cause)
}

// choose settles the scheme where none was named, and checks that there are
// the credentials that it needs.
func (c *Client) choose(host string, set *settings.Client) (Scheme, error) {
	o := &c.opts
	given := !o.Credentials.IsZero()
	switch o.Scheme {
	case None:
		return "", c.fault(wsman.CodeInvalidParameter, "without authentication only Identify is possible; name another scheme", nil)
	case Automatic:
		if given {
			return Negotiate, nil
		}
		if isAddress(host) && !isLoopback(host) {
			return "", c.fault(codeDefaultAuthAddress, host+
				" is an address: without credentials and a scheme only a name can be used; give user and password, and use https or TrustedHosts", nil)
		}
		if tickets.HasTickets(host) && set.Auth.Kerberos && c.opts.Tickets.Usable() {
			return Kerberos, nil
		}
		return "", c.fault(wsman.CodeExplicitCredentialsRequired, "no user was named for "+host+
			", there are no tickets (kinit makes some; a remote shell has its caller's where that was opened with delegation), and the present user's own credentials are not available here; give user and password", nil)
	case Basic, Digest:
		if !given {
			return "", c.fault(codeCredentialsNeeded, string(o.Scheme)+" needs user and password; give them for "+host, nil)
		}
	case Negotiate:
		if given {
			break
		}
		why := "Negotiate without credentials is permitted only with -defaultCreds over https or to a host of TrustedHosts"
		if trusted(set, host) || (o.ImplicitCredentials && c.url.Scheme == "https") || isLoopback(host) {
			if tickets.HasTickets(host) && o.Tickets.Usable() {
				break
			}
			why = "the present user's own credentials are not available here"
		}
		return "", c.fault(wsman.CodeExplicitCredentialsRequired, why+"; give user and password for "+host, nil)
	case Certificate:
		return o.Scheme, c.certificateGiven()
	case CredSSP:
		if o.Credentials.Username == "" || o.Credentials.Password == "" {
			return "", c.fault(codeCredSSPCredentials, "CredSSP needs user and password, to be handed over to "+host, nil)
		}
	case Kerberos:
	default:
		return "", c.fault(wsman.CodeInvalidParameter, "the authentication scheme "+string(o.Scheme)+
			" is not known; use Negotiate or Basic", nil)
	}
	return o.Scheme, nil
}

// available checks the switches of the schemes, the rules of Kerberos, and what
// is built in.
func (c *Client) available(scheme Scheme, host string, set *settings.Client) error {
	off := func(on bool, code wsman.Code) error {
		if on {
			return nil
		}
		return c.fault(code, "the client's setting Auth/"+string(scheme)+" is false; switch it on or use another scheme", nil)
	}
	switch scheme {
	case Basic:
		return off(set.Auth.Basic, wsman.CodeBasicDisabled)
	case Negotiate:
		return off(set.Auth.Negotiate, wsman.CodeNegotiateDisabled)
	case Digest:
		return off(set.Auth.Digest, codeDigestDisabled)
	case Certificate:
		if err := off(set.Auth.Certificate, codeCertificateDisabled); err != nil || c.url.Scheme == "https" {
			return err
		}
		return c.fault(codeCertificateOverHTTP, "a certificate can be used over https only; write https://"+host, nil)
	case CredSSP:
		if err := off(set.Auth.CredSSP, codeCredSSPDisabled); err != nil {
			return err
		}
		return c.mayDelegate(host, set)
	}
	if err := off(set.Auth.Kerberos, wsman.CodeKerberosDisabled); err != nil {
		return err
	}
	switch {
	case isLoopback(host):
		return c.fault(codeKerberosLoopback, "Kerberos cannot be used for "+host+"; use the machine's name or Negotiate", nil)
	case isAddress(host):
		return c.fault(wsman.CodeKerberosIPAddress, "Kerberos cannot be used for an address; use the name of "+host, nil)
	}
	if !c.opts.Credentials.IsZero() || c.opts.Tickets.Usable() {
		return nil
	}
	return c.fault(wsman.CodeWorkgroupNoKerberos, "this user has no tickets and this machine no keytab; kinit makes tickets, or give user and password", nil)
}

func trusted(set *settings.Client, host string) bool {
	list, err := settings.ParseTrustedHosts(set.TrustedHosts)
	return err == nil && list.Match(host)
}
