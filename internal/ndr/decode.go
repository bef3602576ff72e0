package ndr

import (
	"encoding/binary"
	"math"
	"unicode/utf16"

	"github.com/casementhq/casement/security"
)

// Decoder reads a stub. After the first error every method returns zero values; Err tells what it was.
type Decoder struct {
	buf    []byte
	off    int
	format Format
	order  binary.ByteOrder
	err    error
}

// NewDecoder reads stub, which begins at an alignment of eight and is not copied.
func NewDecoder(stub []byte, f Format) *Decoder {
	d := &Decoder{buf: stub, format: f, order: binary.LittleEndian}
	if f.BigEndian {
		d.order = binary.BigEndian
	}
	return d
}

// Err is the first error, which is an ErrBadStub.
func (d *Decoder) Err() error { return d.err }

// Format is how the stub is represented.
func (d *Decoder) Format() Format { return d.format }

// Left is how many octets have not been read.
func (d *Decoder) Left() int { return len(d.buf) - d.off }

// Fail records an error of the caller's own, if there is none yet.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = bad(format, args...)
	}
}

// Raw reads n octets, which share the stub's memory.
func (d *Decoder) Raw(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > d.Left() {
		d.Fail("%d octets at offset %d of %d", n, d.off, len(d.buf))
		return nil
	}
	b := d.buf[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// Align skips to a multiple of n, a power of two. Octets of padding that are missing at the end are not an error: nothing follows them.
func (d *Decoder) Align(n int) {
	d.off = min((d.off+n-1)&^(n-1), len(d.buf))
}

// AlignWide aligns to wide in NDR64 and to narrow in NDR 2.0, for structures that hold counts or pointers.
func (d *Decoder) AlignWide(narrow, wide int) {
	if d.format.Wide {
		narrow = wide
	}
	d.Align(narrow)
}

func (d *Decoder) take(n int) []byte {
	d.Align(n)
	return d.Raw(n)
}

// Uint8 reads an octet.
func (d *Decoder) Uint8() uint8 {
	if b := d.Raw(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 reads an unsigned short, aligned.
func (d *Decoder) Uint16() uint16 {
	if b := d.take(2); b != nil {
		return d.order.Uint16(b)
	}
	return 0
}

// Uint32 reads an unsigned long, aligned.
func (d *Decoder) Uint32() uint32 {
	if b := d.take(4); b != nil {
		return d.order.Uint32(b)
	}
	return 0
}

// Uint64 reads a hyper, aligned.
func (d *Decoder) Uint64() uint64 {
	if b := d.take(8); b != nil {
		return d.order.Uint64(b)
	}
	return 0
}

// Int32 reads a long, aligned.
func (d *Decoder) Int32() int32 { return int32(d.Uint32()) }

// GUID reads a GUID, which aligns to four.
func (d *Decoder) GUID() security.GUID {
	var g security.GUID
	d.Align(4)
	b := d.Raw(16)
	if b == nil {
		return g
	}
	copy(g[:], b)
	if d.format.BigEndian {
		binary.LittleEndian.PutUint32(g[0:], binary.BigEndian.Uint32(b[0:]))
		binary.LittleEndian.PutUint16(g[4:], binary.BigEndian.Uint16(b[4:]))
		binary.LittleEndian.PutUint16(g[6:], binary.BigEndian.Uint16(b[6:]))
	}
	return g
}

// Pointer reads the identifier of a pointer and tells whether it is not NULL.
func (d *Decoder) Pointer() bool { return d.wide() != 0 }

func (d *Decoder) wide() uint64 {
	if d.format.Wide {
		return d.Uint64()
	}
	return uint64(d.Uint32())
}

// Count reads a count of elements (the size of a conformant array, an offset or a length), which has to be at most limit and, at size octets
// each, has to fit into what is left. A size of 0 asks for the limit alone.
func (d *Decoder) Count(limit, size int) int {
	n := d.wide()
	if d.err != nil {
		return 0
	}
	switch {
	case n > uint64(limit):
		d.Fail("%d elements at offset %d, at most %d are allowed", n, d.off, limit)
	case size > 0 && n > uint64(d.Left()/size):
		d.Fail("%d elements of %d octets at offset %d of %d", n, size, d.off, len(d.buf))
	default:
		return int(n)
	}
	return 0
}

// Bytes reads a conformant array of octets, which share the stub's memory.
func (d *Decoder) Bytes(limit int) []byte { return d.Raw(d.Count(limit, 1)) }

// ConformantWideString reads a conformant and varying string of UTF-16 units, of at most limit units with its terminator, and gives it without
// that.
func (d *Decoder) ConformantWideString(limit int) string {
	size := d.Count(math.MaxInt32, 0)
	offset := d.Count(0, 0)
	n := d.Count(limit, 2)
	if d.err == nil && n > size {
		d.Fail("a string of %d units in an array of %d", n, size)
	}
	d.Align(2)
	b := d.Raw(2 * n)
	if b == nil || offset != 0 {
		return ""
	}
	units := make([]uint16, n)
	for i := range units {
		units[i] = d.order.Uint16(b[2*i:])
	}
	for i, u := range units {
		if u == 0 {
			units = units[:i]
			break
		}
	}
	return string(utf16.Decode(units))
}
