package wsmanserver

import (
	"context"

	"github.com/casementhq/casement/auth"
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
