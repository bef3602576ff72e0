package wsmanclient

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/wsman/internal/httpauth"
)

// maxIdle is how many connections are kept for the next message. There are as
// many as messages under way, and each has its own proof and keys.
const maxIdle = 4

// conn is one connection. Whoever took it from the pool has it alone.
type conn struct {
	http  *httpauth.ClientConn
	trace *Trace
}

// acquire takes an idle connection, or makes one by the rules that hold now.
func (c *Client) acquire(ctx context.Context, cancel context.CancelFunc) (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, net.ErrClosed
	}
	var k *conn
	if n := len(c.idle); n > 0 {
		k, c.idle = c.idle[n-1], c.idle[:n-1]
		k.trace = c.trace(ctx)
	} else {
		p, err := c.plan(false)
		if err != nil {
			return nil, err
		}
		if k, err = c.newConn(ctx, p, nil); err != nil {
			return nil, err
		}
	}
	c.busy[k] = cancel
	return k, nil
}

// release gives a connection back, or ends it where it failed or there are
// enough.
func (c *Client) release(k *conn, ok bool) {
	c.mu.Lock()
	delete(c.busy, k)
	keep := ok && !c.closed && len(c.idle) < maxIdle
	if keep {
		c.idle = append(c.idle, k)
	}
	c.mu.Unlock()
	if !keep {
		k.http.Close() //nolint:errcheck // says nothing
	}
}

// Close ends every connection and every operation under way. Shells on the
// service stay until they are idle too long; close them first.
func (c *Client) Close() error {
	c.mu.Lock()
	idle := c.idle
	c.idle, c.closed = nil, true
	for _, cancel := range c.busy {
		cancel()
	}
	c.mu.Unlock()
	for _, k := range idle {
		k.http.Close() //nolint:errcheck // says nothing
	}
	if c.ownTickets {
		return c.opts.Tickets.Close()
	}
	return nil
}

func (c *Client) newConn(ctx context.Context, p plan, header http.Header) (*conn, error) {
	k := &conn{trace: c.trace(ctx)}
	k.trace.mechanism(p.scheme)
	if header == nil {
		header = http.Header{}
	}
	header.Set("User-Agent", c.opts.UserAgent)
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	if p.scheme == Digest && p.plain {
		c.warned.Do(func() {
			c.log.Warn("Digest over http hides the password and nothing else: anybody on the way reads and changes the messages", "endpoint", c.url.String())
		})
	}
	if p.scheme == Certificate {
		tlsConfig = c.withCertificate(tlsConfig)
	}
	o := httpauth.ClientOptions{URL: c.url, Scheme: p.wire(), Credentials: c.opts.Credentials,
		NewInitiator: func(scheme string, b *auth.ChannelBindings) (auth.Initiator, error) {
			return c.initiator(scheme, b, p.mutual)
		},
		Plain: p.plain, AlwaysSeal: p.scheme == CredSSP && !p.plain, Dial: c.connect, TLS: tlsConfig, Header: header, Trace: k.hooks(),
		MaxResponse: max(int(c.opts.MaxEnvelopeSize), 64<<10) * 2}
	k.http, err = httpauth.NewClientConn(o)
	return k, err
}

// connect dials, telling the trace of each step.
func (c *Client) connect(ctx context.Context, network, address string) (net.Conn, error) {
	t := c.trace(ctx)
	if t.Resolved != nil || t.Connected != nil {
		host, _, _ := net.SplitHostPort(address)
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			DNSDone: func(info httptrace.DNSDoneInfo) {
				var list []string
				for _, a := range info.Addrs {
					list = append(list, a.String())
				}
				t.resolved(host, list, info.Err)
			},
			ConnectDone: func(_, addr string, err error) { t.connected(addr, err) },
		})
	}
	return c.dial(ctx, network, address)
}

// hooks translate what httpauth tells into the trace of whoever uses the
// connection at the time.
func (k *conn) hooks() *httpauth.Trace {
	return &httpauth.Trace{
		Connected: func(_ string, state *tls.ConnectionState) {
			if state != nil {
				k.trace.tlsDone(*state)
			}
		},
		Unauthorized:  func(schemes []string) { k.trace.offered(schemes) },
		Authenticated: func(scheme string, id auth.Identity) { k.trace.authenticated(scheme, id) },
		Closed:        func(err error) { k.trace.closed(err) },
	}
}
