package wsmanserver

import (
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/casementhq/casement/wsman"
)

// soapTrace writes envelopes as they are inside of encryption, secrets blanked.
type soapTrace struct {
	mu sync.Mutex
	w  io.Writer
}

func newSOAPTrace(w io.Writer) *soapTrace {
	if w == nil {
		return nil
	}
	return &soapTrace{w: w}
}

// request writes what came from a peer; without a trace it does nothing.
func (t *soapTrace) request(c *call) {
	if t != nil {
		t.write(fmt.Sprintf(">>> from %s, %q, %d bytes", c.remote(), c.identity.String(), len(c.body)), c.body)
	}
}

// response writes what goes back to a peer.
func (t *soapTrace) response(c *call, status int, envelope []byte) {
	if t != nil {
		t.write(fmt.Sprintf("<<< to %s, HTTP %d %s, %d bytes", c.remote(), status, http.StatusText(status), len(envelope)), envelope)
	}
}

// remote is the caller's address, or that it is a local one.
func (c *call) remote() string {
	if c.local {
		return "a local session"
	}
	return c.caller.Address
}

func (t *soapTrace) write(head string, envelope []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "%s\n%s\n", head, wsman.BlankSecrets(envelope)) //nolint:errcheck // nobody to tell
}
