// Package httpauth authenticates HTTP connections and seals what they carry, for both ends of WinRM: the
// Negotiate, Kerberos, CredSSP and Basic schemes and the multipart/encrypted framing. It knows no mechanism;
// those come as auth.Initiator and auth.Acceptor.
//
// Except for Basic, a proof belongs to one TCP connection: nothing here carries it to another one.
// See [MS-WSMV] 2.2.9.1 and [RFC4559].
package httpauth

import (
	"errors"
	"fmt"
	"mime"
	"strings"
)

// Names of authentication schemes, as they stand in HTTP headers.
const (
	Negotiate = "Negotiate"
	Kerberos  = "Kerberos"
	CredSSP   = "CredSSP"
	Basic     = "Basic"
	// Digest is a client's alone; no server here offers or takes it.
	Digest = "Digest"
	// Certificate stands whole in Authorization: the proof is the certificate of the TLS handshake. See DSP0226 C.3.5.
	Certificate = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
	// NTLM is never offered. A client that names it anyway, as curl does, is served as under Negotiate.
	NTLM = "NTLM"
)

// Protocol names how a body is sealed. See [MS-WSMV] 2.2.9.1.
type Protocol string

// The three protocols.
const (
	ProtocolSPNEGO   Protocol = "application/HTTP-SPNEGO-session-encrypted"
	ProtocolKerberos Protocol = "application/HTTP-Kerberos-session-encrypted"
	ProtocolCredSSP  Protocol = "application/HTTP-CredSSP-session-encrypted"
)

// ProtocolFor returns the protocol that belongs to a scheme; empty for schemes that cannot seal.
func ProtocolFor(scheme string) Protocol {
	switch scheme {
	case Negotiate:
		return ProtocolSPNEGO
	case Kerberos:
		return ProtocolKerberos
	case CredSSP:
		return ProtocolCredSSP
	}
	return ""
}

const (
	boundary      = "Encrypted Boundary"
	mediaSealed   = "multipart/encrypted"
	mediaMulti    = "multipart/x-multi-encrypted"
	soapMediaType = "application/soap+xml;charset=UTF-8"
)

// ErrMalformed says that a sealed body or its header is not what [MS-WSMV] 2.2.9.1 describes.
var ErrMalformed = errors.New("malformed sealed message (0x803380F9)")

// ErrTooLarge says that a body exceeds the limit that was given.
var ErrTooLarge = errors.New("message exceeds the permitted size")

func malformed(format string, args ...any) error {
	return fmt.Errorf("httpauth: %s: %w", fmt.Sprintf(format, args...), ErrMalformed)
}

// ContentType returns the header for a sealed body; multi says that it has more than one part.
func ContentType(p Protocol, multi bool) string {
	media := mediaSealed
	if multi {
		media = mediaMulti
	}
	return media + `;protocol="` + string(p) + `";boundary="` + boundary + `"`
}

// ParseContentType reads such a header. sealed is false for every other media type.
func ParseContentType(header string) (p Protocol, sealed bool, err error) {
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(header)), "multipart/") {
		return "", false, nil
	}
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", false, malformed("Content-Type %q", header)
	}
	if media != mediaSealed && media != mediaMulti {
		return "", false, nil
	}
	if params["boundary"] != boundary {
		return "", true, malformed("boundary %q, expected %q", params["boundary"], boundary)
	}
	for _, p := range []Protocol{ProtocolSPNEGO, ProtocolKerberos, ProtocolCredSSP} {
		if strings.EqualFold(params["protocol"], string(p)) {
			return p, true, nil
		}
	}
	return "", true, malformed("protocol %q", params["protocol"])
}
