package wmiserver

import (
	"context"
	"fmt"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// call is one call on an interface of an object of the service: the facts that do not come from its arguments.
type call struct {
	opnum  uint16
	in     *ndr.Decoder
	caller cim.Caller
	owner  string  // the account, as a key
	flags  uint32  // that the method accepts
	about  subject // for error objects
	server *Server
	dcom   *dcom.Call // nil in tests without one
}

// object is what a client can call.
type object interface {
	// methods are those of an interface, nil where the object does not have it.
	methods(iid security.GUID) methods
	// released is called once no client has a reference any more.
	released()
}

// methods are the methods of an interface of an object by their operation numbers.
type methods map[uint16]method

// method is one line of the table of an interface.
type method struct {
	name  string
	flags uint32 // accepted; any other bit is WBEM_E_INVALID_PARAMETER
	serve func(ctx context.Context, o object, c *call) (ndr.Marshaler, error)
}

// request is what a method of iwbem has as its arguments.
type request[R any] interface {
	*R
	ndr.Unmarshaler
}

// on makes a line of a table: f serves a method of objects of type O with arguments of type R.
func on[O object, R any, P request[R]](name string, flags uint32, f func(O, context.Context, *call, P) ndr.Marshaler) method {
	return method{name, flags, func(ctx context.Context, o object, c *call) (ndr.Marshaler, error) {
		arguments := P(new(R))
		arguments.UnmarshalNDR(c.in)
		if err := c.in.Err(); err != nil {
			return nil, err
		}
		return f(o.(O), ctx, c, arguments), nil
	}}
}

// noMethod is a request for an operation number that an interface does not have: a fault, RPC_S_PROCNUM_OUT_OF_RANGE.
type noMethod struct{ opnum uint16 }

func (e *noMethod) Error() string { return fmt.Sprintf("the interface has no method %d", e.opnum) }

// serve runs one call.
func (m methods) serve(ctx context.Context, o object, c *call) (ndr.Marshaler, error) {
	line, ok := m[c.opnum]
	if !ok {
		return nil, &noMethod{c.opnum}
	}
	c.flags, c.about = line.flags, subject{operation: strings.TrimSuffix(line.name, "Async")}
	return line.serve(ctx, o, c)
}

// accept refuses flags that the method does not have. See [MS-WMI] 3.1.4.3.
func (c *call) accept(flags uint32) error {
	if more := flags &^ c.flags; more != 0 {
		return refuse(cim.ErrInvalidParameter, fmt.Sprintf("%s does not accept the flags %#x", c.about.operation, more))
	}
	return nil
}

// enter begins a call that works on a namespace: the caller must let the service act for him, and there must be room. It waits
// while the service is paused. leave ends what was counted.
func (c *call) enter(ctx context.Context) (leave func(), err error) {
	if err := impersonated(c.caller); err != nil {
		return nil, err
	}
	switch {
	case c.server.base.Err() != nil:
		return nil, errClosed
	case c.server.restoring.Load():
		return nil, errStopping
	}
	if leave, err = c.server.ledger.request(c.owner); err != nil {
		return nil, err
	}
	if err := c.server.paused.wait(ctx); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// values reads the context of a call, nil for none.
func (c *call) values(context iwbem.Context) (cim.NamedArray, error) {
	if context == nil {
		return nil, nil
	}
	values, err := context.Values()
	if err != nil {
		return nil, err
	}
	if values == nil {
		values = cim.NamedArray{}
	}
	return values, nil
}

// decode reads an object that the client sent, nil for none.
func (c *call) decode(unit iwbem.ClassObject) (*cim.Instance, error) {
	if unit == nil {
		return nil, nil
	}
	i, _, err := c.server.codec.Decode(unit)
	return i, err
}

// encode writes an object for the client, nil for none.
func (c *call) encode(i *cim.Instance) (iwbem.ClassObject, error) {
	if i == nil {
		return nil, nil
	}
	return c.server.codec.AppendUnit(nil, i)
}

// answer is a response; where err is a failure, with the error object beside it. See spec/wmi.md 4.6.
func (c *call) answer(response ndr.Marshaler, err error) ndr.Marshaler {
	i := errorObject(err, c.about)
	if i == nil {
		return response
	}
	unit, err := c.server.codec.AppendUnit(nil, i)
	if err != nil {
		return response
	}
	return &withErrorInfo{response, errorInfo(unit)}
}

// withErrorInfo is a response that has an error object, which travels as an extension of ORPCTHAT.
type withErrorInfo struct {
	ndr.Marshaler
	info []byte
}

// ErrorInfo gives the OBJREF of the error object.
func (r *withErrorInfo) ErrorInfo() []byte { return r.info }

// status answers a method that gives back nothing but its result.
func (c *call) status(err error) ndr.Marshaler {
	return c.answer(&iwbem.StatusResponse{Result: result(err)}, err)
}
