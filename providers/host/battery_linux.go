package host

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// batteryRow is one folder below /sys/class/power_supply. See Documentation/ABI/testing/sysfs-class-power: energies
// are microwatt-hours, charges microampere-hours, powers microwatts, voltages microvolts, times seconds.
type batteryRow struct {
	p    *Provider
	name string
}

func (r *batteryRow) file(name string) string {
	return r.p.read("sys/class/power_supply/" + r.name + "/" + name)
}

func (r *batteryRow) count(name string) (float64, bool) {
	n, err := strconv.ParseInt(r.file(name), 10, 64)
	return float64(n), err == nil
}

// energy is in microwatt-hours: as the battery tells it, or its charge at the voltage that it was designed for.
func (r *batteryRow) energy(what string) (float64, bool) {
	if e, ok := r.count("energy_" + what); ok {
		return e, true
	}
	charge, ok := r.count("charge_" + what)
	volts, ok2 := r.voltage()
	return charge * volts / 1e6, ok && ok2
}

func (r *batteryRow) voltage() (float64, bool) {
	if v, ok := r.count("voltage_min_design"); ok && v > 0 {
		return v, true
	}
	return r.count("voltage_max_design")
}

// power is in microwatts, without a sign.
func (r *batteryRow) power() (float64, bool) {
	p, ok := r.count("power_now")
	if !ok {
		current, ok1 := r.count("current_now")
		volts, ok2 := r.count("voltage_now")
		p, ok = current*volts/1e6, ok1 && ok2
	}
	return max(p, -p), ok && p != 0
}

// minutes is how long an energy lasts or takes, NULL where that is not known. More than a thousand hours is what
// a battery that idles tells.
func (r *batteryRow) minutes(file string, energy float64, known bool) cim.Value {
	if seconds, ok := r.count(file); ok && seconds > 0 {
		return cim.U32(uint32(seconds / 60))
	}
	power, ok := r.power()
	if !known || !ok || energy < 0 {
		return cim.Value{}
	}
	m := energy / power * 60
	if m > 60_000 {
		return cim.Value{}
	}
	return cim.U32(uint32(m))
}

type batteryColumn = column[batteryRow]

func batteryText(name string, get func(*batteryRow) string) batteryColumn {
	return batteryColumn{name: name, get: func(r *batteryRow) cim.Value { return strOrNull(get(r)) }}
}

func milliwattHours(what string) func(*batteryRow) cim.Value {
	return func(r *batteryRow) cim.Value {
		e, ok := r.energy(what)
		if !ok || e <= 0 {
			return cim.Value{}
		}
		return cim.U32(uint32(e/1000 + 0.5))
	}
}

func (r *batteryRow) model() string {
	if m := r.file("model_name"); m != "" {
		return m
	}
	return r.name
}

var batteryTable = &table[batteryRow]{name: "Win32_Battery", gather: gatherBatteries, columns: []batteryColumn{
	{name: "CreationClassName", get: fixedStr[batteryRow]("Win32_Battery")},
	{name: "SystemCreationClassName", get: fixedStr[batteryRow]("Win32_ComputerSystem")},
	batteryText("SystemName", func(r *batteryRow) string { return r.p.hostName() }),
	batteryText("DeviceID", func(r *batteryRow) string { return r.name }),
	batteryText("Name", (*batteryRow).model),
	batteryText("Caption", (*batteryRow).model),
	batteryText("Description", (*batteryRow).model),
	{name: "BatteryStatus", get: batteryStatus},
	{name: "Chemistry", get: func(r *batteryRow) cim.Value {
		switch r.file("technology") {
		case "Li-ion":
			return cim.U16(6)
		case "Li-poly":
			return cim.U16(8)
		case "NiMH":
			return cim.U16(5)
		case "NiCd":
			return cim.U16(4)
		case "LiFe", "LiMn":
			return cim.U16(1) // other
		}
		return cim.Value{}
	}},
	{name: "DesignCapacity", get: milliwattHours("full_design")},
	{name: "FullChargeCapacity", get: milliwattHours("full")},
	{name: "DesignVoltage", get: func(r *batteryRow) cim.Value {
		v, ok := r.voltage()
		if !ok || v <= 0 {
			return cim.Value{}
		}
		return cim.U64(uint64(v / 1000))
	}},
	{name: "EstimatedChargeRemaining", get: func(r *batteryRow) cim.Value {
		if v := number(cim.Uint16, r.file("capacity")); !v.IsNull() {
			return v
		}
		now, ok := r.energy("now")
		full, ok2 := r.energy("full")
		if !ok || !ok2 || full <= 0 || now < 0 {
			return cim.Value{}
		}
		return cim.U16(uint16(min(100, now/full*100+0.5)))
	}},
	{name: "EstimatedRunTime", get: func(r *batteryRow) cim.Value {
		if r.file("status") != "Discharging" {
			return cim.Value{}
		}
		now, ok := r.energy("now")
		return r.minutes("time_to_empty_now", now, ok)
	}},
	{name: "TimeToFullCharge", get: func(r *batteryRow) cim.Value {
		if r.file("status") != "Charging" {
			return cim.Value{}
		}
		now, ok := r.energy("now")
		full, ok2 := r.energy("full")
		return r.minutes("time_to_full_now", full-now, ok && ok2)
	}},
}}

// batteryStatus is 1 discharging, 2 not discharging on mains, 3 full, 4 low, 5 critical, 6 charging, and 8 and 9 for
// charging while low or critical.
func batteryStatus(r *batteryRow) cim.Value {
	level := r.file("capacity_level")
	switch r.file("status") {
	case "Discharging":
		switch level {
		case "Low":
			return cim.U16(4)
		case "Critical":
			return cim.U16(5)
		}
		return cim.U16(1)
	case "Charging":
		switch level {
		case "Low":
			return cim.U16(8)
		case "Critical":
			return cim.U16(9)
		}
		return cim.U16(6)
	case "Full":
		return cim.U16(3)
	case "Not charging":
		return cim.U16(2)
	}
	return cim.Value{}
}

// gatherBatteries leaves out batteries of devices, and empty bays.
func gatherBatteries(_ context.Context, p *Provider, _ uint32, q query, f func(*batteryRow) error) error {
	entries, err := os.ReadDir(filepath.Join(p.root, "sys/class/power_supply"))
	if err != nil {
		return nil //nolint:nilerr // a machine without the folder has no battery
	}
	id, one := q.text("DeviceID")
	for _, e := range entries {
		r := &batteryRow{p: p, name: e.Name()}
		if r.file("type") != "Battery" || r.file("scope") == "Device" || r.file("present") == "0" || one && !strings.EqualFold(id, r.name) {
			continue
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}
