package wsmanserver_test

import (
	"context"
	"crypto/tls"
	"errors"
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

// credSSPClient signs in by CredSSP; the settings are those of a client that may.
func credSSPClient(t *testing.T, s *casementtest.Server, url, password string, set settings.Client) *wsmanclient.Client {
	t.Helper()
	set.Auth.CredSSP, set.URLPrefix, set.NetworkDelayms = true, "wsman", 5000
	c, err := wsmanclient.New(strings.TrimSuffix(url, "/wsman"), wsmanclient.Options{
		Scheme: wsmanclient.CredSSP, Credentials: auth.Credentials{Username: s.User, Password: password},
		TLS: wsmanclient.TLSOptions{SHA256: s.Thumbprint}, Settings: func() *settings.Client { return &set },
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

// The policies of the client are asked again when it is known that nothing but NTLM vouches for the service, and
// before the credentials leave; the service can refuse clients of before the correction of CVE-2018-0886.
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
}

// The proof of CredSSP says nothing of the https around it: under Strict a message that only https protects is
// refused, and one that CredSSP seals is not, whatever the transport. Our client seals always.
func TestCredSSPStrict(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Settings: map[string]string{"Service/Auth/CredSSP": "true"}})
	at, err := url.Parse(s.HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	c := auth.Credentials{Username: s.User, Password: s.Password}
	clear := func() int {
		refused := false
		conn, err := httpauth.NewClientConn(httpauth.ClientOptions{URL: at, Scheme: httpauth.CredSSP, TLS: &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- a test
			Trace: &httpauth.Trace{Unauthorized: func([]string) { refused = true }},
			NewInitiator: func(string, *auth.ChannelBindings) (auth.Initiator, error) {
				return credssp.NewInitiator(credssp.InitiatorOptions{Credentials: c, Inner: func() auth.Initiator {
					return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
						return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c})
					}})
				}}), nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		resp, err := conn.Do(t.Context(), &httpauth.Message{Body: []byte(identify)})
		if refused { // and what it tries then is of no interest
			return http.StatusUnauthorized
		}
		if err != nil {
			t.Fatal(err)
		}
		return resp.Status
	}
	for level, want := range map[string]int{"Relaxed": http.StatusOK, "None": http.StatusOK, "Strict": http.StatusUnauthorized} {
		s.Set("Service/Auth/CbtHardeningLevel", level)
		if got := clear(); got != want {
			t.Errorf("%s: a clear message within https is answered with %d", level, got)
		}
		for _, at := range []string{s.HTTP, s.HTTPS} {
			if err := getConfig(t.Context(), credSSPClient(t, s, at, s.Password, settings.Client{})); err != nil {
				t.Errorf("%s: %s: %v", level, at, err)
			}
		}
	}
}

const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`
