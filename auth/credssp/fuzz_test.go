package credssp

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

// FuzzTSRequest: what is read is written the same way, and never more than was there.
func FuzzTSRequest(f *testing.F) {
	full := tsRequest{version: 6, negoToken: []byte("nego"), authInfo: []byte("info"), pubKeyAuth: []byte("key"),
		errorCode: 0xC000006D, nonce: make([]byte, nonceSize)}
	for _, r := range []tsRequest{full, {version: 2}, {version: 3, errorCode: 5}, {version: 5, nonce: full.nonce, pubKeyAuth: full.pubKeyAuth}} {
		b, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again tsRequest
		if r.decode(b) != nil {
			return
		}
		out, err := r.encode()
		if err != nil || len(out) > len(b) {
			t.Fatalf("%x becomes %x: %v", b, out, err)
		}
		if err := again.decode(out); err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%x: %v, %+v and %+v", b, err, r, again)
		}
	})
}

// FuzzCredentials: what is read is written and read the same.
func FuzzCredentials(f *testing.F) {
	b, err := encodeCredentials(alice)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	card, err := hex.DecodeString(strings.Join(strings.Fields(smartCard), ""))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(card)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCredentials(b)
		if err != nil {
			return
		}
		out, err := encodeCredentials(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeCredentials(out)
		if err != nil || again.Password != c.Password {
			t.Fatalf("%x: %v %v", b, c, err)
		}
	})
}

// FuzzTokens: an octet string in place of a token never gives an end a context. leg chooses the token, and
// whether the octets go to the service or come from it.
func FuzzTokens(f *testing.F) {
	for leg := range uint8(12) {
		f.Add(leg, []byte{23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
		f.Add(leg, []byte{22, 3, 1, 0, 4, 1, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, leg uint8, token []byte) {
		version := uint16(tls.VersionTLS12) + uint16(leg>>7)
		i, a := ends(t, InitiatorOptions{TLS: tlsOnly(version)}, AcceptorOptions{Certificate: ecOne()})
		defer i.Close()
		defer a.Close()
		var in []byte
		for n := range 5 {
			out, done, err := i.Step(t.Context(), in)
			if err != nil {
				return
			}
			if n == int(leg>>1&7) && leg&1 == 0 {
				if bytes.Equal(out, token) {
					return
				}
				if _, done, err := a.Step(t.Context(), token); done || err == nil && a.Context() != nil {
					t.Fatalf("leg %d: %x was taken", n, token)
				}
				return
			}
			if in, _, err = a.Step(t.Context(), out); err != nil {
				t.Fatal(err)
			}
			if done {
				return
			}
			if n == int(leg>>1&7) {
				if bytes.Equal(in, token) {
					return
				}
				if _, done, _ := i.Step(t.Context(), token); done || i.Context() != nil {
					t.Fatalf("leg %d: %x was taken", n, token)
				}
				return
			}
		}
	})
}

// FuzzAnswers: octets inside of TLS that a service sends to a client, at each leg.
func FuzzAnswers(f *testing.F) {
	for _, r := range []tsRequest{{version: 6, negoToken: []byte("NTLMSSP\x00")}, {version: 6, pubKeyAuth: make([]byte, 48)}, {version: 3, errorCode: 5}} {
		b, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(false, b)
		f.Add(true, b)
	}
	f.Fuzz(func(t *testing.T, second bool, plain []byte) {
		if len(plain) == 0 || len(plain) > MaxRecord {
			return
		}
		i, _ := ends(t, InitiatorOptions{MinVersion: 2, TLS: tlsOnly(tls.VersionTLS12)}, AcceptorOptions{Certificate: ecOne()})
		defer i.Close()
		c := newChannel(nil, ecOne())
		defer c.close()
		var out, in []byte
		var err error
		for !c.done {
			if out, _, err = i.Step(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if in, err = c.handshake(out); err != nil {
				t.Fatal(err)
			}
		}
		if out, _, err = i.Step(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if second {
			first, err := c.read(make([]byte, 0, len(out)+1), out)
			var r tsRequest
			if err != nil || r.decode(first) != nil {
				t.Fatal(err)
			}
			challenge, _, err := accepting().Step(t.Context(), r.negoToken)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := (&tsRequest{version: 6, negoToken: challenge}).encode()
			if err == nil {
				answer, err = c.write(answer)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := i.Step(t.Context(), answer); err != nil {
				t.Fatal(err)
			}
		}
		token, err := c.write(plain)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, _ := i.Step(t.Context(), token); done || i.Context() != nil {
			t.Fatalf("%x was taken", plain)
		}
	})
}

// FuzzRequests: octets inside of TLS, where only the end of the channel can put them, at each leg of a service.
func FuzzRequests(f *testing.F) {
	for _, r := range []tsRequest{{version: 6, negoToken: []byte("NTLMSSP\x00")}, {version: 2, pubKeyAuth: make([]byte, 64)}, {version: 6, authInfo: make([]byte, 64)}} {
		b, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(0), b)
		f.Add(uint8(1), b)
	}
	f.Fuzz(func(t *testing.T, requests uint8, plain []byte) {
		if len(plain) == 0 || len(plain) > MaxRecord {
			return
		}
		_, a := ends(t, InitiatorOptions{}, AcceptorOptions{Certificate: ecOne()})
		defer a.Close()
		c := newChannel(nil, nil)
		defer c.close()
		var in []byte
		for !c.done {
			out, err := c.handshake(in)
			if err != nil {
				t.Fatal(err)
			}
			if len(out) > 0 {
				if in, _, err = a.Step(t.Context(), out); err != nil {
					t.Fatal(err)
				}
			}
		}
		if requests&1 == 1 {
			token, _, err := negotiation(auth.Credentials{Username: "alice", Password: "x"})().Step(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			first, err := (&tsRequest{version: 6, negoToken: token}).encode()
			if err != nil {
				t.Fatal(err)
			}
			if first, err = c.write(first); err != nil {
				t.Fatal(err)
			}
			if _, _, err = a.Step(t.Context(), first); err != nil {
				t.Fatal(err)
			}
		}
		token, err := c.write(plain)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, _ := a.Step(t.Context(), token); done || a.Context() != nil {
			t.Fatalf("%x was taken", plain)
		}
	})
}
