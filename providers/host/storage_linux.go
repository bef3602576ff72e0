package host

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
)

// The classes of storage management are in a namespace of their own, root\microsoft\windows\storage.

// The values of BusType that occur here.
const (
	busSCSI    = 1
	busUSB     = 7
	busSATA    = 11
	busMMC     = 13
	busVirtual = 14
	busNVMe    = 17
)

var storageDiskTable = &table[driveRow]{name: "MSFT_Disk", gather: gatherStorageDisks, columns: []driveColumn{
	driveText("ObjectId", func(r *driveRow) string { return r.path() }),
	driveText("UniqueId", (*driveRow).worldWideID),
	driveText("Path", func(r *driveRow) string { return r.path() }),
	driveText("Location", func(r *driveRow) string { return busAddress(r.hardware) }),
	driveText("FriendlyName", driveCaption),
	driveText("Manufacturer", (*driveRow).vendor),
	driveText("Model", (*driveRow).model),
	driveText("SerialNumber", (*driveRow).serial),
	driveText("FirmwareVersion", (*driveRow).firmware),
	{name: "Number", get: func(r *driveRow) cim.Value { return cim.U32(uint32(r.index)) }},
	{name: "NumberOfPartitions", get: func(r *driveRow) cim.Value { return cim.U32(uint32(len(r.partitions))) }},
	{name: "Size", get: func(r *driveRow) cim.Value { return bytesOrNull(r.size()) }},
	{name: "AllocatedSize", get: func(r *driveRow) cim.Value {
		var sum uint64
		for _, part := range r.partitions {
			n, ok := part.size()
			if !ok {
				return cim.Value{}
			}
			sum += n
		}
		return cim.U64(sum)
	}},
	{name: "LogicalSectorSize", get: func(r *driveRow) cim.Value { return number(cim.Uint32, r.sys("queue/logical_block_size")) }},
	{name: "PhysicalSectorSize", get: func(r *driveRow) cim.Value { return number(cim.Uint32, r.sys("queue/physical_block_size")) }},
	{name: "PartitionStyle", get: func(r *driveRow) cim.Value {
		switch r.props["ID_PART_TABLE_TYPE"] {
		case "dos":
			return cim.U16(1)
		case "gpt":
			return cim.U16(2)
		}
		return cim.Value{}
	}},
	driveText("Guid", func(r *driveRow) string {
		if r.props["ID_PART_TABLE_TYPE"] != "gpt" || r.props["ID_PART_TABLE_UUID"] == "" {
			return ""
		}
		return "{" + r.props["ID_PART_TABLE_UUID"] + "}"
	}),
	{name: "Signature", get: diskSignature},
	{name: "BusType", get: func(r *driveRow) cim.Value { return r.busType() }},
	{name: "HealthStatus", get: (*driveRow).health},
	{name: "OperationalStatus", get: func(r *driveRow) cim.Value { return r.operational(0xD010) }}, // online
	{name: "IsReadOnly", get: func(r *driveRow) cim.Value {
		switch r.sys("ro") {
		case "0":
			return cim.Bool(false)
		case "1":
			return cim.Bool(true)
		}
		return cim.Value{}
	}},
	{name: "IsOffline", get: func(r *driveRow) cim.Value { return cim.Bool(r.status() == "Error") }},
	{name: "IsBoot", get: func(r *driveRow) cim.Value { root, _ := r.p.bootDevices(); return r.holds(root) }},
	{name: "IsSystem", get: func(r *driveRow) cim.Value { _, boot := r.p.bootDevices(); return r.holds(boot) }},
}}

var physicalDiskTable = &table[driveRow]{name: "MSFT_PhysicalDisk", gather: gatherStorageDisks, columns: []driveColumn{
	driveText("ObjectId", func(r *driveRow) string { return r.path() }),
	driveText("UniqueId", (*driveRow).worldWideID),
	driveText("DeviceId", func(r *driveRow) string { return cim.U32(uint32(r.index)).String() }),
	driveText("PhysicalLocation", func(r *driveRow) string { return busAddress(r.hardware) }),
	driveText("FriendlyName", driveCaption),
	driveText("Manufacturer", (*driveRow).vendor),
	driveText("Model", (*driveRow).model),
	driveText("SerialNumber", (*driveRow).serial),
	driveText("FirmwareVersion", (*driveRow).firmware),
	{name: "Size", get: func(r *driveRow) cim.Value { return bytesOrNull(r.size()) }},
	{name: "LogicalSectorSize", get: func(r *driveRow) cim.Value { return number(cim.Uint64, r.sys("queue/logical_block_size")) }},
	{name: "PhysicalSectorSize", get: func(r *driveRow) cim.Value { return number(cim.Uint64, r.sys("queue/physical_block_size")) }},
	{name: "BusType", get: func(r *driveRow) cim.Value { return r.busType() }},
	{name: "MediaType", get: (*driveRow).media},
	{name: "HealthStatus", get: (*driveRow).health},
	{name: "OperationalStatus", get: func(r *driveRow) cim.Value { return r.operational(2) }}, // OK
}}

func (r *driveRow) worldWideID() string { return first(r.sys("wwid"), r.sys("device/wwid")) }

func (r *driveRow) firmware() string { return first(r.sys("device/firmware_rev"), r.sys("device/rev")) }

// busType is how the drive is attached; NULL where its name does not tell.
func (r *driveRow) busType() cim.Value {
	switch kind := r.interfaceType(); {
	case kind == "USB":
		return cim.U16(busUSB)
	case kind == "IDE":
		return cim.U16(busSATA)
	case strings.HasPrefix(r.name, "nvme"):
		return cim.U16(busNVMe)
	case strings.HasPrefix(r.name, "mmc"):
		return cim.U16(busMMC)
	case strings.HasPrefix(r.name, "vd"), strings.HasPrefix(r.name, "xvd"):
		return cim.U16(busVirtual)
	case kind == "SCSI":
		return cim.U16(busSCSI)
	}
	return cim.Value{}
}

// media tells disks that turn from those that do not. What stands behind a virtual disk nobody knows: unspecified.
func (r *driveRow) media() cim.Value {
	if r.interfaceType() == "" {
		return cim.U16(0)
	}
	switch r.sys("queue/rotational") {
	case "1":
		return cim.U16(3) // HDD
	case "0":
		return cim.U16(4) // SSD
	}
	return cim.Value{}
}

// health is what the layer of the device says.
func (r *driveRow) health() cim.Value {
	switch r.status() {
	case "OK":
		return cim.U16(0) // healthy
	case "Error":
		return cim.U16(2) // unhealthy
	}
	return cim.Value{}
}

// operational is an array with the number for a disk that works, or 6: error.
func (r *driveRow) operational(works uint16) cim.Value {
	switch r.status() {
	case "OK":
		return numbersOf([]uint16{works})
	case "Error":
		return numbersOf([]uint16{6})
	}
	return cim.Value{}
}

// holds tells whether a file system lies on the disk; NULL where its device is not known.
func (r *driveRow) holds(source string) cim.Value {
	d := r.p.deviceFile(source)
	if d == nil {
		return cim.Value{}
	}
	partitions := map[string]*partition{}
	for _, part := range r.partitions {
		partitions[part.name] = part
	}
	return cim.Bool(d.name == r.name || len(underlying(d, partitions)) > 0)
}

func gatherStorageDisks(ctx context.Context, p *Provider, need uint32, q query, f func(*driveRow) error) error {
	id, one := q.text("ObjectId")
	return gatherDrives(ctx, p, need, query{}, func(r *driveRow) error {
		if one && !cim.EqualFold(id, r.path()) {
			return nil
		}
		return f(r)
	})
}

var storageVolumeTable = &table[diskRow]{name: "MSFT_Volume", gather: gatherStorageVolumes, columns: append(
	diskColumnsNamed([]string{"FileSystem", "Size", "DriveType"}),
	diskText("ObjectId", (*diskRow).volumeID),
	diskText("Path", mountPoint),
	diskColumn{name: "UniqueId", need: diskLabels, get: func(r *diskRow) cim.Value { return strOrNull(r.uid) }},
	diskColumn{name: "FileSystemLabel", need: diskLabels, get: func(r *diskRow) cim.Value { return strOrNull(r.label) }},
	diskNumber("SizeRemaining", func(r *diskRow) uint64 { return r.fs.available * r.fs.blockSize }),
	diskColumn{name: "AllocationUnitSize", get: func(r *diskRow) cim.Value {
		if !r.fsKnown {
			return cim.Value{}
		}
		return cim.U32(uint32(r.fs.blockSize))
	}},
	diskColumn{name: "HealthStatus", get: (*diskRow).health},
)}

// health is what ext4 keeps of the errors that it found: healthy, or a scan is needed. Others keep no count.
func (r *diskRow) health() cim.Value {
	d, ok := r.p.mountedDevice(r.m)
	if !ok || r.m.FSType != "ext4" {
		return cim.Value{}
	}
	switch r.p.read("sys/fs/ext4/" + d.name + "/errors_count") {
	case "":
		return cim.Value{}
	case "0":
		return cim.U16(0)
	}
	return cim.U16(1)
}

func gatherStorageVolumes(ctx context.Context, p *Provider, need uint32, q query, f func(*diskRow) error) error {
	id, one := q.text("ObjectId")
	return gatherVolumes(ctx, p, need, query{}, func(r *diskRow) error {
		if one && !cim.EqualFold(id, r.volumeID()) {
			return nil
		}
		return f(r)
	})
}
