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

// clientSink is a sink at a client, called in one of the ways that callback.go permits.
type clientSink struct {
	server *Server
	ref    *dcom.ObjRef
	ways   []way // that are left to try
	proxy  proxy
	proven bool // a call got through
	failed error
}

// way is a manner to call a sink in, and a host that it may be at.
type way struct {
	manner manner
	host   string
}

// proxy is an interface of an object at a client.
type proxy interface {
	call(ctx context.Context, opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error
	// release gives the references back and ends the connection.
	release(ctx context.Context)
	// abandon ends the connection alone: the references are for another attempt.
	abandon()
}

// reach finds out where the sink is, unless that is known. From then on the client's resolver is pinged for it.
func (s *clientSink) reach(ctx context.Context) error {
	for s.proxy == nil {
		if len(s.ways) == 0 {
			return dead(s.failed)
		}
		p, err := s.server.dial(ctx, s.ref, s.ways[0].host, s.ways[0].manner)
		if err != nil && ctx.Err() != nil {
			return ctx.Err() // it was not the way that failed
		}
		s.ways = s.ways[1:]
		if s.failed = err; err == nil {
			s.proxy = p
		}
	}
	return nil
}

// do makes a call. The first one also finds out which way the sink is called at all.
func (s *clientSink) do(ctx context.Context, opnum uint16, in ndr.Marshaler) (uint32, error) {
	for {
		if err := s.reach(ctx); err != nil {
			return 0, err
		}
		var out iwbem.StatusResponse
		err := s.proxy.call(ctx, opnum, in, &out)
		if err == nil {
			s.proven = true
			return out.Result, nil
		}
		if s.proven || ctx.Err() != nil {
			return 0, dead(err)
		}
		s.proxy.abandon()
		s.proxy, s.failed = nil, err
	}
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
