package wmiclient

import (
	"errors"
	"fmt"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
)

// named says what was activated by its name.
func (c *Client) named(err error) error {
	var e *dcom.Error
	if !errors.As(err, &e) {
		return err
	}
	k := *e
	k.Op = "activation of IWbemLevel1Login at " + c.host
	return &k
}

// unopened is the error of an activation that failed, with what its reader can do about it.
func (c *Client) unopened(err error) error {
	var e *cim.Error
	if !errors.As(err, &e) || e.Detail != "" {
		return err
	}
	k := *e
	switch {
	case errors.Is(err, dcerpc.ErrNotRPC):
		k.Detail = "this port does not speak DCE/RPC; leave the port out for that of the endpoint mapper, 135, or name a WinRM listener as http://HOST:PORT"
	case unproved(err):
		k.Detail = fmt.Sprintf("%s refused %s for user %s", c.host, c.mechanism(), c.opts.Credentials.Username)
	case e.Status == cim.ErrAccessDenied && c.opts.Credentials.Username != "":
		k.Detail = fmt.Sprintf("%s refused user %s", c.host, c.opts.Credentials.Username)
	}
	return &k
}

// unproved tells whether a host that refuses never said that it took the user for who he is: a refusal by the runtime and not by an answer.
func unproved(err error) bool {
	var fault *dcerpc.Fault
	var result *dcom.Error
	return errors.As(err, &fault) && fault.Status == dcerpc.StatusAccessDenied || errors.Is(err, auth.ErrLogonFailure) ||
		errors.As(err, &result) && result.HRESULT == dcom.FromWin32(dcom.RPC_S_SEC_PKG_ERROR)
}

// mechanism is what a user is proved with.
func (c *Client) mechanism() string {
	switch {
	case c.opts.Authentication == wmi.AuthenticationNone:
		return "no authentication"
	case c.opts.Authority.NTLMDomain != "":
		return "NTLM"
	case c.opts.Authority.Kerberos != "":
		return "Kerberos"
	}
	return "Negotiate"
}
