package ntlm

import "encoding/binary"

// Fixed parts of an AUTHENTICATE message: without version and MIC (oldest peers), and with both.
const (
	authenticateShort = 64
	authenticateFull  = 88
	micOffset         = 72
)

// authenticate is the initiator's proof. See [MS-NLMP] 2.2.1.3. Byte fields alias the decoded message.
type authenticate struct {
	flags                     uint32
	domain, user, workstation string
	lmResponse, ntResponse    []byte
	encryptedKey              []byte
	mic                       [16]byte // valid if hasMIC
	hasMIC                    bool     // there is room for one: no payload begins before its end
}

func (m *authenticate) decode(b []byte) error {
	if err := header(b, typeAuthenticate, authenticateShort); err != nil {
		return err
	}
	m.flags = binary.LittleEndian.Uint32(b[60:])
	var parts [6][]byte
	m.hasMIC = len(b) >= authenticateFull
	for i := range parts {
		at := 12 + 8*i
		var err error
		if parts[i], err = field(b, at, authenticateShort); err != nil {
			return err
		}
		if parts[i] != nil && binary.LittleEndian.Uint32(b[at+4:]) < authenticateFull {
			m.hasMIC = false
		}
	}
	m.lmResponse, m.ntResponse, m.encryptedKey = parts[0], parts[1], parts[5]
	if m.hasMIC {
		copy(m.mic[:], b[micOffset:])
	}
	var err error
	if m.domain, err = text(parts[2], m.flags); err != nil {
		return err
	}
	if m.user, err = text(parts[3], m.flags); err != nil {
		return err
	}
	m.workstation, err = text(parts[4], m.flags)
	return err
}

// encode lays the message out as Windows does: names, responses, key.
func (m *authenticate) encode() ([]byte, error) {
	w := newWriter(typeAuthenticate, authenticateFull)
	w.uint32(60, m.flags)
	if m.flags&flagVersion != 0 {
		copy(w.b[64:], version[:])
	}
	copy(w.b[micOffset:], m.mic[:])
	for _, f := range []struct {
		at   int
		data []byte
	}{
		{28, encodeText(m.domain, m.flags)},
		{36, encodeText(m.user, m.flags)},
		{44, encodeText(m.workstation, m.flags)},
		{12, m.lmResponse},
		{20, m.ntResponse},
		{52, m.encryptedKey},
	} {
		if err := w.field(f.at, f.data); err != nil {
			return nil, err
		}
	}
	return w.b, nil
}
