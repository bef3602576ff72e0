package dcom

import (
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Methods of IRemoteSCMActivator, IActivation and IClassFactory.
const (
	opRemoteActivation     = 0
	opRemoteGetClassObject = 3
	opRemoteCreateInstance = 4
	opCreateInstance       = 3
	opLockServer           = 4
)

// RemoteGetClassObjectRequest asks for the class object of a class. See [MS-DCOM] 3.1.2.5.2.3.2.
type RemoteGetClassObjectRequest struct {
	This ORPCThis
	// Properties are activation properties by value.
	Properties *ObjRef
}

// MarshalNDR writes the arguments.
func (r *RemoteGetClassObjectRequest) MarshalNDR(e *ndr.Encoder) {
	r.This.MarshalNDR(e)
	marshalUnique(e, r.Properties)
}

// UnmarshalNDR reads the arguments.
func (r *RemoteGetClassObjectRequest) UnmarshalNDR(d *ndr.Decoder) {
	r.This.UnmarshalNDR(d)
	r.Properties = unmarshalObjRef(d, d.Pointer())
}

func marshalUnique(e *ndr.Encoder, r *ObjRef) {
	if e.Pointer(r != nil) {
		r.MarshalNDR(e)
	}
}

// RemoteCreateInstanceRequest asks for a new object. See [MS-DCOM] 3.1.2.5.2.3.3.
type RemoteCreateInstanceRequest struct {
	This       ORPCThis
	Outer      *ObjRef
	Properties *ObjRef
}

// MarshalNDR writes the arguments.
func (r *RemoteCreateInstanceRequest) MarshalNDR(e *ndr.Encoder) {
	r.This.MarshalNDR(e)
	marshalUnique(e, r.Outer)
	marshalUnique(e, r.Properties)
}

// UnmarshalNDR reads the arguments.
func (r *RemoteCreateInstanceRequest) UnmarshalNDR(d *ndr.Decoder) {
	r.This.UnmarshalNDR(d)
	r.Outer = unmarshalObjRef(d, d.Pointer())
	r.Properties = unmarshalObjRef(d, d.Pointer())
}

// SCMActivatorResponse is what both methods of IRemoteSCMActivator answer.
type SCMActivatorResponse struct {
	That       ORPCThat
	Properties *ObjRef
	Result     uint32
}

// MarshalNDR writes the results.
func (r *SCMActivatorResponse) MarshalNDR(e *ndr.Encoder) {
	r.That.MarshalNDR(e)
	marshalUnique(e, r.Properties)
	e.Uint32(r.Result)
}

// UnmarshalNDR reads the results.
func (r *SCMActivatorResponse) UnmarshalNDR(d *ndr.Decoder) {
	r.That.UnmarshalNDR(d)
	r.Properties = unmarshalObjRef(d, d.Pointer())
	r.Result = d.Uint32()
}

// ModeClassObject as RemoteActivationRequest.Mode asks for the class object.
const ModeClassObject uint32 = 0xffffffff

// RemoteActivationRequest is the activation of versions below 5.6. See [MS-DCOM] 3.1.2.5.2.3.1.
type RemoteActivationRequest struct {
	This               ORPCThis
	CLSID              security.GUID
	ObjectName         *string
	Storage            *ObjRef
	ImpersonationLevel uint32
	Mode               uint32
	IIDs               []security.GUID
	Protseqs           []uint16
}

// MarshalNDR writes the arguments.
func (r *RemoteActivationRequest) MarshalNDR(e *ndr.Encoder) {
	r.This.MarshalNDR(e)
	e.GUID(r.CLSID)
	if e.Pointer(r.ObjectName != nil) {
		e.ConformantWideString(*r.ObjectName)
	}
	marshalUnique(e, r.Storage)
	e.Uint32(r.ImpersonationLevel)
	e.Uint32(r.Mode)
	e.Uint32(uint32(len(r.IIDs)))
	if e.Pointer(len(r.IIDs) > 0) {
		marshalGUIDs(e, r.IIDs)
	}
	e.Uint16(uint16(len(r.Protseqs)))
	marshalProtseqs(e, r.Protseqs)
}

// UnmarshalNDR reads the arguments.
func (r *RemoteActivationRequest) UnmarshalNDR(d *ndr.Decoder) {
	r.This.UnmarshalNDR(d)
	r.CLSID = d.GUID()
	r.ObjectName = unmarshalName(d, d.Pointer())
	r.Storage = unmarshalObjRef(d, d.Pointer())
	r.ImpersonationLevel, r.Mode = d.Uint32(), d.Uint32()
	n := d.Uint32()
	if d.Err() == nil && (n < 1 || n > maxInterfaces) {
		d.Fail("an activation of %d interfaces", n)
		return
	}
	if d.Pointer() {
		r.IIDs = unmarshalGUIDs(d, int(n))
	}
	r.Protseqs = unmarshalProtseqs(d, d.Uint16())
}

// RemoteActivationResponse is its answer. A Result other than S_OK goes with no bindings.
type RemoteActivationResponse struct {
	That     ORPCThat
	Exporter ExporterInfo
	// Result is that of the activation; Interfaces has one element for each interface, without its IID.
	Result     uint32
	Interfaces []InterfaceResult
	// Status is that of the call itself.
	Status uint32
}

// MarshalNDR writes the results.
func (r *RemoteActivationResponse) MarshalNDR(e *ndr.Encoder) {
	r.That.MarshalNDR(e)
	e.Uint64(r.Exporter.OXID)
	if e.Pointer(r.Result == S_OK) {
		r.Exporter.Bindings.MarshalNDR(e)
	}
	e.GUID(r.Exporter.RemUnknown)
	e.Uint32(r.Exporter.AuthnHint)
	r.Exporter.Version.marshal(e)
	e.Uint32(r.Result)
	refs := make([]*ObjRef, len(r.Interfaces))
	for i, x := range r.Interfaces {
		refs[i] = x.Object
	}
	marshalObjRefs(e, refs)
	e.Count(len(r.Interfaces))
	for _, x := range r.Interfaces {
		e.Uint32(x.Result)
	}
	e.Uint32(r.Status)
}

// UnmarshalNDR reads the results.
func (r *RemoteActivationResponse) UnmarshalNDR(d *ndr.Decoder) {
	r.That.UnmarshalNDR(d)
	r.Exporter.OXID = d.Uint64()
	if d.Pointer() {
		r.Exporter.Bindings.UnmarshalNDR(d)
	}
	r.Exporter.RemUnknown = d.GUID()
	r.Exporter.AuthnHint = d.Uint32()
	r.Exporter.Version.unmarshal(d)
	r.Result = d.Uint32()
	refs := unmarshalObjRefs(d)
	r.Interfaces = make([]InterfaceResult, exactCount(d, len(refs), 4))
	for i := range r.Interfaces {
		r.Interfaces[i] = InterfaceResult{Object: refs[i], Result: d.Uint32()}
	}
	r.Status = d.Uint32()
}

// CreateInstanceRequest is IClassFactory::CreateInstance as it is remoted: without an outer object.
type CreateInstanceRequest struct{ IID security.GUID }

// MarshalNDR writes the arguments.
func (r *CreateInstanceRequest) MarshalNDR(e *ndr.Encoder) { e.GUID(r.IID) }

// UnmarshalNDR reads the arguments.
func (r *CreateInstanceRequest) UnmarshalNDR(d *ndr.Decoder) { r.IID = d.GUID() }

// CreateInstanceResponse is its answer.
type CreateInstanceResponse struct {
	Object *ObjRef
	Result uint32
}

// MarshalNDR writes the results.
func (r *CreateInstanceResponse) MarshalNDR(e *ndr.Encoder) {
	marshalUnique(e, r.Object)
	e.Uint32(r.Result)
}

// UnmarshalNDR reads the results.
func (r *CreateInstanceResponse) UnmarshalNDR(d *ndr.Decoder) {
	r.Object = unmarshalObjRef(d, d.Pointer())
	r.Result = d.Uint32()
}
