package dcerpc

import (
	"encoding/binary"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// request is the head of a request's body. See [C706] 12.6.4.9.
type request struct {
	allocHint uint32
	contextID uint16
	opnum     uint16
	object    security.GUID
	hasObject bool
}

// head is how many octets stand before the stub, with the common header.
func (r *request) head() int {
	if r.hasObject {
		return headerSize + callHead + objectSize
	}
	return headerSize + callHead
}

// decode reads the head; the stub follows at head().
func (r *request) decode(p *pdu) error {
	d := ndr.NewDecoder(p.raw[:headerSize+len(p.body)], p.format())
	d.Raw(headerSize)
	*r = request{allocHint: d.Uint32(), contextID: d.Uint16(), opnum: d.Uint16()}
	if p.flags&flagObject != 0 {
		r.hasObject, r.object = true, d.GUID()
	}
	if d.Err() != nil {
		return violation("a request of %d octets", len(p.raw))
	}
	return nil
}

func (r *request) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.allocHint)
	b = binary.LittleEndian.AppendUint16(b, r.contextID)
	b = binary.LittleEndian.AppendUint16(b, r.opnum)
	if r.hasObject {
		b = append(b, r.object[:]...)
	}
	return b
}

// response is the head of a response's body. See [C706] 12.6.4.10.
type response struct {
	allocHint   uint32
	contextID   uint16
	cancelCount uint8
	reserved    uint8
}

func (r *response) decode(p *pdu) error {
	d := ndr.NewDecoder(p.raw[:headerSize+len(p.body)], p.format())
	d.Raw(headerSize)
	*r = response{allocHint: d.Uint32(), contextID: d.Uint16(), cancelCount: d.Uint8(), reserved: d.Uint8()}
	if d.Err() != nil {
		return violation("a response of %d octets", len(p.raw))
	}
	return nil
}

func (r *response) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.allocHint)
	b = binary.LittleEndian.AppendUint16(b, r.contextID)
	return append(b, r.cancelCount, r.reserved)
}

// fault is the body of a fault. See [C706] 12.6.4.7 and [MS-RPCE] 2.2.2.8; a stub behind it is ignored.
type fault struct {
	response // reserved: bit 0 announces extended error information
	status   Status
}

// faultSize is what a fault without extended error information allocates and is long.
const faultSize = 32

func (f *fault) decode(p *pdu) error {
	d := p.decoder()
	*f = fault{response: response{allocHint: d.Uint32(), contextID: d.Uint16(), cancelCount: d.Uint8(), reserved: d.Uint8()}, status: Status(d.Uint32())}
	if d.Err() != nil {
		return violation("a fault of %d octets", len(p.raw))
	}
	return nil
}

func (f *fault) append(b []byte) []byte {
	b = f.response.append(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(f.status))
	return append(b, 0, 0, 0, 0)
}
