package dcom

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Activation is a wish for an object of a class.
type Activation struct {
	CLSID security.GUID
	// ClassName is Class.Name, for people.
	ClassName string
	// ClassObject says that the class object is wanted, with which objects can then be made.
	ClassObject bool
	// Call is the call that asks: who, from where, at which level.
	Call *dcerpc.Call
}

// Class is a class whose objects can be activated.
type Class struct {
	// Name is for people: "Windows Management Instrumentation".
	Name string
	// Exporter is where the objects live.
	Exporter *Exporter
	// New makes an object for who asks. An *Error is what the client gets; anything else is E_FAIL, with nothing of the inside.
	New func(ctx context.Context, a Activation) (Object, error)
}

// ActivatorOptions configure an Activator.
type ActivatorOptions struct {
	// Permit is asked for each activation, after the level: may this caller launch and activate? An error is E_ACCESSDENIED. Nil permits everybody.
	Permit func(ctx context.Context, a Activation) error
	// Level gives the least protection of an activation, and is asked for each; nil is LevelIntegrity ([MS-DCOM] <81>).
	Level func() dcerpc.Level
	// Refused is told of each activation below the level: Windows logs event 10036 with user, address and class of it. Nil logs it to Log.
	Refused func(ctx context.Context, a Activation)
	// Log takes what is refused and what fails; nil discards it.
	Log *slog.Logger
}

// Activator makes objects of classes for clients: IRemoteSCMActivator and IActivation ([MS-DCOM] 3.1.2.5.2).
type Activator struct {
	opts ActivatorOptions

	mu      sync.Mutex
	classes map[security.GUID]Class
}

// NewActivator makes an activator without classes.
func NewActivator(opts ActivatorOptions) *Activator {
	if opts.Level == nil {
		opts.Level = func() dcerpc.Level { return dcerpc.LevelIntegrity }
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Activator{opts: opts, classes: map[security.GUID]Class{}}
}

// Register makes a class known, in place of what it was before.
func (a *Activator) Register(clsid security.GUID, c Class) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.classes[clsid] = c
}

// Interfaces are IRemoteSCMActivator and IActivation, for the dcerpc.Server at the resolver's endpoint. They take calls at any level, so that who
// asks at too low a one is told E_ACCESSDENIED.
func (a *Activator) Interfaces() []*dcerpc.Interface {
	return []*dcerpc.Interface{
		{ID: dcerpc.SyntaxID{UUID: IIDRemoteSCMActivator}, Name: "IRemoteSCMActivator", MinLevel: dcerpc.LevelNone, PrefersNDR20: true, Serve: a.serveSCM},
		{ID: dcerpc.SyntaxID{UUID: IIDActivation}, Name: "IActivation", MinLevel: dcerpc.LevelNone, PrefersNDR20: true, Serve: a.serveActivation},
	}
}

// activated is what an activation gives.
type activated struct {
	exporter   ExporterInfo
	interfaces []InterfaceResult
}

// serveSCM answers RemoteGetClassObject and RemoteCreateInstance.
func (a *Activator) serveSCM(ctx context.Context, call *dcerpc.Call) error {
	var this ORPCThis
	var in *ObjRef
	switch call.Opnum {
	case opRemoteGetClassObject:
		var req RemoteGetClassObjectRequest
		req.UnmarshalNDR(call.In)
		this, in = req.This, req.Properties
	case opRemoteCreateInstance:
		var req RemoteCreateInstanceRequest
		req.UnmarshalNDR(call.In)
		this, in = req.This, req.Properties
	default:
		return &dcerpc.Fault{Status: dcerpc.StatusOpRange}
	}
	if err := call.In.Err(); err != nil {
		return err
	}
	out := &SCMActivatorResponse{}
	got, err := a.activateProperties(ctx, call, &this, in)
	if err != nil {
		out.Result = resultOf(err, E_INVALIDARG)
	} else {
		out.Properties = (&ActivationProperties{Context: differentMachine, Properties: []Property{
			&PropsOut{got.interfaces}, &ScmReplyInfo{got.exporter},
		}}).objRef(IIDActivationPropsOut, CLSIDActivationPropsOut)
	}
	out.MarshalNDR(call.Out)
	return nil
}

// differentMachine is MSHCTX_DIFFERENTMACHINE, what Windows writes into CustomHeader.destCtx.
const differentMachine = 2

// activateProperties reads what an activation wants out of its properties.
func (a *Activator) activateProperties(ctx context.Context, call *dcerpc.Call, this *ORPCThis, in *ObjRef) (*activated, error) {
	// Whoever may not activate learns nothing from how its properties are taken.
	if err := a.admit(ctx, call, this, in); err != nil {
		return nil, err
	}
	props, err := activationProperties(in, IIDActivationPropsIn, CLSIDActivationPropsIn)
	if err != nil {
		return nil, err
	}
	want := findProperty[*InstantiationInfo](props)
	if want == nil {
		return nil, &Error{HRESULT: E_INVALIDARG, Detail: "an activation without InstantiationInfo"}
	}
	if c := findProperty[*ActivationContextInfo](props); c != nil {
		// [MS-DCOM] 2.2.22.2.5 forbids a client context that is NULL; clients that Windows serves (impacket, go-msrpc) send one.
		for _, context := range []*ObjRef{c.Client, c.Prototype} {
			if context == nil {
				continue
			}
			if _, err := ParseContext(context); err != nil {
				return nil, err
			}
		}
	}
	wrong := Activate64BitServer
	if strconv.IntSize == 64 {
		wrong = Activate32BitServer
	}
	if want.Flags&wrong != 0 {
		return nil, &Error{HRESULT: REGDB_E_CLASSNOTREG}
	}
	return a.activate(ctx, Activation{CLSID: want.CLSID, ClassObject: call.Opnum == opRemoteGetClassObject, Call: call}, want.IIDs)
}

// admit checks version and level. Which class an unprotected request asks for is only read for the report.
func (a *Activator) admit(ctx context.Context, call *dcerpc.Call, this *ORPCThis, in *ObjRef) error {
	if !Version.accepts(this.Version) {
		return &Error{HRESULT: RPC_E_VERSION_MISMATCH}
	}
	if a.protected(call) {
		return nil
	}
	var wanted Activation
	if props, err := activationProperties(in, IIDActivationPropsIn, CLSIDActivationPropsIn); err == nil {
		if i := findProperty[*InstantiationInfo](props); i != nil {
			wanted.CLSID = i.CLSID
		}
	}
	wanted.Call = call
	a.refuse(ctx, wanted)
	return &Error{HRESULT: E_ACCESSDENIED}
}

// protected tells whether a call has the level of an activation; who is anonymous has none.
func (a *Activator) protected(call *dcerpc.Call) bool {
	if call.Security.Identity().Anonymous {
		return a.opts.Level() <= dcerpc.LevelNone
	}
	return call.Security.Level() >= a.opts.Level()
}

func (a *Activator) refuse(ctx context.Context, wanted Activation) {
	a.mu.Lock()
	wanted.ClassName = a.classes[wanted.CLSID].Name
	a.mu.Unlock()
	if a.opts.Refused != nil {
		a.opts.Refused(ctx, wanted)
		return
	}
	a.opts.Log.Warn("dcom: the authentication level is too low for an activation", "peer", wanted.Call.Peer,
		"identity", wanted.Call.Security.Identity().String(), "level", wanted.Call.Security.Level().String(), "class", wanted.CLSID.String())
}

// activate makes the object, or the class object, and exports it.
func (a *Activator) activate(ctx context.Context, want Activation, iids []security.GUID) (*activated, error) {
	a.mu.Lock()
	class, ok := a.classes[want.CLSID]
	a.mu.Unlock()
	want.ClassName = class.Name
	if err := a.permit(ctx, want); err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{HRESULT: REGDB_E_CLASSNOTREG}
	}
	x := class.Exporter
	principal, err := x.opts.Principal(ctx, want.Call)
	if err != nil {
		return nil, &Error{HRESULT: E_ACCESSDENIED, Err: err}
	}
	var object Object
	if want.ClassObject {
		object = &classObject{a, class, want.CLSID}
	} else if object, err = a.create(ctx, class, want); err != nil {
		return nil, err
	}
	opts := ExportOptions{Principal: principal, Local: want.Call.Local, Peer: want.Call.Peer}
	refs, results, err := x.export(object, opts, iids)
	if err != nil {
		object.Released()
		return nil, err
	}
	got := &activated{exporter: x.info(opts.Local, opts.Peer), interfaces: make([]InterfaceResult, len(iids))}
	some := false
	for i, iid := range iids {
		got.interfaces[i] = InterfaceResult{iid, results[i], refs[i]}
		some = some || refs[i] != nil
	}
	if !some {
		object.Released()
		return nil, &Error{HRESULT: E_NOINTERFACE}
	}
	return got, nil
}

func (a *Activator) permit(ctx context.Context, want Activation) error {
	if a.opts.Permit == nil {
		return nil
	}
	if err := a.opts.Permit(ctx, want); err != nil {
		a.opts.Log.Debug("dcom: activation refused", "peer", want.Call.Peer, "identity", want.Call.Security.Identity().String(), "class", want.CLSID.String(), "err", err)
		return &Error{HRESULT: E_ACCESSDENIED}
	}
	return nil
}

// create makes an object of a class.
func (a *Activator) create(ctx context.Context, class Class, want Activation) (Object, error) {
	o, err := class.New(ctx, want)
	var known *Error
	switch {
	case err == nil:
		return o, nil
	case errors.As(err, &known):
		return nil, known
	}
	a.opts.Log.Warn("dcom: activation failed", "class", want.CLSID.String(), "err", err)
	return nil, &Error{HRESULT: E_FAIL}
}

// classObject is the IClassFactory of a class. It keeps nothing of the call that made it.
type classObject struct {
	activator *Activator
	class     Class
	clsid     security.GUID
}

// Interface gives IClassFactory.
func (c *classObject) Interface(iid security.GUID) Handler {
	if iid != IIDClassFactory {
		return nil
	}
	return c.serve
}

// Released does nothing: a class object holds nothing.
func (c *classObject) Released() {}

func (c *classObject) serve(ctx context.Context, call *Call) (ndr.Marshaler, error) {
	switch call.Opnum {
	case opCreateInstance:
		var in CreateInstanceRequest
		if in.UnmarshalNDR(call.In); call.In.Err() != nil {
			return nil, call.In.Err()
		}
		ref, err := c.create(ctx, call, in.IID)
		if err != nil {
			return &CreateInstanceResponse{Result: resultOf(err, E_FAIL)}, nil
		}
		return &CreateInstanceResponse{Object: ref}, nil
	case opLockServer:
		return &ResultResponse{}, nil // the service does not end when its last object does
	}
	return nil, &dcerpc.Fault{Status: dcerpc.StatusOpRange}
}

func (c *classObject) create(ctx context.Context, call *Call, iid security.GUID) (*ObjRef, error) {
	want := Activation{CLSID: c.clsid, ClassName: c.class.Name, Call: call.Call}
	if err := c.activator.permit(ctx, want); err != nil {
		return nil, err
	}
	object, err := c.activator.create(ctx, c.class, want)
	if err != nil {
		return nil, err
	}
	ref, err := call.Exporter.Export(object, ExportOptions{IID: iid, Call: call})
	if err != nil {
		object.Released()
	}
	return ref, err
}

// serveActivation answers RemoteActivation, the activation of versions below 5.6.
func (a *Activator) serveActivation(ctx context.Context, call *dcerpc.Call) error {
	if call.Opnum != opRemoteActivation {
		return &dcerpc.Fault{Status: dcerpc.StatusOpRange}
	}
	var in RemoteActivationRequest
	if in.UnmarshalNDR(call.In); call.In.Err() != nil {
		return call.In.Err()
	}
	want := Activation{CLSID: in.CLSID, ClassObject: in.Mode == ModeClassObject, Call: call}
	out := &RemoteActivationResponse{Interfaces: make([]InterfaceResult, len(in.IIDs))}
	got, err := a.activateOld(ctx, want, &in)
	if err != nil {
		out.Result = resultOf(err, E_FAIL)
		out.Exporter.Version = Version
	} else {
		out.Exporter, out.Interfaces = got.exporter, got.interfaces
	}
	out.MarshalNDR(call.Out)
	return nil
}

func (a *Activator) activateOld(ctx context.Context, want Activation, in *RemoteActivationRequest) (*activated, error) {
	if !Version.accepts(in.This.Version) {
		return nil, &Error{HRESULT: RPC_E_VERSION_MISMATCH}
	}
	if !a.protected(want.Call) {
		a.refuse(ctx, want)
		return nil, &Error{HRESULT: E_ACCESSDENIED}
	}
	if len(in.IIDs) == 0 {
		return nil, &Error{HRESULT: E_INVALIDARG}
	}
	return a.activate(ctx, want, in.IIDs)
}
