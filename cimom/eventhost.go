package cimom

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/cimom/internal/eventing"
	"github.com/casementhq/casement/security"
)

// What the hub asks of the manager: see eventing.Host.

func (ev *events) Server() string { return ev.manager.server }

func (ev *events) Class(namespace, name string) *cim.Class {
	if ns := ev.manager.namespace(namespace); ns != nil {
		return classOf(ns.find(name))
	}
	return nil
}

func (ev *events) Lineage(namespace, name string) (list []*cim.Class) {
	ns := ev.manager.namespace(namespace)
	if ns == nil {
		return nil
	}
	base := ns.find(name)
	if base == nil {
		return nil
	}
	for _, e := range ns.lineage(base) {
		list = append(list, e.class)
	}
	return list
}

func (ev *events) Check(namespace string, caller cim.Caller) error {
	ns := ev.manager.namespace(namespace)
	if ns == nil {
		return &cim.Error{Status: cim.ErrInvalidNamespace, Namespace: namespace}
	}
	return ev.check(ns, caller)
}

// check tells whether a caller who came a while ago may still read here.
func (ev *events) check(ns *namespace, caller cim.Caller) error {
	now, err := ev.current(caller)
	if err != nil {
		return err
	}
	return ns.check(now, rightEnable)
}

// at is a session of a caller for one class, with its entry.
func (ev *events) at(namespace string, caller cim.Caller, class string) (*session, *entry, error) {
	ns := ev.manager.namespace(namespace)
	if ns == nil {
		return nil, nil, &cim.Error{Status: cim.ErrInvalidNamespace, Namespace: namespace}
	}
	s := &session{manager: ev.manager, ns: ns, caller: caller, shared: newShared()}
	e, err := s.class(class)
	return s, e, err
}

func (ev *events) Target(namespace string, class *cim.Class) eventing.Target {
	s, e, err := ev.at(namespace, cim.Caller{Token: serviceToken}, class.Name)
	if err != nil {
		return eventing.Target{Stored: true}
	}
	src, err := s.source(e)
	switch {
	case errors.Is(err, cim.ErrProviderNotCapable): // it has no instances
		return eventing.Target{Stored: true}
	case err != nil:
		return eventing.Target{}
	case src == ev.manager.storage, src == ev.manager.system && !class.IsA("__NAMESPACE"):
		return eventing.Target{Stored: true}
	}
	if w, ok := src.provider.(InstanceWatcher); ok {
		return eventing.Target{Own: w.Watches(e.class)}
	}
	if _, ok := src.provider.(EventSource); ok && e.source == nil {
		return eventing.Target{Own: s.registeredKinds(e, src.name)}
	}
	return eventing.Target{}
}

// registeredKinds are the kinds of events about the instances of a class that
// its provider is registered for. See spec/wmi.md 6.1.
func (s *session) registeredKinds(e *entry, provider string) (kinds EventKinds) {
	lookup := func(name string) *cim.Class { return classOf(s.ns.find(name)) }
	err := s.manager.registrations(s.ns, provider, func(reg *cim.Instance) {
		for _, v := range reg.Get("EventQueryList").Elems() {
			text, _ := v.Str()
			q, err := wql.ParseEvent(text)
			if err != nil {
				continue
			}
			from := lookup(q.Class)
			if from == nil {
				continue
			}
			bound, err := wql.BindEvent(q, from, lookup)
			if err != nil {
				continue
			}
			classes := bound.Required("TargetInstance")
			if classes == nil || slices.ContainsFunc(classes, e.class.IsA) {
				kinds |= eventing.KindsOf(from)
			}
		}
	})
	if err != nil {
		s.manager.log.Warn("the registrations of a provider cannot be read", "provider", provider, "namespace", s.ns.name, "error", err)
	}
	return kinds
}

func (ev *events) List(ctx context.Context, caller cim.Caller, namespace string, q *wql.Bound, yield func(*cim.Instance) error) error {
	s, e, err := ev.at(namespace, caller, q.Class.Name)
	if err != nil {
		return err
	}
	if err := ev.check(s.ns, caller); err != nil {
		return err
	}
	src, err := s.source(e)
	if err != nil {
		return err
	}
	r := s.request(e, cim.OperationOptions{}, nil, q.Constraints)
	r.Orders = q.Orders
	take := once{yield: shaped(e, yield)}
	defer take.end() // a provider that does not heed the end of its time is left behind
	_, err = call(ctx, ev.manager, 0, func(ctx context.Context) (struct{}, error) {
		if path, ok := keyPath(e.class, q.Constraints); ok && src.gets() {
			i, err := src.get(ctx, r, path)
			if errors.Is(err, cim.ErrNotFound) {
				return struct{}{}, nil
			}
			if err == nil {
				err = take.do(i)
			}
			return struct{}{}, err
		}
		return struct{}{}, src.list(ctx, e, r, take.do)
	})
	return err
}

// once lets instances through until its end.
type once struct {
	mu    sync.Mutex
	over  bool
	yield func(*cim.Instance) error
}

func (o *once) do(i *cim.Instance) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return errStopped
	}
	return o.yield(i)
}

func (o *once) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
}

// shaped checks what a provider yields and makes it an instance of the class
// as it is served, which knows its namespace.
func shaped(e *entry, yield func(*cim.Instance) error) func(*cim.Instance) error {
	same := shape{class: e.class}
	values := make([]cim.Value, len(e.class.Properties))
	var here cim.Instance
	return func(i *cim.Instance) error {
		i, err := e.fits(i)
		if err != nil {
			return err
		}
		if i.Class() != e.class {
			same.fill(values, i)
			cim.ResetInstance(&here, e.class, values)
			i = &here
		}
		return yield(i)
	}
}

func (ev *events) Watch(ctx context.Context, caller cim.Caller, namespace string, class *cim.Class, emit eventing.Emit) error {
	s, e, err := ev.at(namespace, caller, class.Name)
	if err != nil {
		return err
	}
	src, err := s.source(e)
	if err != nil {
		return err
	}
	w, ok := src.provider.(InstanceWatcher)
	if !ok {
		return s.watchRegistered(ctx, e, src, emit)
	}
	here := shape{class: e.class}
	r := s.request(e, cim.OperationOptions{}, nil, nil)
	return src.observed(r, operation{kind: OpEvents}, func() error {
		return w.Watch(ctx, r, func(kind EventKinds, target, previous *cim.Instance) error {
			target, err := e.fits(target)
			if err == nil && previous != nil {
				if previous, err = e.fits(previous); err == nil {
					previous = here.make(previous)
				}
			}
			if err != nil {
				return err
			}
			return emit(kind, here.make(target), previous)
		})
	})
}

// watchRegistered runs a provider for the events about the instances of a
// class that it is registered for.
func (s *session) watchRegistered(ctx context.Context, e *entry, src *source, emit eventing.Emit) error {
	provider, ok := src.provider.(EventSource)
	if !ok {
		return incapable(e, "the provider tells nothing of its instances")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	own := s.registeredKinds(e, src.name)
	var first error
	var once sync.Once
	var runs sync.WaitGroup
	for _, kind := range []EventKinds{Creation, Modification, Deletion} {
		at := s.ns.find(kind.ClassName())
		if own&kind == 0 || at == nil {
			continue
		}
		runs.Go(func() {
			r := s.request(at, cim.OperationOptions{}, nil, nil)
			err := src.observed(r, operation{kind: OpEvents}, func() error {
				return provider.Events(ctx, r, func(i *cim.Instance) error {
					if !i.Class().IsA(at.class.Name) {
						return nil
					}
					target, err := e.told(i, "TargetInstance")
					if target == nil || err != nil {
						return err
					}
					previous, err := e.told(i, "PreviousInstance")
					if err != nil {
						return err
					}
					return emit(kind, target, previous)
				})
			})
			if err != nil {
				once.Do(func() {
					first = err
					cancel()
				})
			}
		})
	}
	runs.Wait()
	return first
}

// told is the instance of the class in a property of an event; nil for one of
// another class.
func (e *entry) told(event *cim.Instance, property string) (*cim.Instance, error) {
	i := event.Get(property).Object()
	if i == nil || !cim.EqualFold(i.Class().Name, e.class.Name) {
		return nil, nil
	}
	out := cim.NewInstance(e.class)
	for n := range i.Len() {
		if at := e.class.PropertyIndex(i.Class().Properties[n].Name); at >= 0 {
			if err := out.SetAt(at, i.At(n)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (ev *events) HasSource(namespace string, class *cim.Class) bool {
	s, e, err := ev.at(namespace, cim.Caller{Token: serviceToken}, class.Name)
	if err != nil {
		return false
	}
	_, err = s.eventSource(e)
	return err == nil
}

func (ev *events) Source(ctx context.Context, caller cim.Caller, namespace string, class *cim.Class, constraints []wql.Constraint, emit func(*security.Token, *cim.Instance) error) error {
	s, e, err := ev.at(namespace, caller, class.Name)
	if err != nil {
		return err
	}
	src, err := s.eventSource(e)
	if err != nil {
		return err
	}
	r := s.request(e, cim.OperationOptions{}, nil, constraints)
	var by *security.Token
	if p, ok := src.provider.(EventPublisher); ok {
		by = p.Publisher(r)
	}
	err = src.observed(r, operation{kind: OpEvents}, func() error {
		return src.provider.(EventSource).Events(ctx, r, func(i *cim.Instance) error {
			i, err := e.fits(i)
			if err != nil {
				return err
			}
			return emit(by, i)
		})
	})
	if errors.Is(err, cim.ErrProviderNotCapable) {
		return nil // a class above those of its events: there is nothing to follow
	}
	return err
}

// eventSource finds the event provider of a class: the one that registered it,
// or one whose stored registration has a query for it. See spec/wmi.md 6.1.
func (s *session) eventSource(e *entry) (*source, error) {
	none := &cim.Error{Status: cim.ErrProviderNotFound, Path: e.class.Name, Detail: "no provider makes the event"}
	if e.source != nil {
		if _, ok := e.source.provider.(EventSource); ok {
			return e.source, nil
		}
		return nil, none
	}
	src, err := s.registered(e, "__EventProviderRegistration", func(reg *cim.Instance) bool {
		return coversEvents(reg.Get("EventQueryList"), e.class)
	})
	if err != nil {
		return nil, err
	}
	if _, ok := src.provider.(EventSource); ok {
		return src, nil
	}
	return nil, none
}

// registered finds the provider that a stored registration of one kind names.
func (s *session) registered(e *entry, kind string, fits func(*cim.Instance) bool) (*source, error) {
	none := &cim.Error{Status: cim.ErrProviderNotFound, Path: e.class.Name, Detail: "no provider is registered for the class"}
	reg := s.ns.find(kind)
	if reg == nil {
		return nil, none
	}
	name := ""
	err := (&storage{s.manager}).each(context.Background(), reg.class, nil, nil, func(i *cim.Instance) error {
		if name == "" && fits(i) {
			text, _ := i.Get("provider").Str()
			if path, err := cim.ParsePath(text); err == nil {
				key, _ := path.Key("Name")
				name, _ = key.Str()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, none
	}
	return s.manager.named(s.ns, e, name)
}

func (ev *events) Creator(sid security.SID) (cim.Caller, error) { return ev.creator(sid) }

func (ev *events) Consume(ctx context.Context, caller cim.Caller, namespace string, consumer *cim.Instance, list []*cim.Instance) error {
	s, e, err := ev.at(namespace, caller, consumer.Class().Name)
	if err != nil {
		return err
	}
	handler, err := s.eventConsumer(e)
	if err != nil {
		return err
	}
	return protect(func() error {
		return handler.Consume(ctx, s.request(e, cim.OperationOptions{}, nil, nil), consumer, list)
	})
}

// eventConsumer finds the provider of a class of logical consumers, likewise.
func (s *session) eventConsumer(e *entry) (EventConsumer, error) {
	for up := e; up != nil; up = up.super {
		if up.source != nil {
			if found, ok := up.source.provider.(EventConsumer); ok {
				return found, nil
			}
		}
	}
	src, err := s.registered(e, "__EventConsumerProviderRegistration", func(reg *cim.Instance) bool {
		for _, v := range reg.Get("ConsumerClassNames").Elems() {
			if name, ok := v.Str(); ok && e.class.IsA(name) {
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	if found, ok := src.provider.(EventConsumer); ok {
		return found, nil
	}
	return nil, incapable(e, "the provider handles no events")
}

// Fired removes the instruction of a timer that fires once, so that it does
// not fire again after a restart.
func (ev *events) Fired(namespace string, timer *cim.Instance) {
	path, _ := timer.Path()
	s, _, err := ev.at(namespace, cim.Caller{Token: serviceToken}, timer.Class().Name)
	if err == nil {
		err = s.Delete(context.Background(), path, cim.OperationOptions{})
	}
	if err != nil && !errors.Is(err, cim.ErrNotFound) {
		ev.manager.log.Warn("a timer that has fired is not removed", "timer", path.String(), "error", err)
	}
}
