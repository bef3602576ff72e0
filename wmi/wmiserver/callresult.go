package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// callResult is IWbemCallResult. See [MS-WMI] 3.1.4.5.
type callResult struct {
	pending    *pending
	connection *connection
	protection cim.Protection // of the call that began the operation
}

var callResultMethods = methods{
	iwbem.OpGetResultObject:   on("GetResultObject", 0, (*callResult).getResultObject),
	iwbem.OpGetResultString:   on("GetResultString", 0, (*callResult).getResultString),
	iwbem.OpGetResultServices: on("GetResultServices", 0, (*callResult).getResultServices),
	iwbem.OpGetCallStatus:     on("GetCallStatus", 0, (*callResult).getCallStatus),
}

func (r *callResult) methods(iid security.GUID) methods {
	if iid == wmi.IIDCallResult {
		return callResultMethods
	}
	return nil
}

func (r *callResult) released() {
	r.pending.release()
	r.connection.release()
}

func (r *callResult) getResultObject(ctx context.Context, c *call, q *iwbem.GetResultObjectRequest) ndr.Marshaler {
	if err := r.connection.permit(ctx, c, r.protection); err != nil {
		return r.answer(c, &iwbem.GetResultObjectResponse{Result: result(err)}, err)
	}
	i, code, err := r.pending.object(ctx, uint32(q.Timeout))
	out := &iwbem.GetResultObjectResponse{Result: code}
	if err == nil && code == resultOK {
		if out.Object, err = c.encode(i); err != nil {
			out.Result = result(err)
		}
	}
	return r.answer(c, out, err)
}

func (r *callResult) getResultString(ctx context.Context, c *call, q *iwbem.GetResultStringRequest) ndr.Marshaler {
	if err := r.connection.permit(ctx, c, r.protection); err != nil {
		return r.answer(c, &iwbem.GetResultStringResponse{Text: iwbem.String{Null: true}, Result: result(err)}, err)
	}
	text, code, err := r.pending.text(ctx, uint32(q.Timeout))
	return r.answer(c, &iwbem.GetResultStringResponse{Text: iwbem.String{Text: text, Null: text == ""}, Result: code}, err)
}

func (r *callResult) getResultServices(ctx context.Context, c *call, q *iwbem.GetResultServicesRequest) ndr.Marshaler {
	if err := r.connection.permit(ctx, c, r.protection); err != nil {
		return r.answer(c, &iwbem.GetResultServicesResponse{Result: result(err)}, err)
	}
	connection, code, err := r.pending.session(ctx, uint32(q.Timeout))
	out := &iwbem.GetResultServicesResponse{Result: code}
	if connection != nil {
		if out.Ref, err = c.server.export(c, newServices(c.server, connection), wmi.IIDServices); err != nil {
			out.Result = result(err)
		}
	}
	return r.answer(c, out, err)
}

func (r *callResult) getCallStatus(ctx context.Context, c *call, q *iwbem.GetCallStatusRequest) ndr.Marshaler {
	if err := r.connection.permit(ctx, c, r.protection); err != nil {
		return r.answer(c, &iwbem.GetCallStatusResponse{Result: result(err)}, err)
	}
	status, code := r.pending.status(ctx, uint32(q.Timeout))
	return r.answer(c, &iwbem.GetCallStatusResponse{Status: status, Result: code}, nil)
}

// answer gives error objects the name of the operation, as if it had been synchronous.
func (r *callResult) answer(c *call, out ndr.Marshaler, err error) ndr.Marshaler {
	c.about = r.pending.subject
	return c.answer(out, err)
}
