package cimom

import (
	"context"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// session is one caller in one namespace.
type session struct {
	manager *Manager
	ns      *namespace
	caller  cim.Caller
	options cim.OpenOptions
	shared  *shared
}

// shared is what a session has in common with those that With made of it.
type shared struct {
	mu            sync.Mutex
	open          map[*stream]struct{}
	subscriptions map[*subscription]struct{}
	closed        bool
}

func newShared() *shared {
	return &shared{open: map[*stream]struct{}{}, subscriptions: map[*subscription]struct{}{}}
}

// Namespace is the namespace of the session.
func (s *session) Namespace() string { return s.ns.name }

// With is the session for another caller.
func (s *session) With(caller cim.Caller) cim.Session {
	other := *s
	other.caller = caller
	return &other
}

// Close ends the session and its enumerations.
func (s *session) Close() error {
	s.manager.mu.Lock()
	delete(s.manager.sessions, s.shared)
	s.manager.mu.Unlock()
	s.shared.close()
	return nil
}

func (h *shared) close() {
	h.mu.Lock()
	h.closed = true
	open, subscriptions := h.open, h.subscriptions
	h.open, h.subscriptions = nil, nil
	h.mu.Unlock()
	for e := range subscriptions {
		e.abort(cim.ErrShuttingDown)
	}
	for e := range open {
		e.abort(cim.ErrShuttingDown)
	}
}

// begin checks at the start of every operation that the session is open and
// that the caller has the rights.
func (s *session) begin(ctx context.Context, rights uint32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.shared.mu.Lock()
	closed := s.shared.closed
	s.shared.mu.Unlock()
	if closed {
		return &cim.Error{Status: cim.ErrShuttingDown, Detail: "the session is closed"}
	}
	if s.ns.deleted.Load() {
		return &cim.Error{Status: cim.ErrInvalidNamespace, Detail: "the namespace was deleted"}
	}
	return s.manager.admit(s.ns, s.caller, rights)
}

// fail makes the error of an operation.
func (s *session) fail(err error, operation, path string) error {
	return s.manager.describe(err, operation, s.ns.name, path)
}

// request makes the request of one class.
func (s *session) request(e *entry, o cim.OperationOptions, wanted []bool, constraints []wql.Constraint) *Request {
	r := &Request{
		Caller: s.caller, Locales: s.options.Locales, Context: o.Context, Namespace: s.ns.name,
		Class: e.class, Constraints: constraints, session: s, wanted: wanted,
	}
	if r.Context == nil {
		r.Context = s.options.Context
	}
	return r
}

// class finds a class by name.
func (s *session) class(name string) (*entry, error) {
	if e := s.ns.find(name); e != nil {
		return e, nil
	}
	return nil, &cim.Error{Status: cim.ErrInvalidClass, Path: name}
}

// located finds the class of a path and checks that the path is of this
// namespace. The server of a path is the name by which a client knows this
// host, and of no meaning here.
func (s *session) located(path cim.ObjectPath) (*entry, error) {
	if path.Namespace != "" && !cim.EqualFold(namespaceName(path.Namespace), s.ns.name) {
		return nil, &cim.Error{Status: cim.ErrInvalidNamespace, Path: path.String(), Detail: "the path leads to another namespace"}
	}
	if path.Class == "" {
		return nil, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: path.String(), Detail: "the path names no class"}
	}
	return s.class(path.Class)
}
