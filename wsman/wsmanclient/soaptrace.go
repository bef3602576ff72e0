package wsmanclient

import (
	"fmt"
	"io"
	"sync"
)

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
