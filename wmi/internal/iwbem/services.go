package iwbem

import (
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
)

// OpenNamespaceRequest are the arguments of IWbemServices::OpenNamespace. See [MS-WMI] 3.1.4.3.1.
type OpenNamespaceRequest struct {
	Namespace  String
	Flags      uint32
	Context    Context
	Services   RefSlot
	CallResult RefSlot
}

// MarshalNDR writes the request.
func (r *OpenNamespaceRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *OpenNamespaceRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *OpenNamespaceRequest) code(s stub) {
	s.bstr(&r.Namespace)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.refSlot(&r.Services)
	s.refSlot(&r.CallResult)
}

// OpenNamespaceResponse answers it.
type OpenNamespaceResponse struct {
	Services   RefSlot
	CallResult RefSlot
	Result     uint32
}

// MarshalNDR writes the response.
func (r *OpenNamespaceResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *OpenNamespaceResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *OpenNamespaceResponse) code(s stub) {
	s.refSlot(&r.Services)
	s.refSlot(&r.CallResult)
	s.uint32(&r.Result)
}

// CancelAsyncCallRequest are the arguments of IWbemServices::CancelAsyncCall. See [MS-WMI] 3.1.4.3.2.
type CancelAsyncCallRequest struct{ Sink *dcom.ObjRef }

// MarshalNDR writes the request.
func (r *CancelAsyncCallRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *CancelAsyncCallRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *CancelAsyncCallRequest) code(s stub) { s.ref(&r.Sink) }

// QueryObjectSinkRequest are the arguments of IWbemServices::QueryObjectSink. See [MS-WMI] 3.1.4.3.3.
type QueryObjectSinkRequest struct{ Flags uint32 }

// MarshalNDR writes the request.
func (r *QueryObjectSinkRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *QueryObjectSinkRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *QueryObjectSinkRequest) code(s stub) { s.uint32(&r.Flags) }

// GetObjectRequest are the arguments of IWbemServices::GetObject. See [MS-WMI] 3.1.4.3.4.
type GetObjectRequest struct {
	Path       String // empty or NULL: a class without anything
	Flags      uint32
	Context    Context
	Object     ObjectSlot
	CallResult RefSlot
}

// MarshalNDR writes the request.
func (r *GetObjectRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *GetObjectRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *GetObjectRequest) code(s stub) {
	s.bstr(&r.Path)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.objectSlot(&r.Object)
	s.refSlot(&r.CallResult)
}

// ObjectResponse answers a method that gives back an object or the IWbemCallResult that will have it.
type ObjectResponse struct {
	Object     ObjectSlot
	CallResult RefSlot
	Result     uint32
}

// MarshalNDR writes the response.
func (r *ObjectResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *ObjectResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *ObjectResponse) code(s stub) {
	s.objectSlot(&r.Object)
	s.refSlot(&r.CallResult)
	s.uint32(&r.Result)
}

// PutRequest are the arguments of IWbemServices::PutClass and PutInstance. See [MS-WMI] 3.1.4.3.6 and 3.1.4.3.12.
type PutRequest struct {
	Object     ClassObject
	Flags      uint32
	Context    Context
	CallResult RefSlot
}

// MarshalNDR writes the request.
func (r *PutRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *PutRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *PutRequest) code(s stub) {
	s.object(&r.Object)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.refSlot(&r.CallResult)
}

// PutAsyncRequest are the arguments of IWbemServices::PutClassAsync and PutInstanceAsync. See [MS-WMI] 3.1.4.3.7 and 3.1.4.3.13.
type PutAsyncRequest struct {
	Object  ClassObject
	Flags   uint32
	Context Context
	Sink    *dcom.ObjRef
}

// MarshalNDR writes the request.
func (r *PutAsyncRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *PutAsyncRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *PutAsyncRequest) code(s stub) {
	s.object(&r.Object)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.ref(&r.Sink)
}

// DeleteRequest are the arguments of IWbemServices::DeleteClass and DeleteInstance. See [MS-WMI] 3.1.4.3.8 and 3.1.4.3.14.
type DeleteRequest struct {
	Path       String // of an instance; of a class its name
	Flags      uint32
	Context    Context
	CallResult RefSlot
}

// MarshalNDR writes the request.
func (r *DeleteRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *DeleteRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *DeleteRequest) code(s stub) {
	s.bstr(&r.Path)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.refSlot(&r.CallResult)
}

// CallResultResponse answers a method that gives back an IWbemCallResult or nothing.
type CallResultResponse struct {
	CallResult RefSlot
	Result     uint32
}

// MarshalNDR writes the response.
func (r *CallResultResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *CallResultResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *CallResultResponse) code(s stub) {
	s.refSlot(&r.CallResult)
	s.uint32(&r.Result)
}

// PathRequest are the arguments of IWbemServices::CreateClassEnum and CreateInstanceEnum. See [MS-WMI] 3.1.4.3.10 and 3.1.4.3.16.
type PathRequest struct {
	Path    String // the superclass, or the class
	Flags   uint32
	Context Context
}

// MarshalNDR writes the request.
func (r *PathRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *PathRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *PathRequest) code(s stub) {
	s.bstr(&r.Path)
	s.uint32(&r.Flags)
	s.context(&r.Context)
}

// PathAsyncRequest are the arguments of the methods of IWbemServices that take a path or the name of a class, and a sink.
// See [MS-WMI] 3.1.4.3.5, 3.1.4.3.9, 3.1.4.3.11, 3.1.4.3.15 and 3.1.4.3.17.
type PathAsyncRequest struct {
	Path    String
	Flags   uint32
	Context Context
	Sink    *dcom.ObjRef
}

// MarshalNDR writes the request.
func (r *PathAsyncRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *PathAsyncRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *PathAsyncRequest) code(s stub) {
	s.bstr(&r.Path)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.ref(&r.Sink)
}

// QueryRequest are the arguments of IWbemServices::ExecQuery and ExecNotificationQuery. See [MS-WMI] 3.1.4.3.18 and 3.1.4.3.20.
type QueryRequest struct {
	Language String // "WQL"
	Query    String
	Flags    uint32
	Context  Context
}

// MarshalNDR writes the request.
func (r *QueryRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *QueryRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *QueryRequest) code(s stub) {
	s.bstr(&r.Language)
	s.bstr(&r.Query)
	s.uint32(&r.Flags)
	s.context(&r.Context)
}

// QueryAsyncRequest are the arguments of IWbemServices::ExecQueryAsync and ExecNotificationQueryAsync. See [MS-WMI] 3.1.4.3.19 and 3.1.4.3.21.
type QueryAsyncRequest struct {
	Language String
	Query    String
	Flags    uint32
	Context  Context
	Sink     *dcom.ObjRef
}

// MarshalNDR writes the request.
func (r *QueryAsyncRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *QueryAsyncRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *QueryAsyncRequest) code(s stub) {
	s.bstr(&r.Language)
	s.bstr(&r.Query)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.ref(&r.Sink)
}

// ExecMethodRequest are the arguments of IWbemServices::ExecMethod. See [MS-WMI] 3.1.4.3.22.
type ExecMethodRequest struct {
	Path       String
	Method     String
	Flags      uint32
	Context    Context
	InParams   ClassObject
	OutParams  ObjectSlot
	CallResult RefSlot
}

// MarshalNDR writes the request.
func (r *ExecMethodRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *ExecMethodRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *ExecMethodRequest) code(s stub) {
	s.bstr(&r.Path)
	s.bstr(&r.Method)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.object(&r.InParams)
	s.objectSlot(&r.OutParams)
	s.refSlot(&r.CallResult)
}

// ExecMethodAsyncRequest are the arguments of IWbemServices::ExecMethodAsync. See [MS-WMI] 3.1.4.3.23.
type ExecMethodAsyncRequest struct {
	Path     String
	Method   String
	Flags    uint32
	Context  Context
	InParams ClassObject
	Sink     *dcom.ObjRef
}

// MarshalNDR writes the request.
func (r *ExecMethodAsyncRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *ExecMethodAsyncRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *ExecMethodAsyncRequest) code(s stub) {
	s.bstr(&r.Path)
	s.bstr(&r.Method)
	s.uint32(&r.Flags)
	s.context(&r.Context)
	s.object(&r.InParams)
	s.ref(&r.Sink)
}

// Arguments that several methods share.
type (
	PutClassRequest                   = PutRequest
	PutInstanceRequest                = PutRequest
	PutClassAsyncRequest              = PutAsyncRequest
	PutInstanceAsyncRequest           = PutAsyncRequest
	DeleteClassRequest                = DeleteRequest
	DeleteInstanceRequest             = DeleteRequest
	CreateClassEnumRequest            = PathRequest
	CreateInstanceEnumRequest         = PathRequest
	GetObjectAsyncRequest             = PathAsyncRequest
	DeleteClassAsyncRequest           = PathAsyncRequest
	DeleteInstanceAsyncRequest        = PathAsyncRequest
	CreateClassEnumAsyncRequest       = PathAsyncRequest
	CreateInstanceEnumAsyncRequest    = PathAsyncRequest
	ExecQueryRequest                  = QueryRequest
	ExecNotificationQueryRequest      = QueryRequest
	ExecQueryAsyncRequest             = QueryAsyncRequest
	ExecNotificationQueryAsyncRequest = QueryAsyncRequest
)

// Answers that several methods share.
type (
	CancelAsyncCallResponse            = StatusResponse
	QueryObjectSinkResponse            = RefResponse
	GetObjectResponse                  = ObjectResponse
	GetObjectAsyncResponse             = StatusResponse
	PutClassResponse                   = CallResultResponse
	PutClassAsyncResponse              = StatusResponse
	DeleteClassResponse                = CallResultResponse
	DeleteClassAsyncResponse           = StatusResponse
	CreateClassEnumResponse            = RefResponse
	CreateClassEnumAsyncResponse       = StatusResponse
	PutInstanceResponse                = CallResultResponse
	PutInstanceAsyncResponse           = StatusResponse
	DeleteInstanceResponse             = CallResultResponse
	DeleteInstanceAsyncResponse        = StatusResponse
	CreateInstanceEnumResponse         = RefResponse
	CreateInstanceEnumAsyncResponse    = StatusResponse
	ExecQueryResponse                  = RefResponse
	ExecQueryAsyncResponse             = StatusResponse
	ExecNotificationQueryResponse      = RefResponse
	ExecNotificationQueryAsyncResponse = StatusResponse
	ExecMethodResponse                 = ObjectResponse
	ExecMethodAsyncResponse            = StatusResponse
)
