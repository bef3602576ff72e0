package host

import (
	"fmt"

	"github.com/casementhq/casement/cim"
)

const smbiosProcessor = 4

// populatedSockets are the processors that SMBIOS describes, without empty sockets and coprocessors. See DMTF DSP0134
// 7.5.
func (p *Provider) populatedSockets() []structure {
	var out []structure
	for _, s := range p.smbios(smbiosProcessor) {
		kind, _ := s.number(0x05, 1)
		status, ok := s.number(0x18, 1)
		if kind == 3 && ok && status&0x40 != 0 {
			out = append(out, s)
		}
	}
	return out
}

func firmwareText(name string, offset int) cpuColumn {
	return cpuColumn{name: name, need: cpuFirmware, get: func(r *cpuRow) cim.Value { return r.firmware.text(offset) }}
}

func firmwareNumber(name string, t cim.Type, get func(*structure) cim.Value) cpuColumn {
	return cpuColumn{name: name, need: cpuFirmware, get: func(r *cpuRow) cim.Value {
		if v := get(&r.firmware); !v.IsNull() {
			return v
		}
		return cim.Null(t)
	}}
}

// cpuFamily is the number of SMBIOS, which is that of the class; it stands in a field of its own from 0xFE on.
func cpuFamily(s *structure) cim.Value {
	if n, ok := s.number(0x06, 1); ok && n == 0xFE {
		return s.value(cim.Uint16, 0x28, 2, 0, 2)
	}
	return s.value(cim.Uint16, 0x06, 1, 0, 2)
}

// cpuID is what CPUID told: the features and the signature, as one number in 16 digits.
func cpuID(s *structure) cim.Value {
	n, ok := s.known(0x08, 8, 0)
	if !ok {
		return cim.Value{}
	}
	return cim.Str(fmt.Sprintf("%016X", n))
}

// cpuVoltage is in tenths of a volt where SMBIOS gives it as a number.
func cpuVoltage(s *structure) cim.Value {
	n, ok := s.number(0x11, 1)
	if !ok || n&0x80 == 0 || n == 0x80 {
		return cim.Value{}
	}
	return cim.U16(uint16(n & 0x7F))
}
