package cimom

import (
	"context"
	"sync/atomic"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/cimom/internal/eventing"
	"github.com/casementhq/casement/security"
)

// Provider serves classes. What it can do with them it shows by implementing
// the further interfaces of this file; a class without them is a definition
// only. Methods are called from several goroutines at once. A method must
// return soon after its context ends. Errors that are *cim.Error or a
// cim.Status reach the caller; of any other error and of a panic the caller
// learns WBEM_E_PROVIDER_FAILURE only, and the log the rest.
//
// A provider that was registered and is an io.Closer is closed with the
// manager.
type Provider interface {
	// Classes are the classes that the provider serves: sealed, a superclass
	// before its subclasses, each with the namespace that it belongs to, or
	// with none to belong to every namespace. It is called by Register and by
	// Refresh.
	Classes() []*cim.Class
}

// InstanceLister lists instances.
type InstanceLister interface {
	// List yields every instance whose class is exactly r.Class. The manager
	// copies an instance before yield returns, so that one instance may be
	// filled and yielded again and again; only what its values refer to
	// (arrays, embedded objects) must not change later. When yield fails, List
	// returns that error. Constraints may be used to do less and may be
	// ignored: the manager filters again.
	List(ctx context.Context, r *Request, yield func(*cim.Instance) error) error
}

// ListPreparer is what an InstanceLister implements besides for classes that
// take their time, so that what several classes have to wait for is one wait.
type ListPreparer interface {
	// PrepareList is called when an operation is about to list several classes of
	// the provider one after the other, with the requests that List will get. It
	// begins what takes time and does not wait for it; the operation may end
	// before all are listed.
	PrepareList(ctx context.Context, list []*Request)
}

// InstanceGetter reads one instance. Without it the manager lists and compares
// keys.
type InstanceGetter interface {
	// Get reads the instance of r.Class that path names, or fails with
	// cim.ErrNotFound. The path has every key by name and in its type.
	// The instance is the manager's to keep.
	Get(ctx context.Context, r *Request, path cim.ObjectPath) (*cim.Instance, error)
}

// MethodInvoker runs methods.
type MethodInvoker interface {
	// Invoke runs a method of the instance that path names, or of the class
	// for a static method. The instance was found just before. The arguments
	// have their declared types and stand in declared order, NULL where the
	// caller gave none. Results are converted to their declared types.
	Invoke(ctx context.Context, r *Request, path cim.ObjectPath, method string, in cim.Arguments) (cim.Result, error)
}

// InstanceWriter makes, changes and removes instances.
type InstanceWriter interface {
	// Create makes a new instance: cim.ErrAlreadyExists. An instance that
	// comes from the provider complete with its keys is named by them, so that
	// Create may set keys of i.
	Create(ctx context.Context, r *Request, i *cim.Instance) error
	// Put changes the properties that r wants to those of i, whose keys are
	// whole: cim.ErrNotFound, cim.ErrReadOnly.
	Put(ctx context.Context, r *Request, i *cim.Instance) error
	// Delete removes the instance that path names: cim.ErrNotFound.
	Delete(ctx context.Context, r *Request, path cim.ObjectPath) error
}

// AssociationWalker lists the associations of one object directly. Without it
// the manager lists all instances of the association class and filters.
type AssociationWalker interface {
	// Walk yields the instances of r.Class whose reference property role names
	// source, as List does; it may yield more.
	Walk(ctx context.Context, r *Request, source cim.ObjectPath, role string, yield func(*cim.Instance) error) error
}

// EventSource makes events: the event classes among the provider's Classes.
type EventSource interface {
	// Events emits instances of r.Class, which is an event class of the
	// provider, until ctx ends. It is called when the first subscription wants
	// the class and its context ends with the last one. emit does not block for
	// long and may be called from several goroutines; the manager copies the
	// instance. Constraints are what every event that anybody wants meets.
	Events(ctx context.Context, r *Request, emit func(*cim.Instance) error) error
}

// EventPublisher is what an EventSource implements besides whose events are
// not the service's own.
type EventPublisher interface {
	// Publisher is who publishes the events of r: whom the EventAccess of a
	// filter has to admit. It is not nil.
	Publisher(r *Request) *security.Token
}

// EventKinds is a set of kinds of intrinsic events about instances.
type EventKinds = eventing.Kinds

// The kinds of intrinsic events.
const (
	Creation     = eventing.Creation     // __InstanceCreationEvent
	Modification = eventing.Modification // __InstanceModificationEvent
	Deletion     = eventing.Deletion     // __InstanceDeletionEvent
)

// InstanceWatcher makes the intrinsic events of its instances itself, so that
// they need no polling.
type InstanceWatcher interface {
	// Watches are the kinds that it makes for the instances of exactly a class
	// of the provider; the others are polled.
	Watches(class *cim.Class) EventKinds
	// Watch emits the events of the instances of r.Class until ctx ends, as
	// EventSource does: the instance as it is now, or was before its deletion,
	// and before a modification; previous is nil where that is not known.
	Watch(ctx context.Context, r *Request, emit func(kind EventKinds, target, previous *cim.Instance) error) error
}

// EventConsumer is the physical side of logical consumers: the classes derived
// from __EventConsumer among the provider's Classes.
type EventConsumer interface {
	// Consume handles events for one instance of a consumer class. r.Caller is
	// the creator of the consumer: what happens, happens as that caller.
	Consume(ctx context.Context, r *Request, consumer *cim.Instance, events []*cim.Instance) error
}

// ConsumerChecker is what an EventConsumer implements besides to refuse logical
// consumers that could not work.
type ConsumerChecker interface {
	// CheckConsumer tells whether an instance of a consumer class may be stored,
	// and does nothing that lasts. It returns soon.
	CheckConsumer(consumer *cim.Instance) error
}

// PropertyGetter fills dynamic properties of instances that are stored: those
// with the qualifiers Dynamic, Provider and PropertyContext.
type PropertyGetter interface {
	// Property reads one property of the instance that path names.
	Property(ctx context.Context, r *Request, path cim.ObjectPath, property, propertyContext string) (cim.Value, error)
}

// PropertySetter writes dynamic properties.
type PropertySetter interface {
	// SetProperty writes one property of the instance that path names.
	SetProperty(ctx context.Context, r *Request, path cim.ObjectPath, property, propertyContext string, v cim.Value) error
}

// Named is what a provider implements to be known by a name: that of its
// __Win32Provider instance and of the Provider qualifier of its classes.
type Named interface{ ProviderName() string }

// Request says what an operation wants from a provider. It must not be
// changed, nor kept after the call.
type Request struct {
	Caller    cim.Caller
	Locales   []string
	Context   cim.NamedArray // named values of the operation, else those of the session
	Namespace string
	// Class is the class that is asked for; instances are of it or of the
	// equal class that the provider registered.
	Class *cim.Class
	// Constraints are equalities that every result meets.
	Constraints []wql.Constraint
	// Orders are comparisons by order (a time after another) that every result
	// meets.
	Orders []wql.Order

	session *session                 // nil for a request that is made outside of the manager
	wanted  []bool                   // by property; nil means all
	match   func(*cim.Instance) bool // the whole condition, for storage; nil: all
	leftOut *atomic.Bool             // of the enumeration; nil: it is none
}

// LeaveOut notes that the provider leaves out an instance that the caller may not
// see. That is no error: it is silent, but where an operation ends with a status.
func (r *Request) LeaveOut() {
	if r.leftOut != nil {
		r.leftOut.Store(true)
	}
}

// Wants tells whether the value of a property of Class is needed; others may
// be left NULL. A provider asks where a value is costly.
func (r *Request) Wants(name string) bool {
	n := r.Class.PropertyIndex(name)
	return n >= 0 && r.WantsAt(n)
}

// WantsAt is Wants by the position of the property.
func (r *Request) WantsAt(n int) bool { return r.wanted == nil || r.wanted[n] }

// Want narrows the wanted properties to those with the names; the others of a
// request that is made outside of the manager are wanted.
func (r *Request) Want(names []string) {
	r.wanted = make([]bool, len(r.Class.Properties))
	for _, name := range names {
		if n := r.Class.PropertyIndex(name); n >= 0 {
			r.wanted[n] = true
		}
	}
}

// Constraint is the value that a property is required to have; ok is false
// where there is no such requirement.
func (r *Request) Constraint(name string) (v cim.Value, ok bool) {
	n := r.Class.PropertyIndex(name)
	for _, c := range r.Constraints {
		if c.Property == n {
			return c.Value, true
		}
	}
	return cim.Value{}, false
}
