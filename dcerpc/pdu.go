package dcerpc

import (
	"encoding/binary"
	"fmt"

	"github.com/casementhq/casement/internal/ndr"
)

// pduType is PTYPE of the common header. See [C706] 12.6.1 and [MS-RPCE] 2.2.2.10.
type pduType uint8

const (
	pduRequest   pduType = 0
	pduResponse  pduType = 2
	pduFault     pduType = 3
	pduBind      pduType = 11
	pduBindAck   pduType = 12
	pduBindNak   pduType = 13
	pduAlter     pduType = 14
	pduAlterResp pduType = 15
	pduAuth3     pduType = 16
	pduShutdown  pduType = 17
	pduCancel    pduType = 18
	pduOrphaned  pduType = 19
)

var pduNames = map[pduType]string{
	pduRequest: "request", pduResponse: "response", pduFault: "fault", pduBind: "bind", pduBindAck: "bind_ack", pduBindNak: "bind_nak",
	pduAlter: "alter_context", pduAlterResp: "alter_context_resp", pduAuth3: "auth3", pduShutdown: "shutdown", pduCancel: "co_cancel",
	pduOrphaned: "orphaned",
}

func (t pduType) String() string {
	if s, ok := pduNames[t]; ok {
		return s
	}
	return fmt.Sprintf("PDU type %d", uint8(t))
}

// Flags of the common header. Two bits have a second meaning in PDUs that build contexts. See [C706] 12.6.3.1, [MS-RPCE] 2.2.2.3.
const (
	flagFirst         uint8 = 0x01
	flagLast          uint8 = 0x02
	flagPendingCancel uint8 = 0x04
	flagHeaderSign    uint8 = 0x04
	flagConcMpx       uint8 = 0x10
	flagDidNotExecute uint8 = 0x20
	flagMaybe         uint8 = 0x40
	flagObject        uint8 = 0x80
)

const (
	headerSize  = 16
	trailerSize = 8
	callHead    = 8 // between the common header and the stub: allocation hint, context, operation or counts
	objectSize  = 16
	// Each fragment ends on this boundary before its trailer. See [MS-RPCE] 2.2.2.11.
	padTo = 16
)

// header is the common header of every PDU.
type header struct {
	minor     uint8
	kind      pduType
	flags     uint8
	bigEndian bool
	// rep is the data representation as it came: four octets.
	rep     [4]byte
	fragLen int
	authLen int
	callID  uint32
}

// decodeHeader reads the first sixteen octets. Major versions other than 5 are refused here; what a wrong minor version means depends on the PDU.
func decodeHeader(b []byte) (header, error) {
	h := header{minor: b[1], kind: pduType(b[2]), flags: b[3], rep: [4]byte(b[4:8]), bigEndian: b[4]>>4 == 0}
	var order binary.ByteOrder = binary.LittleEndian
	if h.bigEndian {
		order = binary.BigEndian
	}
	h.fragLen, h.authLen = int(order.Uint16(b[8:])), int(order.Uint16(b[10:]))
	h.callID = order.Uint32(b[12:])
	switch {
	case b[0] != 5:
		return h, notRPC(b)
	case h.fragLen < headerSize:
		return h, violation("a fragment of %d octets", h.fragLen)
	case h.authLen > 0 && headerSize+trailerSize+h.authLen > h.fragLen:
		return h, violation("an authentication token of %d octets in a fragment of %d", h.authLen, h.fragLen)
	}
	return h, nil
}

// appendHeader writes a common header whose lengths finish fills in.
func appendHeader(b []byte, kind pduType, flags uint8, callID uint32) []byte {
	b = append(b, 5, 0, uint8(kind), flags, 0x10, 0, 0, 0, 0, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(b, callID)
}

// finishHeader fills in the lengths of the PDU that begins at b[0].
func finishHeader(b []byte, authLen int) []byte {
	binary.LittleEndian.PutUint16(b[8:], uint16(len(b)))
	binary.LittleEndian.PutUint16(b[10:], uint16(authLen))
	return b
}

// trailer is sec_trailer, [MS-RPCE] 2.2.2.11.
type trailer struct {
	kind      AuthType
	level     Level
	pad       uint8
	reserved  uint8
	contextID uint32
}

func (t trailer) append(b []byte) []byte {
	b = append(b, uint8(t.kind), uint8(t.level), t.pad, t.reserved)
	return binary.LittleEndian.AppendUint32(b, t.contextID)
}

// pdu is one fragment as it came. Its slices share the memory of the reader and are valid until the next read.
type pdu struct {
	header
	raw     []byte // all of it
	body    []byte // after the common header, with the padding, without the trailer
	trailer trailer
	token   []byte
}

// split cuts a whole fragment into body, trailer and token.
func (p *pdu) split(raw []byte) error {
	p.raw, p.token, p.trailer = raw, nil, trailer{}
	p.body = raw[headerSize:]
	if p.authLen == 0 {
		return nil
	}
	at := len(raw) - p.authLen - trailerSize
	t := raw[at : at+trailerSize]
	var order binary.ByteOrder = binary.LittleEndian
	if p.bigEndian {
		order = binary.BigEndian
	}
	p.trailer = trailer{kind: AuthType(t[0]), level: Level(t[1]), pad: t[2], reserved: t[3], contextID: order.Uint32(t[4:])}
	p.token = raw[at+trailerSize:]
	p.body = raw[headerSize:at]
	room := len(p.body)
	if p.kind >= pduBind && p.kind <= pduAuth3 {
		room = max(0, room-callHead) // as Windows counts; the padding itself may be part of what is read
	}
	if int(p.trailer.pad) > room {
		return violation("%d octets of padding in a body of %d", p.trailer.pad, len(p.body))
	}
	return nil
}

func (p *pdu) format() ndr.Format { return ndr.Format{BigEndian: p.bigEndian} }

// decoder reads the body of a PDU that carries no stub; alignment counts from the beginning of the PDU.
func (p *pdu) decoder() *ndr.Decoder {
	d := ndr.NewDecoder(p.raw[:headerSize+len(p.body)], p.format())
	d.Raw(headerSize)
	return d
}
