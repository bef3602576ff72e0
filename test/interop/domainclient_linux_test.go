package interop

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/adtest"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// options are those of a client in the domain that knows every host's address: the service's, for whatever name.
func (m *member) options(t *testing.T, o casement.Options) casement.Options {
	t.Helper()
	t.Setenv("KRB5_CONFIG", m.domain.Krb5Conf)
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none")
	dcom, _, _ := net.SplitHostPort(m.dcom)
	o.HostsFile = "-"
	o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		at := "127.0.0.1:" + port
		if !strings.HasSuffix(m.http, ":"+port+"/wsman") && !strings.HasSuffix(m.https, ":"+port+"/wsman") {
			at = net.JoinHostPort(dcom, port)
		}
		return (&net.Dialer{}).DialContext(ctx, network, at)
	}
	return o
}

// mechanisms keeps what connections were signed in by.
type mechanisms struct {
	mu   sync.Mutex
	list []string
}

func (m *mechanisms) trace() *wsmanclient.Trace {
	return &wsmanclient.Trace{Authenticated: func(scheme string, id auth.Identity) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.list = append(m.list, scheme+" "+id.Mechanism)
	}}
}

func (m *mechanisms) rpc() *wmiclient.Trace {
	return &wmiclient.Trace{RPC: &dcerpc.Trace{Authenticated: func(kind dcerpc.AuthType, _ dcerpc.Level, id auth.Identity, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if err == nil {
			m.list = append(m.list, kind.String()+" "+id.Mechanism)
		}
	}}}
}

// caption reads what only an administrator may: the operating system.
func caption(t *testing.T, target string, o casement.Options) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := casement.Dial(ctx, target, o)
	if err != nil {
		return err
	}
	defer c.Close()
	rows, err := c.Query(ctx, "", "SELECT Caption FROM Win32_OperatingSystem")
	if err != nil {
		return err
	}
	defer rows.Close()
	row, err := rows.Next(ctx, 0)
	if err == nil && len(row) != 1 {
		t.Errorf("%d operating systems", len(row))
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("no operating system")
	}
	return err
}

// Rows 2.27, 2.62 and 2.63: Negotiate is Kerberos for accounts of a domain, in each form of their names, to hosts that are in no list of trusted
// ones; and NTLM for local accounts, which must be.
func TestNegotiateByName(t *testing.T) {
	m := inDomain(t)
	at := m.at(m.http)
	for _, tt := range []struct {
		user, password, want string
		strict               wsman.Code
	}{
		{`CORP\alice`, adtest.Password, "Negotiate Kerberos", 0},
		{"alice@CORP.TEST", adtest.Password, "Negotiate Kerberos", 0},
		{"alice@corp.test", adtest.Password, "Negotiate Kerberos", 0},
		{`corp.test\ALICE`, adtest.Password, "Negotiate Kerberos", 0},
		{m.user, m.password, "Negotiate NTLM", wsman.CodeServerNotTrusted},
		{`.\` + m.user, m.password, "Negotiate NTLM", wsman.CodeServerNotTrusted},
		{machineName(t, m) + `\` + m.user, m.password, "Negotiate NTLM", wsman.CodeServerNotTrusted},
	} {
		for _, strict := range []bool{false, true} {
			var seen mechanisms
			err := caption(t, at, m.options(t, casement.Options{User: tt.user, Password: tt.password, Strict: strict, Trace: seen.trace()}))
			var fault *wsman.Fault
			switch {
			case strict && tt.strict != 0:
				if !errors.As(err, &fault) || fault.Code != tt.strict || len(seen.list) != 0 {
					t.Errorf("%s, strictly: %v, %q", tt.user, err, seen.list)
				}
			case err != nil || len(seen.list) != 1 || seen.list[0] != tt.want:
				t.Errorf("%s, strictly %v: %v, %q", tt.user, strict, err, seen.list)
			}
		}
	}
	// Without a KDC an account of a domain has NTLM alone, which needs a host that is trusted.
	o := m.options(t, casement.Options{User: "alice@CORP.TEST", Password: adtest.Password, Strict: true})
	t.Setenv("KRB5_CONFIG", strings.Replace(m.domain.Krb5Conf, "krb5.conf", "nokdc.conf", 1))
	if err := caption(t, at, o); !errors.Is(err, wsman.CodeServerNotTrusted) {
		t.Errorf("no KDC: %v", err)
	}
}

// machineName is the NetBIOS name of the service's machine, as its own accounts have it.
func machineName(t *testing.T, m *member) string {
	t.Helper()
	name, _, _ := strings.Cut(strings.TrimSpace(m.tool(t, "group", "list", "Administrators", "-o", "csv")), `\`)
	return name[strings.LastIndexByte(name, '\n')+1:]
}

// The table of spec/winrm.md 5.1, as far as it is about Kerberos, and rows 2.59 and 2.61.
func TestKerberosRules(t *testing.T) {
	m := inDomain(t)
	at, port := m.at(m.http), portOf(t, m.http)
	cache := m.domain.Login(t, adtest.Alice)
	password := func(o casement.Options) casement.Options {
		o.User, o.Password = `CORP\alice`, adtest.Password
		return o
	}
	cached := func(o casement.Options) casement.Options {
		o.Tickets = tickets.New(tickets.Options{CCache: cache})
		return o
	}
	off := func(change func(*settings.Client)) func() *settings.Client {
		set := &settings.Client{NetworkDelayms: 5000, Auth: settings.Auth{Basic: true, Kerberos: true, Negotiate: true}, DefaultPorts: settings.Ports{HTTP: 5985, HTTPS: 5986}, URLPrefix: "wsman"}
		change(set)
		return func() *settings.Client { return set }
	}
	kerberos := casement.Options{Scheme: wsmanclient.Kerberos, Strict: true}
	for _, tt := range []struct {
		what, target string
		o            casement.Options
		code         wsman.Code // 0: it works
	}{
		{"no credentials, no scheme: the tickets of a cache", at, cached(casement.Options{Strict: true}), 0},
		{"no credentials, Kerberos: the tickets of a cache", at, cached(kerberos), 0},
		{"a keytab", at, casement.Options{Strict: true, Tickets: tickets.New(tickets.Options{Keytab: m.domain.Keytab(adtest.Client)})}, wsman.CodeAccessDenied}, // the computer is in no group
		{"user and password, Kerberos", at, password(kerberos), 0},
		{"over https", m.at(m.https), password(casement.Options{TLS: wsmanclient.TLSOptions{SkipCA: true, SkipCN: true}, Scheme: wsmanclient.Kerberos}), 0},
		{"an address", "http://192.0.2.1:" + port, password(kerberos), 0x8033810B},
		{"localhost", "http://localhost:" + port, password(kerberos), 0x8033810E},
		{"127.0.0.1", "http://127.0.0.1:" + port, password(kerberos), 0x8033810E},
		{"Kerberos without tickets", at, kerberos, 0x8033810C},
		{"no tickets, no scheme", at, casement.Options{}, wsman.CodeExplicitCredentialsRequired},
		{"an address, no tickets, no scheme", "http://192.0.2.1:" + port, casement.Options{}, 0x803381BB},
		{"Kerberos is off at the client", at, password(casement.Options{Scheme: wsmanclient.Kerberos, Settings: off(func(c *settings.Client) { c.Auth.Kerberos = false })}), 0x803380E2},
		{"Negotiate is off at the client", at, password(casement.Options{Settings: off(func(c *settings.Client) { c.Auth.Negotiate = false })}), 0x803380E1},
		{"Negotiate without credentials over http", at, cached(casement.Options{Scheme: wsmanclient.Negotiate}), wsman.CodeExplicitCredentialsRequired},
		{"a wrong password", at, casement.Options{User: `CORP\alice`, Password: "wrong", Scheme: wsmanclient.Kerberos}, wsman.Code(krb5.LogonDenied)},
		{"a name that the domain does not know", "http://stranger.corp.test:" + port, password(kerberos), wsman.Code(krb5.TargetUnknown)},
		{"the name of another computer", "http://client.corp.test:" + port, password(casement.Options{Scheme: wsmanclient.Kerberos, SPN: "HOST"}), wsman.CodeAccessDenied},
		{"the class WSMAN", at, password(casement.Options{Scheme: wsmanclient.Kerberos, SPN: "WSMAN"}), 0},
		{"the class host", at, password(casement.Options{Scheme: wsmanclient.Kerberos, SPN: "host"}), 0},
		{"the port in the name", at, password(casement.Options{Scheme: wsmanclient.Kerberos, SPNPort: true}), 0}, // Samba looks past it
		{"delegation", at, password(casement.Options{Scheme: wsmanclient.Kerberos, Delegate: true}), 0},
		{"delegation of who must not be", at, casement.Options{User: `CORP\delia`, Password: adtest.Password, Scheme: wsmanclient.Kerberos, Delegate: true}, wsman.Code(krb5.DelegationRequired)},
		{"in no group that may", at, casement.Options{User: `CORP\bob`, Password: adtest.Password}, wsman.CodeAccessDenied},
		{"Domain Admins, whom nobody let in", at, casement.Options{User: `CORP\adam`, Password: adtest.Password}, wsman.CodeAccessDenied},
	} {
		t.Run(tt.what, func(t *testing.T) {
			var seen mechanisms
			o := m.options(t, tt.o)
			o.Trace = seen.trace()
			err := caption(t, tt.target, o)
			var fault *wsman.Fault
			switch {
			case tt.code == 0 && (err != nil || len(seen.list) != 1 || !strings.HasSuffix(seen.list[0], " Kerberos")):
				t.Errorf("%v, signed in by %q", err, seen.list)
			case tt.code != 0 && (!errors.As(err, &fault) || fault.Code != tt.code):
				t.Errorf("%v, want 0x%08X", err, uint32(tt.code))
			}
		})
	}
	t.Run("the port in the name of a stranger", func(t *testing.T) {
		o := m.options(t, password(casement.Options{Scheme: wsmanclient.Kerberos, SPNPort: true}))
		if err := caption(t, "http://stranger.corp.test:"+port, o); err == nil || !strings.Contains(err.Error(), "HTTP/stranger.corp.test:"+port) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the service does not offer it", func(t *testing.T) { // row 2.81
		m.tool(t, "winrm", "set", "winrm/config/service/auth", `@{Kerberos="false"}`)
		defer m.tool(t, "winrm", "set", "winrm/config/service/auth", `@{Kerberos="true"}`)
		if err := caption(t, at, m.options(t, password(kerberos))); !errors.Is(err, wsman.CodeAccessDenied) || !strings.Contains(err.Error(), "offers Negotiate") {
			t.Errorf("%v", err)
		}
	})
}

func portOf(t *testing.T, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// Row 1.12: the authority says what a user is proved with over DCOM; without one, accounts of a domain have Kerberos and others NTLM.
func TestAuthorityOverDCOM(t *testing.T) {
	m := inDomain(t)
	for _, tt := range []struct {
		what, user, authority string
		level                 wmi.AuthenticationLevel
		impersonation         wmi.ImpersonationLevel
		want                  string // the kind of each exchange and what it proved
		status                cim.Status
	}{
		{what: "negotiated", user: `CORP\alice`, want: "SPNEGO Kerberos"},
		{what: "negotiated, integrity", user: "alice@CORP.TEST", level: wmi.AuthenticationPktIntegrity, want: "SPNEGO Kerberos"},
		{what: "Kerberos", user: `CORP\alice`, authority: "Kerberos:server", want: "Kerberos Kerberos"},
		{what: "Kerberos by account", user: "alice", authority: `Kerberos:CORP\server$`, want: "Kerberos Kerberos"},
		{what: "Kerberos by service, integrity", user: "alice@CORP.TEST", authority: "Kerberos:RPCSS/server.corp.test", level: wmi.AuthenticationPktIntegrity, want: "Kerberos Kerberos"},
		{what: "Kerberos, delegation", user: `CORP\alice`, authority: "Kerberos:host/server", impersonation: wmi.ImpersonationDelegate, want: "Kerberos Kerberos"},
		{what: "delegation of who must not be", user: `CORP\delia`, authority: "Kerberos:host/server", impersonation: wmi.ImpersonationDelegate, status: cim.ErrAccessDenied},
		{what: "Kerberos for another computer", user: `CORP\alice`, authority: "Kerberos:client", status: cim.ErrAccessDenied},
		{what: "Kerberos for nobody", user: `CORP\alice`, authority: "Kerberos:stranger", status: cim.ErrAccessDenied},
		{what: "the domain twice", user: `CORP\alice`, authority: `Kerberos:CORP\server`, status: cim.ErrInvalidParameter},
		{what: "NTLM of a domain that was not joined", user: "alice", authority: "NTLMDomain:CORP", status: cim.ErrAccessDenied},
		{what: "in no group that may", user: `CORP\bob`, status: cim.ErrAccessDenied},
	} {
		t.Run(tt.what, func(t *testing.T) {
			var seen mechanisms
			o := m.options(t, casement.Options{User: tt.user, Password: adtest.Password,
				DCOM: casement.DCOMOptions{Trace: seen.rpc(), Authority: tt.authority, AuthenticationLevel: tt.level, ImpersonationLevel: tt.impersonation}})
			err := caption(t, "dcom://server.corp.test", o)
			var failed *cim.Error
			switch {
			case tt.status == 0 && (err != nil || len(seen.list) == 0 || slices.ContainsFunc(seen.list, func(s string) bool { return s != tt.want })):
				t.Errorf("%v, signed in by %q", err, seen.list)
			case tt.status != 0 && (!errors.As(err, &failed) || failed.Status != tt.status):
				t.Errorf("%v, want %v", err, tt.status)
			}
		})
	}
	t.Run("a local account", func(t *testing.T) {
		if err := caption(t, "dcom://server.corp.test", m.options(t, casement.Options{User: m.user, Password: m.password})); err != nil {
			t.Error(err)
		}
	})
	t.Run("the tickets of a cache", func(t *testing.T) {
		o := m.options(t, casement.Options{Tickets: tickets.New(tickets.Options{CCache: m.domain.Login(t, adtest.Alice)})})
		if err := caption(t, "dcom://server.corp.test", o); err != nil {
			t.Error(err)
		}
	})
}
