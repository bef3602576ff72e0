package dcom

import (
	"encoding/binary"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// ObjRefKind is the form of an [ObjRef].
type ObjRefKind uint32

// The forms of [MS-DCOM] 2.2.18.
const (
	ObjRefStandard ObjRefKind = 1
	ObjRefHandler  ObjRefKind = 2
	ObjRefCustom   ObjRefKind = 4
	ObjRefExtended ObjRefKind = 8
)

const (
	objRefSignature   = 0x574f454d // "MEOW"
	extendedSignature = 0x4e535956
	maxObjRef         = 16 << 20
)

// StdNoPing (SORF_NOPING) in the flags of a [StdObjRef] asks the receiver not to ping for this object.
const StdNoPing uint32 = 0x1000

// StdObjRef names an interface of an object of an exporter, and how many references of it go to the receiver. See [MS-DCOM] 2.2.18.1.
type StdObjRef struct {
	Flags      uint32
	PublicRefs uint32
	OXID, OID  uint64
	IPID       security.GUID
}

// marshal writes a STDOBJREF as an argument; within an OBJREF the octets are the same.
func (s *StdObjRef) marshal(e *ndr.Encoder) {
	e.Align(8)
	e.Uint32(s.Flags)
	e.Uint32(s.PublicRefs)
	e.Uint64(s.OXID)
	e.Uint64(s.OID)
	e.GUID(s.IPID)
}

func (s *StdObjRef) unmarshal(d *ndr.Decoder) {
	d.Align(8)
	s.Flags, s.PublicRefs = d.Uint32(), d.Uint32()
	s.OXID, s.OID = d.Uint64(), d.Uint64()
	s.IPID = d.GUID()
}

// ObjRef is a reference to an object as it travels, or an object by value. See [MS-DCOM] 2.2.18.
//
// As an argument it is an MInterfacePointer; the pointer before it, which is NULL where there is no object, is written and read by who knows
// where it stands.
type ObjRef struct {
	Kind ObjRefKind
	// IID is the interface that is referred to.
	IID security.GUID
	// Std and Resolver are set unless the kind is Custom. Resolver is where the object's OXID can be resolved.
	Std      StdObjRef
	Resolver DualStringArray
	// CLSID is of a Handler the class of the handler, of a Custom the class that understands Data.
	CLSID security.GUID
	// Data is of a Custom the object, of an Extended its context in the form of [Context]. It shares the memory of what it was read from.
	Data []byte
	// Reserved of a Custom has no meaning; Windows writes a size there.
	Reserved uint32
	// DataID names the context of an Extended.
	DataID security.GUID
}

// ParseObjRef reads an OBJREF. What is wrong is an [*Error] with RPC_E_INVALID_OBJREF.
func ParseObjRef(b []byte) (*ObjRef, error) {
	r := new(ObjRef)
	d := ndr.NewDecoder(b, ndr.Format{})
	r.get(d)
	if d.Err() != nil {
		return nil, &Error{HRESULT: RPC_E_INVALID_OBJREF, Err: d.Err()}
	}
	return r, nil
}

// Append appends the OBJREF.
func (r *ObjRef) Append(b []byte) []byte {
	e := ndr.NewEncoder(b, ndr.Format{})
	r.put(e)
	return e.Buffer()
}

// MarshalNDR writes an MInterfacePointer, without the pointer to it ([MS-DCOM] 2.2.14).
func (r *ObjRef) MarshalNDR(e *ndr.Encoder) { marshalInterfacePointer(e, r.Append(nil)) }

// UnmarshalNDR reads an MInterfacePointer, without the pointer to it. One of no octets refers to nothing: r stays without a Kind.
func (r *ObjRef) UnmarshalNDR(d *ndr.Decoder) {
	b := unmarshalInterfacePointer(d)
	if d.Err() != nil || len(b) == 0 {
		return
	}
	inner := ndr.NewDecoder(b, ndr.Format{})
	r.get(inner)
	if inner.Err() != nil {
		d.Fail("%v", inner.Err())
	}
}

func marshalInterfacePointer(e *ndr.Encoder, b []byte) {
	e.Count(len(b))
	e.Uint32(uint32(len(b)))
	e.Raw(b)
}

func unmarshalInterfacePointer(d *ndr.Decoder) []byte {
	n := d.Count(maxObjRef, 1)
	if size := d.Uint32(); d.Err() == nil && size != uint32(n) {
		d.Fail("an interface pointer of %d octets in an array of %d", size, n)
	}
	return d.Raw(n)
}

// marshalObjRefs writes an array of pointers to MInterfacePointer, and then those that are not nil.
func marshalObjRefs(e *ndr.Encoder, refs []*ObjRef) {
	e.Count(len(refs))
	for _, r := range refs {
		e.Pointer(r != nil)
	}
	for _, r := range refs {
		if r != nil {
			r.MarshalNDR(e)
		}
	}
}

func unmarshalObjRefs(d *ndr.Decoder) []*ObjRef {
	n := d.Count(maxInterfaces, 4)
	refs := make([]*ObjRef, n)
	for i := range refs {
		if d.Pointer() {
			refs[i] = new(ObjRef)
		}
	}
	for i, r := range refs {
		refs[i] = unmarshalObjRef(d, r != nil)
	}
	return refs
}

func (r *ObjRef) put(e *ndr.Encoder) {
	e.Uint32(objRefSignature)
	e.Uint32(uint32(r.Kind))
	e.GUID(r.IID)
	if r.Kind == ObjRefCustom {
		e.GUID(r.CLSID)
		e.Uint32(0) // cbExtension
		e.Uint32(r.Reserved)
		e.Raw(r.Data)
		return
	}
	r.Std.marshal(e)
	switch r.Kind {
	case ObjRefHandler:
		e.GUID(r.CLSID)
	case ObjRefExtended:
		e.Uint32(extendedSignature)
	}
	units, security := r.Resolver.units()
	r.Resolver.put(e, units, security)
	if r.Kind == ObjRefExtended {
		// What follows the bindings is not aligned.
		rounded := (len(r.Data) + 7) &^ 7
		e.AppendFunc(func(b []byte) []byte {
			b = binary.LittleEndian.AppendUint32(b, 1)
			b = binary.LittleEndian.AppendUint32(b, extendedSignature)
			b = append(b, r.DataID[:]...)
			b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Data)))
			b = binary.LittleEndian.AppendUint32(b, uint32(rounded))
			return append(b, r.Data...)
		})
		clear(e.Grow(rounded - len(r.Data)))
	}
}

func (r *ObjRef) get(d *ndr.Decoder) {
	if signature := d.Uint32(); d.Err() == nil && signature != objRefSignature {
		d.Fail("an OBJREF does not begin with %#x", signature)
	}
	r.Kind = ObjRefKind(d.Uint32())
	r.IID = d.GUID()
	switch r.Kind {
	case ObjRefCustom:
		r.CLSID = d.GUID()
		d.Uint32() // cbExtension
		r.Reserved = d.Uint32()
		r.Data = d.Raw(d.Left())
		return
	case ObjRefStandard, ObjRefHandler, ObjRefExtended:
	default:
		d.Fail("an OBJREF of kind %#x", uint32(r.Kind))
		return
	}
	r.Std.unmarshal(d)
	switch r.Kind {
	case ObjRefHandler:
		r.CLSID = d.GUID()
	case ObjRefExtended:
		if signature := d.Uint32(); d.Err() == nil && signature != extendedSignature {
			d.Fail("an extended OBJREF with the signature %#x", signature)
		}
	}
	r.Resolver.get(d, -1)
	if r.Kind == ObjRefExtended {
		r.getExtended(d)
	}
}

// getExtended reads what follows the bindings, which is not aligned: one DATAELEMENT ([MS-DCOM] 2.2.18.8).
func (r *ObjRef) getExtended(d *ndr.Decoder) {
	head := d.Raw(8)
	if head == nil {
		return
	}
	if n, signature := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:]); n != 1 || signature != extendedSignature {
		d.Fail("an extended OBJREF of %d elements with the signature %#x", n, signature)
		return
	}
	element := d.Raw(24)
	if element == nil {
		return
	}
	copy(r.DataID[:], element)
	size, rounded := binary.LittleEndian.Uint32(element[16:]), binary.LittleEndian.Uint32(element[20:])
	if size == 0 || size > maxObjRef || rounded != (size+7)&^7 {
		d.Fail("a context of %d octets in %d", size, rounded)
		return
	}
	if data := d.Raw(int(rounded)); data != nil {
		r.Data = data[:size:size]
	}
}
