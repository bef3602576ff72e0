package httpauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
)

// maxFailures is how many proofs may fail on one connection before it is closed.
const maxFailures = 5

// ConnInfo is what an acceptor may want to know of the connection that it guards.
type ConnInfo struct {
	Remote   net.Addr
	TLS      *tls.ConnectionState  // nil without TLS
	Bindings *auth.ChannelBindings // nil without TLS
}

// Server authenticates the requests of an http.Server. Set its ConnContext and ConnState as those of the
// http.Server, and HTTP/2 off: proofs belong to connections.
type Server struct {
	// Schemes returns what is offered for a request, in the order of its advertisement. Only these are
	// accepted. Required.
	Schemes func(r *http.Request) []string
	// Acceptors make the service's side of an exchange, by scheme. A missing one refuses its scheme.
	Acceptors map[string]func(ConnInfo) auth.Acceptor
	// CheckBasic verifies a password. It is asked once per connection and password. Nil refuses Basic.
	CheckBasic func(ctx context.Context, user, password string, remote net.Addr) (auth.Identity, error)
	// CheckCertificate verifies the client certificates of a TLS connection, of which there is at least one, and returns
	// who its holder is, which depends on the resource. It is asked with every request. Nil refuses Certificate.
	CheckCertificate func(shown []*x509.Certificate) (Mapper, error)
	// Bindings returns the channel bindings of a new connection, under TLS those of the certificate that the
	// listener presents; nil means none.
	Bindings func(net.Conn) *auth.ChannelBindings
	// Logger records refusals at level Info, never secrets. Nil is silent.
	Logger *slog.Logger

	conns sync.Map // net.Conn to *connState, while the connection lives
}

type connKey struct{}

// ConnContext gives a connection its state. It fits http.Server.ConnContext.
func (s *Server) ConnContext(ctx context.Context, c net.Conn) context.Context {
	st := &connState{remote: c.RemoteAddr()}
	if s.Bindings != nil {
		st.bindings = s.Bindings(c)
	}
	s.conns.Store(c, st)
	return context.WithValue(ctx, connKey{}, st)
}

// ConnState forgets what was proved on a connection that ends. It fits http.Server.ConnState.
func (s *Server) ConnState(c net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	// The goroutine that serves the connection says so itself: no request is under way.
	if st, ok := s.conns.LoadAndDelete(c); ok {
		st.(*connState).forget()
	}
}

// Authenticate decides about a request before anything of its body is read. Either it answers the request
// itself and returns nil, or it returns the authenticated exchange, for whose answer the caller is responsible.
//
// A proof that has ended (auth.Identity.Until) is none: the request is answered with 401, and the client proves itself anew.
//
// It answers with 401 and the offered schemes, 401 and a token while an exchange goes on, 200 without a body
// when a request without body completes one, 401 to a request with neither body nor Authorization, and 505 to
// HTTP versions other than 1.
func (s *Server) Authenticate(w http.ResponseWriter, r *http.Request) *Exchange {
	st, _ := r.Context().Value(connKey{}).(*connState)
	if st == nil || r.ProtoMajor != 1 {
		http.Error(w, "HTTP/1.1 is required", http.StatusHTTPVersionNotSupported)
		return nil
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		if st.context != nil && (!s.offered(r, st.scheme) || st.context.Identity().Over(time.Now())) {
			st.forget() // the scheme was switched off since, or the ticket has ended
		}
		// A request without body only asks for an exchange, also on a connection that has one behind it:
		// masterzen/winrm asks so before each message, and seals nothing until it gets one.
		if st.context == nil || r.ContentLength == 0 {
			s.Unauthorized(w, r)
			return nil
		}
		return &Exchange{Identity: st.context.Identity(), Scheme: st.scheme, st: st, w: w, r: r}
	}
	scheme, credentials := splitScheme(header)
	switch {
	case !s.offered(r, scheme):
		st.forget()
		s.refuse(w, r, st, scheme, errors.New("scheme is not offered"))
		return nil
	case scheme == Basic:
		return s.basic(w, r, st, credentials)
	case scheme == Certificate:
		return s.certificate(w, r, st)
	}
	return s.step(w, r, st, scheme, credentials)
}

func (s *Server) offered(r *http.Request, scheme string) bool {
	scheme = mechanism(scheme)
	switch {
	case scheme == Basic && s.CheckBasic == nil, scheme == Certificate && s.CheckCertificate == nil,
		scheme != Basic && scheme != Certificate && s.Acceptors[scheme] == nil:
		return false
	}
	for _, name := range s.Schemes(r) {
		if name == scheme {
			return true
		}
	}
	return false
}

// mechanism returns the scheme whose acceptor serves another one: Negotiate takes bare NTLM tokens.
func mechanism(scheme string) string {
	if scheme == NTLM {
		return Negotiate
	}
	return scheme
}

// step feeds a token to the exchange of the connection. A token after a finished exchange starts a new one.
func (s *Server) step(w http.ResponseWriter, r *http.Request, st *connState, scheme, credentials string) *Exchange {
	token, ok := decodeToken(credentials)
	if !ok || len(token) == 0 {
		st.forget()
		s.refuse(w, r, st, scheme, auth.ErrBadToken)
		return nil
	}
	if st.acceptor == nil || st.scheme != scheme {
		st.forget()
		st.scheme = scheme
		st.acceptor = s.Acceptors[mechanism(scheme)](ConnInfo{Remote: st.remote, TLS: r.TLS, Bindings: st.bindings})
	}
	out, done, err := st.acceptor.Step(r.Context(), token)
	if err != nil {
		st.forget()
		if len(out) > 0 { // CredSSP tells its peer why
			w.Header().Set("WWW-Authenticate", encodeToken(scheme, out))
		}
		s.refuse(w, r, st, scheme, err)
		return nil
	}
	switch {
	case len(out) > 0:
		w.Header().Set("WWW-Authenticate", encodeToken(scheme, out))
	case !done:
		w.Header().Set("WWW-Authenticate", scheme)
	}
	if !done {
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	st.context, st.acceptor, st.failures = st.acceptor.Context(), nil, 0
	if r.ContentLength == 0 {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return &Exchange{Identity: st.context.Identity(), Scheme: scheme, st: st, w: w, r: r}
}

func (s *Server) basic(w http.ResponseWriter, r *http.Request, st *connState, credentials string) *Exchange {
	if id, ok := st.remembered(credentials); ok {
		return &Exchange{Identity: id, Scheme: Basic, st: st, w: w, r: r}
	}
	st.forget()
	raw, err := base64.StdEncoding.DecodeString(credentials)
	user, password, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok || user == "" {
		s.refuse(w, r, st, Basic, auth.ErrBadToken)
		return nil
	}
	id, err := s.CheckBasic(r.Context(), user, password, st.remote)
	if err != nil {
		s.refuse(w, r, st, Basic, err)
		return nil
	}
	id.Mechanism = auth.Basic
	st.remember(credentials, id)
	return &Exchange{Identity: id, Scheme: Basic, st: st, w: w, r: r}
}

// refuse answers a failed proof. The peer learns nothing but that it failed.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, st *connState, scheme string, err error) {
	if st.failures++; st.failures >= maxFailures {
		w.Header().Set("Connection", "close")
	}
	if s.Logger != nil {
		s.Logger.InfoContext(r.Context(), "authentication refused", "scheme", scheme, "remote", st.remote, "error", err)
	}
	s.Unauthorized(w, r)
}

// Unauthorized answers 401 with the schemes that are offered, or with the token of the scheme under way.
func (s *Server) Unauthorized(w http.ResponseWriter, r *http.Request) {
	if w.Header().Get("WWW-Authenticate") != "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	for _, scheme := range s.Schemes(r) {
		switch scheme {
		case Certificate: // it takes no challenge
			continue
		case Basic:
			scheme = `Basic realm="WSMAN"`
		}
		w.Header().Add("WWW-Authenticate", scheme)
	}
	w.WriteHeader(http.StatusUnauthorized)
}
