package host

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// Values of a memory device that stand for others. See DMTF DSP0134 7.18.
const (
	noModule        = 0
	sizeUnknown     = 0xFFFF
	sizeExtended    = 0x7FFF
	sizeInKilobytes = 0x8000
	speedExtended   = 0xFFFF
)

// moduleTable follows DMTF DSP0134 7.18. Speeds are megatransfers per second, as SMBIOS has them and Windows shows
// them.
var moduleTable = &table[physicalRow]{name: "Win32_PhysicalMemory", gather: gatherModules,
	columns: physicalNames("Win32_PhysicalMemory", "Physical Memory", numbered("Physical Memory"),
		numeric("TotalWidth", cim.Uint16, 0x08, 2, 0xFFFF, 0),
		numeric("DataWidth", cim.Uint16, 0x0A, 2, 0xFFFF),
		column[physicalRow]{name: "Capacity", get: moduleCapacity},
		column[physicalRow]{name: "FormFactor", get: moduleFormFactor},
		physicalText("DeviceLocator", 0x10),
		physicalText("BankLabel", 0x11),
		column[physicalRow]{name: "MemoryType", get: moduleType},
		numeric("SMBIOSMemoryType", cim.Uint32, 0x12, 1, 0, 2),
		numeric("TypeDetail", cim.Uint16, 0x13, 2, 0),
		column[physicalRow]{name: "Speed", get: func(r *physicalRow) cim.Value { return r.speed(0x15, 0x54) }},
		physicalText("Manufacturer", 0x17),
		physicalText("SerialNumber", 0x18),
		physicalText("PartNumber", 0x1A),
		column[physicalRow]{name: "Attributes", get: func(r *physicalRow) cim.Value {
			v, ok := r.known(0x1B, 1, 0)
			if v &= 0x0F; !ok || v == 0 { // the rank
				return cim.Value{}
			}
			return cim.U32(uint32(v))
		}},
		column[physicalRow]{name: "ConfiguredClockSpeed", get: func(r *physicalRow) cim.Value { return r.speed(0x20, 0x58) }},
		numeric("MinVoltage", cim.Uint32, 0x22, 2, 0),
		numeric("MaxVoltage", cim.Uint32, 0x24, 2, 0),
		numeric("ConfiguredVoltage", cim.Uint32, 0x26, 2, 0),
	)}

// moduleCapacity is the size in bytes: megabytes or kilobytes, or in a field of its own from 32 GB on.
func moduleCapacity(r *physicalRow) cim.Value {
	size, ok := r.known(0x0C, 2, sizeUnknown)
	switch {
	case !ok:
		return cim.Value{}
	case size == sizeExtended:
		size, ok = r.number(0x1C, 4)
		if !ok {
			return cim.Value{}
		}
		return cim.U64(size & 0x7FFFFFFF << 20)
	case size&sizeInKilobytes != 0:
		return cim.U64(size &^ sizeInKilobytes << 10)
	}
	return cim.U64(size << 20)
}

// formFactors are the numbers of the class for those of SMBIOS; what the class has no number for is 1, other.
var formFactors = map[uint64]uint16{
	0x01: 1, 0x03: 7, 0x04: 2, 0x06: 3, 0x07: 4, 0x08: 6, 0x09: 8, 0x0A: 9, 0x0C: 11, 0x0D: 12, 0x0E: 13, 0x0F: 8,
}

func moduleFormFactor(r *physicalRow) cim.Value {
	n, ok := r.known(0x0E, 1, 0, 2)
	if !ok {
		return cim.Value{}
	}
	if f, ok := formFactors[n]; ok {
		return cim.U16(f)
	}
	return cim.U16(1)
}

// moduleType makes the number of the class of that of SMBIOS: DRAM 2, EDRAM 6 to DDR2 FB-DIMM 22 in the same order,
// DDR3 24, FBD2 25 and DDR4 26 the same; what came later is 1, other, and SMBIOSMemoryType tells it.
func moduleType(r *physicalRow) cim.Value {
	n, ok := r.known(0x12, 1, 0, 2)
	switch {
	case !ok:
		return cim.Value{}
	case n == 0x03:
		return cim.U16(2)
	case n >= 0x04 && n <= 0x14:
		return cim.U16(uint16(n) + 2)
	case n >= 0x18 && n <= 0x1A:
		return cim.U16(uint16(n))
	}
	return cim.U16(1)
}

// speed is in a field of its own where it does not fit.
func (r *physicalRow) speed(offset, extended int) cim.Value {
	if n, ok := r.known(offset, 2, 0); !ok || n != speedExtended {
		return r.value(cim.Uint32, offset, 2, 0)
	}
	n, ok := r.known(extended, 4, 0)
	if !ok {
		return cim.Value{}
	}
	return cim.U32(uint32(n & 0x7FFFFFFF))
}

// gatherModules leaves empty sockets out; they count for the number in the tag.
func gatherModules(ctx context.Context, p *Provider, need uint32, q query, f func(*physicalRow) error) error {
	return gatherPhysical(smbiosMemoryDevice, "")(ctx, p, need, q, func(r *physicalRow) error {
		if size, ok := r.number(0x0C, 2); !ok || size == noModule {
			return nil
		}
		return f(r)
	})
}

// arrayTable follows DMTF DSP0134 7.17.
var arrayTable = &table[physicalRow]{name: "Win32_PhysicalMemoryArray", gather: gatherPhysical(smbiosMemoryArray, ""),
	columns: physicalNames("Win32_PhysicalMemoryArray", "Physical Memory Array", numbered("Physical Memory Array"),
		column[physicalRow]{name: "Location", get: arrayLocation},
		numeric("Use", cim.Uint16, 0x05, 1, 0, 2),
		numeric("MemoryErrorCorrection", cim.Uint16, 0x06, 1, 0, 2),
		column[physicalRow]{name: "MaxCapacity", get: func(r *physicalRow) cim.Value {
			n, ok := r.maxKilobytes()
			if !ok || n > 0xFFFFFFFF {
				return cim.Value{}
			}
			return cim.U32(uint32(n))
		}},
		column[physicalRow]{name: "MaxCapacityEx", get: func(r *physicalRow) cim.Value {
			n, ok := r.maxKilobytes()
			if !ok {
				return cim.Value{}
			}
			return cim.U64(n)
		}},
		numeric("MemoryDevices", cim.Uint16, 0x0D, 2, 0),
	)}

// arrayLocation: the numbers of the class are those of SMBIOS up to 10; the add-on cards from 0xA0 on are 11 to 14.
func arrayLocation(r *physicalRow) cim.Value {
	n, ok := r.known(0x04, 1, 0, 2)
	switch {
	case !ok:
		return cim.Value{}
	case n >= 0xA0 && n <= 0xA3:
		return cim.U16(uint16(n - 0xA0 + 11))
	case n > 10:
		return cim.U16(1)
	}
	return cim.U16(uint16(n))
}

// maxKilobytes is the most that the array takes; from 2 TB on it stands, in bytes, in a field of its own.
func (r *physicalRow) maxKilobytes() (uint64, bool) {
	const extended = 0x80000000
	n, ok := r.known(0x07, 4, 0)
	if n != extended {
		return n, ok
	}
	n, ok = r.known(0x0F, 8, 0)
	return n >> 10, ok
}
