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

// services is IWbemServices: a namespace, as a client holds it. See [MS-WMI] 3.1.4.3.
type services struct {
	server     *Server
	connection *connection
}

// newServices takes over one use of the connection.
func newServices(s *Server, c *connection) *services { return &services{server: s, connection: c} }

// The flags that the methods of one kind have in common.
const (
	flagsOfEnums = wmi.FlagUseAmendedQualifiers | wmi.FlagReturnImmediately | wmi.FlagForwardOnly | wmi.FlagEnsureLocatable
	flagsOfPuts  = wmi.FlagUseAmendedQualifiers | wmi.FlagUpdateOnly | wmi.FlagCreateOnly
)

// servicesMethods is the table of IWbemServices. The flags are those of [MS-WMI] 3.1.4.3.1 to 3.1.4.3.23; WBEM_FLAG_ENSURE_LOCATABLE
// is beside them, as others document it: it matters to queries alone, for other objects have their keys.
var servicesMethods = methods{
	iwbem.OpOpenNamespace:              on("OpenNamespace", wmi.FlagReturnImmediately, (*services).openNamespace),
	iwbem.OpCancelAsyncCall:            on("CancelAsyncCall", 0, (*services).cancelAsyncCall),
	iwbem.OpQueryObjectSink:            on("QueryObjectSink", 0, (*services).queryObjectSink),
	iwbem.OpGetObject:                  on("GetObject", wmi.FlagUseAmendedQualifiers|wmi.FlagReturnImmediately|wmi.FlagDirectRead, (*services).getObject),
	iwbem.OpGetObjectAsync:             on("GetObjectAsync", wmi.FlagUseAmendedQualifiers|wmi.FlagSendStatus|wmi.FlagDirectRead, (*services).getObjectAsync),
	iwbem.OpPutClass:                   on("PutClass", flagsOfPuts|wmi.FlagReturnImmediately|wmi.FlagSafeMode|wmi.FlagForceMode, (*services).putClass),
	iwbem.OpPutClassAsync:              on("PutClassAsync", flagsOfPuts|wmi.FlagSendStatus|wmi.FlagSafeMode|wmi.FlagForceMode, (*services).putClassAsync),
	iwbem.OpDeleteClass:                on("DeleteClass", wmi.FlagReturnImmediately, (*services).deleteClass),
	iwbem.OpDeleteClassAsync:           on("DeleteClassAsync", wmi.FlagSendStatus, (*services).deleteClassAsync),
	iwbem.OpCreateClassEnum:            on("CreateClassEnum", flagsOfEnums|wmi.FlagShallow, (*services).createClassEnum),
	iwbem.OpCreateClassEnumAsync:       on("CreateClassEnumAsync", wmi.FlagUseAmendedQualifiers|wmi.FlagSendStatus|wmi.FlagShallow|wmi.FlagEnsureLocatable, (*services).createClassEnumAsync),
	iwbem.OpPutInstance:                on("PutInstance", flagsOfPuts|wmi.FlagReturnImmediately, (*services).putInstance),
	iwbem.OpPutInstanceAsync:           on("PutInstanceAsync", flagsOfPuts|wmi.FlagSendStatus, (*services).putInstanceAsync),
	iwbem.OpDeleteInstance:             on("DeleteInstance", wmi.FlagReturnImmediately, (*services).deleteInstance),
	iwbem.OpDeleteInstanceAsync:        on("DeleteInstanceAsync", wmi.FlagSendStatus, (*services).deleteInstanceAsync),
	iwbem.OpCreateInstanceEnum:         on("CreateInstanceEnum", flagsOfEnums|wmi.FlagShallow|wmi.FlagDirectRead, (*services).createInstanceEnum),
	iwbem.OpCreateInstanceEnumAsync:    on("CreateInstanceEnumAsync", wmi.FlagUseAmendedQualifiers|wmi.FlagSendStatus|wmi.FlagShallow|wmi.FlagDirectRead|wmi.FlagEnsureLocatable, (*services).createInstanceEnumAsync),
	iwbem.OpExecQuery:                  on("ExecQuery", flagsOfEnums|wmi.FlagPrototype|wmi.FlagDirectRead, (*services).execQuery),
	iwbem.OpExecQueryAsync:             on("ExecQueryAsync", wmi.FlagUseAmendedQualifiers|wmi.FlagSendStatus|wmi.FlagPrototype|wmi.FlagDirectRead|wmi.FlagEnsureLocatable, (*services).execQueryAsync),
	iwbem.OpExecNotificationQuery:      on("ExecNotificationQuery", wmi.FlagUseAmendedQualifiers|wmi.FlagReturnImmediately|wmi.FlagForwardOnly, (*services).execNotificationQuery),
	iwbem.OpExecNotificationQueryAsync: on("ExecNotificationQueryAsync", wmi.FlagUseAmendedQualifiers|wmi.FlagSendStatus, (*services).execNotificationQueryAsync),
	iwbem.OpExecMethod:                 on("ExecMethod", wmi.FlagReturnImmediately, (*services).execMethod),
	iwbem.OpExecMethodAsync:            on("ExecMethodAsync", wmi.FlagSendStatus, (*services).execMethodAsync),
}

func (s *services) methods(iid security.GUID) methods {
	switch iid {
	case wmi.IIDServices:
		return servicesMethods
	case wmi.IIDRefreshingServices:
		return refreshingMethods
	}
	return nil
}

func (s *services) released() { s.connection.release() }

// prepared is an operation whose arguments were read: what there is to run, or why it cannot be.
type prepared struct {
	operation
	err error
}

// prepare reads what all methods have, and then the arguments of one.
func (c *call) prepare(flags uint32, context iwbem.Context, make func(cim.NamedArray) (operation, error)) (p prepared) {
	if p.err = c.accept(flags); p.err != nil {
		return p
	}
	values, err := c.values(context)
	if err != nil {
		return prepared{err: err}
	}
	p.operation, p.err = make(values)
	if p.subject.operation != "" {
		c.about = p.subject
	}
	return p
}

func (s *services) getObject(ctx context.Context, c *call, r *iwbem.GetObjectRequest) ndr.Marshaler {
	out := &iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: r.Object.Given}, CallResult: iwbem.RefSlot{Given: r.CallResult.Given}}
	got, err := s.single(ctx, c, c.prepareGet(r.Path.Text, r.Flags, r.Context), r.Flags, &out.CallResult, onlyWithFlag)
	if err == nil && r.Object.Given {
		out.Object.Object, err = c.encode(got.object)
	}
	out.Result = result(err)
	return c.answer(out, err)
}

func (s *services) getObjectAsync(ctx context.Context, c *call, r *iwbem.GetObjectAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.prepareGet(r.Path.Text, r.Flags, r.Context), r.Sink)
}

func (c *call) prepareGet(path string, flags uint32, context iwbem.Context) prepared {
	return c.prepare(flags, context, func(values cim.NamedArray) (operation, error) { return get(path, flags, values) })
}

func (s *services) putClass(ctx context.Context, c *call, r *iwbem.PutClassRequest) ndr.Marshaler {
	return s.effect(ctx, c, c.preparePut(putClass, r.Object, r.Flags, r.Context), r.Flags, r.CallResult)
}

func (s *services) putClassAsync(ctx context.Context, c *call, r *iwbem.PutClassAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.preparePut(putClass, r.Object, r.Flags, r.Context), r.Sink)
}

func (s *services) putInstance(ctx context.Context, c *call, r *iwbem.PutInstanceRequest) ndr.Marshaler {
	return s.effect(ctx, c, c.preparePut(put, r.Object, r.Flags, r.Context), r.Flags, r.CallResult)
}

func (s *services) putInstanceAsync(ctx context.Context, c *call, r *iwbem.PutInstanceAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.preparePut(put, r.Object, r.Flags, r.Context), r.Sink)
}

func (c *call) preparePut(make func(*cim.Instance, uint32, cim.NamedArray) (operation, error), unit iwbem.ClassObject, flags uint32, context iwbem.Context) prepared {
	return c.prepare(flags, context, func(values cim.NamedArray) (operation, error) {
		i, err := c.decode(unit)
		if err != nil {
			return operation{}, err
		}
		return make(i, flags, values)
	})
}

func (s *services) deleteClass(ctx context.Context, c *call, r *iwbem.DeleteClassRequest) ndr.Marshaler {
	return s.effect(ctx, c, c.prepareDelete(deleteClass, r.Path.Text, r.Flags, r.Context), r.Flags, r.CallResult)
}

func (s *services) deleteClassAsync(ctx context.Context, c *call, r *iwbem.DeleteClassAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.prepareDelete(deleteClass, r.Path.Text, r.Flags, r.Context), r.Sink)
}

func (s *services) deleteInstance(ctx context.Context, c *call, r *iwbem.DeleteInstanceRequest) ndr.Marshaler {
	return s.effect(ctx, c, c.prepareDelete(deleteInstance, r.Path.Text, r.Flags, r.Context), r.Flags, r.CallResult)
}

func (s *services) deleteInstanceAsync(ctx context.Context, c *call, r *iwbem.DeleteInstanceAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.prepareDelete(deleteInstance, r.Path.Text, r.Flags, r.Context), r.Sink)
}

func (c *call) prepareDelete(make func(string, cim.NamedArray) (operation, error), path string, flags uint32, context iwbem.Context) prepared {
	return c.prepare(flags, context, func(values cim.NamedArray) (operation, error) { return make(path, values) })
}

func (s *services) createClassEnum(ctx context.Context, c *call, r *iwbem.CreateClassEnumRequest) ndr.Marshaler {
	return s.many(ctx, c, c.prepareClasses(r.Path.Text, r.Flags, r.Context), r.Flags)
}

func (s *services) createClassEnumAsync(ctx context.Context, c *call, r *iwbem.CreateClassEnumAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.prepareClasses(r.Path.Text, r.Flags, r.Context), r.Sink)
}

func (c *call) prepareClasses(superclass string, flags uint32, context iwbem.Context) prepared {
	return c.prepare(flags, context, func(cim.NamedArray) (operation, error) { return enumerateClasses(superclass, flags) })
}

func (s *services) createInstanceEnum(ctx context.Context, c *call, r *iwbem.CreateInstanceEnumRequest) ndr.Marshaler {
	return s.many(ctx, c, c.prepareInstances(r.Path.Text, r.Flags, r.Context), r.Flags)
}

func (s *services) createInstanceEnumAsync(ctx context.Context, c *call, r *iwbem.CreateInstanceEnumAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.prepareInstances(r.Path.Text, r.Flags, r.Context), r.Sink)
}

func (c *call) prepareInstances(class string, flags uint32, context iwbem.Context) prepared {
	return c.prepare(flags, context, func(values cim.NamedArray) (operation, error) { return enumerate(class, flags, values) })
}

func (s *services) execQuery(ctx context.Context, c *call, r *iwbem.ExecQueryRequest) ndr.Marshaler {
	return s.many(ctx, c, c.prepareQuery(r.Language.Text, r.Query.Text, r.Flags, r.Context), r.Flags)
}

func (s *services) execQueryAsync(ctx context.Context, c *call, r *iwbem.ExecQueryAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.prepareQuery(r.Language.Text, r.Query.Text, r.Flags, r.Context), r.Sink)
}

func (c *call) prepareQuery(language, text string, flags uint32, context iwbem.Context) prepared {
	return c.prepare(flags, context, func(values cim.NamedArray) (operation, error) { return query(language, text, flags, values) })
}

func (s *services) execNotificationQuery(ctx context.Context, c *call, r *iwbem.ExecNotificationQueryRequest) ndr.Marshaler {
	p := c.prepareEvents(r.Language.Text, r.Query.Text, r.Flags, r.Context)
	if both := wmi.FlagReturnImmediately | wmi.FlagForwardOnly; p.err == nil && r.Flags&both != both {
		p.err = refuse(cim.ErrInvalidParameter, "events come semisynchronously and forward only: both flags must be set")
	}
	return s.many(ctx, c, p, r.Flags)
}

func (s *services) execNotificationQueryAsync(ctx context.Context, c *call, r *iwbem.ExecNotificationQueryAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.prepareEvents(r.Language.Text, r.Query.Text, r.Flags, r.Context), r.Sink)
}

func (c *call) prepareEvents(language, text string, flags uint32, context iwbem.Context) prepared {
	return c.prepare(flags, context, func(values cim.NamedArray) (operation, error) { return subscribe(language, text, flags, values) })
}

func (s *services) execMethod(ctx context.Context, c *call, r *iwbem.ExecMethodRequest) ndr.Marshaler {
	out := &iwbem.ExecMethodResponse{Object: iwbem.ObjectSlot{Given: r.OutParams.Given}, CallResult: iwbem.RefSlot{Given: r.CallResult.Given}}
	p := c.prepareMethod(r.Path.Text, r.Method.Text, r.Flags, r.Context, r.InParams)
	if p.err == nil && r.Flags&wmi.FlagReturnImmediately == 0 && !r.OutParams.Given {
		p.err = refuse(cim.ErrInvalidParameter, "the caller gives no place for the out parameters")
	}
	got, err := s.single(ctx, c, p, r.Flags, &out.CallResult, alsoFinished)
	if err == nil && r.OutParams.Given {
		out.Object.Object, err = c.encode(got.object)
	}
	out.Result = result(err)
	return c.answer(out, err)
}

func (s *services) execMethodAsync(ctx context.Context, c *call, r *iwbem.ExecMethodAsyncRequest) ndr.Marshaler {
	return s.async(ctx, c, c.prepareMethod(r.Path.Text, r.Method.Text, r.Flags, r.Context, r.InParams), r.Sink)
}

func (c *call) prepareMethod(path, method string, flags uint32, context iwbem.Context, unit iwbem.ClassObject) prepared {
	return c.prepare(flags, context, func(values cim.NamedArray) (operation, error) {
		in, err := c.decode(unit)
		if err != nil {
			return operation{}, err
		}
		return c.server.invoke(path, method, in, values)
	})
}

func (s *services) openNamespace(ctx context.Context, c *call, r *iwbem.OpenNamespaceRequest) ndr.Marshaler {
	out := &iwbem.OpenNamespaceResponse{Services: iwbem.RefSlot{Given: r.Services.Given}, CallResult: iwbem.RefSlot{Given: r.CallResult.Given}}
	p := c.prepare(r.Flags, r.Context, func(values cim.NamedArray) (operation, error) {
		return s.server.openNamespace(s.connection, c.caller, r.Namespace.Text, values)
	})
	if p.err == nil && r.Flags&wmi.FlagReturnImmediately == 0 && !r.Services.Given {
		p.err = refuse(cim.ErrInvalidParameter, "the caller gives no place for the namespace")
	}
	got, err := s.single(ctx, c, p, r.Flags, &out.CallResult, onlyWithFlag)
	if err == nil && got.session != nil {
		out.Services.Ref, err = s.server.export(c, newServices(s.server, got.session), wmi.IIDServices)
	}
	out.Result = result(err)
	return c.answer(out, err)
}

// queryObjectSink gives the sink into which a client pushes events. See [MS-WMI] 3.1.4.3.3.
func (s *services) queryObjectSink(ctx context.Context, c *call, r *iwbem.QueryObjectSinkRequest) ndr.Marshaler {
	ref, err := func() (*dcom.ObjRef, error) {
		leave, err := c.enter(ctx)
		if err != nil {
			return nil, err
		}
		defer leave()
		if err := c.accept(r.Flags); err != nil {
			return nil, err
		}
		if err := admitted(ctx, s.connection.session, c.caller); err != nil {
			return nil, err
		}
		return s.server.export(c, &eventSink{s.connection.retain()}, wmi.IIDObjectSink)
	}()
	return c.answer(&iwbem.QueryObjectSinkResponse{Ref: ref, Result: result(err)}, err)
}
