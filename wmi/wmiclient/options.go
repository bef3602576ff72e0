package wmiclient

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
)

// Options configure a Client. The zero value has no credentials and seals its calls.
type Options struct {
	// Credentials of the user.
	Credentials auth.Credentials
	// Tickets are where Kerberos comes from; it may be shared. nil takes passwords to the realm of the name, and without credentials the
	// default credential cache.
	Tickets *tickets.Source
	// Authority says how to authenticate; the zero value negotiates: Kerberos for an account of a domain, where a KDC answers, and else NTLM.
	Authority wmi.Authority
	// Authentication is how calls are protected; AuthenticationDefault is PktPrivacy. What is below PktIntegrity is raised, as an activation needs
	// that, but for None, which calls without authentication.
	Authentication wmi.AuthenticationLevel
	// Impersonation is what the host may do as the user; ImpersonationDefault is that of Defaults. WMI refuses less than Impersonate, and
	// Delegate needs a Kerberos authority, and hands a forwarded ticket over.
	Impersonation wmi.ImpersonationLevel
	// Locales are the preferred languages of texts, MS_409 or en-US; none means the host's.
	Locales []string
	// Timeout bounds each call that has no shorter limit of its own; 0 leaves that to the context.
	Timeout time.Duration
	// Defaults gives what a caller leaves out, the values of "Default Namespace" and "Default Impersonation Level" in the registry, and is
	// asked anew each time; nil means root\cimv2 and Impersonate.
	Defaults func() settings.Scripting
	// Sinks are where hosts call the sinks of asynchronous operations; nil: nowhere, and there are no such operations.
	Sinks *Sinks
	// Port is that of the host's resolver; 0 is 135.
	Port uint16
	// NTLM says with which hosts NTLM may be used, and is asked at each sign-in; nil means with all.
	NTLM func() settings.NTLM
	// DialContext opens the connections; the default is a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// MachineName is what the host is told the client is called; "" is the name of this machine.
	MachineName string
	// Trace observes; nil does not. A trace in the context goes before it.
	Trace *Trace
	// Logger records at level Debug what is done without and what is tried again; nil is silent.
	Logger *slog.Logger
}

// impersonation is the level that was chosen or is the default.
func (o *Options) impersonation() wmi.ImpersonationLevel {
	if o.Impersonation != wmi.ImpersonationDefault {
		return o.Impersonation
	}
	return wmi.ImpersonationLevel(o.defaults().ImpersonationLevel)
}

// delegates tells whether the host may act as the user on other hosts.
func (o *Options) delegates() bool { return o.impersonation() == wmi.ImpersonationDelegate }

func (o *Options) defaults() settings.Scripting {
	d := settings.Scripting{Namespace: `root\cimv2`, ImpersonationLevel: uint32(wmi.ImpersonationImpersonate)}
	if o.Defaults != nil {
		d = o.Defaults()
	}
	return d
}
