package dcom

import (
	"encoding/binary"

	"github.com/casementhq/casement/internal/ndr"
)

// A type that is serialized on its own has a common header (version 1, byte order, its length 8, filler) and a private header (the length of what
// follows, filler), sixteen octets in all. See [MS-RPCE] 2.2.6.1 and 2.2.6.2.
const serializedHeader = 16

func appendSerialized(b []byte, m ndr.Marshaler) []byte {
	e := ndr.NewEncoder(append(b, 1, 0x10, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc, 0, 0, 0, 0, 0, 0, 0, 0), ndr.Format{})
	m.MarshalNDR(e)
	e.Align(8)
	out := e.Buffer()
	binary.LittleEndian.PutUint32(out[len(b)+8:], uint32(e.Len()))
	return out
}

// decodeSerialized gives a decoder of what the headers announce.
func decodeSerialized(b []byte) (*ndr.Decoder, error) {
	d := ndr.NewDecoder(b, ndr.Format{})
	head := d.Raw(serializedHeader)
	if head == nil {
		return nil, d.Err()
	}
	big := head[1] == 0
	var order binary.ByteOrder = binary.LittleEndian
	if big {
		order = binary.BigEndian
	}
	if head[0] != 1 || head[1]&^0x10 != 0 || order.Uint16(head[2:]) != 8 {
		d.Fail("a serialized type with the header %x", head[:4])
		return nil, d.Err()
	}
	size := order.Uint32(head[8:])
	if size > uint32(d.Left()) {
		d.Fail("a serialized type of %d octets in %d", size, d.Left())
		return nil, d.Err()
	}
	return ndr.NewDecoder(b[serializedHeader:serializedHeader+int(size)], ndr.Format{BigEndian: big}), nil
}

func parseSerialized(b []byte, u ndr.Unmarshaler) error {
	d, err := decodeSerialized(b)
	if err != nil {
		return err
	}
	u.UnmarshalNDR(d)
	return d.Err()
}
