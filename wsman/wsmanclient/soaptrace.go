package wsmanclient

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"sync"
)

// secret finds elements whose content no trace may show: passwords of
// certificate mappings and plug-ins, and credentials of event subscriptions.
var secret = regexp.MustCompile(`(?is)(<(?:[\w.-]+:)?(?:\w*password|runaspassword|secret)(?:\s[^<>]*)?>)([^<]*)(</)`)

// secretAttr finds attributes of the same kind.
var secretAttr = regexp.MustCompile(`(?is)(\s(?:[\w.-]+:)?\w*password\s*=\s*)("[^"]*"|'[^']*')`)

// blank is an envelope with its secrets replaced; the envelope itself where
// there are none. An envelope in UTF-16 has no part that could be told apart
// and is shown as its length.
func blank(envelope []byte) []byte {
	if bytes.IndexByte(envelope[:min(len(envelope), 64)], 0) >= 0 {
		return fmt.Appendf(nil, "(%d bytes of UTF-16)", len(envelope))
	}
	if !containsFold(envelope, "password") && !containsFold(envelope, "secret") {
		return envelope
	}
	out := secret.ReplaceAll(envelope, []byte("${1}***${3}"))
	return secretAttr.ReplaceAll(out, []byte(`${1}"***"`))
}

func containsFold(b []byte, word string) bool {
	for i := 0; i+len(word) <= len(b); i++ {
		if b[i]|0x20 == word[0] && bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			return true
		}
	}
	return false
}

// SOAPTrace returns a trace that writes every envelope to w, one line before
// each that says what it is. Secrets are blanked as Trace says; what a command
// reads and writes is not.
func SOAPTrace(w io.Writer) *Trace {
	var mu sync.Mutex
	return &Trace{
		Request: func(action string, envelope []byte) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(w, ">>> %s, %d bytes\n%s\n", action, len(envelope), envelope) //nolint:errcheck // nobody to tell
		},
		Response: func(status int, sealed bool, envelope []byte) {
			mu.Lock()
			defer mu.Unlock()
			how := "in the clear"
			if sealed {
				how = "sealed"
			}
			fmt.Fprintf(w, "<<< HTTP %d, %s, %d bytes\n%s\n", status, how, len(envelope), envelope) //nolint:errcheck // nobody to tell
		},
	}
}
