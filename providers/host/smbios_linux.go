package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/siderolabs/go-smbios/smbios"

	"github.com/casementhq/casement/cim"
)

// mostSMBIOS bounds how much of the table is read; real ones have a few kilobytes.
const mostSMBIOS = 1 << 20

// structure is one structure of the SMBIOS table. A field that the firmware's version of it does not have is absent,
// rather than zero. See DMTF DSP0134 6.1.
type structure struct {
	kind    uint8
	handle  uint16 // by which others refer to it
	body    []byte // without the header of four bytes
	strings []string
}

// Types of structures. See DMTF DSP0134 7.
const (
	smbiosBIOS          = 0
	smbiosBaseBoard     = 2
	smbiosEnclosure     = 3
	smbiosConfigOptions = 12
	smbiosLanguages     = 13
	smbiosMemoryArray   = 16
	smbiosMemoryDevice  = 17
)

// smbios are the structures of the firmware's table; none where it is absent or not readable for the service.
func (p *Provider) smbios(kinds ...uint8) []structure {
	b, err := os.ReadFile(filepath.Join(p.root, "sys/firmware/dmi/tables/DMI"))
	if err != nil {
		return nil
	}
	out, err := decodeSMBIOS(b[:min(len(b), mostSMBIOS)], kinds)
	if err != nil {
		p.log.Warn("the SMBIOS table cannot be read", "error", err)
	}
	return out
}

// decodeSMBIOS takes the structures of some types out of a table. The module reads the known types while it splits the
// table, and panics where one is shorter than it expects.
func decodeSMBIOS(b []byte, kinds []uint8) (out []structure, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = nil, fmt.Errorf("a structure of SMBIOS is too short: %v", v)
		}
	}()
	table, err := smbios.Decode(bytes.NewReader(b), smbios.Version{})
	if err != nil {
		return nil, err
	}
	for _, s := range table.Structures {
		if bytes.IndexByte(kinds, s.Header.Type) >= 0 {
			out = append(out, structure{kind: s.Header.Type, handle: s.Header.Handle, body: s.Formatted, strings: s.Strings})
		}
	}
	return out, nil
}

// field are n bytes at an offset that counts from the header, as the specification does.
func (s *structure) field(offset, n int) ([]byte, bool) {
	at := offset - 4
	if at < 0 || at+n > len(s.body) {
		return nil, false
	}
	return s.body[at : at+n], true
}

// number is a little-endian number of n bytes.
func (s *structure) number(offset, n int) (v uint64, ok bool) {
	b, ok := s.field(offset, n)
	for i := range b {
		v |= uint64(b[i]) << (8 * i)
	}
	return v, ok
}

// known is number, unless it is one of those that stand for "unknown".
func (s *structure) known(offset, n int, unknown ...uint64) (uint64, bool) {
	v, ok := s.number(offset, n)
	for _, u := range unknown {
		ok = ok && v != u
	}
	return v, ok
}

// value is [structure.known] as a value of type t.
func (s *structure) value(t cim.Type, offset, n int, unknown ...uint64) cim.Value {
	v, ok := s.known(offset, n, unknown...)
	if !ok {
		return cim.Null(t)
	}
	return cim.Uint(t, v)
}

// flag is one bit of a byte.
func (s *structure) flag(offset int, bit uint) cim.Value {
	v, ok := s.number(offset, 1)
	if !ok {
		return cim.Null(cim.Boolean)
	}
	return cim.Bool(v>>bit&1 != 0)
}

// text is the string whose number stands at offset, NULL where it has none or only says that nobody filled it.
func (s *structure) text(offset int) cim.Value {
	n, ok := s.number(offset, 1)
	if !ok || n == 0 || n > uint64(len(s.strings)) {
		return cim.Null(cim.String)
	}
	return strOrNull(filled(strings.ToValidUTF8(s.strings[n-1], "\uFFFD")))
}
