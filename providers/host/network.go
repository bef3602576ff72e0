package host

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/host/internal/nl"
)

type adapterRow struct {
	p      *Provider
	csName string
	nl.Link
}

// sys is one file of the interface below /sys/class/net.
func (r *adapterRow) sys(name string) string { return r.p.read("sys/class/net/" + r.Name + "/" + name) }

// device is the folder of the hardware behind the interface, "" where it is virtual.
func (r *adapterRow) device() string {
	target, err := filepath.EvalSymlinks(filepath.Join(r.p.root, "sys/class/net", r.Name, "device"))
	if err != nil {
		return ""
	}
	return target
}

type adapterColumn = column[adapterRow]

func adapterText(name string, get func(*adapterRow) string) adapterColumn {
	return adapterColumn{name: name, get: func(r *adapterRow) cim.Value { return strOrNull(get(r)) }}
}

func linkName(r *adapterRow) string { return r.Name }

var adapterTable = &table[adapterRow]{name: "Win32_NetworkAdapter", gather: gatherAdapters, columns: []adapterColumn{
	{name: "CreationClassName", get: fixedStr[adapterRow]("Win32_NetworkAdapter")},
	{name: "SystemCreationClassName", get: fixedStr[adapterRow]("Win32_ComputerSystem")},
	adapterText("SystemName", func(r *adapterRow) string { return r.csName }),
	{name: "DeviceID", get: func(r *adapterRow) cim.Value { return cim.Str(strconv.Itoa(r.Index)) }},
	{name: "Index", get: func(r *adapterRow) cim.Value { return cim.U32(uint32(r.Index)) }},
	{name: "InterfaceIndex", get: func(r *adapterRow) cim.Value { return cim.U32(uint32(r.Index)) }},
	adapterText("Name", linkName),
	adapterText("Caption", linkName),
	adapterText("Description", linkName),
	adapterText("ProductName", func(r *adapterRow) string { return r.productName() }),
	adapterText("NetConnectionID", func(r *adapterRow) string {
		if r.Alias != "" {
			return r.Alias
		}
		return r.Name
	}),
	adapterText("MACAddress", macAddress),
	adapterText("PermanentAddress", func(r *adapterRow) string {
		if r.sys("addr_assign_type") == "0" { // NET_ADDR_PERM
			return macAddress(r)
		}
		return ""
	}),
	adapterText("GUID", func(r *adapterRow) string { return r.p.interfaceGUID(r.Name) }),
	adapterText("ServiceName", func(r *adapterRow) string { return r.driver() }),
	adapterText("Manufacturer", func(r *adapterRow) string { return r.vendor() }),
	adapterText("PNPDeviceID", func(r *adapterRow) string { return r.p.pnpDeviceID(r.device()) }),
	adapterText("AdapterType", func(r *adapterRow) string {
		if r.isEthernet() {
			return "Ethernet 802.3"
		}
		return ""
	}),
	{name: "AdapterTypeID", get: func(r *adapterRow) cim.Value {
		if r.isEthernet() {
			return cim.U16(0)
		}
		return cim.Value{}
	}},
	{name: "PhysicalAdapter", get: func(r *adapterRow) cim.Value { return cim.Bool(r.device() != "") }},
	{name: "Installed", get: fixedValue[adapterRow](cim.Bool(true))},
	{name: "NetEnabled", get: func(r *adapterRow) cim.Value { return cim.Bool(r.Up) }},
	{name: "NetConnectionStatus", get: connectionStatus},
	{name: "Speed", get: (*adapterRow).speed},
	{name: "StatusInfo", get: func(r *adapterRow) cim.Value {
		if r.Up {
			return cim.U16(3) // enabled
		}
		return cim.U16(4)
	}},
}}

// speed is in bits per second.
func (r *adapterRow) speed() cim.Value {
	mbit, err := strconv.ParseInt(r.sys("speed"), 10, 32)
	if err != nil || mbit <= 0 { // -1: the driver does not know
		return cim.Value{}
	}
	return cim.U64(uint64(mbit) * 1_000_000)
}

// connectionStatus maps the state of RFC 2863 to the values of NetConnectionStatus.
func connectionStatus(r *adapterRow) cim.Value {
	switch {
	case !r.Up:
		return cim.U16(0) // disconnected
	case r.OperState == "up", r.OperState == "unknown" && r.Running:
		return cim.U16(2) // connected
	case r.OperState == "down", r.OperState == "lower-layer-down":
		return cim.U16(7) // media disconnected
	case r.OperState == "not-present":
		return cim.U16(4) // hardware not present
	case r.OperState == "dormant":
		return cim.U16(8) // authenticating
	}
	return cim.Value{}
}

// macAddress is in capitals, as Windows writes it. Loopback has an address of zeros, which is none.
func macAddress(r *adapterRow) string {
	if r.Loopback || len(r.MAC) != 17 {
		return ""
	}
	return strings.ToUpper(r.MAC)
}

func (r *adapterRow) isEthernet() bool {
	// an 802.11 interface says "ether" too; it has a folder of its own
	return r.Type == "ether" && r.sys("phy80211/name") == ""
}

func (r *adapterRow) driver() string {
	if d := r.device(); d != "" {
		if target, err := filepath.EvalSymlinks(filepath.Join(d, "driver")); err == nil {
			return filepath.Base(target)
		}
	}
	if r.Kind != "device" {
		return r.Kind
	}
	return ""
}

// busAddress names a folder of hardware by its bus and its place on it; "" where there is none.
func busAddress(device string) string {
	if device == "" {
		return ""
	}
	bus, err := filepath.EvalSymlinks(filepath.Join(device, "subsystem"))
	if err != nil {
		return ""
	}
	return strings.ToUpper(filepath.Base(bus)) + `\` + filepath.Base(device)
}

// vendor and productName are texts that the device itself has, as USB devices do, or the names of the PCI device.
func (r *adapterRow) vendor() string {
	if s := r.deviceText("manufacturer"); s != "" {
		return s
	}
	return r.pciNames().vendor
}

func (r *adapterRow) productName() string {
	if s := r.deviceText("product"); s != "" {
		return s
	}
	return r.pciNames().device
}

// pciNames are those of the PCI device that is the adapter, or that its virtio device is a part of.
func (r *adapterRow) pciNames() pciNames {
	for _, dir := range []string{r.device(), filepath.Dir(r.device())} {
		if bus, err := filepath.EvalSymlinks(filepath.Join(dir, "subsystem")); err == nil && filepath.Base(bus) == "pci" {
			return r.p.pnpDevice("pci", filepath.Base(dir)).pci
		}
	}
	return pciNames{}
}

// deviceText is a file of what carries the interface: for USB, the device that the interface is one of.
func (r *adapterRow) deviceText(file string) string { return r.below(filepath.Dir(r.device()), file) }

// deviceFile is a file of the device itself.
func (r *adapterRow) deviceFile(file string) string { return r.below(r.device(), file) }

func (r *adapterRow) below(dir, file string) string {
	if dir == "" || dir == "." {
		return ""
	}
	relative, err := filepath.Rel(r.p.root, dir)
	if err != nil {
		return ""
	}
	return r.p.read(filepath.Join(relative, file))
}

// interfaceGUID is the version 5 UUID of the interface name in the space of the machine id, so that it is the same
// after every start and different on every machine; "" where the machine has no id. See RFC 9562 5.5.
func (p *Provider) interfaceGUID(name string) string {
	space, err := hex.DecodeString(p.read("etc/machine-id"))
	if err != nil || len(space) != 16 {
		return ""
	}
	h := sha1.Sum(append(space, name...)) //nolint:gosec // UUID version 5 is defined with SHA-1
	u := h[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	s := strings.ToUpper(hex.EncodeToString(u))
	return "{" + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:] + "}"
}

// links are the interfaces in the order of their index.
func (p *Provider) links() ([]nl.Link, error) {
	if p.system.links == nil {
		return nil, nil
	}
	all, err := p.system.links()
	if err != nil {
		return nil, err
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Index < all[j].Index })
	return all, nil
}

func gatherAdapters(_ context.Context, p *Provider, _ uint32, q query, f func(*adapterRow) error) error {
	all, err := p.links()
	if err != nil {
		return err
	}
	name := p.hostName()
	for _, l := range all {
		if !matchesIndex(q, l.Index) {
			continue
		}
		if err := f(&adapterRow{p: p, csName: name, Link: l}); err != nil {
			return err
		}
	}
	return nil
}

// matchesIndex tells whether the interface may be the one that the query names.
func matchesIndex(q query, index int) bool {
	for _, property := range []string{"DeviceID", "Index", "InterfaceIndex"} {
		if s, ok := q.text(property); ok && s != strconv.Itoa(index) {
			return false
		}
	}
	return true
}
