package wsmanserver

import (
	"context"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// cimSubscribe opens a subscription to CIM events: a WQL event query, delivered
// by Pull. It is an enumeration that waits for its items, and ends as one does:
// by Unsubscribe, by Release, or when nobody pulls for EnumerationTimeoutms. See
// DSP0226 10.2 and spec/winrm.md 4.3.
func (c *call) cimSubscribe(ctx context.Context) (wsman.Body, error) {
	m, err := c.msg.ReadSubscribe()
	if err != nil {
		return nil, err
	}
	if err := c.checkSubscribe(m); err != nil {
		return nil, err
	}
	ctx, done := c.bounded(ctx)
	defer done()
	s, release, err := c.outliving(ctx, m.Expires, func(life context.Context) (*cimSource, error) { return c.openEvents(life, m.Filter.Text) })
	if err != nil {
		return nil, err
	}
	e := &enumeration{
		id: "uuid:" + wsman.NewUUID(), owner: userKey(c.caller.Token), resource: c.msg.ResourceURI, source: s, release: release, cancel: s.cancel,
		idle: time.Duration(c.snap.WinRM.Service.EnumerationTimeoutms) * time.Millisecond,
	}
	c.server.enums.add(e)
	if m.Expires > 0 {
		go func() {
			<-s.ended
			c.server.enums.end(e)
		}()
	}
	// Events that came while the answer is on its way are kept for the first
	// Pull; if the answer is lost, the subscription ends for want of Pulls.
	return &wsman.SubscribeResponse{Manager: c.msg.To, ID: e.id, Expires: m.Expires, Context: e.id}, nil
}

func (c *call) checkSubscribe(m *wsman.Subscribe) error {
	switch {
	case len(c.msg.Selectors.Without(wsman.SelectorNamespace)) > 0:
		return wsman.NewFault(wsman.CodeSubscribeWMIInvalidKey, "")
	case m.Mode == "":
		return wsman.NewFault(wsman.CodeDeliveryModeInvalid, "")
	case m.Mode != wsman.DeliveryPull:
		return wsman.NewFault(wsman.CodeDeliveryModeUnavailable, "CIM events are delivered by "+wsman.DeliveryPull+", not by "+clip(m.Mode))
	case m.Filter == nil || m.Filter.Dialect != wsman.DialectWQL:
		return wsman.NewFault(wsman.CodeEventingFilteringUnavailable, "a subscription to CIM events needs a filter in the dialect "+wsman.DialectWQL)
	case c.resource.cim.Class != "":
		return wsman.NewFault(wsman.CodeWMIEnumWQL, "")
	}
	return nil
}

func (c *call) openEvents(ctx context.Context, query string) (*cimSource, error) {
	session, err := c.openSession(ctx)
	if err != nil {
		return nil, err
	}
	subscriber, ok := session.(cim.Subscriber)
	if !ok {
		session.Close()
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
	}
	events, err := subscriber.Subscribe(ctx, query, cim.SubscribeOptions{})
	if err != nil {
		session.Close()
		return nil, err
	}
	return &cimSource{session: session, enum: &located{Enumerator: events, namespace: session.Namespace()}, shared: c.encoders()}, nil
}

// located gives events the namespace of the subscription. An event is in none
// itself, but its resource URI needs one, by which the client finds its class.
// See spec/wmi.md 2.3.
type located struct {
	cim.Enumerator
	namespace string
	from, to  *cim.Class // the last event's class, and as it is sent
}

// Next implements cim.Enumerator.
func (l *located) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	batch, err := l.Enumerator.Next(ctx, limit)
	for n, i := range batch {
		class := i.Class()
		if class.Namespace != "" {
			continue
		}
		if class != l.from {
			here := *class
			here.Namespace = l.namespace
			l.from, l.to = class, here.Seal()
		}
		values := make([]cim.Value, i.Len())
		for v := range values {
			values[v] = i.At(v)
		}
		batch[n] = cim.MakeInstance(l.to, values)
	}
	return batch, err
}

// cimUnsubscribe ends a subscription of its owner.
func (c *call) cimUnsubscribe() (wsman.Body, error) {
	if _, err := c.msg.ReadUnsubscribe(); err != nil {
		return nil, err
	}
	if !c.server.enums.drop(c.msg.SubscriptionID, userKey(c.caller.Token)) {
		return nil, wsman.NewFault(wsman.CodeEventingInvalidMessage, "there is no such subscription")
	}
	return nil, nil
}
