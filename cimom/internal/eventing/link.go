package eventing

import (
	"context"
	"time"

	"github.com/casementhq/casement/cim"
)

// link is a __FilterToConsumerBinding with the subscription that runs for it.
type link struct {
	definition
	filter, consumer string // their keys
	events           string // the namespace of the events, once it was begun
	cancel           context.CancelFunc
	running          *subscription // nil while it does not run
	retry            *time.Timer
	delay            time.Duration // of the next retry
	told             string        // what was reported last
}

// change changes what is stored and begins those links anew that it touches.
func (l *lasting) change(store func(*lasting), touches func(*link) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	store(l)
	for _, k := range l.links {
		if touches(k) {
			l.begin(k)
		}
	}
}

// retry begins those links anew that wait for a class of a namespace.
func (l *lasting) retry(namespace string) {
	l.change(func(*lasting) {}, func(k *link) bool {
		return k.running == nil && (cim.EqualFold(k.events, namespace) || cim.EqualFold(k.namespace, namespace))
	})
}

// Retry begins the permanent subscriptions anew that do not run, after classes
// were registered.
func (h *Hub) Retry() {
	h.lasting.change(func(*lasting) {}, func(k *link) bool { return k.running == nil })
}

func (l *lasting) setLink(key string, d definition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if old := l.links[key]; old != nil {
		delete(l.links, key)
		l.end(old)
	}
	k := &link{definition: d, filter: refKey(d.namespace, d.text("Filter")), consumer: refKey(d.namespace, d.text("Consumer"))}
	if err := l.hub.ledger.take(d.creator, permanent, 1); err != nil {
		l.report(k, err)
		return
	}
	l.links[key] = k
	l.begin(k)
}

func (l *lasting) removeLink(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.links[key]; k != nil {
		delete(l.links, key)
		l.end(k)
	}
}

// removeAll removes what has a key that is inside.
func (l *lasting) removeAll(inside func(key string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, k := range l.links {
		switch {
		case inside(key):
			delete(l.links, key)
			l.end(k)
		case inside(k.filter) || inside(k.consumer):
			l.stop(k)
		}
	}
	for key := range l.filters {
		if inside(key) {
			delete(l.filters, key)
		}
	}
	for key, c := range l.consumers {
		if inside(key) {
			delete(l.consumers, key)
			c.close()
		}
	}
}

// end stops a link for good, one of l.links.
func (l *lasting) end(k *link) {
	l.stop(k)
	l.hub.ledger.give(k.creator, permanent, 1)
}

// stop stops what runs for a link.
func (l *lasting) stop(k *link) {
	if k.retry != nil {
		k.retry.Stop()
		k.retry = nil
	}
	if k.cancel != nil {
		k.cancel()
		k.cancel = nil
	}
	if k.running != nil {
		k.running.close()
		k.running = nil
	}
}

// begin makes the subscription of a link, if all its parts are there and were
// made by the same creator (T-94). l.mu is held.
func (l *lasting) begin(k *link) {
	l.stop(k)
	filter, c := l.filters[k.filter], l.consumers[k.consumer]
	if filter == nil || c == nil || c.cancel == nil {
		return
	}
	if k.events = namespaceName(filter.text("EventNamespace")); k.events == "" {
		k.events = filter.namespace
	}
	if k.creator.IsZero() || k.creator != filter.creator || k.creator != c.creator {
		l.report(k, &cim.Error{Status: cim.ErrAccessDenied, Detail: "filter, consumer and binding have different creators"})
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // the link's life is its own
	k.cancel = cancel
	s := &subscription{hub: l.hub, namespace: k.events}
	s.synchronous, s.slowing = k.waits()
	sink := &linkSink{lasting: l, link: k, consumer: c, subscription: s}
	s.sink = sink
	if !l.hub.spawn(func() { l.run(ctx, sink, *filter) }) {
		cancel()
	}
}

// waits tells whether publishers wait for the consumer, always or when it
// lags. DeliverSynchronously stands over DeliveryQoS, of which 0 is
// synchronous; the default is not. See spec/wmi.md 5.2.
func (k *link) waits() (synchronous, slowing bool) {
	synchronous, _ = k.instance.Get("DeliverSynchronously").Bool()
	if qos, ok := k.instance.Get("DeliveryQoS").Uint(); ok && qos == 0 {
		synchronous = true
	}
	slowing, _ = k.instance.Get("SlowDownProviders").Bool()
	return synchronous, slowing
}

// run begins the subscription and notes that it runs.
func (l *lasting) run(ctx context.Context, sink *linkSink, filter definition) {
	k, s := sink.link, sink.subscription
	err := l.subscribe(ctx, k, s, &filter)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || ctx.Err() != nil { // begun anew meanwhile, or ended
		s.close()
		return
	}
	if err == nil {
		err = sink.failure
	}
	if err != nil {
		s.close()
		l.later(k, err)
		return
	}
	k.running, k.told, k.delay = s, "", 0
}

// subscribe makes the subscription as the creator.
func (l *lasting) subscribe(ctx context.Context, k *link, s *subscription, filter *definition) (err error) {
	h := l.hub
	if s.query, err = parse(filter.text("Query")); err != nil {
		return err
	}
	if s.access, err = accessOf(filter); err != nil {
		return err
	}
	if s.caller, err = h.host.Creator(k.creator); err != nil {
		return err
	}
	if err := h.host.Check(s.namespace, s.caller); err != nil {
		return err
	}
	return s.begin(ctx, isAdministrator(s.caller))
}

// report tells why a permanent subscription does not run, once. See
// spec/wmi.md 5.3.
func (l *lasting) report(k *link, err error) {
	if text := err.Error(); text != k.told {
		k.told = text
		l.hub.log.Error("a permanent subscription does not run", "source", "WinMgmt", "id", 10,
			"namespace", k.namespace, "filter", k.text("Filter"), "consumer", k.text("Consumer"), "error", err)
	}
}

// A subscription that failed is tried again, after longer and longer times.
const (
	firstRetry = 30 * time.Second
	lastRetry  = time.Hour
)

// later begins a link anew after a while. l.mu is held.
func (l *lasting) later(k *link, err error) {
	l.report(k, err)
	k.delay = min(max(2*k.delay, firstRetry), lastRetry)
	var t *time.Timer
	t = time.AfterFunc(k.delay, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.closed && k.retry == t {
			l.begin(k)
		}
	})
	k.retry = t
}

// linkSink gives the events of a link to its consumer.
type linkSink struct {
	lasting      *lasting
	link         *link
	consumer     *consumer
	subscription *subscription
	failure      error // guarded by lasting.mu
}

func (s *linkSink) put(e item, w waiting) <-chan struct{} {
	e.by = s.subscription
	return s.consumer.put(e, w)
}

// fail begins the link anew after a while.
func (s *linkSink) fail(err error) {
	l := s.lasting
	l.mu.Lock()
	defer l.mu.Unlock()
	s.failure = err
	if !l.closed && s.link.running == s.subscription {
		l.stop(s.link)
		l.later(s.link, err)
	}
}

// close ends every link and consumer.
func (l *lasting) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, k := range l.links {
		l.end(k)
	}
	for _, c := range l.consumers {
		c.close()
	}
}
