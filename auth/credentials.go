package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"strings"
)

// Credentials are what a person or a configuration gives to prove an identity. Formatting or logging a
// value never shows a secret.
type Credentials struct {
	// Username as it was typed: user, DOMAIN\user, or user@realm.
	Username string
	// Password in clear; ignored by NTLM when NTHash is set.
	Password string
	// NTHash is MD4 of the UTF-16LE password, 16 bytes, or nil. It is as good as the password.
	NTHash []byte
}

// Split separates Username into user and domain. user@realm stays whole in user with an empty domain, as
// Windows clients send it; a leading ".\" means the target's own accounts and gives an empty domain.
func (c Credentials) Split() (user, domain string) {
	if d, u, ok := strings.Cut(c.Username, `\`); ok {
		if d == "." {
			d = ""
		}
		return u, d
	}
	return c.Username, ""
}

// IsZero reports whether neither a name nor a secret is given.
func (c Credentials) IsZero() bool {
	return c.Username == "" && c.Password == "" && len(c.NTHash) == 0
}

// String names the user and hides the secrets.
func (c Credentials) String() string { return c.Username + ":***" }

// GoString hides the secrets in %#v.
func (c Credentials) GoString() string { return "auth.Credentials{" + c.String() + "}" }

// LogValue implements [slog.LogValuer] without secrets.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText implements [encoding.TextMarshaler] without secrets.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalJSON implements [json.Marshaler] without secrets.
func (c Credentials) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Username string `json:"username"`
	}{c.Username})
}

// CredentialsKey is comparable: two credentials with the same one are the same. It is as secret as they are.
type CredentialsKey struct{ sum [32]byte }

// Key makes it.
func (c Credentials) Key() CredentialsKey {
	h := sha256.New()
	for _, part := range []string{c.Username, c.Password, string(c.NTHash)} {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return CredentialsKey{[32]byte(h.Sum(nil))}
}
