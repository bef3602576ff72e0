package eventing

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/security"
)

// Host is what the hub asks of the object manager. Its methods are called
// from several goroutines and without a lock of the hub.
type Host interface {
	// Server is the name of this host.
	Server() string
	// Class is a class of a namespace, nil where there is none.
	Class(namespace, name string) *cim.Class
	// Lineage are a class and those below it; none where it does not exist.
	Lineage(namespace, name string) []*cim.Class
	// Check tells whether a caller may read in a namespace, as he is now and not as
	// he was when he came: ErrAccessDenied, ErrInvalidNamespace.
	Check(namespace string, caller cim.Caller) error

	// Target says where the events about instances of a class come from.
	Target(namespace string, class *cim.Class) Target
	// List lists the instances of exactly the class of a query, as the caller; it
	// may yield more than meet the query. An instance is valid until yield
	// returns.
	List(ctx context.Context, caller cim.Caller, namespace string, query *wql.Bound, yield func(*cim.Instance) error) error
	// Watch runs the provider that makes the events about instances of a class
	// itself, until ctx ends. The hub copies what it emits.
	Watch(ctx context.Context, caller cim.Caller, namespace string, class *cim.Class, emit Emit) error

	// HasSource tells whether an event provider makes the events of a class.
	HasSource(namespace string, class *cim.Class) bool
	// Source runs that provider until ctx ends. The hub copies what it emits; by
	// is who publishes it, nil for the service itself.
	Source(ctx context.Context, caller cim.Caller, namespace string, class *cim.Class, constraints []wql.Constraint, emit func(by *security.Token, event *cim.Instance) error) error

	// Creator is the caller that a creator of permanent subscriptions stands
	// for.
	Creator(sid security.SID) (cim.Caller, error)
	// Consume has the provider of a logical consumer handle events, as the
	// caller.
	Consume(ctx context.Context, caller cim.Caller, namespace string, consumer *cim.Instance, events []*cim.Instance) error
	// Fired is told that the only firing of an absolute timer is over.
	Fired(namespace string, timer *cim.Instance)
}

// Emit takes an intrinsic event from a provider: the instance as it is now, or
// was before its deletion, and for a modification the one before, nil where it
// is not known.
type Emit func(kind Kinds, target, previous *cim.Instance) error

// Target says where the events about instances of a class come from.
type Target struct {
	// Stored says that the manager writes the instances itself.
	Stored bool
	// Own are the kinds that a provider emits; the rest is polled.
	Own Kinds
}
