package host

import (
	"context"
	"strconv"

	"github.com/casementhq/casement/cim"
)

// inchesPerUnit is the height of one rack unit. See DMTF DSP0134 7.4, Height.
const inchesPerUnit = 1.75

// physicalRow is one structure of SMBIOS, number index of its type. Without the table, which only root may read, it
// is what the kernel shows to everybody.
type physicalRow struct {
	p     *Provider
	index int
	structure
	shown   bool // by /sys/class/dmi/id only
	options []string
}

// either is the string at offset, or else the entry of /sys/class/dmi/id.
func either(name string, offset int, entry string) column[physicalRow] {
	return column[physicalRow]{name: name, get: func(r *physicalRow) cim.Value {
		if r.shown {
			return strOrNull(r.p.dmi(entry))
		}
		return r.text(offset)
	}}
}

// numeric is the number of n bytes at offset, NULL where it is one of unknown.
func numeric(name string, t cim.Type, offset, n int, unknown ...uint64) column[physicalRow] {
	return column[physicalRow]{name: name, get: func(r *physicalRow) cim.Value { return r.value(t, offset, n, unknown...) }}
}

func bit(name string, offset int, n uint) column[physicalRow] {
	return column[physicalRow]{name: name, get: func(r *physicalRow) cim.Value { return r.flag(offset, n) }}
}

func physicalText(name string, offset int) column[physicalRow] {
	return column[physicalRow]{name: name, get: func(r *physicalRow) cim.Value { return r.text(offset) }}
}

// physicalNames are the properties that every physical class has.
func physicalNames(class, caption string, tag func(*physicalRow) string, more ...column[physicalRow]) []column[physicalRow] {
	return append([]column[physicalRow]{
		{name: "CreationClassName", get: fixedStr[physicalRow](class)},
		{name: "Tag", get: func(r *physicalRow) cim.Value { return cim.Str(tag(r)) }},
		{name: "Name", get: fixedStr[physicalRow](caption)},
		{name: "Caption", get: fixedStr[physicalRow](caption)},
		{name: "Description", get: fixedStr[physicalRow](caption)},
	}, more...)
}

// numbered is a tag with the number of the structure.
func numbered(text string) func(*physicalRow) string {
	return func(r *physicalRow) string { return text + " " + strconv.Itoa(r.index) }
}

// enclosureTable follows DMTF DSP0134 7.4.
var enclosureTable = &table[physicalRow]{name: "Win32_SystemEnclosure", gather: gatherPhysical(smbiosEnclosure, "chassis_type"),
	columns: physicalNames("Win32_SystemEnclosure", "System Enclosure", numbered("System Enclosure"),
		either("Manufacturer", 0x04, "chassis_vendor"),
		either("Version", 0x06, "chassis_version"),
		either("SerialNumber", 0x07, "chassis_serial"),
		either("SMBIOSAssetTag", 0x08, "chassis_asset_tag"),
		column[physicalRow]{name: "ChassisTypes", get: chassisTypes},
		bit("LockPresent", 0x05, 7),
		numeric("SecurityStatus", cim.Uint16, 0x0C, 1, 0),
		numeric("NumberOfPowerCords", cim.Uint16, 0x12, 1, 0),
		column[physicalRow]{name: "Height", get: func(r *physicalRow) cim.Value {
			units, ok := r.known(0x11, 1, 0)
			if !ok {
				return cim.Value{}
			}
			return cim.Real(cim.Real32, float64(units)*inchesPerUnit)
		}},
		column[physicalRow]{name: "SKU", get: func(r *physicalRow) cim.Value { // after the contained elements
			count, ok := r.number(0x13, 1)
			size, ok2 := r.number(0x14, 1)
			if !ok || !ok2 {
				return cim.Value{}
			}
			return r.text(0x15 + int(count*size))
		}},
	)}

// chassisTypes is the type of SMBIOS without the bit for the lock. Its numbers are those of the class.
func chassisTypes(r *physicalRow) cim.Value {
	n, ok := r.known(0x05, 1, 0)
	if r.shown {
		var err error
		n, err = strconv.ParseUint(r.p.dmi("chassis_type"), 10, 8)
		ok = err == nil
	}
	if n &= 0x7F; !ok || n == 0 {
		return cim.Value{}
	}
	return cim.Array(cim.Uint16, []cim.Value{cim.U16(uint16(n))})
}

// boardTable follows DMTF DSP0134 7.3.
var boardTable = &table[physicalRow]{name: "Win32_BaseBoard", gather: gatherPhysical(smbiosBaseBoard, "board_name"),
	columns: physicalNames("Win32_BaseBoard", "Base Board", boardTag,
		either("Manufacturer", 0x04, "board_vendor"),
		either("Product", 0x05, "board_name"),
		either("Version", 0x06, "board_version"),
		either("SerialNumber", 0x07, "board_serial"),
		bit("HostingBoard", 0x09, 0),
		bit("RequiresDaughterBoard", 0x09, 1),
		bit("Removable", 0x09, 2),
		bit("Replaceable", 0x09, 3),
		bit("HotSwappable", 0x09, 4),
		column[physicalRow]{name: "ConfigOptions", get: func(r *physicalRow) cim.Value { return strsOrNull(r.options) }},
	)}

// boardTag is "Base Board" for the first one, as on Windows; the others have a number.
func boardTag(r *physicalRow) string {
	if r.index == 0 {
		return "Base Board"
	}
	return numbered("Base Board")(r)
}

// gatherPhysical gives the structures of one type. Where the table cannot be read and the kernel shows the entry,
// there is one without a structure.
func gatherPhysical(kind uint8, entry string) func(context.Context, *Provider, uint32, query, func(*physicalRow) error) error {
	return func(_ context.Context, p *Provider, _ uint32, _ query, f func(*physicalRow) error) error {
		all := p.smbios(kind, smbiosConfigOptions)
		var options []string
		for i := range all {
			if all[i].kind == smbiosConfigOptions {
				options = append(options, all[i].strings...)
			}
		}
		index := 0
		for _, s := range all {
			if s.kind != kind {
				continue
			}
			r := &physicalRow{p: p, index: index, structure: s}
			if index == 0 { // the options are those of the main board
				r.options = options
			}
			if err := f(r); err != nil {
				return err
			}
			index++
		}
		if index == 0 && p.read("sys/class/dmi/id/"+entry) != "" {
			return f(&physicalRow{p: p, shown: true})
		}
		return nil
	}
}
