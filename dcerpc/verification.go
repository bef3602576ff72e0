package dcerpc

import (
	"bytes"
	"encoding/binary"
)

// The verification trailer repeats behind the stub of a request what the header says, so that it is signed with the stub where headers are
// not. See [MS-RPCE] 2.2.2.13.

var verificationMark = []byte{0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71}

const (
	vtBitmask  = 1
	vtContext  = 2
	vtHeader   = 3
	vtCommand  = 0x3fff
	vtEnd      = 0x4000
	vtRequired = 0x8000

	vtHeaderSigning = 1 // a bit of vtBitmask

	// The mark is looked for in this much of a stub's end: eight octets, three commands, and padding.
	vtReach = 8 + 8 + 44 + 20 + 16
)

// verified is what the trailer has to agree with.
type verified struct {
	rep         [4]byte
	callID      uint32
	contextID   uint16
	opnum       uint16
	abstract    SyntaxID
	transfer    SyntaxID
	headerSigns bool // the client offered to sign headers
}

func (v *verified) syntaxes() []byte {
	b := make([]byte, 0, 40)
	for _, s := range []SyntaxID{v.abstract, v.transfer} {
		b = append(b, s.UUID[:]...)
		b = binary.LittleEndian.AppendUint16(b, s.Major)
		b = binary.LittleEndian.AppendUint16(b, s.Minor)
	}
	return b
}

// cutVerification finds a trailer at the end of a request's stub, checks it and cuts it off with its padding unknown: a stub may keep up to
// three octets of it. ok is false if it contradicts the request or demands what is not understood.
func cutVerification(stub []byte, v *verified) (rest []byte, ok bool) {
	from := max(0, len(stub)-vtReach)
	i := bytes.LastIndex(stub[from:], verificationMark)
	if i < 0 {
		return stub, true
	}
	at := from + i
	if at&3 != 0 {
		return stub, true // not a trailer: those are aligned
	}
	for b := stub[at+len(verificationMark):]; ; {
		if len(b) < 4 {
			return stub, false
		}
		command, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		b = b[4:]
		if size&3 != 0 || size > len(b) {
			return stub, false
		}
		if !v.agrees(command, b[:size]) {
			return stub, false
		}
		b = b[size:]
		if command&vtEnd != 0 {
			return stub[:at], true
		}
	}
}

// agrees checks one command.
func (v *verified) agrees(command uint16, value []byte) bool {
	switch command & vtCommand {
	case vtBitmask:
		return len(value) == 4 && (binary.LittleEndian.Uint32(value)&vtHeaderSigning == 0 || v.headerSigns)
	case vtContext:
		return bytes.Equal(value, v.syntaxes())
	case vtHeader:
		return len(value) == 16 && value[0] == uint8(pduRequest) && [4]byte(value[4:8]) == v.rep &&
			binary.LittleEndian.Uint32(value[8:]) == v.callID && binary.LittleEndian.Uint16(value[12:]) == v.contextID &&
			binary.LittleEndian.Uint16(value[14:]) == v.opnum
	}
	return command&vtRequired == 0
}

// appendVerification writes the trailer behind a stub that began at an alignment of four. Windows sends the bitmask with the first request of
// a connection, the context with the first of a presentation context, and the header where headers are not signed.
func appendVerification(b []byte, stub int, v *verified, bitmask, context, header bool) []byte {
	if !bitmask && !context && !header {
		return b
	}
	for (len(b)-stub)&3 != 0 {
		b = append(b, 0)
	}
	b = append(b, verificationMark...)
	command := func(c uint16, last bool, size int) {
		if last {
			c |= vtEnd
		}
		b = binary.LittleEndian.AppendUint16(b, c)
		b = binary.LittleEndian.AppendUint16(b, uint16(size))
	}
	if bitmask {
		command(vtBitmask, !context && !header, 4)
		bits := uint32(0)
		if v.headerSigns {
			bits = vtHeaderSigning
		}
		b = binary.LittleEndian.AppendUint32(b, bits)
	}
	if header {
		command(vtHeader, !context, 16)
		b = append(b, uint8(pduRequest), 0, 0, 0)
		b = append(b, v.rep[:]...)
		b = binary.LittleEndian.AppendUint32(b, v.callID)
		b = binary.LittleEndian.AppendUint16(b, v.contextID)
		b = binary.LittleEndian.AppendUint16(b, v.opnum)
	}
	if context {
		command(vtContext, true, 40)
		b = append(b, v.syntaxes()...)
	}
	return b
}
