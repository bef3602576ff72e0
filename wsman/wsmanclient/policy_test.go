package wsmanclient_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// errReached is what a connection that the rules permit fails with here.
var errReached = errors.New("the connection was permitted")

// TestClientRules: the table of spec section 5.1, the rules of 5.4 and 5.5 and
// the switches of 3.2 ([MS-WSMV] 2.2.4.4 and 2.2.4.6). Code 0 is permission.
func TestClientRules(t *testing.T) {
	user := func(o *wsmanclient.Options) { o.Credentials = auth.Credentials{Username: "u", Password: "p"} }
	scheme := func(s wsmanclient.Scheme) func(*wsmanclient.Options) {
		return func(o *wsmanclient.Options) { o.Scheme = s }
	}
	certificate := func(o *wsmanclient.Options) { o.Certificate = &tls.Certificate{Certificate: [][]byte{{0}}} }
	lenient := func(o *wsmanclient.Options) { o.Lenient = true }
	unencrypted := func(o *wsmanclient.Options) { o.Unencrypted = true }
	implicit := func(o *wsmanclient.Options) { o.ImplicitCredentials = true }
	type list = []func(*wsmanclient.Options)
	all := settings.Client{NetworkDelayms: 5000, URLPrefix: "wsman", DefaultPorts: settings.Ports{HTTP: 5985, HTTPS: 5986},
		Auth: settings.Auth{Basic: true, Digest: true, Kerberos: true, Negotiate: true, Certificate: true, CredSSP: true}}
	trust := func(hosts string) settings.Client {
		s := all
		s.TrustedHosts = hosts
		return s
	}
	clear := trust("*")
	clear.AllowUnencrypted = true
	strange := clear
	strange.TrustedHosts = ""
	none := all
	none.Auth = settings.Auth{}
	spns := func(names ...string) settings.SPNPolicy { return settings.SPNPolicy{Configured: true, Names: names} }
	fresh := func(names ...string) settings.Delegation { return settings.Delegation{Fresh: spns(names...)} }
	policy := func(d settings.Delegation) settings.Client {
		s := all
		s.Delegation = d
		return s
	}
	hash := func(o *wsmanclient.Options) {
		o.Credentials = auth.Credentials{Username: "u", NTHash: make([]byte, 16)}
	}
	for _, test := range []struct {
		name     string
		endpoint string
		set      settings.Client
		change   list
		want     wsman.Code
	}{
		{"Negotiate over http to a stranger", "http://srv", all, list{user}, 0x803380E4},
		{"a trusted host", "http://srv", trust("other, s*"), list{user}, 0},
		{"a host trusted by <local>", "http://srv", trust("<local>"), list{user}, 0},
		{"a domain name is not <local>", "http://srv.example", trust("<local>"), list{user}, 0x803380E4},
		{"an address is not covered by a name", "http://192.0.2.1", trust("srv"), list{user}, 0x803380E4},
		{"https needs no trust", "https://srv", all, list{user}, 0},
		{"loopback needs no trust", "http://localhost", all, list{user}, 0},
		{"loopback address", "http://127.0.0.1", all, list{user}, 0},
		{"the user named the host", "http://srv", all, list{user, lenient}, 0},
		{"naming a host does not permit the clear", "http://srv", all, list{user, lenient, unencrypted}, 0x803380E4},
		{"unencrypted though trusted", "http://srv", trust("*"), list{user, unencrypted}, 0x803380DE},
		{"unencrypted on loopback", "http://localhost", all, list{user, unencrypted}, 0x803380DE},
		{"unencrypted where that is allowed", "http://srv", clear, list{user, unencrypted}, 0},
		{"Basic cannot seal", "http://srv", trust("*"), list{user, scheme(wsmanclient.Basic)}, 0x803380DE},
		{"Basic over https", "https://srv", all, list{user, scheme(wsmanclient.Basic)}, 0},
		{"Basic in the clear", "http://srv", clear, list{user, scheme(wsmanclient.Basic)}, 0},
		{"Basic without a user", "https://srv", all, list{scheme(wsmanclient.Basic)}, 0x803380B0},
		{"Basic switched off", "https://srv", none, list{user, scheme(wsmanclient.Basic)}, 0x803380DF},
		{"Digest switched off", "https://srv", none, list{user, scheme(wsmanclient.Digest)}, 0x803380E0},
		{"Negotiate switched off", "https://srv", none, list{user}, 0x803380E1},
		{"Kerberos switched off", "https://srv", none, list{user, scheme(wsmanclient.Kerberos)}, 0x803380E2},
		{"Certificate switched off", "https://srv", none, list{scheme(wsmanclient.Certificate), certificate}, 0x803380E3},
		{"Certificate over http", "http://srv", clear, list{scheme(wsmanclient.Certificate), certificate}, 0x803380D8},
		{"Certificate over http to this machine", "http://localhost", clear, list{scheme(wsmanclient.Certificate), certificate}, 0x803380D8},
		{"Certificate without one", "https://srv", all, list{scheme(wsmanclient.Certificate)}, 0x803380B4},
		{"Certificate and a password", "https://srv", all, list{scheme(wsmanclient.Certificate), certificate, user}, 0x80338157},
		{"Certificate", "https://srv", all, list{scheme(wsmanclient.Certificate), certificate}, 0},
		{"CredSSP switched off", "https://srv", none, list{user, scheme(wsmanclient.CredSSP)}, 0x803381A2},
		{"Digest", "https://srv", all, list{user, scheme(wsmanclient.Digest)}, 0},
		{"Digest without a user", "https://srv", all, list{scheme(wsmanclient.Digest)}, 0x803380B0},
		{"Digest cannot seal", "http://srv", trust("*"), list{user, scheme(wsmanclient.Digest)}, 0x803380DE},
		{"Digest in the clear", "http://srv", clear, list{user, scheme(wsmanclient.Digest)}, 0},
		{"Digest in the clear to a stranger", "http://srv", strange, list{user, scheme(wsmanclient.Digest)}, 0x803380E4},
		{"CredSSP over https", "https://srv", all, list{user, scheme(wsmanclient.CredSSP)}, 0},
		{"CredSSP seals over http", "http://srv", trust("srv"), list{user, scheme(wsmanclient.CredSSP)}, 0},
		{"CredSSP over http to a stranger", "http://srv", all, list{user, scheme(wsmanclient.CredSSP)}, 0x803380E4},
		{"CredSSP without a user", "https://srv", all, list{scheme(wsmanclient.CredSSP)}, 0x803381A1},
		{"CredSSP with a hash", "https://srv", all, list{hash, scheme(wsmanclient.CredSSP)}, 0x803381A1},
		{"a policy for another domain", "https://srv", policy(fresh("WSMAN/*.corp.example")), list{user, scheme(wsmanclient.CredSSP)}, 0x803381A3},
		{"a policy for the domain", "https://srv.corp.example", policy(fresh("WSMAN/*.corp.example")), list{user, scheme(wsmanclient.CredSSP)}, 0},
		{"a policy for the host where NTLM is enough", "https://SRV", policy(settings.Delegation{FreshNTLMOnly: spns("wsman/srv")}), list{user, scheme(wsmanclient.CredSSP)}, 0},
		{"a policy for another service", "https://srv", policy(fresh("TERMSRV/*")), list{user, scheme(wsmanclient.CredSSP)}, 0x803381A3},
		{"a policy that is switched off", "https://srv", policy(fresh()), list{user, scheme(wsmanclient.CredSSP)}, 0x803381A3},
		{"a policy against the host", "https://srv", policy(settings.Delegation{Deny: spns("WSMAN/*")}), list{user, scheme(wsmanclient.CredSSP)}, 0x803381A3},
		{"policies are about CredSSP alone", "https://srv", policy(fresh()), list{user}, 0},
		{"Kerberos to an address", "https://192.0.2.1", all, list{user, scheme(wsmanclient.Kerberos)}, 0x8033810B},
		{"Kerberos to loopback", "http://localhost", all, list{user, scheme(wsmanclient.Kerberos)}, 0x8033810E},
		{"Kerberos outside of a domain", "http://srv", all, list{scheme(wsmanclient.Kerberos)}, 0x8033810C},
		{"nothing given, an address", "http://192.0.2.1", all, nil, 0x803381BB},
		{"nothing given, a name", "http://srv", all, nil, 0x803380E5},
		{"Negotiate without a user", "http://srv", all, list{scheme(wsmanclient.Negotiate)}, 0x803380E5},
		{"Negotiate without a user, implicit", "https://srv", all, list{scheme(wsmanclient.Negotiate), implicit}, 0x803380E5},
		{"None is for Identify", "http://srv", clear, list{scheme(wsmanclient.None)}, wsman.CodeInvalidParameter},
		{"an unknown scheme", "https://srv", all, list{user, scheme("Ntlm2")}, wsman.CodeInvalidParameter},
	} {
		dialed := false
		o := wsmanclient.Options{Settings: func() *settings.Client { return &test.set },
			DialContext: func(context.Context, string, string) (net.Conn, error) { dialed = true; return nil, errReached }}
		for _, f := range test.change {
			f(&o)
		}
		c, err := wsmanclient.New(test.endpoint, o)
		if err != nil {
			t.Errorf("%s: New: %v", test.name, err)
			continue
		}
		_, err = c.Get(t.Context(), wsman.EPR{ResourceURI: wsman.ResourceConfig}, nil)
		var f *wsman.Fault
		switch {
		case test.want == 0 && (!dialed || !errors.Is(err, errReached)):
			t.Errorf("%s: %v, want permission", test.name, err)
		case test.want != 0 && (dialed || !errors.As(err, &f) || f.Code != test.want || f.Remote):
			t.Errorf("%s: %v, want 0x%08X", test.name, err, uint32(test.want))
		case test.want != 0 && len(f.Message) < 30:
			t.Errorf("%s: the text is only %q", test.name, f.Message)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSettingsAreFollowed: a client that was refused is let through once the
// host is trusted, without being made anew.
func TestSettingsAreFollowed(t *testing.T) {
	set := settings.Client{URLPrefix: "wsman", Auth: settings.Auth{Negotiate: true}, DefaultPorts: settings.Ports{HTTP: 5985, HTTPS: 5986}}
	c, err := wsmanclient.New("srv", wsmanclient.Options{Settings: func() *settings.Client { return &set },
		Credentials: auth.Credentials{Username: "u", Password: "p"},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errReached }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Identify(t.Context(), wsmanclient.IdentifyOptions{}); !errors.Is(err, wsman.CodeServerNotTrusted) {
		t.Errorf("before: %v", err)
	}
	set.TrustedHosts = "srv"
	if _, err := c.Identify(t.Context(), wsmanclient.IdentifyOptions{}); !errors.Is(err, errReached) {
		t.Errorf("after: %v", err)
	}
}

// TestEndpoints: the connection strings of spec sections 1.3 and 2.
func TestEndpoints(t *testing.T) {
	for s, want := range map[string]string{
		"myserver":                               "http://myserver:5985/wsman",
		"myserver:80":                            "http://myserver:80/wsman",
		"http://169.51.2.101:80":                 "http://169.51.2.101:80/wsman",
		"https://[::FFFF:129.144.52.38]":         "https://[::FFFF:129.144.52.38]:5986/wsman",
		"http://[1080:0:0:0:8:800:200C:417A]:80": "http://[1080:0:0:0:8:800:200C:417A]:80/wsman",
		"1080:0:0:0:8:800:200C:417A":             "http://[1080:0:0:0:8:800:200C:417A]:5985/wsman",
		"HTTPS://Contoso.COM/a/b/":               "https://Contoso.COM:5986/a/b",
		"https://contoso.com:443":                "https://contoso.com:443/wsman",
		"":                                       "",
		"ftp://x":                                "",
		"http://":                                "",
		"a b":                                    "",
		"http://x?y":                             "",
		"u@x":                                    "",
		"x:0":                                    "",
		"x:65536":                                "",
		"x:y":                                    "",
		"http://x/#":                             "",
	} {
		c, err := wsmanclient.New(s, wsmanclient.Options{})
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is taken for %s", s, c.Endpoint())
		case want != "" && (err != nil || c.Endpoint() != want):
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
	for _, o := range []wsmanclient.Options{{TLS: wsmanclient.TLSOptions{SHA256: "abc"}}, {Proxy: "gopher://p"}} {
		if _, err := wsmanclient.New("x", o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if _, err := wsmanclient.New("x", wsmanclient.Options{Proxy: "ftp://u:geheim@p:1"}); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a bad proxy: %v", err)
	}
}
