package iwbem

import (
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
)

// EstablishPositionRequest are the arguments of IWbemLevel1Login::EstablishPosition, which are reserved. See [MS-WMI] 3.1.4.1.1.
type EstablishPositionRequest struct {
	Reserved1 String
	Reserved2 uint32
}

// MarshalNDR writes the request.
func (r *EstablishPositionRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *EstablishPositionRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *EstablishPositionRequest) code(s stub) {
	s.uniqueText(&r.Reserved1)
	s.uint32(&r.Reserved2)
}

// EstablishPositionResponse answers it.
type EstablishPositionResponse struct {
	LocaleVersion uint32 // 1: an unknown locale is ignored; 0: it is an error
	Result        uint32
}

// MarshalNDR writes the response.
func (r *EstablishPositionResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *EstablishPositionResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *EstablishPositionResponse) code(s stub) {
	s.uint32(&r.LocaleVersion)
	s.uint32(&r.Result)
}

// RequestChallengeRequest are the arguments of IWbemLevel1Login::RequestChallenge, which does nothing. See [MS-WMI] 3.1.4.1.2.
type RequestChallengeRequest struct {
	Reserved1, Reserved2 String
}

// MarshalNDR writes the request.
func (r *RequestChallengeRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *RequestChallengeRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *RequestChallengeRequest) code(s stub) {
	s.uniqueText(&r.Reserved1)
	s.uniqueText(&r.Reserved2)
}

// RequestChallengeResponse answers it.
type RequestChallengeResponse struct {
	Reserved3 [16]byte
	Result    uint32
}

// MarshalNDR writes the response.
func (r *RequestChallengeResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *RequestChallengeResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *RequestChallengeResponse) code(s stub) {
	s.sixteen(&r.Reserved3)
	s.uint32(&r.Result)
}

// sixteen handles a [size_is(16), length_is(16)] array.
func (s stub) sixteen(v *[16]byte) {
	if s.e != nil {
		s.e.Count(16)
		s.e.Count(0)
		s.e.Count(16)
		s.e.Raw(v[:])
		return
	}
	size, offset, n := s.d.Count(16, 0), s.d.Count(0, 0), s.d.Count(16, 1)
	if s.d.Err() == nil && (size != 16 || offset != 0 || n != 16) {
		s.d.Fail("an array of %d of %d octets", n, size)
	}
	copy(v[:], s.d.Raw(n))
}

// WBEMLoginRequest are the arguments of IWbemLevel1Login::WBEMLogin, which does nothing. See [MS-WMI] 3.1.4.1.3.
type WBEMLoginRequest struct {
	Reserved1 String
	Reserved2 *[16]byte
	Reserved3 uint32
	Reserved4 Context
}

// MarshalNDR writes the request.
func (r *WBEMLoginRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *WBEMLoginRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *WBEMLoginRequest) code(s stub) {
	s.uniqueText(&r.Reserved1)
	present := r.Reserved2 != nil
	if s.pointer(&present); present {
		if r.Reserved2 == nil {
			r.Reserved2 = new([16]byte)
		}
		s.sixteen(r.Reserved2)
	}
	s.uint32(&r.Reserved3)
	s.context(&r.Reserved4)
}

// NTLMLoginRequest are the arguments of IWbemLevel1Login::NTLMLogin, which opens a namespace whatever the authentication was. See [MS-WMI] 3.1.4.1.4.
type NTLMLoginRequest struct {
	NetworkResource String // "//./root/cimv2"
	PreferredLocale String // names with commas between them
	Flags           uint32 // 0
	Context         Context
}

// MarshalNDR writes the request.
func (r *NTLMLoginRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *NTLMLoginRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *NTLMLoginRequest) code(s stub) {
	s.uniqueText(&r.NetworkResource)
	s.uniqueText(&r.PreferredLocale)
	s.uint32(&r.Flags)
	s.context(&r.Context)
}

// RefResponse answers a method that gives back an interface.
type RefResponse struct {
	Ref    *dcom.ObjRef
	Result uint32
}

// MarshalNDR writes the response.
func (r *RefResponse) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the response.
func (r *RefResponse) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *RefResponse) code(s stub) {
	s.ref(&r.Ref)
	s.uint32(&r.Result)
}

// Answers with the IWbemServices of the namespace.
type (
	WBEMLoginResponse = RefResponse
	NTLMLoginResponse = RefResponse
)

// SetClientInfoRequest are the arguments of IWbemLoginClientID::SetClientInfo. See [MS-WMI] 3.1.4.8.1.
type SetClientInfoRequest struct {
	ClientMachine String
	ClientProcess uint32
	Reserved      uint32
}

// MarshalNDR writes the request.
func (r *SetClientInfoRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *SetClientInfoRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *SetClientInfoRequest) code(s stub) {
	s.uniqueText(&r.ClientMachine)
	s.uint32(&r.ClientProcess)
	s.uint32(&r.Reserved)
}

// SetClientInfoExRequest are the arguments of IWbemLoginClientIDEx::SetClientInfoEx, which [MS-WMI] does not describe.
type SetClientInfoExRequest struct {
	ClientMachine     String
	ClientMachineFQDN String
	ClientProcess     uint32
	Created           [2]uint32 // when the process began: the halves of a FILETIME, the low one first
	Reserved          uint32
}

// MarshalNDR writes the request.
func (r *SetClientInfoExRequest) MarshalNDR(e *ndr.Encoder) { r.code(stub{e: e}) }

// UnmarshalNDR reads the request.
func (r *SetClientInfoExRequest) UnmarshalNDR(d *ndr.Decoder) { r.code(stub{d: d}) }

func (r *SetClientInfoExRequest) code(s stub) {
	s.uniqueText(&r.ClientMachine)
	s.uniqueText(&r.ClientMachineFQDN)
	s.uint32(&r.ClientProcess)
	s.uint32(&r.Created[0])
	s.uint32(&r.Created[1])
	s.uint32(&r.Reserved)
}

// Answers with a status alone.
type (
	SetClientInfoResponse   = StatusResponse
	SetClientInfoExResponse = StatusResponse
)
