package host

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/host/internal/nl"
	"github.com/casementhq/casement/security"
)

// person is a token of ann, S-1-22-1-1000, who is a member of Administrators: elevated, or filtered by User Account
// Control.
func person(t *testing.T, elevated bool) query {
	t.Helper()
	ann, err := security.ParseSID("S-1-22-1-1000")
	if err != nil {
		t.Fatal(err)
	}
	token := security.Token{User: ann, Groups: []security.GroupEntry{{SID: security.SIDAdministrators}, {SID: security.SIDEveryone}}}
	if !elevated {
		token = security.Filter(token)
	}
	return query{caller: cim.Caller{Token: &token, Remote: true}}
}

// The classes of the page "User Account Control and WMI" show a filtered administrator less, without an error:
// instances are missing, or properties are NULL; all else is the same. See spec/wmi.md 1.4; document 000, item 23.
func TestFilteredView(t *testing.T) {
	dir := root(t, map[string]string{
		"proc/sys/kernel/hostname": "fox\n", "proc/sys/kernel/osrelease": "6.1.0\n", "pci.ids": pciIDs,
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\nold:x:1001:100::/:/bin/sh\n",
		"etc/shadow": "", "etc/group": "users:x:100:\n",
		"sys/firmware/dmi/tables/DMI":         serverTable(),
		"run/systemd/sessions/1":              "UID=0\nUSER=root\nCLASS=user\nSTATE=active\n",
		"run/systemd/seats/seat0":             "IS_SEAT0=1\nACTIVE=1\nACTIVE_UID=0\n",
		"run/systemd/netif/links/2":           "ADMIN_STATE=configured\n",
		"run/systemd/netif/leases/2":          "ADDRESS=192.0.2.7\nSERVER_ADDRESS=192.0.2.1\nLIFETIME=3600\n",
		"sys/class/net/eth0/addr_assign_type": "0\n", "sys/class/net/eth0/device": "-> ../../../devices/x",
		"proc/modules":                              "ext4 983040 1 - Live 0x0000000000000000\n",
		"lib/modules/6.1.0/modules.dep":             "kernel/fs/ext4/ext4.ko:\n",
		"lib/modules/6.1.0/kernel/fs/ext4/ext4.ko":  object("description=Fourth Extended Filesystem\x00"),
		"sys/bus/pci/drivers/nvidia/":               "",
		"sys/module/nvidia/version":                 "535.54.03\n",
		"sys/bus/pci/devices/0000:03:00.0/vendor":   "0x10de\n",
		"sys/bus/pci/devices/0000:03:00.0/device":   "0x1c82\n",
		"sys/bus/pci/devices/0000:03:00.0/class":    "0x030000\n",
		"sys/bus/pci/devices/0000:03:00.0/modalias": "pci:v000010DEd00001C82sv00001043sd00008613bc03sc00i00\n",
		"sys/bus/pci/devices/0000:03:00.0/driver":   "-> ../../drivers/nvidia",
		"sys/bus/pnp/devices/00:04/id":              "PNP0501\nPNP0500\n",
	})
	t.Setenv("PCIDB_PATH", filepath.Join(dir, "pci.ids"))
	machine := New(Options{Root: dir})
	machine.system = system{
		links: func() ([]nl.Link, error) {
			return []nl.Link{{Index: 2, Name: "eth0", MAC: "02:00:00:00:00:02", Kind: "device", Type: "ether", MTU: 1500, Up: true, Running: true, OperState: "up"}}, nil
		},
		addresses: func(int) ([]nl.Address, error) { return nil, nil },
		gateways:  func() ([]nl.Gateway, error) { return nil, nil },
	}
	disks := storage(t)
	for _, row := range []struct {
		p     *Provider
		class string
		stay  string   // keys of the instances that stay; "" is all
		null  []string // properties
	}{
		{machine, "Win32_UserAccount", "ann", nil},
		{machine, "Win32_BaseBoard", "", []string{"SerialNumber"}},
		{machine, "Win32_ComputerSystem", "", []string{"UserName"}},
		{machine, "Win32_NetworkAdapter", "", []string{"PermanentAddress"}},
		{machine, "Win32_NetworkAdapterConfiguration", "", []string{"DHCPServer", "DHCPLeaseObtained", "DHCPLeaseExpires"}},
		{machine, "Win32_SystemDriver", "", []string{"PathName"}},
		{machine, "Win32_PnPEntity", "", []string{"HardwareID", "CompatibleID"}},
		{machine, "Win32_VideoController", "", []string{"InstalledDisplayDrivers", "DriverVersion"}},
		{disks, "Win32_DiskDrive", "", []string{"SerialNumber", "Signature"}},
		{disks, "Win32_LogicalDisk", "", []string{"VolumeSerialNumber"}},
	} {
		whole, less := all(t, row.p, row.class, person(t, true)), all(t, row.p, row.class, person(t, false))
		if len(whole) == 0 {
			t.Errorf("%s has no instance at all", row.class)
			continue
		}
		if row.stay != "" {
			if got := texts(less, "Name"); got != row.stay || len(whole) < 2 {
				t.Errorf("%s: %q of %d stay, want %q", row.class, got, len(whole), row.stay)
			}
			continue
		}
		if len(less) != len(whole) {
			t.Errorf("%s: %d of %d instances", row.class, len(less), len(whole))
			continue
		}
		had := map[string]bool{}
		for n, i := range whole {
			for at := range i.Len() {
				name := i.Class().Properties[at].Name
				before, after := i.At(at).String(), less[n].At(at).String()
				switch {
				case slices.Contains(row.null, name):
					had[name] = had[name] || before != "null"
					if after != "null" {
						t.Errorf("%s.%s is %s for a filtered administrator", row.class, name, after)
					}
				case before != after:
					t.Errorf("%s.%s is %s, and for a filtered administrator %s", row.class, name, before, after)
				}
			}
		}
		for _, name := range row.null {
			if !had[name] {
				t.Errorf("%s.%s is NULL for everybody", row.class, name)
			}
		}
	}
	// Every row of the table was looked at, and the page has its class.
	const page = " Win32_Bus Win32_Printer Win32_ComponentCategory Win32_LogicalProgramGroupItem Win32_LogicalProgramGroup Win32_NetworkConnection" +
		" Win32_UserAccount Win32_PrinterDriver Win32_PortResource Win32_DeviceMemoryAddress Win32_NetworkAdapterConfiguration" +
		" Win32_DCOMApplicationSetting Win32_DCOMApplication Win32_BaseBoard Win32_ComputerSystem Win32_NetworkAdapter Win32_MotherboardDevice" +
		" Win32_DiskDrive Win32_PnPEntity Win32_VideoController Win32_ParallelPort Win32_LogicalDisk Win32_SystemDriver Win32_IRQResource" +
		" Win32_NetworkProtocol "
	for _, l := range filteredView {
		if !strings.Contains(page, " "+l.class+" ") {
			t.Errorf("%s is not on the page", l.class)
		}
		for _, name := range slices.Concat(l.looks, l.null) {
			if classNamed(l.class).PropertyIndex(name) < 0 {
				t.Errorf("%s has no property %s", l.class, name)
			}
		}
	}
	for class := range strings.FieldsSeq(page) {
		if _, filled := machine.sources[cim.Fold(class)]; filled && filteredByClass[cim.Fold(class)] == nil {
			t.Errorf("%s is filled and not in the table", class)
		}
	}
}

// A connection to a printer elsewhere is its user's; what is wanted of the class does not matter.
func TestFilteredPrinters(t *testing.T) {
	local := "\x04" + attribute(0x42, "printer-name", "laser") + attribute(0x23, "printer-type", "\x00\x00\x00\xdc") + attribute(0x22, "printer-is-shared", "\x00")
	remote := "\x04" + attribute(0x42, "printer-name", "there") + attribute(0x23, "printer-type", "\x00\x00\x00\x06") + attribute(0x22, "printer-is-shared", "\x00")
	p := cups(t, map[byte]string{0x02: ippOK + local + remote + "\x03", 0x01: ippOK + "\x04" + attribute(0x42, "printer-name", "laser") + "\x03"})
	if got := texts(all(t, p, "Win32_Printer", person(t, true)), "DeviceID"); got != "laser there" {
		t.Errorf("for an administrator: %q", got)
	}
	told := 0
	few := projected("Win32_Printer", "DeviceID")
	few.hidden = func() { told++ }
	few.caller = person(t, false).caller
	for _, q := range []query{person(t, false), few} {
		if got := texts(all(t, p, "Win32_Printer", q), "DeviceID"); got != "laser" {
			t.Errorf("filtered: %q", got)
		}
	}
	if told != 1 {
		t.Errorf("it was told %d times that something is left out", told)
	}
}

// What a caller cannot see cannot be asked for by its value either, and is still there for the service itself.
func TestFilteredViewIsNoOracle(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{"sys/firmware/dmi/tables/DMI": serverTable()})})
	for _, serial := range []string{"BRD123", "other"} {
		q := fixed(map[string]cim.Value{"SerialNumber": cim.Str(serial)})
		q.caller = person(t, false).caller
		for _, i := range all(t, p, "Win32_BaseBoard", q) {
			if !i.Get("SerialNumber").IsNull() {
				t.Errorf("asked for %s: %v", serial, i)
			}
		}
	}
	system := query{caller: cim.Caller{Token: &security.Token{User: security.SIDLocalSystem}}}
	if i := all(t, p, "Win32_BaseBoard", system)[0]; i.Get("SerialNumber").String() != "BRD123" {
		t.Errorf("the service sees %v", i)
	}
}
