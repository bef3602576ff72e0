package httpauth

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// maxHeaderToken bounds a token in a header, in base64 characters.
const maxHeaderToken = 1 << 17

// splitScheme cuts "Negotiate oYG..." in two. The name is returned in the spelling of the constants.
func splitScheme(header string) (scheme, rest string) {
	scheme, rest, _ = strings.Cut(strings.TrimSpace(header), " ")
	for _, name := range []string{Negotiate, Kerberos, CredSSP, Basic, Digest, Certificate, NTLM} {
		if strings.EqualFold(scheme, name) {
			return name, strings.TrimSpace(rest)
		}
	}
	return scheme, strings.TrimSpace(rest)
}

// decodeToken reads base64; ok is false for anything else, and for what is too long.
func decodeToken(s string) (token []byte, ok bool) {
	if len(s) > maxHeaderToken {
		return nil, false
	}
	token, err := base64.StdEncoding.DecodeString(s)
	return token, err == nil
}

func encodeToken(scheme string, token []byte) string {
	return scheme + " " + base64.StdEncoding.EncodeToString(token)
}

// offers lists the schemes of WWW-Authenticate headers, in their order. Several may stand in one line; only
// a list without tokens is taken apart, since base64 has no commas and parameters have no spaces before "=".
func offers(h http.Header) []string {
	var out []string
	for _, line := range h.Values("WWW-Authenticate") {
		for item := range strings.SplitSeq(line, ",") {
			name, _ := splitScheme(item)
			if name != "" && !strings.ContainsAny(name, `="`) {
				out = append(out, name)
			}
		}
	}
	return out
}

// answerToken returns the token that the peer sent for a scheme; nil if there is none.
func answerToken(h http.Header, scheme string) (token []byte, ok bool) {
	for _, line := range h.Values("WWW-Authenticate") {
		for item := range strings.SplitSeq(line, ",") {
			name, rest := splitScheme(item)
			if name == scheme && rest != "" {
				return decodeToken(rest)
			}
		}
	}
	return nil, true
}
