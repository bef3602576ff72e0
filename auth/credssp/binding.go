package credssp

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/casementhq/casement/auth"
)

// What is hashed before nonce and key, with the zero at its end. See [MS-CSSP] 3.1.5.
const (
	clientServerMagic = "CredSSP Client-To-Server Binding Hash\x00"
	serverClientMagic = "CredSSP Server-To-Client Binding Hash\x00"
)

// proof is what a side seals to show which key its TLS channel ends at: a hash from version 5 on, before that
// the key itself, to whose first octet a service adds one. See [MS-CSSP] 3.1.5, steps 3 and 4.
func proof(version int, fromClient bool, nonce, key []byte) []byte {
	if version >= HashVersion {
		magic := serverClientMagic
		if fromClient {
			magic = clientServerMagic
		}
		h := sha256.New()
		h.Write([]byte(magic))
		h.Write(nonce)
		h.Write(key)
		return h.Sum(nil)
	}
	out := slices.Clone(key)
	if !fromClient {
		out[0]++
	}
	return out
}

// wrap seals with the key of the negotiation: signature, then ciphertext. See [MS-CSSP] 2.2.1.
func wrap(c auth.Context, plain []byte) ([]byte, error) {
	data := append(make([]byte, 0, len(plain)+1), plain...)
	data = append(data, make([]byte, padding(c))...)
	sig, err := c.Seal([]auth.Buffer{{Data: data}})
	if err != nil {
		return nil, fmt.Errorf("credssp: %w", err)
	}
	return append(sig, data...), nil
}

// unwrap is the inverse, in place.
func unwrap(c auth.Context, token []byte) ([]byte, error) {
	n := c.SignatureSize()
	if padding(c) > 0 && len(token) > 1 && token[1] > 0x80 {
		n += int(token[1] - 0x80) // the framing's length of a longer token has as many bytes more. See [RFC2743] 3.1
	}
	if len(token) <= n {
		return nil, bad("sealed field of %d bytes", len(token))
	}
	data := token[n:]
	if err := c.Unseal([]auth.Buffer{{Data: data}}, token[:n]); err != nil {
		return nil, fmt.Errorf("credssp: %w", err)
	}
	if len(data) < padding(c) {
		return nil, bad("sealed field of %d bytes", len(token))
	}
	return data[:len(data)-padding(c)], nil
}

// padding is how many bytes a mechanism wants behind what it seals.
func padding(c auth.Context) int {
	if p, ok := c.(auth.Padder); ok {
		return p.Padding()
	}
	return 0
}

// checkProof opens the peer's pubKeyAuth. A wrong one is ErrBadBindings: somebody sits between.
func checkProof(c auth.Context, sealed, want []byte) error {
	if len(sealed) == 0 {
		return bad("no pubKeyAuth")
	}
	got, err := unwrap(c, sealed)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return fmt.Errorf("credssp: the TLS channel ends at another key than the one that was proved, somebody may be in the middle: %w", auth.ErrBadBindings)
	}
	return nil
}

// protected is the context of a negotiation that can seal.
func protected(c auth.Context) (auth.Context, error) {
	if c == nil || c.Identity().Anonymous || !c.Identity().Protected {
		return nil, fmt.Errorf("credssp: the negotiation made no key: %w", auth.ErrNotProtected)
	}
	return c, nil
}
