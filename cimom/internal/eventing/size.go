package eventing

import (
	"unsafe"

	"github.com/casementhq/casement/cim"
)

const (
	valueSize    = int64(unsafe.Sizeof(cim.Value{}))
	instanceSize = int64(unsafe.Sizeof(cim.Instance{}))
)

// sizeOf is about how many bytes of memory an instance takes, its class left
// out.
func sizeOf(i *cim.Instance) int64 {
	n := instanceSize + valueSize*int64(i.Len())
	for p := range i.Len() {
		n += extra(i.At(p))
	}
	return n
}

// extra is what a value takes beside itself.
func extra(v cim.Value) int64 {
	if s, ok := v.Str(); ok {
		return int64(len(s))
	}
	if o := v.Object(); o != nil {
		return sizeOf(o)
	}
	var n int64
	for _, e := range v.Elems() {
		n += valueSize + extra(e)
	}
	return n
}
