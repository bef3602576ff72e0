package eventing

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/security"
)

// subscription is a query with where its events go.
type subscription struct {
	hub       *Hub
	namespace string
	caller    cim.Caller
	query     *wql.EventQuery
	bound     atomic.Pointer[wql.BoundEvent]
	// access says who may publish to it, nil for everyone: EventAccess.
	access *security.SecurityDescriptor
	groups *grouping // nil without GROUP
	sink   sink
	// synchronous and slowing are how a permanent subscription asks publishers
	// to wait.
	synchronous, slowing bool

	mu     sync.Mutex
	feeds  []*feed
	polled int64 // instructions taken from the quota
	closed bool
}

// sink is where the events of a subscription go.
type sink interface {
	// put takes an event and never waits; what it returns is closed when the
	// event was handled, and nil unless that was asked for.
	put(e item, wait waiting) <-chan struct{}
	// fail says that nothing more comes.
	fail(err error)
}

// waiting says when a publisher wants to wait for an event to be handled.
type waiting uint8

const (
	never  waiting = iota
	behind         // when the queue is long
	always
)

// binding is a query bound to a class of events.
type binding struct {
	bound   *wql.BoundEvent
	class   *cim.Class // as the subscriber sees it
	columns []int      // nil: all
}

func (b *binding) match(event *cim.Instance) bool { return b.bound.Match(event) }

// view is the event with what SELECT names. An embedded object is whole. See
// spec/wmi.md 3.5.
func (b *binding) view(event *cim.Instance) *cim.Instance {
	if b.columns == nil {
		return event
	}
	values := make([]cim.Value, len(b.columns))
	for n, c := range b.columns {
		values[n] = event.At(c)
	}
	return cim.MakeInstance(b.class, values)
}

// bind binds the query to a class of events; nil where it does not ask for it.
func (s *subscription) bind(class *cim.Class) *binding {
	if !class.IsA(s.query.Class) {
		return nil
	}
	bound := s.bound.Load()
	from := s.hub.host.Class(s.namespace, s.query.Class)
	if from == nil {
		return nil
	}
	if from = s.hub.bareClass(from); from != bound.Class { // it was redefined
		var err error
		if bound, err = wql.BindEvent(s.query, from, s.lookup); err != nil {
			s.hub.log.Warn("a query does not fit its event class any more", "query", s.query.Text, "namespace", s.namespace, "error", err)
			return nil
		}
		s.bound.Store(bound)
	}
	b := &binding{bound: bound, class: class}
	if bound.Properties != nil && s.groups == nil {
		b.class = class.Project(bound.Properties, false)
		for n := range b.class.Properties {
			b.columns = append(b.columns, class.PropertyIndex(b.class.Properties[n].Name))
		}
		if b.columns == nil {
			b.columns = []int{}
		}
	}
	return b
}

func (s *subscription) lookup(name string) *cim.Class { return s.hub.host.Class(s.namespace, name) }

// admits tells whether the publisher of an event may publish to the
// subscription.
func (s *subscription) admits(by *security.Token) bool {
	if s.access == nil {
		return true
	}
	if by == nil {
		by = service
	}
	_, err := security.AccessCheck(s.access, by, rightPublish, security.GenericMapping{})
	return err == nil
}

// put takes an event that matches.
func (s *subscription) put(e item, patient bool) <-chan struct{} {
	if s.groups != nil {
		s.groups.add(e)
		return nil
	}
	w := never
	switch {
	case s.synchronous:
		w = always
	case s.slowing && patient:
		w = behind
	}
	return s.sink.put(e, w)
}

func (s *subscription) fail(err error) { s.sink.fail(err) }

// close detaches the subscription from everything.
func (s *subscription) close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	feeds, polled, groups := s.feeds, s.polled, s.groups
	s.feeds, s.polled = nil, 0
	s.mu.Unlock()
	for _, f := range feeds {
		s.hub.detach(f, s)
	}
	if groups != nil {
		groups.close()
	}
	s.hub.ledger.give(s.user(), polling, polled)
}

// user is who the subscription is counted for.
func (s *subscription) user() security.SID {
	if s.caller.Token == nil {
		return security.SID{}
	}
	return s.caller.Token.User
}

// Subscription is a temporary subscription: a stream of events that ends with
// Close, or with an error.
type Subscription struct {
	subscription
	queue *queue

	endMu sync.Mutex
	ended bool
	final error
	done  chan struct{}
}

var _ cim.Enumerator = (*Subscription)(nil)

// Subscribe begins a temporary subscription of a caller in a namespace. ctx
// bounds the first poll. It fails as cim.Subscriber says.
func (h *Hub) Subscribe(ctx context.Context, namespace, query string, caller cim.Caller) (*Subscription, error) {
	q, err := parse(query)
	if err != nil {
		return nil, err
	}
	s := &Subscription{done: make(chan struct{})}
	s.hub, s.namespace, s.caller, s.query, s.sink = h, namespace, caller, q, s
	user := s.user()
	if err := h.ledger.take(user, temporary, 1); err != nil {
		return nil, err
	}
	s.queue = newQueue(h.ledger, user, h.ledger.threshold())
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.open[s], h.holders[s] = struct{}{}, struct{}{}
	}
	h.mu.Unlock()
	if closed {
		err = &cim.Error{Status: cim.ErrShuttingDown}
	} else {
		err = s.begin(ctx, true)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// put queues an event. One for which there is no room ends the subscription.
func (s *Subscription) put(e item, _ waiting) <-chan struct{} {
	if s.queue.put(e) || s.hub.makeRoom(s.queue, e) {
		return nil
	}
	s.overflow(e, s.queue.seal())
	return nil
}

// overflow ends a subscription that loses an event.
func (s *Subscription) overflow(lost item, held int64) {
	if s.end(&cim.Error{Status: cim.ErrQueueOverflow, Detail: "events came faster than they were read"}) && !lost.system {
		s.hub.overflowed(s.namespace, lost.event, "", held)
	}
}

func (s *Subscription) fail(err error) { s.end(err) }

// end says how the stream ends after what it holds, and detaches it; ok is
// false where that was done before.
func (s *Subscription) end(err error) (ok bool) {
	s.endMu.Lock()
	if s.ended {
		s.endMu.Unlock()
		return false
	}
	s.ended, s.final = true, err
	close(s.done)
	s.endMu.Unlock()
	h := s.hub
	h.mu.Lock()
	delete(h.open, s)
	h.mu.Unlock()
	s.subscription.close()
	h.ledger.give(s.user(), temporary, 1)
	return true
}

// Next returns events as cim.Enumerator says. They are shared: whoever changes
// one clones it first.
func (s *Subscription) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if items := s.queue.take(limit); items != nil {
			if err := s.hub.host.Check(s.namespace, s.caller); err != nil {
				s.end(err)
				s.queue.close()
				return nil, err
			}
			return eventsOf(items), nil
		}
		select {
		case <-s.queue.ready:
		case <-s.done:
			if s.queue.waiting() == 0 {
				s.hub.drained(s)
				return nil, s.final
			}
		case <-ctx.Done():
		}
	}
}

// End ends the subscription with an error after what it holds.
func (s *Subscription) End(err error) { s.end(err) }

// Close ends the subscription and drops what it holds. It may be called twice.
func (s *Subscription) Close() error {
	s.end(io.EOF)
	s.hub.drained(s)
	s.queue.close()
	return nil
}
