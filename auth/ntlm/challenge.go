package ntlm

import "encoding/binary"

// challenge is the acceptor's answer to negotiate. See [MS-NLMP] 2.2.1.2.
type challenge struct {
	flags           uint32
	serverChallenge [8]byte
	targetName      string
	targetInfo      avPairs
}

func (m *challenge) decode(b []byte) error {
	if err := header(b, typeChallenge, 32); err != nil {
		return err
	}
	m.flags = binary.LittleEndian.Uint32(b[20:])
	copy(m.serverChallenge[:], b[24:])
	name, err := field(b, 12, 32)
	if err != nil {
		return err
	}
	if m.targetName, err = text(name, m.flags); err != nil {
		return err
	}
	m.targetInfo = nil
	if m.flags&flagTargetInfo == 0 {
		return nil
	}
	if len(b) < 48 {
		return badToken("challenge announces target information and ends before it")
	}
	info, err := field(b, 40, 48)
	if err != nil {
		return err
	}
	m.targetInfo, err = decodeAvPairs(info)
	return err
}

func (m *challenge) encode() ([]byte, error) {
	w := newWriter(typeChallenge, 56)
	w.uint32(20, m.flags)
	copy(w.b[24:], m.serverChallenge[:])
	if m.flags&flagVersion != 0 {
		copy(w.b[48:], version[:])
	}
	if err := w.field(12, encodeText(m.targetName, m.flags)); err != nil {
		return nil, err
	}
	if err := w.field(40, m.targetInfo.encode()); err != nil {
		return nil, err
	}
	return w.b, nil
}
