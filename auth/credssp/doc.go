// Package credssp is the Credential Security Support Provider protocol, both ends: TLS inside tokens, a
// negotiation of SPNEGO inside TLS, a proof that the TLS channel ends at who was proved there, and then the
// user's name and password, so that the service can use them on the user's behalf. See [MS-CSSP].
//
//	client                                        service
//	TLS hello, …                     ─►
//	                                 ◄─            TLS …
//	negoTokens                       ─►            (inside TLS from here)
//	                                 ◄─            negoTokens
//	negoTokens, pubKeyAuth           ─►
//	                                 ◄─            negoTokens, pubKeyAuth
//	authInfo: name and password      ─►
//
// The certificate of the TLS channel may be anybody's: what binds the channel to the service is pubKeyAuth,
// sealed with the key of the negotiation. See [MS-CSSP] 3.1.5.
package credssp

import (
	"fmt"

	"github.com/casementhq/casement/auth"
)

// Versions of the protocol. See [MS-CSSP] 2.2.1.
const (
	// MinVersion is the oldest one there is.
	MinVersion = 2
	// Version is the newest one that this package knows.
	Version = 6
	// HashVersion is the first one in which pubKeyAuth is a hash with a nonce. Before it a man in the middle could
	// have the client seal what he liked (CVE-2018-0886).
	HashVersion = 5
)

// maxToken bounds a token of either side, in bytes.
const maxToken = 64 << 10

// maxRounds bounds the tokens that an acceptor takes in one exchange.
const maxRounds = 16

func bad(format string, args ...any) error {
	return fmt.Errorf("credssp: %s: %w", fmt.Sprintf(format, args...), auth.ErrBadToken)
}
