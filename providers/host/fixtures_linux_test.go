package host

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/host/internal/nl"
)

func meminfo(total, available, swap, swapFree int) string {
	return fmt.Sprintf("MemTotal: %d kB\nMemFree: 1 kB\nMemAvailable: %d kB\nSwapTotal: %d kB\nSwapFree: %d kB\n", total, available, swap, swapFree)
}

func TestMemoryOfOddMachines(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  map[string]string
	}{
		{"with swap", map[string]string{"proc/meminfo": meminfo(1000, 400, 500, 300)},
			map[string]string{"TotalVisibleMemorySize": "1000", "FreePhysicalMemory": "400", "TotalVirtualMemorySize": "1500", "FreeVirtualMemory": "700",
				"SizeStoredInPagingFiles": "500", "FreeSpaceInPagingFiles": "300"}},
		{"no swap", map[string]string{"proc/meminfo": meminfo(1000, 400, 0, 0)},
			map[string]string{"TotalVirtualMemorySize": "1000", "SizeStoredInPagingFiles": "0", "FreeSpaceInPagingFiles": "0"}},
		{"limited", map[string]string{"proc/meminfo": meminfo(8000, 4000, 500, 500), "sys/fs/cgroup/memory.max": "1024000\n",
			"sys/fs/cgroup/memory.current": "614400\n", "sys/fs/cgroup/memory.stat": "anon 5\ninactive_file 102400\n", "sys/fs/cgroup/memory.swap.max": "0\n"},
			map[string]string{"TotalVisibleMemorySize": "1000", "FreePhysicalMemory": "500", "SizeStoredInPagingFiles": "0"}},
		{"unlimited", map[string]string{"proc/meminfo": meminfo(8000, 4000, 0, 0), "sys/fs/cgroup/memory.max": "max\n"},
			map[string]string{"TotalVisibleMemorySize": "8000", "FreePhysicalMemory": "4000"}},
		{"unknown", nil, map[string]string{"TotalVisibleMemorySize": "null", "SizeStoredInPagingFiles": "null", "LastBootUpTime": "null",
			"Caption": "null", "NumberOfUsers": "null", "OSLanguage": "null", "ProductType": "null"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"proc/": ""}
			for k, v := range c.files {
				files[k] = v
			}
			expect(t, only(t, New(Options{Root: root(t, files)}), "Win32_OperatingSystem", query{}), c.want)
		})
	}
}

func TestOperatingSystemOfAFixture(t *testing.T) {
	p := New(Options{Now: func() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }, Root: root(t, map[string]string{
		"etc/os-release":                "NAME='Fedora Linux'\nPRETTY_NAME=\"Fedora \\\"42\\\" Linux\"\nVERSION_ID=42\nVARIANT_ID=server\n# a comment\n",
		"etc/locale.conf":               "LANG=de_DE.UTF-8\n",
		"proc/sys/kernel/osrelease":     "6.17.1\n",
		"proc/sys/kernel/arch":          "aarch64\n",
		"run/systemd/sessions/1":        "UID=0\nUSER=root\nCLASS=user\nSTATE=active\n",
		"run/systemd/sessions/c2":       "CLASS=greeter\nSTATE=online\n",
		"run/systemd/sessions/3":        "CLASS=user\nSTATE=closing\n",
		"run/systemd/seats/seat0":       "IS_SEAT0=1\nACTIVE=1\nACTIVE_UID=0\n",
		"etc/samba/smb.conf":            "[global]\n  security = ADS\n  realm = CORP.EXAMPLE\n  workgroup = CORP\n",
		"proc/sys/kernel/hostname":      "fox.corp.example\n",
		"sys/class/dmi/id/chassis_type": "23\n",
		"proc/self/mountinfo":           "22 1 8:2 / / rw - ext4 /dev/sda2 rw\n23 22 8:1 / /boot rw - ext4 /dev/sda1 rw\n",
	})})
	expect(t, only(t, p, "Win32_OperatingSystem", query{}), map[string]string{
		"Caption": `Fedora "42" Linux`, "Version": "42", "BuildNumber": "6.17.1", "Manufacturer": "Fedora", "ProductType": "3", "OSArchitecture": "64-bit",
		"OSLanguage": "1031", "Locale": "0407", "MUILanguages": "{de-DE}", "CodeSet": "65001", "NumberOfUsers": "1",
		"LocalDateTime": "20260701120000.000000+000", "CurrentTimeZone": "0", "SystemDevice": "/dev/sda2", "BootDevice": "/dev/sda1",
	})
	expect(t, only(t, p, "Win32_ComputerSystem", query{}), map[string]string{
		"Name": "fox.corp.example", "DNSHostName": "fox", "PartOfDomain": "true", "Domain": "corp.example", "Workgroup": "null", "DomainRole": "3",
		"UserName": `fox.corp.example\root`, "PCSystemType": "4", "SystemType": "ARM64-based PC", "HypervisorPresent": "null", "TotalPhysicalMemory": "null",
	})
	alone := New(Options{Root: root(t, map[string]string{"etc/samba/smb.conf": "[global]\nworkgroup = HOME\n"})})
	expect(t, only(t, alone, "Win32_ComputerSystem", query{}), map[string]string{"PartOfDomain": "false", "Workgroup": "HOME", "Domain": "HOME", "DomainRole": "null"})
}

func TestFirmware(t *testing.T) {
	entry := append([]byte("_SM3_\x00\x18\x03\x05\x00"), make([]byte, 14)...)
	p := New(Options{Root: root(t, map[string]string{
		"sys/class/dmi/id/sys_vendor": "Maker\n", "sys/class/dmi/id/product_name": "Box 9\n", "sys/class/dmi/id/product_serial": "To Be Filled By O.E.M.\n",
		"sys/class/dmi/id/product_uuid": "00112233-4455-6677-8899-aabbccddeeff\n", "sys/class/dmi/id/product_version": "Default string\n",
		"sys/class/dmi/id/bios_vendor": "Firm\n", "sys/class/dmi/id/bios_version": "1.2.3\n", "sys/class/dmi/id/bios_date": "02/29/2024\n",
		"sys/class/dmi/id/bios_release": "5.17\n", "sys/firmware/dmi/tables/smbios_entry_point": string(entry),
	})})
	expect(t, only(t, p, "Win32_ComputerSystemProduct", query{}), map[string]string{
		"Vendor": "Maker", "Name": "Box 9", "IdentifyingNumber": "null", "Version": "null", "UUID": "00112233-4455-6677-8899-AABBCCDDEEFF"})
	expect(t, only(t, p, "Win32_BIOS", query{}), map[string]string{
		"Manufacturer": "Firm", "SMBIOSBIOSVersion": "1.2.3", "Name": "1.2.3", "ReleaseDate": "20240229000000.000000+000", "SerialNumber": "null",
		"SystemBiosMajorVersion": "5", "SystemBiosMinorVersion": "17", "SMBIOSMajorVersion": "3", "SMBIOSMinorVersion": "5", "SMBIOSPresent": "true",
		"BIOSVersion": "{1.2.3}", "EmbeddedControllerMajorVersion": "null"})
	none := New(Options{Root: root(t, nil)})
	expect(t, only(t, none, "Win32_BIOS", query{}), map[string]string{"Name": "null", "SMBIOSPresent": "false", "SMBIOSMajorVersion": "null", "Status": "null"})
	expect(t, only(t, none, "Win32_ComputerSystemProduct", query{}), map[string]string{"Name": "null", "UUID": "null"})
}

func TestProcessorsOfTwoSockets(t *testing.T) {
	files := map[string]string{"proc/sys/kernel/arch": "x86_64\n"}
	var info strings.Builder
	for n := range 8 { // two sockets, two cores each, two threads each
		fmt.Fprintf(&info, "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Test CPU\nstepping\t: 7\nmicrocode\t: 0x1\ncpu MHz\t\t: 2499.998\ncache size\t: 36608 KB\n"+
			"physical id\t: %d\nsiblings\t: 4\ncore id\t\t: %d\ncpu cores\t: 2\nflags\t\t: fpu lm vmx ept hypervisor\n\n", n, n/4, n/2%2)
		cache := fmt.Sprintf("sys/devices/system/cpu/cpu%d/cache/", n)
		files[cache+"index0/level"], files[cache+"index0/size"], files[cache+"index0/shared_cpu_list"] = "2\n", "1024K\n", fmt.Sprintf("%d-%d\n", n&^1, n|1)
		files[cache+"index1/level"], files[cache+"index1/size"], files[cache+"index1/shared_cpu_list"] = "3\n", "36608K\n", fmt.Sprintf("%d-%d\n", n&^3, n|3)
	}
	files["proc/cpuinfo"] = info.String()
	files["sys/devices/system/cpu/cpu4/cpufreq/cpuinfo_max_freq"] = "3900000\n"
	p := New(Options{Root: root(t, files)})
	out := all(t, p, "Win32_Processor", projected("Win32_Processor", "Name", "NumberOfCores", "NumberOfLogicalProcessors", "L2CacheSize", "L3CacheSize",
		"CurrentClockSpeed", "MaxClockSpeed", "Architecture", "Revision", "Level", "Caption", "VMMonitorModeExtensions", "DataWidth", "ProcessorId"))
	if len(out) != 2 {
		t.Fatalf("%d processors, want one for each socket", len(out))
	}
	expect(t, out[1], map[string]string{
		"DeviceID": "CPU1", "Name": "Test CPU", "NumberOfCores": "2", "NumberOfLogicalProcessors": "4", "L2CacheSize": "2048", "L3CacheSize": "36608",
		"CurrentClockSpeed": "2500", "MaxClockSpeed": "3900", "Architecture": "9", "Revision": "21767", "Level": "6", "DataWidth": "64",
		"Caption": "Intel64 Family 6 Model 85 Stepping 7", "VMMonitorModeExtensions": "true", "ProcessorId": "null"})
	expect(t, only(t, p, "Win32_ComputerSystem", query{}), map[string]string{"NumberOfProcessors": "2", "NumberOfLogicalProcessors": "8", "HypervisorPresent": "true"})
	if n := len(all(t, p, "Win32_Processor", query{equal: func(n string) (cim.Value, bool) { return cim.Str("CPU0"), n == "DeviceID" },
		wants: func(int) bool { return false }})); n != 1 {
		t.Errorf("CPU0 comes %d times", n)
	}
}

func TestNetworkOfAFixture(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"etc/machine-id": "0123456789abcdef0123456789abcdef\n", "proc/sys/kernel/hostname": "box.example\n",
		"etc/resolv.conf":                 "nameserver 127.0.0.53\nsearch example.net lab.example\n",
		"run/systemd/resolve/resolv.conf": "nameserver 2001:db8::53\n",
		"run/systemd/netif/links/2":       "ADMIN_STATE=configured\n",
		"run/systemd/netif/leases/2":      "ADDRESS=192.0.2.7\nSERVER_ADDRESS=192.0.2.1\n",
		"run/systemd/netif/links/3":       "ADMIN_STATE=configured\n",
		"sys/class/net/eth0/speed":        "10000\n", "sys/class/net/eth0/addr_assign_type": "0\n",
		"sys/class/net/eth0/device":                     "-> ../../../devices/pci0000:00/0000:00:03.0",
		"sys/devices/pci0000:00/0000:00:03.0/driver":    "-> ../../../bus/pci/drivers/virtio",
		"sys/devices/pci0000:00/0000:00:03.0/subsystem": "-> ../../../bus/pci",
		"sys/bus/pci/drivers/virtio/":                   "",
		"sys/class/net/eth1/speed":                      "-1\n",
	})})
	p.system = system{
		links: func() ([]nl.Link, error) {
			return []nl.Link{
				{Index: 3, Name: "eth1", MAC: "02:00:00:00:00:03", Kind: "veth", Type: "ether", MTU: 1500, Up: true, OperState: "down"},
				{Index: 1, Name: "lo", MAC: "00:00:00:00:00:00", Kind: "device", Type: "loopback", MTU: 65536, Up: true, Running: true, OperState: "unknown", Loopback: true},
				{Index: 2, Name: "eth0", MAC: "02:00:00:00:00:02", Kind: "device", Type: "ether", MTU: 9000, Up: true, Running: true, OperState: "up"},
			}, nil
		},
		addresses: func(int) ([]nl.Address, error) {
			return []nl.Address{
				{LinkIndex: 2, Prefix: netip.MustParsePrefix("2001:db8::7/64")}, {LinkIndex: 2, Prefix: netip.MustParsePrefix("192.0.2.7/22")},
				{LinkIndex: 3, Prefix: netip.MustParsePrefix("fe80::3/64")},
			}, nil
		},
		gateways: func() ([]nl.Gateway, error) {
			return []nl.Gateway{{LinkIndex: 3, Address: netip.MustParseAddr("fe80::1"), Metric: 1024}, {LinkIndex: 2, Address: netip.MustParseAddr("192.0.2.1"), Metric: 100}}, nil
		},
	}
	index := func(class, n string) *cim.Instance {
		v, _ := cim.ParseValue(classNamed(class).Property("Index").Type, n)
		return only(t, p, class, fixed(map[string]cim.Value{"Index": v}))
	}
	expect(t, index("Win32_NetworkAdapter", "2"), map[string]string{
		"Name": "eth0", "NetConnectionStatus": "2", "Speed": "10000000000", "PhysicalAdapter": "true", "ServiceName": "virtio", "MACAddress": "02:00:00:00:00:02",
		"PermanentAddress": "02:00:00:00:00:02", "PNPDeviceID": `PCI\0000:00:03.0`, "DeviceID": "2", "GUID": "{94648C12-71D8-5D98-A14D-308747EBD83A}"})
	expect(t, index("Win32_NetworkAdapter", "3"), map[string]string{
		"NetConnectionStatus": "7", "Speed": "null", "PhysicalAdapter": "false", "ServiceName": "veth", "PermanentAddress": "null"})
	expect(t, index("Win32_NetworkAdapter", "1"), map[string]string{"MACAddress": "null", "AdapterType": "null", "NetConnectionStatus": "2"})
	expect(t, index("Win32_NetworkAdapterConfiguration", "2"), map[string]string{
		"IPEnabled": "true", "IPAddress": "{192.0.2.7, 2001:db8::7}", "IPSubnet": "{255.255.252.0, 64}", "DefaultIPGateway": "{192.0.2.1}", "GatewayCostMetric": "{100}",
		"DHCPEnabled": "true", "DHCPServer": "192.0.2.1", "DNSServerSearchOrder": "{2001:db8::53}", "DNSDomain": "example.net",
		"DNSDomainSuffixSearchOrder": "{example.net, lab.example}", "DNSHostName": "box", "MTU": "9000"})
	expect(t, index("Win32_NetworkAdapterConfiguration", "3"), map[string]string{ // only IPv6
		"IPEnabled": "true", "IPAddress": "{fe80::3}", "IPSubnet": "{64}", "DefaultIPGateway": "{fe80::1}", "DHCPEnabled": "false", "DHCPServer": "null"})
	expect(t, index("Win32_NetworkAdapterConfiguration", "1"), map[string]string{"IPEnabled": "false", "IPAddress": "null", "DNSServerSearchOrder": "null", "MACAddress": "null"})
}

func TestDisksOfAFixture(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"proc/self/mountinfo": "20 1 8:2 / / rw,relatime - ext4 /dev/sda2 rw\n21 20 0:5 / /proc rw - proc proc rw\n22 20 8:2 /srv /mnt/bind rw - ext4 /dev/sda2 rw\n" +
			"23 20 8:17 / /media/my\\040stick rw - vfat /dev/sdb1 rw\n24 20 0:40 / /net rw - nfs4 srv:/export rw\n25 20 0:41 / /run rw - tmpfs tmpfs rw\n" +
			"26 20 11:0 / /cdrom ro - iso9660 /dev/sr0 ro\n27 20 8:3 / /old rw - ext4 /dev/sda3 rw\n28 27 8:4 / /old rw - xfs /dev/sda4 rw\n",
		"sys/dev/block/8:17":                  "-> ../../devices/usb/block/sdb/sdb1",
		"sys/devices/usb/block/sdb/removable": "1\n", "sys/devices/usb/block/sdb/sdb1/partition": "1\n",
		"dev/disk/by-label/MY\\x20STICK": "-> ../../sdb1", "dev/disk/by-uuid/1234-ABCD": "-> ../../sdb1", "dev/disk/by-uuid/aa-bb": "-> ../../sda2",
	})})
	p.system.statFS = func(path string) (fileSystem, error) {
		if path == "/old" {
			return fileSystem{}, errors.New("stale")
		}
		return fileSystem{blockSize: 4096, blocks: 1000, available: 250, nameLength: 255}, nil
	}
	got := map[string]*cim.Instance{}
	for _, i := range all(t, p, "Win32_LogicalDisk", query{}) {
		got[i.Get("DeviceID").String()] = i
	}
	if len(got) != 6 {
		t.Fatalf("disks %v", got)
	}
	expect(t, got["/"], map[string]string{"DriveType": "3", "Size": "4096000", "FreeSpace": "1024000", "FileSystem": "ext4", "Access": "3", "MediaType": "12",
		"VolumeSerialNumber": "null", "ProviderName": "null", "MaximumComponentLength": "255", "NumberOfBlocks": "1000"})
	expect(t, got["/media/my stick"], map[string]string{"DriveType": "2", "VolumeName": "MY STICK", "VolumeSerialNumber": "1234ABCD", "MediaType": "11"})
	expect(t, got["/net"], map[string]string{"DriveType": "4", "ProviderName": "srv:/export", "MediaType": "null", "Size": "4096000"})
	expect(t, got["/run"], map[string]string{"DriveType": "6"})
	expect(t, got["/cdrom"], map[string]string{"DriveType": "5", "Access": "1"})
	expect(t, got["/old"], map[string]string{"FileSystem": "xfs", "Size": "null", "FreeSpace": "null"})
	if n := len(all(t, p, "Win32_LogicalDisk", fixed(map[string]cim.Value{"DriveType": cim.U32(3)}))); n != 2 {
		t.Errorf("%d local disks", n)
	}
}
