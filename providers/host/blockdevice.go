package host

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// blockDevice is a disk, a partition or another block device of /sys/class/block.
type blockDevice struct {
	p      *Provider
	name   string // "sda1"
	number string // "8:1"
}

// path is the device file. Below /sys a slash in its name is written "!".
func (d *blockDevice) path() string { return "/dev/" + strings.ReplaceAll(d.name, "!", "/") }

// sys reads a file of the device below /sys.
func (d *blockDevice) sys(file string) string {
	return d.p.read("sys/class/block/" + d.name + "/" + file)
}

// sysNumber is sys for a file of one number; ok is false where there is none.
func (d *blockDevice) sysNumber(file string) (n uint64, ok bool) {
	n, err := strconv.ParseUint(d.sys(file), 10, 64)
	return n, err == nil
}

// sectors are the units of size and start below /sys, whatever the device has.
const sectorSize = 512

// size is in bytes.
func (d *blockDevice) size() (uint64, bool) {
	n, ok := d.sysNumber("size")
	return n * sectorSize, ok
}

// folder is the real folder of the device: that of a partition lies in that of its disk.
func (d *blockDevice) folder() string {
	target, err := filepath.EvalSymlinks(filepath.Join(d.p.root, "sys/class/block", d.name))
	if err != nil {
		return ""
	}
	return target
}

// removable tells whether the medium of a disk or of the disk of a partition can be taken out.
func (d *blockDevice) removable() bool {
	dir := d.folder()
	if d.sys("partition") != "" {
		dir = filepath.Dir(dir)
	}
	b, err := os.ReadFile(filepath.Join(dir, "removable"))
	return err == nil && strings.TrimSpace(string(b)) == "1"
}

// hardware is the folder of the hardware behind a disk, "" where there is none.
func (d *blockDevice) hardware() string {
	target, err := filepath.EvalSymlinks(filepath.Join(d.p.root, "sys/class/block", d.name, "device"))
	if err != nil {
		return ""
	}
	return target
}

// blockDevice finds a device by its number "8:1" or its name.
func (p *Provider) blockDevice(number string) (*blockDevice, bool) {
	target, err := filepath.EvalSymlinks(filepath.Join(p.root, "sys/dev/block", number))
	if err != nil {
		return nil, false
	}
	return &blockDevice{p: p, name: filepath.Base(target), number: number}, true
}

// deviceFile finds a device by the path of its file, which may be a link; nil where there is none.
func (p *Provider) deviceFile(path string) *blockDevice {
	file, ok := strings.CutPrefix(path, "/dev/")
	if !ok {
		return nil
	}
	dev := filepath.Join(p.root, "dev")
	if target, err := filepath.EvalSymlinks(dev); err == nil {
		dev = target
	}
	if target, err := filepath.EvalSymlinks(filepath.Join(dev, file)); err == nil {
		if file, err = filepath.Rel(dev, target); err != nil {
			return nil
		}
	}
	d := &blockDevice{p: p, name: strings.ReplaceAll(file, "/", "!")}
	if d.number = d.sys("dev"); d.number == "" {
		return nil
	}
	return d
}

// blockDevices are all block devices, in the order in which their names count: sda, sdb, sdaa, nvme0n1.
func (p *Provider) blockDevices() []*blockDevice {
	entries, err := os.ReadDir(filepath.Join(p.root, "sys/class/block"))
	if err != nil {
		return nil
	}
	var out []*blockDevice
	for _, e := range entries {
		d := &blockDevice{p: p, name: e.Name()}
		if d.number = d.sys("dev"); d.number != "" {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *blockDevice) int {
		return cmp.Or(cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	return out
}

// disk is a block device with hardware behind it, and its place among the disks of the machine.
type disk struct {
	*blockDevice
	index      int
	partitions []*partition
}

// partition is a part of a disk; index is its place on it, from 0.
type partition struct {
	*blockDevice
	disk  *disk
	index int
}

// Drives for CDs and floppies are no disk drives; their device numbers are assigned.
var noDisks = map[string]bool{"2": true, "11": true}

// disks are the disks of the machine with their partitions. Devices of software only (loop, ram, dm, md) are none, nor
// are the hidden paths to a disk that has several.
func (p *Provider) disks() []*disk {
	all := p.blockDevices()
	var out []*disk
	byFolder := map[string]*disk{}
	for _, d := range all {
		major, _, _ := strings.Cut(d.number, ":")
		if d.sys("partition") != "" || noDisks[major] || d.sys("hidden") == "1" || d.hardware() == "" {
			continue
		}
		k := &disk{blockDevice: d, index: len(out)}
		out = append(out, k)
		byFolder[d.folder()] = k
	}
	for _, d := range all {
		if d.sys("partition") == "" {
			continue
		}
		if k := byFolder[filepath.Dir(d.folder())]; k != nil {
			k.partitions = append(k.partitions, &partition{blockDevice: d, disk: k})
		}
	}
	for _, k := range out {
		slices.SortFunc(k.partitions, func(a, b *partition) int {
			i, _ := a.sysNumber("start")
			j, _ := b.sysNumber("start")
			return cmp.Compare(i, j)
		})
		for i, part := range k.partitions {
			part.index = i
		}
	}
	return out
}

// underlying are the partitions that hold a device: itself, or those below a volume of the device mapper or of md.
func underlying(d *blockDevice, partitions map[string]*partition) []*partition {
	var out []*partition
	d.p.walkBelow(d, func(name string) bool {
		part := partitions[name]
		if part != nil {
			out = append(out, part)
		}
		return part == nil
	})
	return out
}

// walkBelow calls f with the name of a device and, as long as f says so, with those that it lies on; each once.
func (p *Provider) walkBelow(d *blockDevice, f func(name string) (deeper bool)) {
	seen := map[string]bool{}
	var walk func(name string)
	walk = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		if !f(name) {
			return
		}
		slaves, err := os.ReadDir(filepath.Join(p.root, "sys/class/block", name, "slaves"))
		if err != nil {
			return
		}
		for _, s := range slaves {
			walk(s.Name())
		}
	}
	walk(d.name)
}

// udev is what the device manager found out about a device: its database has lines "E:NAME=VALUE". Without udev it
// has none.
func (d *blockDevice) udev() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(d.p.read("run/udev/data/b" + d.number)) {
		entry, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "E:")
		if !ok {
			continue
		}
		if name, value, ok := strings.Cut(entry, "="); ok {
			out[name] = value
		}
	}
	return out
}
