package iwbem

import "github.com/casementhq/casement/internal/ndr"

// StatusResponse answers a method that gives back nothing else.
type StatusResponse struct{ Result uint32 }

// MarshalNDR writes the response.
func (r *StatusResponse) MarshalNDR(e *ndr.Encoder) { e.Uint32(r.Result) }

// UnmarshalNDR reads the response.
func (r *StatusResponse) UnmarshalNDR(d *ndr.Decoder) { r.Result = d.Uint32() }

// EmptyRequest are the arguments of a method that has none.
type EmptyRequest struct{}

// MarshalNDR writes nothing.
func (*EmptyRequest) MarshalNDR(*ndr.Encoder) {}

// UnmarshalNDR reads nothing.
func (*EmptyRequest) UnmarshalNDR(*ndr.Decoder) {}
