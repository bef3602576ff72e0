// Package ndr reads and writes the Network Data Representation that carries the arguments of remote procedure calls: NDR 2.0 of
// [C706] chapter 14 and NDR64 of [MS-RPCE] 2.2.5.
//
// Stubs are written by hand, in the order of the wire: what a pointer embedded in a structure points to comes after the structure. A
// Decoder and an Encoder hide what differs between the two representations (the width of counts and pointers, alignment) and
// remember the first error, so that a stub reads as a list of its fields and asks Err once.
package ndr

import (
	"errors"
	"fmt"
)

// Format is how a stub is represented.
type Format struct {
	// Wide is NDR64: counts and pointers have eight octets.
	Wide bool
	// BigEndian integers are read where the peer's data representation says so; an Encoder always writes little-endian.
	BigEndian bool
}

// Marshaler is what can be written into a stub.
type Marshaler interface{ MarshalNDR(e *Encoder) }

// Unmarshaler is what can be read from a stub; what is wrong shows in the Decoder's Err.
type Unmarshaler interface{ UnmarshalNDR(d *Decoder) }

// ErrBadStub is what every error of a Decoder is: RPC_X_BAD_STUB_DATA, 0x000006F7.
var ErrBadStub = errors.New("malformed stub data")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadStub, fmt.Sprintf(format, args...))
}
