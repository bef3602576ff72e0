package iwbem

import (
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Forever is a timeout that does not end: WBEM_INFINITE. Timeouts are in milliseconds.
const Forever int32 = -1

// NextRequest are the arguments of IEnumWbemClassObject::Next. See [MS-WMI] 3.1.4.4.2.
type NextRequest struct {
	Timeout int32
	Count   uint32
}

// MarshalNDR writes the request.
func (r *NextRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *NextRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *NextRequest) code(s stub) {
	s.int32(&r.Timeout)
	s.uint32(&r.Count)
}

// NextResponse answers it.
type NextResponse struct {
	Size    uint32 // of the caller's array: the request's Count
	Objects []ClassObject
	Result  uint32
}

// MarshalNDR writes the response.
func (r *NextResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *NextResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *NextResponse) code(s stub) {
	size, n := max(int(r.Size), len(r.Objects)), len(r.Objects)
	returned := uint32(n)
	if s.e != nil {
		s.e.Count(size)
		s.e.Count(0)
		s.e.Count(n)
	} else {
		size = s.d.Count(1<<31-1, 0)
		s.d.Count(0, 0)
		n = s.d.Count(min(size, maxElements), s.wide())
		r.Size, r.Objects = uint32(size), make([]ClassObject, n)
	}
	s.objects(r.Objects)
	s.uint32(&returned)
	if s.d != nil && s.d.Err() == nil && int64(returned) != int64(n) {
		s.d.Fail("%d objects where %d are said", n, returned)
	}
	s.uint32(&r.Result)
}

// NextAsyncRequest are the arguments of IEnumWbemClassObject::NextAsync. See [MS-WMI] 3.1.4.4.3.
type NextAsyncRequest struct {
	Count uint32
	Sink  *dcom.ObjRef
}

// MarshalNDR writes the request.
func (r *NextAsyncRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *NextAsyncRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *NextAsyncRequest) code(s stub) {
	s.uint32(&r.Count)
	s.ref(&r.Sink)
}

// SkipRequest are the arguments of IEnumWbemClassObject::Skip. See [MS-WMI] 3.1.4.4.5.
type SkipRequest struct {
	Timeout int32
	Count   uint32
}

// MarshalNDR writes the request.
func (r *SkipRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *SkipRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *SkipRequest) code(s stub) {
	s.int32(&r.Timeout)
	s.uint32(&r.Count)
}

// SmartNextRequest are the arguments of IWbemWCOSmartEnum::Next. See [MS-WMI] 3.1.4.7.1.
type SmartNextRequest struct {
	Proxy   security.GUID // made by the client, the same for each of its calls to one enumerator
	Timeout int32
	Count   uint32
}

// MarshalNDR writes the request.
func (r *SmartNextRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *SmartNextRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *SmartNextRequest) code(s stub) {
	s.guid(&r.Proxy)
	s.int32(&r.Timeout)
	s.uint32(&r.Count)
}

// SmartNextResponse answers it.
type SmartNextResponse struct {
	Returned uint32
	Buffer   []byte // an ObjectArray, [MS-WMI] 2.2.14; nil where there is none
	Result   uint32
}

// MarshalNDR writes the response.
func (r *SmartNextResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *SmartNextResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *SmartNextResponse) code(s stub) {
	s.uint32(&r.Returned)
	size := uint32(len(r.Buffer))
	s.uint32(&size)
	s.bytes(&r.Buffer)
	if s.d != nil && s.d.Err() == nil && r.Buffer != nil && int64(size) != int64(len(r.Buffer)) {
		s.d.Fail("a buffer of %d octets where %d are said", len(r.Buffer), size)
	}
	s.uint32(&r.Result)
}

// Arguments and answers of the other methods of IEnumWbemClassObject and of IWbemFetchSmartEnum::GetSmartEnum.
type (
	ResetRequest         = EmptyRequest
	ResetResponse        = StatusResponse
	NextAsyncResponse    = StatusResponse
	CloneRequest         = EmptyRequest
	CloneResponse        = RefResponse
	SkipResponse         = StatusResponse
	GetSmartEnumRequest  = EmptyRequest
	GetSmartEnumResponse = RefResponse
)
