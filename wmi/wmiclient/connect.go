package wmiclient

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
)

// Parameters are those of IWbemLocator::ConnectServer; the eighth, where the namespace goes, is the session that it returns.
type Parameters struct {
	// NetworkResource is root\cimv2, \\host\root\cimv2 or //host/root/cimv2. Without a namespace it is the default one.
	NetworkResource string
	// User is user, DOMAIN\user or user@domain; nil takes Options.Credentials. An empty name is an error.
	User *string
	// Password is the user's; nil is none given, "" a password that is empty.
	Password *string
	// Locale are preferred locales, "MS_409".
	Locale string
	// SecurityFlags is 0 or FlagConnectUseMaxWait, which gives up after two minutes.
	SecurityFlags uint32
	// Authority is "", "NTLMDomain:domain" or "Kerberos:principal".
	Authority string
	// Context are named values for providers.
	Context cim.NamedArray
}

// maxWait is what WBEM_FLAG_CONNECT_USE_MAX_WAIT waits.
const maxWait = 2 * time.Minute

// ConnectServer logs in to a namespace. Its session closes what it opened. Parameters go before the same in the Options. It fails with
// ErrLocalCredentials where any user, password or authority is named for this machine, with ErrInvalidParameter where a domain is named twice
// and for a locale or flag that is none, with ErrInvalidNamespace and with ErrAccessDenied. See spec/wmi.md 1.8.
func ConnectServer(ctx context.Context, p Parameters, o Options) (*Session, error) {
	s, err := connectServer(ctx, p, o)
	if err != nil {
		var e *cim.Error
		if errors.As(err, &e) && e.Operation == "" {
			k := *e
			k.Operation = "ConnectServer"
			if k.Path == "" {
				k.Path = p.NetworkResource
			}
			err = &k
		}
		return nil, err
	}
	return s, nil
}

func connectServer(ctx context.Context, p Parameters, o Options) (*Session, error) {
	resource, err := wmi.ParseNetworkResource(p.NetworkResource)
	if err != nil {
		return nil, err
	}
	if resource.Local() && (p.User != nil || p.Password != nil || p.Authority != "") {
		return nil, &cim.Error{Status: cim.ErrLocalCredentials, Detail: "user, password and authority are for other machines; name the host, also where it is this one"}
	}
	if resource.Local() {
		resource.Server = "localhost"
	}
	if p.Authority != "" {
		if o.Authority, err = wmi.ParseAuthority(p.Authority); err != nil {
			return nil, err
		}
	}
	if err := p.credentials(&o.Credentials); err != nil {
		return nil, err
	}
	locales, err := wmi.ParseLocales(p.Locale)
	if err != nil {
		return nil, err
	}
	switch p.SecurityFlags {
	case 0:
	case wmi.FlagConnectUseMaxWait:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, maxWait, &cim.Error{Status: cim.ErrTransportFailure, Detail: "the host did not answer within two minutes", Err: context.DeadlineExceeded})
		defer cancel()
	default:
		return nil, invalid("the flags %#x of a connection", p.SecurityFlags)
	}
	c, err := New(resource.Server, o)
	if err != nil {
		return nil, err
	}
	s, err := c.open(ctx, resource.Namespace, cim.OpenOptions{Locales: locales, Context: p.Context})
	if err != nil {
		c.Close() //nolint:errcheck // the first error tells more
		return nil, err
	}
	s.owner = true
	return s, nil
}

// ConnectMoniker logs in to the namespace of a moniker, with the user of the Options. What the moniker says goes before the same in the Options; its
// class or instance, where it names one, is the caller's to ask for. It fails like ConnectServer. Privileges are enabled in any remote login, and can
// neither be added nor disabled.
func ConnectMoniker(ctx context.Context, m wmi.Moniker, o Options) (*Session, error) {
	if m.Impersonation != wmi.ImpersonationDefault {
		o.Impersonation = m.Impersonation
	}
	if m.Authentication != wmi.AuthenticationDefault {
		o.Authentication = m.Authentication
	}
	resource := wmi.NetworkResource{Server: m.Server, Namespace: m.Path.Namespace}
	return ConnectServer(ctx, Parameters{NetworkResource: resource.String(), Locale: m.Locale, Authority: m.Authority.String()}, o)
}

// credentials puts user and password in the place of those that are there.
func (p *Parameters) credentials(c *auth.Credentials) error {
	if p.User == nil {
		if p.Password != nil {
			return invalid("a password without a user")
		}
		return nil
	}
	if strings.TrimSpace(*p.User) == "" {
		return invalid("the name of the user is empty; leave it out for the present one")
	}
	*c = auth.Credentials{Username: *p.User}
	if p.Password != nil {
		c.Password = *p.Password
	}
	return nil
}
