package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// eventSink is the IWbemObjectSink into which a client pushes events. See [MS-WMI] 3.1.4.3.3.
type eventSink struct{ connection *connection }

var eventSinkMethods = methods{
	iwbem.OpIndicate:  on("Indicate", 0, (*eventSink).indicate),
	iwbem.OpSetStatus: on("SetStatus", 0, (*eventSink).setStatus),
}

func (s *eventSink) methods(iid security.GUID) methods {
	if iid == wmi.IIDObjectSink {
		return eventSinkMethods
	}
	return nil
}

func (s *eventSink) released() { s.connection.release() }

// indicate raises events: what a session makes of a new instance of an extrinsic event class. The rights are checked there. An object
// that is no event is refused; those before it were raised.
func (s *eventSink) indicate(ctx context.Context, c *call, r *iwbem.IndicateRequest) ndr.Marshaler {
	return c.status(func() error {
		leave, err := c.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		session := s.connection.session.With(c.caller)
		for _, unit := range r.Objects {
			event, err := c.decode(unit)
			if err != nil {
				return err
			}
			if event == nil || event.IsClass() {
				return refuse(cim.ErrInvalidParameter, "events are instances")
			}
			class, err := session.GetClass(ctx, event.Class().Name, cim.GetOptions{})
			if err != nil {
				return err
			}
			if !class.IsA("__ExtrinsicEvent") {
				return &cim.Error{Status: cim.ErrNotEventClass, Path: class.Name, Detail: "only extrinsic events can be sent"}
			}
			if _, err := session.Create(ctx, event, cim.OperationOptions{}); err != nil {
				return err
			}
		}
		return nil
	}())
}

// setStatus changes nothing here; a value that the interface does not have is refused. See [MS-WMI] 3.1.4.2.2.
func (s *eventSink) setStatus(_ context.Context, c *call, r *iwbem.SetStatusRequest) ndr.Marshaler {
	if r.Flags != wmi.StatusComplete && r.Flags != wmi.StatusProgress {
		return c.status(refuse(cim.ErrInvalidParameter, "a status is complete or progress"))
	}
	return c.status(nil)
}
