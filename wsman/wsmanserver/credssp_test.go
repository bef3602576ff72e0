package wsmanserver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
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
