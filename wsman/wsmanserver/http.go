package wsmanserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/peercred"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// identifyHeader permits Identify without authentication. See [MS-WSMV]
// 3.1.4.1.23.
const identifyHeader = "WSMANIDENTIFY"

// writeWait bounds the sending of one response.
const writeWait = 2 * time.Minute

// serveHTTP takes one request from the socket to the dispatcher and back.
func (s *Server) serveHTTP(l *listening, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	// The deadline of an earlier response must not cut what answers this request.
	_ = control.SetWriteDeadline(time.Now().Add(writeWait))
	if wire := wireOf(r.Context()); wire != nil {
		wire.expect(nil) // the client has the last response: it asks for more
	}
	if !l.local && !s.reachable(l, w, r) {
		return
	}
	snap := s.snapshot()
	_ = control.SetReadDeadline(time.Now().Add(time.Duration(snap.WinRM.Service.MaxPacketRetrievalTimeSeconds) * time.Second))
	if l.local {
		s.serveLocal(w, r, control)
		return
	}
	if strings.EqualFold(r.Header.Get(identifyHeader), "unauthenticated") {
		s.identifyUnauthenticated(l, w, r, control)
		return
	}
	ex := l.auth.Authenticate(w, r)
	if ex == nil {
		return
	}
	// The plaintext may be as large as the setting says; what seals it comes on top.
	body, err := ex.ReadBody(int(min(snap.WinRM.MaxEnvelopeBytes(), 1<<30)))
	if err != nil {
		ex.Fail(bodyStatus(err))
		return
	}
	_ = control.SetReadDeadline(time.Time{})
	if len(body) == 0 {
		_ = ex.Reply(http.StatusOK, "", nil)
		return
	}
	if !ex.Sealed && r.TLS == nil && !snap.WinRM.Service.AllowUnencrypted {
		s.log.Info("a request in clear text is refused: AllowUnencrypted is false", "remote", r.RemoteAddr, "user", ex.Identity)
		ex.Fail(http.StatusUnauthorized)
		return
	}
	if !s.boundToChannel(ex, r, snap) {
		s.log.Info("a clear request over CredSSP is refused: CbtHardeningLevel is Strict", "remote", r.RemoteAddr, "user", ex.Identity)
		ex.Fail(http.StatusUnauthorized)
		return
	}
	var token *security.Token
	if ex.Mapper == nil {
		token, err = s.o.Token(r.Context(), ex.Identity)
	}
	if err != nil {
		s.log.Info("an identity has no token", "identity", ex.Identity, "error", err)
		ex.Fail(http.StatusUnauthorized)
		return
	}
	call := &call{
		server: s, snap: snap, body: body, contentType: ex.ContentType,
		caller: cim.Caller{Token: token, Remote: true, Address: r.RemoteAddr, Protection: protection(ex, r),
			Impersonation: cim.ImpersonationImpersonate},
		identity: ex.Identity, mapper: ex.Mapper, delegated: ex.Delegated, machine: hostOnly(r.Host), chunked: r.ContentLength < 0,
	}
	status, answer, done := call.serve(r.Context())
	defer done()
	call.sent(r, s.send(r, control, func() error { return ex.Reply(status, call.responseType(), answer) }))
}

// reachable checks what a request must have before anything else: the path,
// the host name, the method.
func (s *Server) reachable(l *listening, w http.ResponseWriter, r *http.Request) bool {
	status := 0
	switch {
	case !strings.EqualFold(strings.Trim(r.URL.Path, "/"), l.prefix):
		status = http.StatusNotFound
	case !l.hostMatches(r.Host):
		status = http.StatusBadRequest
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		status = http.StatusMethodNotAllowed
	default:
		return true
	}
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	return false
}

func bodyStatus(err error) int {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return http.StatusInternalServerError
	}
	return httpauth.Status(err)
}

func protection(ex *httpauth.Exchange, r *http.Request) cim.Protection {
	if ex.Sealed || r.TLS != nil {
		return cim.ProtectionPktPrivacy
	}
	return cim.ProtectionConnect
}

func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// sent is told whether the response left. Output of a command that did not
// reach the client waits for the next Receive.
func (c *call) sent(r *http.Request, ok bool) {
	wire := wireOf(r.Context())
	switch {
	case c.undelivered == nil:
	case !ok:
		c.undelivered()
	case wire != nil:
		wire.expect(c.undelivered)
	}
}

// send writes a response in one piece and tells whether that went well.
func (s *Server) send(r *http.Request, control *http.ResponseController, write func() error) bool {
	_ = control.SetWriteDeadline(time.Now().Add(writeWait))
	wire := wireOf(r.Context())
	if wire != nil {
		wire.cork()
	}
	// A client that has gone already gets nothing. One that goes after the
	// response has read it.
	gone := r.Context().Err() != nil
	err := write()
	if err == nil {
		err = control.Flush()
	}
	if wire != nil {
		err = errors.Join(err, wire.uncork())
	}
	if err != nil {
		s.log.Debug("a response was not sent", "remote", r.RemoteAddr, "error", err)
	}
	return err == nil && !gone
}

type wireKey struct{}

func withWire(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if w, ok := c.(*wireConn); ok {
		return context.WithValue(ctx, wireKey{}, w)
	}
	return ctx
}

func wireOf(ctx context.Context) *wireConn {
	w, _ := ctx.Value(wireKey{}).(*wireConn)
	return w
}

// identifyUnauthenticated answers Identify to anybody, and nothing else.
func (s *Server) identifyUnauthenticated(l *listening, w http.ResponseWriter, r *http.Request, control *http.ResponseController) {
	body, err := readAtMost(r, wsman.MinEnvelopeSize)
	if err != nil {
		w.Header().Set("Connection", "close")
		w.WriteHeader(bodyStatus(err))
		return
	}
	m, err := wsman.Decode(body, charsetOf(r.Header.Get("Content-Type")))
	if err != nil || !m.IsIdentify() || m.End() != nil || !s.snapshot().WinRM.Service.AllowRemoteAccess {
		w.Header().Set("Connection", "close")
		l.auth.Unauthorized(w, r)
		return
	}
	c := &call{msg: m, encoding: m.Encoding()}
	out := soap.NewWriter(nil)
	if err := wsman.EncodeIdentifyResponse(out, s.identity(false)); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.send(r, control, func() error { return plainReply(w, http.StatusOK, c.responseType(), c.encoded(out)) })
}

// localPeer is a local caller.
type localPeer struct{ uid uint32 }

type localKey struct{}

// LocalConn is an in-process connection; its caller has the given user id.
type LocalConn struct {
	net.Conn
	UID uint32
}

func localContext(ctx context.Context, c net.Conn) context.Context {
	if counted, ok := c.(*localConn); ok {
		c = counted.Conn
	}
	if l, ok := c.(*LocalConn); ok {
		return context.WithValue(ctx, localKey{}, localPeer{l.UID})
	}
	if uid, err := peercred.UID(c); err == nil {
		return context.WithValue(ctx, localKey{}, localPeer{uid})
	}
	return ctx
}

// serveLocal serves a caller whom the system vouches for.
func (s *Server) serveLocal(w http.ResponseWriter, r *http.Request, control *http.ResponseController) {
	peer, ok := r.Context().Value(localKey{}).(localPeer)
	if !ok || s.o.LocalToken == nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	token, err := s.o.LocalToken(peer.uid)
	if err != nil {
		s.log.Info("a local caller has no token", "uid", peer.uid, "error", err)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	snap := s.snapshot()
	body, err := readAtMost(r, int(min(snap.WinRM.MaxEnvelopeBytes(), 1<<30)))
	if err != nil {
		w.WriteHeader(bodyStatus(err))
		return
	}
	_ = control.SetReadDeadline(time.Time{})
	call := &call{
		server: s, snap: snap, body: body, contentType: r.Header.Get("Content-Type"), local: true,
		caller:   cim.Caller{Token: token, Protection: cim.ProtectionPktPrivacy, Impersonation: cim.ImpersonationImpersonate},
		identity: auth.Identity{User: token.UserName, Domain: token.Domain}, machine: "localhost", chunked: r.ContentLength < 0,
		uid: peer.uid,
	}
	status, answer, done := call.serve(r.Context())
	defer done()
	call.sent(r, s.send(r, control, func() error { return plainReply(w, status, call.responseType(), answer) }))
}

func plainReply(w http.ResponseWriter, status int, contentType string, body []byte) error {
	if len(body) > 0 {
		w.Header().Set("Content-Type", contentType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

func readAtMost(r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return nil, httpauth.ErrTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, int64(limit)))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, httpauth.ErrTooLarge
	}
	return body, err
}

const contentTypeUTF8 = "application/soap+xml;charset=UTF-8"

func charsetOf(contentType string) string {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return params["charset"]
}

// userKey names a caller in ledgers and tables: the SID.
func userKey(t *security.Token) string { return t.User.String() }
