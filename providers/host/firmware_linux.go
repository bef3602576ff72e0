package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// dmi is one entry of the firmware's description of the machine; "" where it is absent, not readable for the
// service, or not filled.
func (p *Provider) dmi(name string) string { return filled(p.read("sys/class/dmi/id/" + name)) }

// filled is s, or "" where it is one of the texts by which makers say that they did not fill a field.
func filled(s string) string {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "to be filled by o.e.m.", "default string", "not specified", "none", "no asset tag", "not available", "unknown",
		"system serial number", "system product name", "system manufacturer", "system version", "chassis manufacture",
		"chassis serial number", "chassis version", "asset-1234567890", "base board serial number":
		return ""
	}
	return s
}

func (p *Provider) hasDMI() bool {
	_, err := os.Stat(filepath.Join(p.root, "sys/class/dmi/id"))
	return err == nil
}

type firmwareRow struct{ p *Provider }

func dmiColumn(property, entry string) column[firmwareRow] {
	return column[firmwareRow]{name: property, get: func(r *firmwareRow) cim.Value { return strOrNull(r.p.dmi(entry)) }}
}

func gatherFirmware(_ context.Context, p *Provider, _ uint32, _ query, f func(*firmwareRow) error) error {
	return f(&firmwareRow{p})
}

var productTable = &table[firmwareRow]{name: "Win32_ComputerSystemProduct", gather: gatherFirmware, columns: []column[firmwareRow]{
	{name: "Caption", get: fixedStr[firmwareRow]("Computer System Product")},
	{name: "Description", get: fixedStr[firmwareRow]("Computer System Product")},
	dmiColumn("IdentifyingNumber", "product_serial"),
	dmiColumn("Name", "product_name"),
	dmiColumn("SKUNumber", "product_sku"),
	dmiColumn("Vendor", "sys_vendor"),
	dmiColumn("Version", "product_version"),
	// The kernel has put the bytes of SMBIOS in the right order already: the first three fields are little-endian
	// from version 2.6 on.
	{name: "UUID", get: func(r *firmwareRow) cim.Value { return strOrNull(strings.ToUpper(r.p.dmi("product_uuid"))) }},
}}

var biosTable = &table[firmwareRow]{name: "Win32_BIOS", gather: gatherFirmware, columns: []column[firmwareRow]{
	dmiColumn("Name", "bios_version"),
	dmiColumn("Caption", "bios_version"),
	dmiColumn("Description", "bios_version"),
	dmiColumn("SoftwareElementID", "bios_version"),
	dmiColumn("SMBIOSBIOSVersion", "bios_version"),
	dmiColumn("Version", "bios_version"),
	dmiColumn("Manufacturer", "bios_vendor"),
	dmiColumn("SerialNumber", "product_serial"),
	{name: "BIOSVersion", get: func(r *firmwareRow) cim.Value {
		if v := r.p.dmi("bios_version"); v != "" {
			return cim.Strs([]string{v})
		}
		return cim.Value{}
	}},
	{name: "ReleaseDate", get: func(r *firmwareRow) cim.Value { return biosDate(r.p.dmi("bios_date")) }},
	{name: "SoftwareElementState", get: fixedValue[firmwareRow](cim.U16(3))}, // running
	{name: "TargetOperatingSystem", get: fixedValue[firmwareRow](cim.U16(0))},
	{name: "PrimaryBIOS", get: func(r *firmwareRow) cim.Value {
		if !r.p.hasDMI() {
			return cim.Value{}
		}
		return cim.Bool(true)
	}},
	{name: "Status", get: func(r *firmwareRow) cim.Value {
		if !r.p.hasDMI() {
			return cim.Value{}
		}
		return cim.Str("OK")
	}},
	{name: "SMBIOSPresent", get: func(r *firmwareRow) cim.Value { return cim.Bool(r.p.hasDMI()) }},
	{name: "SMBIOSMajorVersion", get: func(r *firmwareRow) cim.Value { return r.p.smbiosVersion(0) }},
	{name: "SMBIOSMinorVersion", get: func(r *firmwareRow) cim.Value { return r.p.smbiosVersion(1) }},
	{name: "SystemBiosMajorVersion", get: func(r *firmwareRow) cim.Value { return release(r.p.dmi("bios_release"), 0) }},
	{name: "SystemBiosMinorVersion", get: func(r *firmwareRow) cim.Value { return release(r.p.dmi("bios_release"), 1) }},
	{name: "BiosCharacteristics", get: func(r *firmwareRow) cim.Value { return r.p.biosCharacteristics() }},
	{name: "CurrentLanguage", get: func(r *firmwareRow) cim.Value { return r.language(0x15) }},
	{name: "InstallableLanguages", get: func(r *firmwareRow) cim.Value {
		if s := r.p.smbios(smbiosLanguages); len(s) > 0 {
			return s[0].value(cim.Uint16, 0x04, 1, 0)
		}
		return cim.Value{}
	}},
	{name: "ListOfLanguages", get: func(r *firmwareRow) cim.Value {
		if s := r.p.smbios(smbiosLanguages); len(s) > 0 {
			return strsOrNull(s[0].strings)
		}
		return cim.Value{}
	}},
	{name: "EmbeddedControllerMajorVersion", get: func(r *firmwareRow) cim.Value { return release(r.p.dmi("ec_firmware_release"), 0) }},
	{name: "EmbeddedControllerMinorVersion", get: func(r *firmwareRow) cim.Value { return release(r.p.dmi("ec_firmware_release"), 1) }},
}}

// language is a string of the structure of BIOS languages. See DMTF DSP0134 7.14.
func (r *firmwareRow) language(offset int) cim.Value {
	if s := r.p.smbios(smbiosLanguages); len(s) > 0 {
		return s[0].text(offset)
	}
	return cim.Value{}
}

// biosCharacteristics are the numbers of the bits that are set, as the class has them; the first extension byte goes
// on with 32. See DMTF DSP0134 7.1.1.
func (p *Provider) biosCharacteristics() cim.Value {
	all := p.smbios(smbiosBIOS)
	if len(all) == 0 {
		return cim.Value{}
	}
	bits, ok := all[0].number(0x0A, 4)
	if !ok {
		return cim.Value{}
	}
	extension, _ := all[0].number(0x12, 1)
	bits |= extension << 32
	var out []cim.Value
	for n := range uint16(40) {
		if bits>>n&1 != 0 {
			out = append(out, cim.U16(n))
		}
	}
	return cim.Array(cim.Uint16, out)
}

// biosDate reads "mm/dd/yyyy". The day has no time of its own: midnight UTC.
func biosDate(s string) cim.Value {
	t, err := time.Parse("01/02/2006", s)
	if err != nil {
		return cim.Value{}
	}
	return cim.Time(cim.AtTime(t))
}

// release is one part of "major.minor".
func release(s string, part int) cim.Value {
	parts := strings.Split(s, ".")
	if len(parts) != 2 {
		return cim.Value{}
	}
	return number(cim.Uint8, parts[part])
}

// smbiosVersion is one part of the version of the SMBIOS specification, from the entry point structure (only root
// may read it). See DMTF DSP0134 5.2.
func (p *Provider) smbiosVersion(part int) cim.Value {
	b, err := os.ReadFile(filepath.Join(p.root, "sys/firmware/dmi/tables/smbios_entry_point"))
	if err != nil {
		return cim.Value{}
	}
	at := 6
	switch {
	case len(b) > 8 && string(b[:5]) == "_SM3_":
		at = 7
	case len(b) > 7 && string(b[:4]) == "_SM_":
	default:
		return cim.Value{}
	}
	return cim.U16(uint16(b[at+part]))
}
