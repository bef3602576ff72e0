package httpauth

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/digest"
)

// maxHead bounds status line and header of an answer, in bytes.
const maxHead = 64 << 10

// ClientConn speaks to one endpoint over one TCP connection at a time. It dials by itself, not through
// http.Transport, because a proof holds for exactly the connection on which it was made: a new connection
// starts without one, and no request can move to another connection unnoticed.
//
// It may be used by several goroutines; their requests go one after the other.
type ClientConn struct {
	opts ClientOptions
	seal bool        // bodies are sealed
	shut atomic.Bool // Close was called
	live atomic.Pointer[net.Conn]
	turn chan struct{} // held by the one who uses what follows

	conn    net.Conn // nil: not connected
	head    *limitedConn
	buffers *buffers // while a message is under way
	tls     *tls.ConnectionState
	extra   http.Header  // of the message under way
	memory  []byte       // for its answer
	prefix  []byte       // what every request begins with
	context auth.Context // nil: nothing proved on this connection
	digest  *digest.Client
	used    time.Time
}

// buffers are what a message needs on its way. A connection that rests has none.
type buffers struct {
	in     *bufio.Reader
	out    bytes.Buffer
	sealed []byte
}

var idleBuffers = sync.Pool{New: func() any { return &buffers{in: bufio.NewReaderSize(nil, 4<<10)} }}

// work takes buffers for one message.
func (c *ClientConn) work() {
	c.buffers = idleBuffers.Get().(*buffers)
	if c.conn != nil {
		c.buffers.in.Reset(c.head)
	}
}

// rest gives the buffers back. What the server sent beyond its answer was not asked for: nothing that follows could be trusted.
func (c *ClientConn) rest() {
	if c.conn != nil && c.buffers.in.Buffered() > 0 {
		c.drop(ErrConnectionLost)
	}
	b := c.buffers
	c.buffers, c.extra, c.memory = nil, nil, nil
	b.in.Reset(nil)
	if b.out.Cap() <= maxKept && cap(b.sealed) <= maxKept {
		b.out.Reset()
		idleBuffers.Put(b)
	}
}

// maxKept bounds the memory that is kept for the next request, in bytes.
const maxKept = 1 << 20

// Do sends a message and returns the answer, whatever its status, except that 401 gives *UnauthorizedError.
// It opens a connection and authenticates it if there is none. A lost connection is not retried
// (ErrConnectionLost). An answer that is not sealed though the message was, outside TLS, is an error.
func (c *ClientConn) Do(ctx context.Context, m *Message) (*Response, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("httpauth: waiting for the connection: %w", context.Cause(ctx))
	}
	if c.shut.Load() {
		return nil, fmt.Errorf("httpauth: %w", net.ErrClosed)
	}
	c.work()
	defer c.rest()
	if c.conn != nil && !c.alive() {
		c.drop(ErrConnectionLost)
	}
	if c.conn == nil {
		if err := c.connect(ctx); err != nil {
			return nil, err
		}
	}
	stop := c.watch(ctx)
	resp, err := c.exchange(ctx, m)
	if !stop() { // ctx ended: the connection's deadline is spent, even if the answer came just in time
		if err != nil {
			err = fmt.Errorf("httpauth: %w (%w)", context.Cause(ctx), err)
		}
		c.drop(context.Cause(ctx))
	}
	if err != nil {
		c.drop(err)
	}
	if c.shut.Load() {
		c.drop(nil)
	}
	return resp, err
}

// String and GoString show no secret, which printing the fields would.
func (c *ClientConn) String() string {
	return c.opts.Scheme + " connection to " + c.opts.URL.Redacted()
}

// GoString is String.
func (c *ClientConn) GoString() string { return c.String() }

// Close ends the connection at once; a request under way fails.
func (c *ClientConn) Close() error {
	c.shut.Store(true)
	if conn := c.live.Load(); conn != nil {
		(*conn).Close() //nolint:errcheck // of no use anyway
	}
	select {
	case c.turn <- struct{}{}:
		c.drop(nil)
		<-c.turn
	default: // the one who has the turn drops it
	}
	return nil
}

func (c *ClientConn) connect(ctx context.Context) error {
	address := c.opts.URL.Host
	if c.opts.URL.Port() == "" {
		port := "80"
		if c.opts.URL.Scheme == "https" {
			port = "443"
		}
		address = net.JoinHostPort(c.opts.URL.Hostname(), port)
	}
	conn, err := c.opts.Dial(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("httpauth: connect to %s: %w", address, err)
	}
	c.tls = nil
	if c.opts.URL.Scheme == "https" {
		cfg := c.opts.TLS.Clone()
		if cfg == nil {
			cfg = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if cfg.ServerName == "" {
			cfg.ServerName = c.opts.URL.Hostname()
		}
		cfg.NextProtos = []string{"http/1.1"}
		secured := tls.Client(conn, cfg)
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close() //nolint:errcheck // of no use anyway
			return fmt.Errorf("httpauth: TLS with %s: %w", address, err)
		}
		state := secured.ConnectionState()
		conn, c.tls = secured, &state
	}
	c.conn, c.context = conn, nil
	c.live.Store(&conn)
	c.head = &limitedConn{conn: conn, left: -1}
	c.buffers.in.Reset(c.head)
	c.opts.Trace.connected(conn.RemoteAddr().String(), c.tls)
	if c.shut.Load() {
		c.drop(nil)
		return fmt.Errorf("httpauth: %w", net.ErrClosed)
	}
	return nil
}

// drop ends the connection and with it every proof.
func (c *ClientConn) drop(err error) {
	if c.conn == nil {
		return
	}
	c.conn.Close() //nolint:errcheck // of no use anyway
	c.live.Store(nil)
	c.conn, c.head, c.tls, c.context = nil, nil, nil, nil
	c.opts.Trace.closed(err)
}

// alive looks whether the server closed a connection that rested for a while. Nothing may be waiting to be read.
func (c *ClientConn) alive() bool {
	if time.Since(c.used) < idleProbe {
		return true
	}
	if c.conn.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return false
	}
	_, err := c.buffers.in.Peek(1)
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() && c.conn.SetReadDeadline(time.Time{}) == nil
}

// watch breaks reading and writing off when ctx ends. stop reports whether it did not.
func (c *ClientConn) watch(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if conn := c.live.Load(); conn != nil {
			(*conn).SetDeadline(time.Unix(1, 0)) //nolint:errcheck // it is closed then
		}
	})
}

// roundTrip sends one HTTP request and reads its whole answer.
func (c *ClientConn) roundTrip(authorization, contentType string, body []byte) (*Response, error) {
	out := &c.buffers.out
	out.Reset()
	if err := c.writeRequest(out, authorization, contentType, body); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(out.Bytes()); err != nil {
		return nil, fmt.Errorf("httpauth: send request: %w: %w", ErrConnectionLost, err)
	}
	return c.readResponse()
}

// posted tells http.ReadResponse to which method the answer belongs.
var posted = &http.Request{Method: http.MethodPost}

func (c *ClientConn) readResponse() (*Response, error) {
	for {
		c.head.left = maxHead
		resp, err := http.ReadResponse(c.buffers.in, posted)
		if err != nil {
			return nil, fmt.Errorf("httpauth: read answer: %w: %w", ErrConnectionLost, err)
		}
		c.head.left = -1
		if resp.StatusCode < 200 {
			continue
		}
		room := c.opts.MaxResponse + c.opts.MaxResponse/8 + framing + maxSignature
		body, err := readLimited(resp.Body, resp.ContentLength, room, c.memory)
		if err != nil { // the body stays open: Close would read on, and an answer may never end
			return nil, fmt.Errorf("httpauth: read answer with status %d: %w", resp.StatusCode, err)
		}
		resp.Body.Close() //nolint:errcheck // read already
		c.used = time.Now()
		out := &Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Memory: body[:cap(body)],
			ContentType: resp.Header.Get("Content-Type")}
		if resp.Close {
			out.Header.Set("Connection", "close")
		}
		return out, nil
	}
}

// closing reports that the server closes the connection after an answer.
func closing(r *Response) bool { return r.Header.Get("Connection") == "close" }

// limitedConn bounds how much is read for the head of an answer, which ReadResponse itself does not.
type limitedConn struct {
	conn net.Conn
	left int // bytes; negative: no bound
}

// Read implements io.Reader.
func (l *limitedConn) Read(b []byte) (int, error) {
	if l.left == 0 {
		return 0, fmt.Errorf("head of the answer exceeds %d bytes", maxHead)
	}
	if l.left > 0 {
		b = b[:min(len(b), l.left)]
	}
	n, err := l.conn.Read(b)
	if l.left > 0 {
		l.left -= n
	}
	return n, err
}
