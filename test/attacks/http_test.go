package attacks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// The attacker lures a client to a TLS server of their own and hands its tokens on to the real service. The client's proof is bound to the attacker's
// certificate, so that the service refuses it at Relaxed and at Strict; the proof of an old client is bound to nothing, which Strict refuses.
func TestRelayFromAnotherTLSServer(t *testing.T) {
	s := victim(t, casementtest.Options{})
	lure := call(t, impostor(t)) // what the client sees: another certificate
	theirs := auth.TLSServerEndPoint(lure.cert)
	for _, row := range []struct {
		level    string
		bindings *auth.ChannelBindings
		through  bool
	}{
		{"Relaxed", theirs, false}, {"Strict", theirs, false}, {"Strict", nil, false},
		{"Relaxed", nil, true}, // what Strict is for: an old client's proof has no binding
	} {
		s.Set("Service/Auth/CbtHardeningLevel", row.level)
		c := call(t, s.HTTPS)
		c.signIn(as(s.User, s.Password, row.bindings), nil)
		if a := c.post(nil, soapType, getConfig); a.served() != row.through {
			t.Errorf("%s, bound %v: served %v, HTTP %d", row.level, row.bindings != nil, a.served(), a.status)
		}
	}
}

// impostor is a TLS server with a certificate of its own.
func impostor(t *testing.T) (url string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c); c.Close() }()
		}
	}()
	return "https://" + l.Addr().String() + "/wsman"
}

// The attacker has recorded a sign-in, and sends its last token again, on the same connection and on another: the challenge is another one.
func TestReplayedSignIn(t *testing.T) {
	s := victim(t, casementtest.Options{})
	var recorded [][]byte
	c := call(t, s.HTTP)
	if a := c.signIn(as(s.User, s.Password, nil), func(_ int, token []byte) []byte { recorded = append(recorded, token); return token }); a.status != http.StatusOK {
		t.Fatalf("the victim's own sign-in: %d", a.status)
	}
	other := call(t, s.HTTP)
	refused(t, "the last token alone", other.post(recorded[1], soapType, ""))
	other = call(t, s.HTTP)
	if a := other.post(recorded[0], soapType, ""); a.token == nil {
		t.Fatalf("no challenge: %d", a.status)
	}
	refused(t, "both tokens on another connection", other.post(recorded[1], soapType, ""))
	refused(t, "a request after it", other.post(nil, soapType, getConfig))
}

// The attacker stands between and sends a sealed request once more, or two in the other order, or a piece of one.
func TestReplayedReorderedTruncatedRequests(t *testing.T) {
	s := victim(t, casementtest.Options{})
	begin := func() (*caller, auth.Context) {
		t.Helper()
		c, i := call(t, s.HTTP), as(s.User, s.Password, nil)
		if a := c.signIn(i, nil); a.status != http.StatusOK {
			t.Fatalf("the victim's own sign-in: %d", a.status)
		}
		return c, i.Context()
	}
	c, own := begin()
	message := seal(t, own, getConfig)
	if a := c.post(nil, sealedType, message); !strings.Contains(unseal(own, a.body), "MaxEnvelopeSizekb") {
		t.Fatalf("the victim's own request: %d", a.status)
	}
	refused(t, "the same request again", c.post(nil, sealedType, message))

	c, own = begin()
	_, second := seal(t, own, getConfig), seal(t, own, getConfig)
	refused(t, "the second request first", c.post(nil, sealedType, second))

	c, own = begin()
	message = seal(t, own, getConfig)
	refused(t, "a request that is cut", c.post(nil, sealedType, message[:len(message)-40]+"--Encrypted Boundary--\r\n"))

	c, own = begin()
	changed := []byte(seal(t, own, getConfig))
	changed[len(changed)-100] ^= 1
	refused(t, "a request with one other bit", c.post(nil, sealedType, string(changed)))

	// a request of one connection in another, whose keys are others
	c, own = begin()
	d, _ := begin()
	refused(t, "a request of another connection", d.post(nil, sealedType, seal(t, own, getConfig)))
	_ = c
}

// The attacker knows no password and asks in the middle of an exchange.
func TestUseBeforeProof(t *testing.T) {
	s := victim(t, casementtest.Options{Settings: map[string]string{"Service/AllowUnencrypted": "true"}})
	i := as(s.User, "not "+s.Password, nil)
	token, _, err := i.Step(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := call(t, s.HTTP)
	refused(t, "a request with the first token", c.post(token, soapType, getConfig))
	refused(t, "a request while a challenge is open", c.post(nil, soapType, getConfig))
	c = call(t, s.HTTP)
	if a := c.signIn(as(s.User, "not "+s.Password, nil), nil); a.status != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", a.status)
	}
	refused(t, "a request after a wrong proof", c.post(nil, soapType, getConfig))
}

// The attacker stands between and takes offers away: a client that was told to use Negotiate sends neither its password nor a request in the clear,
// whatever is left; and a client that was told nothing never picks Basic by itself.
func TestStrippedOffers(t *testing.T) {
	for _, offer := range []string{"", `Basic realm="WSMAN"`, `Digest realm="WSMAN", nonce="1", qop="auth"`} {
		var seen strings.Builder
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			seen.WriteString(r.Header.Get("Authorization") + "\n" + string(b) + "\n")
			if offer != "" {
				w.Header().Set("WWW-Authenticate", offer)
			}
			w.WriteHeader(http.StatusUnauthorized)
		})}
		done := make(chan struct{})
		go func() { defer close(done); _ = server.Serve(l) }()
		for _, scheme := range []wsmanclient.Scheme{wsmanclient.Automatic, wsmanclient.Negotiate} {
			c, err := casement.Dial(t.Context(), "http://"+l.Addr().String(), casement.Options{User: "victim", Password: "Secret-1-word", Scheme: scheme, HostsFile: "-"})
			if err != nil {
				t.Fatal(err)
			}
			if rows, err := c.Query(t.Context(), "", "SELECT Name FROM Win32_ComputerSystem"); err == nil {
				if _, err = rows.Next(t.Context(), 1); err == nil {
					t.Errorf("%q after %q: a query succeeds", scheme, offer)
				}
				rows.Close()
			}
			c.Close()
		}
		server.Close()
		<-done
		for _, secret := range []string{"Secret-1-word", "dmljdGltOlNlY3JldC0xLXdvcmQ", "Win32_ComputerSystem", "Basic ", "Digest "} {
			if strings.Contains(seen.String(), secret) {
				t.Errorf("after the offer %q the wire has %q", offer, secret)
			}
		}
		if !strings.Contains(seen.String(), "Negotiate ") {
			t.Errorf("after the offer %q nothing was tried", offer)
		}
	}
}
