package iwbem

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// stub is one direction of a stub: exactly one of its fields is set. Each of its methods writes what its argument points to, or reads into it, so that
// the layout of a message is written down once.
type stub struct {
	e *ndr.Encoder
	d *ndr.Decoder
}

func (s stub) uint32(v *uint32) {
	if s.e != nil {
		s.e.Uint32(*v)
		return
	}
	*v = s.d.Uint32()
}

func (s stub) int32(v *int32) {
	if s.e != nil {
		s.e.Int32(*v)
		return
	}
	*v = s.d.Int32()
}

func (s stub) guid(v *security.GUID) {
	if s.e != nil {
		s.e.GUID(*v)
		return
	}
	*v = s.d.GUID()
}

// alignWide aligns a structure that holds pointers.
func (s stub) alignWide() {
	if s.e != nil {
		s.e.AlignWide(4, 8)
		return
	}
	s.d.AlignWide(4, 8)
}

// alignEnd writes the gap at the end of a structure that holds pointers, which only NDR64 has: [MS-RPCE] 2.2.5.3.4.1.
func (s stub) alignEnd() {
	if s.e != nil {
		s.e.AlignWide(1, 8)
		return
	}
	s.d.AlignWide(1, 8)
}

// pointer handles the identifier of a pointer.
func (s stub) pointer(present *bool) {
	if s.e != nil {
		s.e.Pointer(*present)
		return
	}
	*present = s.d.Pointer()
}

// wide is the number of octets of a count or a pointer.
func (s stub) wide() int {
	if s.e != nil && s.e.Format().Wide || s.d != nil && s.d.Format().Wide {
		return 8
	}
	return 4
}

// String is a string that may be NULL, which some methods tell from an empty one.
type String struct {
	Text string
	Null bool // Text is ""
}

// userMarshal is the identifier that every pointer to a user-marshaled type has on the wire: "User".
const userMarshal = 0x72657355

// nullBSTR is the size of a BSTR that is NULL. See [MS-OAUT] 2.2.23.1.
const nullBSTR = 0xffff_ffff

// bstr handles a BSTR: a pointer to a FLAGGED_WORD_BLOB, little-endian whatever the rest of the stub is. See [MS-OAUT] 2.2.23.
func (s stub) bstr(v *String) {
	if s.e != nil {
		writeBSTR(s.e, *v)
		return
	}
	*v = readBSTR(s.d)
}

func writeBSTR(e *ndr.Encoder, v String) {
	units, size := utf16.Encode([]rune(v.Text)), uint32(nullBSTR)
	if !v.Null {
		size = uint32(2 * len(units))
	}
	e.AlignWide(4, 8)
	e.Uint32(userMarshal)
	e.AlignWide(4, 8)
	e.Count(len(units))
	e.Uint32(size)
	e.Uint32(uint32(len(units)))
	e.AppendFunc(func(b []byte) []byte {
		for _, u := range units {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		return b
	})
}

func readBSTR(d *ndr.Decoder) String {
	if !d.Pointer() {
		return String{Null: true}
	}
	d.AlignWide(4, 8)
	wide := 4
	if d.Format().Wide {
		wide = 8
	}
	head := d.Raw(wide + 8)
	if head == nil {
		return String{}
	}
	count := uint64(binary.LittleEndian.Uint32(head))
	if wide == 8 {
		count = binary.LittleEndian.Uint64(head)
	}
	size, units := binary.LittleEndian.Uint32(head[wide:]), binary.LittleEndian.Uint32(head[wide+4:])
	switch {
	case size == nullBSTR && units == 0 && count == 0:
		return String{Null: true}
	case uint64(units) != count || uint64(size) > 2*count || count > uint64(d.Left()/2):
		d.Fail("a string of %d octets in %d of %d units", size, units, count)
		return String{}
	}
	b := d.Raw(2 * int(count))
	text := make([]uint16, size/2)
	for i := range text {
		if text[i] = binary.LittleEndian.Uint16(b[2*i:]); text[i] == 0 {
			text = text[:i] // to its readers a BSTR ends there, and some clients send it
			break
		}
	}
	// Some clients, impacket among them, count the terminator of a C string in.
	return String{Text: strings.TrimRight(string(utf16.Decode(text)), "\x00")}
}

// uniqueText handles [unique, string] wchar_t*.
func (s stub) uniqueText(v *String) {
	present := !v.Null
	if s.pointer(&present); present {
		s.text(&v.Text)
	}
	v.Null = !present
}

// text handles what a pointer to a [string] wchar_t points to.
func (s stub) text(v *string) {
	if s.e != nil {
		s.e.ConformantWideString(*v)
		return
	}
	*v = s.d.ConformantWideString(s.d.Left())
}

// narrowText handles what a pointer to a [string] char points to.
func (s stub) narrowText(v *string) {
	if s.e != nil {
		n := len(*v) + 1
		s.e.Count(n)
		s.e.Count(0)
		s.e.Count(n)
		s.e.Raw([]byte(*v))
		s.e.Uint8(0)
		return
	}
	size := s.d.Count(maxElements, 0)
	s.d.Count(0, 0)
	b := s.d.Raw(s.d.Count(size, 1))
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	*v = string(b)
}

// bytes handles a conformant array of octets behind a pointer that is NULL for nil.
func (s stub) bytes(v *[]byte) {
	present := *v != nil
	if s.pointer(&present); present {
		s.array(v)
	}
}

// array handles a conformant array of octets.
func (s stub) array(v *[]byte) {
	if s.e != nil {
		s.e.Bytes(*v)
		return
	}
	*v = s.d.Bytes(s.d.Left())
}

// count handles the number of elements of a conformant array of at least size octets each.
func (s stub) count(n *int, size int) {
	if s.e != nil {
		s.e.Count(*n)
		return
	}
	*n = s.d.Count(maxElements, size)
}

// maxElements bounds every array of structures or interface pointers. See docs/dcom.md, Limits.
const maxElements = 65536
