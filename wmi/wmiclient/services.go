package wmiclient

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// Services is IWbemServices of a namespace method by method, for who needs more of it than a [Session] gives. Flags are those of package wmi; with
// FlagReturnImmediately a method that gives one object returns a CallResult in its place, which the caller closes. See [MS-WMI] 3.1.4.3.
type Services struct {
	c *Client
	p *dcom.Proxy
}

// Services logs in to the session's namespace for calls of the interface itself. Close gives it back.
func (s *Session) Services(ctx context.Context) (*Services, error) {
	p, err := s.c.login(ctx, s.namespace, s.open)
	if err != nil {
		return nil, s.fail("ConnectServer", "", err)
	}
	v := &Services{s.c, p}
	if s.blanket == nil {
		return v, nil
	}
	defer v.Close() //nolint:errcheck // it has none
	return &Services{s.c, p.With(s.blanket)}, nil
}

// At is the same interface, whose calls and those on what they give are made at exactly that level. It is closed on its own.
func (v *Services) At(level wmi.AuthenticationLevel) *Services {
	return &Services{v.c, v.p.With(v.c.at(level))}
}

// Close gives the interface back to the host.
func (v *Services) Close() error {
	v.c.release(context.Background(), v.p)
	return nil
}

func (v *Services) call(ctx context.Context, method string, opnum uint16, in ndr.Marshaler, out iwbem.Response) error {
	return v.c.call(ctx, v.p, "IWbemServices::"+method, opnum, in, out)
}

// result is the call result of a semisynchronous call, nil for one that the caller did not ask for.
func (v *Services) result(ctx context.Context, slot iwbem.RefSlot) (*CallResult, error) {
	if !slot.Given {
		return nil, nil
	}
	p, err := unmarshal(ctx, v.p, slot.Ref)
	if err != nil {
		return nil, err
	}
	return &CallResult{v.c, p}, nil
}

func immediately(flags uint32) bool { return flags&wmi.FlagReturnImmediately != 0 }

// OpenNamespace opens a namespace below this one. See [MS-WMI] 3.1.4.3.1.
func (v *Services) OpenNamespace(ctx context.Context, name string, flags uint32, values cim.NamedArray) (*Services, *CallResult, error) {
	c, err := iwbem.NewContext(values)
	if err != nil {
		return nil, nil, err
	}
	in := &iwbem.OpenNamespaceRequest{
		Namespace: iwbem.String{Text: name}, Flags: flags, Context: c, Services: iwbem.RefSlot{Given: !immediately(flags)}, CallResult: iwbem.RefSlot{Given: immediately(flags)},
	}
	out := &iwbem.OpenNamespaceResponse{}
	if err := v.call(ctx, "OpenNamespace", iwbem.OpOpenNamespace, in, out); err != nil {
		return nil, nil, err
	}
	if immediately(flags) {
		r, err := v.result(ctx, out.CallResult)
		return nil, r, err
	}
	p, err := unmarshal(ctx, v.p, out.Services.Ref)
	if err != nil {
		return nil, nil, err
	}
	return &Services{v.c, p}, nil, nil
}

// GetObject reads an instance, a class, or for the path "" a class without anything. See [MS-WMI] 3.1.4.3.4.
func (v *Services) GetObject(ctx context.Context, path string, flags uint32, values cim.NamedArray) (*cim.Instance, *CallResult, error) {
	c, err := iwbem.NewContext(values)
	if err != nil {
		return nil, nil, err
	}
	in := &iwbem.GetObjectRequest{
		Path: iwbem.String{Text: path}, Flags: flags, Context: c, Object: iwbem.ObjectSlot{Given: !immediately(flags)}, CallResult: iwbem.RefSlot{Given: immediately(flags)},
	}
	out := &iwbem.GetObjectResponse{}
	if err := v.call(ctx, "GetObject", iwbem.OpGetObject, in, out); err != nil {
		return nil, nil, err
	}
	return v.object(ctx, flags, out)
}

func (v *Services) object(ctx context.Context, flags uint32, out *iwbem.ObjectResponse) (*cim.Instance, *CallResult, error) {
	if immediately(flags) {
		r, err := v.result(ctx, out.CallResult)
		return nil, r, err
	}
	if out.Object.Object == nil {
		return nil, nil, nil
	}
	i, _, err := v.c.codec.Decode(out.Object.Object)
	return i, nil, err
}

// PutClass makes or changes a class. See [MS-WMI] 3.1.4.3.6.
func (v *Services) PutClass(ctx context.Context, class *cim.Class, flags uint32, values cim.NamedArray) (*CallResult, error) {
	unit, err := v.c.codec.AppendClass(nil, class, nil, 0)
	if err != nil {
		return nil, err
	}
	return v.put(ctx, "PutClass", iwbem.OpPutClass, unit, flags, values)
}

// PutInstance makes or changes an instance; its call result tells the path. See [MS-WMI] 3.1.4.3.12.
func (v *Services) PutInstance(ctx context.Context, instance *cim.Instance, flags uint32, values cim.NamedArray) (*CallResult, error) {
	unit, err := v.c.codec.AppendUnit(nil, instance)
	if err != nil {
		return nil, err
	}
	return v.put(ctx, "PutInstance", iwbem.OpPutInstance, unit, flags, values)
}

func (v *Services) put(ctx context.Context, method string, opnum uint16, unit iwbem.ClassObject, flags uint32, values cim.NamedArray) (*CallResult, error) {
	c, err := iwbem.NewContext(values)
	if err != nil {
		return nil, err
	}
	in := &iwbem.PutRequest{Object: unit, Flags: flags, Context: c, CallResult: iwbem.RefSlot{Given: immediately(flags)}}
	out := &iwbem.CallResultResponse{}
	if err := v.call(ctx, method, opnum, in, out); err != nil {
		return nil, err
	}
	return v.result(ctx, out.CallResult)
}

// DeleteClass removes a class. See [MS-WMI] 3.1.4.3.8.
func (v *Services) DeleteClass(ctx context.Context, name string, flags uint32, values cim.NamedArray) (*CallResult, error) {
	return v.delete(ctx, "DeleteClass", iwbem.OpDeleteClass, name, flags, values)
}

// DeleteInstance removes an instance. See [MS-WMI] 3.1.4.3.14.
func (v *Services) DeleteInstance(ctx context.Context, path string, flags uint32, values cim.NamedArray) (*CallResult, error) {
	return v.delete(ctx, "DeleteInstance", iwbem.OpDeleteInstance, path, flags, values)
}

func (v *Services) delete(ctx context.Context, method string, opnum uint16, path string, flags uint32, values cim.NamedArray) (*CallResult, error) {
	c, err := iwbem.NewContext(values)
	if err != nil {
		return nil, err
	}
	in := &iwbem.DeleteRequest{Path: iwbem.String{Text: path}, Flags: flags, Context: c, CallResult: iwbem.RefSlot{Given: immediately(flags)}}
	out := &iwbem.CallResultResponse{}
	if err := v.call(ctx, method, opnum, in, out); err != nil {
		return nil, err
	}
	return v.result(ctx, out.CallResult)
}

// CreateClassEnum lists the classes below a class, or from the top for "". See [MS-WMI] 3.1.4.3.10.
func (v *Services) CreateClassEnum(ctx context.Context, superclass string, flags uint32, values cim.NamedArray) (*Enum, error) {
	return v.enum(ctx, "CreateClassEnum", iwbem.OpCreateClassEnum, values, func(c iwbem.Context) ndr.Marshaler {
		return &iwbem.CreateClassEnumRequest{Path: iwbem.String{Text: superclass}, Flags: flags, Context: c}
	})
}

// CreateInstanceEnum lists the instances of a class. See [MS-WMI] 3.1.4.3.16.
func (v *Services) CreateInstanceEnum(ctx context.Context, class string, flags uint32, values cim.NamedArray) (*Enum, error) {
	return v.enum(ctx, "CreateInstanceEnum", iwbem.OpCreateInstanceEnum, values, func(c iwbem.Context) ndr.Marshaler {
		return &iwbem.CreateInstanceEnumRequest{Path: iwbem.String{Text: class}, Flags: flags, Context: c}
	})
}

// ExecQuery runs a query. See [MS-WMI] 3.1.4.3.18.
func (v *Services) ExecQuery(ctx context.Context, language, query string, flags uint32, values cim.NamedArray) (*Enum, error) {
	return v.query(ctx, "ExecQuery", iwbem.OpExecQuery, language, query, flags, values)
}

// ExecNotificationQuery asks for events. See [MS-WMI] 3.1.4.3.20.
func (v *Services) ExecNotificationQuery(ctx context.Context, language, query string, flags uint32, values cim.NamedArray) (*Enum, error) {
	return v.query(ctx, "ExecNotificationQuery", iwbem.OpExecNotificationQuery, language, query, flags, values)
}

func (v *Services) query(ctx context.Context, method string, opnum uint16, language, query string, flags uint32, values cim.NamedArray) (*Enum, error) {
	return v.enum(ctx, method, opnum, values, func(c iwbem.Context) ndr.Marshaler {
		return &iwbem.QueryRequest{Language: iwbem.String{Text: language}, Query: iwbem.String{Text: query}, Flags: flags, Context: c}
	})
}

func (v *Services) enum(ctx context.Context, method string, opnum uint16, values cim.NamedArray, in func(iwbem.Context) ndr.Marshaler) (*Enum, error) {
	c, err := iwbem.NewContext(values)
	if err != nil {
		return nil, err
	}
	out := &iwbem.RefResponse{}
	if err := v.call(ctx, method, opnum, in(c), out); err != nil {
		return nil, err
	}
	p, err := unmarshal(ctx, v.p, out.Ref)
	if err != nil {
		return nil, err
	}
	return &Enum{c: v.c, p: p}, nil
}

// ExecMethod runs a method. in is the object of its in parameters, nil for none; the object that it gives is that of its out parameters, nil where
// it has none. See [MS-WMI] 3.1.4.3.22.
func (v *Services) ExecMethod(ctx context.Context, path, method string, in *cim.Instance, flags uint32, values cim.NamedArray) (*cim.Instance, *CallResult, error) {
	c, err := iwbem.NewContext(values)
	if err != nil {
		return nil, nil, err
	}
	var unit iwbem.ClassObject
	if in != nil {
		if unit, err = v.c.codec.AppendUnit(nil, in); err != nil {
			return nil, nil, err
		}
	}
	r := &iwbem.ExecMethodRequest{
		Path: iwbem.String{Text: path}, Method: iwbem.String{Text: method}, Flags: flags, Context: c, InParams: unit,
		OutParams: iwbem.ObjectSlot{Given: !immediately(flags)}, CallResult: iwbem.RefSlot{Given: immediately(flags)},
	}
	out := &iwbem.ExecMethodResponse{}
	if err := v.call(ctx, "ExecMethod", iwbem.OpExecMethod, r, out); err != nil {
		return nil, nil, err
	}
	return v.object(ctx, flags, out)
}
