package host

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/casementhq/casement/cim"
)

// mountedDevice is the block device that a mount shows; ok is false for file systems without one. Some file systems,
// btrfs among them, have a device number of their own: then their source names the device.
func (p *Provider) mountedDevice(m *mountinfo.Info) (*blockDevice, bool) {
	if m.Major != 0 {
		return p.blockDevice(strconv.Itoa(m.Major) + ":" + strconv.Itoa(m.Minor))
	}
	d := p.deviceFile(m.Source)
	return d, d != nil
}

// volumeColumns are those that a volume shares with the logical disk on it.
var volumeColumns = []string{
	"SystemCreationClassName", "SystemName", "Name", "Caption", "Description", "DriveType", "FileSystem", "FreeSpace",
	"BlockSize", "NumberOfBlocks", "Access",
}

var volumeTable = &table[diskRow]{name: "Win32_Volume", gather: gatherVolumes, columns: append(diskColumnsNamed(volumeColumns),
	diskColumn{name: "CreationClassName", get: fixedStr[diskRow]("Win32_Volume")},
	diskText("DeviceID", (*diskRow).volumeID),
	diskNumber("Capacity", func(r *diskRow) uint64 { return r.fs.blocks * r.fs.blockSize }),
	diskColumn{name: "MaximumFileNameLength", get: diskColumnNamed("MaximumComponentLength").get},
	diskColumn{name: "Label", need: diskLabels, get: func(r *diskRow) cim.Value { return strOrNull(r.label) }},
	diskColumn{name: "SerialNumber", need: diskLabels, get: func(r *diskRow) cim.Value {
		serial, _ := volumeSerial(r.m.FSType, r.uid).Str()
		n, err := strconv.ParseUint(serial, 16, 32)
		if err != nil {
			return cim.Value{}
		}
		return cim.U32(uint32(n))
	}},
	// The boot volume holds the system, the system volume what starts it; Windows has these names.
	diskColumn{name: "BootVolume", get: func(r *diskRow) cim.Value { return cim.Bool(r.m.Mountpoint == "/") }},
	diskColumn{name: "SystemVolume", need: volumeFacts, get: func(r *diskRow) cim.Value {
		return cim.Bool(r.facts.boot != "" && r.m.Source == r.facts.boot)
	}},
	diskColumn{name: "PageFilePresent", need: volumeFacts, get: func(r *diskRow) cim.Value { return cim.Bool(r.facts.swaps[r.m.Mountpoint]) }},
	diskColumn{name: "Automount", need: volumeFacts, get: func(r *diskRow) cim.Value {
		// NULL where the table does not name it, as other programs may mount it
		if auto, ok := r.facts.fstab[r.m.Mountpoint]; ok {
			return cim.Bool(auto)
		}
		return cim.Value{}
	}},
)}

// volumeID is the device file of a volume, its mount point where it has none.
func (r *diskRow) volumeID() string {
	if strings.HasPrefix(r.m.Source, "/dev/") {
		if _, ok := r.p.mountedDevice(r.m); ok {
			return r.m.Source
		}
	}
	return r.m.Mountpoint
}

// facts are what all volumes are compared with.
type facts struct {
	boot  string          // the device that holds /boot
	swaps map[string]bool // the mount points that hold a swap file
	fstab map[string]bool // the mount points in fstab(5): whether they are mounted when the machine starts
}

func (p *Provider) volumeFacts(ctx context.Context) (*facts, error) {
	all := &facts{swaps: map[string]bool{}, fstab: map[string]bool{}}
	_, all.boot = p.bootDevices()
	for _, e := range p.fstab() {
		all.fstab[e.mountPoint] = !slices.Contains(e.options, "noauto")
	}
	mounts, err := p.mounts()
	if err != nil {
		return nil, err
	}
	return all, gatherSwaps(ctx, p, 0, query{}, func(s *swapRow) error {
		if !s.file {
			return nil
		}
		holder := "" // the longest path above the file
		for _, m := range mounts {
			if len(m.Mountpoint) > len(holder) && (m.Mountpoint == "/" || strings.HasPrefix(s.name, m.Mountpoint+"/")) {
				holder = m.Mountpoint
			}
		}
		all.swaps[holder] = true
		return nil
	})
}

// gatherVolumes gives the logical disks of this machine; those of a server are its volumes.
func gatherVolumes(ctx context.Context, p *Provider, need uint32, q query, f func(*diskRow) error) error {
	id, one := q.text("DeviceID")
	all := query{equal: func(name string) (cim.Value, bool) {
		if name == "DeviceID" { // that of another class
			return cim.Value{}, false
		}
		return q.fixed(name)
	}}
	shared := &facts{}
	if need&volumeFacts != 0 {
		var err error
		if shared, err = p.volumeFacts(ctx); err != nil {
			return err
		}
	}
	local := func(kind uint32) bool { return kind != driveNetwork }
	return p.eachDisk(ctx, need, all, local, func(r *diskRow) error {
		if one && !cim.EqualFold(id, r.volumeID()) {
			return nil
		}
		r.facts = shared
		return f(r)
	})
}

// mappedDiskTable has the logical disks of other machines. A mount serves all sessions of a Linux machine; they belong
// to session 0, that of the services.
var mappedDiskTable = &table[diskRow]{name: "Win32_MappedLogicalDisk", gather: gatherMappedDisks, columns: append(
	diskColumnsNamed([]string{
		"SystemCreationClassName", "SystemName", "DeviceID", "Name", "Caption", "Description", "FileSystem", "Size", "FreeSpace",
		"BlockSize", "NumberOfBlocks", "MaximumComponentLength", "Access", "ProviderName",
	}),
	diskColumn{name: "CreationClassName", get: fixedStr[diskRow]("Win32_MappedLogicalDisk")},
	diskColumn{name: "SessionID", get: fixedStr[diskRow]("0")},
)}

func gatherMappedDisks(ctx context.Context, p *Provider, need uint32, q query, f func(*diskRow) error) error {
	return p.eachDisk(ctx, need, q, func(kind uint32) bool { return kind == driveNetwork }, f)
}

func diskColumnNamed(name string) diskColumn {
	for _, c := range diskTable.columns {
		if c.name == name {
			return c
		}
	}
	panic("host: Win32_LogicalDisk has no column " + name)
}

func diskColumnsNamed(names []string) []diskColumn {
	out := make([]diskColumn, len(names))
	for i, n := range names {
		out[i] = diskColumnNamed(n)
	}
	return out
}
