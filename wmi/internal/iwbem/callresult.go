package iwbem

import "github.com/casementhq/casement/internal/ndr"

// TimeoutRequest are the arguments of every method of IWbemCallResult. See [MS-WMI] 3.1.4.5.
type TimeoutRequest struct{ Timeout int32 }

// MarshalNDR writes the request.
func (r *TimeoutRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *TimeoutRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *TimeoutRequest) code(s stub) { s.int32(&r.Timeout) }

// GetResultObjectResponse answers IWbemCallResult::GetResultObject. See [MS-WMI] 3.1.4.5.1.
type GetResultObjectResponse struct {
	Object ClassObject
	Result uint32
}

// MarshalNDR writes the response.
func (r *GetResultObjectResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *GetResultObjectResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *GetResultObjectResponse) code(s stub) {
	s.object(&r.Object)
	s.uint32(&r.Result)
}

// GetResultStringResponse answers IWbemCallResult::GetResultString. See [MS-WMI] 3.1.4.5.2.
type GetResultStringResponse struct {
	Text   String
	Result uint32
}

// MarshalNDR writes the response.
func (r *GetResultStringResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *GetResultStringResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *GetResultStringResponse) code(s stub) {
	s.bstr(&r.Text)
	s.uint32(&r.Result)
}

// GetCallStatusResponse answers IWbemCallResult::GetCallStatus. See [MS-WMI] 3.1.4.5.4.
type GetCallStatusResponse struct {
	Status uint32 // of the operation; valid where Result is success
	Result uint32 // of this call
}

// MarshalNDR writes the response.
func (r *GetCallStatusResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *GetCallStatusResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *GetCallStatusResponse) code(s stub) {
	s.uint32(&r.Status)
	s.uint32(&r.Result)
}

// Arguments and answers that the methods share.
type (
	GetResultObjectRequest    = TimeoutRequest
	GetResultStringRequest    = TimeoutRequest
	GetResultServicesRequest  = TimeoutRequest
	GetResultServicesResponse = RefResponse
	GetCallStatusRequest      = TimeoutRequest
)
