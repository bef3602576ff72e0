package dcom

import (
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Methods of IRemUnknown and IRemUnknown2 ([MS-DCOM] 3.1.1.5.6, 3.1.1.5.7).
const (
	opRemQueryInterface  = 3
	opRemAddRef          = 4
	opRemRelease         = 5
	opRemQueryInterface2 = 6
)

// RemQueryInterfaceRequest asks for further interfaces of an object. See [MS-DCOM] 3.1.1.5.6.1.1.
type RemQueryInterfaceRequest struct {
	IPID security.GUID
	// Refs is how many public references of each interface the caller wants.
	Refs uint32
	IIDs []security.GUID
}

// MarshalNDR writes the arguments.
func (r *RemQueryInterfaceRequest) MarshalNDR(e *ndr.Encoder) {
	e.GUID(r.IPID)
	e.Uint32(r.Refs)
	e.Uint16(uint16(len(r.IIDs)))
	marshalGUIDs(e, r.IIDs)
}

// UnmarshalNDR reads the arguments.
func (r *RemQueryInterfaceRequest) UnmarshalNDR(d *ndr.Decoder) {
	r.IPID = d.GUID()
	r.Refs = d.Uint32()
	r.IIDs = unmarshalQueried(d)
}

func unmarshalQueried(d *ndr.Decoder) []security.GUID {
	n := int(d.Uint16())
	if n > maxInterfaces {
		d.Fail("a query for %d interfaces, at most %d are allowed", n, maxInterfaces)
		return nil
	}
	return unmarshalGUIDs(d, n)
}

// RemQIResult is one interface in the answer of RemQueryInterface. See [MS-DCOM] 2.2.24.
type RemQIResult struct {
	Result uint32
	Std    StdObjRef
}

// RemQueryInterfaceResponse is the answer: one element for each interface that was asked for, or none where Result is an error.
type RemQueryInterfaceResponse struct {
	Results []RemQIResult
	Result  uint32
}

// MarshalNDR writes the results.
func (r *RemQueryInterfaceResponse) MarshalNDR(e *ndr.Encoder) {
	if e.Pointer(r.Results != nil) {
		e.Count(len(r.Results))
		for _, q := range r.Results {
			e.Align(8)
			e.Uint32(q.Result)
			q.Std.marshal(e)
		}
	}
	e.Uint32(r.Result)
}

// UnmarshalNDR reads the results.
func (r *RemQueryInterfaceResponse) UnmarshalNDR(d *ndr.Decoder) {
	if d.Pointer() {
		r.Results = make([]RemQIResult, d.Count(maxInterfaces, 48))
		for i := range r.Results {
			d.Align(8)
			r.Results[i].Result = d.Uint32()
			r.Results[i].Std.unmarshal(d)
		}
	}
	r.Result = d.Uint32()
}

// InterfaceRef counts references of an interface. See [MS-DCOM] 2.2.23.
type InterfaceRef struct {
	IPID            security.GUID
	Public, Private uint32
}

// InterfaceRefsRequest is the arguments of RemAddRef and of RemRelease. See [MS-DCOM] 3.1.1.5.6.1.2 and 3.1.1.5.6.1.3.
type InterfaceRefsRequest struct{ Refs []InterfaceRef }

// MarshalNDR writes the arguments.
func (r *InterfaceRefsRequest) MarshalNDR(e *ndr.Encoder) {
	e.Uint16(uint16(len(r.Refs)))
	e.Count(len(r.Refs))
	for _, x := range r.Refs {
		e.GUID(x.IPID)
		e.Uint32(x.Public)
		e.Uint32(x.Private)
	}
}

// UnmarshalNDR reads the arguments.
func (r *InterfaceRefsRequest) UnmarshalNDR(d *ndr.Decoder) {
	n := int(d.Uint16())
	r.Refs = make([]InterfaceRef, exactCount(d, n, 24))
	for i := range r.Refs {
		r.Refs[i].IPID = d.GUID()
		r.Refs[i].Public, r.Refs[i].Private = d.Uint32(), d.Uint32()
	}
}

// RemAddRefResponse is the answer of RemAddRef: a result for each interface.
type RemAddRefResponse struct {
	Results []uint32
	Result  uint32
}

// MarshalNDR writes the results.
func (r *RemAddRefResponse) MarshalNDR(e *ndr.Encoder) {
	e.Count(len(r.Results))
	for _, x := range r.Results {
		e.Uint32(x)
	}
	e.Uint32(r.Result)
}

// UnmarshalNDR reads the results.
func (r *RemAddRefResponse) UnmarshalNDR(d *ndr.Decoder) {
	r.Results = make([]uint32, d.Count(0xffff, 4))
	for i := range r.Results {
		r.Results[i] = d.Uint32()
	}
	r.Result = d.Uint32()
}

// ResultResponse is an HRESULT alone: the answer of RemRelease, and of each ORPC method without results.
type ResultResponse struct{ Result uint32 }

// MarshalNDR writes the result.
func (r *ResultResponse) MarshalNDR(e *ndr.Encoder) { e.Uint32(r.Result) }

// UnmarshalNDR reads the result.
func (r *ResultResponse) UnmarshalNDR(d *ndr.Decoder) { r.Result = d.Uint32() }

// RemQueryInterface2Request asks for further interfaces as OBJREFs. See [MS-DCOM] 3.1.1.5.7.1.1.
type RemQueryInterface2Request struct {
	IPID security.GUID
	IIDs []security.GUID
}

// MarshalNDR writes the arguments.
func (r *RemQueryInterface2Request) MarshalNDR(e *ndr.Encoder) {
	e.GUID(r.IPID)
	e.Uint16(uint16(len(r.IIDs)))
	marshalGUIDs(e, r.IIDs)
}

// UnmarshalNDR reads the arguments.
func (r *RemQueryInterface2Request) UnmarshalNDR(d *ndr.Decoder) {
	r.IPID = d.GUID()
	r.IIDs = unmarshalQueried(d)
}

// RemQueryInterface2Response is its answer: both slices have an element for each interface.
type RemQueryInterface2Response struct {
	Results []uint32
	Objects []*ObjRef
	Result  uint32
}

// MarshalNDR writes the results.
func (r *RemQueryInterface2Response) MarshalNDR(e *ndr.Encoder) {
	e.Count(len(r.Results))
	for _, x := range r.Results {
		e.Uint32(x)
	}
	marshalObjRefs(e, r.Objects)
	e.Uint32(r.Result)
}

// UnmarshalNDR reads the results.
func (r *RemQueryInterface2Response) UnmarshalNDR(d *ndr.Decoder) {
	r.Results = make([]uint32, d.Count(maxInterfaces, 4))
	for i := range r.Results {
		r.Results[i] = d.Uint32()
	}
	r.Objects = unmarshalObjRefs(d)
	if d.Err() == nil && len(r.Objects) != len(r.Results) {
		d.Fail("%d objects for %d interfaces", len(r.Objects), len(r.Results))
	}
	r.Result = d.Uint32()
}
