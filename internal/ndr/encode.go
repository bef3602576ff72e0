package ndr

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/casementhq/casement/security"
)

// Encoder writes a stub, little-endian.
type Encoder struct {
	buf      []byte
	start    int // where the stub begins in buf
	format   Format
	referent uint32
}

// NewEncoder appends a stub to buf, which may be nil; alignment counts from there.
func NewEncoder(buf []byte, f Format) *Encoder {
	return &Encoder{buf: buf, start: len(buf), format: Format{Wide: f.Wide}}
}

// Reset begins a stub anew over buf[:0], for reuse of its memory.
func (e *Encoder) Reset(f Format) {
	e.buf, e.start, e.format, e.referent = e.buf[:0], 0, Format{Wide: f.Wide}, 0
}

// Buffer is everything so far, with what stood before the stub.
func (e *Encoder) Buffer() []byte { return e.buf }

// Stub is the stub so far.
func (e *Encoder) Stub() []byte { return e.buf[e.start:] }

// Len is how many octets the stub has so far.
func (e *Encoder) Len() int { return len(e.buf) - e.start }

// Format is how the stub is represented.
func (e *Encoder) Format() Format { return e.format }

// Raw writes octets as they are.
func (e *Encoder) Raw(b []byte) { e.buf = append(e.buf, b...) }

// Grow writes n zero octets and returns them to be filled in; they are valid until the next write.
func (e *Encoder) Grow(n int) []byte {
	e.buf = append(e.buf, make([]byte, n)...)
	return e.buf[len(e.buf)-n:]
}

// AppendFunc lets f append to the stub's memory.
func (e *Encoder) AppendFunc(f func([]byte) []byte) { e.buf = f(e.buf) }

var zeros [16]byte

// Align pads with zeros to a multiple of n, a power of two up to 16.
func (e *Encoder) Align(n int) {
	if rest := e.Len() & (n - 1); rest != 0 {
		e.buf = append(e.buf, zeros[:n-rest]...)
	}
}

// AlignWide aligns to wide in NDR64 and to narrow in NDR 2.0, for structures that hold counts or pointers.
func (e *Encoder) AlignWide(narrow, wide int) {
	if e.format.Wide {
		narrow = wide
	}
	e.Align(narrow)
}

// Uint8 writes an octet.
func (e *Encoder) Uint8(v uint8) { e.buf = append(e.buf, v) }

// Uint16 writes an unsigned short, aligned.
func (e *Encoder) Uint16(v uint16) {
	e.Align(2)
	e.buf = binary.LittleEndian.AppendUint16(e.buf, v)
}

// Uint32 writes an unsigned long, aligned.
func (e *Encoder) Uint32(v uint32) {
	e.Align(4)
	e.buf = binary.LittleEndian.AppendUint32(e.buf, v)
}

// Uint64 writes a hyper, aligned.
func (e *Encoder) Uint64(v uint64) {
	e.Align(8)
	e.buf = binary.LittleEndian.AppendUint64(e.buf, v)
}

// Int32 writes a long, aligned.
func (e *Encoder) Int32(v int32) { e.Uint32(uint32(v)) }

// GUID writes a GUID, which aligns to four.
func (e *Encoder) GUID(g security.GUID) {
	e.Align(4)
	e.buf = append(e.buf, g[:]...)
}

// Pointer writes the identifier of a pointer, NULL unless it is present, and gives back present. What it points to is the caller's to write, where the
// representation wants it.
func (e *Encoder) Pointer(present bool) bool {
	var id uint32
	if present {
		e.referent += 4
		id = 0x0002_0000 - 4 + e.referent
	}
	if e.format.Wide {
		e.Uint64(uint64(id))
	} else {
		e.Uint32(id)
	}
	return present
}

// Count writes a count of elements.
func (e *Encoder) Count(n int) {
	if e.format.Wide {
		e.Uint64(uint64(n))
	} else {
		e.Uint32(uint32(n))
	}
}

// Bytes writes a conformant array of octets.
func (e *Encoder) Bytes(b []byte) {
	e.Count(len(b))
	e.Raw(b)
}

// ConformantWideString writes a conformant and varying string of UTF-16 units with its terminator.
func (e *Encoder) ConformantWideString(s string) {
	units := utf16.Encode([]rune(s))
	n := len(units) + 1
	e.Count(n)
	e.Count(0)
	e.Count(n)
	for _, u := range units {
		e.buf = binary.LittleEndian.AppendUint16(e.buf, u)
	}
	e.buf = append(e.buf, 0, 0)
}
