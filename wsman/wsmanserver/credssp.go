package wsmanserver

import (
	"context"
	"net/http"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/secondhop"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/shell"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// credSSP makes the service's side of an exchange, or one that refuses with the reason why there can be none.
func (s *Server) credSSP(p Peer) auth.Acceptor {
	a, err := s.o.CredSSP(p)
	if err != nil {
		return refusing{err}
	}
	return a
}

// refusing is an exchange that cannot begin.
type refusing struct{ err error }

func (r refusing) Step(context.Context, []byte) ([]byte, bool, error) { return nil, false, r.err }
func (r refusing) Context() auth.Context                              { return nil }

// boundToChannel tells whether a message is tied to its proof as CbtHardeningLevel demands. The proof of CredSSP
// is bound to a TLS channel of its own and not to that of https, so under Strict its messages must come through
// that channel, sealed: else whoever ends https in the middle could add his own.
func (s *Server) boundToChannel(ex *httpauth.Exchange, r *http.Request, snap *settings.Snapshot) bool {
	level := snap.WinRM.Service.CbtHardeningLevel
	return ex.Scheme != httpauth.CredSSP || ex.Sealed || r.TLS == nil || level == auth.Relaxed.String() || level == auth.None.String()
}

// secondHop gives a new shell what its caller handed over with the proof of this request's connection: commands
// of the shell can use it while the shell lives. nil: nothing was, or it cannot be kept from other users here.
func (c *call) secondHop(id shell.Identity) *secondhop.Server {
	if c.delegated == nil {
		return nil
	}
	d := c.delegated()
	if d == nil {
		return nil
	}
	served, err := secondhop.Serve(d, id.UID)
	if err != nil {
		c.server.log.Warn("a shell goes without the credentials that its caller handed over", "user", c.ownerName(), "error", err)
		return nil
	}
	return served
}
