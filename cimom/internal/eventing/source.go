package eventing

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/security"
)

// source runs the event provider of an event class.
type source struct {
	feed        *feed
	class       *cim.Class
	constraints []wql.Constraint
	caller      cim.Caller
}

func (s *source) start(context.Context) error { return nil }

func (s *source) run(ctx context.Context) error {
	f := s.feed
	return f.hub.host.Source(ctx, s.caller, f.namespace, s.class, s.constraints, func(by *security.Token, event *cim.Instance) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.publish(ctx, publication{event: event, by: by, patient: true})
		return nil
	})
}

// watch runs the provider that makes the events about instances of a class
// itself.
type watch struct {
	feed   *feed
	class  *cim.Class
	caller cim.Caller
}

func (w *watch) start(context.Context) error { return nil }

func (w *watch) run(ctx context.Context) error {
	f := w.feed
	return f.hub.host.Watch(ctx, w.caller, f.namespace, w.class, func(kind Kinds, target, previous *cim.Instance) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		class := f.hub.host.Class(f.namespace, kind.ClassName())
		if !f.wants(class) {
			return nil
		}
		if previous != nil {
			previous = previous.Clone()
		}
		f.intrinsic(ctx, kind, target.Clone(), previous)
		return nil
	})
}
