package security

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is a GUID in the byte order of its packet form. The zero value is the nil GUID. See [MS-DTYP] 2.3.4.2.
type GUID [16]byte

// ParseGUID reads XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX, with or without curly braces.
func ParseGUID(text string) (GUID, error) {
	t := text
	if len(t) == 38 && t[0] == '{' && t[37] == '}' {
		t = t[1:37]
	}
	var raw [16]byte
	if len(t) == 36 && t[8] == '-' && t[13] == '-' && t[18] == '-' && t[23] == '-' {
		digits := t[:8] + t[9:13] + t[14:18] + t[19:23] + t[24:]
		if n, err := hex.Decode(raw[:], []byte(digits)); err == nil && n == 16 {
			return swapGUID(raw), nil
		}
	}
	return GUID{}, fmt.Errorf("malformed GUID %.60q", text)
}

// String returns the GUID in lower case, without braces.
func (g GUID) String() string {
	raw := swapGUID(g)
	d := hex.EncodeToString(raw[:])
	return strings.Join([]string{d[:8], d[8:12], d[12:16], d[16:20], d[20:]}, "-")
}

// swapGUID exchanges text order and packet order of the first three fields.
func swapGUID(in [16]byte) (out GUID) {
	out = in
	binary.LittleEndian.PutUint32(out[0:], binary.BigEndian.Uint32(in[0:]))
	binary.LittleEndian.PutUint16(out[4:], binary.BigEndian.Uint16(in[4:]))
	binary.LittleEndian.PutUint16(out[6:], binary.BigEndian.Uint16(in[6:]))
	return out
}
