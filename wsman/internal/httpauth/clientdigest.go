package httpauth

import (
	"context"
	"fmt"
	"net/http"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/digest"
)

// digested sends a message with a proof by Digest. The first request has no body: it only asks for a challenge. One whose nonce is
// too old is answered once more. What was learned from the server outlives a connection: each request carries its own proof. See
// [RFC7616] 3.6.
func (c *ClientConn) digested(ctx context.Context, contentType string, body []byte) (*Response, error) {
	if c.digest == nil {
		resp, err := c.challenged(ctx)
		if err != nil || c.digest == nil {
			return resp, err
		}
	}
	for range maxStale {
		authorization, err := c.digest.Authorization(http.MethodPost, c.opts.URL.RequestURI(), body)
		if err != nil {
			return nil, err
		}
		resp, err := c.roundTrip(authorization, contentType, body)
		if err != nil {
			return nil, err
		}
		if resp.Status != http.StatusUnauthorized {
			if err := c.digest.Answered(resp.Header.Get("Authentication-Info"), resp.Body); err != nil {
				return nil, err
			}
			return c.answer(resp)
		}
		again, err := c.digest.Challenge(resp.Header.Values("WWW-Authenticate"))
		switch {
		case err != nil:
			return nil, c.unusable(resp, err)
		case !again:
			c.digest = nil
			return nil, c.unauthorized(resp, true)
		}
		if err := c.reopen(ctx, resp); err != nil {
			return nil, err
		}
	}
	c.digest = nil
	return nil, fmt.Errorf("httpauth: the server finds %d nonces of its own too old: %w", maxStale, auth.ErrBadToken)
}

// maxStale is how often one message is tried with a new nonce.
const maxStale = 3

// challenged asks for a challenge. An error of HTTP, such as 404, is returned and leaves no challenge.
func (c *ClientConn) challenged(ctx context.Context) (*Response, error) {
	client, err := digest.NewClient(c.opts.Credentials)
	if err != nil {
		return nil, err
	}
	resp, err := c.roundTrip("", "", nil)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.Status == http.StatusUnauthorized:
	case resp.Status >= http.StatusMultipleChoices:
		return c.answer(resp)
	default:
		return nil, fmt.Errorf("httpauth: the server asks for no proof, with HTTP status %d: %w", resp.Status, auth.ErrUnsupported)
	}
	if _, err := client.Challenge(resp.Header.Values("WWW-Authenticate")); err != nil {
		return nil, c.unusable(resp, err)
	}
	c.digest = client
	return resp, c.reopen(ctx, resp)
}

// unusable explains a challenge that cannot be answered.
func (c *ClientConn) unusable(resp *Response, err error) error {
	c.digest = nil
	schemes := offers(resp.Header)
	c.opts.Trace.unauthorized(schemes)
	return &UnauthorizedError{Scheme: c.opts.Scheme, Offered: schemes, Err: err}
}

// reopen follows a server that closes the connection with its challenge.
func (c *ClientConn) reopen(ctx context.Context, resp *Response) error {
	if !closing(resp) {
		return nil
	}
	c.drop(nil)
	return c.connect(ctx)
}
