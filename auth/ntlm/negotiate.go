package ntlm

import "encoding/binary"

// negotiate is the initiator's first message. Its domain and workstation are hints in an OEM character set
// that nothing depends on: they are not read and not written. See [MS-NLMP] 2.2.1.1.
type negotiate struct{ flags uint32 }

func (m *negotiate) decode(b []byte) error {
	if err := header(b, typeNegotiate, 16); err != nil {
		return err
	}
	m.flags = binary.LittleEndian.Uint32(b[12:])
	return nil
}

func (m *negotiate) encode() []byte {
	w := newWriter(typeNegotiate, 40)
	w.uint32(12, m.flags)
	if m.flags&flagVersion != 0 {
		copy(w.b[32:], version[:])
	}
	return w.b
}
