package httpauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
)

// service is a listener whose answer to a body is "echo:" and the body.
type service struct {
	*Server
	http      *httptest.Server
	hardening auth.Hardening
	inner     *tls.Config // of CredSSP
	limit     int
	conns     atomic.Int32
	checks    atomic.Int32 // of Basic passwords
	handler   func(e *Exchange, body []byte) bool
}

func listen(t *testing.T, secure bool, set func(*service)) *service {
	t.Helper()
	s := &service{limit: 1 << 20}
	s.http = httptest.NewUnstartedServer(s)
	s.Server = &Server{
		Schemes:    func(*http.Request) []string { return []string{Negotiate, CredSSP, Basic} },
		Acceptors:  map[string]func(ConnInfo) auth.Acceptor{Negotiate: s.acceptor, CredSSP: s.credSSP},
		CheckBasic: s.check,
	}
	if secure {
		s.Bindings = func(net.Conn) *auth.ChannelBindings { return auth.TLSServerEndPoint(s.http.Certificate()) }
	}
	if set != nil {
		set(s)
	}
	s.http.Config.ConnContext = s.ConnContext
	s.http.Config.ConnState = func(c net.Conn, state http.ConnState) {
		s.ConnState(c, state)
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	if secure {
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	t.Cleanup(s.http.Close)
	return s
}

func (s *service) acceptor(info ConnInfo) auth.Acceptor {
	return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: func() auth.Acceptor {
		return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "SERVER", ChannelBindings: info.Bindings,
			Hardening: s.hardening,
			Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
				if user != "alice" {
					return [16]byte{}, auth.ErrLogonFailure
				}
				return ntlm.NTHash("secret"), nil
			}})
	}})
}

func (s *service) check(_ context.Context, user, password string, _ net.Addr) (auth.Identity, error) {
	s.checks.Add(1)
	if user != "alice" || password != "secret" {
		return auth.Identity{}, auth.ErrLogonFailure
	}
	return auth.Identity{User: user}, nil
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := s.Authenticate(w, r)
	if e == nil {
		return
	}
	body, err := e.ReadBody(s.limit)
	if err != nil {
		e.Fail(Status(err))
		return
	}
	if s.handler != nil && s.handler(e, body) {
		return
	}
	if !e.Sealed && r.TLS == nil && e.Scheme != Basic {
		e.Fail(http.StatusForbidden)
		return
	}
	_ = e.Reply(http.StatusOK, "", append([]byte("echo:"), body...))
}

func (s *service) dial(t *testing.T, password string, set func(*ClientOptions)) *ClientConn {
	t.Helper()
	u, err := url.Parse(s.http.URL + "/wsman")
	if err != nil {
		t.Fatal(err)
	}
	credentials := auth.Credentials{Username: "alice", Password: password}
	opts := ClientOptions{URL: u, Scheme: Negotiate, Credentials: credentials,
		NewInitiator: func(_ string, b *auth.ChannelBindings) (auth.Initiator, error) {
			return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
				return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: credentials, ChannelBindings: b})
			}}), nil
		}}
	if u.Scheme == "https" {
		opts.TLS = s.http.Client().Transport.(*http.Transport).TLSClientConfig
	}
	if set != nil {
		set(&opts)
	}
	c, err := NewClientConn(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func echo(t *testing.T, c *ClientConn, text string) *Response {
	t.Helper()
	r, err := c.Do(t.Context(), &Message{Body: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 200 || string(r.Body) != "echo:"+text || r.ContentType != soapMediaType {
		t.Fatalf("status %d, type %s, body %.40q", r.Status, r.ContentType, r.Body)
	}
	return r
}

func TestSealed(t *testing.T) {
	s := listen(t, false, nil)
	handshakes := 0
	c := s.dial(t, "secret", func(o *ClientOptions) {
		o.Trace = &Trace{Authenticated: func(string, auth.Identity) { handshakes++ }}
	})
	for _, text := range []string{"one", "", strings.Repeat("long ", 100_000), "--Encrypted Boundary--\r\n"} {
		if r := echo(t, c, text); !r.Sealed {
			t.Fatal("answer is not sealed")
		}
	}
	if handshakes != 1 || s.conns.Load() != 1 {
		t.Errorf("%d handshakes, %d connections", handshakes, s.conns.Load())
	}
}

func TestWireIsSealed(t *testing.T) {
	s := listen(t, false, nil)
	var wire bytes.Buffer
	c := s.dial(t, "secret", func(o *ClientOptions) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &tap{conn, &wire}, err
		}
	})
	echo(t, c, "very private")
	if got := wire.String(); strings.Contains(got, "private") || strings.Count(got, "HTTP-SPNEGO-session-encrypted") != 4 {
		t.Errorf("on the wire: %q", got)
	}
}

// tap records both directions.
type tap struct {
	net.Conn
	log *bytes.Buffer
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.log.Write(b[:n])
	return n, err
}

func (c *tap) Write(b []byte) (int, error) {
	c.log.Write(b)
	return c.Conn.Write(b)
}

func TestRefused(t *testing.T) {
	s := listen(t, false, nil)
	var unauthorized *UnauthorizedError
	_, err := s.dial(t, "wrong", nil).Do(t.Context(), &Message{Body: []byte("x")})
	if !errors.Is(err, auth.ErrLogonFailure) || !errors.As(err, &unauthorized) || !slices.Equal(unauthorized.Offered, []string{Negotiate, CredSSP, Basic}) {
		t.Error(err)
	}
	_, err = s.dial(t, "secret", func(o *ClientOptions) { o.Scheme = Kerberos }).Do(t.Context(), &Message{})
	if !errors.Is(err, auth.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := NewClientConn(ClientOptions{URL: &url.URL{Scheme: "http", Host: "h"}, Scheme: Basic}); err == nil {
		t.Error("Basic without TLS was permitted")
	}
	_, err = s.dial(t, "secret", func(o *ClientOptions) { o.Plain = true }).Do(t.Context(), &Message{Body: []byte("x")})
	if err != nil {
		t.Error(err)
	}
}

// A connection that the server closed leads to a new one with a proof of its own.
func TestReconnect(t *testing.T) {
	s := listen(t, false, nil)
	s.handler = func(e *Exchange, body []byte) bool {
		if string(body) == "last" {
			e.w.Header().Set("Connection", "close")
		}
		return false
	}
	handshakes := 0
	c := s.dial(t, "secret", func(o *ClientOptions) {
		o.Trace = &Trace{Authenticated: func(string, auth.Identity) { handshakes++ }}
	})
	echo(t, c, "one")
	echo(t, c, "last")
	echo(t, c, "three")
	c.used = time.Now().Add(-2 * idleProbe)
	echo(t, c, "after a rest")
	s.http.CloseClientConnections()
	c.used = time.Now().Add(-2 * idleProbe)
	echo(t, c, "after being closed at rest")
	if handshakes != 3 || s.conns.Load() != 3 {
		t.Errorf("%d handshakes, %d connections", handshakes, s.conns.Load())
	}
}

// The same bytes on a second connection, or twice on one, are worth nothing.
func TestStolenRequest(t *testing.T) {
	s := listen(t, false, nil)
	var wire bytes.Buffer
	c := s.dial(t, "secret", func(o *ClientOptions) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &tap{conn, &wire}, err
		}
	})
	echo(t, c, "one")
	wire.Reset()
	echo(t, c, "two")
	stolen := wire.String()[:strings.Index(wire.String(), "HTTP/1.1 200")]
	post := func(conn net.Conn) string {
		_, _ = io.WriteString(conn, stolen)
		answer := make([]byte, 12)
		_, _ = io.ReadFull(conn, answer)
		return string(answer)
	}
	other, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // test
	if got := post(other); got != "HTTP/1.1 401" {
		t.Errorf("on another connection: %s", got)
	}
	if got := post(c.conn); got != "HTTP/1.1 400" {
		t.Errorf("replayed: %s", got)
	}
}

func TestTooLarge(t *testing.T) {
	s := listen(t, false, func(s *service) { s.limit = 1000 })
	c := s.dial(t, "secret", nil)
	echo(t, c, strings.Repeat("x", 1000))
	for _, size := range []int{1001, 100_000} {
		r, err := c.Do(t.Context(), &Message{Body: make([]byte, size)})
		if err != nil || r.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: %v %+v", size, err, r)
		}
	}
	s.limit = 1 << 20
	small := s.dial(t, "secret", func(o *ClientOptions) { o.MaxResponse = 100 })
	if _, err := small.Do(t.Context(), &Message{Body: make([]byte, 200)}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// Neither an answer in the clear nor a changed one is taken for the answer to a sealed request.
func TestForgedAnswer(t *testing.T) {
	s := listen(t, false, func(s *service) {
		s.handler = func(e *Exchange, body []byte) bool {
			if string(body) == "plain" {
				e.Sealed = false
				_ = e.Reply(200, "", []byte("<forged/>"))
				return true
			}
			contentType, sealed, _ := Seal(e.st.context, e.protocol, soapMediaType, body)
			sealed[len(sealed)-30] ^= 1
			e.Sealed = false
			_ = e.Reply(200, contentType, sealed)
			return true
		}
	})
	if _, err := s.dial(t, "secret", nil).Do(t.Context(), &Message{Body: []byte("plain")}); !errors.Is(err, auth.ErrNotProtected) {
		t.Error(err)
	}
	if _, err := s.dial(t, "secret", nil).Do(t.Context(), &Message{Body: []byte("a longer body")}); !errors.Is(err, auth.ErrMessageAltered) {
		t.Error(err)
	}
}

func TestTLSBindings(t *testing.T) {
	s := listen(t, true, func(s *service) { s.hardening = auth.Strict })
	c := s.dial(t, "secret", nil)
	if echo(t, c, "one").Sealed {
		t.Error("sealed within TLS without need")
	}
	c.used = time.Now().Add(-2 * idleProbe)
	echo(t, c, "two")
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections after a rest", n)
	}
	if !echo(t, s.dial(t, "secret", func(o *ClientOptions) { o.AlwaysSeal = true }), "three").Sealed {
		t.Error("not sealed")
	}
	unbound := s.dial(t, "secret", func(o *ClientOptions) {
		inner := o.NewInitiator
		o.NewInitiator = func(scheme string, _ *auth.ChannelBindings) (auth.Initiator, error) { return inner(scheme, nil) }
	})
	if _, err := unbound.Do(t.Context(), &Message{}); !errors.Is(err, auth.ErrLogonFailure) {
		t.Error("strict level let an unbound client in:", err)
	}
}

// Some servers want a proof with each request: it is made again, once for each.
func TestForgetfulServer(t *testing.T) {
	s := listen(t, true, func(s *service) {
		s.handler = func(e *Exchange, body []byte) bool { e.st.forget(); return false }
	})
	c := s.dial(t, "secret", nil)
	echo(t, c, "one")
	echo(t, c, "two")
	if s.conns.Load() != 1 {
		t.Errorf("%d connections", s.conns.Load())
	}
}

func TestBasic(t *testing.T) {
	s := listen(t, true, nil)
	basic := func(o *ClientOptions) { o.Scheme = Basic }
	c := s.dial(t, "secret", basic)
	echo(t, c, "one")
	echo(t, c, "two")
	if n := s.checks.Load(); n != 1 {
		t.Errorf("the password was verified %d times", n)
	}
	c.opts.Credentials.Password = "wrong"
	if _, err := c.Do(t.Context(), &Message{}); !errors.Is(err, auth.ErrLogonFailure) {
		t.Error("a remembered connection took a wrong password:", err)
	}
	echo(t, s.dial(t, "secret", basic), "one")
	if n := s.checks.Load(); n != 3 {
		t.Errorf("the password was verified %d times", n)
	}
}

// Without an Authorization header Basic proves nothing, though the connection remembers.
func TestBasicIsPerRequest(t *testing.T) {
	s := listen(t, false, nil)
	conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // test
	send := func(authorization string) string {
		_, _ = io.WriteString(conn, "POST /wsman HTTP/1.1\r\nHost: h\r\n"+authorization+"Content-Length: 1\r\n\r\nx")
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		return string(buf[:n])
	}
	header := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("alice:secret")) + "\r\n"
	if got := send(header); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Error(got)
	}
	got := send("")
	if !strings.HasPrefix(got, "HTTP/1.1 401") || !strings.Contains(got, "Www-Authenticate: Negotiate\r\n") ||
		!strings.Contains(got, `Basic realm="WSMAN"`) {
		t.Error(got)
	}
	for n := range maxFailures {
		got = send("Authorization: Negotiate ***\r\n")
		if closed := strings.Contains(got, "Connection: close"); closed != (n == maxFailures-1) {
			t.Errorf("failure %d: %s", n, got)
		}
	}
}

func TestSchemeNotOffered(t *testing.T) {
	s := listen(t, true, func(s *service) {
		s.Schemes = func(*http.Request) []string { return []string{Negotiate} }
	})
	_, err := s.dial(t, "secret", func(o *ClientOptions) { o.Scheme = Basic }).Do(t.Context(), &Message{})
	if !errors.Is(err, auth.ErrUnsupported) || s.checks.Load() != 0 {
		t.Error(err, s.checks.Load())
	}
}

func TestHTTP2IsRefused(t *testing.T) {
	s := listen(t, true, nil)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/wsman", nil)
	r.ProtoMajor, r.TLS = 2, &tls.ConnectionState{}
	if e := s.Authenticate(w, r.WithContext(s.ConnContext(t.Context(), &tap{Conn: &net.TCPConn{}}))); e != nil || w.Code != 505 {
		t.Error(e, w.Code)
	}
}

func TestCancel(t *testing.T) {
	release := make(chan struct{})
	s := listen(t, false, func(s *service) {
		s.handler = func(_ *Exchange, body []byte) bool {
			if string(body) == "wait" {
				<-release
			}
			return false
		}
	})
	c := s.dial(t, "secret", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Do(ctx, &Message{Body: []byte("wait")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(release)
	echo(t, c, "goes on")
}

func TestCloseEndsARequest(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := listen(t, false, func(s *service) {
		s.handler = func(*Exchange, []byte) bool { close(arrived); <-release; return false }
	})
	c := s.dial(t, "secret", nil)
	result := make(chan error)
	go func() {
		_, err := c.Do(t.Context(), &Message{Body: []byte("x")})
		result <- err
	}()
	<-arrived
	_ = c.Close()
	if err := <-result; !errors.Is(err, ErrConnectionLost) {
		t.Error(err)
	}
	close(release)
	if _, err := c.Do(t.Context(), &Message{}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Some clients make a handshake for each message: the proof is replaced, on the same connection.
func TestHandshakePerMessage(t *testing.T) {
	s := listen(t, false, nil)
	c := s.dial(t, "secret", nil)
	for _, text := range []string{"one", "two", "three"} {
		echo(t, c, text)
		c.context = nil
	}
	if s.conns.Load() != 1 {
		t.Errorf("%d connections", s.conns.Load())
	}
	// A handshake that fails takes the former proof away.
	echo(t, c, "four")
	c.work()
	_, err := c.roundTrip("Negotiate AAAA", "", nil)
	c.rest()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), &Message{Body: []byte("five")}); !errors.Is(err, ErrConnectionLost) {
		t.Error(err)
	}
}

// A request without body and without Authorization asks for an exchange, whatever the connection has behind it;
// the former proof holds until a new one comes.
func TestEmptyRequestAsksForAnExchange(t *testing.T) {
	s := listen(t, false, nil)
	c := s.dial(t, "secret", nil)
	echo(t, c, "one")
	c.work()
	r, err := c.roundTrip("", "", nil)
	c.rest()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Values("WWW-Authenticate"); r.Status != http.StatusUnauthorized || !slices.Contains(got, Negotiate) {
		t.Errorf("%d %q", r.Status, got)
	}
	echo(t, c, "two")
	if s.conns.Load() != 1 {
		t.Errorf("%d connections", s.conns.Load())
	}
}

func BenchmarkSealedEcho(b *testing.B) {
	c := ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: "a"}})
	a := ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "S", Secrets: func(context.Context, string, string) ([16]byte, error) {
		return ntlm.NTHash(""), nil
	}})
	one, _, _ := c.Step(b.Context(), nil)
	two, _, _ := a.Step(b.Context(), one)
	three, _, _ := c.Step(b.Context(), two)
	if _, done, err := a.Step(b.Context(), three); !done {
		b.Fatal(err)
	}
	plain := make([]byte, 150<<10)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		_, body, err := Seal(c.Context(), ProtocolSPNEGO, soapMediaType, plain)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := Unseal(a.Context(), ProtocolSPNEGO, body, len(plain)); err != nil {
			b.Fatal(err)
		}
	}
}

// endingAcceptor proves identities that end at a moment, as tickets do.
type endingAcceptor struct {
	auth.Acceptor
	until time.Time
}

func (a endingAcceptor) Context() auth.Context { return endingContext{a.Acceptor.Context(), a.until} }

type endingContext struct {
	auth.Context
	until time.Time
}

func (c endingContext) Identity() auth.Identity {
	id := c.Context.Identity()
	id.Until = c.until
	return id
}

// A proof that has ended is none: the next request is answered with 401, and our client proves itself anew: over HTTPS on the same connection, over
// HTTP, where its message was sealed for the old proof, by sending it once more. A request under way is answered, sealed with the key that it came with.
func TestProofEnds(t *testing.T) {
	for _, secure := range []bool{false, true} {
		var until atomic.Pointer[time.Time]
		ends := func(after time.Duration) {
			at := time.Now().Add(after)
			until.Store(&at)
		}
		s := listen(t, secure, func(s *service) {
			within := s.acceptor
			s.Acceptors[Negotiate] = func(i ConnInfo) auth.Acceptor { return endingAcceptor{within(i), *until.Load()} }
			s.handler = func(_ *Exchange, body []byte) bool {
				if string(body) == "long" {
					time.Sleep(time.Until(*until.Load()))
				}
				return false
			}
		})
		handshakes := 0
		c := s.dial(t, "secret", func(o *ClientOptions) {
			o.Trace = &Trace{Authenticated: func(string, auth.Identity) { handshakes++ }}
		})
		ends(300 * time.Millisecond)
		echo(t, c, "one")
		echo(t, c, "two")
		echo(t, c, "long")
		if handshakes != 1 {
			t.Errorf("TLS %v: %d handshakes before the end", secure, handshakes)
		}
		ends(time.Hour)
		var refused *UnauthorizedError
		if _, err := c.Do(t.Context(), &Message{Body: []byte("over")}); secure != (err == nil) || !secure && (!errors.As(err, &refused) || !errors.Is(err, ErrConnectionLost)) {
			t.Errorf("TLS %v, after the end: %v", secure, err)
		}
		echo(t, c, "and on")
		if handshakes != 2 {
			t.Errorf("TLS %v: %d handshakes", secure, handshakes)
		}
	}
}
