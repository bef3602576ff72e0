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
func (t *soapTrace) request(remote string, who fmt.Stringer, envelope []byte) {
	if t == nil {
		return
	}
	t.write(fmt.Sprintf(">>> from %s, %q, %d bytes", remote, who.String(), len(envelope)), envelope)
}

// response writes what goes back to a peer.
func (t *soapTrace) response(remote string, status int, envelope []byte) {
	if t == nil {
		return
	}
	t.write(fmt.Sprintf("<<< to %s, HTTP %d %s, %d bytes", remote, status, http.StatusText(status), len(envelope)), envelope)
}

func (t *soapTrace) write(head string, envelope []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "%s\n%s\n", head, wsman.BlankSecrets(envelope)) //nolint:errcheck // nobody to tell
}
