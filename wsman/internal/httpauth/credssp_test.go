package httpauth

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/credssp"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
)

var credSSPCertificate = sync.OnceValue(func() *tls.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CREDSSP-SERVER"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

func (s *service) credSSP(info ConnInfo) auth.Acceptor {
	a, err := credssp.NewAcceptor(credssp.AcceptorOptions{Certificate: credSSPCertificate(), TLS: s.inner,
		Inner: func() auth.Acceptor { return s.acceptor(ConnInfo{Remote: info.Remote}) }})
	if err != nil {
		panic(err)
	}
	return a
}

func credSSPInitiator(password string, config *tls.Config) func(string, *auth.ChannelBindings) (auth.Initiator, error) {
	c := auth.Credentials{Username: `CORP\alice`, Password: password}
	return func(string, *auth.ChannelBindings) (auth.Initiator, error) {
		return credssp.NewInitiator(credssp.InitiatorOptions{Credentials: c, TLS: config, Inner: func() auth.Initiator {
			return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
				return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c})
			}})
		}}), nil
	}
}

// Messages of every size in both directions over CredSSP: one part up to 16 KB, more above; the service has the
// credentials as long as the connection lives. See [MS-WSMV] 2.2.9.1.3.
func TestCredSSP(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, https %t", tls.VersionName(version), secure), func(t *testing.T) {
				var mu sync.Mutex
				var seen []string
				var last *credssp.Context
				s := listen(t, secure, func(s *service) {
					s.inner = &tls.Config{MinVersion: version, MaxVersion: version}
					s.handler = func(e *Exchange, body []byte) bool {
						d := e.Delegated()
						mu.Lock()
						seen = append(seen, fmt.Sprintf("%s %t %s %s", e.Scheme, e.Sealed, d.Credentials.Username, d.Credentials.Password))
						last = e.st.context.(*credssp.Context)
						mu.Unlock()
						return false
					}
				})
				c := s.dial(t, "", func(o *ClientOptions) {
					o.Scheme, o.NewInitiator, o.AlwaysSeal = CredSSP, credSSPInitiator("secret", nil), true
				})
				sizes := []int{1, 100, recordSize - 5, recordSize, recordSize + 1, 2 * recordSize, 400_000}
				for _, size := range sizes {
					body := bytes.Repeat([]byte("Encrypted Boundary--\r\n"), size/22+1)[:size]
					resp, err := c.Do(t.Context(), &Message{Body: body})
					if err != nil {
						t.Fatalf("%d bytes: %v", size, err)
					}
					if want := append([]byte("echo:"), body...); !resp.Sealed || !bytes.Equal(resp.Body, want) {
						t.Fatalf("%d bytes: sealed %t, %d bytes came back", size, resp.Sealed, len(resp.Body))
					}
					if multi := strings.Contains(resp.Header.Get("Content-Type"), mediaMulti); multi != (size+5 > recordSize) {
						t.Errorf("%d bytes: %s", size, resp.Header.Get("Content-Type"))
					}
				}
				if s.conns.Load() != 1 {
					t.Errorf("%d connections", s.conns.Load())
				}
				c.Close()
				mu.Lock()
				defer mu.Unlock()
				for _, text := range seen {
					if text != `CredSSP true CORP\alice secret` {
						t.Errorf("the service saw %s", text)
					}
				}
				for end := time.Now().Add(5 * time.Second); last.Delegated() != nil; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("the credentials outlive their connection")
					}
				}
			})
		}
	}
}

// A wrong password is told inside the exchange, and the client hears that it is one.
func TestCredSSPLogonFailure(t *testing.T) {
	s := listen(t, false, nil)
	c := s.dial(t, "", func(o *ClientOptions) { o.Scheme, o.NewInitiator = CredSSP, credSSPInitiator("wrong", nil) })
	_, err := c.Do(t.Context(), &Message{Body: []byte("x")})
	var refused *UnauthorizedError
	var status *credssp.StatusError
	if !errors.As(err, &refused) || !errors.Is(err, auth.ErrLogonFailure) || !errors.As(err, &status) || status.Status != 0xC000006D {
		t.Error(err)
	}
}

// A message sealed for another scheme is not taken on a connection of CredSSP, nor the other way round.
func TestCredSSPMixedProtocols(t *testing.T) {
	for scheme, protocol := range map[string]Protocol{CredSSP: ProtocolSPNEGO, Negotiate: ProtocolCredSSP} {
		s := listen(t, false, nil)
		c := s.dial(t, "secret", func(o *ClientOptions) {
			if o.Scheme = scheme; scheme == CredSSP {
				o.NewInitiator = credSSPInitiator("secret", nil)
			}
		})
		if _, err := c.Do(t.Context(), &Message{Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		body := EncodeParts(protocol, []Part{{Type: soapMediaType, Length: 5, Field: 16, Data: make([]byte, 21)}})
		c.work()
		resp, err := c.roundTrip("", ContentType(protocol, false), body)
		c.rest()
		if err != nil || resp.Status != http.StatusBadRequest {
			t.Errorf("%s on a connection of %s: %v %v", protocol, scheme, resp, err)
		}
	}
}

// Connections that end within the exchange leave nothing behind.
func TestCredSSPAbandoned(t *testing.T) {
	s := listen(t, false, nil)
	credSSPCertificate()
	before := runtime.NumGoroutine()
	for range 20 {
		c := s.dial(t, "", func(o *ClientOptions) { o.Scheme, o.NewInitiator = CredSSP, credSSPInitiator("secret", nil) })
		c.work()
		if err := c.connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		initiator, _ := c.opts.NewInitiator(CredSSP, nil)
		hello, _, err := initiator.Step(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.roundTrip(encodeToken(CredSSP, hello), "", nil)
		c.rest()
		if token, ok := answerToken(resp.Header, CredSSP); err != nil || !ok || len(token) == 0 {
			t.Fatal(err, resp)
		}
		initiator.(*credssp.Initiator).Close()
		c.Close()
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}
