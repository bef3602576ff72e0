package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// openNamespace opens a namespace below that of a connection. See [MS-WMI] 3.1.4.3.1.
func (s *Server) openNamespace(from *connection, caller cim.Caller, path string, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{"OpenNamespace", path}}
	if values != nil {
		return op, refuse(cim.ErrInvalidParameter, "OpenNamespace takes no context")
	}
	name, err := childOf(from.namespace, path)
	if err != nil {
		return op, err
	}
	op.run = func(ctx context.Context, _ cim.Session) (outcome, error) {
		c, err := s.connect(ctx, caller, name, from.locales, nil)
		return outcome{session: c}, err
	}
	return op, nil
}
