package wmiserver

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// clientSink is a sink at a client, called in one of the manners that callback.go permits. It is reached for at the first call.
type clientSink struct {
	server *Server
	ref    *dcom.ObjRef
	hosts  []string       // that it may be at
	least  cim.Protection // that it must be called with

	proxy proxy
}

// proxy is an interface of an object at a client.
type proxy interface {
	call(ctx context.Context, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error
	// release gives the references back and ends the connection.
	release(ctx context.Context)
	// abandon ends the connection alone: the references are for another attempt.
	abandon()
}

// do makes a call, and before the first one finds out how the sink can be called at all.
func (s *clientSink) do(ctx context.Context, opnum uint16, in ndr.Marshaler) (uint32, error) {
	var out iwbem.StatusResponse
	if s.proxy != nil {
		if err := s.proxy.call(ctx, opnum, in, &out); err != nil {
			return 0, dead(err)
		}
		return out.Result, nil
	}
	err := error(&deadSink{stagePolicy, errNoIdentity})
	for _, m := range s.server.o.Callbacks.manners(s.least) {
		for _, host := range s.hosts {
			var p proxy
			if p, err = s.server.dial(ctx, s.ref, host, m); err != nil {
				continue
			}
			if err = p.call(ctx, opnum, in, &out); err == nil {
				s.proxy = p
				return out.Result, nil
			}
			p.abandon()
		}
	}
	return 0, dead(err)
}

// dead is the failure of a call, with the stage at which it failed.
func dead(err error) error {
	var known *deadSink
	if errors.As(err, &known) {
		return err
	}
	return &deadSink{stageCall, err}
}

// indicate gives objects, each with its class. A sink that answers WBEM_S_NEW_STYLE takes packets too ([MS-WMI] 2.2.14), but must take
// this form as well ([MS-WMI] 3.1.4.2.1); and how a packet stands in the stub of Indicate, the documents do not tell.
func (s *clientSink) indicate(ctx context.Context, objects []*cim.Instance) error {
	in := &iwbem.IndicateRequest{}
	for _, i := range objects {
		unit, err := s.server.codec.AppendUnit(nil, i)
		if err != nil {
			return err
		}
		in.Objects = append(in.Objects, unit)
	}
	result, err := s.do(ctx, iwbem.OpIndicate, in)
	if err == nil && failed(result) {
		err = &deadSink{stageRefused, cim.Status(result)}
	}
	return err
}

func (s *clientSink) setStatus(ctx context.Context, status uint32, text string, info *cim.Instance) error {
	in := &iwbem.SetStatusRequest{Flags: wmi.StatusComplete, Status: status, Text: iwbem.String{Text: text, Null: text == ""}}
	if info != nil {
		unit, err := s.server.codec.AppendUnit(nil, info)
		if err == nil {
			in.Object = unit
		}
	}
	_, err := s.do(ctx, iwbem.OpSetStatus, in)
	return err
}

func (s *clientSink) release(ctx context.Context) {
	if s.proxy != nil {
		s.proxy.release(ctx)
		s.proxy = nil
	}
}
