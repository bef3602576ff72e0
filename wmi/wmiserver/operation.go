package wmiserver

import (
	"context"
	"sync"

	"github.com/casementhq/casement/cim"
)

// operation is what a method of IWbemServices does, in whichever way its results are delivered.
type operation struct {
	subject
	run func(ctx context.Context, session cim.Session) (outcome, error)
}

// outcome is what an operation gives: many objects, one, or none; and a text or a namespace beside.
type outcome struct {
	enum    cim.Enumerator // the caller closes it
	object  *cim.Instance
	text    string // the path of the instance that was put
	session *connection
}

// connection is a session of one namespace, as long as an object of the client or an operation needs it.
type connection struct {
	session   cim.Session
	namespace string
	locales   []string

	mu    sync.Mutex
	users int
}

// connect opens a namespace for a caller.
func (s *Server) connect(ctx context.Context, caller cim.Caller, namespace string, locales []string, values cim.NamedArray) (*connection, error) {
	session, err := s.o.Opener.Open(ctx, caller, namespace, cim.OpenOptions{Locales: locales, Context: values})
	if err != nil {
		return nil, err
	}
	return &connection{session: session, namespace: namespace, locales: locales, users: 1}, nil
}

func (c *connection) retain() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users++
	return c
}

func (c *connection) release() {
	c.mu.Lock()
	c.users--
	last := c.users == 0
	c.mu.Unlock()
	if last {
		c.session.Close()
	}
}

// permit lets a call in that asks for results. What comes less protected than the call that began the operation must be permitted by the
// namespace anew: it may demand encryption.
func (c *connection) permit(ctx context.Context, of *call, began cim.Protection) error {
	if err := impersonated(of.caller); err != nil {
		return err
	}
	if of.caller.Protection >= began {
		return nil
	}
	return admitted(ctx, c.session, of.caller)
}

// admitted asks the namespace whether a caller may be there at all, by a read that costs nothing. Whatever else is wrong shows when
// the operation runs.
func admitted(ctx context.Context, session cim.Session, caller cim.Caller) error {
	_, err := session.With(caller).GetClass(ctx, "__SystemClass", cim.GetOptions{})
	switch cim.StatusOf(err) {
	case cim.ErrAccessDenied, cim.ErrInvalidNamespace, cim.ErrShuttingDown:
		return err
	}
	return nil
}

// impersonated refuses a caller who does not let the service act for him. A level that the transport cannot tell is taken as enough.
// See [MS-WMI] 3.1.4.
func impersonated(caller cim.Caller) error {
	if caller.Impersonation == cim.ImpersonationAnonymous || caller.Impersonation == cim.ImpersonationIdentify {
		return refuse(cim.ErrAccessDenied, "the impersonation level must be Impersonate or Delegate")
	}
	return nil
}
