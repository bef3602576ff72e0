package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// observer learns of every change that the manager itself made, once it is
// durable: previous is nil for what is new, target for what is gone.
type observer interface {
	InstanceChanged(ctx context.Context, namespace string, by *security.Token, previous, target *cim.Instance)
	ClassChanged(ctx context.Context, namespace string, by *security.Token, previous, target *cim.Class)
	// NamespaceChanged is about a __NAMESPACE instance in its parent.
	NamespaceChanged(ctx context.Context, parent string, by *security.Token, previous, target *cim.Instance)
}

// reloader is an observer that learns that everything that is stored was
// replaced.
type reloader interface{ Reloaded(context.Context) }

func (m *Manager) instanceChanged(ctx context.Context, r *Request, previous, target *cim.Instance) {
	if m.observer != nil {
		m.observer.InstanceChanged(ctx, r.Namespace, r.Caller.Token, previous, target)
	}
}

func (m *Manager) classChanged(ctx context.Context, ns *namespace, caller cim.Caller, previous, target *cim.Class) {
	if m.observer != nil {
		m.observer.ClassChanged(ctx, ns.name, caller.Token, previous, target)
	}
}

func (m *Manager) namespaceChanged(ctx context.Context, parent string, caller cim.Caller, previous, target *cim.Instance) {
	if m.observer != nil {
		m.observer.NamespaceChanged(ctx, parent, caller.Token, previous, target)
	}
}
