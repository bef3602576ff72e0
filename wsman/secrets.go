package wsman

import (
	"bytes"
	"fmt"
	"regexp"
)

// secretElement finds elements whose content no trace may show: passwords of
// certificate mappings and plug-ins, and credentials of event subscriptions.
var secretElement = regexp.MustCompile(`(?is)(<(?:[\w.-]+:)?(?:\w*password|runaspassword|secret)(?:\s[^<>]*)?>)([^<]*)(</)`)

// secretAttribute finds attributes of the same kind.
var secretAttribute = regexp.MustCompile(`(?is)(\s(?:[\w.-]+:)?\w*password\s*=\s*)("[^"]*"|'[^']*')`)

// BlankSecrets returns an envelope with its secrets replaced, for a trace; the
// envelope itself where there are none. An envelope in UTF-16 has no part that
// could be told apart and is shown as its length. What a shell's command reads
// and writes is not blanked.
func BlankSecrets(envelope []byte) []byte {
	if bytes.IndexByte(envelope[:min(len(envelope), 64)], 0) >= 0 {
		return fmt.Appendf(nil, "(%d bytes of UTF-16)", len(envelope))
	}
	if !containsFold(envelope, "password") && !containsFold(envelope, "secret") {
		return envelope
	}
	out := secretElement.ReplaceAll(envelope, []byte("${1}***${3}"))
	return secretAttribute.ReplaceAll(out, []byte(`${1}"***"`))
}

func containsFold(b []byte, word string) bool {
	for i := 0; i+len(word) <= len(b); i++ {
		if b[i]|0x20 == word[0] && bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			return true
		}
	}
	return false
}
