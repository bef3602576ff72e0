package eventing

import (
	"context"
	"errors"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// batch is how many events a consumer that lags is given at once.
const batch = 100

// consumer is a logical consumer with its queue and the goroutine that empties
// it. One that is slow or fails harms no other.
type consumer struct {
	definition
	hub    *Hub
	path   string
	queue  *queue
	cancel context.CancelFunc

	mu      sync.Mutex
	trouble bool // the last batch failed, or the queue is full
}

// setConsumer takes up a consumer; what waits for the one that it replaces is
// dropped.
func (l *lasting) setConsumer(key string, d definition, path cim.ObjectPath) {
	path.Namespace = d.namespace
	c := &consumer{definition: d, hub: l.hub, path: path.String()}
	limit := l.hub.ledger.threshold()
	if n, ok := d.instance.Get("MaximumQueueSize").Uint(); ok && n > 0 {
		limit = min(int64(n), 5*limit)
	}
	c.queue = newQueue(l.hub.ledger, d.creator, limit)
	l.change(func(l *lasting) {
		if old := l.consumers[key]; old != nil {
			old.close()
		}
		l.consumers[key] = c
		c.begin()
	}, func(k *link) bool { return k.consumer == key })
}

func (l *lasting) removeConsumer(key string) {
	l.change(func(l *lasting) {
		if old := l.consumers[key]; old != nil {
			old.close()
			delete(l.consumers, key)
		}
	}, func(k *link) bool { return k.consumer == key })
}

// begin starts the goroutine, where a provider handles the events of the class
// on this host.
func (c *consumer) begin() {
	if machine := c.text("MachineName"); machine != "" && machine != "." && !cim.EqualFold(machine, "localhost") &&
		!cim.EqualFold(machine, c.hub.host.Server()) {
		c.hub.log.Warn("events are not sent to another machine", "consumer", c.path, "machine", machine)
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // the consumer's life is its own
	c.cancel = cancel
	if !c.hub.spawn(func() { c.work(ctx) }) {
		cancel()
	}
}

// close drops what waits.
func (c *consumer) close() {
	if c.cancel != nil {
		c.cancel()
	}
	c.queue.close()
}

// put queues an event; one for which there is no room is lost.
func (c *consumer) put(e item, w waiting) <-chan struct{} {
	if w == always || w == behind && c.queue.waiting() > c.queue.limit/2 {
		e.done = make(chan struct{})
	}
	if c.queue.put(e) || c.hub.makeRoom(c.queue, e) {
		return e.done
	}
	if c.note(true) {
		c.hub.log.Warn("the queue of a consumer is full and events are lost", "consumer", c.path)
	}
	if !e.system {
		c.hub.overflowed(c.namespace, e.event, c.path, c.queue.waiting())
	}
	return nil
}

// note notes how the consumer is doing, and tells whether that is news.
func (c *consumer) note(trouble bool) (news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	news = c.trouble != trouble
	c.trouble = trouble
	return news
}

// work gives the events to the provider of the consumer, as its creator.
func (c *consumer) work(ctx context.Context) {
	for {
		if items := c.queue.take(batch); items != nil {
			c.handle(ctx, items)
			continue
		}
		select {
		case <-c.queue.ready:
		case <-ctx.Done():
			return
		}
	}
}

func (c *consumer) handle(ctx context.Context, items []item) {
	err := c.consume(ctx, items)
	for n := range items {
		items[n].handled()
	}
	if ctx.Err() != nil {
		return
	}
	if c.note(err != nil) && err != nil {
		c.hub.log.Warn("a consumer failed", "consumer", c.path, "error", err)
	}
	if err == nil {
		return
	}
	for n := range items {
		if !items[n].system {
			c.hub.failed(c.namespace, items[n].event, c.path, err)
		}
	}
}

func (c *consumer) consume(ctx context.Context, items []item) error {
	caller, err := c.hub.host.Creator(c.creator)
	if err != nil {
		return err
	}
	var checked *subscription
	for n := range items {
		if by := items[n].by; by != nil && by != checked { // mostly all of one
			if err := c.hub.host.Check(by.namespace, caller); err != nil {
				return err
			}
			checked = by
		}
	}
	return c.hub.host.Consume(ctx, caller, c.namespace, c.instance, eventsOf(items))
}

// describe is what a failure event says of an error.
func describe(err error) (text string, object *cim.Instance) {
	var known *cim.Error
	if errors.As(err, &known) {
		if known.Detail != "" {
			return known.Detail, known.Extended
		}
		return known.Status.Text(), known.Extended
	}
	return cim.StatusOf(err).Text(), nil
}

func isAdministrator(c cim.Caller) bool {
	return c.Token != nil && c.Token.Has(security.SIDAdministrators)
}
