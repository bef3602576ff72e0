package host

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
)

// driverRow is a device with its driver.
type driverRow struct {
	*pnpDevice
	modules *moduleFiles
}

func driverText(name string, get func(*driverRow) string) column[driverRow] {
	return column[driverRow]{name: name, get: func(r *driverRow) cim.Value { return strOrNull(get(r)) }}
}

func (r *driverRow) friendly() string { return r.title() }

// version is that of the module in memory, or of its file.
func (r *driverRow) version() string {
	if v := r.p.read("sys/module/" + r.module() + "/version"); v != "" {
		return v
	}
	return r.modules.info(r.module()).version
}

// firstID is the most precise of ids.
func firstID(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

var driverTable = &table[driverRow]{name: "Win32_PnPSignedDriver", gather: gatherDrivers, columns: []column[driverRow]{
	{name: "CreationClassName", get: fixedStr[driverRow]("Win32_PnPSignedDriver")},
	{name: "SystemCreationClassName", get: fixedStr[driverRow]("Win32_ComputerSystem")},
	driverText("SystemName", func(r *driverRow) string { return r.p.hostName() }),
	driverText("DeviceID", func(r *driverRow) string { return r.deviceID() }),
	driverText("DeviceName", (*driverRow).friendly),
	driverText("FriendlyName", (*driverRow).friendly),
	driverText("Description", (*driverRow).friendly),
	driverText("DeviceClass", func(r *driverRow) string { return strings.ToUpper(r.class().name) }),
	driverText("ClassGuid", func(r *driverRow) string { return r.class().guid }),
	driverText("HardWareID", func(r *driverRow) string { return firstID(r.ids) }),
	driverText("CompatID", func(r *driverRow) string { return firstID(r.compat) }),
	driverText("Manufacturer", func(r *driverRow) string { return r.maker() }),
	driverText("Location", func(r *driverRow) string { return r.name }),
	driverText("DriverName", func(r *driverRow) string { return r.driver() }),
	driverText("DriverVersion", (*driverRow).version),
	driverText("Signer", func(r *driverRow) string { return r.modules.info(r.module()).signer }),
	{name: "IsSigned", get: func(r *driverRow) cim.Value {
		// E is the taint of a module without a signature, where the kernel asks for one.
		if strings.Contains(r.p.read("sys/module/"+r.module()+"/taint"), "E") {
			return cim.Bool(false)
		}
		if r.modules.info(r.module()).signer != "" {
			return cim.Bool(true)
		}
		return cim.Value{}
	}},
	{name: "Started", get: fixedValue[driverRow](cim.Bool(true))},
}}

// gatherDrivers gives the devices that have a driver.
func gatherDrivers(ctx context.Context, p *Provider, _ uint32, q query, f func(*driverRow) error) error {
	modules := p.moduleFiles()
	return gatherDevices(ctx, p, 0, q, func(d *pnpDevice) error {
		if d.driver() == "" {
			return nil
		}
		return f(&driverRow{pnpDevice: d, modules: modules})
	})
}
