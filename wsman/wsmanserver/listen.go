package wsmanserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// listening is an endpoint that is open.
type listening struct {
	endpoint
	local bool
	net   net.Listener
	http  *http.Server
	auth  *httpauth.Server
	cert  *tls.Certificate
}

// reconcile opens and closes listeners so that they are what the configuration
// says, and tells whether they are. Endpoints that did not change keep their connections.
func (s *Server) reconcile(ctx context.Context) (all bool) {
	want, collisions := plan(s.snapshot(), s.o.Configuration.Host())
	s.warn(collisions)
	keep := make(map[endpoint]bool, len(want))
	for _, e := range want {
		keep[e] = true
	}
	s.mu.Lock()
	var closing []*listening
	for e, l := range s.open {
		if !keep[e] {
			closing = append(closing, l)
			delete(s.open, e)
		}
	}
	s.mu.Unlock()
	for _, l := range closing {
		l.net.Close()
		s.wg.Go(func() { s.drain(l) })
	}
	failed := map[endpoint]string{}
	for _, e := range want {
		s.mu.Lock()
		_, there := s.open[e]
		closed := s.closed
		s.mu.Unlock()
		if there || closed {
			continue
		}
		if err := s.openEndpoint(ctx, e); err != nil {
			if failed[e] = err.Error(); failed[e] != s.failed[e] { // once, and not with every attempt
				s.log.Error("cannot open a listener", "address", e.bind, "tls", e.secure, "error", err)
			}
		}
	}
	s.failed = failed
	return len(failed) == 0
}

// drain lets requests under way on a closed endpoint end, for a short while.
func (s *Server) drain(l *listening) {
	ctx, cancel := context.WithTimeout(s.base, drainWait)
	defer cancel()
	s.shutdown(ctx, l.http)
}

// warn logs problems of the listeners once, not with every look.
func (s *Server) warn(problems []string) {
	all := strings.Join(problems, "\n")
	if all == s.warned {
		return
	}
	s.warned = all
	for _, p := range problems {
		s.log.Warn("a listener does not receive", "problem", p)
	}
}

func (s *Server) openEndpoint(ctx context.Context, e endpoint) error {
	l := &listening{endpoint: e}
	if e.secure {
		cert, err := s.o.Configuration.Certificate(e.thumbprint)
		if err != nil {
			return err
		}
		l.cert = cert
	}
	var err error
	if l.net, err = s.o.Listen(ctx, "tcp", e.bind); err != nil {
		return err
	}
	l.http = s.httpServer(l)
	var accept net.Listener = &trackedListener{Listener: l.net, server: s}
	if e.secure {
		accept = tls.NewListener(accept, s.tlsConfig(l.cert))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return l.net.Close()
	}
	s.open[e] = l
	s.log.Info("listening", "address", l.net.Addr(), "tls", e.secure, "prefix", e.prefix)
	s.wg.Go(func() {
		if err := l.http.Serve(accept); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.log.Error("a listener ended", "address", e.bind, "error", err)
		}
	})
	return nil
}

// trackedListener asks gates 1 and 2 for each connection.
type trackedListener struct {
	net.Listener
	server *Server
	local  chan struct{} // of local sessions: one token for each connection
}

func (t *trackedListener) Accept() (net.Conn, error) {
	for {
		c, err := t.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if t.local != nil {
			select {
			case t.local <- struct{}{}:
				return &localConn{Conn: c, release: sync.OnceFunc(func() { <-t.local })}, nil
			default:
				c.Close()
				continue
			}
		}
		if t.server.o.Admit != nil && !t.server.o.Admit(c.LocalAddr(), c.RemoteAddr()) {
			if tcp, ok := c.(interface{ SetLinger(seconds int) error }); ok {
				_ = tcp.SetLinger(0) // a reset: the peer learns at once
			}
			c.Close()
			t.server.o.Observer.Connection(false)
			continue
		}
		release, err := t.server.ledger.Connection()
		if err != nil {
			t.server.o.Observer.Connection(false)
			t.server.refuse(c, err)
			continue
		}
		t.server.o.Observer.Connection(true)
		return &wireConn{Conn: c, release: release}, nil
	}
}

// localConn is a counted connection of a local session.
type localConn struct {
	net.Conn
	release func()
}

func (c *localConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// maxRefusing bounds the refused connections that get an answer at one time.
// The answer takes up to a second, and refusals come as fast as strangers like.
const maxRefusing = 32

// refuse answers and logs a refused connection; a flood of them is just closed.
func (s *Server) refuse(c net.Conn, why error) {
	select {
	case s.refusing <- struct{}{}:
	default:
		c.Close()
		return
	}
	s.log.Warn("a connection is refused", "remote", c.RemoteAddr(), "error", why)
	s.wg.Go(func() {
		defer func() { <-s.refusing }()
		refuseConnection(c)
	})
}

// refuseConnection tells a client that there are too many. A client that
// speaks TLS sees its handshake fail.
func refuseConnection(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	var sink [512]byte
	for {
		if _, err := c.Read(sink[:]); err != nil {
			return
		}
	}
}

// wireConn is a connection that counts, and that can hold back what is written
// so that a response leaves in one piece: two small writes would meet delayed
// acknowledgements.
type wireConn struct {
	net.Conn
	release func()
	once    sync.Once

	mu     sync.Mutex
	corked bool
	held   bytes.Buffer
	broken bool
	lost   func() // where the last response may not have arrived
}

// maxHeld bounds what is held back; a larger response is written through.
const maxHeld = 8 << 20

func (c *wireConn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}

// Read notices a connection that breaks before the client has asked for more:
// its kernel may have thrown away the last response. A client that closes in
// good order has read it.
func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ETIMEDOUT)) {
		c.mu.Lock()
		lost := c.lost
		c.lost, c.broken = nil, true
		c.mu.Unlock()
		if lost != nil {
			lost()
		}
	}
	return n, err
}

// expect sets what is to be called where the response just written is lost; nil
// says that it arrived.
func (c *wireConn) expect(lost func()) {
	c.mu.Lock()
	broken := c.broken
	if !broken {
		c.lost = lost
	}
	c.mu.Unlock()
	if broken && lost != nil {
		lost()
	}
}

func (c *wireConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.corked {
		return c.Conn.Write(p)
	}
	if c.held.Len()+len(p) > maxHeld {
		if err := c.flush(); err != nil {
			return 0, err
		}
		return c.Conn.Write(p)
	}
	return c.held.Write(p)
}

// cork holds writes back until uncork.
func (c *wireConn) cork() {
	c.mu.Lock()
	c.corked = true
	c.mu.Unlock()
}

func (c *wireConn) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	return c.flush()
}

func (c *wireConn) flush() error {
	if c.held.Len() == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.held.Bytes())
	c.held.Reset()
	if c.held.Cap() > 1<<20 {
		c.held = bytes.Buffer{}
	}
	return err
}
