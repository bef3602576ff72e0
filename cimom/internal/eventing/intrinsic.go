package eventing

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// subject is what intrinsic events are about: the folded names of their
// classes and properties. See spec/wmi.md 5.1.
type subject struct{ creation, modification, deletion, target, previous string }

var (
	instances = subject{
		"__instancecreationevent", "__instancemodificationevent", "__instancedeletionevent", "targetinstance", "previousinstance",
	}
	classes = subject{
		"__classcreationevent", "__classmodificationevent", "__classdeletionevent", "targetclass", "previousclass",
	}
	namespaces = subject{
		"__namespacecreationevent", "__namespacemodificationevent", "__namespacedeletionevent", "targetnamespace", "previousnamespace",
	}
)

// InstanceChanged tells that a caller wrote an instance that the manager
// stores: previous is nil for a creation, target for a deletion. The hub
// copies them.
func (h *Hub) InstanceChanged(ctx context.Context, namespace string, by *security.Token, previous, target *cim.Instance) {
	h.changed(ctx, namespace, by, &instances, previous, target)
}

// ClassChanged tells that a caller wrote a class: previous is nil for a
// creation, target for a deletion.
func (h *Hub) ClassChanged(ctx context.Context, namespace string, by *security.Token, previous, target *cim.Class) {
	h.changed(ctx, namespace, by, &classes, classObject(previous), classObject(target))
	h.lasting.retry(namespace)
}

func classObject(c *cim.Class) *cim.Instance {
	if c == nil {
		return nil
	}
	return cim.ClassObject(c)
}

// NamespaceChanged tells that a caller wrote a namespace below another one.
// The instances are of __NAMESPACE; previous is nil for a creation, target for
// a deletion.
func (h *Hub) NamespaceChanged(ctx context.Context, parent string, by *security.Token, previous, target *cim.Instance) {
	h.changed(ctx, parent, by, &namespaces, previous, target)
}

func (h *Hub) changed(ctx context.Context, namespace string, by *security.Token, s *subject, previous, target *cim.Instance) {
	f := h.ownFeed(namespace)
	if f == nil {
		return
	}
	name := s.modification
	switch {
	case target == nil:
		name, target, previous = s.deletion, previous, nil
	case previous == nil:
		name = s.creation
	}
	class := h.host.Class(namespace, name)
	if !f.wants(class) {
		return
	}
	event := cim.NewInstance(class)
	put(event, s.target, cim.Obj(target.Clone()))
	if previous != nil {
		put(event, s.previous, cim.Obj(previous.Clone()))
	}
	f.publish(ctx, publication{event: event, by: by, own: true})
}

// put sets a property, where the class has it.
func put(i *cim.Instance, name string, v cim.Value) {
	if n := i.Class().PropertyIndex(name); n >= 0 {
		_ = i.SetAt(n, v) // of another type only where a user's class stands in for the system's
	}
}

// Publish gives an event that a caller raised, an instance of a class derived
// from __ExtrinsicEvent, to the subscriptions. The hub copies it.
func (h *Hub) Publish(ctx context.Context, namespace string, by *security.Token, event *cim.Instance) {
	if f := h.ownFeed(namespace); f != nil {
		f.publish(ctx, publication{event: event, by: by})
	}
}

// Follows tells whether anybody subscribed to anything in a namespace.
func (h *Hub) Follows(namespace string) bool { return h.ownFeed(namespace) != nil }

// System makes an event of a class of the system and publishes it, for
// administrators alone. fill is called where somebody wants such events.
func (h *Hub) System(namespace, class string, fill func(*cim.Instance)) {
	f := h.ownFeed(namespace)
	if f == nil {
		return
	}
	c := h.host.Class(namespace, class)
	if !f.wants(c) {
		return
	}
	event := cim.NewInstance(c)
	put(event, "SECURITY_DESCRIPTOR", administratorsOnly)
	fill(event)
	f.publish(context.Background(), publication{event: event, own: true})
}

// overflowed tells that an event was lost because a queue was full. consumer
// is the path of a logical consumer, "" for a temporary subscription.
func (h *Hub) overflowed(namespace string, event *cim.Instance, consumer string, bytes int64) {
	h.System(namespace, "__EventQueueOverflowEvent", func(i *cim.Instance) {
		put(i, "Event", cim.Obj(event))
		put(i, "CurrentQueueSize", cim.U32(uint32(min(bytes, 1<<32-1))))
		putConsumer(i, consumer)
	})
}

// failed tells that a consumer did not handle an event.
func (h *Hub) failed(namespace string, event *cim.Instance, consumer string, err error) {
	h.System(namespace, "__ConsumerFailureEvent", func(i *cim.Instance) {
		put(i, "Event", cim.Obj(event))
		put(i, "ErrorCode", cim.U32(uint32(cim.StatusOf(err))))
		text, object := describe(err)
		put(i, "ErrorDescription", cim.Str(text))
		put(i, "ErrorObject", cim.Obj(object))
		putConsumer(i, consumer)
	})
}

func putConsumer(i *cim.Instance, path string) {
	if path != "" {
		put(i, "IntendedConsumer", cim.Ref(path))
	}
}
