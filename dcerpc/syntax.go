package dcerpc

import (
	"fmt"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// SyntaxID names an interface (abstract syntax) or a representation of its arguments (transfer syntax) with its version.
// See [C706] 12.6.3.1, p_syntax_id_t.
type SyntaxID struct {
	UUID         security.GUID
	Major, Minor uint16
}

// Syntax makes a SyntaxID of a UUID in text. It panics if that is malformed: it is for tables of a program.
func Syntax(uuid string, major, minor uint16) SyntaxID {
	g, err := security.ParseGUID(uuid)
	if err != nil {
		panic(err)
	}
	return SyntaxID{UUID: g, Major: major, Minor: minor}
}

// String gives "uuid v1.0".
func (s SyntaxID) String() string { return fmt.Sprintf("%s v%d.%d", s.UUID, s.Major, s.Minor) }

func (s SyntaxID) encode(e *ndr.Encoder) {
	e.GUID(s.UUID)
	e.Uint32(uint32(s.Major) | uint32(s.Minor)<<16)
}

func decodeSyntax(d *ndr.Decoder) SyntaxID {
	s := SyntaxID{UUID: d.GUID()}
	v := d.Uint32()
	s.Major, s.Minor = uint16(v), uint16(v>>16)
	return s
}

// NDR20 and NDR64 are the transfer syntaxes. See [C706] 14 and [MS-RPCE] 2.2.5.1.
var (
	NDR20 = Syntax("8a885d04-1ceb-11c9-9fe8-08002b104860", 2, 0)
	NDR64 = Syntax("71710533-beba-4937-8319-b5dbef9ccc36", 1, 0)
)

// features is the transfer syntax that carries a client's bind-time features in its last eight octets. See [MS-RPCE] 3.3.1.5.3.
var features = Syntax("6cb71c2c-9812-4540-0000-000000000000", 1, 0)

// Bits of bind-time features. See [MS-RPCE] 2.2.2.14.
const (
	featureSecurityMultiplex      = 1
	featureKeepOnOrphan           = 2
	supportedFeatures        byte = featureSecurityMultiplex | featureKeepOnOrphan
)

// featureBits tells whether s proposes features, and which.
func featureBits(s SyntaxID) (byte, bool) {
	if [8]byte(s.UUID[:8]) != [8]byte(features.UUID[:8]) || s.Major != 1 || s.Minor != 0 {
		return 0, false
	}
	return s.UUID[8], true
}

// Level is how much a security context protects. See [MS-RPCE] 2.2.1.1.8.
type Level uint8

// Levels. Call means Packet.
const (
	LevelNone      Level = 1 // no authentication
	LevelConnect   Level = 2 // the identity is proved once
	LevelCall      Level = 3 // taken for Packet
	LevelPacket    Level = 4 // each fragment is signed
	LevelIntegrity Level = 5 // the same, and the peer was told that it matters
	LevelPrivacy   Level = 6 // each fragment is encrypted
)

// String gives the level's name in lower case.
func (l Level) String() string {
	switch l {
	case LevelNone:
		return "none"
	case LevelConnect:
		return "connect"
	case LevelCall:
		return "call"
	case LevelPacket:
		return "packet"
	case LevelIntegrity:
		return "integrity"
	case LevelPrivacy:
		return "privacy"
	}
	return fmt.Sprintf("level %d", uint8(l))
}

// AuthType is a security provider. See [MS-RPCE] 2.2.1.1.7.
type AuthType uint8

// Security providers.
const (
	AuthNone     AuthType = 0
	AuthSPNEGO   AuthType = 9
	AuthNTLM     AuthType = 10
	AuthKerberos AuthType = 16
)

// String gives the provider's name.
func (t AuthType) String() string {
	switch t {
	case AuthNone:
		return "none"
	case AuthSPNEGO:
		return "SPNEGO"
	case AuthNTLM:
		return "NTLM"
	case AuthKerberos:
		return "Kerberos"
	}
	return fmt.Sprintf("provider %d", uint8(t))
}
