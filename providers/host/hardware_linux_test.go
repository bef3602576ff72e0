package host

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// smbiosBuilder writes an SMBIOS table by hand, structure after structure, as DMTF DSP0134 6.1 lays it out.
type smbiosBuilder struct{ out []byte }

// add writes a structure of length n whose fields are the values at their offsets: a byte, a word, or more by type.
func (b *smbiosBuilder) add(kind byte, n int, fields map[int]any, strings ...string) {
	body := make([]byte, n)
	body[0], body[1] = kind, byte(n)
	binary.LittleEndian.PutUint16(body[2:], uint16(len(b.out)))
	for at, v := range fields {
		switch v := v.(type) {
		case int:
			body[at] = byte(v)
		case uint16:
			binary.LittleEndian.PutUint16(body[at:], v)
		case uint32:
			binary.LittleEndian.PutUint32(body[at:], v)
		case uint64:
			binary.LittleEndian.PutUint64(body[at:], v)
		}
	}
	b.out = append(b.out, body...)
	for _, s := range strings {
		b.out = append(append(b.out, s...), 0)
	}
	if len(strings) == 0 {
		b.out = append(b.out, 0)
	}
	b.out = append(b.out, 0)
}

// serverTable describes a server with a case, two boards, and four sockets for memory of which three are used.
func serverTable() string {
	b := &smbiosBuilder{}
	b.add(1, 0x1B, map[int]any{0x04: 1}, "Maker")
	b.add(2, 0x0F, map[int]any{0x04: 1, 0x05: 2, 0x06: 3, 0x07: 4, 0x08: 5, 0x09: 0x09, 0x0D: 0x0A}, "BoardCo", "X11", "Rev 1", "BRD123", "Default string")
	b.add(2, 0x0E, map[int]any{0x04: 1, 0x05: 2, 0x09: 0x1C, 0x0D: 0x08}, "BoardCo", "Riser")
	b.add(3, 0x1A, map[int]any{0x04: 1, 0x05: 0x80 | 23, 0x06: 2, 0x07: 3, 0x08: 4, 0x0C: 3, 0x11: 2, 0x12: 2, 0x13: 1, 0x14: 3, 0x15: 2, 0x18: 5},
		"CaseCo", "V2", "CAS999", "ASSET7", "SKU-1")
	b.add(12, 0x05, map[int]any{0x04: 2}, "JP1: clear CMOS", "JP2: recovery")
	b.add(16, 0x17, map[int]any{0x04: 3, 0x05: 3, 0x06: 6, 0x07: uint32(0x80000000), 0x0D: uint16(4), 0x0F: uint64(6) << 40})
	ddr4 := map[int]any{0x08: uint16(72), 0x0A: uint16(64), 0x0C: uint16(16384), 0x0E: 9, 0x10: 1, 0x11: 2, 0x12: 0x1A, 0x13: uint16(0x2080), 0x15: uint16(3200),
		0x17: 3, 0x18: 4, 0x1A: 5, 0x1B: 2, 0x20: uint16(2933), 0x22: uint16(1140), 0x24: uint16(1260), 0x26: uint16(1200)}
	b.add(17, 0x28, ddr4, "DIMM_A1", "Bank 0", "ChipCo", "0A0B0C", "PN-16G   ")
	b.add(17, 0x28, map[int]any{0x0C: uint16(0), 0x10: 1}, "DIMM_A2")
	b.add(17, 0x5C, map[int]any{0x08: uint16(0xFFFF), 0x0A: uint16(64), 0x0C: uint16(0x7FFF), 0x0E: 13, 0x10: 1, 0x12: 0x22, 0x15: uint16(0xFFFF), 0x1C: uint32(131072),
		0x20: uint16(0xFFFF), 0x54: uint32(70000), 0x58: uint32(66000)}, "DIMM_B1")
	b.add(17, 0x15, map[int]any{0x08: uint16(8), 0x0A: uint16(8), 0x0C: uint16(0x8000 | 512), 0x0E: 3, 0x10: 1, 0x12: 3}, "ROM")
	b.add(127, 4, nil)
	return string(b.out)
}

func TestSMBIOS(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{"sys/firmware/dmi/tables/DMI": serverTable()})})
	expect(t, only(t, p, "Win32_SystemEnclosure", query{}), map[string]string{
		"Tag": "System Enclosure 0", "Manufacturer": "CaseCo", "Version": "V2", "SerialNumber": "CAS999", "SMBIOSAssetTag": "ASSET7", "SKU": "SKU-1",
		"ChassisTypes": "{23}", "LockPresent": "true", "SecurityStatus": "3", "NumberOfPowerCords": "2", "Height": "3.5", "Model": "null", "AudibleAlarm": "null",
		"CreationClassName": "Win32_SystemEnclosure"})
	boards := all(t, p, "Win32_BaseBoard", query{})
	if len(boards) != 2 {
		t.Fatalf("%d boards, want 2", len(boards))
	}
	expect(t, boards[0], map[string]string{"Tag": "Base Board", "Manufacturer": "BoardCo", "Product": "X11", "Version": "Rev 1", "SerialNumber": "BRD123",
		"HostingBoard": "true", "RequiresDaughterBoard": "false", "Replaceable": "true", "Removable": "false", "HotSwappable": "false",
		"ConfigOptions": "{JP1: clear CMOS, JP2: recovery}"})
	expect(t, boards[1], map[string]string{"Tag": "Base Board 1", "Product": "Riser", "HostingBoard": "false", "Removable": "true", "HotSwappable": "true",
		"SerialNumber": "null", "ConfigOptions": "null"})
	expect(t, only(t, p, "Win32_PhysicalMemoryArray", query{}), map[string]string{"Tag": "Physical Memory Array 0", "Location": "3", "Use": "3",
		"MemoryErrorCorrection": "6", "MemoryDevices": "4", "MaxCapacity": "null", "MaxCapacityEx": "6442450944"})
	modules := all(t, p, "Win32_PhysicalMemory", query{})
	if len(modules) != 3 {
		t.Fatalf("%d modules, want 3", len(modules))
	}
	expect(t, modules[0], map[string]string{"Tag": "Physical Memory 0", "Capacity": "17179869184", "TotalWidth": "72", "DataWidth": "64", "FormFactor": "8",
		"DeviceLocator": "DIMM_A1", "BankLabel": "Bank 0", "MemoryType": "26", "SMBIOSMemoryType": "26", "TypeDetail": "8320", "Speed": "3200", "Manufacturer": "ChipCo",
		"SerialNumber": "0A0B0C", "PartNumber": "PN-16G", "Attributes": "2", "ConfiguredClockSpeed": "2933", "MinVoltage": "1140", "MaxVoltage": "1260",
		"ConfiguredVoltage": "1200"})
	expect(t, modules[1], map[string]string{"Tag": "Physical Memory 2", "Capacity": "137438953472", "TotalWidth": "null", "FormFactor": "12", "MemoryType": "1",
		"SMBIOSMemoryType": "34", "Speed": "70000", "ConfiguredClockSpeed": "66000", "Manufacturer": "null", "ConfiguredVoltage": "null", "Attributes": "null"})
	// a structure of SMBIOS 2.1, which ends before the speed
	expect(t, modules[2], map[string]string{"Tag": "Physical Memory 3", "Capacity": "524288", "FormFactor": "7", "MemoryType": "2", "Speed": "null", "PartNumber": "null",
		"ConfiguredClockSpeed": "null"})
}

// Without root the table cannot be read, but the kernel shows some of it.
func TestShownByTheKernel(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"sys/class/dmi/id/chassis_type": "10\n", "sys/class/dmi/id/chassis_vendor": "CaseCo\n", "sys/class/dmi/id/chassis_asset_tag": "No Asset Tag\n",
		"sys/class/dmi/id/board_name": "X11\n", "sys/class/dmi/id/board_vendor": "BoardCo\n",
	})})
	expect(t, only(t, p, "Win32_SystemEnclosure", query{}), map[string]string{"Tag": "System Enclosure 0", "ChassisTypes": "{10}", "Manufacturer": "CaseCo",
		"SMBIOSAssetTag": "null", "SerialNumber": "null", "LockPresent": "null"})
	expect(t, only(t, p, "Win32_BaseBoard", query{}), map[string]string{"Tag": "Base Board", "Product": "X11", "SerialNumber": "null", "HostingBoard": "null"})
	for _, class := range []string{"Win32_PhysicalMemory", "Win32_PhysicalMemoryArray"} {
		if n := len(all(t, p, class, query{})); n != 0 {
			t.Errorf("%d instances of %s without a table", n, class)
		}
	}
	none := New(Options{Root: root(t, nil)})
	for _, class := range []string{"Win32_SystemEnclosure", "Win32_BaseBoard", "Win32_PhysicalMemory", "Win32_PhysicalMemoryArray", "Win32_CacheMemory",
		"Win32_Battery", "MSAcpi_ThermalZoneTemperature", "Win32_IP4RouteTable"} {
		if n := len(all(t, none, class, query{})); n != 0 {
			t.Errorf("%d instances of %s on a machine without anything", n, class)
		}
	}
}

// recordedTables is the folder of tables that were recorded on real machines, which come with the SMBIOS module.
func recordedTables(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/siderolabs/go-smbios").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "smbios/testdata")
	if _, missing := os.Stat(dir); err != nil || missing != nil {
		t.Skip("the recorded tables are not at hand")
	}
	return dir
}

// The expected values are what the part numbers stand for in the makers' catalogues, and the numbers of modules.
func TestRecordedMachines(t *testing.T) {
	dir := recordedTables(t)
	for _, c := range []struct {
		file    string
		modules int
		part    string
		want    map[string]string // of the module
		chassis string
	}{
		{"Dell-PowerEdge-R630-Dual-Xeon.dmi", 2, "18ASF2G72PDZ-2G3B1",
			map[string]string{"Capacity": strconv.Itoa(16 << 30), "MemoryType": "26", "FormFactor": "8", "Speed": "2400", "TotalWidth": "72", "DataWidth": "64"}, "{23}"},
		{"SuperMicro-Dual-Xeon.dmi", 16, "M393B5270DH0-YH9",
			map[string]string{"Capacity": strconv.Itoa(4 << 30), "MemoryType": "24", "FormFactor": "8", "Speed": "1333", "Manufacturer": "Samsung"}, "{1}"},
		{"Beelink-EQ12.dmi", 1, "CT16G56C46S5.M8G1",
			map[string]string{"Capacity": strconv.Itoa(16 << 30), "SMBIOSMemoryType": "34", "FormFactor": "12", "Speed": "5600"}, "{3}"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, c.file))
		if err != nil {
			t.Error(err)
			continue
		}
		p := New(Options{Root: root(t, map[string]string{"sys/firmware/dmi/tables/DMI": string(b)})})
		modules := all(t, p, "Win32_PhysicalMemory", query{})
		if len(modules) != c.modules {
			t.Errorf("%s: %d modules, want %d", c.file, len(modules), c.modules)
		}
		found := false
		for _, m := range modules {
			if m.Get("PartNumber").String() == c.part {
				found = true
				expect(t, m, c.want)
			}
		}
		if !found {
			t.Errorf("%s has no module %s", c.file, c.part)
		}
		expect(t, all(t, p, "Win32_SystemEnclosure", query{})[0], map[string]string{"ChassisTypes": c.chassis})
		if i := all(t, p, "Win32_BaseBoard", query{}); len(i) == 0 || i[0].Get("Manufacturer").IsNull() {
			t.Errorf("%s has no board", c.file)
		}
	}
}

func FuzzSMBIOS(f *testing.F) {
	f.Add([]byte(serverTable()))
	f.Add([]byte{17, 4, 0, 0, 0, 0})
	f.Add([]byte{3, 0x15, 0, 0})
	f.Add([]byte("\x01\x150000000000000000000\x00\x00")) // a system whose structure ends within its UUID
	p := New(Options{Root: f.TempDir()})
	f.Fuzz(func(_ *testing.T, b []byte) {
		all, err := decodeSMBIOS(b, []byte{smbiosBaseBoard, smbiosEnclosure, smbiosMemoryArray, smbiosMemoryDevice, smbiosProcessor})
		if err != nil {
			return
		}
		for _, s := range all {
			r := &physicalRow{p: p, structure: s}
			for _, class := range []*table[physicalRow]{enclosureTable, boardTable, arrayTable, moduleTable} {
				for _, c := range class.columns {
					c.get(r)
				}
			}
			cpu := &cpuRow{firmware: s}
			for _, c := range processorTable.columns {
				if c.need == cpuFirmware {
					c.get(cpu)
				}
			}
		}
	})
}

func TestSocketsOfSMBIOS(t *testing.T) {
	b := &smbiosBuilder{}
	cpu := func(socket, serial string, status int) {
		b.add(4, 0x30, map[int]any{0x04: 1, 0x05: 3, 0x06: 0xB3, 0x08: uint64(0xBFEBFBFF000506E3), 0x11: 0x8C, 0x12: uint16(100), 0x18: status, 0x19: 0x36, 0x20: 2}, socket, serial)
	}
	cpu("CPU1", "S1", 0x41)
	cpu("CPU2", "S2", 0x00) // empty
	cpu("CPU3", "S3", 0x41)
	b.add(127, 4, nil)
	files := map[string]string{"sys/firmware/dmi/tables/DMI": string(b.out),
		"proc/cpuinfo": "processor\t: 0\nphysical id\t: 0\n\nprocessor\t: 1\nphysical id\t: 1\n\n"}
	q := projected("Win32_Processor", "SocketDesignation", "Family", "ProcessorId", "CurrentVoltage", "ExtClock", "UpgradeMethod", "SerialNumber", "PartNumber")
	out := all(t, New(Options{Root: root(t, files)}), "Win32_Processor", q)
	if len(out) != 2 {
		t.Fatalf("%d processors", len(out))
	}
	expect(t, out[1], map[string]string{"SocketDesignation": "CPU3", "SerialNumber": "S3", "Family": "179", "ProcessorId": "BFEBFBFF000506E3", "CurrentVoltage": "12",
		"ExtClock": "100", "UpgradeMethod": "54", "PartNumber": "null"})
	files["proc/cpuinfo"] = "processor\t: 0\nphysical id\t: 0\n\n" // another number of sockets: which is which is not known
	expect(t, only(t, New(Options{Root: root(t, files)}), "Win32_Processor", q), map[string]string{"SocketDesignation": "null", "ProcessorId": "null"})
}

// The expected values come from lscpu(1).
func TestCachesAgainstLscpu(t *testing.T) {
	rows := lines(output(t, "lscpu", "--bytes", "-C=NAME,ALL-SIZE,TYPE,LEVEL,COHERENCY-SIZE"))[1:]
	caches := all(t, New(Options{}), "Win32_CacheMemory", query{})
	sockets := len(all(t, New(Options{}), "Win32_Processor", projected("Win32_Processor", "DeviceID")))
	if len(rows) == 0 || sockets != 1 {
		t.Skip("lscpu lists no caches, or those of several sockets as one")
	}
	if len(caches) != len(rows) {
		t.Fatalf("%d caches, lscpu lists %d", len(caches), len(rows))
	}
	kinds := map[string]string{"Data": "4", "Instruction": "3", "Unified": "5"}
	levels := map[string]string{"1": "3", "2": "4", "3": "5"}
	for n, row := range rows {
		f := strings.Fields(row)
		size, _ := strconv.Atoi(f[1])
		expect(t, caches[n], map[string]string{"InstalledSize": strconv.Itoa(size / 1024), "CacheType": kinds[f[2]], "Level": levels[f[3]], "LineSize": f[4],
			"DeviceID": "Cache Memory " + strconv.Itoa(n)})
	}
}

func TestBatteries(t *testing.T) {
	files := map[string]string{}
	battery := func(name string, values map[string]string) {
		for k, v := range values {
			files["sys/class/power_supply/"+name+"/"+k] = v + "\n"
		}
	}
	battery("AC", map[string]string{"type": "Mains", "online": "0"})
	battery("BAT0", map[string]string{"type": "Battery", "present": "1", "status": "Discharging", "capacity": "80", "capacity_level": "Normal", "technology": "Li-ion",
		"energy_now": "40000000", "energy_full": "50000000", "energy_full_design": "57000000", "power_now": "10000000", "voltage_min_design": "11400000", "model_name": "DELL 1VX1H"})
	battery("BAT1", map[string]string{"type": "Battery", "present": "1", "status": "Charging", "capacity_level": "Low", "technology": "Li-poly",
		"charge_now": "1000000", "charge_full": "4000000", "charge_full_design": "5000000", "current_now": "1500000", "voltage_now": "10000000", "voltage_min_design": "10000000"})
	battery("BAT2", map[string]string{"type": "Battery", "present": "0", "status": "Unknown"})
	battery("hidpp_battery_0", map[string]string{"type": "Battery", "scope": "Device", "capacity": "50"})
	p := New(Options{Root: root(t, files)})
	out := all(t, p, "Win32_Battery", query{})
	if len(out) != 2 {
		t.Fatalf("%d batteries, want 2", len(out))
	}
	expect(t, out[0], map[string]string{"DeviceID": "BAT0", "Name": "DELL 1VX1H", "BatteryStatus": "1", "EstimatedChargeRemaining": "80", "Chemistry": "6",
		"DesignCapacity": "57000", "FullChargeCapacity": "50000", "DesignVoltage": "11400", "EstimatedRunTime": "240", "TimeToFullCharge": "null"})
	// 4 Ah at 10 V, 1 Ah in it, charging with 1.5 A: 30 Wh at 15 W take two hours
	expect(t, out[1], map[string]string{"DeviceID": "BAT1", "Name": "BAT1", "BatteryStatus": "8", "EstimatedChargeRemaining": "25", "Chemistry": "8",
		"DesignCapacity": "50000", "FullChargeCapacity": "40000", "EstimatedRunTime": "null", "TimeToFullCharge": "120"})
	expect(t, only(t, p, "Win32_Battery", fixed(map[string]cim.Value{"DeviceID": cim.Str("bat1")})), map[string]string{"DeviceID": "BAT1"})
}

func TestTemperatures(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"sys/class/thermal/thermal_zone0/type": "acpitz\n", "sys/class/thermal/thermal_zone0/temp": "45000\n",
		"sys/class/thermal/thermal_zone0/trip_point_0_type": "critical\n", "sys/class/thermal/thermal_zone0/trip_point_0_temp": "105000\n",
		"sys/class/thermal/thermal_zone0/trip_point_1_type": "active\n", "sys/class/thermal/thermal_zone0/trip_point_1_temp": "71000\n",
		"sys/class/thermal/thermal_zone1/type": "silent\n", "sys/class/thermal/cooling_device0/type": "Fan\n",
		"sys/class/hwmon/hwmon0/name": "acpitz\n", "sys/class/hwmon/hwmon0/temp1_input": "45000\n", "sys/class/hwmon/hwmon0/device": "-> ../../thermal/thermal_zone0",
		"sys/class/hwmon/hwmon1/name": "coretemp\n", "sys/class/hwmon/hwmon1/temp2_input": "-10040\n", "sys/class/hwmon/hwmon1/temp2_label": "Core 0\n",
		"sys/class/hwmon/hwmon1/temp2_crit": "100000\n", "sys/class/hwmon/hwmon1/fan1_input": "1200\n",
	})})
	out := all(t, p, "MSAcpi_ThermalZoneTemperature", query{})
	if len(out) != 2 {
		t.Fatalf("%d temperatures, want 2", len(out))
	}
	// 45 °C are 318.15 K, 105 °C 378.15 K, 71 °C 344.15 K, -10.04 °C 263.11 K
	expect(t, out[0], map[string]string{"InstanceName": "thermal_zone0 acpitz", "CurrentTemperature": "3182", "CriticalTripPoint": "3782", "ActiveTripPoint": "{3442}",
		"ActiveTripPointCount": "1", "PassiveTripPoint": "null", "Active": "true"})
	expect(t, out[1], map[string]string{"InstanceName": "hwmon1 coretemp Core 0", "CurrentTemperature": "2631", "CriticalTripPoint": "3732"})
}
