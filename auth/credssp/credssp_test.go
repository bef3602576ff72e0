package credssp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
)

var alice = auth.Credentials{Username: `CORP\alice`, Password: "sécret 🗝"}

func certificateFor(key any, public any) *tls.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CREDSSP-test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// Two keys, as a service and somebody in the middle have them, and one that is not RSA.
var rsaOne, rsaTwo, ecOne = sync.OnceValue(newRSA), sync.OnceValue(newRSA), sync.OnceValue(func() *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return certificateFor(key, &key.PublicKey)
})

func newRSA() *tls.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return certificateFor(key, &key.PublicKey)
}

func negotiation(c auth.Credentials) func() auth.Initiator {
	return func() auth.Initiator {
		return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
			return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c})
		}})
	}
}

func bareNTLM(c auth.Credentials) func() auth.Initiator {
	return func() auth.Initiator { return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: c}) }
}

func accepting() auth.Acceptor {
	return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: func() auth.Acceptor {
		return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "SERVER",
			Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
				if !strings.EqualFold(user, "alice") {
					return [16]byte{}, auth.ErrLogonFailure
				}
				return ntlm.NTHash(alice.Password), nil
			}})
	}})
}

func ends(t testing.TB, io InitiatorOptions, ao AcceptorOptions) (*Initiator, *Acceptor) {
	t.Helper()
	if io.Credentials.IsZero() {
		io.Credentials = alice
	}
	if io.Inner == nil {
		io.Inner = negotiation(io.Credentials)
	}
	if ao.Inner == nil {
		ao.Inner = accepting
	}
	if ao.Certificate == nil {
		ao.Certificate = rsaOne()
	}
	a, err := NewAcceptor(ao)
	if err != nil {
		t.Fatal(err)
	}
	i := NewInitiator(io)
	t.Cleanup(func() { i.Close(); a.Close() })
	return i, a
}

// between changes a token on its way; n counts those of its direction from 0.
type between func(n int, fromClient bool, token []byte) []byte

// run steps both ends until both are done, or one fails. What a service says with its error reaches the client.
func run(t testing.TB, i auth.Initiator, a auth.Acceptor, change between) (client, service error) {
	t.Helper()
	var in []byte
	for n := range 12 {
		out, done, err := i.Step(t.Context(), in)
		if err != nil {
			return err, service
		}
		if service != nil {
			return nil, service
		}
		if change != nil {
			out = change(n, true, out)
		}
		var accepted bool
		if in, accepted, service = a.Step(t.Context(), out); service != nil && len(in) == 0 {
			return nil, service
		}
		if done != accepted {
			if !done && service != nil {
				continue
			}
			t.Fatalf("after %d legs the client is done: %t, the service: %t %v", n, done, accepted, service)
		}
		if done {
			return nil, nil
		}
		if change != nil {
			in = change(n, false, in)
		}
	}
	t.Fatal("no end")
	return nil, nil
}

func tlsOnly(version uint16, suites ...uint16) *tls.Config {
	return &tls.Config{MinVersion: version, MaxVersion: version, CipherSuites: suites}
}

// talk carries messages of several sizes in one direction.
func talk(t testing.TB, from, to auth.Context) {
	t.Helper()
	for _, size := range []int{1, 16, 4095, MaxRecord} {
		plain := bytes.Repeat([]byte{byte(size), 'x', '<'}, size/3+1)[:size]
		prefix := []byte("head")
		out, trailer, err := from.(*Context).SealRecord(prefix, plain)
		if err != nil || !bytes.HasPrefix(out, prefix) {
			t.Fatalf("seal %d bytes: %v", size, err)
		}
		record := out[len(prefix):]
		if got := int(binary.BigEndian.Uint16(record[3:])); got != len(record)-5 || trailer <= 0 || trailer > 80 {
			t.Errorf("%d bytes are a record of %d with %d bytes in all, trailer %d", size, got, len(record), trailer)
		}
		got, err := to.(*Context).UnsealRecord(bytes.Clone(record))
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("unseal %d bytes: %v", size, err)
		}
	}
}

// Each version on either side with each version of TLS: both end in a context, the service holds the credentials.
func TestVersions(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for client := MinVersion; client <= Version+1; client++ {
			for service := MinVersion; service <= Version+1; service++ {
				t.Run(fmt.Sprintf("%s/%d-%d", tls.VersionName(v), client, service), func(t *testing.T) {
					i, a := ends(t, InitiatorOptions{Version: client, MinVersion: 2, TLS: tlsOnly(v)}, AcceptorOptions{Version: service})
					if c, s := run(t, i, a, nil); c != nil || s != nil {
						t.Fatal(c, s)
					}
					if got := a.Context().(auth.Delegator).Delegated(); got == nil || got.Credentials.Username != alice.Username || got.Credentials.Password != alice.Password {
						t.Errorf("delegated %v", got)
					}
					if id := a.Context().Identity(); id.User != "alice" || id.Domain != "CORP" || id.Mechanism != auth.NTLM || !id.Protected {
						t.Errorf("identity %+v", id)
					}
					if d := i.Context().(auth.Delegator).Delegated(); d != nil {
						t.Errorf("the client's own context has %v", d)
					}
					talk(t, i.Context(), a.Context())
					talk(t, a.Context(), i.Context())
				})
			}
		}
	}
}

// The length of the trailer, by cipher suite: 16 for GCM and ChaCha20, 17 in TLS 1.3, and with CBC the MAC and
// the padding to whole blocks. See [RFC5288] 3, [RFC8446] 5.2, [RFC5246] 6.2.3.2.
func TestTrailer(t *testing.T) {
	for _, tt := range []struct {
		version, suite uint16
		cert           *tls.Certificate
		want           func(plain int) int
	}{
		{tls.VersionTLS13, 0, rsaOne(), func(int) int { return 17 }},
		{tls.VersionTLS13, 0, ecOne(), func(int) int { return 17 }},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, rsaOne(), func(int) int { return 16 }},
		{tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ecOne(), func(int) int { return 16 }},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, rsaOne(), func(int) int { return 16 }},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, rsaOne(), func(n int) int { return 20 + 16 - (n+20)%16 }},
	} {
		i, a := ends(t, InitiatorOptions{TLS: tlsOnly(tt.version, tt.suite)}, AcceptorOptions{Certificate: tt.cert})
		if c, s := run(t, i, a, nil); c != nil || s != nil {
			t.Fatal(c, s)
		}
		for _, n := range []int{1, 11, 12, 13, 1000, MaxRecord} {
			_, trailer, err := i.Context().(*Context).SealRecord(nil, make([]byte, n))
			if err != nil || trailer != tt.want(n) {
				t.Errorf("%s: %d bytes have a trailer of %d, expected %d (%v)", tls.CipherSuiteName(tt.suite), n, trailer, tt.want(n), err)
			}
		}
		for _, n := range []int{0, MaxRecord + 1} {
			if _, _, err := i.Context().(*Context).SealRecord(nil, make([]byte, n)); err == nil {
				t.Errorf("%d bytes in one record", n)
			}
		}
	}
}

// A negotiation without SPNEGO, and a client that sends its first request with the end of the TLS 1.3 handshake.
func TestShapes(t *testing.T) {
	i, a := ends(t, InitiatorOptions{Inner: bareNTLM(alice)}, AcceptorOptions{})
	if c, s := run(t, i, a, nil); c != nil || s != nil {
		t.Error("bare NTLM:", c, s)
	}
	i, a = ends(t, InitiatorOptions{TLS: tlsOnly(tls.VersionTLS13)}, AcceptorOptions{})
	hello, _, err := i.Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	flight, _, err := a.Step(t.Context(), hello)
	if err != nil {
		t.Fatal(err)
	}
	finished, _, err := i.Step(t.Context(), flight)
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := i.Step(t.Context(), nil) // a service without tickets has nothing to say
	if err != nil {
		t.Fatal(err)
	}
	answer, _, err := a.Step(t.Context(), slices.Concat(finished, first))
	if err != nil {
		t.Fatal(err)
	}
	proof, _, err := i.Step(t.Context(), answer)
	if err != nil {
		t.Fatal(err)
	}
	answer, _, err = a.Step(t.Context(), proof)
	if err != nil {
		t.Fatal(err)
	}
	last, done, err := i.Step(t.Context(), answer)
	if err != nil || !done {
		t.Fatal(done, err)
	}
	if _, done, err = a.Step(t.Context(), last); err != nil || !done {
		t.Fatal(done, err)
	}
}

// In TLS 1.3 the service has something to say after the client's last word: pyspnego and Windows wait for it.
func TestAnswerToFinished(t *testing.T) {
	i, a := ends(t, InitiatorOptions{TLS: tlsOnly(tls.VersionTLS13)}, AcceptorOptions{})
	var in []byte
	for n := range 2 {
		out, _, err := i.Step(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if in, _, err = a.Step(t.Context(), out); err != nil || len(in) == 0 {
			t.Fatalf("answer %d: %d bytes, %v", n, len(in), err)
		}
	}
}

func TestLogonFailure(t *testing.T) {
	wrong := auth.Credentials{Username: "alice", Password: "wrong"}
	for v := MinVersion; v <= Version; v++ {
		i, a := ends(t, InitiatorOptions{Credentials: wrong, Version: v, MinVersion: 2}, AcceptorOptions{})
		client, service := run(t, i, a, nil)
		if !errors.Is(service, auth.ErrLogonFailure) || a.Context() != nil {
			t.Errorf("version %d: the service says %v", v, service)
		}
		// Versions 2 and 5 have no errorCode. See [MS-CSSP] 2.2.1.
		var status *StatusError
		told := errors.As(client, &status) && status.Status == 0xC000006D && errors.Is(client, auth.ErrLogonFailure)
		if told != (v != 2 && v != 5) {
			t.Errorf("version %d: the client hears %v", v, client)
		}
		if _, _, err := a.Step(t.Context(), nil); !errors.Is(err, auth.ErrBadToken) {
			t.Errorf("a step after the failure: %v", err)
		}
	}
}

// Who is too old is refused: the service tells the client where it can, the client tells nobody.
func TestMinVersions(t *testing.T) {
	i, a := ends(t, InitiatorOptions{}, AcceptorOptions{Version: 4})
	if c, _ := run(t, i, a, nil); !errors.Is(c, auth.ErrUnsupported) || i.Context() != nil {
		t.Error("client:", c)
	}
	i, a = ends(t, InitiatorOptions{Version: 4, MinVersion: 2}, AcceptorOptions{MinVersion: 5})
	c, s := run(t, i, a, nil)
	var status *StatusError
	if !errors.Is(s, auth.ErrUnsupported) || !errors.As(c, &status) || status.Status != 0xC00000BB || !errors.Is(c, auth.ErrUnsupported) {
		t.Errorf("service: %v, client: %v", s, c)
	}
	i, a = ends(t, InitiatorOptions{Version: 1, MinVersion: 2}, AcceptorOptions{})
	if _, s := run(t, i, a, nil); !errors.Is(s, auth.ErrUnsupported) {
		t.Error("version 1:", s)
	}
}

func TestPermit(t *testing.T) {
	no := errors.New("no")
	asked := 0
	i, a := ends(t, InitiatorOptions{Permit: func(id auth.Identity, shown []*x509.Certificate) error {
		asked++
		if id.Mechanism != auth.NTLM || len(shown) != 1 || !shown[0].Equal(rsaOne().Leaf) {
			t.Errorf("asked about %v, %d certificates", id, len(shown))
		}
		return no
	}}, AcceptorOptions{})
	if c, _ := run(t, i, a, nil); !errors.Is(c, no) || asked != 1 || a.Context() != nil {
		t.Error(c, asked)
	}
	for _, c := range []auth.Credentials{{Username: "alice"}, {Password: "x"}, {Username: "alice", NTHash: make([]byte, 16)}} {
		i, a := ends(t, InitiatorOptions{Credentials: c}, AcceptorOptions{})
		if err, _ := run(t, i, a, nil); err == nil {
			t.Errorf("%v without a password was accepted", c)
		}
	}
}

// Close forgets; what was taken before stays with who took it.
func TestClose(t *testing.T) {
	i, a := ends(t, InitiatorOptions{}, AcceptorOptions{})
	if c, s := run(t, i, a, nil); c != nil || s != nil {
		t.Fatal(c, s)
	}
	context := a.Context().(*Context)
	taken := context.Delegated()
	context.Close()
	if context.Delegated() != nil || taken.Credentials.Password != alice.Password {
		t.Error("after Close:", context.Delegated(), taken)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, context) + fmt.Sprintf(verb, taken); strings.Contains(text, alice.Password) {
			t.Errorf("%s shows the password: %s", verb, text)
		}
	}
	if _, err := context.Seal(nil); !errors.Is(err, auth.ErrNotProtected) {
		t.Error(err)
	}
}

// An exchange that is given up at any point leaves no goroutine.
func TestGoroutines(t *testing.T) {
	rsaOne()
	before := runtime.NumGoroutine()
	for n := range 40 {
		i, a := ends(t, InitiatorOptions{}, AcceptorOptions{})
		var in []byte
		for range n % 5 {
			out, _, err := i.Step(t.Context(), in)
			if err == nil {
				in, _, err = a.Step(t.Context(), out)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		i.Close()
		a.Close()
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		b.Run(tls.VersionName(v), func(b *testing.B) {
			i, a := ends(b, InitiatorOptions{TLS: tlsOnly(v)}, AcceptorOptions{})
			if c, s := run(b, i, a, nil); c != nil || s != nil {
				b.Fatal(c, s)
			}
			plain, memory := make([]byte, MaxRecord), make([]byte, 0, MaxRecord+1024)
			b.Run("Seal", func(b *testing.B) {
				b.SetBytes(MaxRecord)
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := i.Context().(*Context).SealRecord(memory[:0], plain); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
		b.Run(tls.VersionName(v)+"/SealAndUnseal", func(b *testing.B) {
			i, a := ends(b, InitiatorOptions{TLS: tlsOnly(v)}, AcceptorOptions{})
			if c, s := run(b, i, a, nil); c != nil || s != nil {
				b.Fatal(c, s)
			}
			plain, memory := make([]byte, MaxRecord), make([]byte, 0, MaxRecord+1024)
			b.SetBytes(MaxRecord)
			b.ReportAllocs()
			for b.Loop() {
				record, _, err := i.Context().(*Context).SealRecord(memory[:0], plain)
				if err == nil {
					_, err = a.Context().(*Context).UnsealRecord(record)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
