package wmiserver

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
)

// Classes are the classes that a client activates, for [dcom.Activator.Register]: their objects live in x. See [MS-WMI] 1.9.
func (s *Server) Classes(x *dcom.Exporter) map[security.GUID]dcom.Class {
	class := func(name string, make func() object) dcom.Class {
		return dcom.Class{Name: name, Exporter: x, New: func(context.Context, dcom.Activation) (dcom.Object, error) {
			return &exportable{s, make()}, nil
		}}
	}
	return map[security.GUID]dcom.Class{
		wmi.CLSIDLevel1Login:   class("Windows Management Instrumentation", func() object { return &login{s} }),
		wmi.CLSIDBackupRestore: class("WMI backup and restore", func() object { return &backup{s} }),
	}
}

// exportable is an object of the service as package dcom has it.
type exportable struct {
	server *Server
	object object
}

// Interface gives what serves an interface of the object.
func (e *exportable) Interface(iid security.GUID) dcom.Handler {
	m := e.object.methods(iid)
	if m == nil {
		return nil
	}
	return func(ctx context.Context, dc *dcom.Call) (ndr.Marshaler, error) {
		caller, err := e.server.o.Caller(ctx, dc.Call)
		if err != nil {
			e.server.log.Warn("a call has no token", "peer", dc.Peer, "error", err)
			return nil, &dcerpc.Fault{Status: dcerpc.StatusAccessDenied}
		}
		c := &call{opnum: dc.Opnum, in: dc.In, caller: caller, owner: dc.Principal, server: e.server, dcom: dc}
		out, err := m.serve(ctx, e.object, c)
		if missing := (*noMethod)(nil); errors.As(err, &missing) {
			err = &dcerpc.Fault{Status: dcerpc.StatusOpRange}
		}
		return out, err
	}
}

// Released tells the object that nobody refers to it.
func (e *exportable) Released() { e.object.released() }

// exportAt makes an object callable where the call came in.
func exportAt(c *call, o object, iid security.GUID) (*dcom.ObjRef, error) {
	ref, err := c.dcom.Exporter.Export(&exportable{c.server, o}, dcom.ExportOptions{IID: iid, Call: c.dcom})
	if err != nil {
		return nil, &cim.Error{Status: cim.ErrQuotaViolation, Detail: "no more objects can be made for the account", Err: err}
	}
	return ref, nil
}

// referTo gives another reference to an object that is callable already.
func referTo(c *call, oid uint64, iid security.GUID) (*dcom.ObjRef, error) {
	return c.dcom.Exporter.Reference(oid, dcom.ExportOptions{IID: iid, Call: c.dcom})
}
