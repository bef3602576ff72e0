package iwbem

import (
	"encoding/binary"

	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
)

// ClassObject is an object as it travels, by value: the encoding unit of [MS-WMIO] 2.2.1. nil is NULL. Package wmio reads and writes it.
type ClassObject []byte

// Context is an IWbemContext as it travels, by value. nil is NULL. [NewContext] and [Context.Values] write and read it.
type Context []byte

// ObjRef is a reference to an interface of an object: the octets of an OBJREF. nil is NULL. See [MS-DCOM] 2.2.18.
type ObjRef []byte

// ObjectSlot is an [in, out, unique] IWbemClassObject**: a place that a caller offers for an object, or not. The response has the place that its
// request had.
type ObjectSlot struct {
	Given  bool
	Object ClassObject
}

// RefSlot is the same for a reference.
type RefSlot struct {
	Given bool
	Ref   ObjRef
}

// The parts of an OBJREF_CUSTOM. See [MS-DCOM] 2.2.18.6.
const (
	objrefSignature = 0x574f454d // "MEOW"
	objrefCustom    = 4
	customHeader    = 48
)

// object handles an IWbemClassObject*.
func (s stub) object(v *ClassObject) {
	present := *v != nil
	if s.pointer(&present); present {
		s.objectBody(v)
	}
}

// objectBody handles what such a pointer points to.
func (s stub) objectBody(v *ClassObject) {
	s.custom((*[]byte)(v), wmi.IIDClassObject, wmi.CLSIDClassObject)
}

// context handles an IWbemContext*.
func (s stub) context(v *Context) {
	present := *v != nil
	if s.pointer(&present); present {
		s.custom((*[]byte)(v), wmi.IIDContext, wmi.CLSIDContext)
	}
}

// ref handles a pointer to an interface that is called.
func (s stub) ref(v *ObjRef) {
	present := *v != nil
	if s.pointer(&present); present {
		s.refBody(v)
	}
}

// refBody handles what such a pointer points to.
func (s stub) refBody(v *ObjRef) {
	if s.e != nil {
		s.interfacePointer(len(*v))
		s.e.Raw(*v)
		return
	}
	*v = s.d.Raw(s.interfacePointer(0))
}

func (s stub) objectSlot(v *ObjectSlot) {
	if s.pointer(&v.Given); v.Given {
		s.object(&v.Object)
	}
}

func (s stub) refSlot(v *RefSlot) {
	if s.pointer(&v.Given); v.Given {
		s.ref(&v.Ref)
	}
}

// interfacePointer handles the head of an MInterfacePointer, which says the size of the OBJREF that follows it. See [MS-DCOM] 2.2.14.
func (s stub) interfacePointer(size int) int {
	if s.e != nil {
		s.e.Count(size)
		s.e.Uint32(uint32(size))
		return size
	}
	size = s.d.Count(s.d.Left(), 1)
	if n := s.d.Uint32(); s.d.Err() == nil && uint64(n) != uint64(size) {
		s.d.Fail("an interface pointer of %d octets in %d", n, size)
		return 0
	}
	return size
}

// custom handles an MInterfacePointer with the OBJREF_CUSTOM of what travels by value. The size in it is arbitrary to a reader; some trust it.
func (s stub) custom(v *[]byte, iid, clsid security.GUID) {
	if s.e != nil {
		s.interfacePointer(customHeader + len(*v))
		s.e.AppendFunc(func(b []byte) []byte {
			b = binary.LittleEndian.AppendUint32(b, objrefSignature)
			b = binary.LittleEndian.AppendUint32(b, objrefCustom)
			b = append(append(b, iid[:]...), clsid[:]...)
			b = binary.LittleEndian.AppendUint32(b, 0)
			b = binary.LittleEndian.AppendUint32(b, uint32(len(*v)))
			return append(b, *v...)
		})
		return
	}
	b := s.d.Raw(s.interfacePointer(0))
	switch {
	case len(b) < customHeader:
		s.d.Fail("an object by value of %d octets", len(b))
	case binary.LittleEndian.Uint32(b) != objrefSignature || binary.LittleEndian.Uint32(b[4:]) != objrefCustom:
		s.d.Fail("an object by value in an OBJREF of kind %#x", b[:8])
	case security.GUID(b[8:24]) != iid || security.GUID(b[24:40]) != clsid:
		s.d.Fail("an object by value of interface %v, class %v", security.GUID(b[8:24]), security.GUID(b[24:40]))
	default:
		*v = b[customHeader:]
	}
}

// objects handles the elements of an array of IWbemClassObject*: all pointers, then what they point to.
func (s stub) objects(v []ClassObject) {
	present := make([]bool, len(v))
	for i := range v {
		present[i] = v[i] != nil
		s.pointer(&present[i])
	}
	for i := range v {
		if present[i] {
			s.objectBody(&v[i])
		}
	}
}
