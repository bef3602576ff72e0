package ipmi

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bougou/go-ipmi/pkg/types"
)

// spmi is a table of ACPI with a KCS interface: header, interface type, a reserved 1, version 2.0, and the rest zero.
// See [IPMI] C3.
func spmi(kind byte) []byte {
	b := make([]byte, 65)
	copy(b, "SPMI")
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	b[8], b[36], b[37] = 5, kind, 1
	binary.LittleEndian.PutUint16(b[38:], 0x200)
	sum := byte(0)
	for _, c := range b {
		sum += c
	}
	b[9] = -sum
	return b
}

// smbios is a table with a BIOS structure, the IPMI device information of a KCS interface, and the end.
func smbios() []byte {
	b := append([]byte{0, 6, 0, 0, 1, 2}, "Vendor\x00Version\x00\x00"...)
	b = append(b, 38, 18, 0x26, 0, 1, 0x20, 0x20, 0xff, 0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return append(b, 127, 4, 0xff, 0xff, 0, 0)
}

func TestTables(t *testing.T) {
	if i, err := parseSPMI(spmi(1)); err != nil || i != KCS || i.String() != "KCS" {
		t.Errorf("SPMI: %v, %v", i, err)
	}
	if i, err := parseSPMI(spmi(4)); err != nil || i != SSIF {
		t.Errorf("SPMI: %v, %v", i, err)
	}
	damaged := spmi(1)
	damaged[50]++
	if _, err := parseSPMI(damaged); err == nil {
		t.Error("a table with a wrong checksum was taken")
	}
	if _, err := parseSPMI(spmi(1)[:60]); err == nil {
		t.Error("a table that was cut was taken")
	}
	if i, ok, err := parseSMBIOS(smbios()); err != nil || !ok || i != KCS {
		t.Errorf("SMBIOS: %v, %v, %v", i, ok, err)
	}
	if _, ok, err := parseSMBIOS(smbios()[:22]); ok || err != nil {
		t.Errorf("SMBIOS without the structure: %v, %v", ok, err)
	}
	if _, ok, err := parseSMBIOS([]byte{38, 200, 0, 0}); ok || err == nil {
		t.Error("a structure longer than the table was taken")
	}
}

func write(t *testing.T, root, name string, b []byte) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDiscover(t *testing.T) {
	root := t.TempDir()
	if l := Discover(root); l.Found() || !strings.HasPrefix(l.String(), "no SPMI") {
		t.Errorf("an empty machine has a BMC: %v", l)
	}
	write(t, root, "sys/firmware/acpi/tables/SPMI", spmi(1))
	write(t, root, "sys/firmware/dmi/tables/DMI", smbios())
	if l := Discover(root); l.String() != "SPMI table of ACPI (KCS), SMBIOS type 38 (KCS)" || len(l.Devices) != 0 {
		t.Errorf("by the firmware: %v", l)
	}
	for _, name := range []string{"dev/ipmi10", "dev/ipmi2", "dev/ipmi-other"} {
		write(t, root, name, nil)
	}
	driver := filepath.Join(root, "sys/class/ipmi/ipmi2/device")
	if err := os.MkdirAll(driver, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../bus/platform/drivers/vendor_bmc", filepath.Join(driver, "driver")); err != nil {
		t.Fatal(err)
	}
	l := Discover(root)
	if l.String() != "SPMI table of ACPI (KCS), SMBIOS type 38 (KCS), /dev/ipmi2, /dev/ipmi10" || strings.Join(l.Drivers, " ") != "vendor_bmc" {
		t.Errorf("with a driver: %v, drivers %v", l, l.Drivers)
	}
}

func FuzzTables(f *testing.F) {
	f.Add(spmi(1))
	f.Add(smbios())
	f.Add([]byte{38, 4, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseSPMI(b)
		if _, ok, err := parseSMBIOS(b); ok && err != nil {
			t.Error("both found and failed")
		}
	})
}

// FuzzSensorRecord reads records as a BMC may send them.
func FuzzSensorRecord(f *testing.F) {
	full := []byte{1, 0, 0x51, 1, 51, 0x20, 0, 1, 3, 1, 0x7f, 0x58, 1, 1, 0xff, 0x7f, 0xff, 0x7f, 0x3f, 9, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 7, 60, 70, 20, 127, 0, 100, 90, 80, 0, 5, 10, 2, 2, 0, 0, 0, 0xc8}
	f.Add(append(full, "CPU Temp"...))
	f.Add(append([]byte{2, 0, 0x51, 2, 36, 0x20, 0, 4, 23, 1, 0x63, 0x40, 5, 0x6f, 3, 0, 3, 0, 3, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc9}, "Intrusion"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := types.ParseSDR(b, noRecord)
		if err != nil {
			return
		}
		for _, s := range sensorsOf(r, b) {
			_ = s.possibleStates()
			_ = s.deviceID()
			if s.scale == nil {
				continue
			}
			for raw := range 256 {
				n, ok := s.scale.number(uint8(raw), s.scale.factors)
				if _, back := s.scale.raw(n); ok && !back {
					t.Errorf("%d is the number of %d and beyond what the sensor has", n, raw)
				}
			}
		}
	})
}
