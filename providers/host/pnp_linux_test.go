package host

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// The expected values come from the kernel's own texts about its devices, uevent.
func TestPCIDevicesAgainstTheKernel(t *testing.T) {
	p := New(Options{})
	byID := map[string]*cim.Instance{}
	for _, i := range all(t, p, "Win32_PnPEntity", query{}) {
		id := i.Get("DeviceID").String()
		if byID[id] != nil {
			t.Errorf("two devices are %s", id)
		}
		byID[id] = i
	}
	files, _ := filepath.Glob("/sys/bus/pci/devices/*/uevent")
	if len(files) == 0 {
		t.Skip("no PCI bus here")
	}
	found, drivers := 0, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		event := assignments(string(b))
		vendor, device, _ := strings.Cut(event["PCI_ID"], ":")
		subVendor, subDevice, _ := strings.Cut(event["PCI_SUBSYS_ID"], ":")
		model := "PCI\\VEN_" + vendor + "&DEV_" + device
		for id, i := range byID {
			if !strings.HasPrefix(id, model) || !strings.HasSuffix(id, `\`+strings.ToUpper(event["PCI_SLOT_NAME"])) {
				continue
			}
			found++
			driver := event["DRIVER"]
			if driver == "" {
				driver = "null"
			} else {
				drivers++
			}
			expect(t, i, map[string]string{"Service": driver, "PNPDeviceID": id, "Present": "true"})
			if ids := i.Get("HardwareID").String(); !strings.Contains(ids, "&SUBSYS_"+subDevice+subVendor) {
				t.Errorf("%s has the hardware ids %s", id, ids)
			}
			one := only(t, p, "Win32_PnPEntity", fixed(map[string]cim.Value{"DeviceID": cim.Str(id)}))
			expect(t, one, map[string]string{"DeviceID": id})
		}
	}
	if found != len(files) {
		t.Errorf("%d of %d PCI devices are entities", found, len(files))
	}
	n := 0
	for _, i := range all(t, p, "Win32_PnPSignedDriver", query{}) {
		if strings.HasPrefix(i.Get("DeviceID").String(), `PCI\`) {
			n++
		}
	}
	if n != drivers {
		t.Errorf("%d drivers of PCI devices, the kernel names %d", n, drivers)
	}
	for _, i := range all(t, p, "Win32_NetworkAdapter", query{}) { // what links the adapter to its device
		if id := i.Get("PNPDeviceID"); !id.IsNull() && byID[id.String()] == nil {
			t.Errorf("%v has the device %v, which is no entity", i.Get("Name"), id)
		}
	}
}

// A backslash in a pattern must be doubled: row 9 of the table of what servers of others answer in spec/proof.md.
func TestBackslashesInAPattern(t *testing.T) {
	devices, _ := filepath.Glob("/sys/bus/pci/devices/*")
	s := session(t, New(Options{}))
	if out := ask(t, s, `SELECT DeviceID FROM Win32_PnPEntity WHERE PNPDeviceID LIKE "PCI\\%"`); len(out) != len(devices) {
		t.Errorf("%d devices, the kernel has %d", len(out), len(devices))
	}
	if _, err := s.Query(t.Context(), `SELECT DeviceID FROM Win32_PnPEntity WHERE PNPDeviceID LIKE "PCI\%"`, cim.QueryOptions{}); !errors.Is(err, cim.ErrInvalidQuery) {
		t.Errorf("with one backslash: %v", err)
	}
}

// pciIDs is a piece of the database of names, in its own format.
const pciIDs = `8086  Intel Corporation
	1533  I210 Gigabit Network Connection
10de  NVIDIA Corporation
	1c82  GP107 [GeForce GTX 1050 Ti]
C 03  Display controller
	00  VGA compatible controller
`

func TestDevicesOfAFixture(t *testing.T) {
	dir := root(t, map[string]string{
		"proc/sys/kernel/hostname":      "fox\n",
		"proc/sys/kernel/osrelease":     "6.1.0\n",
		"pci.ids":                       pciIDs,
		"sys/bus/pci/drivers/nvidia/":   "",
		"sys/bus/pci/drivers/igb/":      "",
		"sys/module/nvidia/version":     "535.54.03\n",
		"sys/module/nvidia/taint":       "POE\n",
		"sys/class/graphics/fb0/device": "-> ../../../bus/pci/devices/0000:03:00.0", "sys/class/graphics/fb0/virtual_size": "1920,1080\n", "sys/class/graphics/fb0/bits_per_pixel": "32\n",
		"sys/class/graphics/fbcon/uevent":                   "\n",
		"sys/bus/pci/devices/0000:03:00.0/vendor":           "0x10de\n",
		"sys/bus/pci/devices/0000:03:00.0/device":           "0x1c82\n",
		"sys/bus/pci/devices/0000:03:00.0/subsystem_vendor": "0x1043\n",
		"sys/bus/pci/devices/0000:03:00.0/subsystem_device": "0x8613\n",
		"sys/bus/pci/devices/0000:03:00.0/revision":         "0xa1\n",
		"sys/bus/pci/devices/0000:03:00.0/class":            "0x030000\n",
		"sys/bus/pci/devices/0000:03:00.0/modalias":         "pci:v000010DEd00001C82sv00001043sd00008613bc03sc00i00\n",
		"sys/bus/pci/devices/0000:03:00.0/driver":           "-> ../../drivers/nvidia",
		"sys/bus/pci/devices/0000:04:00.0/vendor":           "0x8086\n",
		"sys/bus/pci/devices/0000:04:00.0/device":           "0x1533\n",
		"sys/bus/pci/devices/0000:04:00.0/class":            "0x020000\n",
		"sys/bus/pci/devices/0000:04:00.0/modalias":         "pci:v00008086d00001533sv00001043sd00008613bc02sc00i00\n",
		"sys/bus/pci/devices/0000:05:00.0/vendor":           "0xabcd\n",
		"sys/bus/pci/devices/0000:05:00.0/device":           "0x0001\n",
		"sys/bus/pci/devices/0000:05:00.0/class":            "0x0c0330\n",
		"sys/bus/pci/devices/0000:05:00.0/modalias":         "pci:v0000ABCDd00000001sv00000000sd00000000bc0Csc03i30\n",
		"sys/bus/usb/devices/1-2/idVendor":                  "046d\n",
		"sys/bus/usb/devices/1-2/idProduct":                 "c52b\n",
		"sys/bus/usb/devices/1-2/bcdDevice":                 "1211\n",
		"sys/bus/usb/devices/1-2/bDeviceClass":              "00\n",
		"sys/bus/usb/devices/1-2/product":                   "USB Receiver\n",
		"sys/bus/usb/devices/1-2/manufacturer":              "Logitech\n",
		"sys/bus/usb/devices/1-2:1.0/bInterfaceClass":       "03\n",
		"sys/bus/pnp/devices/00:04/id":                      "PNP0501\nPNP0500\n",
	})
	t.Setenv("PCIDB_PATH", filepath.Join(dir, "pci.ids"))
	p := New(Options{Root: dir})
	out := all(t, p, "Win32_PnPEntity", query{})
	if len(out) != 5 {
		t.Fatalf("%d devices, want 5", len(out))
	}
	expect(t, out[0], map[string]string{"DeviceID": `PCI\VEN_10DE&DEV_1C82&SUBSYS_86131043&REV_A1\0000:03:00.0`, "Name": "GP107 [GeForce GTX 1050 Ti]",
		"Manufacturer": "NVIDIA Corporation", "PNPClass": "Display", "ClassGuid": "{4d36e968-e325-11ce-bfc1-08002be10318}", "Service": "nvidia", "Status": "OK",
		"ConfigManagerErrorCode": "0", "SystemName": "fox", "Present": "true",
		"HardwareID": `{PCI\VEN_10DE&DEV_1C82&SUBSYS_86131043&REV_A1, PCI\VEN_10DE&DEV_1C82&SUBSYS_86131043, PCI\VEN_10DE&DEV_1C82&CC_030000, PCI\VEN_10DE&DEV_1C82&CC_0300}`})
	expect(t, out[1], map[string]string{"Name": "I210 Gigabit Network Connection", "PNPClass": "Net", "Service": "null", "Status": "null", "ConfigManagerErrorCode": "null"})
	expect(t, out[2], map[string]string{"Manufacturer": "null", "PNPClass": "USB", "Name": out[2].Get("HardwareID").Elems()[0].String()})
	expect(t, out[3], map[string]string{"DeviceID": `USB\VID_046D&PID_C52B\1-2`, "Name": "USB Receiver", "Manufacturer": "Logitech",
		"HardwareID": `{USB\VID_046D&PID_C52B&REV_1211, USB\VID_046D&PID_C52B}`})
	expect(t, out[4], map[string]string{"DeviceID": `ACPI\PNP0501\00:04`, "HardwareID": `{ACPI\PNP0501, *PNP0501}`, "CompatibleID": "{*PNP0500}"})

	expect(t, only(t, p, "Win32_VideoController", query{}), map[string]string{"DeviceID": "VideoController1", "Name": "GP107 [GeForce GTX 1050 Ti]",
		"AdapterCompatibility": "NVIDIA Corporation", "InstalledDisplayDrivers": "nvidia", "DriverVersion": "535.54.03", "CurrentHorizontalResolution": "1920",
		"CurrentVerticalResolution": "1080", "CurrentBitsPerPixel": "32", "CurrentNumberOfColors": "4294967296", "VideoArchitecture": "5", "AdapterRAM": "null",
		"PNPDeviceID": out[0].Get("DeviceID").String()})
	expect(t, only(t, p, "Win32_PnPSignedDriver", query{}), map[string]string{"DeviceName": "GP107 [GeForce GTX 1050 Ti]", "DriverName": "nvidia",
		"DriverVersion": "535.54.03", "DeviceClass": "DISPLAY", "IsSigned": "false", "DeviceID": out[0].Get("DeviceID").String(), "DriverDate": "null"})
}

// The serial number is the place of a USB device, unless two of a model have the same one.
func TestSerialNumbersOfUSB(t *testing.T) {
	files := map[string]string{}
	for name, serial := range map[string]string{"1-1": "A1", "1-2": "0000", "2-1": "0000"} {
		dir := "sys/bus/usb/devices/" + name + "/"
		files[dir+"idVendor"], files[dir+"idProduct"], files[dir+"serial"] = "abcd\n", "0001\n", serial+"\n"
	}
	var got []string
	for _, i := range all(t, New(Options{Root: root(t, files)}), "Win32_PnPEntity", query{}) {
		got = append(got, i.Get("DeviceID").String())
	}
	if want := []string{`USB\VID_ABCD&PID_0001\A1`, `USB\VID_ABCD&PID_0001\1-2`, `USB\VID_ABCD&PID_0001\2-1`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestVideoMemory(t *testing.T) {
	for size, want := range map[string]string{"536870912": "536870912", "8573157376": "null", "": "null"} {
		p := New(Options{Root: root(t, map[string]string{"sys/bus/pci/devices/0000:00:02.0/class": "0x030000\n", "sys/bus/pci/devices/0000:00:02.0/vendor": "0x1002\n",
			"sys/bus/pci/devices/0000:00:02.0/mem_info_vram_total": size + "\n"})})
		expect(t, only(t, p, "Win32_VideoController", query{}), map[string]string{"AdapterRAM": want, "Status": "null"})
	}
}

// object is an ELF file with a section .modinfo, written by hand: the header, the section's bytes, the names, and three
// section headers.
func object(modinfo string) string {
	const header, entry = 64, 64
	names := "\x00.modinfo\x00.shstrtab\x00"
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9))
	write := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	sections := uint64(header + len(modinfo) + len(names))
	write(uint16(elf.ET_REL), uint16(elf.EM_X86_64), uint32(1), uint64(0), uint64(0), sections, uint32(0), uint16(header), uint16(0), uint16(0), uint16(entry), uint16(3), uint16(2))
	b.WriteString(modinfo + names)
	section := func(name uint32, kind elf.SectionType, offset, size uint64) {
		write(name, uint32(kind), uint64(0), uint64(0), offset, size, uint32(0), uint32(0), uint64(1), uint64(0))
	}
	section(0, elf.SHT_NULL, 0, 0)
	section(1, elf.SHT_PROGBITS, header, uint64(len(modinfo)))
	section(10, elf.SHT_STRTAB, header+uint64(len(modinfo)), uint64(len(names)))
	return b.String()
}

func TestSystemDrivers(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(object("license=GPL\x00description=Fourth Extended Filesystem\x00")))
	_ = z.Close()
	p := New(Options{Root: root(t, map[string]string{
		"proc/sys/kernel/osrelease": "6.1.0-9\n",
		"proc/modules": "ext4 983040 1 - Live 0x0000000000000000\nsnd_hda_intel 61440 0 - Unloading 0x0000000000000000\n" +
			"e1000e 315392 0 - Live 0x0000000000000000 (OE)\nunlisted 16384 2 e1000e,ext4, Loading 0x0000000000000000\n",
		"lib/modules/6.1.0-9/modules.dep":                           "kernel/fs/ext4/ext4.ko.gz: kernel/fs/jbd2/jbd2.ko\nkernel/sound/pci/hda/snd-hda-intel.ko:\nkernel/drivers/net/e1000e.ko.xz:\n",
		"lib/modules/6.1.0-9/kernel/fs/ext4/ext4.ko.gz":             packed.String(),
		"lib/modules/6.1.0-9/kernel/sound/pci/hda/snd-hda-intel.ko": object("version=1.5\x00description=Intel HDA driver\x00signer=Build key\x00"),
		"lib/modules/6.1.0-9/kernel/drivers/net/e1000e.ko.xz":       "\xfd7zXZ",
		"etc/modules":                     "# a comment\nsnd-hda-intel index=1\n",
		"usr/lib/modules-load.d/net.conf": "; a comment\ne1000e\n",
	})})
	out := all(t, p, "Win32_SystemDriver", query{})
	if len(out) != 4 {
		t.Fatalf("%d drivers, want 4", len(out))
	}
	expect(t, out[0], map[string]string{"Name": "ext4", "DisplayName": "Fourth Extended Filesystem", "State": "Running", "Started": "true", "StartMode": "Manual",
		"ServiceType": "File System Driver", "Status": "OK", "PathName": filepath.Join(p.root, "lib/modules/6.1.0-9/kernel/fs/ext4/ext4.ko.gz")})
	expect(t, out[1], map[string]string{"Name": "snd_hda_intel", "DisplayName": "Intel HDA driver", "State": "Stop Pending", "Started": "false", "StartMode": "Auto",
		"ServiceType": "Kernel Driver", "Status": "null"})
	expect(t, out[2], map[string]string{"Name": "e1000e", "DisplayName": "e1000e", "StartMode": "Auto"}) // packed in a way that is not read
	expect(t, out[3], map[string]string{"Name": "unlisted", "PathName": "null", "State": "Start Pending"})
	expect(t, only(t, p, "Win32_SystemDriver", fixed(map[string]cim.Value{"Name": cim.Str("EXT4")})), map[string]string{"Name": "ext4"})
	if i := p.moduleFiles().info("snd_hda_intel"); i != (moduleInfo{"Intel HDA driver", "1.5", "Build key"}) {
		t.Errorf("modinfo is %+v", i)
	}
}

func TestBuiltInModules(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{"proc/sys/kernel/osrelease": "6.1.0\n",
		"lib/modules/6.1.0/modules.builtin.modinfo": "virtio_net.description=Virtio network driver\x00virtio_net.license=GPL\x00e1000.version=7.3\x00"})})
	m := p.moduleFiles()
	if m.info("virtio_net").description != "Virtio network driver" || m.info("e1000").version != "7.3" || m.path("e1000") != "" {
		t.Errorf("%+v %+v", m.info("virtio_net"), m.info("e1000"))
	}
}
