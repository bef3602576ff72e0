package wmiclient

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
)

// Session is a cim.Session over IWbemServices: it is bound to one namespace and to the client's user. A path into another namespace of the same host
// is followed there. It is safe for concurrent use.
type Session struct {
	c         *Client
	namespace string
	open      cim.OpenOptions
	owner     bool          // Close closes the client, too
	blanket   *dcom.Blanket // of its proxies and of what they give; nil is the client's

	mu      sync.Mutex
	logins  map[string]*login // by folded namespace
	streams map[*enumerator]struct{}
	others  map[io.Closer]struct{} // refreshers
	closed  bool
}

// login is a namespace that the session is logged in to, or about to be.
type login struct {
	ready chan struct{} // closed when proxy and err are there
	proxy *dcom.Proxy
	err   error
}

var (
	_ cim.Session     = (*Session)(nil)
	_ cim.ClassWriter = (*Session)(nil)
	_ cim.Subscriber  = (*Session)(nil)
)

// Namespace is the namespace that the session is bound to.
func (s *Session) Namespace() string { return s.namespace }

// At is another session like this one whose calls, and those on what they give, are made at exactly that level: a blanket of its own for each proxy.
// It logs in at its first operation, with the protection of the client, and is closed on its own.
func (s *Session) At(level wmi.AuthenticationLevel) *Session {
	return s.c.session(s.namespace, s.open, s.c.at(level))
}

// With is s itself: the caller is fixed by the connection.
func (s *Session) With(cim.Caller) cim.Session { return s }

// Close ends every enumeration and subscription that the session began, and gives back its objects. The client of a session of Client.Open stays open.
func (s *Session) Close() error {
	s.c.mu.Lock()
	delete(s.c.sessions, s)
	s.c.mu.Unlock()
	s.end()
	if s.owner {
		return s.c.Close()
	}
	return nil
}

func (s *Session) end() {
	s.mu.Lock()
	streams, open, others := s.streams, s.logins, s.others
	s.streams, s.logins, s.others, s.closed = nil, nil, nil, true
	s.mu.Unlock()
	for o := range others {
		o.Close() //nolint:errcheck // it has none
	}
	for e := range streams {
		e.cancel() // all at once
	}
	for e := range streams {
		<-e.done
	}
	var proxies []*dcom.Proxy
	for _, n := range open {
		<-n.ready
		proxies = append(proxies, n.proxy)
	}
	s.c.release(context.Background(), proxies...)
}

var errClosed = &cim.Error{Status: cim.ErrShuttingDown, Detail: "the session is closed"}

// at is IWbemServices of a namespace of the host, "" being the session's own.
func (s *Session) at(ctx context.Context, namespace string) (*dcom.Proxy, error) {
	namespace = strings.Trim(strings.ReplaceAll(namespace, "/", `\`), `\`)
	if namespace == "" {
		namespace = s.namespace
	}
	key := cim.Fold(namespace)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	n := s.logins[key]
	if n == nil {
		n = &login{ready: make(chan struct{})}
		s.logins[key] = n
		s.mu.Unlock()
		n.proxy, n.err = s.c.login(ctx, namespace, s.open)
		if n.err == nil && s.blanket != nil {
			first := n.proxy
			n.proxy = first.With(s.blanket)
			s.c.release(ctx, first)
		}
		if n.err != nil { // it may go better next time
			s.mu.Lock()
			if s.logins[key] == n {
				delete(s.logins, key)
			}
			s.mu.Unlock()
		}
		close(n.ready)
		return n.proxy, n.err
	}
	s.mu.Unlock()
	select {
	case <-n.ready:
		return n.proxy, n.err
	case <-ctx.Done():
		return nil, callError(context.Cause(ctx))
	}
}

// do makes f call IWbemServices of a namespace. Where that object is gone, as after a restart of the host's service, it logs in again, once: f did
// nothing then.
func (s *Session) do(ctx context.Context, namespace string, f func(services *Services) error) error {
	p, err := s.at(ctx, namespace)
	if err != nil {
		return err
	}
	if err = f(&Services{s.c, p}); !isGone(err) || !s.drop(ctx, p) {
		return err
	}
	s.c.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "logging in again", slog.String("host", s.c.host), slog.Any("error", err))
	if p, err = s.at(ctx, namespace); err != nil {
		return err
	}
	return f(&Services{s.c, p})
}

// change is do for what must not be done twice: f runs once. A fault carries no signature, so that one which says that the object is gone may be
// made up by who stands between, after the host did what it was asked. Where the connection was lost meanwhile, a call without effect tells before
// whether the object is still there.
func (s *Session) change(ctx context.Context, namespace string, f func(services *Services) error) error {
	p, err := s.at(ctx, namespace)
	if err != nil {
		return err
	}
	if !p.Connected() {
		err := s.do(ctx, namespace, func(services *Services) error {
			p = services.p
			same, err := p.QueryInterface(ctx, wmi.IIDServices)
			if err != nil {
				return ended(ctx, err)
			}
			s.c.release(ctx, same)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err = f(&Services{s.c, p}); isGone(err) {
		s.drop(ctx, p) // the next one logs in again
	}
	return err
}

// isGone tells the errors of a call that never began because its object does not exist, or nobody listens where it was.
func isGone(err error) bool {
	var hr *dcom.Error
	if !errors.As(err, &hr) {
		return false
	}
	switch hr.HRESULT {
	case dcom.RPC_E_DISCONNECTED, dcom.RPC_E_INVALID_OBJECT, dcom.RPC_E_INVALID_IPID, dcom.CO_E_OBJNOTCONNECTED, dcom.CO_E_OBJNOTREG,
		dcom.FromWin32(dcom.OR_INVALID_OXID), dcom.FromWin32(dcom.RPC_S_SERVER_UNAVAILABLE):
		return true
	}
	return false
}

// drop forgets a login that is of no use any more; false where the session is closed.
func (s *Session) drop(ctx context.Context, services *dcom.Proxy) bool {
	s.mu.Lock()
	for key, n := range s.logins {
		select {
		case <-n.ready:
			if n.proxy == services {
				delete(s.logins, key)
			}
		default:
		}
	}
	closed := s.closed
	s.mu.Unlock()
	s.c.release(ctx, services)
	return !closed
}

// limit bounds an operation by its own timeout or by that of the client.
func (s *Session) limit(ctx context.Context, o cim.OperationOptions) (context.Context, context.CancelFunc) {
	d := o.Timeout
	if d <= 0 {
		d = s.c.opts.Timeout
	}
	if d <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, d, &cim.Error{Status: cim.ErrTimedOut, Detail: "the host did not answer within " + d.String() + "; check that it is up and its firewall lets you in, or allow more time", Err: context.DeadlineExceeded})
}
