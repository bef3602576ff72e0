package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// The events learn of every change that the manager itself made, once it is
// durable: previous is nil for what is new, target for what is gone. A
// namespace is a __NAMESPACE instance in its parent.

func (m *Manager) instanceChanged(ctx context.Context, r *Request, previous, target *cim.Instance) {
	m.events.InstanceChanged(ctx, r.Namespace, r.Caller.Token, previous, target)
	if r.Class.IsA("__Win32Provider") {
		m.changed(r.Namespace)
	}
}

func (m *Manager) classChanged(ctx context.Context, ns *namespace, caller cim.Caller, previous, target *cim.Class) {
	m.events.ClassChanged(ctx, ns.name, caller.Token, previous, target)
}

func (m *Manager) namespaceChanged(ctx context.Context, parent string, caller cim.Caller, previous, target *cim.Instance) {
	m.events.NamespaceChanged(ctx, parent, caller.Token, previous, target)
	if target == nil {
		name, _ := previous.Get("Name").Str()
		m.changed(parent + `\` + name)
	}
}
