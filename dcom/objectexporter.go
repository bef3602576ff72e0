package dcom

import "github.com/casementhq/casement/internal/ndr"

// Methods of IObjectExporter ([MS-DCOM] 3.1.2.5.1).
const (
	opResolveOxid  = 0
	opSimplePing   = 1
	opComplexPing  = 2
	opServerAlive  = 3
	opResolveOxid2 = 4
	opServerAlive2 = 5
)

// maxPinged bounds the objects in one ComplexPing, and in a ping set.
const maxPinged = 10000

// ResolveOxidRequest asks where an exporter is; it serves both ResolveOxid and ResolveOxid2. See [MS-DCOM] 3.1.2.5.1.1.
type ResolveOxidRequest struct {
	OXID     uint64
	Protseqs []uint16
}

// MarshalNDR writes the arguments.
func (r *ResolveOxidRequest) MarshalNDR(e *ndr.Encoder) {
	e.Uint64(r.OXID)
	e.Uint16(uint16(len(r.Protseqs)))
	marshalProtseqs(e, r.Protseqs)
}

// UnmarshalNDR reads the arguments.
func (r *ResolveOxidRequest) UnmarshalNDR(d *ndr.Decoder) {
	r.OXID = d.Uint64()
	r.Protseqs = unmarshalProtseqs(d, d.Uint16())
}

// ResolveOxidResponse is the answer of ResolveOxid. A Status other than 0 goes with no bindings.
type ResolveOxidResponse struct {
	Exporter ExporterInfo
	Status   uint32
}

// MarshalNDR writes the results.
func (r *ResolveOxidResponse) MarshalNDR(e *ndr.Encoder) {
	r.marshalOxid(e)
	e.Uint32(r.Status)
}

func (r *ResolveOxidResponse) marshalOxid(e *ndr.Encoder) {
	if e.Pointer(r.Status == 0) {
		r.Exporter.Bindings.MarshalNDR(e)
	}
	e.GUID(r.Exporter.RemUnknown)
	e.Uint32(r.Exporter.AuthnHint)
}

// UnmarshalNDR reads the results.
func (r *ResolveOxidResponse) UnmarshalNDR(d *ndr.Decoder) {
	r.unmarshalOxid(d)
	r.Status = d.Uint32()
}

func (r *ResolveOxidResponse) unmarshalOxid(d *ndr.Decoder) {
	if d.Pointer() {
		r.Exporter.Bindings.UnmarshalNDR(d)
	}
	r.Exporter.RemUnknown = d.GUID()
	r.Exporter.AuthnHint = d.Uint32()
}

// ResolveOxid2Response adds the version. See [MS-DCOM] 3.1.2.5.1.5.
type ResolveOxid2Response struct{ ResolveOxidResponse }

// MarshalNDR writes the results.
func (r *ResolveOxid2Response) MarshalNDR(e *ndr.Encoder) {
	r.marshalOxid(e)
	r.Exporter.Version.marshal(e)
	e.Uint32(r.Status)
}

// UnmarshalNDR reads the results.
func (r *ResolveOxid2Response) UnmarshalNDR(d *ndr.Decoder) {
	r.unmarshalOxid(d)
	r.Exporter.Version.unmarshal(d)
	r.Status = d.Uint32()
}

// SimplePingRequest keeps a ping set alive. See [MS-DCOM] 3.1.2.5.1.2.
type SimplePingRequest struct{ SetID uint64 }

// MarshalNDR writes the arguments.
func (r *SimplePingRequest) MarshalNDR(e *ndr.Encoder) { e.Uint64(r.SetID) }

// UnmarshalNDR reads the arguments.
func (r *SimplePingRequest) UnmarshalNDR(d *ndr.Decoder) { r.SetID = d.Uint64() }

// StatusResponse is the answer of SimplePing and ServerAlive: a number of [MS-ERREF] 2.2.
type StatusResponse struct{ Status uint32 }

// MarshalNDR writes the results.
func (r *StatusResponse) MarshalNDR(e *ndr.Encoder) { e.Uint32(r.Status) }

// UnmarshalNDR reads the results.
func (r *StatusResponse) UnmarshalNDR(d *ndr.Decoder) { r.Status = d.Uint32() }

// ComplexPingRequest makes, changes and keeps alive a ping set. See [MS-DCOM] 3.1.2.5.1.3.
type ComplexPingRequest struct {
	// SetID is 0 for a new set.
	SetID    uint64
	Sequence uint16
	Add, Del []uint64
}

// MarshalNDR writes the arguments.
func (r *ComplexPingRequest) MarshalNDR(e *ndr.Encoder) {
	e.Uint64(r.SetID)
	e.Uint16(r.Sequence)
	e.Uint16(uint16(len(r.Add)))
	e.Uint16(uint16(len(r.Del)))
	for _, ids := range [][]uint64{r.Add, r.Del} {
		if e.Pointer(len(ids) > 0) {
			e.Count(len(ids))
			for _, id := range ids {
				e.Uint64(id)
			}
		}
	}
}

// UnmarshalNDR reads the arguments.
func (r *ComplexPingRequest) UnmarshalNDR(d *ndr.Decoder) {
	r.SetID = d.Uint64()
	r.Sequence = d.Uint16()
	add, del := int(d.Uint16()), int(d.Uint16())
	r.Add = unmarshalOIDs(d, add)
	r.Del = unmarshalOIDs(d, del)
}

func unmarshalOIDs(d *ndr.Decoder, n int) []uint64 {
	if !d.Pointer() {
		return nil
	}
	if n > maxPinged {
		d.Fail("%d objects in a ping", n)
		return nil
	}
	ids := make([]uint64, exactCount(d, n, 8))
	for i := range ids {
		ids[i] = d.Uint64()
	}
	return ids
}

// ComplexPingResponse is its answer.
type ComplexPingResponse struct {
	SetID   uint64
	Backoff uint16
	Status  uint32
}

// MarshalNDR writes the results.
func (r *ComplexPingResponse) MarshalNDR(e *ndr.Encoder) {
	e.Uint64(r.SetID)
	e.Uint16(r.Backoff)
	e.Uint32(r.Status)
}

// UnmarshalNDR reads the results.
func (r *ComplexPingResponse) UnmarshalNDR(d *ndr.Decoder) {
	r.SetID = d.Uint64()
	r.Backoff = d.Uint16()
	r.Status = d.Uint32()
}

// ServerAlive2Response tells the version of a resolver and where it is, to anybody. See [MS-DCOM] 3.1.2.5.1.6.
type ServerAlive2Response struct {
	Version  ComVersion
	Bindings DualStringArray
	Status   uint32
}

// MarshalNDR writes the results.
func (r *ServerAlive2Response) MarshalNDR(e *ndr.Encoder) {
	r.Version.marshal(e)
	e.Pointer(true)
	r.Bindings.MarshalNDR(e)
	e.Uint32(0) // pReserved
	e.Uint32(r.Status)
}

// UnmarshalNDR reads the results.
func (r *ServerAlive2Response) UnmarshalNDR(d *ndr.Decoder) {
	r.Version.unmarshal(d)
	if d.Pointer() {
		r.Bindings.UnmarshalNDR(d)
	}
	d.Uint32() // pReserved
	r.Status = d.Uint32()
}
