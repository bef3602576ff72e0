package credssp

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/casementhq/casement/auth"
)

// Types of credentials. See [MS-CSSP] 2.2.1.2.
const (
	credPassword    = 1
	credSmartCard   = 2
	credRemoteGuard = 6
)

// encodeCredentials makes a TSCredentials with a TSPasswordCreds. See [MS-CSSP] 2.2.1.2.1.
func encodeCredentials(c auth.Credentials) ([]byte, error) {
	user, domain := c.Split()
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(field(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(credPassword) })
		b.AddASN1(field(1), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for i, s := range []string{domain, user, c.Password} {
						addOctets(b, uint8(i), encodeUTF16(s))
					}
				})
			})
		})
	})
	return b.Bytes()
}

// decodeCredentials reads a TSCredentials. Errors: ErrBadToken, and ErrUnsupported for anything but a password.
func decodeCredentials(plain []byte) (auth.Credentials, error) {
	var none auth.Credentials
	s, body := cryptobyte.String(plain), cryptobyte.String(nil)
	var kind cryptobyte.String
	var number int
	if !s.ReadASN1(&body, asn1.SEQUENCE) || !s.Empty() ||
		!body.ReadASN1(&kind, field(0)) || !kind.ReadASN1Integer(&number) || !kind.Empty() {
		return none, bad("credentials")
	}
	switch number {
	case credPassword:
	case credSmartCard:
		return none, fmt.Errorf("credssp: the client hands over a smart card and its PIN, and only a password can be taken: %w", auth.ErrUnsupported)
	case credRemoteGuard:
		return none, fmt.Errorf("credssp: the client redirects its credentials (Remote Credential Guard), and only a password can be taken: %w", auth.ErrUnsupported)
	default:
		return none, fmt.Errorf("credssp: credentials of the unknown type %d: %w", number, auth.ErrUnsupported)
	}
	var outer, inner, creds cryptobyte.String
	if !body.ReadASN1(&outer, field(1)) || !body.Empty() || !outer.ReadASN1(&inner, asn1.OCTET_STRING) || !outer.Empty() ||
		!inner.ReadASN1(&creds, asn1.SEQUENCE) || !inner.Empty() {
		return none, bad("password credentials")
	}
	var texts [3]string
	for i := range texts {
		var tagged, octets cryptobyte.String
		if !creds.ReadASN1(&tagged, field(uint8(i))) || !tagged.ReadASN1(&octets, asn1.OCTET_STRING) || !tagged.Empty() || len(octets)%2 != 0 {
			return none, bad("text %d of the password credentials", i)
		}
		texts[i] = decodeUTF16(octets)
	}
	if !creds.Empty() || texts[1] == "" {
		return none, bad("password credentials")
	}
	c := auth.Credentials{Username: texts[1], Password: texts[2]}
	if texts[0] != "" {
		c.Username = texts[0] + `\` + texts[1]
	}
	return c, nil
}

func encodeUTF16(s string) []byte {
	units := utf16.Encode([]rune(s))
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	clear(units)
	return b
}

func decodeUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	runes := utf16.Decode(units)
	clear(units)
	s := string(runes)
	clear(runes)
	return s
}
