package host

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/casementhq/casement/cim"
)

const (
	diskLabels  uint32 = 1 << iota
	volumeFacts        // of Win32_Volume alone
)

type diskRow struct {
	p          *Provider
	csName     string
	m          *mountinfo.Info
	fs         fileSystem
	fsKnown    bool
	kind       uint32
	label, uid string
	facts      *facts
}

type diskColumn = column[diskRow]

func diskText(name string, get func(*diskRow) string) diskColumn {
	return diskColumn{name: name, get: func(r *diskRow) cim.Value { return strOrNull(get(r)) }}
}

func diskNumber(name string, get func(*diskRow) uint64) diskColumn {
	return diskColumn{name: name, get: func(r *diskRow) cim.Value {
		if !r.fsKnown {
			return cim.Value{}
		}
		return cim.U64(get(r))
	}}
}

func mountPoint(r *diskRow) string { return r.m.Mountpoint }

var diskTable = &table[diskRow]{name: "Win32_LogicalDisk", gather: gatherDisks, columns: []diskColumn{
	{name: "CreationClassName", get: fixedStr[diskRow]("Win32_LogicalDisk")},
	{name: "SystemCreationClassName", get: fixedStr[diskRow]("Win32_ComputerSystem")},
	diskText("SystemName", func(r *diskRow) string { return r.csName }),
	diskText("DeviceID", mountPoint),
	diskText("Name", mountPoint),
	diskText("Caption", mountPoint),
	diskText("Description", func(r *diskRow) string { return driveTypes[r.kind].description }),
	{name: "DriveType", get: func(r *diskRow) cim.Value { return cim.U32(r.kind) }},
	{name: "MediaType", get: func(r *diskRow) cim.Value {
		if m := driveTypes[r.kind].media; m != 0 {
			return cim.U32(m)
		}
		return cim.Value{}
	}},
	diskText("FileSystem", func(r *diskRow) string { return r.m.FSType }),
	diskNumber("Size", func(r *diskRow) uint64 { return r.fs.blocks * r.fs.blockSize }),
	diskNumber("FreeSpace", func(r *diskRow) uint64 { return r.fs.available * r.fs.blockSize }),
	diskNumber("BlockSize", func(r *diskRow) uint64 { return r.fs.blockSize }),
	diskNumber("NumberOfBlocks", func(r *diskRow) uint64 { return r.fs.blocks }),
	{name: "MaximumComponentLength", get: func(r *diskRow) cim.Value {
		if !r.fsKnown || r.fs.nameLength == 0 {
			return cim.Value{}
		}
		return cim.U32(uint32(r.fs.nameLength))
	}},
	{name: "Access", get: func(r *diskRow) cim.Value {
		for _, o := range strings.Split(r.m.Options+","+r.m.VFSOptions, ",") {
			if o == "ro" {
				return cim.U16(1) // readable
			}
		}
		return cim.U16(3) // readable and writeable
	}},
	diskText("ProviderName", func(r *diskRow) string {
		if r.kind != driveNetwork {
			return ""
		}
		return r.m.Source
	}),
	{name: "VolumeName", need: diskLabels, get: func(r *diskRow) cim.Value { return strOrNull(r.label) }},
	{name: "VolumeSerialNumber", need: diskLabels, get: func(r *diskRow) cim.Value { return volumeSerial(r.m.FSType, r.uid) }},
}}

// The values of DriveType that occur here.
const (
	driveRemovable uint32 = 2
	driveLocal     uint32 = 3
	driveNetwork   uint32 = 4
	driveCD        uint32 = 5
	driveRAM       uint32 = 6
)

var driveTypes = map[uint32]struct {
	description string
	media       uint32
}{
	driveRemovable: {"Removable Disk", 11},
	driveLocal:     {"Local Fixed Disk", 12},
	driveNetwork:   {"Network Connection", 0},
	driveCD:        {"CD-ROM Disc", 11},
	driveRAM:       {"RAM Disk", 0},
}

var networkFS = map[string]bool{
	"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "9p": true, "ceph": true, "afs": true, "ncpfs": true,
	"fuse.sshfs": true, "fuse.glusterfs": true, "glusterfs": true, "lustre": true, "beegfs": true,
}

func (p *Provider) driveType(m *mountinfo.Info) uint32 {
	switch m.FSType {
	case "tmpfs", "ramfs", "devtmpfs":
		return driveRAM
	case "iso9660", "udf":
		return driveCD
	}
	if networkFS[m.FSType] {
		return driveNetwork
	}
	dev := "sys/dev/block/" + strconv.Itoa(m.Major) + ":" + strconv.Itoa(m.Minor)
	for _, path := range []string{dev + "/removable", dev + "/../removable"} {
		// the kernel resolves the link before "..": Join would not
		b, err := os.ReadFile(p.root + "/" + path)
		if err == nil && strings.TrimSpace(string(b)) == "1" {
			return driveRemovable
		}
	}
	return driveLocal
}

// volumeSerial has eight hexadecimal digits on FAT, as Windows shows them; other file systems have no such number.
func volumeSerial(fsType, uuid string) cim.Value {
	if fsType != "vfat" && fsType != "exfat" {
		return cim.Value{}
	}
	return strOrNull(strings.ReplaceAll(uuid, "-", ""))
}

// mounts are the mounts that df(1) would show without -a: one per device, the one with the shortest path, and none
// that another mount hides.
func (p *Provider) mounts() ([]*mountinfo.Info, error) {
	f, err := os.Open(filepath.Join(p.root, "proc/self/mountinfo"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := mountinfo.GetMountsFromReader(f, nil)
	if err != nil {
		return nil, err
	}
	visible := map[string]*mountinfo.Info{} // the last one on a mount point hides the others
	for _, m := range all {
		visible[m.Mountpoint] = m
	}
	type device struct{ major, minor int }
	best := map[device]*mountinfo.Info{}
	for _, m := range all {
		d := device{m.Major, m.Minor}
		if b := best[d]; visible[m.Mountpoint] == m && (b == nil || len(m.Mountpoint) < len(b.Mountpoint)) {
			best[d] = m
		}
	}
	var out []*mountinfo.Info
	for _, m := range all {
		if best[device{m.Major, m.Minor}] == m && !pseudoFS[m.FSType] {
			out = append(out, m)
		}
	}
	return out, nil
}

// pseudoFS hold no data of users; statfs gives them no blocks, and some would trigger a mount when they are touched.
var pseudoFS = map[string]bool{
	"proc": true, "sysfs": true, "cgroup": true, "cgroup2": true, "devpts": true, "mqueue": true, "debugfs": true,
	"tracefs": true, "securityfs": true, "pstore": true, "bpf": true, "configfs": true, "fusectl": true, "autofs": true,
	"binfmt_misc": true, "hugetlbfs": true, "rpc_pipefs": true, "nsfs": true, "efivarfs": true, "selinuxfs": true,
}

func gatherDisks(ctx context.Context, p *Provider, need uint32, q query, f func(*diskRow) error) error {
	return p.eachDisk(ctx, need, q, func(uint32) bool { return true }, f)
}

// eachDisk gathers the logical disks of some kinds; others are not even asked for their size.
func (p *Provider) eachDisk(ctx context.Context, need uint32, q query, kinds func(kind uint32) bool, f func(*diskRow) error) error {
	mounts, err := p.mounts()
	if err != nil {
		return err
	}
	var labels, uuids map[string]string
	if need&diskLabels != 0 {
		labels, uuids = p.diskLinks("by-label"), p.diskLinks("by-uuid")
	}
	id, one := q.text("DeviceID")
	name := p.hostName()
	for _, m := range mounts {
		if one && !cim.EqualFold(m.Mountpoint, id) {
			continue
		}
		r := &diskRow{p: p, csName: name, m: m, kind: p.driveType(m)}
		if !kinds(r.kind) {
			continue
		}
		if want, ok := q.fixed("DriveType"); ok {
			if n, ok := want.Uint(); ok && n != uint64(r.kind) {
				continue
			}
		}
		mayHang := r.kind == driveNetwork || strings.HasPrefix(m.FSType, "fuse")
		r.fs, err = p.statFS(ctx, m.Mountpoint, mayHang)
		r.fsKnown = err == nil
		if r.fsKnown && r.fs.blocks == 0 {
			continue
		}
		r.label, r.uid = labels[m.Source], uuids[m.Source]
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// diskLinks reads a folder of /dev/disk: device to name.
func (p *Provider) diskLinks(folder string) map[string]string {
	dir := filepath.Join(p.root, "dev/disk", folder)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			out["/dev/"+filepath.Base(target)] = unescapeLabel(e.Name())
		}
	}
	return out
}

// unescapeLabel undoes the \xNN of udev.
func unescapeLabel(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], `\x`) && len(s) >= i+4 {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// bootDevices are the sources of the file systems that hold / and /boot.
func (p *Provider) bootDevices() (root, boot string) {
	f, err := os.Open(filepath.Join(p.root, "proc/self/mountinfo"))
	if err != nil {
		return "", ""
	}
	defer f.Close()
	mounts, err := mountinfo.GetMountsFromReader(f, nil)
	if err != nil {
		return "", ""
	}
	for _, m := range mounts {
		if !strings.HasPrefix(m.Source, "/dev/") {
			continue
		}
		switch m.Mountpoint {
		case "/":
			root = m.Source
		case "/boot":
			boot = m.Source
		}
	}
	if boot == "" {
		boot = root
	}
	return root, boot
}
