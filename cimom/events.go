package cimom

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/cimom/internal/eventing"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

// events connects the manager with the hub of its events: the hub is told what
// changes here, and asks here where events come from and go to.
type events struct {
	manager *Manager
	hub     *eventing.Hub
	creator func(security.SID) (cim.Caller, error)
	stores  func(*security.Token) error
	current func(cim.Caller) (cim.Caller, error)
}

var (
	_ eventing.Host  = (*events)(nil)
	_ cim.Subscriber = (*session)(nil)
)

func newEvents(m *Manager, o Options) *events {
	ev := &events{manager: m, creator: o.CreatorCaller, stores: o.CreatorStores, current: o.CurrentCaller}
	if ev.stores == nil {
		ev.stores = func(*security.Token) error { return nil }
	}
	if ev.creator == nil {
		ev.creator = administratorsAlone
	}
	if ev.current == nil {
		ev.current = func(c cim.Caller) (cim.Caller, error) { return c, nil }
	}
	ev.hub = eventing.New(eventing.Options{Host: ev, Logger: m.log})
	return ev
}

// serviceToken is the service itself.
var serviceToken = &security.Token{
	User: security.SIDLocalSystem,
	Groups: []security.GroupEntry{
		{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone},
	},
	LogonType: security.LogonService,
}

// AdministratorsToken is who a permanent subscription of administrators runs
// as: their group, whoever of them made it. See spec/wmi.md 5.3.
func AdministratorsToken() *security.Token {
	return &security.Token{User: security.SIDAdministrators, Groups: serviceToken.Groups, LogonType: security.LogonService}
}

// administratorsAlone lets the subscriptions of administrators run, and those
// of nobody else.
func administratorsAlone(sid security.SID) (cim.Caller, error) {
	if sid == security.SIDAdministrators {
		return cim.Caller{Token: AdministratorsToken()}, nil
	}
	return cim.Caller{}, &cim.Error{Status: cim.ErrAccessDenied, Detail: "the account " + sid.String() + " is not known here"}
}

// Start begins the permanent subscriptions and the timers that are stored. It
// is called once, after the providers were registered; what is stored later
// begins by itself. See spec/wmi.md 5.3.
func (m *Manager) Start(ctx context.Context) error {
	return m.events.load(ctx, m.events.stopped(ctx))
}

// reload begins anew with what the repository has now.
func (ev *events) reload(ctx context.Context) error {
	ev.hub.Forget()
	return ev.load(ctx, time.Time{})
}

// load tells the hub what is stored.
func (ev *events) load(ctx context.Context, stopped time.Time) error {
	m := ev.manager
	ev.limit(ctx)
	m.mu.RLock()
	list := make([]*namespace, 0, len(m.namespaces))
	for _, ns := range m.namespaces {
		list = append(list, ns)
	}
	m.mu.RUnlock()
	st := &storage{m}
	for _, ns := range list {
		for _, base := range []string{"__EventFilter", "__EventConsumer", "__FilterToConsumerBinding", "__TimerInstruction"} {
			for _, class := range ev.Lineage(ns.name, base) {
				if class.IsAbstract() {
					continue
				}
				err := st.each(ctx, class, nil, nil, func(i *cim.Instance) error {
					ev.hub.Stored(ns.name, i, stopped)
					return nil
				})
				if err != nil && !repository.IsDamaged(err) {
					return m.describe(err, "Start", ns.name, class.Name)
				}
			}
		}
	}
	return nil
}

// InstanceChanged tells the hub of a change, and of its own settings.
func (ev *events) InstanceChanged(ctx context.Context, namespace string, by *security.Token, previous, target *cim.Instance) {
	ev.hub.InstanceChanged(ctx, namespace, by, previous, target)
	switch {
	case target != nil && cim.EqualFold(target.Class().Name, "__ArbitratorConfiguration"), target == nil && cim.EqualFold(previous.Class().Name, "__ArbitratorConfiguration"):
		ev.limit(ctx)
	case target != nil:
		ev.hub.Stored(namespace, target, time.Time{})
	default:
		path, _ := previous.Path()
		ev.hub.Removed(namespace, previous.Class(), path)
	}
}

// ClassChanged tells the hub of a change.
func (ev *events) ClassChanged(ctx context.Context, namespace string, by *security.Token, previous, target *cim.Class) {
	ev.hub.ClassChanged(ctx, namespace, by, previous, target)
}

// NamespaceChanged tells the hub of a change, and of what went with it.
func (ev *events) NamespaceChanged(ctx context.Context, parent string, by *security.Token, previous, target *cim.Instance) {
	ev.hub.NamespaceChanged(ctx, parent, by, previous, target)
	if target == nil {
		name, _ := previous.Get("Name").Str()
		ev.hub.NamespaceRemoved(parent + `\` + name)
	}
}

// limit gives the hub the limits of __ArbitratorConfiguration. See spec/wmi.md
// 6.3.
func (ev *events) limit(ctx context.Context) {
	class := ev.Class("root", "__ArbitratorConfiguration")
	if class == nil {
		return
	}
	i, err := ev.manager.repository.Get(ctx, class, cim.ObjectPath{Class: class.Name, Singleton: true})
	if err != nil {
		i = cim.NewInstance(class)
	}
	number := func(name string) uint32 {
		n, _ := i.Get(name).Uint()
		return uint32(n)
	}
	ev.hub.SetLimits(eventing.Limits{
		TemporarySubscriptionsPerUser: number("TemporarySubscriptionsPerUser"), TemporarySubscriptionsTotal: number("TemporarySubscriptionsTotal"),
		PermanentSubscriptionsPerUser: number("PermanentSubscriptionsPerUser"), PermanentSubscriptionsTotal: number("PermanentSubscriptionsTotal"),
		PollingInstructionsPerUser: number("PollingInstructionsPerUser"), PollingInstructionsTotal: number("PollingInstructionsTotal"),
		PollingMemoryPerUser: number("PollingMemoryPerUser"), PollingMemoryTotal: number("PollingMemoryTotal"),
	})
}

// The time at which the service stopped is kept for the timers, in the only
// instance of a class of root.
const clockClass = "Casement_EventClock"

// stopped is when the service stopped last; zero where that is not known.
func (ev *events) stopped(ctx context.Context) time.Time {
	class := ev.Class("root", clockClass)
	if class == nil {
		return time.Time{}
	}
	path := cim.ObjectPath{Class: class.Name, Singleton: true}
	i, err := ev.manager.repository.Get(ctx, class, path)
	if err != nil {
		return time.Time{}
	}
	at, _ := i.Get("Stopped").DateTime()
	t, _ := at.Time()
	// a service that dies does not say when
	_ = ev.manager.repository.Update(ctx, func(tx *repository.Tx) error { return tx.Delete(class, path) })
	return t
}

// close ends everything, and notes when, if there are timers.
func (ev *events) close() {
	timers := ev.hub.Timers()
	ev.hub.Close()
	class := ev.Class("root", clockClass)
	if timers == 0 || class == nil {
		return
	}
	i := cim.NewInstance(class)
	err := i.Set("Stopped", cim.Time(cim.AtTime(time.Now())))
	if err == nil {
		err = ev.manager.repository.Update(context.Background(), func(tx *repository.Tx) error {
			err := tx.Put(i)
			if errors.Is(err, cim.ErrNotFound) { // the start took away the one before
				err = tx.Create(i)
			}
			return err
		})
	}
	if err != nil {
		ev.manager.log.Warn("the time of the stop is not kept: timers begin anew", "error", err)
	}
}

// vet tells what stands against storing a part of a permanent subscription.
func (ev *events) vet(r *Request, i *cim.Instance) error {
	b, _ := i.Get("CreatorSID").Bytes()
	sid, _, err := security.DecodeSID(b)
	if err != nil {
		return &cim.Error{Status: cim.ErrAccessDenied, Detail: "nobody creates the instance"}
	}
	if err := ev.hub.Vet(r.Namespace, i, sid); err != nil {
		return err
	}
	return ev.stores(r.Caller.Token)
}

// Subscribe begins a subscription to events. See [MS-WMI] 3.1.4.3.20.
func (s *session) Subscribe(ctx context.Context, query string, o cim.SubscribeOptions) (cim.Enumerator, error) {
	const operation = "Subscribe"
	if err := s.begin(ctx, rightEnable); err != nil {
		return nil, s.fail(err, operation, query)
	}
	if o.Language != "" && !cim.EqualFold(o.Language, "WQL") {
		return nil, s.fail(&cim.Error{Status: cim.ErrInvalidQueryType, Detail: "the only query language is WQL"}, operation, query)
	}
	if limit := s.manager.bound(o.Timeout); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	sub, err := s.manager.events.hub.Subscribe(ctx, s.ns.name, query, s.caller)
	if err != nil {
		return nil, s.fail(err, operation, query)
	}
	e := &subscription{Subscription: sub, session: s}
	s.shared.mu.Lock()
	closed := s.shared.closed
	if !closed {
		s.shared.subscriptions[e] = struct{}{}
	}
	s.shared.mu.Unlock()
	if closed {
		e.Close()
		return nil, s.fail(cim.ErrShuttingDown, operation, query)
	}
	return e, nil
}

// subscription is a subscription of a session, which ends with it.
type subscription struct {
	*eventing.Subscription
	session *session
}

// Next returns events as cim.Enumerator says.
func (e *subscription) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	list, err := e.Subscription.Next(ctx, limit)
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return list, err
	}
	return nil, e.session.fail(err, "Subscribe", "")
}

// Close ends the subscription.
func (e *subscription) Close() error {
	h := e.session.shared
	h.mu.Lock()
	delete(h.subscriptions, e)
	h.mu.Unlock()
	return e.Subscription.Close()
}

// abort ends the subscription from the side of the host.
func (e *subscription) abort(status cim.Status) { e.End(status) }

// raise publishes an instance of an extrinsic event class, which is what
// storing one means; ok is false where it is none. It needs Full Write. See
// spec/wmi.md 5.6.
func (s *session) raise(ctx context.Context, i *cim.Instance) (ok bool, err error) {
	e := s.ns.find(i.Class().Name)
	if e == nil || !e.class.IsA("__ExtrinsicEvent") || e.class.IsA("__SystemEvent") {
		return false, nil
	}
	if err := s.manager.admit(s.ns, s.caller, rightEnable|rightFullWrite); err != nil {
		return true, err
	}
	if e.class.IsAbstract() {
		return true, &cim.Error{Status: cim.ErrIllegalOperation, Path: e.class.Name, Detail: "an abstract class has no instances"}
	}
	event := cim.NewInstance(e.class)
	for n := range i.Len() {
		if err := event.Set(i.Class().Properties[n].Name, i.At(n)); err != nil {
			return true, err
		}
	}
	s.manager.events.hub.Publish(ctx, s.ns.name, s.caller.Token, event)
	return true, nil
}

// eventQueries are the event queries of a registration whose FROM is a class
// or one above it.
func coversEvents(queries cim.Value, class *cim.Class) bool {
	for _, v := range queries.Elems() {
		text, _ := v.Str()
		if q, err := wql.ParseEvent(text); err == nil && class.IsA(q.Class) {
			return true
		}
	}
	return false
}
