package host

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// driveRow is one disk drive.
type driveRow struct {
	*disk
	csName   string
	hardware string            // its folder below /sys
	props    map[string]string // of udev
}

type driveColumn = column[driveRow]

func driveText(name string, get func(*driveRow) string) driveColumn {
	return driveColumn{name: name, get: func(r *driveRow) cim.Value { return strOrNull(get(r)) }}
}

// driveSCSI is a part of the address host:channel:target:lun, where the drive has one.
func driveSCSI(name string, part int, t cim.Type) driveColumn {
	return driveColumn{name: name, get: func(r *driveRow) cim.Value {
		parts := strings.Split(filepath.Base(r.hardware), ":")
		if len(parts) != 4 {
			return cim.Value{}
		}
		return number(t, parts[part])
	}}
}

var driveTable = &table[driveRow]{name: "Win32_DiskDrive", gather: gatherDrives, columns: []driveColumn{
	{name: "CreationClassName", get: fixedStr[driveRow]("Win32_DiskDrive")},
	{name: "SystemCreationClassName", get: fixedStr[driveRow]("Win32_ComputerSystem")},
	driveText("SystemName", func(r *driveRow) string { return r.csName }),
	driveText("DeviceID", func(r *driveRow) string { return r.path() }),
	driveText("Name", func(r *driveRow) string { return r.path() }),
	driveText("Caption", driveCaption),
	{name: "Description", get: fixedStr[driveRow]("Disk drive")},
	driveText("Model", (*driveRow).model),
	driveText("Manufacturer", (*driveRow).vendor),
	driveText("SerialNumber", (*driveRow).serial),
	driveText("FirmwareRevision", (*driveRow).firmware),
	driveText("InterfaceType", (*driveRow).interfaceType),
	driveText("MediaType", func(r *driveRow) string {
		switch {
		case r.removable():
			return "Removable Media"
		case r.interfaceType() == "USB":
			return "External hard disk media"
		}
		return "Fixed hard disk media"
	}),
	{name: "MediaLoaded", get: func(r *driveRow) cim.Value {
		n, ok := r.size()
		if !ok {
			return cim.Value{}
		}
		return cim.Bool(n > 0)
	}},
	{name: "Index", get: func(r *driveRow) cim.Value { return cim.U32(uint32(r.index)) }},
	{name: "Partitions", get: func(r *driveRow) cim.Value { return cim.U32(uint32(len(r.partitions))) }},
	{name: "Size", get: func(r *driveRow) cim.Value { return bytesOrNull(r.size()) }},
	{name: "BytesPerSector", get: func(r *driveRow) cim.Value { return number(cim.Uint32, r.sys("queue/logical_block_size")) }},
	{name: "TotalSectors", get: func(r *driveRow) cim.Value {
		size, ok := r.size()
		sector, known := r.sysNumber("queue/logical_block_size")
		if !ok || !known || sector == 0 || size == 0 {
			return cim.Value{}
		}
		return cim.U64(size / sector)
	}},
	{name: "Capabilities", get: func(r *driveRow) cim.Value { v, _ := r.capabilities(); return v }},
	{name: "CapabilityDescriptions", get: func(r *driveRow) cim.Value { _, v := r.capabilities(); return v }},
	driveText("PNPDeviceID", func(r *driveRow) string { return busAddress(r.hardware) }),
	driveSCSI("SCSIPort", 0, cim.Uint16),
	driveSCSI("SCSIBus", 1, cim.Uint32),
	driveSCSI("SCSITargetId", 2, cim.Uint16),
	driveSCSI("SCSILogicalUnit", 3, cim.Uint16),
	{name: "Signature", get: diskSignature},
	driveText("Status", (*driveRow).status),
}}

// diskSignature is the id of a partition table of the old kind: eight hexadecimal digits.
func diskSignature(r *driveRow) cim.Value {
	if r.props["ID_PART_TABLE_TYPE"] != "dos" {
		return cim.Value{}
	}
	n, err := strconv.ParseUint(r.props["ID_PART_TABLE_UUID"], 16, 32)
	if err != nil {
		return cim.Value{}
	}
	return cim.U32(uint32(n))
}

func driveCaption(r *driveRow) string { return first(r.model(), r.name) }

// bytesOrNull is an amount, NULL where ok is false.
func bytesOrNull(n uint64, ok bool) cim.Value {
	if !ok {
		return cim.Value{}
	}
	return cim.U64(n)
}

func (r *driveRow) model() string {
	return first(r.sys("device/model"), r.sys("device/name"), strings.ReplaceAll(r.props["ID_MODEL"], "_", " "))
}

// vendor is the name of the maker. ATA drives have none: the layer says "ATA"; virtual ones have a number.
func (r *driveRow) vendor() string {
	v := r.sys("device/vendor")
	if v == "ATA" || strings.HasPrefix(v, "0x") {
		return ""
	}
	return v
}

// serial comes from the device, or from what udev read of it.
func (r *driveRow) serial() string {
	return first(r.sys("serial"), r.sys("device/serial"), r.serialPage(), r.props["ID_SERIAL_SHORT"])
}

// serialPage is the unit serial number page of a SCSI device: a header of four bytes, the last of which is the length,
// then the text. See SPC-4 7.8.15.
func (r *driveRow) serialPage() string {
	b := r.p.read("sys/class/block/" + r.name + "/device/vpd_pg80")
	if len(b) < 4 || b[1] != 0x80 {
		return ""
	}
	text := b[4:]
	if n := int(b[3]); n < len(text) {
		text = text[:n]
	}
	return strings.Trim(text, " \x00")
}

// interfaceType is one of the documented names: an ATA drive is IDE and an NVMe one SCSI, as Windows has it. Virtual
// disks have none of these.
func (r *driveRow) interfaceType() string {
	for _, part := range strings.Split(r.hardware, "/") {
		if strings.HasPrefix(part, "usb") {
			return "USB"
		}
	}
	switch {
	case r.sys("device/vendor") == "ATA":
		return "IDE"
	case strings.HasPrefix(r.name, "sd"), strings.HasPrefix(r.name, "nvme"):
		return "SCSI"
	}
	return ""
}

// status is what the layer of the device says; a layer without a word has it working.
func (r *driveRow) status() string {
	switch r.sys("device/state") {
	case "", "running", "live":
		return "OK"
	case "transport-offline", "offline", "dead", "blocked", "quiesce":
		return "Error"
	}
	return "Unknown"
}

// capabilities are the numbers and the names of what the drive can do. See CIM_MediaAccessDevice.Capabilities.
func (r *driveRow) capabilities() (numbers, names cim.Value) {
	codes, texts := []uint16{3}, []string{"Random Access"}
	if r.sys("ro") == "0" {
		codes, texts = append(codes, 4), append(texts, "Supports Writing")
	}
	if r.removable() {
		codes, texts = append(codes, 7), append(texts, "Supports Removable Media")
	}
	return numbersOf(codes), cim.Strs(texts)
}

func gatherDrives(_ context.Context, p *Provider, _ uint32, q query, f func(*driveRow) error) error {
	id, one := q.text("DeviceID")
	name := p.hostName()
	for _, d := range p.disks() {
		if one && !cim.EqualFold(id, d.path()) {
			continue
		}
		r := &driveRow{disk: d, csName: name, hardware: d.blockDevice.hardware(), props: d.udev()}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// numbersOf is an array of uint16.
func numbersOf(codes []uint16) cim.Value {
	elems := make([]cim.Value, len(codes))
	for i, c := range codes {
		elems[i] = cim.U16(c)
	}
	return cim.Array(cim.Uint16, elems)
}
