package iwbem

import (
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
)

// ClassObject is an object as it travels, by value: the encoding unit of [MS-WMIO] 2.2.1. nil is NULL. Package wmio reads and writes it.
type ClassObject []byte

// Context is an IWbemContext as it travels, by value. nil is NULL. [NewContext] and [Context.Values] write and read it.
type Context []byte

// ObjectSlot is an [in, out, unique] IWbemClassObject**: a place that a caller offers for an object, or not. The response has the place that its
// request had.
type ObjectSlot struct {
	Given  bool
	Object ClassObject
}

// RefSlot is the same for a reference.
type RefSlot struct {
	Given bool
	Ref   *dcom.ObjRef
}

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
func (s stub) ref(v **dcom.ObjRef) {
	present := *v != nil
	if s.pointer(&present); present {
		s.refBody(v)
	}
}

// refBody handles what such a pointer points to.
func (s stub) refBody(v **dcom.ObjRef) {
	if s.e != nil {
		(*v).MarshalNDR(s.e)
		return
	}
	r := new(dcom.ObjRef)
	if r.UnmarshalNDR(s.d); r.Kind != 0 { // clients offer a place for a result by a pointer to no octets, too
		*v = r
	}
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

// custom handles what a pointer to an interface points to that travels by value. The size in it means nothing to a reader; some trust it.
func (s stub) custom(v *[]byte, iid, clsid security.GUID) {
	if s.e != nil {
		r := dcom.ObjRef{Kind: dcom.ObjRefCustom, IID: iid, CLSID: clsid, Data: *v, Reserved: uint32(len(*v))}
		r.MarshalNDR(s.e)
		return
	}
	var r dcom.ObjRef
	r.UnmarshalNDR(s.d)
	switch {
	case s.d.Err() != nil, r.Kind == 0:
	case r.Kind != dcom.ObjRefCustom:
		s.d.Fail("an object by value in an OBJREF of kind %d", r.Kind)
	case r.IID != iid || r.CLSID != clsid:
		s.d.Fail("an object by value of interface %v, class %v", r.IID, r.CLSID)
	default:
		*v = r.Data
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
