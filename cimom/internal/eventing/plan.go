package eventing

import (
	"context"
	"strconv"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// MinPoll is the shortest interval of polling; WITHIN with less is refused as
// not valid. See spec/wmi.md 3.5.
const MinPoll = 100 * time.Millisecond

// parse reads a query and refuses intervals that are too short.
func parse(query string) (*wql.EventQuery, error) {
	q, err := wql.ParseEvent(query)
	if err != nil {
		return nil, err
	}
	if q.Within > 0 && q.Within < MinPoll {
		return nil, &cim.Error{Status: cim.ErrUnparsableQuery, Detail: "WITHIN needs an interval of at least " + MinPoll.String()}
	}
	return q, nil
}

// begin binds the query and attaches the subscription to the feeds that can
// have its events.
func (s *subscription) begin(ctx context.Context, mayPoll bool) (err error) {
	defer caught(&err)
	h := s.hub
	class := h.host.Class(s.namespace, s.query.Class)
	if class == nil {
		return &cim.Error{Status: cim.ErrInvalidClass, Path: s.query.Class}
	}
	bound, err := wql.BindEvent(s.query, h.bareClass(class), s.lookup)
	if err != nil {
		return err
	}
	s.bound.Store(bound)
	if g := s.query.Group; g != nil {
		aggregate := h.host.Class(s.namespace, "__AggregateEvent")
		if aggregate == nil {
			return &cim.Error{Status: cim.ErrInvalidClass, Path: "__AggregateEvent"}
		}
		s.mu.Lock()
		s.groups = newGrouping(s, h.bareClass(aggregate))
		s.mu.Unlock()
	}
	if bound.Never {
		return nil
	}
	plans, err := s.plan(class, bound)
	if err != nil {
		return err
	}
	for _, p := range plans {
		if p.poll {
			if !mayPoll {
				return &cim.Error{Status: cim.ErrAccessDenied, Detail: "only an administrator may make a permanent subscription that polls"}
			}
			if err := s.charge(); err != nil {
				return err
			}
		}
		if err := s.attach(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// charge takes a polling instruction from the quota.
func (s *subscription) charge() error {
	if err := s.hub.ledger.take(s.user(), polling, 1); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.hub.ledger.give(s.user(), polling, 1)
		return cim.ErrCallCancelled
	}
	s.polled++
	return nil
}

// plan is one feed that a subscription needs: its key and what runs for it.
// The zero plan is the feed of what the manager writes.
type plan struct {
	key string
	// of a source with constraints: what has none of them, and can stand in for
	// it, as the filter of the subscription sees every event anyway
	general *plan
	run     func(f *feed) runner
	poll    bool
}

// runner is what fills a feed.
type runner interface {
	// start is done when the feed sees what happens from then on.
	start(ctx context.Context) error
	// run goes on until ctx ends.
	run(ctx context.Context) error
}

// plan finds out where the events can come from: what the manager writes,
// event providers, and polling for the rest. See spec/wmi.md 3.5.
func (s *subscription) plan(class *cim.Class, bound *wql.BoundEvent) ([]plan, error) {
	plans := []plan{{}}
	who := callerKey(s.caller)
	for _, c := range s.hub.host.Lineage(s.namespace, class.Name) {
		if s.hub.host.HasSource(s.namespace, c) {
			plans = append(plans, s.sourcePlan(c, bound.Constraints, who))
		}
	}
	kinds := KindsOf(class)
	if kinds == 0 {
		return plans, nil
	}
	required := bound.Required("TargetInstance")
	if required == nil {
		if s.query.Within > 0 {
			return nil, &cim.Error{Status: cim.ErrEssRegistrationTooBroad, Detail: "polling needs a class: TargetInstance ISA 'class'"}
		}
		return plans, nil
	}
	for _, q := range bound.Polls() {
		missing := Kinds(0)
		for _, c := range s.hub.host.Lineage(s.namespace, q.Class) {
			t := s.hub.host.Target(s.namespace, c)
			if t.Stored || c.IsAbstract() {
				continue
			}
			if t.Own&kinds != 0 {
				plans = append(plans, s.watchPlan(c, who))
			}
			missing |= kinds &^ t.Own
		}
		if missing == 0 {
			continue
		}
		if s.query.Within == 0 {
			return nil, &cim.Error{Status: cim.ErrEssRegistrationTooPrecise, Path: q.Class,
				Detail: "nothing tells of changes of these instances by itself: WITHIN says how often to poll them"}
		}
		plans = append(plans, s.pollPlan(q, missing, who))
	}
	return plans, nil
}

func (s *subscription) sourcePlan(class *cim.Class, constraints []wql.Constraint, who string) plan {
	// what the event class is called in a constraint is where the base has it,
	// and those below it have it at the same place
	base := "source " + cim.Fold(s.namespace) + ":" + cim.Fold(class.Name) + " " + who
	planOf := func(key string, constraints []wql.Constraint) plan {
		return plan{key: key, run: func(f *feed) runner {
			return &source{feed: f, class: class, constraints: constraints, caller: s.caller}
		}}
	}
	general := planOf(base, nil)
	if len(constraints) == 0 {
		return general
	}
	p := planOf(base+" "+constraintsKey(constraints), constraints)
	p.general = &general
	return p
}

func constraintsKey(list []wql.Constraint) string {
	var b []byte
	for _, c := range list {
		b = strconv.AppendInt(b, int64(c.Property), 10)
		b = append(b, '=')
		b = strconv.AppendQuote(b, c.Value.String())
		b = append(b, ' ')
	}
	return string(b)
}

func (s *subscription) watchPlan(class *cim.Class, who string) plan {
	key := "watch " + cim.Fold(s.namespace) + ":" + cim.Fold(class.Name) + " " + who
	return plan{key: key, run: func(f *feed) runner { return &watch{feed: f, class: class, caller: s.caller} }}
}

func (s *subscription) pollPlan(q *wql.Query, kinds Kinds, who string) plan {
	key := "poll " + cim.Fold(s.namespace) + ":" + cim.Fold(q.Class) + " " + s.query.Within.String() + " " +
		strconv.Itoa(int(kinds)) + " " + exprKey(q.Where) + " " + who
	return plan{key: key, poll: true, run: func(f *feed) runner {
		return &poll{feed: f, query: q, interval: s.query.Within, kinds: kinds, caller: s.caller, user: s.user()}
	}}
}
