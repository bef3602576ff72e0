package wsmanclient

import (
	"context"
	"net/http"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Identify asks what the service is. With the scheme None, or when
// unauthenticated is asked for, it presents nobody. See [MS-WSMV] 3.1.4.1.23
// and spec section 4.5.
func (c *Client) Identify(ctx context.Context, o IdentifyOptions) (*wsman.IdentifyResponse, error) {
	if c.opts.Local {
		return nil, c.fault(wsman.CodeNoLocalIdentify, "", nil)
	}
	w := writers.Get().(*soap.Writer)
	w.Reset()
	defer writers.Put(w)
	if err := wsman.EncodeIdentify(w); err != nil {
		return nil, err
	}
	var resp *httpauth.Response
	var err error
	if o.Unauthenticated || c.opts.Scheme == None {
		resp, err = c.anonymous(ctx, w.Bytes())
	} else {
		resp, err = c.exchange(ctx, "Identify", w.Bytes(), c.opts.OperationTimeout, c.delay(), true, nil)
	}
	if err != nil {
		return nil, err
	}
	m, err := c.decodeIdentify(ctx, resp)
	if err != nil {
		return nil, err
	}
	return m.ReadIdentifyResponse()
}

// decodeIdentify is decode for an answer that has no headers.
func (c *Client) decodeIdentify(ctx context.Context, r *httpauth.Response) (*wsman.Message, error) {
	if r.Status == http.StatusUnauthorized {
		media, _ := mediaType(r.ContentType)
		return nil, c.httpFailure(r, media)
	}
	return c.decode(ctx, r)
}

// anonymous sends an Identify with the header that asks for no authentication.
func (c *Client) anonymous(ctx context.Context, envelope []byte) (*httpauth.Response, error) {
	p, err := c.plan(true)
	if err != nil {
		return nil, err
	}
	limit := c.opts.OperationTimeout + c.delay()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTimedOut)
	defer cancel()
	k, err := c.newConn(ctx, p, http.Header{"Wsmanidentify": {"unauthenticated"}})
	if err != nil {
		return nil, err
	}
	defer k.http.Close() //nolint:errcheck // says nothing
	t := c.trace(ctx)
	t.request("Identify", envelope)
	resp, err := k.http.Do(ctx, &httpauth.Message{Body: envelope})
	if err != nil {
		return nil, c.explain(err, limit)
	}
	t.response(resp)
	return resp, nil
}
