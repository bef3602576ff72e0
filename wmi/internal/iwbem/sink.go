package iwbem

import "github.com/casementhq/casement/internal/ndr"

// IndicateRequest are the arguments of IWbemObjectSink::Indicate. See [MS-WMI] 3.1.4.2.1.
type IndicateRequest struct{ Objects []ClassObject }

// MarshalNDR writes the request.
func (r *IndicateRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *IndicateRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *IndicateRequest) code(s stub) {
	count, n := uint32(len(r.Objects)), len(r.Objects)
	s.uint32(&count)
	s.count(&n, s.wide())
	if s.d != nil {
		if s.d.Err() == nil && int64(count) != int64(n) {
			s.d.Fail("%d objects where %d are said", n, count)
		}
		r.Objects = make([]ClassObject, n)
	}
	s.objects(r.Objects)
}

// SetStatusRequest are the arguments of IWbemObjectSink::SetStatus. See [MS-WMI] 3.1.4.2.2.
type SetStatusRequest struct {
	Flags  uint32 // WBEM_STATUS_TYPE: a value, not bits
	Status uint32
	Text   String
	Object ClassObject
}

// MarshalNDR writes the request.
func (r *SetStatusRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *SetStatusRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *SetStatusRequest) code(s stub) {
	s.uint32(&r.Flags)
	s.uint32(&r.Status)
	s.bstr(&r.Text)
	s.object(&r.Object)
}

// Answers with a status alone; that of Indicate may be WBEM_S_NEW_STYLE.
type (
	IndicateResponse  = StatusResponse
	SetStatusResponse = StatusResponse
)
