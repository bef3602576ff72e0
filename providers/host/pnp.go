package host

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/cim"
)

// pnpBuses are the buses whose devices tell what they are, in the order of the instances.
var pnpBuses = []string{"pci", "usb", "pnp", "virtio"}

// pnpDevice is one device of such a bus: a folder below /sys/bus/BUS/devices.
type pnpDevice struct {
	p         *Provider
	bus, name string
	ids       []string // hardware ids, the most precise first
	compat    []string
	pci       pciNames
}

func (d *pnpDevice) file(name string) string {
	return d.p.read("sys/bus/" + d.bus + "/devices/" + d.name + "/" + name)
}

// hex is a number of n digits in capitals without 0x, "" where the file holds none.
func (d *pnpDevice) hex(name string, n int) string {
	s := strings.ToUpper(strings.TrimPrefix(d.file(name), "0x"))
	if s == "" || strings.Trim(s, "0123456789ABCDEF") != "" {
		return ""
	}
	if len(s) > n {
		s = s[len(s)-n:]
	}
	return strings.Repeat("0", n-len(s)) + s
}

// link is the base name of what a symbolic link of the device leads to.
func (d *pnpDevice) link(name string) string {
	target, err := filepath.EvalSymlinks(filepath.Join(d.p.root, "sys/bus", d.bus, "devices", d.name, name))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

func (d *pnpDevice) driver() string { return d.link("driver") }

// module is the kernel module of the driver, as /sys/module names it.
func (d *pnpDevice) module() string {
	if m := d.link("driver/module"); m != "" {
		return m
	}
	return strings.ReplaceAll(d.driver(), "-", "_")
}

// identify fills the hardware ids, in the forms that Windows has for the bus. See the identifiers for PCI and USB
// devices in the documentation of Windows drivers.
func (d *pnpDevice) identify() {
	switch d.bus {
	case "pci":
		model := d.model("VEN_", "vendor", "&DEV_", "device")
		if model == "" {
			return
		}
		subsystem := model + "&SUBSYS_" + d.hex("subsystem_device", 4) + d.hex("subsystem_vendor", 4)
		revision, class := "&REV_"+d.hex("revision", 2), d.hex("class", 6)
		d.ids = prefixed(`PCI\`, subsystem+revision, subsystem, model+"&CC_"+class, model+"&CC_"+class[:min(4, len(class))])
		d.compat = prefixed(`PCI\`, model+revision, model, "CC_"+class, "CC_"+class[:min(4, len(class))])
	case "usb":
		model := d.model("VID_", "idVendor", "&PID_", "idProduct")
		if model == "" {
			return
		}
		d.ids = prefixed(`USB\`, model+"&REV_"+d.hex("bcdDevice", 4), model)
		class, sub, protocol := d.hex("bDeviceClass", 2), d.hex("bDeviceSubClass", 2), d.hex("bDeviceProtocol", 2)
		d.compat = prefixed(`USB\`, "Class_"+class+"&SubClass_"+sub+"&Prot_"+protocol, "Class_"+class+"&SubClass_"+sub, "Class_"+class)
	case "pnp":
		for i, id := range strings.Fields(d.file("id")) {
			if i == 0 {
				d.ids = []string{`ACPI\` + id, "*" + id}
			} else {
				d.compat = append(d.compat, "*"+id)
			}
		}
	case "virtio":
		if model := d.model("VEN_", "vendor", "&DEV_", "device"); model != "" {
			d.ids = prefixed(`VIRTIO\`, model)
		}
	}
}

// model is the vendor and the device as one text, "" where the device does not tell them.
func (d *pnpDevice) model(first, vendor, second, device string) string {
	v, n := d.hex(vendor, 4), d.hex(device, 4)
	if v == "" || n == "" {
		return ""
	}
	return first + v + second + n
}

func prefixed(prefix string, ids ...string) []string {
	for i := range ids {
		ids[i] = prefix + ids[i]
	}
	return ids
}

// deviceID is the model and, behind it, where the device sits or the serial number that it has.
func (d *pnpDevice) deviceID() string {
	place := strings.ToUpper(d.name)
	var model string
	switch {
	case len(d.ids) == 0:
		model = strings.ToUpper(d.bus)
	case d.bus == "usb":
		model = d.ids[1]
		if serial := d.file("serial"); serial != "" && !d.shares(serial) {
			place = strings.ReplaceAll(serial, `\`, "_")
		}
	default:
		model = d.ids[0]
	}
	return model + `\` + place
}

// shares tells whether another device of the same model has the same serial number, as cheap ones do.
func (d *pnpDevice) shares(serial string) bool {
	for _, name := range d.p.folder("sys/bus/usb/devices", "") {
		other := &pnpDevice{p: d.p, bus: d.bus, name: name}
		if name != d.name && other.file("serial") == serial && other.file("idVendor") == d.file("idVendor") && other.file("idProduct") == d.file("idProduct") {
			return true
		}
	}
	return false
}

func (d *pnpDevice) title() string {
	switch {
	case d.bus == "pci" && d.pci.device != "":
		return d.pci.device
	case d.bus == "usb" && d.file("product") != "":
		return d.file("product")
	case len(d.ids) > 0:
		return d.ids[0]
	}
	return d.name
}

func (d *pnpDevice) maker() string {
	if d.bus == "usb" {
		return d.file("manufacturer")
	}
	return d.pci.vendor
}

// setupClass is a device setup class of Windows: what kind of device it is.
type setupClass struct{ name, guid string }

// setupClasses are those for the classes of PCI, by the first two or the first four digits. See the system-defined
// device setup classes in the documentation of Windows drivers.
var setupClasses = map[string]setupClass{
	"0100": {"SCSIAdapter", "{4d36e97b-e325-11ce-bfc1-08002be10318}"},
	"0101": {"HDC", "{4d36e96a-e325-11ce-bfc1-08002be10318}"},
	"0104": {"SCSIAdapter", "{4d36e97b-e325-11ce-bfc1-08002be10318}"},
	"0106": {"HDC", "{4d36e96a-e325-11ce-bfc1-08002be10318}"},
	"0107": {"SCSIAdapter", "{4d36e97b-e325-11ce-bfc1-08002be10318}"},
	"0108": {"SCSIAdapter", "{4d36e97b-e325-11ce-bfc1-08002be10318}"},
	"02":   {"Net", "{4d36e972-e325-11ce-bfc1-08002be10318}"},
	"03":   {"Display", "{4d36e968-e325-11ce-bfc1-08002be10318}"},
	"04":   {"MEDIA", "{4d36e96c-e325-11ce-bfc1-08002be10318}"},
	"06":   {"System", "{4d36e97d-e325-11ce-bfc1-08002be10318}"},
	"0C03": {"USB", "{36fc9e60-c465-11cf-8056-444553540000}"},
	"0C05": {"System", "{4d36e97d-e325-11ce-bfc1-08002be10318}"},
}

func (d *pnpDevice) class() setupClass {
	switch d.bus {
	case "pci":
		code := d.hex("class", 6)
		if len(code) < 4 {
			return setupClass{}
		}
		if c, ok := setupClasses[code[:4]]; ok {
			return c
		}
		return setupClasses[code[:2]]
	case "usb":
		if d.hex("bDeviceClass", 2) == "09" { // a hub
			return setupClasses["0C03"]
		}
	}
	return setupClass{}
}

type pnpColumn = column[pnpDevice]

func pnpText(name string, get func(*pnpDevice) string) pnpColumn {
	return pnpColumn{name: name, get: func(d *pnpDevice) cim.Value { return strOrNull(get(d)) }}
}

var pnpTable = &table[pnpDevice]{name: "Win32_PnPEntity", gather: gatherDevices, columns: []pnpColumn{
	{name: "CreationClassName", get: fixedStr[pnpDevice]("Win32_PnPEntity")},
	{name: "SystemCreationClassName", get: fixedStr[pnpDevice]("Win32_ComputerSystem")},
	pnpText("SystemName", func(d *pnpDevice) string { return d.p.hostName() }),
	pnpText("DeviceID", (*pnpDevice).deviceID),
	pnpText("PNPDeviceID", (*pnpDevice).deviceID),
	pnpText("Name", (*pnpDevice).title),
	pnpText("Caption", (*pnpDevice).title),
	pnpText("Description", (*pnpDevice).title),
	pnpText("Manufacturer", (*pnpDevice).maker),
	pnpText("Service", (*pnpDevice).driver),
	pnpText("PNPClass", func(d *pnpDevice) string { return d.class().name }),
	pnpText("ClassGuid", func(d *pnpDevice) string { return d.class().guid }),
	{name: "HardwareID", get: func(d *pnpDevice) cim.Value { return strsOrNull(d.ids) }},
	{name: "CompatibleID", get: func(d *pnpDevice) cim.Value { return strsOrNull(d.compat) }},
	{name: "Present", get: fixedValue[pnpDevice](cim.Bool(true))},
	// Many devices need no driver here, so that none is no error.
	{name: "ConfigManagerErrorCode", get: func(d *pnpDevice) cim.Value {
		if d.driver() == "" {
			return cim.Value{}
		}
		return cim.U32(0)
	}},
	{name: "Status", get: func(d *pnpDevice) cim.Value {
		if d.driver() == "" {
			return cim.Value{}
		}
		return cim.Str("OK")
	}},
}}

// devices calls f with the devices of the buses.
func (p *Provider) devices(ctx context.Context, f func(*pnpDevice) error, buses ...string) error {
	for _, bus := range buses {
		for _, name := range p.folder("sys/bus/"+bus+"/devices", "") {
			if bus == "usb" && strings.Contains(name, ":") { // an interface of a device
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(p.pnpDevice(bus, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Provider) pnpDevice(bus, name string) *pnpDevice {
	d := &pnpDevice{p: p, bus: bus, name: name}
	d.identify()
	if bus == "pci" {
		d.pci = p.pciNames(d.hex("vendor", 4), d.hex("device", 4))
	}
	return d
}

// gatherDevices finds devices; a DeviceID that the query fixes is compared before anything else is read.
func gatherDevices(ctx context.Context, p *Provider, _ uint32, q query, f func(*pnpDevice) error) error {
	id, one := q.text("DeviceID")
	return p.devices(ctx, func(d *pnpDevice) error {
		if one && !cim.EqualFold(id, d.deviceID()) {
			return nil
		}
		return f(d)
	}, pnpBuses...)
}

// pnpDeviceID is the DeviceID of the device in a folder of /sys/devices. That of an interface of a USB device is the
// device's.
func (p *Provider) pnpDeviceID(dir string) string {
	if dir == "" {
		return ""
	}
	bus, err := filepath.EvalSymlinks(filepath.Join(dir, "subsystem"))
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(filepath.Base(dir), ":")
	if filepath.Base(bus) != "usb" {
		name = filepath.Base(dir)
	}
	return p.pnpDevice(filepath.Base(bus), name).deviceID()
}
