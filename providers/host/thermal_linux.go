package host

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// thermalRow is one temperature, with the temperatures at which something is done. All are in thousandths of degrees
// Celsius, as sysfs has them.
type thermalRow struct {
	name              string
	now               int64
	active            []int64
	passive, critical *int64
}

// kelvins makes tenths of kelvins of thousandths of degrees Celsius, to the nearest.
func kelvins(milli int64) (uint32, bool) {
	const freezing = 273_150
	if milli < -freezing || milli > 1<<30 {
		return 0, false
	}
	return uint32((milli + freezing + 50) / 100), true
}

func kelvinsOrNull(milli *int64) cim.Value {
	if milli == nil {
		return cim.Value{}
	}
	k, ok := kelvins(*milli)
	if !ok {
		return cim.Value{}
	}
	return cim.U32(k)
}

var thermalTable = &table[thermalRow]{name: "MSAcpi_ThermalZoneTemperature", gather: gatherTemperatures, columns: []column[thermalRow]{
	{name: "InstanceName", get: func(r *thermalRow) cim.Value { return cim.Str(r.name) }},
	{name: "Active", get: fixedValue[thermalRow](cim.Bool(true))},
	{name: "CurrentTemperature", get: func(r *thermalRow) cim.Value { return kelvinsOrNull(&r.now) }},
	{name: "CriticalTripPoint", get: func(r *thermalRow) cim.Value { return kelvinsOrNull(r.critical) }},
	{name: "PassiveTripPoint", get: func(r *thermalRow) cim.Value { return kelvinsOrNull(r.passive) }},
	{name: "ActiveTripPointCount", get: func(r *thermalRow) cim.Value { return cim.U32(uint32(len(r.active))) }},
	{name: "ActiveTripPoint", get: func(r *thermalRow) cim.Value {
		var out []cim.Value
		for i := range r.active {
			if k := kelvinsOrNull(&r.active[i]); !k.IsNull() {
				out = append(out, k)
			}
		}
		if out == nil {
			return cim.Value{}
		}
		return cim.Array(cim.Uint32, out)
	}},
}}

// celsius is a file of thousandths of degrees, nil where it is none.
func (p *Provider) celsius(path string) *int64 {
	n, err := strconv.ParseInt(p.read(path), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// gatherTemperatures gives the thermal zones and the sensors of hwmon that are not such a zone.
func gatherTemperatures(_ context.Context, p *Provider, _ uint32, _ query, f func(*thermalRow) error) error {
	for _, zone := range p.folder("sys/class/thermal", "thermal_zone") {
		if r := p.thermalZone(zone); r != nil {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	for _, chip := range p.folder("sys/class/hwmon", "hwmon") {
		dir := "sys/class/hwmon/" + chip + "/"
		if device, err := filepath.EvalSymlinks(filepath.Join(p.root, dir, "device")); err == nil &&
			strings.HasPrefix(filepath.Base(device), "thermal_zone") {
			continue
		}
		for _, file := range p.folder(dir, "temp") {
			sensor, ok := strings.CutSuffix(file, "_input")
			if !ok {
				continue
			}
			if r := p.sensor(dir, chip, sensor); r != nil {
				if err := f(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// thermalZone reads a zone with its trip points. See Documentation/driver-api/thermal/sysfs-api.
func (p *Provider) thermalZone(zone string) *thermalRow {
	dir := "sys/class/thermal/" + zone + "/"
	now := p.celsius(dir + "temp")
	if now == nil {
		return nil
	}
	r := &thermalRow{name: zone, now: *now}
	if kind := p.read(dir + "type"); kind != "" {
		r.name = zone + " " + kind
	}
	for n := range 32 {
		point := dir + "trip_point_" + strconv.Itoa(n)
		kind := p.read(point + "_type")
		if kind == "" {
			break
		}
		at := p.celsius(point + "_temp")
		switch {
		case at == nil:
		case kind == "active":
			r.active = append(r.active, *at)
		case kind == "passive":
			r.passive = at
		case kind == "critical":
			r.critical = at
		}
	}
	return r
}

// sensor reads one temperature of a chip. See Documentation/hwmon/sysfs-interface.
func (p *Provider) sensor(dir, chip, sensor string) *thermalRow {
	now := p.celsius(dir + sensor + "_input")
	if now == nil {
		return nil
	}
	label := p.read(dir + sensor + "_label")
	if label == "" {
		label = sensor
	}
	name := strings.Join(strings.Fields(chip+" "+p.read(dir+"name")+" "+label), " ")
	return &thermalRow{name: name, now: *now, critical: p.celsius(dir + sensor + "_crit")}
}
