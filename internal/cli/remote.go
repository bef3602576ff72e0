package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/casementhq/casement/wsman/wsmanclient"
	"github.com/spf13/cobra"
)

// remoteHelp ends the help of every command that goes to a host.
const remoteHelp = `

HOST is a name of the hosts file ('casement hosts'), a host name, winrm://, http:// or
https:// with port and prefix, dcom:// for WMI over DCOM, a moniker (winmgmts:...) for the same,
or . for this machine. User and password come from --user
and a prompt, from CASEMENT_USER and CASEMENT_PASSWORD, from the hosts file, or with
--keyring from the keyring; a password is never an argument.`

// remote are the flags by which a host is reached.
type remote struct {
	user, auth, ca, pin, proxy string
	cert, key                  string // files of the user's certificate
	insecure, keyring          bool
	kerberos                   kerberosFlags
	unencrypted                bool
	authLevel, impersonation   string
	authority                  string
	sinks                      *wmiclient.Sinks // of --async
	timeout, operation         time.Duration
	trace                      bool
	soap                       string
	state                      *string
}

// flags adds the flags to a command.
func (r *remote) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&r.user, "user", "u", "", `user, DOMAIN\user or user@realm; the password is asked for`)
	f.StringVar(&r.auth, "auth", "", "Negotiate, Kerberos, CredSSP, Basic, Digest or Certificate (default: chosen by rule)")
	f.StringVar(&r.cert, "cert", "", "over https: PEM file of a certificate that says who the user is; no password is asked for")
	f.StringVar(&r.key, "key", "", "PEM file of the key of --cert (default: that file)")
	r.kerberos.flags(c)
	f.BoolVar(&r.keyring, "keyring", false, "take the password from the keyring, and keep one that was asked for there")
	f.StringVar(&r.ca, "ca", "", "PEM file of the authorities that an https server's certificate must come from")
	f.StringVar(&r.pin, "pin", "", "SHA-256 of the server's certificate, in place of all other checks of it")
	f.BoolVar(&r.insecure, "insecure-skip-verify", false, "do not check the server's certificate at all")
	f.BoolVar(&r.unencrypted, "unencrypted", false, "send messages in the clear over http, where the settings permit it")
	f.StringVar(&r.authLevel, "auth-level", "", "over DCOM: connect, call, pkt, pktIntegrity or pktPrivacy (default), or 2 to 6")
	f.StringVar(&r.impersonation, "impersonation", "", "over DCOM: impersonate, or delegate with --authority Kerberos:HOST (default: Default Impersonation Level of the registry)")
	f.StringVar(&r.authority, "authority", "", "over DCOM: NTLMDomain:DOMAIN or Kerberos:PRINCIPAL (default: negotiated)")
	f.StringVar(&r.proxy, "proxy", "", "http:// or socks5:// proxy, or env for that of the environment")
	f.DurationVar(&r.timeout, "timeout", 0, "give up after this time in all, such as 30s (default: never)")
	f.DurationVar(&r.operation, "operation-timeout", time.Minute, "how long the host may work on one message")
	f.BoolVar(&r.trace, "trace", false, "print what happens layer by layer to the standard error")
	f.StringVar(&r.soap, "trace-soap", "", "over WinRM: write every message to this new file, with secrets blanked")
	r.state = stateFlag(c)
}

// namespaceFlag adds --namespace.
func namespaceFlag(c *cobra.Command, namespace *string) {
	c.Flags().StringVarP(namespace, "namespace", "n", "", `CIM namespace; slashes serve as backslashes (default root\cimv2, or that of the moniker)`)
}

// isMoniker tells whether a host is named by a moniker.
func isMoniker(host string) bool { return len(host) > 9 && strings.EqualFold(host[:9], "winmgmts:") }

// bareHost is the name of a host that is named by a moniker or dcom://, which may
// be one of the hosts file.
func bareHost(host string) string {
	if isMoniker(host) {
		if m, err := wmi.ParseMoniker(host); err == nil {
			return cmp.Or(m.Server, ".")
		}
		return host
	}
	if scheme, rest, named := strings.Cut(host, "://"); named && strings.EqualFold(scheme, "dcom") {
		if name, _, err := net.SplitHostPort(rest); err == nil {
			return name
		}
		return strings.Trim(rest, "[]/")
	}
	return host
}

// context bounds a command by --timeout.
func (r *remote) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("no result within %s (--timeout)", r.timeout))
}

// dialer makes connections to hosts with the same flags.
type dialer struct {
	r        *remote
	s        Streams
	base     casement.Options
	file     *os.File // of --trace-soap
	accounts *accountSource
	mu       sync.Mutex
	closers  []func() error // in the order of opening
}

// open prepares what all hosts share, for those that will be reached. The caller
// closes the dialer.
func (r *remote) open(s Streams, hosts ...string) (*dialer, error) {
	d := &dialer{r: r, s: s, accounts: &accountSource{s: s, user: r.user, keyring: r.keyring, keyless: r.kerberos.given()}}
	scheme, err := schemeOf(r.auth)
	if err != nil {
		return nil, err
	}
	if r.operation <= 0 || r.timeout < 0 {
		return nil, usageError("--operation-timeout and --timeout are lengths of time above zero, such as 30s")
	}
	if err := r.fits(hosts); err != nil {
		return nil, err
	}
	d.base = casement.Options{Scheme: scheme, Proxy: r.proxy, OperationTimeout: r.operation, Unencrypted: r.unencrypted, Logger: newWarnings(s.Err),
		StateDir: stateFolder(*r.state)}
	clientSettings(stateFolder(*r.state), &d.base)
	if err := r.kerberos.check(); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, r.kerberos.options(&d.base))
	d.base.DCOM.Sinks = r.sinks
	if err := r.dcom(&d.base.DCOM); err != nil {
		return nil, err
	}
	if d.base.TLS, err = r.tls(s); err != nil {
		return nil, err
	}
	if d.base.Certificate, err = r.certificate(); err != nil {
		return nil, err
	}
	if d.base.Certificate != nil {
		d.base.Scheme = wsmanclient.Certificate
	}
	if r.soap != "" {
		if d.file, err = os.OpenFile(r.soap, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return nil, fmt.Errorf("--trace-soap wants a new file: %w", err)
		}
	}
	d.base.Trace, d.base.DCOM.Trace = newTrace(s.Err, r.trace, d.file)
	return d, nil
}

// close ends what the connections shared.
func (d *dialer) close() error {
	var err error
	for _, f := range slices.Backward(d.closers) {
		err = errors.Join(err, f())
	}
	if d.file != nil {
		err = errors.Join(err, d.file.Close())
	}
	return err
}

// dial names a host and finds the account for it.
func (d *dialer) dial(ctx context.Context, host string) (*casement.Connection, error) {
	o := d.base
	if o.Certificate == nil {
		account, err := d.accounts.account(host)
		if err != nil {
			return nil, err
		}
		o.User, o.Password = account.user, account.password
	}
	if bareHost(host) == "." {
		d.mu.Lock()
		err := d.here(ctx, &o)
		d.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	c, err := casement.Dial(ctx, host, o)
	return c, unreadable(err)
}

func schemeOf(name string) (wsmanclient.Scheme, error) {
	switch name {
	case "", "Negotiate", "Basic", "Digest", "Certificate", "None":
		return wsmanclient.Scheme(name), nil
	case "negotiate", "ntlm":
		return wsmanclient.Negotiate, nil
	case "basic":
		return wsmanclient.Basic, nil
	case "digest":
		return wsmanclient.Digest, nil
	case "credssp", "CredSSP":
		return wsmanclient.CredSSP, nil
	case "certificate":
		return wsmanclient.Certificate, nil
	case "kerberos", "Kerberos":
		return wsmanclient.Kerberos, nil
	}
	return "", usageError("--auth %s: want Negotiate, Kerberos, CredSSP, Basic, Digest or Certificate", name)
}

// dcom reads the flags that are for DCOM.
func (r *remote) dcom(o *casement.DCOMOptions) (err error) {
	if o.AuthenticationLevel, err = wmi.ParseAuthenticationLevel(cmp.Or(r.authLevel, "default")); err != nil || o.AuthenticationLevel == wmi.AuthenticationNone {
		return usageError("--auth-level %s: want connect, call, pkt, pktIntegrity or pktPrivacy, or 2 to 6", r.authLevel)
	}
	o.ImpersonationLevel, err = wmi.ParseImpersonationLevel(cmp.Or(r.impersonation, "default"))
	if err != nil || o.ImpersonationLevel != wmi.ImpersonationDefault && o.ImpersonationLevel < wmi.ImpersonationImpersonate {
		return usageError("--impersonation %s: want impersonate or delegate, 3 or 4; WMI takes nothing below", r.impersonation)
	}
	if o.ImpersonationLevel == wmi.ImpersonationDelegate && !strings.HasPrefix(strings.ToLower(r.authority), "kerberos:") {
		return usageError("--impersonation delegate wants Kerberos: add --authority Kerberos:HOST")
	}
	if _, err = wmi.ParseAuthority(r.authority); err != nil {
		return usageError("--authority: %w", err)
	}
	o.Authority = r.authority
	return nil
}

func (r *remote) tls(s Streams) (wsmanclient.TLSOptions, error) {
	o := wsmanclient.TLSOptions{SHA256: r.pin}
	if r.insecure {
		fmt.Fprintln(s.Err, "casement: warning: the server's certificate is not checked (--insecure-skip-verify): anybody on the way can read and change everything; --pin or --ca is better")
		o.SkipCA, o.SkipCN = true, true
	}
	if r.ca != "" {
		pem, err := os.ReadFile(r.ca)
		if err != nil {
			return o, fmt.Errorf("--ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return o, fmt.Errorf("--ca %s: the file has no certificate in PEM form", r.ca)
		}
		o.Config = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// clientSettings puts the client's settings of the state folder, of WinRM and of
// DCOM, into the options. Where this user has none the documented defaults hold.
func clientSettings(dir string, o *casement.Options) {
	st, err := service.OpenState(dir, service.StateOptions{})
	if err != nil {
		return
	}
	defer st.Close()
	now := st.Snapshot()
	c := now.WinRM.Client
	scripting, _ := settings.LoadScripting(now.Reader) // what is damaged has its default
	o.Settings = func() *settings.Client { return &c }
	o.NTLM = func() settings.NTLM { return now.NTLM }
	o.DCOM.Scripting = func() settings.Scripting { return scripting }
	o.DCOM.Disabled = !now.DCOM.Enabled
}

// explain adds what to do to an error of a host.
func explain(ctx context.Context, host string, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = cause
	}
	var e *cim.Error
	hint := ""
	if host != "." && errors.As(err, &e) && e.Status == cim.ErrAccessDenied {
		var refused *dcom.Error // says what may be missing
		switch {
		case errors.As(err, &refused):
			hint = dcomHint
		case e.Detail == "" || e.Detail == e.Status.Text():
			hint = accessHint
		}
	}
	return &atHost{host, err, hint}
}

// atHost is an error of a host, which it names once, with a hint.
type atHost struct {
	host string
	err  error
	hint string // where to look, or ""
}

func (e *atHost) Error() string {
	text := strings.TrimPrefix(e.err.Error(), "casement: ") // which every error line begins with
	text = e.host + ": " + strings.TrimPrefix(text, e.host+": ")
	if e.hint != "" {
		text = strings.TrimSuffix(text, ".") + "; " + e.hint
	}
	return text
}

func (e *atHost) Unwrap() error { return e.err }

// dcomHint is where to look on a host that refused a call before WMI saw it.
const dcomHint = "the log of a host that runs casement says which, and there 'casement dcomcnfg' and 'casement group' change it"

// accessHint says what an account that could sign in may lack. The host itself
// does not tell which of them it was.
const accessHint = "over the network an account must be of Administrators, or of WinRMRemoteWMIUsers__ (WinRM) or Distributed COM Users (DCOM) " +
	"('casement group'), have Enable Account and Remote Enable in the namespace, and what the operation needs ('casement wmi sd')"
