package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// enumerator is IEnumWbemClassObject, and IWbemFetchSmartEnum beside it. See [MS-WMI] 3.1.4.4.
type enumerator struct {
	server     *Server
	cursor     *cursor
	connection *connection
	protection cim.Protection // of the call that began the operation
	subject    subject        // of the operation, for error objects
	leave      func()
}

var enumeratorMethods = methods{
	iwbem.OpReset:     on("Reset", 0, (*enumerator).reset),
	iwbem.OpNext:      on("Next", 0, (*enumerator).next),
	iwbem.OpNextAsync: on("NextAsync", 0, (*enumerator).nextAsync),
	iwbem.OpClone:     on("Clone", 0, (*enumerator).clone),
	iwbem.OpSkip:      on("Skip", 0, (*enumerator).skip),
}

var fetchMethods = methods{iwbem.OpGetSmartEnum: on("GetSmartEnum", 0, (*enumerator).getSmartEnum)}

func (e *enumerator) methods(iid security.GUID) methods {
	switch iid {
	case wmi.IIDEnumClassObject:
		return enumeratorMethods
	case wmi.IIDFetchSmartEnum:
		return fetchMethods
	}
	return nil
}

// released ends the operation, if this was its last enumerator.
func (e *enumerator) released() {
	e.cursor.set.release()
	e.connection.release()
	e.leave()
}

// permit lets a call on the enumerator in.
func (e *enumerator) permit(ctx context.Context, c *call) error {
	return e.connection.permit(ctx, c, e.protection)
}

func (e *enumerator) reset(ctx context.Context, c *call, _ *iwbem.ResetRequest) ndr.Marshaler {
	err := e.permit(ctx, c)
	if err == nil {
		err = e.cursor.reset(ctx)
	}
	return c.status(err)
}

func (e *enumerator) next(ctx context.Context, c *call, r *iwbem.NextRequest) ndr.Marshaler {
	out := &iwbem.NextResponse{Size: r.Count}
	if err := e.permit(ctx, c); err != nil {
		out.Result = result(err)
		return c.answer(out, err)
	}
	octets := 0
	_, code, err := e.cursor.next(ctx, uint32(r.Timeout), count(r.Count), func(i *cim.Instance) error {
		if octets >= e.server.o.Limits.ResponseBytes || len(out.Objects) >= maxObjects {
			return errFull
		}
		unit, err := c.encode(i)
		if err != nil {
			return err
		}
		octets += len(unit)
		out.Objects = append(out.Objects, unit)
		return nil
	})
	out.Result = code
	c.about = e.subject
	return c.answer(out, err)
}

// maxObjects is how many objects one answer may hold. See docs/dcom.md, Limits.
const maxObjects = 65536

// nextAsync gives objects into a sink. See [MS-WMI] 3.1.4.4.3.
func (e *enumerator) nextAsync(ctx context.Context, c *call, r *iwbem.NextAsyncRequest) ndr.Marshaler {
	if err := e.permit(ctx, c); err != nil {
		return c.status(err)
	}
	if r.Count == 0 {
		return &iwbem.NextAsyncResponse{Result: resultFalse}
	}
	return c.status(e.begin(ctx, c, r))
}

func (e *enumerator) begin(ctx context.Context, c *call, r *iwbem.NextAsyncRequest) error {
	leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	target, key, err := e.server.sink(ctx, c, e.connection, r.Sink)
	if err != nil {
		leave()
		return err
	}
	e.cursor.set.retain()
	a := &asyncCall{key: key, sink: target, log: e.server.log, subject: e.subject}
	return e.server.begin(a, func(ctx context.Context) (uint32, string, error) {
		return a.next(ctx, e.cursor, count(r.Count))
	}, func() {
		e.cursor.set.release()
		leave()
	})
}

func (e *enumerator) clone(ctx context.Context, c *call, _ *iwbem.CloneRequest) ndr.Marshaler {
	ref, err := func() (*dcom.ObjRef, error) {
		if err := e.permit(ctx, c); err != nil {
			return nil, err
		}
		leave, err := c.enter(ctx)
		if err != nil {
			return nil, err
		}
		other, err := e.cursor.clone(ctx)
		if err != nil {
			leave()
			return nil, err
		}
		twin := &enumerator{server: e.server, cursor: other, connection: e.connection.retain(), protection: e.protection, subject: e.subject, leave: leave}
		return e.server.export(c, twin, wmi.IIDEnumClassObject)
	}()
	return c.answer(&iwbem.CloneResponse{Ref: ref, Result: result(err)}, err)
}

func (e *enumerator) skip(ctx context.Context, c *call, r *iwbem.SkipRequest) ndr.Marshaler {
	if err := e.permit(ctx, c); err != nil {
		return c.status(err)
	}
	code, err := e.cursor.skip(ctx, uint32(r.Timeout), r.Count)
	return c.answer(&iwbem.SkipResponse{Result: code}, err)
}

func (e *enumerator) getSmartEnum(ctx context.Context, c *call, _ *iwbem.GetSmartEnumRequest) ndr.Marshaler {
	ref, err := func() (*dcom.ObjRef, error) {
		if err := e.permit(ctx, c); err != nil {
			return nil, err
		}
		leave, err := c.enter(ctx)
		if err != nil {
			return nil, err
		}
		e.cursor.set.retain()
		smart := &smartEnum{enumerator: enumerator{
			server: e.server, cursor: e.cursor, connection: e.connection.retain(), protection: e.protection, subject: e.subject, leave: leave,
		}}
		return e.server.export(c, smart, wmi.IIDWCOSmartEnum)
	}()
	return c.answer(&iwbem.GetSmartEnumResponse{Ref: ref, Result: result(err)}, err)
}
