package wsmanclient

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

var _ cim.Subscriber = (*Session)(nil)

// Subscribe implements cim.Subscriber: WS-Eventing with delivery by Pull. A Pull
// that finds no event within the operation timeout is sent again. See DSP0226
// 10.2.
func (s *Session) Subscribe(ctx context.Context, query string, o cim.SubscribeOptions) (cim.Enumerator, error) {
	const op = "ExecNotificationQuery"
	if o.Language != "" && !strings.EqualFold(o.Language, "WQL") {
		return nil, s.fail(op, query, &cim.Error{Status: cim.ErrInvalidQueryType, Detail: "the language is " + clip(o.Language) + ", not WQL"}, 0)
	}
	e := &enumerator{operation: op, path: query, dec: s.decoder(context.WithoutCancel(ctx)), missing: cim.ErrInvalidClass}
	if err := s.stream(e, func() (*pager, error) { return s.c.subscribe(ctx, wsman.EPR{ResourceURI: s.uri("", "")}, query) }); err != nil {
		return nil, err
	}
	return e, nil
}

// subscribe sends the Subscribe and returns the pager of its events.
func (c *Client) subscribe(ctx context.Context, target wsman.EPR, query string) (*pager, error) {
	m, err := c.send(ctx, &call{action: wsman.ActionSubscribe, resource: target.ResourceURI, select_: target.Selectors,
		body: &wsman.Subscribe{Mode: wsman.DeliveryPull, Filter: &wsman.Filter{Dialect: wsman.DialectWQL, Text: query}}})
	if err != nil {
		return nil, err
	}
	r, err := m.ReadSubscribeResponse()
	if err != nil {
		return nil, err
	}
	if r.Context == "" {
		return nil, wsman.NewFault(wsman.CodeInvalidEnumerationContext, "the service gave no context to pull events by")
	}
	p := c.page(ctx, target, RequestOptions{}, DefaultBatch)
	p.context = r.Context
	p.free = func(string) error { return p.unsubscribe(context.WithoutCancel(ctx), r.ID) }
	return p, nil
}

// unsubscribe ends the subscription.
func (p *pager) unsubscribe(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	m, err := p.c.send(ctx, &call{action: wsman.ActionUnsubscribe, resource: p.target.ResourceURI, select_: p.target.Selectors,
		opts: &p.opts, body: &wsman.Unsubscribe{}, subscription: id})
	if err != nil {
		return released(err)
	}
	return m.End()
}
