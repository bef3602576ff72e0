package credssp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

// relay is somebody between client and service, who ends the client's TLS with a certificate of his own and
// opens another one to the service, and carries the requests from one to the other, changed or not.
type relay struct {
	towardClient, towardService *channel
}

// carry takes the client's token to the service and the service's answer back. change sees each request.
func (m *relay) carry(t *testing.T, a *Acceptor, token []byte, change func(fromClient bool, r *tsRequest)) ([]byte, error) {
	t.Helper()
	if !m.towardClient.done {
		out, err := m.towardClient.handshake(token)
		if err != nil {
			t.Fatal(err)
		}
		return out, nil
	}
	for in := []byte(nil); !m.towardService.done; {
		out, err := m.towardService.handshake(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(out) > 0 {
			if in, _, err = a.Step(t.Context(), out); err != nil {
				t.Fatal(err)
			}
		}
	}
	through := func(from, to *channel, token []byte, fromClient bool) []byte {
		plain, err := from.read(make([]byte, 0, len(token)+1), token)
		if err != nil {
			t.Fatal(err)
		}
		var r tsRequest
		if err := r.decode(plain); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(fromClient, &r)
		}
		if plain, err = r.encode(); err != nil {
			t.Fatal(err)
		}
		out, err := to.write(plain)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	answer, _, err := a.Step(t.Context(), through(m.towardClient, m.towardService, token, true))
	if err != nil {
		return nil, err
	}
	return through(m.towardService, m.towardClient, answer, false), nil
}

// Somebody in the middle with a certificate of his own is found out by the service in every version, and would
// be by the client; credentials never leave. See [MS-CSSP] 3.1.5, steps 3 to 5.
func TestManInTheMiddle(t *testing.T) {
	for version := MinVersion; version <= Version; version++ {
		i, a := ends(t, InitiatorOptions{Version: version, MinVersion: 2, TLS: tlsOnly(tls.VersionTLS12), Permit: never(t)}, AcceptorOptions{})
		m := &relay{newChannel(nil, rsaTwo()), newChannel(tlsOnly(tls.VersionTLS12), nil)}
		var in []byte
		var err error
		for err == nil {
			var out []byte
			if out, _, err = i.Step(t.Context(), in); err != nil {
				t.Fatalf("version %d: the client gives up first: %v", version, err)
			}
			in, err = m.carry(t, a, out, nil)
		}
		if !errors.Is(err, auth.ErrBadBindings) || a.Context() != nil || i.Context() != nil {
			t.Errorf("version %d: %v", version, err)
		}
		m.towardClient.close()
		m.towardService.close()
	}
}

// never is a Permit that must not be reached.
func never(t *testing.T) func(auth.Identity, []*x509.Certificate) error {
	return func(auth.Identity, []*x509.Certificate) error {
		t.Error("the credentials were about to leave")
		return nil
	}
}

// What somebody in the middle can say of versions does not help him: a client takes nothing below its minimum,
// and a service that was told of an old client still compares the keys.
func TestDowngrade(t *testing.T) {
	i, a := ends(t, InitiatorOptions{TLS: tlsOnly(tls.VersionTLS12), Permit: never(t)}, AcceptorOptions{})
	m := &relay{newChannel(nil, rsaTwo()), newChannel(tlsOnly(tls.VersionTLS12), nil)}
	var in []byte
	var client, service error
	for client == nil && service == nil {
		var out []byte
		if out, _, client = i.Step(t.Context(), in); client == nil {
			in, service = m.carry(t, a, out, func(_ bool, r *tsRequest) { r.version = 2 })
		}
	}
	if !errors.Is(client, auth.ErrUnsupported) || service != nil {
		t.Errorf("client: %v, service: %v", client, service)
	}
	// The version of one side changes within the exchange.
	for _, side := range []bool{true, false} {
		i, a := ends(t, InitiatorOptions{}, AcceptorOptions{})
		n := 0
		client, service := runRequests(t, i, a, func(fromClient bool, r *tsRequest) {
			if fromClient == side {
				if n++; n == 2 {
					r.version--
				}
			}
		})
		if err := cmpErr(service, client, side); !errors.Is(err, auth.ErrBadToken) {
			t.Errorf("client's version %t: %v", side, err)
		}
	}
}

// cmpErr is the service's error where the client was the liar, and the other way round.
func cmpErr(service, client error, fromClient bool) error {
	if fromClient {
		return service
	}
	return client
}

// runRequests steps both ends and lets change alter what is inside of TLS, as somebody could who has the
// service's own key.
func runRequests(t *testing.T, i *Initiator, a *Acceptor, change func(fromClient bool, r *tsRequest)) (client, service error) {
	t.Helper()
	m := &relay{newChannel(tlsOnly(tls.VersionTLS12), rsaOne()), newChannel(tlsOnly(tls.VersionTLS12), nil)}
	defer m.towardClient.close()
	defer m.towardService.close()
	var in []byte
	for {
		out, done, err := i.Step(t.Context(), in)
		if err != nil {
			return err, nil
		}
		if in, err = m.carry(t, a, out, change); err != nil || done {
			return nil, err
		}
	}
}

// Each field that is wrong, missing or out of turn ends the exchange, with the error that says what it is.
func TestAlteredRequests(t *testing.T) {
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1] ^= 1
		return b
	}
	for name, tt := range map[string]struct {
		fromClient bool
		change     func(n int, r *tsRequest) // n counts the requests of that side from 0
		want       error
	}{
		"client's proof altered": {true, func(n int, r *tsRequest) {
			if n == 1 {
				r.pubKeyAuth = flip(r.pubKeyAuth)
			}
		}, auth.ErrMessageAltered},
		"client's proof cut": {true, func(n int, r *tsRequest) {
			if n == 1 {
				r.pubKeyAuth = r.pubKeyAuth[:16]
			}
		}, auth.ErrBadToken},
		"client's proof missing": {true, func(n int, r *tsRequest) {
			if n == 1 {
				r.pubKeyAuth = nil
			}
		}, nil},
		"proof too early": {true, func(n int, r *tsRequest) {
			if n == 0 {
				r.pubKeyAuth = make([]byte, 48)
			}
		}, auth.ErrBadToken},
		"nonce of another exchange": {true, func(n int, r *tsRequest) {
			if n == 1 {
				r.nonce = make([]byte, nonceSize)
			}
		}, auth.ErrBadBindings},
		"nonce missing": {true, func(n int, r *tsRequest) {
			if n == 1 {
				r.nonce = nil
			}
		}, auth.ErrBadToken},
		"credentials altered": {true, func(n int, r *tsRequest) {
			if n == 2 {
				r.authInfo = flip(r.authInfo)
			}
		}, auth.ErrMessageAltered},
		"credentials missing": {true, func(n int, r *tsRequest) {
			if n == 2 {
				r.authInfo = nil
			}
		}, auth.ErrBadToken},
		"credentials too early": {true, func(n int, r *tsRequest) {
			if n == 1 {
				r.authInfo = make([]byte, 48)
			}
		}, auth.ErrBadToken},
		"a status of the client": {true, func(n int, r *tsRequest) { r.errorCode = 5 }, auth.ErrBadToken},
		"a token after the end": {true, func(n int, r *tsRequest) {
			if n == 2 {
				r.negoToken = []byte{1}
			}
		}, auth.ErrBadToken},
		"no token at all": {true, func(n int, r *tsRequest) { r.negoToken = nil }, auth.ErrBadToken},
		"service's proof altered": {false, func(n int, r *tsRequest) {
			if n == 1 {
				r.pubKeyAuth = flip(r.pubKeyAuth)
			}
		}, auth.ErrMessageAltered},
		"service's proof missing": {false, func(n int, r *tsRequest) {
			if n == 1 {
				r.pubKeyAuth = nil
			}
		}, auth.ErrBadToken},
		"service's proof too early": {false, func(n int, r *tsRequest) {
			if n == 0 {
				r.pubKeyAuth = make([]byte, 48)
			}
		}, auth.ErrBadToken},
		"end of SPNEGO left out": {false, func(n int, r *tsRequest) {
			if n == 1 {
				r.negoToken = nil
			}
		}, auth.ErrMessageAltered},
		"credentials of the service": {false, func(n int, r *tsRequest) {
			if n == 1 {
				r.authInfo = make([]byte, 48)
			}
		}, auth.ErrBadToken},
		"a status of the service": {false, func(n int, r *tsRequest) {
			if n == 0 {
				r.errorCode = 0xC000006D
			}
		}, auth.ErrLogonFailure},
		"a version that there is none": {false, func(n int, r *tsRequest) { r.version = 1 }, auth.ErrBadToken},
	} {
		i, a := ends(t, InitiatorOptions{}, AcceptorOptions{})
		n := -1
		client, service := runRequests(t, i, a, func(fromClient bool, r *tsRequest) {
			if fromClient == tt.fromClient {
				n++
				tt.change(n, r)
			}
		})
		err := cmpErr(service, client, tt.fromClient)
		if tt.want == nil { // the other side ends it
			err, tt.want = cmpErr(service, client, !tt.fromClient), auth.ErrBadToken
		}
		if !errors.Is(err, tt.want) || a.Context() != nil {
			t.Errorf("%s: client %v, service %v", name, client, service)
		}
	}
}

// A client that shows the service's own proof back, and one that replays another exchange, prove nothing. In old
// versions the service adds one so that its answer is not the client's proof. See [MS-CSSP] 3.1.5, step 4.
func TestReflectionAndReplay(t *testing.T) {
	for version := MinVersion; version <= Version; version++ {
		key := []byte{0xff, 2, 3}
		nonce := bytes.Repeat([]byte{7}, nonceSize)
		client, service := proof(version, true, nonce, key), proof(version, false, nonce, key)
		if bytes.Equal(client, service) {
			t.Errorf("version %d: both sides prove the same", version)
		}
		if version < HashVersion && (!bytes.Equal(client, key) || !bytes.Equal(service, []byte{0, 2, 3}) || key[0] != 0xff) {
			t.Errorf("version %d: %x %x", version, client, service)
		}
	}
	var recorded [][]byte
	i, a := ends(t, InitiatorOptions{}, AcceptorOptions{})
	if c, s := run(t, i, a, func(_ int, fromClient bool, token []byte) []byte {
		if fromClient {
			recorded = append(recorded, slices.Clone(token))
		}
		return token
	}); c != nil || s != nil {
		t.Fatal(c, s)
	}
	_, again := ends(t, InitiatorOptions{}, AcceptorOptions{})
	var err error
	for _, token := range recorded {
		if _, _, err = again.Step(t.Context(), token); err != nil {
			break
		}
	}
	if !errors.Is(err, auth.ErrBadToken) || again.Context() != nil {
		t.Error("a replayed exchange:", err)
	}
	// Records do not come twice, nor from another exchange.
	record, _, err := i.Context().(*Context).SealRecord(nil, []byte("once"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Context().(*Context).UnsealRecord(bytes.Clone(record)); err != nil || string(got) != "once" {
		t.Fatal(err)
	}
	for range 2 { // nor does the context recover
		if _, err := a.Context().(*Context).UnsealRecord(bytes.Clone(record)); !errors.Is(err, auth.ErrMessageAltered) {
			t.Error("a replayed record:", err)
		}
	}
}

// The hashes with the zero behind the text, as other implementations compute them: sha256sum over
// printf 'CredSSP Client-To-Server Binding Hash\0', 32 octets of 07, and the three octets ff 02 03.
func TestHashes(t *testing.T) {
	nonce := bytes.Repeat([]byte{7}, nonceSize)
	for want, fromClient := range map[string]bool{
		"ff4c693cea2dcb1b039caa131a1ccdbacafe3adf143e35eb344f1316ce0252d9": true,
		"9ceecd4dc8294f022916a26fa0e34895db1f3ba68f2d90ac1b4b41ba7c976454": false,
	} {
		if got := hex.EncodeToString(proof(6, fromClient, nonce, []byte{0xff, 2, 3})); got != want {
			t.Errorf("from the client %t: %s", fromClient, got)
		}
	}
}

// Tokens cut anywhere, of too many octets, and too many of them end in an error and in no context.
func TestTruncated(t *testing.T) {
	for leg := range 5 {
		for _, cut := range []int{0, 1, 5, 6, 50, -1} {
			for _, side := range []bool{true, false} {
				i, a := ends(t, InitiatorOptions{TLS: tlsOnly(tls.VersionTLS13)}, AcceptorOptions{})
				var in []byte
				for n, going := 0, true; going && n < 8; n++ {
					shorten := func(fromClient bool, token []byte) []byte {
						switch {
						case n != leg || fromClient != side || len(token) == 0:
							return token
						case cut < 0:
							return token[:len(token)-1]
						}
						return token[:min(cut, len(token)-1)]
					}
					out, _, err := i.Step(t.Context(), in)
					if going = err == nil; going {
						in, _, err = a.Step(t.Context(), shorten(true, out))
						in, going = shorten(false, in), err == nil
					}
				}
				if last := leg == 4 && !side; (a.Context() != nil) != last { // to the last token there is no answer
					t.Errorf("leg %d, client %t, cut to %d: the service has a context: %t", leg, side, cut, a.Context() != nil)
				}
			}
		}
	}
	i, a := ends(t, InitiatorOptions{}, AcceptorOptions{})
	for _, end := range []auth.Acceptor{i, a} {
		if _, _, err := end.Step(t.Context(), make([]byte, maxToken+1)); !errors.Is(err, auth.ErrBadToken) {
			t.Error("a large token:", err)
		}
	}
	_, a = ends(t, InitiatorOptions{}, AcceptorOptions{})
	hello := []byte{22, 3, 1, 0x40, 0}
	var err error
	for n := 0; err == nil; n++ {
		if n > maxRounds {
			t.Fatal("tokens without end")
		}
		_, _, err = a.Step(t.Context(), append(hello, 1))
		hello = nil
	}
}

// open is a context that claims to seal, or does not.
type open struct {
	auth.Context
	protected bool
}

func (o open) Identity() auth.Identity { return auth.Identity{User: "alice", Protected: o.protected} }
func (open) SignatureSize() int        { return 1 }

func (open) Seal([]auth.Buffer) ([]byte, error) { return []byte{1}, nil }

// scripted is a negotiation of so many steps that ends in a context.
type scripted struct {
	left int
	end  auth.Context
}

func (s *scripted) Step(context.Context, []byte) ([]byte, bool, error) {
	s.left--
	return []byte("x"), s.left == 0, nil
}

func (s *scripted) Context() auth.Context { return s.end }

// A negotiation that makes no key is no ground for credentials, on either side.
func TestNoKey(t *testing.T) {
	for _, protected := range []bool{false, true} {
		i, a := ends(t, InitiatorOptions{Inner: func() auth.Initiator { return &scripted{2, open{protected: protected}} }},
			AcceptorOptions{Inner: func() auth.Acceptor { return &scripted{2, open{}} }})
		client, service := run(t, i, a, nil)
		if err := cmpErr(service, client, protected); !errors.Is(err, auth.ErrNotProtected) {
			t.Errorf("client %v, service %v", client, service)
		}
	}
}

// Credentials that are no password are refused by name. The smart card is the example of [MS-CSSP] 4.
func TestOtherCredentials(t *testing.T) {
	for text, want := range map[string]string{
		smartCard:                       "smart card",
		"300b a003020106 a1040402 3000": "Remote Credential Guard",
		"300b a003020103 a1040402 3000": "unknown type 3",
	} {
		b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeCredentials(b); !errors.Is(err, auth.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// smartCard is the TSCredentials of [MS-CSSP] 4.
const smartCard = `3082010fa003020102a1820106048201023081ffa01a0418620062006200620062006200620062006200620062006200a181
	e03081dda003020101a22e042c4f004d004e0049004b0045005900200043006100720064004d0061006e0020003300780032
	00310020003000a350044e6c0065002d004d00530053006d00610072007400630061007200640055007300650072002d0038
	0062006400610030003100390066002d0031003200360036002d002d0035003300320036003800a45404524d006900630072
	006f0073006f006600740020004200610073006500200053006d006100720074002000430061007200640020004300720079
	00700074006f002000500072006f0076006900640065007200`
