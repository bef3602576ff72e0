package winrmtool

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// schemes are the values of -authentication.
var schemes = map[string]wsmanclient.Scheme{
	"none": wsmanclient.None, "basic": wsmanclient.Basic, "digest": wsmanclient.Digest, "negotiate": wsmanclient.Negotiate,
	"kerberos": wsmanclient.Kerberos, "certificate": wsmanclient.Certificate, "credssp": wsmanclient.CredSSP,
}

// readConnection reads the switches of the connection.
func (c *Command) readConnection() error {
	n := &c.Conn
	if len(c.auth) > 1 {
		return fault(codeMultipleAuth, "-authentication is given %d times; name one scheme", len(c.auth))
	}
	if len(c.auth) == 1 {
		s, ok := schemes[strings.ToLower(c.auth[0])]
		if !ok {
			return fault(codeAuthFlag, "there is no authentication scheme %q (winrm help auth)", clip(c.auth[0]))
		}
		n.Scheme = s
	}
	if c.given["port"] {
		p, err := strconv.ParseUint(c.port, 10, 16)
		if err != nil || p == 0 {
			return fault(codePort, "-port:%s is not a number from 1 to 65535", clip(c.port))
		}
		n.Port = uint16(p)
	}
	if n.HasRemote {
		if _, err := n.Endpoint(); err != nil {
			return err
		}
	}
	return c.readProxy()
}

func (c *Command) readProxy() error {
	n := &c.Conn
	switch n.ProxyAccess = strings.ToLower(n.ProxyAccess); n.ProxyAccess {
	case "", "ie_settings", "winhttp_settings", "auto_detection", "no_proxy":
	default:
		return fault(codeProxyAccess, "-proxyaccess is ie_settings, winhttp_settings, auto_detection or no_proxy, not %q", clip(n.ProxyAccess))
	}
	if len(c.proxyAuth) > 1 {
		return fault(codeMultipleProxyAuth, "-proxyauth is given %d times; name one", len(c.proxyAuth))
	}
	if len(c.proxyAuth) == 1 {
		n.ProxyAuth = strings.ToLower(c.proxyAuth[0])
		switch n.ProxyAuth {
		case "basic", "digest", "negotiate":
		default:
			return fault(codeProxyAuthFlag, "-proxyauth is Basic, Digest or Negotiate, not %q", clip(c.proxyAuth[0]))
		}
	}
	used := n.ProxyAccess != "" || n.ProxyAuth != "" || n.ProxyUser != "" || n.hasProxyPassword
	switch {
	case !used || !n.HasRemote:
		return nil
	case (n.ProxyUser != "") != n.hasProxyPassword:
		return fault(codeProxyCreds, "-proxyusername and -proxypassword must be given together")
	case n.ProxyAccess == "no_proxy" && (n.ProxyAuth != "" || n.ProxyUser != ""):
		return fault(codeNoProxy, "credentials for a proxy contradict -proxyaccess:no_proxy")
	case n.ProxyAccess == "no_proxy":
		return nil
	case !n.https():
		return fault(codeProxyOverHTTP, "a proxy can be used over https only")
	case n.Scheme == wsmanclient.Kerberos:
		return fault(codeProxyKerberos, "a proxy cannot be used with Kerberos")
	case n.Scheme == wsmanclient.CredSSP:
		return fault(codeProxyCredSSP, "a proxy cannot be used with CredSSP")
	}
	return nil
}

// checkCombination refuses combinations of switches, with the codes of spec
// sections 1.3 and 5.1. Nothing has been sent by then.
func (c *Command) checkCombination() error {
	if err := c.checkPolymorphism(); err != nil {
		return err
	}
	n := &c.Conn
	if !n.HasRemote {
		return c.checkLocal()
	}
	if n.HasPassword && !n.HasUser {
		return fault(wsman.CodeUserNameAndPasswordNeeded, "-password needs -username")
	}
	if err := c.checkCertificate(); err != nil {
		return err
	}
	switch {
	case n.Scheme == wsmanclient.None && n.HasUser:
		return fault(codeCredsWithNone, "credentials contradict -authentication:None")
	case (n.Scheme == wsmanclient.Basic || n.Scheme == wsmanclient.Digest) && !n.HasUser:
		return fault(codeCredsNeeded, "%s needs -username and -password", n.Scheme)
	case n.Scheme == wsmanclient.CredSSP && !n.HasUser:
		return fault(codeCredSSPCreds, "CredSSP needs -username and -password")
	case n.DefaultCreds && !n.https():
		return fault(codeImplicitOverHTTP, "-defaultCreds can be used over https only")
	case n.Unencrypted && n.https():
		return fault(codeUnencryptedHTTPOnly, "-unencrypted contradicts https, which encrypts")
	case n.SPNPort && n.Scheme != wsmanclient.Negotiate && n.Scheme != wsmanclient.Kerberos:
		return fault(codeSPNAuth, "-SPNPort needs -authentication:Negotiate or Kerberos")
	}
	return nil
}

func (c *Command) checkPolymorphism() error {
	if (c.Shallow || c.BaseOnly) && c.Filter != "" && !strings.EqualFold(c.Dialect, "selector") && c.Dialect != wsman.DialectSelector {
		return fault(wsman.CodePolymorphismModeUnsupported, "-shallow and -basepropertiesonly do not go with a query; use them with a class, or with -dialect:selector")
	}
	return nil
}

// checkLocal refuses what makes sense for a remote session only.
func (c *Command) checkLocal() error {
	n := &c.Conn
	if n.HasUser || n.HasPassword {
		return fault(codeLocalCreds, "a local session runs as the present user and takes no -username or -password; name the host with -remote")
	}
	for name := range c.given {
		if name != "remote" && connectionSwitches[name] {
			return fault(codeMachineRequired, "-%s concerns a connection; name the host with -remote", name)
		}
	}
	if c.Verb == "identify" {
		return fault(wsman.CodeNoLocalIdentify, "identify asks a remote host; name it with -remote")
	}
	return nil
}

func (c *Command) checkCertificate() error {
	n := &c.Conn
	byCert := n.Scheme == wsmanclient.Certificate
	if !c.hasCertificate && !byCert {
		return nil
	}
	switch {
	case c.hasCertificate && !n.https():
		return fault(codeCertOverHTTP, "a certificate can be used over https only")
	case byCert && (n.HasUser || n.HasPassword):
		return fault(codeCertAndCreds, "-authentication:Certificate takes no -username or -password")
	case n.HasUser || n.HasPassword:
		return fault(codeMultipleCreds, "-certificate and -username exclude each other")
	case !c.hasCertificate:
		return fault(codeCertNeeded, "-authentication:Certificate needs -certificate:THUMBPRINT")
	case !byCert:
		return fault(codeCertAuthMissing, "-certificate needs -authentication:Certificate")
	}
	print := strings.ToUpper(strings.ReplaceAll(n.Certificate, " ", ""))
	if len(print) != 40 || strings.Trim(print, "0123456789ABCDEF") != "" {
		return fault(codeCertInvalid, "the thumbprint %q is not 40 hexadecimal digits", clip(n.Certificate))
	}
	n.Certificate = print
	return nil
}
