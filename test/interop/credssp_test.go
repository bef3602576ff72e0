package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/credssp"
)

// credSSPs are the exchanges: both versions of TLS, with the right and with a wrong password.
var credSSPs = []struct {
	name, tls, password string
	version             uint16
}{
	{"TLS 1.2", "TLSv1_2", peerPassword, tls.VersionTLS12},
	{"TLS 1.3", "TLSv1_3", peerPassword, tls.VersionTLS13},
	{"TLS 1.2 with a wrong password", "TLSv1_2", "wrong", tls.VersionTLS12},
	{"TLS 1.3 with a wrong password", "TLSv1_3", "wrong", tls.VersionTLS13},
}

// pyspnego's client against our acceptor: the exchange, the credentials that it hands over, and records both ways with the length of
// their trailer. See [MS-CSSP] 3.1.5 and [MS-WSMV] 2.2.9.1.3.
func TestPyspnegoCredSSPClient(t *testing.T) {
	for _, x := range credSSPs {
		t.Run(x.name, func(t *testing.T) {
			c := converse(t)
			if a := c.do(map[string]any{"do": "start", "side": "client", "protocol": "credssp", "user": `CORP\` + peerUser, "password": x.password, "version": x.tls}); a.Error != "" {
				t.Fatal(a.Error)
			}
			acceptor, err := credssp.NewAcceptor(credssp.AcceptorOptions{Certificate: selfSigned(t), TLS: &tls.Config{MinVersion: x.version, MaxVersion: x.version},
				Inner: func() auth.Acceptor { return newAcceptor(exchange{protocol: "negotiate"}) }})
			if err != nil {
				t.Fatal(err)
			}
			defer acceptor.Close()
			var out []byte
			for done := false; !done; {
				token, _, failure := c.step(out)
				if failure != "" {
					t.Fatal(failure)
				}
				if out, done, err = acceptor.Step(context.Background(), token); err != nil {
					break
				}
			}
			if x.password != peerPassword {
				if _, _, failure := c.step(out); !errors.Is(err, auth.ErrLogonFailure) || failure == "" {
					t.Errorf("we say %v, pyspnego says %q", err, failure)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := acceptor.Context().(auth.Delegator).Delegated(); d == nil || d.Credentials.Username != `CORP\`+peerUser || d.Credentials.Password != peerPassword {
				t.Errorf("delegated %v", d)
			}
			compareRecords(t, c, acceptor.Context().(*credssp.Context))
		})
	}
}

// Our initiator against pyspnego's acceptor, which serves for testing alone but is another's.
func TestPyspnegoCredSSPServer(t *testing.T) {
	for _, x := range credSSPs {
		t.Run(x.name, func(t *testing.T) {
			c := converse(t)
			if a := c.do(map[string]any{"do": "start", "side": "server", "protocol": "credssp", "version": x.tls, "accounts": [][]string{{"", peerUser, peerPassword}}}); a.Error != "" {
				t.Fatal(a.Error)
			}
			initiator := credssp.NewInitiator(credssp.InitiatorOptions{Credentials: auth.Credentials{Username: peerUser, Password: x.password}, MinVersion: 6,
				TLS:   &tls.Config{MinVersion: x.version, MaxVersion: x.version},
				Inner: func() auth.Initiator { return newInitiator(exchange{protocol: "negotiate", password: x.password}) }})
			defer initiator.Close()
			var in []byte
			for {
				out, ours, err := initiator.Step(context.Background(), in)
				if x.password != peerPassword && err != nil {
					// It says SEC_E_LOGON_DENIED where Windows has a status.
					var status *credssp.StatusError
					if !errors.As(err, &status) || !errors.Is(err, auth.ErrLogonFailure) {
						t.Error(err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				var theirs bool
				var failure string
				if in, theirs, failure = c.step(out); failure != "" {
					t.Fatal(failure)
				}
				if ours != theirs {
					t.Fatalf("we are done: %t, pyspnego is: %t", ours, theirs)
				}
				if ours {
					break
				}
			}
			if got := c.do(map[string]any{"do": "delegated"}); got.Error != "" || got.User != `\`+peerUser || string(c.bytes(got.Data)) != peerPassword || got.Key != "6" {
				t.Errorf("pyspnego was handed %+v", got)
			}
			compareRecords(t, c, initiator.Context().(*credssp.Context))
		})
	}
}

// compareRecords sends records both ways, and none that was changed passes.
func compareRecords(t *testing.T, c *conversation, ours *credssp.Context) {
	t.Helper()
	for _, size := range []int{1, 17, 4096, credssp.MaxRecord, 3} {
		plain := bytes.Repeat([]byte("casement "), size/9+1)[:size]
		record, trailer, err := ours.SealRecord(nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		got := c.do(map[string]any{"do": "unseal", "header": hex.EncodeToString(record[:trailer]), "data": hex.EncodeToString(record[trailer:])})
		if got.Error != "" || !bytes.Equal(c.bytes(got.Data), plain) {
			t.Fatalf("pyspnego cannot open %d bytes of ours: %s", size, got.Error)
		}
		sealed := c.do(map[string]any{"do": "seal", "data": hex.EncodeToString(plain)})
		if header := c.bytes(sealed.Header); sealed.Error != "" || len(header) != trailer {
			t.Fatalf("%d bytes have a trailer of %d here, and one of %d for pyspnego (%s)", size, trailer, len(header), sealed.Error)
		}
		opened, err := ours.UnsealRecord(append(c.bytes(sealed.Header), c.bytes(sealed.Data)...))
		if err != nil || !bytes.Equal(opened, plain) {
			t.Fatalf("we cannot open %d bytes of pyspnego: %v", size, err)
		}
	}
	sealed := c.do(map[string]any{"do": "seal", "data": hex.EncodeToString([]byte("one bit of this is changed"))})
	record := append(c.bytes(sealed.Header), c.bytes(sealed.Data)...)
	record[len(record)-20] ^= 1
	if _, err := ours.UnsealRecord(record); !errors.Is(err, auth.ErrMessageAltered) {
		t.Errorf("a changed record: %v", err)
	}
}

func selfSigned(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CREDSSP-CASEMENT"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// pypsrp 0.9.1 and pywinrm 0.5.0 with requests-credssp 2.0.0 against the running service: off until it is switched on, sealed over http and
// within https, answers of one part and of many, and a shell whose commands have what was handed over.
func TestCredSSPClients(t *testing.T) {
	everywhere(t, func(t *testing.T, s *service) {
		python(t, "winrm")
		binary, err := program()
		if err != nil {
			t.Fatal(err)
		}
		runPeer(t, s, 3*time.Minute, python(t, "pypsrp"), "credssp_peer.py", binary)
	})
}
