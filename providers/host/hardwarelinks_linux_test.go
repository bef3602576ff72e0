package host

import (
	"strings"
	"testing"
)

// From an adapter to its configuration and back, as monitors ask; ip(8) tells which adapters there are.
func TestAdapterAndConfigurationAreLinked(t *testing.T) {
	s := session(t, New(Options{}))
	for _, l := range lines(output(t, "ip", "-o", "link")) {
		index, _, _ := strings.Cut(l, ": ")
		out := ask(t, s, "ASSOCIATORS OF {Win32_NetworkAdapter.DeviceID='"+index+"'} WHERE AssocClass = Win32_NetworkAdapterSetting")
		if len(out) != 1 || out[0].Class().Name != "Win32_NetworkAdapterConfiguration" || out[0].Get("Index").String() != index {
			t.Errorf("the configuration of %s is %v", l, out)
		}
		out = ask(t, s, "ASSOCIATORS OF {Win32_NetworkAdapterConfiguration.Index="+index+"} WHERE ResultClass = Win32_NetworkAdapter")
		if len(out) != 1 || out[0].Get("DeviceID").String() != index {
			t.Errorf("the adapter of %s is %v", l, out)
		}
	}
}

func TestModulesAndDriversAreLinked(t *testing.T) {
	b := &smbiosBuilder{}
	b.add(16, 0x0F, nil) // its handle is 0
	b.add(17, 0x15, map[int]any{0x04: uint16(0), 0x0C: uint16(1024)})
	b.add(17, 0x15, map[int]any{0x04: uint16(0x7777), 0x0C: uint16(1024)}) // of an array that is not told
	b.add(127, 4, nil)
	const pci = "sys/bus/pci/devices/0000:00:01.0/"
	p := New(Options{Root: root(t, map[string]string{"sys/firmware/dmi/tables/DMI": string(b.out), "proc/modules": "e1000e 315392 0 - Live 0x0\n",
		pci + "driver": "-> ../../drivers/e1000e", "sys/bus/pci/drivers/e1000e/": "", "sys/bus/pci/devices/0000:00:02.0/driver": "-> ../../drivers/built-in", "sys/bus/pci/drivers/built-in/": ""})})
	expect(t, only(t, p, "Win32_PhysicalMemoryLocation", query{}), map[string]string{
		"GroupComponent": `root\cimv2:Win32_PhysicalMemoryArray.Tag="Physical Memory Array 0"`, "PartComponent": `root\cimv2:Win32_PhysicalMemory.Tag="Physical Memory 0"`})
	expect(t, only(t, p, "Win32_SystemDriverPNPEntity", query{}), map[string]string{
		"Antecedent": `root\cimv2:Win32_PnPEntity.DeviceID="PCI\\0000:00:01.0"`, "Dependent": `root\cimv2:Win32_SystemDriver.Name="e1000e"`})
}
