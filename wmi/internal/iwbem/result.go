package iwbem

import "github.com/casementhq/casement/internal/ndr"

// Response is what every method answers.
type Response interface {
	ndr.Marshaler
	ndr.Unmarshaler
	// HRESULT is the result of the call, which ends the response.
	HRESULT() uint32
}

// HRESULT is the result of the call.
func (r *GetResultObjectResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *GetResultStringResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *GetCallStatusResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *NextResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *SmartNextResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *EstablishPositionResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *RequestChallengeResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *RefResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *RefreshInfoResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *RemoveObjectFromRefresherResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *GetRemoteRefresherResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *ReconnectRemoteRefresherResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *RemoteRefreshResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *StatusResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *OpenNamespaceResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *ObjectResponse) HRESULT() uint32 { return r.Result }

// HRESULT is the result of the call.
func (r *CallResultResponse) HRESULT() uint32 { return r.Result }
