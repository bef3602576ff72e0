// Package ntlm implements both ends of the connection-oriented NT LAN Manager authentication protocol:
// NTLMv2 responses, extended session security, message integrity codes, channel bindings, signing and
// sealing. NTLMv1 and LM responses are neither sent nor accepted. See [MS-NLMP].
package ntlm

import (
	"encoding/binary"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //nolint:staticcheck // the protocol fixes the algorithm
)

// NTHash returns the NT one-way function of a password: MD4 over its UTF-16LE form. The result is
// password-equivalent: keep it as secret as the password. See [MS-NLMP] 3.3.1, NTOWFv1.
func NTHash(password string) (hash [16]byte) {
	h := md4.New()
	h.Write(utf16le(password))
	h.Sum(hash[:0])
	return hash
}

// utf16le encodes a string as UTF-16 in little-endian order, without terminator.
func utf16le(s string) []byte {
	out := make([]byte, 0, 2*len(s))
	for _, r := range s {
		if r < 0x10000 {
			out = binary.LittleEndian.AppendUint16(out, uint16(r))
			continue
		}
		hi, lo := utf16.EncodeRune(r)
		out = binary.LittleEndian.AppendUint16(out, uint16(hi))
		out = binary.LittleEndian.AppendUint16(out, uint16(lo))
	}
	return out
}
