package dcom

import (
	"encoding/binary"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// The ranges of [MS-DCOM] 2.2.28.1, and what one call may ask for here where those are needlessly wide.
const (
	maxProperties = 10
	maxInterfaces = 64
	maxProtseqs   = 256
	maxName       = 1 << 15
)

// ActivationProperties is what an activation asks for, and what it answers. See [MS-DCOM] 2.2.22.
type ActivationProperties struct {
	// Context is where the parties are; Windows clients write 2, another machine. It has no meaning.
	Context uint32
	// Properties stand in the order of the wire. Each is a pointer to one of the types of [MS-DCOM] 2.2.22.2, or an *UnknownProperty.
	Properties []Property
}

// Property is one of the properties of an activation.
type Property interface {
	ndr.Marshaler
	ndr.Unmarshaler
	class() security.GUID
}

// UnknownProperty is a property of a class that is not of the protocol; it is ignored. Data is its serialized form.
type UnknownProperty struct {
	CLSID security.GUID
	Data  []byte
}

func (p *UnknownProperty) class() security.GUID { return p.CLSID }

// MarshalNDR does nothing: the serialized form is kept as it is.
func (p *UnknownProperty) MarshalNDR(*ndr.Encoder) {}

// UnmarshalNDR does nothing: the serialized form is kept as it is.
func (p *UnknownProperty) UnmarshalNDR(*ndr.Decoder) {}

func newProperty(clsid security.GUID) Property {
	switch clsid {
	case clsidInstantiation:
		return new(InstantiationInfo)
	case clsidSpecialProperties:
		return new(SpecialProperties)
	case clsidInstance:
		return new(InstanceInfo)
	case clsidScmRequest:
		return new(ScmRequestInfo)
	case clsidActivationContext:
		return new(ActivationContextInfo)
	case clsidServerLocation:
		return new(ServerLocationInfo)
	case clsidSecurityInfo:
		return new(SecurityInfo)
	case clsidScmReply:
		return new(ScmReplyInfo)
	case CLSIDActivationPropsOut:
		return new(PropsOut)
	}
	return nil
}

// findProperty gives the first property of a type, or nil.
func findProperty[P Property](a *ActivationProperties) (found P) {
	for _, p := range a.Properties {
		if p, ok := p.(P); ok {
			return p
		}
	}
	return found
}

// customHeader is the list of the properties before them ([MS-DCOM] 2.2.22.1).
type customHeader struct {
	totalSize, headerSize uint32
	context               uint32
	classes               []security.GUID
	sizes                 []uint32
}

func (h *customHeader) MarshalNDR(e *ndr.Encoder) {
	e.Uint32(h.totalSize)
	e.Uint32(h.headerSize)
	e.Uint32(0) // dwReserved
	e.Uint32(h.context)
	e.Uint32(uint32(len(h.classes)))
	e.GUID(security.GUID{}) // classInfoClsid
	e.Pointer(true)
	e.Pointer(true)
	e.Pointer(false) // pdwReserved
	e.Count(len(h.classes))
	for _, c := range h.classes {
		e.GUID(c)
	}
	e.Count(len(h.sizes))
	for _, n := range h.sizes {
		e.Uint32(n)
	}
}

func (h *customHeader) UnmarshalNDR(d *ndr.Decoder) {
	h.totalSize, h.headerSize = d.Uint32(), d.Uint32()
	d.Uint32() // dwReserved
	h.context = d.Uint32()
	n := d.Uint32()
	d.GUID() // classInfoClsid
	classes, sizes := d.Pointer(), d.Pointer()
	reserved := d.Pointer()
	if d.Err() == nil && (n < 1 || n > maxProperties || !classes || !sizes) {
		d.Fail("an activation of %d properties", n)
		return
	}
	h.classes = make([]security.GUID, exactCount(d, int(n), 16))
	for i := range h.classes {
		h.classes[i] = d.GUID()
	}
	h.sizes = make([]uint32, exactCount(d, int(n), 4))
	for i := range h.sizes {
		h.sizes[i] = d.Uint32()
	}
	if reserved {
		d.Uint32()
	}
}

// exactCount reads the size of an array that was told before.
func exactCount(d *ndr.Decoder, n, size int) int {
	got := d.Count(n, size)
	if d.Err() == nil && got != n {
		d.Fail("an array of %d elements where %d were announced", got, n)
		return 0
	}
	return got
}

// Append appends the activation properties BLOB.
func (a *ActivationProperties) Append(b []byte) []byte {
	var body []byte
	h := customHeader{context: a.Context}
	for _, p := range a.Properties {
		before := len(body)
		if u, ok := p.(*UnknownProperty); ok {
			body = append(body, u.Data...)
		} else {
			body = appendSerialized(body, p)
		}
		h.classes = append(h.classes, p.class())
		h.sizes = append(h.sizes, uint32(len(body)-before))
	}
	h.headerSize = uint32(len(appendSerialized(nil, &h)))
	h.totalSize = h.headerSize + uint32(len(body))
	b = binary.LittleEndian.AppendUint32(b, h.totalSize)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return append(appendSerialized(b, &h), body...)
}

// ParseActivationProperties reads an activation properties BLOB.
func ParseActivationProperties(b []byte) (*ActivationProperties, error) {
	d := ndr.NewDecoder(b, ndr.Format{})
	size := d.Uint32()
	d.Uint32() // dwReserved
	if d.Err() == nil && size > uint32(d.Left()) {
		d.Fail("activation properties of %d octets in %d", size, d.Left())
	}
	blob := d.Raw(int(size))
	if d.Err() != nil {
		return nil, d.Err()
	}
	var h customHeader
	if err := parseSerialized(blob, &h); err != nil {
		return nil, err
	}
	if h.headerSize < serializedHeader || h.headerSize > size {
		d.Fail("a header of %d octets in activation properties of %d", h.headerSize, size)
		return nil, d.Err()
	}
	a := &ActivationProperties{Context: h.context}
	rest := blob[h.headerSize:]
	for i, clsid := range h.classes {
		n := h.sizes[i]
		if n > uint32(len(rest)) {
			d.Fail("a property of %d octets in %d", n, len(rest))
			return nil, d.Err()
		}
		data := rest[:n:n]
		rest = rest[n:]
		p := newProperty(clsid)
		if p == nil {
			p = &UnknownProperty{clsid, data}
		} else if err := parseSerialized(data, p); err != nil {
			return nil, err
		}
		a.Properties = append(a.Properties, p)
	}
	return a, nil
}

// ObjRef wraps the properties as they travel: an object by value.
func (a *ActivationProperties) objRef(iid, clsid security.GUID) *ObjRef {
	data := a.Append(nil)
	return &ObjRef{Kind: ObjRefCustom, IID: iid, CLSID: clsid, Data: data, Reserved: uint32(len(data) + 8)}
}

// activationProperties is the inverse of objRef.
func activationProperties(r *ObjRef, iid, clsid security.GUID) (*ActivationProperties, error) {
	if r == nil || r.Kind != ObjRefCustom || r.IID != iid || r.CLSID != clsid {
		return nil, &Error{HRESULT: RPC_E_INVALID_OBJREF, Detail: "the object is not activation properties"}
	}
	return ParseActivationProperties(r.Data)
}
