package httpauth

import (
	"errors"
	"net/http"

	"github.com/casementhq/casement/auth"
)

// Mapper tells whose account the holder of a verified client certificate uses for a resource. See [MS-WSMV]
// 3.1.4.1.35.
type Mapper func(resourceURI string) (auth.Identity, error)

// certificate takes the certificate of the TLS handshake for a proof. Nothing of it is remembered: each request is
// judged by the configuration of its moment.
func (s *Server) certificate(w http.ResponseWriter, r *http.Request, st *connState) *Exchange {
	st.forget()
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		s.refuse(w, r, st, Certificate, errors.New("the client showed no certificate"))
		return nil
	}
	mapper, err := s.CheckCertificate(r.TLS.PeerCertificates)
	if err != nil {
		s.refuse(w, r, st, Certificate, err)
		return nil
	}
	return &Exchange{Identity: auth.Identity{Mechanism: auth.Certificate}, Scheme: Certificate, Mapper: mapper, st: st, w: w, r: r}
}
