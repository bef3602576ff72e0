package ipmi

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Local is what this machine tells about a BMC of its own.
type Local struct {
	// Sources tell how it was found: "SPMI table of ACPI (KCS)", "SMBIOS type 38 (KCS)", "/dev/ipmi0".
	Sources []string
	// Devices are the files of the kernel's driver, the lowest number first; none without a driver.
	Devices []string
	// Drivers are the kernel's drivers that are bound to a BMC: ipmi_si, ipmi_ssif or any other.
	Drivers []string
	// Hidden tells that the firmware's tables are there and only root may read them.
	Hidden bool
}

// Found tells whether there is a BMC.
func (l Local) Found() bool { return len(l.Sources) > 0 }

// String tells how it was found.
func (l Local) String() string {
	if !l.Found() && l.Hidden {
		return "no /dev/ipmi*; the tables of the firmware are for root to read"
	}
	if !l.Found() {
		return "no SPMI table of ACPI, no SMBIOS type 38 and no /dev/ipmi*"
	}
	return strings.Join(l.Sources, ", ")
}

// mostTable bounds a table of the firmware that is read.
const mostTable = 1 << 20

// Discover looks for a BMC of this machine: what the firmware declares and what the kernel found. root is "/" but in
// tests. What may not be read, or is damaged, is not found.
func Discover(root string) (l Local) {
	if b, ok := l.readTable(filepath.Join(root, "sys/firmware/acpi/tables/SPMI")); ok {
		if i, err := parseSPMI(b); err == nil {
			l.Sources = append(l.Sources, "SPMI table of ACPI ("+i.String()+")")
		}
	}
	if i, ok := l.discoverSMBIOS(root); ok {
		l.Sources = append(l.Sources, "SMBIOS type 38 ("+i.String()+")")
	}
	for _, pattern := range []string{"dev/ipmi[0-9]*", "dev/ipmi/[0-9]*", "dev/ipmidev/[0-9]*"} {
		paths, _ := filepath.Glob(filepath.Join(root, pattern)) // fails for a bad pattern only
		for _, p := range paths {
			if _, ok := deviceNumber(p); ok {
				l.Devices = append(l.Devices, "/"+strings.TrimPrefix(strings.TrimPrefix(p, root), "/"))
			}
		}
	}
	slices.SortFunc(l.Devices, func(a, b string) int {
		x, _ := deviceNumber(a)
		y, _ := deviceNumber(b)
		return x - y
	})
	l.Sources = append(l.Sources, l.Devices...)
	links, _ := filepath.Glob(filepath.Join(root, "sys/class/ipmi/ipmi*/device/driver"))
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && !slices.Contains(l.Drivers, filepath.Base(to)) {
			l.Drivers = append(l.Drivers, filepath.Base(to))
		}
	}
	return l
}

// discoverSMBIOS reads the whole table, or the structure that sysfs has alone.
func (l *Local) discoverSMBIOS(root string) (Interface, bool) {
	for _, name := range []string{"sys/firmware/dmi/tables/DMI", "sys/firmware/dmi/entries/38-0/raw"} {
		if b, ok := l.readTable(filepath.Join(root, name)); ok {
			if i, ok, err := parseSMBIOS(b); ok && err == nil {
				return i, true
			}
		}
	}
	return 0, false
}

func (l *Local) readTable(path string) ([]byte, bool) {
	f, err := os.Open(path)
	if err != nil {
		l.Hidden = l.Hidden || errors.Is(err, fs.ErrPermission)
		return nil, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostTable))
	return b, err == nil
}

// deviceNumber is the number at the end of the name of a device file.
func deviceNumber(path string) (int, bool) {
	name := strings.TrimPrefix(filepath.Base(path), "ipmi")
	n, err := strconv.ParseUint(name, 10, 16)
	return int(n), err == nil
}
