package host

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// partitionRow is one partition of a disk drive.
type partitionRow struct {
	*partition
	csName string
	props  map[string]string // of udev
}

type partitionColumn = column[partitionRow]

func partitionText(name string, get func(*partitionRow) string) partitionColumn {
	return partitionColumn{name: name, get: func(r *partitionRow) cim.Value { return strOrNull(get(r)) }}
}

var partitionTable = &table[partitionRow]{name: "Win32_DiskPartition", gather: gatherPartitions, columns: []partitionColumn{
	{name: "CreationClassName", get: fixedStr[partitionRow]("Win32_DiskPartition")},
	{name: "SystemCreationClassName", get: fixedStr[partitionRow]("Win32_ComputerSystem")},
	partitionText("SystemName", func(r *partitionRow) string { return r.csName }),
	partitionText("DeviceID", func(r *partitionRow) string { return r.id() }),
	partitionText("Name", func(r *partitionRow) string { return r.id() }),
	partitionText("Caption", func(r *partitionRow) string { return r.path() }),
	partitionText("Description", (*partitionRow).kind),
	partitionText("Type", (*partitionRow).kind),
	{name: "DiskIndex", get: func(r *partitionRow) cim.Value { return cim.U32(uint32(r.disk.index)) }},
	{name: "Index", get: func(r *partitionRow) cim.Value { return cim.U32(uint32(r.index)) }},
	{name: "Size", get: func(r *partitionRow) cim.Value { return bytesOrNull(r.size()) }},
	{name: "StartingOffset", get: func(r *partitionRow) cim.Value { return bytesOrNull(r.offset()) }},
	{name: "BlockSize", get: func(r *partitionRow) cim.Value { return number(cim.Uint64, r.disk.sys("queue/logical_block_size")) }},
	{name: "NumberOfBlocks", get: func(r *partitionRow) cim.Value {
		size, ok := r.size()
		block, known := r.disk.sysNumber("queue/logical_block_size")
		if !ok || !known || block == 0 {
			return cim.Value{}
		}
		return cim.U64(size / block)
	}},
	{name: "Access", get: func(r *partitionRow) cim.Value {
		if r.sys("ro") == "1" {
			return cim.U16(1) // readable
		}
		return cim.U16(3)
	}},
	{name: "PrimaryPartition", get: (*partitionRow).primary},
	{name: "Bootable", get: (*partitionRow).bootable},
	{name: "BootPartition", get: (*partitionRow).bootable},
}}

// id names a partition by its place, counted from 0: "Disk #0, Partition #1".
func (d *partition) id() string { return fmt.Sprintf("Disk #%d, Partition #%d", d.disk.index, d.index) }

// offset is where the partition begins on its disk, in bytes.
func (d *partition) offset() (uint64, bool) {
	n, ok := d.sysNumber("start")
	return n * sectorSize, ok
}

// Types of partitions in tables of the GPT kind. See UEFI 5.3.3 and the Discoverable Partitions Specification.
const efiSystem = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"

var gptTypes = map[string]string{
	efiSystem:                              "GPT: System",
	"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "GPT: Basic Data",
	"21686148-6449-6e6f-744e-656564454649": "GPT: BIOS Boot",
	"0fc63daf-8483-4772-8e79-3d69d8477de4": "GPT: Linux Filesystem",
	"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "GPT: Linux Swap",
	"e6d6d379-f507-44c2-a23c-238f2a3df928": "GPT: Linux LVM",
	"a19d880f-05fc-4d3b-a006-743f0f84911e": "GPT: Linux RAID",
	"4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "GPT: Linux Root (x86-64)",
	"b921b045-1df0-41c3-af44-4c6f280d3fae": "GPT: Linux Root (ARM64)",
	"bc13c2ff-59e6-4262-a352-b275fd6f7172": "GPT: Linux Extended Boot",
	"ca7d7ccb-63ed-4c53-861c-1742536059cc": "GPT: Linux LUKS",
}

// mbrTypes are the documented names; those that Linux has itself have its own.
var mbrTypes = map[uint64]string{
	0x01: "12-bit FAT", 0x02: "Xenix Type 1", 0x03: "Xenix Type 2", 0x04: "16-bit FAT", 0x05: "Extended Partition",
	0x06: "MS-DOS V4 Huge", 0x07: "Installable File System", 0x0b: "Win95 w/Extended Int 13",
	0x0c: "Win95 w/Extended Int 13", 0x0e: "Win95 w/Extended Int 13", 0x0f: "Extended w/Extended Int 13",
	0x41: "PowerPC Reference Platform", 0x42: "Logical Disk Manager", 0x63: "UNIX", 0x82: "Linux Swap",
	0x83: "Linux", 0x8e: "Linux LVM", 0xfd: "Linux RAID",
}

// mbrType is the type in a table of the old kind; ok is false in another table.
func (r *partitionRow) mbrType() (n uint64, ok bool) {
	if r.props["ID_PART_ENTRY_SCHEME"] != "dos" {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(r.props["ID_PART_ENTRY_TYPE"], "0x"), 16, 8)
	return n, err == nil
}

// kind is the type of the partition; "" where nobody read the table.
func (r *partitionRow) kind() string {
	if n, ok := r.mbrType(); ok {
		return first(mbrTypes[n], "Unknown")
	}
	if r.props["ID_PART_ENTRY_SCHEME"] == "gpt" {
		return first(gptTypes[strings.ToLower(r.props["ID_PART_ENTRY_TYPE"])], "GPT: Unknown")
	}
	return ""
}

// primary tells whether the partition stands in the table itself. An old table has four places; what an extended
// partition holds has higher numbers.
func (r *partitionRow) primary() cim.Value {
	if n, ok := r.mbrType(); ok {
		place, known := r.sysNumber("partition")
		return cim.Bool(known && place <= 4 && n != 0x05 && n != 0x0f && n != 0x85)
	}
	if r.props["ID_PART_ENTRY_SCHEME"] == "gpt" {
		return cim.Bool(true)
	}
	return cim.Value{}
}

// bootable tells whether the firmware starts the machine from here: the active partition of an old table, the system
// partition of EFI, or one with the attribute "legacy BIOS bootable" (UEFI table 5.8, bit 2).
func (r *partitionRow) bootable() cim.Value {
	flags, _ := strconv.ParseUint(strings.TrimPrefix(r.props["ID_PART_ENTRY_FLAGS"], "0x"), 16, 64)
	switch r.props["ID_PART_ENTRY_SCHEME"] {
	case "dos":
		return cim.Bool(flags&0x80 != 0)
	case "gpt":
		return cim.Bool(strings.EqualFold(r.props["ID_PART_ENTRY_TYPE"], efiSystem) || flags&4 != 0)
	}
	return cim.Value{}
}

func gatherPartitions(_ context.Context, p *Provider, _ uint32, q query, f func(*partitionRow) error) error {
	id, one := q.text("DeviceID")
	name := p.hostName()
	for _, d := range p.disks() {
		for _, part := range d.partitions {
			if one && !cim.EqualFold(id, part.id()) {
				continue
			}
			if err := f(&partitionRow{partition: part, csName: name, props: part.udev()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// extentRow is a disk drive, one of its partitions, and a logical disk on that.
type extentRow struct {
	server    string
	partition *partition
	mount     string
	whole     bool // the logical disk fills the partition
}

func (r *extentRow) ref(class, id string) cim.Value { return deviceRef(r.server, class, id) }

// deviceRef is the path of an object with the key DeviceID.
func deviceRef(server, class, id string) cim.Value {
	p := cim.ObjectPath{Server: server, Namespace: Namespace, Class: class, Keys: []cim.Key{{Name: "DeviceID", Value: cim.Str(id)}}}
	return cim.Ref(p.String())
}

var driveToPartitionTable = &table[extentRow]{name: "Win32_DiskDriveToDiskPartition", gather: gatherDriveExtents, columns: []column[extentRow]{
	{name: "Antecedent", get: func(r *extentRow) cim.Value { return r.ref("Win32_DiskDrive", r.partition.disk.path()) }},
	{name: "Dependent", get: func(r *extentRow) cim.Value { return r.ref("Win32_DiskPartition", r.partition.id()) }},
}}

var diskToPartitionTable = &table[extentRow]{name: "Win32_LogicalDiskToPartition", gather: gatherDiskExtents, columns: []column[extentRow]{
	{name: "Antecedent", get: func(r *extentRow) cim.Value { return r.ref("Win32_DiskPartition", r.partition.id()) }},
	{name: "Dependent", get: func(r *extentRow) cim.Value { return r.ref("Win32_LogicalDisk", r.mount) }},
	// The addresses count from the beginning of the disk drive. What part of it a logical volume has is not known here.
	{name: "StartingAddress", get: func(r *extentRow) cim.Value {
		offset, ok := r.partition.offset()
		return bytesOrNull(offset, ok && r.whole)
	}},
	{name: "EndingAddress", get: func(r *extentRow) cim.Value {
		offset, ok := r.partition.offset()
		size, known := r.partition.size()
		return bytesOrNull(offset+size-1, ok && known && size > 0 && r.whole)
	}},
}}

func gatherDriveExtents(_ context.Context, p *Provider, _ uint32, q query, f func(*extentRow) error) error {
	for _, d := range p.disks() {
		for _, part := range d.partitions {
			if err := f(&extentRow{server: q.server, partition: part}); err != nil {
				return err
			}
		}
	}
	return nil
}

// gatherDiskExtents finds the partitions below each mounted file system, also through volumes of the device mapper.
func gatherDiskExtents(_ context.Context, p *Provider, _ uint32, q query, f func(*extentRow) error) error {
	mounts, err := p.mounts()
	if err != nil {
		return err
	}
	partitions := map[string]*partition{}
	for _, d := range p.disks() {
		for _, part := range d.partitions {
			partitions[part.name] = part
		}
	}
	for _, m := range mounts {
		device, ok := p.mountedDevice(m)
		if !ok {
			continue
		}
		for _, part := range underlying(device, partitions) {
			r := &extentRow{server: q.server, partition: part, mount: m.Mountpoint, whole: part.name == device.name}
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}
