package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/dial"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// winrmFacts are what the checks of WinRM found, each field by the check that is
// named beside it.
type winrmFacts struct {
	port   portFacts    // tcp.PORT
	tls    tlsFacts     // tls
	http   httpFacts    // http
	offer  []string     // auth.offer
	rules  error        // auth.client: what this machine's settings forbid
	signed *winrmSignIn // auth.kerberos, auth.ntlm or auth.other
	ticket *ticketEnd   // auth.kerberos
	denied error        // winrm.authorize

	configOnce sync.Once
	config     *winrmConfig // bindings
	configErr  error
}

// ways of WinRM's authentication, of which a target has one.
const (
	wayKerberos = "auth.kerberos"
	wayNTLM     = "auth.ntlm"
	wayOther    = "auth.other"
)

// way tells which check signs in.
func (x *examination) way() string {
	u, err := x.target.endpoint()
	if err != nil {
		return wayOther
	}
	switch x.target.Scheme {
	case wsmanclient.Kerberos:
		return wayKerberos
	case wsmanclient.Automatic, wsmanclient.Negotiate:
		if x.options.Credentials.IsZero() && x.options.Tickets.Usable() || x.options.Tickets.Domain(x.options.Credentials, u.Hostname()) {
			return wayKerberos
		}
		return wayNTLM
	}
	return wayOther
}

// scheme names the scheme for a person.
func (x *examination) scheme() string {
	if s := x.target.Scheme; s != wsmanclient.Automatic {
		return string(s)
	}
	return string(wsmanclient.Negotiate)
}

// dial opens a connection as the client would: by the address that was found,
// through the proxy.
func (x *examination) dial(ctx context.Context, address string) (net.Conn, error) {
	u, err := x.target.endpoint()
	if err != nil {
		return nil, err
	}
	d, err := dial.Through(x.options.Proxy, u, x.options.DialContext)
	if err != nil {
		return nil, err
	}
	return d(ctx, "tcp", address)
}

// clientOptions are those of a client, which has yet to be told how to dial.
func (x *examination) clientOptions() wsmanclient.Options {
	o := x.options
	c := wsmanclient.Options{
		Scheme: x.target.Scheme, Credentials: o.Credentials, Tickets: o.Tickets, SPN: o.SPN, SPNPort: o.SPNPort, Certificate: o.Certificate,
		TLS: o.TLS, Unencrypted: o.Unencrypted, Proxy: o.Proxy, Settings: o.Settings, NTLM: o.NTLM, Lenient: !o.Strict,
		OperationTimeout: o.scaled(defaultLimit), NetworkDelay: time.Second, UserAgent: "Casement doctor",
	}
	if x.target.Thumbprint != "" {
		c.TLS.SHA256 = x.target.Thumbprint
	}
	return c
}

// dialFound makes a client go the way which tcp.PORT found.
func (x *examination) dialFound(c *wsmanclient.Options) {
	c.DialContext = x.options.DialContext
	to := x.winrm.port.address
	if c.Proxy != "" || to == "" {
		return
	}
	inner := c.DialContext
	if inner == nil {
		inner = (&net.Dialer{}).DialContext
	}
	c.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { return inner(ctx, network, to) }
}

// winrmSignIn is one authenticated Identify and the client that it leaves.
type winrmSignIn struct {
	client *wsmanclient.Client
	took   time.Duration
	err    error // nil also where the service answered with a fault
	fault  *wsman.Fault
	answer *wsman.IdentifyResponse

	mu        sync.Mutex
	scheme    string
	identity  auth.Identity
	accepted  bool
	sealed    bool
	status    int
	exchanges int
}

// signInWinRM asks Identify as the user, once: what signs in wrongly too often is
// locked out. The client stays open to the end of the examination.
func (x *examination) signInWinRM(ctx context.Context) *winrmSignIn {
	s := &winrmSignIn{}
	x.winrm.signed = s
	o := x.clientOptions()
	x.dialFound(&o)
	o.Trace = &wsmanclient.Trace{
		Authenticated: func(scheme string, id auth.Identity) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.scheme, s.identity, s.accepted = scheme, id, true
		},
		Response: func(status int, sealed bool, _ []byte) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.status, s.sealed, s.exchanges = status, sealed, s.exchanges+1
		},
	}
	if s.client, s.err = wsmanclient.New(x.target.endpointName(), o); s.err != nil {
		return s
	}
	x.atEnd(func() { s.client.Close() }) //nolint:errcheck // says nothing
	start := time.Now()
	s.answer, s.err = s.client.Identify(ctx, wsmanclient.IdentifyOptions{})
	s.took = time.Since(start)
	if errors.As(s.err, &s.fault) && s.fault.Remote {
		// The service knows who we are and refuses what we ask.
		s.err = nil
	} else {
		s.fault = nil
	}
	return s
}

// mechanism is NTLM, Kerberos, Basic and so on, as it came to be.
func (s *winrmSignIn) mechanism() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.identity.Mechanism != "" {
		return s.identity.Mechanism
	}
	return s.scheme
}

// wasSealed tells whether the last answer was.
func (s *winrmSignIn) wasSealed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealed
}

// Codes of WinRM that no check has a constant for. See spec/winrm.md 5.9.
const (
	codeRedirect      wsman.Code = 0x80338110
	codeServerError   wsman.Code = 0x80338170
	codeBadRequest    wsman.Code = 0x80338171
	codeHTML          wsman.Code = 0x80338173
	codeTLS           wsman.Code = 0x803381BA
	codeLogonFailure  wsman.Code = 1326
	codeCannotDecrypt wsman.Code = 0x803380F9
)

// hresult writes a code as the report does: eight digits, and Win32 codes as
// the HRESULT that they are.
func hresult(c wsman.Code) string {
	if c != 0 && c < 0x10000 {
		c |= 0x80070000
	}
	return fmt.Sprintf("0x%08X", uint32(c))
}

// names of codes that people know by another name than wsman's tables have, and
// of those that are not in them.
var codeNames = map[string]string{
	"0x80070005": "E_ACCESSDENIED",
	"0x8007052E": "ERROR_LOGON_FAILURE",
	"0x80041003": "WBEM_E_ACCESS_DENIED",
	"0x800706BA": "RPC_S_SERVER_UNAVAILABLE",
	"0x80090303": "SEC_E_TARGET_UNKNOWN",
	"0x8009030C": "SEC_E_LOGON_DENIED",
	"0x8009030E": "SEC_E_NO_CREDENTIALS",
	"0x80090311": "SEC_E_NO_AUTHENTICATING_AUTHORITY",
	"0x80090317": "SEC_E_CONTEXT_EXPIRED",
	"0x80090322": "SEC_E_WRONG_PRINCIPAL",
	"0x80090324": "SEC_E_TIME_SKEW",
	"0x80090342": "SEC_E_KDC_UNSUPPORTED_ETYPE",
	"0x80090308": "SEC_E_INVALID_TOKEN",
	"0x80090363": "SEC_E_MUTUAL_AUTH_FAILED",
	"0x80070791": "ERROR_NTLM_BLOCKED",
}

// fail is a failure with a code and its name.
func fail(c wsman.Code, detail string) found {
	code := hresult(c)
	name := codeNames[code]
	if name == "" {
		name = c.Name()
	}
	return found{outcome: Fail, code: code, name: name, detail: detail}
}

// failed explains an error of a client: the code of a fault, the status of WMI,
// or what Kerberos says.
func failed(err error) found {
	var status *cim.Error
	var kerberos *krb5.Error
	var f *wsman.Fault
	switch {
	case errors.As(err, &kerberos):
		return fail(wsman.Code(kerberos.Code), kerberos.Detail)
	case errors.Is(err, auth.ErrLogonFailure):
		return fail(codeLogonFailure, "refused: unknown user or wrong password, or an account that may not sign in")
	case errors.As(err, &f):
		if c := wmiStatus(f); c != 0 {
			return found{outcome: Fail, code: hresult(c), name: winrmCodeName(c), detail: f.Text()}
		}
		return fail(f.Code, f.Text())
	case errors.As(err, &status):
		c := wsman.Code(status.Status)
		return found{outcome: Fail, code: hresult(c), name: winrmCodeName(c), detail: status.Error()}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fail(wsman.CodeNetworkTimedOut, "no answer in the time that a check has")
	}
	return fail(codeServerError, err.Error())
}

func winrmCodeName(c wsman.Code) string {
	if n := codeNames[hresult(c)]; n != "" {
		return n
	}
	if n := cim.Status(c).Name(); n != "" {
		return n
	}
	return c.Name()
}

// wmiStatus is the status of WMI that a fault carries, 0 for none.
func wmiStatus(f *wsman.Fault) wsman.Code {
	is := func(c wsman.Code) bool { return c>>16 == 0x8004 }
	if f.WMI != nil && is(f.WMI.Code) {
		return f.WMI.Code
	}
	for p := f.Provider; p != nil; p = p.Fault.Provider {
		if p.WMI != nil && is(p.WMI.Code) {
			return p.WMI.Code
		}
		if p.Fault == nil {
			break
		}
		if is(p.Fault.Code) {
			return p.Fault.Code
		}
	}
	if is(f.Code) {
		return f.Code
	}
	return 0
}

// tlsConfig is for connections whose certificate the check tls judges.
func (x *examination) tlsConfig(u *url.URL) *tls.Config {
	c := x.options.TLS.Config.Clone()
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.ServerName == "" {
		c.ServerName = u.Hostname()
	}
	c.InsecureSkipVerify = true //nolint:gosec // nothing secret goes over it: it is looked at
	c.VerifyConnection = nil
	return c
}

// asRemote tells whether an error is a fault that the peer sent.
func asRemote(err error, f **wsman.Fault) bool { return errors.As(err, f) && (*f).Remote }
