package httpauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/casementhq/casement/auth"
)

// exchange carries one message over the connection, proving first where that is due.
func (c *ClientConn) exchange(ctx context.Context, m *Message) (*Response, error) {
	c.extra, c.memory = m.Header, m.Memory
	contentType := m.ContentType
	if contentType == "" {
		contentType = soapMediaType
	}
	switch {
	case direct(c.opts.Scheme):
		return c.direct(contentType, m.Body)
	case c.opts.Scheme == Digest:
		return c.digested(ctx, contentType, m.Body)
	case c.seal:
		return c.sealed(ctx, contentType, m.Body)
	}
	return c.open(ctx, contentType, m.Body)
}

// direct tells that a scheme needs no exchange before the message.
func direct(scheme string) bool { return scheme == "" || scheme == Basic || scheme == Certificate }

// direct sends a message with a password, on the strength of a TLS handshake, or without any proof.
func (c *ClientConn) direct(contentType string, body []byte) (*Response, error) {
	authorization := ""
	switch c.opts.Scheme {
	case Certificate:
		authorization = Certificate
	case Basic:
		pair := c.opts.Credentials.Username + ":" + c.opts.Credentials.Password
		authorization = encodeToken(Basic, []byte(pair))
	}
	resp, err := c.roundTrip(authorization, contentType, body)
	if err != nil {
		return nil, err
	}
	if resp.Status == http.StatusUnauthorized {
		return nil, c.unauthorized(resp, c.opts.Scheme != "")
	}
	return c.answer(resp)
}

// open sends a message that TLS protects, or that may be read by anybody. Should the server have forgotten
// the connection's proof, as some do after each request, it is made anew, once, with the message in its requests.
func (c *ClientConn) open(ctx context.Context, contentType string, body []byte) (*Response, error) {
	if c.context == nil {
		if resp, err := c.handshake(ctx, "", nil); err != nil || c.context == nil {
			return resp, err
		}
	}
	resp, err := c.roundTrip("", contentType, body)
	if err != nil {
		return nil, err
	}
	if resp.Status == http.StatusUnauthorized {
		c.opts.Trace.unauthorized(offers(resp.Header))
		if resp, err = c.handshake(ctx, contentType, body); err != nil || c.context == nil {
			return resp, err
		}
	}
	return c.answer(resp)
}

// sealed sends a message sealed. First the connection is proved with a request that has no body.
// See [MS-WSMV] 3.1.4.1.31 and 2.2.9.1.
func (c *ClientConn) sealed(ctx context.Context, contentType string, body []byte) (*Response, error) {
	if c.context == nil {
		if resp, err := c.handshake(ctx, "", nil); err != nil || c.context == nil {
			return resp, err
		}
	}
	header, wire, err := sealOver(c.buffers.sealed, c.context, ProtocolFor(c.opts.Scheme), contentType, body)
	if err != nil {
		return nil, err
	}
	c.buffers.sealed = wire
	resp, err := c.roundTrip("", header, wire)
	if err != nil {
		return nil, err
	}
	if resp.Status == http.StatusUnauthorized {
		return nil, c.unauthorized(resp, false)
	}
	return c.unsealed(resp)
}

// unsealed opens a sealed answer. Within TLS an answer in the clear is taken, too: some services send it. Not so
// with CredSSP, whose proof is not bound to that TLS.
func (c *ClientConn) unsealed(resp *Response) (*Response, error) {
	protocol, sealed, err := ParseContentType(resp.ContentType)
	if err != nil {
		return nil, err
	}
	if !sealed {
		if len(resp.Body) > 0 && (c.tls == nil || c.opts.Scheme == CredSSP) {
			return nil, fmt.Errorf("httpauth: HTTP status %d, the answer to a sealed message is not sealed: %w",
				resp.Status, auth.ErrNotProtected)
		}
		return c.answer(resp)
	}
	resp.ContentType, resp.Body, err = Unseal(c.context, protocol, resp.Body, c.opts.MaxResponse)
	if err != nil {
		return nil, err
	}
	resp.Sealed = true
	return c.answer(resp)
}

// answer hands a response over, and the connection back if the server closes it.
func (c *ClientConn) answer(resp *Response) (*Response, error) {
	c.opts.Trace.response(resp.Status, resp.Sealed)
	if !resp.Sealed && len(resp.Body) > c.opts.MaxResponse {
		return nil, ErrTooLarge
	}
	if closing(resp) {
		c.drop(nil)
	}
	return resp, nil
}

// handshake proves our identity on this connection and returns the answer to its last request. A server that
// answers with an error of HTTP instead of going on, such as 404 or 400, has its answer returned and leaves no
// context.
func (c *ClientConn) handshake(ctx context.Context, contentType string, body []byte) (*Response, error) {
	c.context = nil
	var bindings *auth.ChannelBindings
	if c.tls != nil && len(c.tls.PeerCertificates) > 0 {
		bindings = auth.TLSServerEndPoint(c.tls.PeerCertificates[0])
	}
	initiator, err := c.opts.NewInitiator(c.opts.Scheme, bindings)
	if err != nil {
		return nil, err
	}
	if closer, ok := initiator.(io.Closer); ok {
		defer closer.Close() //nolint:errcheck // the exchange is over
	}
	var token []byte
	var offered []string
	for range maxLegs {
		out, done, err := initiator.Step(ctx, token)
		if offered != nil && errors.Is(err, auth.ErrLogonFailure) { // the server said so inside the exchange
			return nil, &UnauthorizedError{Scheme: c.opts.Scheme, Offered: offered, Err: err}
		}
		if err != nil {
			return nil, err
		}
		resp, err := c.roundTrip(c.opts.Scheme+" "+base64.StdEncoding.EncodeToString(out), contentType, body)
		if err != nil {
			return nil, err
		}
		var ok bool
		if token, ok = answerToken(resp.Header, c.opts.Scheme); !ok {
			return nil, fmt.Errorf("httpauth: token in WWW-Authenticate: %w", auth.ErrBadToken)
		}
		if token == nil && resp.Status >= http.StatusMultipleChoices && resp.Status != http.StatusUnauthorized {
			return c.answer(resp)
		}
		if resp.Status != http.StatusUnauthorized {
			return c.proved(ctx, initiator, done, token, resp)
		}
		if offered = offers(resp.Header); token == nil || done {
			return nil, c.unauthorized(resp, true)
		}
		if closing(resp) {
			return nil, fmt.Errorf("httpauth: the server closes the connection within the %s exchange: %w",
				c.opts.Scheme, ErrConnectionLost)
		}
	}
	return nil, fmt.Errorf("httpauth: no end of the %s exchange after %d requests: %w", c.opts.Scheme, maxLegs, auth.ErrBadToken)
}

// proved completes the exchange after the server was content. Its last token may be missing.
func (c *ClientConn) proved(ctx context.Context, i auth.Initiator, done bool, token []byte, resp *Response) (*Response, error) {
	if !done {
		out, end, err := i.Step(ctx, token)
		if err != nil {
			return nil, err
		}
		if !end || len(out) > 0 {
			return nil, fmt.Errorf("httpauth: the server ended the %s exchange too early: %w", c.opts.Scheme, auth.ErrBadToken)
		}
	}
	context := i.Context()
	if context == nil {
		return nil, errors.New("httpauth: initiator without a context")
	}
	if c.seal && !context.Identity().Protected {
		return nil, fmt.Errorf("httpauth: %s: %w", c.opts.Scheme, auth.ErrNotProtected)
	}
	if closing(resp) && c.seal {
		return nil, fmt.Errorf("httpauth: the server closes the connection after the proof: %w", ErrConnectionLost)
	}
	c.context = context
	c.opts.Trace.authenticated(c.opts.Scheme, context.Identity())
	return resp, nil
}

// unauthorized explains a 401. tried says that a proof went with the request.
func (c *ClientConn) unauthorized(resp *Response, tried bool) error {
	schemes := offers(resp.Header)
	c.opts.Trace.unauthorized(schemes)
	err := &UnauthorizedError{Scheme: c.opts.Scheme, Offered: schemes, Err: auth.ErrUnsupported}
	for _, s := range schemes {
		if s == c.opts.Scheme && tried {
			err.Err = auth.ErrLogonFailure
		}
	}
	if c.opts.Scheme == Certificate { // it is not offered: it takes no challenge
		err.Err = auth.ErrLogonFailure
	}
	if c.opts.Scheme != "" && !tried {
		err.Err = fmt.Errorf("the server has forgotten the connection's proof: %w", ErrConnectionLost)
	}
	return err
}
