package wsmanserver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/credssp"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// offered lists the schemes of a 401.
func offered(t *testing.T, url string) []string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // #nosec G402 -- a test
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	return resp.Header.Values("WWW-Authenticate")
}

// credSSPClient signs in by CredSSP; the settings are those of a client that may, trusted are the authorities that
// it trusts.
func credSSPClient(t *testing.T, s *casementtest.Server, url, password string, set settings.Client, trusted ...*x509.Certificate) *wsmanclient.Client {
	t.Helper()
	set.Auth.CredSSP, set.URLPrefix, set.NetworkDelayms = true, "wsman", 5000
	roots := x509.NewCertPool()
	for _, root := range trusted {
		roots.AddCert(root)
	}
	c, err := wsmanclient.New(strings.TrimSuffix(url, "/wsman"), wsmanclient.Options{
		Scheme: wsmanclient.CredSSP, Credentials: auth.Credentials{Username: s.User, Password: password},
		TLS: wsmanclient.TLSOptions{SHA256: s.Thumbprint, Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, Settings: func() *settings.Client { return &set },
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) { // every name is this machine
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			var d net.Dialer
			return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func getConfig(ctx context.Context, c *wsmanclient.Client) error {
	_, err := c.Get(ctx, wsman.EPR{ResourceURI: wsman.ResourceConfig}, nil)
	return err
}

// Row 2.83: CredSSP is offered when Service/Auth/CredSSP is true, which is not the default, over http and https;
// a change holds at once.
func TestCredSSPSwitch(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t)})
	for _, url := range []string{s.HTTP, s.HTTPS} {
		c := credSSPClient(t, s, url, s.Password, settings.Client{})
		for _, value := range []string{"", "true", "false", "true"} {
			if value != "" {
				s.Set("Service/Auth/CredSSP", value)
			}
			on := value == "true"
			if got := offered(t, url); slices.Contains(got, "CredSSP") != on || !slices.Contains(got, "Negotiate") {
				t.Errorf("%s: with %q the service offers %q", url, value, got)
			}
			err := getConfig(t.Context(), c)
			var f *wsman.Fault
			if on && err != nil || !on && (!errors.As(err, &f) || f.Code != wsman.CodeAccessDenied) {
				t.Errorf("%s: with %q: %v", url, value, err)
			}
		}
		s.Set("Service/Auth/CredSSP", "false")
	}
	s.Set("Service/Auth/CredSSP", "true")
	if err := getConfig(t.Context(), credSSPClient(t, s, s.HTTP, "wrong", settings.Client{})); err == nil || !strings.Contains(err.Error(), "wrong password") {
		t.Errorf("a wrong password: %v", err)
	}
}

// The policies of the client are asked again when it is known what vouches for the service: NTLM alone, or the
// certificate of CertificateThumbprint as well. The credentials have not left then.
func TestCredSSPPolicies(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Settings: map[string]string{"Service/Auth/CredSSP": "true"}})
	all := settings.SPNPolicy{Configured: true, Names: []string{"WSMAN/*"}}
	for want, d := range map[wsman.Code]settings.Delegation{0: {FreshNTLMOnly: all}, 0x803381A4: {Fresh: all}} {
		err := getConfig(t.Context(), credSSPClient(t, s, s.HTTP, s.Password, settings.Client{Delegation: d}))
		var f *wsman.Fault
		if want == 0 && err != nil || want != 0 && (!errors.As(err, &f) || f.Code != want) {
			t.Errorf("%+v: %v, want %v", d, err, want)
		}
	}
	certificates, err := s.Service.State.Certificates.All()
	if err != nil || len(certificates) != 1 {
		t.Fatal(err, len(certificates))
	}
	s.Set("Service/CertificateThumbprint", service.Thumbprint(certificates[0].Leaf))
	fresh := settings.Client{Delegation: settings.Delegation{Fresh: all}}
	var f *wsman.Fault
	if err := getConfig(t.Context(), credSSPClient(t, s, s.HTTP, s.Password, fresh)); !errors.As(err, &f) || f.Code != 0x803381A4 {
		t.Errorf("a certificate that nobody trusts: %v", err)
	}
	if err := getConfig(t.Context(), credSSPClient(t, s, s.HTTP, s.Password, fresh, certificates[0].Leaf)); err != nil {
		t.Errorf("a certificate that is trusted: %v", err)
	}
	at, err := url.Parse(s.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	at.Host = "other.example:" + at.Port()
	fresh.TrustedHosts = "*"
	other := credSSPClient(t, s, at.String(), s.Password, fresh, certificates[0].Leaf)
	if err := getConfig(t.Context(), other); !errors.As(err, &f) || f.Code != 0x803381A4 {
		t.Errorf("a trusted certificate for another name: %v", err)
	}
	s.Set("Service/CertificateThumbprint", strings.Repeat("0", 40))
	if err := getConfig(t.Context(), credSSPClient(t, s, s.HTTP, s.Password, settings.Client{})); err == nil {
		t.Error("without the certificate of the setting the service signs in all the same")
	}
}

// AllowEncryptionOracle: at Force Updated Clients the service refuses what CVE-2018-0886 concerns, else it takes
// old clients; our client refuses old services but at Vulnerable.
func TestCredSSPOldVersions(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Settings: map[string]string{"Service/Auth/CredSSP": "true"}})
	for _, level := range []uint32{1, 0, 2} {
		s.Apply(settings.Change{Key: settings.KeyCredSSP, Name: "AllowEncryptionOracle", Value: registry.DWORD(level)})
		for version := credssp.MinVersion; version <= credssp.Version; version++ {
			err := identifyByCredSSP(t, s, s.HTTP, func(o *credssp.InitiatorOptions) { o.Version, o.MinVersion = version, 2 }, nil)
			if want := level != 0 || version >= 5; (err == nil) != want {
				t.Errorf("at level %d a client of version %d: %v", level, version, err)
			}
		}
	}
	for oracle, want := range map[settings.EncryptionOracle]int{settings.OracleMitigated: 5, settings.OracleForceUpdated: 5, settings.OracleVulnerable: 2} {
		if got := oracle.ClientMinVersion(); got != want {
			t.Errorf("level %d: our client takes version %d", oracle, got)
		}
	}
}

// identifyByCredSSP sends one Identify. change varies the client's side; refused, if not nil, is told of a 401.
func identifyByCredSSP(t *testing.T, s *casementtest.Server, endpoint string, change func(*credssp.InitiatorOptions), refused func()) error {
	t.Helper()
	at, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	c := auth.Credentials{Username: s.User, Password: s.Password}
	o := credssp.InitiatorOptions{Credentials: c, Inner: func() auth.Initiator {
		return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
			return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c})
		}})
	}}
	if change != nil {
		change(&o)
	}
	conn, err := httpauth.NewClientConn(httpauth.ClientOptions{URL: at, Scheme: httpauth.CredSSP, TLS: &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- a test
		Trace:        &httpauth.Trace{Unauthorized: func([]string) { refused() }},
		NewInitiator: func(string, *auth.ChannelBindings) (auth.Initiator, error) { return credssp.NewInitiator(o), nil }})
	if err != nil {
		t.Fatal(err)
	}
	if refused == nil {
		refused = func() {}
	}
	defer conn.Close()
	resp, err := conn.Do(t.Context(), &httpauth.Message{Body: []byte(identify)})
	if err == nil && resp.Status != http.StatusOK {
		return fmt.Errorf("status %d", resp.Status)
	}
	return err
}

// The proof of CredSSP says nothing of the https around it: under Strict a message that only https protects is
// refused, and one that CredSSP seals is not, whatever the transport. Our client seals always.
func TestCredSSPStrict(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Settings: map[string]string{"Service/Auth/CredSSP": "true"}})
	for level, want := range map[string]bool{"Relaxed": true, "None": true, "Strict": false} {
		s.Set("Service/Auth/CbtHardeningLevel", level)
		refused := false
		err := identifyByCredSSP(t, s, s.HTTPS, nil, func() { refused = true })
		if (err == nil) != want || refused == want {
			t.Errorf("%s: a clear message within https: 401 %t, %v", level, refused, err)
		}
		for _, at := range []string{s.HTTP, s.HTTPS} {
			if err := getConfig(t.Context(), credSSPClient(t, s, at, s.Password, settings.Client{})); err != nil {
				t.Errorf("%s: %s: %v", level, at, err)
			}
		}
	}
}

const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`
