package host

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// storageTree is a machine with an ATA disk with a GPT table (EFI system partition, LVM with the root file system), an
// NVMe disk with a table of the old kind, a USB stick without a medium, a CD drive and a loop device.
func storageTree() map[string]string {
	const (
		ata  = "sys/devices/pci0000:00/0000:00:1f.2/ata1/host2/target2:0:1/2:0:1:3/"
		nvme = "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/"
		usb  = "sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/"
		cd   = "sys/devices/pci0000:00/0000:00:1f.2/ata2/host3/target3:0:0/3:0:0:0/"
	)
	tree := map[string]string{
		"proc/sys/kernel/hostname": "box\n", "sys/bus/scsi/": "", "sys/class/nvme/": "",

		ata + "model": "Hitachi HDS72101\n", ata + "vendor": "ATA     \n", ata + "rev": "A39C\n", ata + "state": "running\n",
		ata + "wwid": "naa.5000cca35de2a1b0\n", ata + "vpd_pg80": "\x00\x80\x00\x10      JP2940HQ2Z", ata + "subsystem": "-> " + up(ata) + "sys/bus/scsi",
		ata + "block/sda/dev": "8:0\n", ata + "block/sda/size": "1953525168\n", ata + "block/sda/removable": "0\n", ata + "block/sda/ro": "0\n",
		ata + "block/sda/queue/logical_block_size": "512\n", ata + "block/sda/queue/physical_block_size": "4096\n",
		ata + "block/sda/queue/rotational": "1\n", ata + "block/sda/device": "-> ../../../2:0:1:3",
		ata + "block/sda/sda1/dev": "8:1\n", ata + "block/sda/sda1/partition": "1\n", ata + "block/sda/sda1/start": "2048\n", ata + "block/sda/sda1/size": "1048576\n", ata + "block/sda/sda1/ro": "0\n",
		// the second place on the disk has the number 3
		ata + "block/sda/sda3/dev": "8:3\n", ata + "block/sda/sda3/partition": "3\n", ata + "block/sda/sda3/start": "1050624\n", ata + "block/sda/sda3/size": "1952473088\n", ata + "block/sda/sda3/ro": "0\n",

		nvme + "model": "Samsung SSD 980 PRO 500GB\n", nvme + "serial": "S5GYNG0N912345\n", nvme + "firmware_rev": "5B2QGXA7\n",
		nvme + "state": "dead\n", nvme + "subsystem": "-> " + up(nvme) + "sys/class/nvme",
		nvme + "nvme0n1/dev": "259:0\n", nvme + "nvme0n1/size": "976773168\n", nvme + "nvme0n1/removable": "0\n", nvme + "nvme0n1/ro": "0\n", nvme + "nvme0n1/hidden": "0\n",
		nvme + "nvme0n1/queue/logical_block_size": "4096\n", nvme + "nvme0n1/queue/rotational": "0\n", nvme + "nvme0n1/device": "-> ../../nvme0", nvme + "nvme0n1/wwid": "eui.002538b911b2c3d4\n",
		nvme + "nvme0n1/nvme0n1p1/dev": "259:1\n", nvme + "nvme0n1/nvme0n1p1/partition": "1\n", nvme + "nvme0n1/nvme0n1p1/start": "63\n", nvme + "nvme0n1/nvme0n1p1/size": "78140097\n",
		nvme + "nvme0n1/nvme0n1p5/dev": "259:2\n", nvme + "nvme0n1/nvme0n1p5/partition": "5\n", nvme + "nvme0n1/nvme0n1p5/start": "78140160\n", nvme + "nvme0n1/nvme0n1p5/size": "1000\n",

		usb + "model": "Ultra\n", usb + "vendor": "SanDisk\n", usb + "block/sdb/dev": "8:16\n", usb + "block/sdb/size": "0\n", usb + "block/sdb/removable": "1\n",
		usb + "block/sdb/device": "-> ../../../6:0:0:0",
		cd + "model":             "DVD\n", cd + "block/sr0/dev": "11:0\n", cd + "block/sr0/size": "4\n", cd + "block/sr0/device": "-> ../../../3:0:0:0",
		"sys/devices/virtual/block/loop0/dev": "7:0\n", "sys/devices/virtual/block/loop0/size": "8\n",
		"sys/devices/virtual/block/dm-0/dev": "253:0\n", "sys/devices/virtual/block/dm-0/dm/uuid": "LVM-qb1\n", "sys/devices/virtual/block/dm-0/slaves/sda3": "-> ../../../../../" + strings.TrimPrefix(ata, "sys/") + "block/sda/sda3",
		"sys/devices/virtual/block/dm-1/dev": "253:1\n", "sys/devices/virtual/block/dm-1/size": "1048576\n",

		"run/udev/data/b8:0":   "S:disk/by-id/wwn-0x5000cca35de2a1b0\nE:ID_PART_TABLE_TYPE=gpt\nE:ID_PART_TABLE_UUID=0b1d5e54-7c2a-4d6f-9a3e-0a1b2c3d4e5f\n",
		"run/udev/data/b8:1":   "E:ID_PART_ENTRY_SCHEME=gpt\nE:ID_PART_ENTRY_TYPE=c12a7328-f81f-11d2-ba4b-00a0c93ec93b\n",
		"run/udev/data/b8:3":   "E:ID_PART_ENTRY_SCHEME=gpt\nE:ID_PART_ENTRY_TYPE=e6d6d379-f507-44c2-a23c-238f2a3df928\n",
		"run/udev/data/b259:0": "E:ID_PART_TABLE_TYPE=dos\nE:ID_PART_TABLE_UUID=d7a41a2f\n",
		"run/udev/data/b259:1": "E:ID_PART_ENTRY_SCHEME=dos\nE:ID_PART_ENTRY_TYPE=0x83\nE:ID_PART_ENTRY_FLAGS=0x80\n",
		"run/udev/data/b259:2": "E:ID_PART_ENTRY_SCHEME=dos\nE:ID_PART_ENTRY_TYPE=0x7\n",

		"dev/disk/by-uuid/2222-ABCD": "-> ../../sda1", "dev/disk/by-label/EFI": "-> ../../sda1", "dev/disk/by-uuid/swap-uuid": "-> ../../dm-1",
		"dev/sda1": "", "dev/dm-0": "", "dev/dm-1": "", "dev/nvme0n1p1": "", "dev/mapper/vg-root": "-> ../dm-0",
		"sys/fs/ext4/dm-0/errors_count": "0\n", "sys/fs/ext4/nvme0n1p1/errors_count": "3\n",
		"etc/fstab": "# a comment\n/dev/mapper/vg-root / ext4 defaults 0 1\nUUID=swap-uuid none swap sw 0 0\n/swap\\040file swap swap defaults 0 0\n/dev/nvme0n1p1 /data ext4 noauto 0 0\n",
		"proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/dm-1                               partition\t524284\t\t2560\t\t-2\n" +
			"/swap\\040file                          file\t2097148\t0\t-3\n",
		"proc/self/mountinfo": "22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n" +
			"30 22 8:1 / /boot/efi rw,relatime shared:2 - vfat /dev/sda1 rw\n" +
			"31 22 259:1 / /data ro,relatime shared:3 - ext4 /dev/nvme0n1p1 rw\n" +
			"33 22 0:44 / /mnt/share rw,relatime - cifs //server/share rw\n" +
			"34 22 0:45 / /run rw - tmpfs tmpfs rw\n",
	}
	for path, target := range map[string]string{
		"sda": ata + "block/sda", "sda1": ata + "block/sda/sda1", "sda3": ata + "block/sda/sda3", "nvme0n1": nvme + "nvme0n1",
		"nvme0n1p1": nvme + "nvme0n1/nvme0n1p1", "nvme0n1p5": nvme + "nvme0n1/nvme0n1p5", "sdb": usb + "block/sdb", "sr0": cd + "block/sr0",
		"loop0": "sys/devices/virtual/block/loop0", "dm-0": "sys/devices/virtual/block/dm-0", "dm-1": "sys/devices/virtual/block/dm-1",
	} {
		tree["sys/class/block/"+path] = "-> ../../../" + target
		tree["sys/dev/block/"+strings.TrimSpace(tree[target+"/dev"])] = "-> ../../../" + target
	}
	return tree
}

// up leads from a folder to the root.
func up(folder string) string { return strings.Repeat("../", strings.Count(folder, "/")) }

// storage is a provider of that machine, where every file system has 1000 blocks of 4096 bytes and 250 free ones.
func storage(t *testing.T) *Provider {
	p := New(Options{Root: root(t, storageTree())})
	p.system.statFS = func(string) (fileSystem, error) {
		return fileSystem{blockSize: 4096, blocks: 1000, available: 250, nameLength: 255}, nil
	}
	return p
}

func TestDiskDrives(t *testing.T) {
	p := storage(t)
	drives := all(t, p, "Win32_DiskDrive", query{})
	if len(drives) != 3 {
		t.Fatalf("%d drives, want 3: %v", len(drives), drives)
	}
	expect(t, drives[0], map[string]string{
		"DeviceID": "/dev/sda", "Index": "0", "Model": "Hitachi HDS72101", "Manufacturer": "null", "SerialNumber": "JP2940HQ2Z", "FirmwareRevision": "A39C",
		"InterfaceType": "IDE", "MediaType": "Fixed hard disk media", "Size": "1000204886016", "BytesPerSector": "512", "TotalSectors": "1953525168", "Partitions": "2",
		"SCSIPort": "2", "SCSIBus": "0", "SCSITargetId": "1", "SCSILogicalUnit": "3", "Status": "OK", "Signature": "null", "PNPDeviceID": `SCSI\2:0:1:3`,
		"SystemName": "box", "TotalHeads": "null", "Capabilities": "{3, 4}",
	})
	expect(t, drives[1], map[string]string{
		"DeviceID": "/dev/sdb", "Index": "1", "Model": "Ultra", "Manufacturer": "SanDisk", "InterfaceType": "USB", "MediaType": "Removable Media",
		"MediaLoaded": "false", "Size": "0", "TotalSectors": "null", "Capabilities": "{3, 7}",
	})
	expect(t, drives[2], map[string]string{
		"DeviceID": "/dev/nvme0n1", "Index": "2", "InterfaceType": "SCSI", "SerialNumber": "S5GYNG0N912345", "FirmwareRevision": "5B2QGXA7",
		"BytesPerSector": "4096", "TotalSectors": "122096646", "Status": "Error", "Signature": "3617856047", "SCSIPort": "null", "Partitions": "2",
	})
	one := only(t, p, "Win32_DiskDrive", fixed(map[string]cim.Value{"DeviceID": cim.Str("/DEV/SDB")}))
	expect(t, one, map[string]string{"Index": "1"})
}

func TestDiskPartitions(t *testing.T) {
	parts := all(t, storage(t), "Win32_DiskPartition", query{})
	if len(parts) != 4 {
		t.Fatalf("%d partitions, want 4", len(parts))
	}
	expect(t, parts[0], map[string]string{
		"DeviceID": "Disk #0, Partition #0", "Name": "Disk #0, Partition #0", "DiskIndex": "0", "Index": "0", "Caption": "/dev/sda1", "Type": "GPT: System",
		"Size": "536870912", "StartingOffset": "1048576", "BlockSize": "512", "NumberOfBlocks": "1048576",
		"Bootable": "true", "BootPartition": "true", "PrimaryPartition": "true", "Access": "3",
	})
	expect(t, parts[1], map[string]string{
		"DeviceID": "Disk #0, Partition #1", "Caption": "/dev/sda3", "Type": "GPT: Linux LVM", "StartingOffset": "537919488", "Bootable": "false", "PrimaryPartition": "true",
	})
	expect(t, parts[2], map[string]string{
		"DeviceID": "Disk #2, Partition #0", "Type": "Linux", "StartingOffset": "32256", "Bootable": "true", "PrimaryPartition": "true", "NumberOfBlocks": "9767512",
	})
	expect(t, parts[3], map[string]string{
		"DeviceID": "Disk #2, Partition #1", "Type": "Installable File System", "Bootable": "false", "PrimaryPartition": "false",
	})
}

func TestUnpartitionedFactsWithoutUdev(t *testing.T) {
	tree := storageTree()
	for name := range tree {
		if strings.HasPrefix(name, "run/udev/") {
			delete(tree, name)
		}
	}
	parts := all(t, New(Options{Root: root(t, tree)}), "Win32_DiskPartition", query{})
	expect(t, parts[0], map[string]string{"Size": "536870912", "Type": "null", "Bootable": "null", "PrimaryPartition": "null"})
}

// A logical volume lies on its partition; what part of it is not known.
func TestStorageAssociations(t *testing.T) {
	p := storage(t)
	var got []string
	for _, i := range all(t, p, "Win32_LogicalDiskToPartition", query{server: "BOX"}) {
		got = append(got, i.Get("Dependent").String()+" on "+i.Get("Antecedent").String()+" "+i.Get("StartingAddress").String()+"-"+i.Get("EndingAddress").String())
	}
	want := []string{
		`\\BOX\root\cimv2:Win32_LogicalDisk.DeviceID="/" on \\BOX\root\cimv2:Win32_DiskPartition.DeviceID="Disk #0, Partition #1" null-null`,
		`\\BOX\root\cimv2:Win32_LogicalDisk.DeviceID="/boot/efi" on \\BOX\root\cimv2:Win32_DiskPartition.DeviceID="Disk #0, Partition #0" 1048576-537919487`,
		`\\BOX\root\cimv2:Win32_LogicalDisk.DeviceID="/data" on \\BOX\root\cimv2:Win32_DiskPartition.DeviceID="Disk #2, Partition #0" 32256-40007761919`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("logical disks lie\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := len(all(t, p, "Win32_DiskDriveToDiskPartition", query{server: "BOX"})); n != 4 {
		t.Errorf("%d partitions of drives, want 4", n)
	}
	s := session(t, p)
	related := func(wql string) (names []string) {
		t.Helper()
		for _, i := range ask(t, s, wql) {
			names = append(names, i.Get("DeviceID").String())
		}
		return names
	}
	if got := related(`ASSOCIATORS OF {Win32_DiskDrive.DeviceID="/dev/nvme0n1"} WHERE AssocClass = Win32_DiskDriveToDiskPartition`); !slices.Equal(got, []string{"Disk #2, Partition #0", "Disk #2, Partition #1"}) {
		t.Errorf("the drive has %v", got)
	}
	if got := related(`ASSOCIATORS OF {Win32_DiskPartition.DeviceID="Disk #2, Partition #0"} WHERE AssocClass = Win32_LogicalDiskToPartition`); !slices.Equal(got, []string{"/data"}) {
		t.Errorf("the partition has %v", got)
	}
	if got := related(`SELECT * FROM Win32_DiskDrive WHERE Size > 600000000000`); !slices.Equal(got, []string{"/dev/sda"}) {
		t.Errorf("large drives %v", got)
	}
}

func TestVolumes(t *testing.T) {
	p := storage(t)
	volumes := all(t, p, "Win32_Volume", query{})
	if len(volumes) != 4 {
		t.Fatalf("%d volumes, want 4", len(volumes))
	}
	expect(t, volumes[0], map[string]string{
		"DeviceID": "/dev/mapper/vg-root", "Name": "/", "Capacity": "4096000", "FreeSpace": "1024000", "BlockSize": "4096", "FileSystem": "ext4", "DriveType": "3",
		"BootVolume": "true", "SystemVolume": "true", "PageFilePresent": "true", "Automount": "true", "DriveLetter": "null", "SerialNumber": "null", "MaximumFileNameLength": "255",
	})
	expect(t, volumes[1], map[string]string{
		"DeviceID": "/dev/sda1", "Name": "/boot/efi", "Label": "EFI", "SerialNumber": strconv.Itoa(0x2222ABCD), "BootVolume": "false", "Automount": "null",
	})
	expect(t, volumes[2], map[string]string{"DeviceID": "/dev/nvme0n1p1", "Access": "1", "Automount": "false", "PageFilePresent": "false"})
	expect(t, volumes[3], map[string]string{"DeviceID": "/run", "DriveType": "6"})
	one := only(t, p, "Win32_Volume", fixed(map[string]cim.Value{"DeviceID": cim.Str("/dev/sda1")}))
	expect(t, one, map[string]string{"Name": "/boot/efi"})
	mapped := only(t, p, "Win32_MappedLogicalDisk", query{})
	expect(t, mapped, map[string]string{
		"DeviceID": "/mnt/share", "ProviderName": "//server/share", "SessionID": "0", "Size": "4096000", "FileSystem": "cifs", "CreationClassName": "Win32_MappedLogicalDisk",
	})
}

func TestPageFiles(t *testing.T) {
	p := storage(t)
	usage := all(t, p, "Win32_PageFileUsage", query{})
	if len(usage) != 2 {
		t.Fatalf("%d page files, want 2", len(usage))
	}
	expect(t, usage[0], map[string]string{"Name": "/dev/dm-1", "AllocatedBaseSize": "511", "CurrentUsage": "2", "PeakUsage": "null", "TempPageFile": "false"})
	expect(t, usage[1], map[string]string{"Name": "/swap file", "AllocatedBaseSize": "2047", "CurrentUsage": "0"})
	settings := all(t, p, "Win32_PageFileSetting", query{})
	if len(settings) != 2 {
		t.Fatalf("%d settings, want 2", len(settings))
	}
	expect(t, settings[0], map[string]string{"Name": "/dev/dm-1", "InitialSize": "512", "MaximumSize": "512"})
	expect(t, settings[1], map[string]string{"Name": "/swap file", "InitialSize": "2047", "MaximumSize": "2047"})
}

func TestStorageManagementClasses(t *testing.T) {
	p := storage(t)
	disks := all(t, p, "MSFT_Disk", query{})
	if len(disks) != 3 {
		t.Fatalf("%d disks, want 3", len(disks))
	}
	expect(t, disks[0], map[string]string{
		"ObjectId": "/dev/sda", "UniqueId": "naa.5000cca35de2a1b0", "Number": "0", "PartitionStyle": "2", "Guid": "{0b1d5e54-7c2a-4d6f-9a3e-0a1b2c3d4e5f}", "Signature": "null",
		"AllocatedSize": "1000203091968", "IsBoot": "true", "IsSystem": "true", "IsReadOnly": "false", "BusType": "11", "HealthStatus": "0", "OperationalStatus": "{53264}",
		"LogicalSectorSize": "512", "PhysicalSectorSize": "4096",
	})
	expect(t, disks[2], map[string]string{
		"UniqueId": "eui.002538b911b2c3d4", "PartitionStyle": "1", "Signature": "3617856047", "Guid": "null", "IsBoot": "false", "IsOffline": "true", "BusType": "17", "HealthStatus": "2", "OperationalStatus": "{6}",
	})
	physical := all(t, p, "MSFT_PhysicalDisk", query{})
	expect(t, physical[0], map[string]string{"DeviceId": "0", "MediaType": "3", "BusType": "11", "HealthStatus": "0", "OperationalStatus": "{2}", "SerialNumber": "JP2940HQ2Z"})
	expect(t, physical[1], map[string]string{"BusType": "7", "MediaType": "null"})
	expect(t, physical[2], map[string]string{"MediaType": "4", "Size": "500107862016"})
	volumes := all(t, p, "MSFT_Volume", query{})
	expect(t, volumes[0], map[string]string{"ObjectId": "/dev/mapper/vg-root", "Path": "/", "HealthStatus": "0", "Size": "4096000", "SizeRemaining": "1024000", "AllocationUnitSize": "4096"})
	expect(t, volumes[1], map[string]string{"UniqueId": "2222-ABCD", "FileSystemLabel": "EFI", "HealthStatus": "null"})
	expect(t, volumes[2], map[string]string{"HealthStatus": "1"})
	one := only(t, p, "MSFT_Disk", fixed(map[string]cim.Value{"ObjectId": cim.Str("/dev/nvme0n1")}))
	expect(t, one, map[string]string{"Number": "2"})
}

// Some drivers put their devices into a folder; below /sys the slash is written "!".
func TestDevicesInFolders(t *testing.T) {
	tree := map[string]string{
		"sys/devices/pci0/cciss0/block/cciss!c0d0/dev": "104:0\n", "sys/devices/pci0/cciss0/block/cciss!c0d0/size": "16\n",
		"sys/devices/pci0/cciss0/block/cciss!c0d0/device": "-> ../../../cciss0",
		"sys/class/block/cciss!c0d0":                      "-> ../../devices/pci0/cciss0/block/cciss!c0d0",
		"dev/cciss/c0d0":                                  "", "dev/disk/by-uuid/u1": "-> ../../cciss/c0d0",
		"etc/fstab": "/dev/disk/by-uuid/u1 none swap\n",
	}
	p := New(Options{Root: root(t, tree)})
	expect(t, only(t, p, "Win32_DiskDrive", query{}), map[string]string{"DeviceID": "/dev/cciss/c0d0", "Size": "8192"})
	if d := p.deviceFile("/dev/disk/by-uuid/u1"); d == nil || d.name != "cciss!c0d0" {
		t.Errorf("the link leads to %v", d)
	}
}

// The ids are those that cryptsetup gives its devices.
func TestEncryptableVolumes(t *testing.T) {
	tree := storageTree()
	if got := all(t, New(Options{Root: root(t, tree)}), "Win32_EncryptableVolume", query{}); len(got) != 0 {
		t.Errorf("nothing is encrypted, and there are %v", got)
	}
	tree["sys/devices/virtual/block/dm-0/dm/uuid"] = "CRYPT-LUKS2-6a3cd0a2b1f04f3c8d5e7a9b0c1d2e3f-luks-root\n"
	tree["run/udev/data/b259:1"] += "E:ID_FS_TYPE=crypto_LUKS\nE:ID_FS_UUID=11111111-2222-3333-4444-555555555555\n"
	tree["dev/sda3"] = string(luks2Bytes(luks2Text))
	tree["dev/nvme0n1p1"] = string(luks2Bytes(luks2Text))
	p := New(Options{Root: root(t, tree)})
	got := all(t, p, "Win32_EncryptableVolume", query{})
	if len(got) != 2 {
		t.Fatalf("%d containers, want 2", len(got))
	}
	expect(t, got[0], map[string]string{"DeviceID": "/dev/sda3", "PersistentVolumeID": "6a3cd0a2-b1f0-4f3c-8d5e-7a9b0c1d2e3f", "ProtectionStatus": "1", "DriveLetter": "null",
		"ConversionStatus": "1", "EncryptionMethod": "7", "VolumeType": "0"})
	expect(t, got[1], map[string]string{"DeviceID": "/dev/nvme0n1p1", "PersistentVolumeID": "11111111-2222-3333-4444-555555555555",
		"ConversionStatus": "null", "EncryptionMethod": "null", "VolumeType": "1"})
	ask := func(device, method, out string) string {
		t.Helper()
		path := cim.ObjectPath{Class: "Win32_EncryptableVolume", Keys: []cim.Key{{Name: "DeviceID", Value: cim.Str(device)}}}
		r, err := p.invoke(context.Background(), "Win32_EncryptableVolume", method, &call{path: path})
		if err != nil {
			t.Fatalf("%s of %s: %v", method, device, err)
		}
		return r.ReturnValue.String() + " " + r.Out.Get(out).String()
	}
	for _, want := range [][4]string{
		{"/dev/sda3", "GetProtectionStatus", "ProtectionStatus", "0 1"},
		{"/dev/sda3", "GetLockStatus", "LockStatus", "0 0"},
		{"/dev/nvme0n1p1", "GetLockStatus", "LockStatus", "0 1"},
		{"/dev/sda3", "GetConversionStatus", "ConversionStatus", "0 1"},
		{"/dev/sda3", "GetConversionStatus", "EncryptionPercentage", "0 100"},
		{"/dev/sda3", "GetEncryptionMethod", "EncryptionMethod", "0 7"},
		{"/dev/nvme0n1p1", "GetConversionStatus", "ConversionStatus", "2150694912 null"},
	} {
		if got := ask(want[0], want[1], want[2]); got != want[3] {
			t.Errorf("%s of %s gives %s, want %s", want[1], want[0], got, want[3])
		}
	}
	tree["sys/devices/virtual/block/dm-1/dm/uuid"] = "CRYPT-SUBDEV-6a3cd0a2b1f04f3c8d5e7a9b0c1d2e3f-luks-root-hotzone-forward\n"
	p = New(Options{Root: root(t, tree)})
	if got := ask("/dev/sda3", "GetConversionStatus", "ConversionStatus"); got != "0 2" {
		t.Errorf("a container that is being encrypted anew: %s", got)
	}
}
