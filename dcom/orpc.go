package dcom

import (
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// ComVersion is the version of the protocol that a side speaks. See [MS-DCOM] 2.2.11.
type ComVersion struct{ Major, Minor uint16 }

// Version is what this package speaks: 5.7, as Windows does since XP.
var Version = ComVersion{5, 7}

// Negotiate gives the version to speak with a peer: the lower minor version. It is false where the major versions differ.
func (v ComVersion) Negotiate(peer ComVersion) (ComVersion, bool) {
	return ComVersion{v.Major, min(v.Minor, peer.Minor)}, v.Major == peer.Major
}

// accepts tells whether a server of version v serves calls of a client's version ([MS-DCOM] 1.7).
func (v ComVersion) accepts(client ComVersion) bool {
	return client.Major == v.Major && client.Minor <= v.Minor
}

func (v ComVersion) marshal(e *ndr.Encoder) {
	e.Uint16(v.Major)
	e.Uint16(v.Minor)
}

func (v *ComVersion) unmarshal(d *ndr.Decoder) { v.Major, v.Minor = d.Uint16(), d.Uint16() }

// Extent is a piece of data beside the arguments of a call, of a format that ID names. See [MS-DCOM] 2.2.13.1.
type Extent struct {
	ID security.GUID
	// Data shares the memory of the stub that it was read from.
	Data []byte
}

// What a peer may send beside its arguments.
const (
	maxExtents    = 16
	maxExtentSize = 1 << 20
)

// ORPCThis stands before the arguments of each call. See [MS-DCOM] 2.2.13.3.
type ORPCThis struct {
	Version ComVersion
	// Flags is 0 in calls of objects; in an activation it has no meaning.
	Flags uint32
	// CID is the causality: one for a chain of calls, through all the machines that it visits.
	CID     security.GUID
	Extents []Extent
}

// MarshalNDR writes an ORPCTHIS.
func (o *ORPCThis) MarshalNDR(e *ndr.Encoder) {
	o.Version.marshal(e)
	e.Uint32(o.Flags)
	e.Uint32(0) // reserved1
	e.GUID(o.CID)
	marshalExtents(e, o.Extents)
}

// UnmarshalNDR reads an ORPCTHIS.
func (o *ORPCThis) UnmarshalNDR(d *ndr.Decoder) {
	o.Version.unmarshal(d)
	o.Flags = d.Uint32()
	d.Uint32() // reserved1
	o.CID = d.GUID()
	o.Extents = unmarshalExtents(d)
}

// ORPCThat stands before the results of each call. See [MS-DCOM] 2.2.13.4.
type ORPCThat struct {
	// Flags has no meaning; Windows answers an activation with 1.
	Flags   uint32
	Extents []Extent
}

// MarshalNDR writes an ORPCTHAT.
func (o *ORPCThat) MarshalNDR(e *ndr.Encoder) {
	e.Uint32(o.Flags)
	marshalExtents(e, o.Extents)
}

// UnmarshalNDR reads an ORPCTHAT.
func (o *ORPCThat) UnmarshalNDR(d *ndr.Decoder) {
	o.Flags = d.Uint32()
	o.Extents = unmarshalExtents(d)
}

// ErrorInfo is the data of the extension that says more about an error: an OBJREF. It is nil if there is none. See [MS-DCOM] 2.2.21.1.
func (o *ORPCThat) ErrorInfo() []byte {
	for _, x := range o.Extents {
		if x.ID == ExtentErrorInfo {
			return x.Data
		}
	}
	return nil
}

// marshalExtents writes a pointer to ORPC_EXTENT_ARRAY: an array of pointers of an even size, each to an array of octets of a multiple of eight.
func marshalExtents(e *ndr.Encoder, extents []Extent) {
	if !e.Pointer(len(extents) > 0) {
		return
	}
	e.AlignWide(4, 8)
	e.Uint32(uint32(len(extents)))
	e.Uint32(0) // reserved
	e.Pointer(true)
	slots := (len(extents) + 1) &^ 1
	e.Count(slots)
	for i := range slots {
		e.Pointer(i < len(extents))
	}
	for _, x := range extents {
		size := (len(x.Data) + 7) &^ 7
		e.Count(size)
		e.GUID(x.ID)
		e.Uint32(uint32(len(x.Data)))
		e.Raw(x.Data)
		clear(e.Grow(size - len(x.Data)))
	}
}

func unmarshalExtents(d *ndr.Decoder) []Extent {
	if !d.Pointer() {
		return nil
	}
	d.AlignWide(4, 8)
	d.Uint32() // size: how many of the slots are not NULL, which the slots tell as well
	d.Uint32() // reserved
	if !d.Pointer() {
		return nil
	}
	slots := d.Count(maxExtents, 4)
	present := 0
	for range slots {
		if d.Pointer() {
			present++
		}
	}
	var extents []Extent
	for range present {
		size := d.Count(maxExtentSize, 1)
		x := Extent{ID: d.GUID()}
		n := int(d.Uint32())
		data := d.Raw(size)
		if d.Err() != nil {
			return nil
		}
		if n < 0 || n > size {
			d.Fail("an extent of %d octets in an array of %d", uint32(n), size)
			return nil
		}
		x.Data = data[:n:n]
		extents = append(extents, x)
	}
	return extents
}
