package wsmanserver_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// signIn proves the Administrator by NTLM on one connection: the client that
// holds it, and the context or nil where the proof was refused.
func signIn(t *testing.T, url string, s *casementtest.Server, bound bool, target ...string) (*http.Client, auth.Context) {
	t.Helper()
	var bindings *auth.ChannelBindings
	transport := &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, // #nosec G402 -- a test
		VerifyConnection: func(c tls.ConnectionState) error {
			if bound {
				bindings = auth.TLSServerEndPoint(c.PeerCertificates[0])
			}
			return nil
		}}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	post := func(token []byte) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != nil {
			req.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(token))
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp
	}
	if resp := post(nil); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != "Negotiate" {
		t.Fatalf("without a proof: %s %v", resp.Status, resp.Header)
	}
	initiator := spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{
			Credentials: auth.Credentials{Username: s.User, Password: s.Password}, ChannelBindings: bindings,
			TargetName: strings.Join(target, ""),
		})
	}})
	var in []byte
	for {
		out, done, err := initiator.Step(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if done && len(out) == 0 {
			return client, initiator.Context()
		}
		resp := post(out)
		answer := strings.TrimPrefix(resp.Header.Get("WWW-Authenticate"), "Negotiate")
		in, err = base64.StdEncoding.DecodeString(strings.TrimSpace(answer))
		if err != nil {
			t.Fatal(err)
		}
		if len(in) == 0 {
			if resp.StatusCode == http.StatusOK {
				return client, initiator.Context()
			}
			return client, nil
		}
		if done {
			return client, initiator.Context()
		}
	}
}

// Statement 60: channel bindings under Strict, Relaxed and None, over HTTPS and
// HTTP, with and without a token. A change holds for the next connection.
func TestChannelBindings(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t)})
	for _, c := range []struct {
		level         string
		secure, bound bool
		admitted      bool
	}{
		{"Strict", true, false, false}, {"Strict", true, true, true}, {"Strict", false, false, true},
		{"Relaxed", true, false, true}, {"Relaxed", true, true, true}, {"Relaxed", false, false, true},
		{"None", true, false, true}, {"None", true, true, true},
	} {
		s.Set("Service/Auth/CbtHardeningLevel", c.level)
		url := s.HTTP
		if c.secure {
			url = s.HTTPS
		}
		if _, context := signIn(t, url, s, c.bound); (context != nil) != c.admitted {
			t.Errorf("60: %+v: admitted %v", c, context != nil)
		}
	}
}

// A proof that was made for another service is being relayed, and refused.
func TestTargetName(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t)})
	for target, admitted := range map[string]bool{"HTTP/host": true, "WSMAN/host": true, "host/host": true, "cifs/host": false, "ldap/host": false} {
		if _, context := signIn(t, s.HTTP, s, false, target); (context != nil) != admitted {
			t.Errorf("a proof for %s: admitted %v", target, context != nil)
		}
	}
}

// Statement 85: a sealed answer says the length of its plaintext and has the
// documented boundary; over HTTP nothing goes in clear text.
func TestSealedAnswer(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t)})
	client, context := signIn(t, s.HTTP, s, false)
	if context == nil {
		t.Fatal("NTLM over HTTP is refused")
	}
	send := func(contentType string, body []byte) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTP, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, answer
	}
	for _, class := range []string{"CT_Only", "CT_None"} { // an answer and a fault
		contentType, sealed, err := httpauth.Seal(context, httpauth.ProtocolSPNEGO, soapUTF8, []byte(request{action: get, uri: wmi(class)}.envelopeText()))
		if err != nil {
			t.Fatal(err)
		}
		resp, answer := send(contentType, sealed)
		text := string(answer)
		const want = `multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"`
		if got := resp.Header.Get("Content-Type"); got != want {
			t.Errorf("85: Content-Type: %s", got)
		}
		if !strings.HasPrefix(text, "--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n") ||
			!strings.HasSuffix(text, "--Encrypted Boundary--\r\n") || strings.Contains(text, "Envelope") {
			t.Errorf("85: %q", text[:min(len(text), 300)])
		}
		_, length, _ := strings.Cut(text, "OriginalContent: type=application/soap+xml;charset=UTF-8;Length=")
		length, _, _ = strings.Cut(length, "\r\n")
		_, plain, err := httpauth.Unseal(context, httpauth.ProtocolSPNEGO, answer, 1<<20)
		if err != nil || length != strconv.Itoa(len(plain)) {
			t.Errorf("85: Length=%s, the plaintext has %d (%v)", length, len(plain), err)
		}
	}
	// The same connection may not fall back to clear text.
	if resp, answer := send(soapUTF8, []byte(request{action: get, uri: wmi("CT_Only")}.envelopeText())); resp.StatusCode == http.StatusOK || len(answer) > 0 {
		t.Errorf("5.4: clear text: %s %s", resp.Status, answer)
	}
}

// A sealed request that was altered, repeated or that comes from elsewhere is
// refused without an answer in SOAP, and its connection proves nothing any more.
func TestAlteredRequests(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: machine(t)})
	message := []byte(request{action: get, uri: wmi("CT_Only")}.envelopeText())
	for name, spoil := range map[string]func(contentType string, sealed []byte) (string, []byte){
		"altered": func(c string, b []byte) (string, []byte) { b[len(b)-40] ^= 1; return c, b },
		"cut":     func(c string, b []byte) (string, []byte) { return c, b[:len(b)-60] },
		"signature": func(c string, b []byte) (string, []byte) {
			b[bytes.Index(b, []byte("octet-stream\r\n"))+22] ^= 1
			return c, b
		},
		"protocol": func(c string, b []byte) (string, []byte) { return strings.ReplaceAll(c, "SPNEGO", "Odd"), b },
		"repeated": func(c string, b []byte) (string, []byte) { return c, b },
	} {
		client, context := signIn(t, s.HTTP, s, false)
		if context == nil {
			t.Fatal("NTLM over HTTP is refused")
		}
		post := func(contentType string, body []byte) (int, string) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTP, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", contentType)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, string(answer)
		}
		contentType, sealed, err := httpauth.Seal(context, httpauth.ProtocolSPNEGO, soapUTF8, bytes.Clone(message))
		if err != nil {
			t.Fatal(err)
		}
		if name == "repeated" {
			if status, _ := post(contentType, sealed); status != http.StatusOK {
				t.Fatalf("the first time: %d", status)
			}
		}
		if status, answer := post(spoil(contentType, sealed)); status != http.StatusBadRequest && status != http.StatusUnauthorized || answer != "" {
			t.Errorf("%s: %d %q", name, status, answer)
		}
		contentType, sealed, err = httpauth.Seal(context, httpauth.ProtocolSPNEGO, soapUTF8, bytes.Clone(message))
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := post(contentType, sealed); status == http.StatusOK {
			t.Errorf("%s: the proof still holds", name)
		}
	}
}
