package host

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/procs"
)

// socket is one processor package with its logical processors.
type socket struct {
	id    string
	cpus  []procs.CPU
	cores int // 0: unknown
}

func (s *socket) has(flag string) bool { return slices.Contains(s.cpus[0].Flags, flag) }

// sockets groups the logical processors by package, in the order of their ids. Where neither /proc/cpuinfo nor
// /sys names packages there is one.
func (p *Provider) sockets() []socket {
	t, err := p.openProcs()
	if err != nil {
		return nil
	}
	cpus, err := t.CPUs()
	if err != nil {
		p.log.Debug("cpuinfo cannot be read", "error", err)
		return nil
	}
	byID := map[string]*socket{}
	cores := map[string]map[string]bool{}
	var out []*socket
	for _, c := range cpus {
		topology := fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/", c.Number)
		id, core := c.PhysicalID, c.CoreID
		if id == "" {
			id = strings.TrimPrefix(p.read(topology+"physical_package_id"), "-1")
		}
		if core == "" {
			core = p.read(topology + "core_id")
		}
		s := byID[id]
		if s == nil {
			s = &socket{id: id}
			byID[id], cores[id] = s, map[string]bool{}
			out = append(out, s)
		}
		s.cpus = append(s.cpus, c)
		if core != "" {
			cores[id][core] = true
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, _ := strconv.Atoi(out[i].id)
		b, _ := strconv.Atoi(out[j].id)
		return a < b
	})
	result := make([]socket, len(out))
	for i, s := range out {
		s.cores = len(cores[s.id])
		result[i] = *s
	}
	return result
}

const (
	cpuLoad uint32 = 1 << iota
	cpuFirmware
)

type cpuRow struct {
	socket
	p     *Provider
	index int
	load  float64 // percent; negative: unknown
	// firmware is what SMBIOS tells of the socket; empty where that is not known.
	firmware structure
}

func (r *cpuRow) first() *procs.CPU { return &r.cpus[0] }

type cpuColumn = column[cpuRow]

func cpuText(name string, get func(*cpuRow) string) cpuColumn {
	return cpuColumn{name: name, get: func(r *cpuRow) cim.Value { return strOrNull(get(r)) }}
}

var processorTable = &table[cpuRow]{name: "Win32_Processor", gather: gatherProcessors, columns: []cpuColumn{
	{name: "CreationClassName", get: fixedStr[cpuRow]("Win32_Processor")},
	{name: "SystemCreationClassName", get: fixedStr[cpuRow]("Win32_ComputerSystem")},
	cpuText("SystemName", func(r *cpuRow) string { return r.p.hostName() }),
	{name: "DeviceID", get: func(r *cpuRow) cim.Value { return cim.Str("CPU" + strconv.Itoa(r.index)) }},
	cpuText("Name", func(r *cpuRow) string { return r.first().ModelName }),
	cpuText("Caption", cpuCaption),
	cpuText("Description", cpuCaption),
	cpuText("Manufacturer", func(r *cpuRow) string { return r.first().Vendor }),
	cpuText("Stepping", func(r *cpuRow) string { return r.first().Stepping }),
	{name: "Revision", get: cpuRevision},
	{name: "Level", get: func(r *cpuRow) cim.Value { return number(cim.Uint16, r.first().Family) }},
	{name: "Architecture", get: func(r *cpuRow) cim.Value { return cpuArchitecture(r.p.machine()) }},
	{name: "AddressWidth", get: func(r *cpuRow) cim.Value { return cim.U16(addressWidth(r.p.machine())) }},
	{name: "DataWidth", get: func(r *cpuRow) cim.Value { return cpuDataWidth(r) }},
	{name: "NumberOfCores", get: func(r *cpuRow) cim.Value { return positive(r.cores) }},
	{name: "NumberOfEnabledCore", get: func(r *cpuRow) cim.Value { return positive(r.cores) }},
	{name: "NumberOfLogicalProcessors", get: func(r *cpuRow) cim.Value { return positive(len(r.cpus)) }},
	{name: "ThreadCount", get: func(r *cpuRow) cim.Value { return positive(len(r.cpus)) }},
	{name: "CurrentClockSpeed", get: func(r *cpuRow) cim.Value { return r.clock("scaling_cur_freq") }},
	{name: "MaxClockSpeed", get: func(r *cpuRow) cim.Value { return r.clock("cpuinfo_max_freq") }},
	{name: "L2CacheSize", get: func(r *cpuRow) cim.Value { return r.cache("2") }},
	{name: "L3CacheSize", get: func(r *cpuRow) cim.Value { return r.cache("3") }},
	{name: "LoadPercentage", need: cpuLoad, get: func(r *cpuRow) cim.Value {
		if r.load < 0 {
			return cim.Value{}
		}
		return cim.U16(uint16(r.load + 0.5))
	}},
	{name: "ProcessorType", get: fixedValue[cpuRow](cim.U16(3))}, // central processor
	{name: "Role", get: fixedStr[cpuRow]("CPU")},
	{name: "Status", get: fixedStr[cpuRow]("OK")},
	{name: "StatusInfo", get: fixedValue[cpuRow](cim.U16(3))},   // enabled
	{name: "CpuStatus", get: fixedValue[cpuRow](cim.U16(1))},    // enabled
	{name: "Availability", get: fixedValue[cpuRow](cim.U16(3))}, // running at full power
	{name: "VMMonitorModeExtensions", get: func(r *cpuRow) cim.Value { return r.flags("vmx", "svm") }},
	{name: "SecondLevelAddressTranslationExtensions", get: func(r *cpuRow) cim.Value { return r.flags("ept", "npt") }},

	firmwareText("SocketDesignation", 0x04),
	firmwareNumber("Family", cim.Uint16, cpuFamily),
	firmwareNumber("ProcessorId", cim.String, cpuID),
	firmwareNumber("CurrentVoltage", cim.Uint16, cpuVoltage),
	firmwareNumber("ExtClock", cim.Uint32, func(s *structure) cim.Value { return s.value(cim.Uint32, 0x12, 2, 0) }),
	firmwareNumber("UpgradeMethod", cim.Uint16, func(s *structure) cim.Value { return s.value(cim.Uint16, 0x19, 1, 0, 2) }),
	firmwareText("SerialNumber", 0x20),
	firmwareText("AssetTag", 0x21),
	firmwareText("PartNumber", 0x22),
}}

func cpuCaption(r *cpuRow) string {
	c := r.first()
	if c.Family == "" || c.Model == "" || c.Stepping == "" {
		return ""
	}
	kind := map[string]string{"GenuineIntel": "Intel64", "AuthenticAMD": "AMD64"}[c.Vendor]
	if kind == "" {
		kind = r.p.machine()
	}
	return kind + " Family " + c.Family + " Model " + c.Model + " Stepping " + c.Stepping
}

// cpuRevision is the model in the high byte and the stepping in the low one, as x86 Windows has it.
func cpuRevision(r *cpuRow) cim.Value {
	model, err1 := strconv.ParseUint(r.first().Model, 10, 8)
	stepping, err2 := strconv.ParseUint(r.first().Stepping, 10, 8)
	if err1 != nil || err2 != nil || !isX86(r.p.machine()) {
		return cim.Value{}
	}
	return cim.U16(uint16(model<<8 | stepping))
}

func cpuArchitecture(machine string) cim.Value {
	switch {
	case machine == "x86_64":
		return cim.U16(9)
	case machine == "aarch64":
		return cim.U16(12)
	case isX86(machine):
		return cim.U16(0)
	case strings.HasPrefix(machine, "arm"):
		return cim.U16(5)
	case strings.HasPrefix(machine, "ppc"):
		return cim.U16(3)
	case strings.HasPrefix(machine, "mips"):
		return cim.U16(1)
	}
	return cim.Value{}
}

// cpuDataWidth is what the processor can do: "lm" marks a 64-bit processor under a 32-bit kernel.
func cpuDataWidth(r *cpuRow) cim.Value {
	if isX86(r.p.machine()) && r.has("lm") {
		return cim.U16(64)
	}
	return cim.U16(addressWidth(r.p.machine()))
}

// clock is a frequency in MHz: that of cpufreq, which counts in kHz, or else the one of /proc/cpuinfo.
func (r *cpuRow) clock(file string) cim.Value {
	path := fmt.Sprintf("sys/devices/system/cpu/cpu%d/cpufreq/", r.first().Number)
	if khz, err := strconv.ParseUint(r.p.read(path+file), 10, 64); err == nil {
		return cim.U32(uint32(khz / 1000))
	}
	if mhz := r.first().MHz; mhz >= 1 {
		return cim.U32(uint32(mhz + 0.5))
	}
	return cim.Value{}
}

// cache is the size of all caches of one level in the package, in kilobytes.
func (r *cpuRow) cache(level string) cim.Value {
	total := uint64(0)
	for _, c := range r.p.caches(&r.socket) {
		if c.level == level {
			total += c.kilobytes
		}
	}
	if total == 0 {
		return cim.Value{}
	}
	return cim.U32(uint32(total))
}

// flags tells whether the processor has one of two features; NULL where the kernel lists none.
func (r *cpuRow) flags(a, b string) cim.Value {
	if len(r.first().Flags) == 0 || !isX86(r.p.machine()) {
		return cim.Value{}
	}
	return cim.Bool(r.has(a) || r.has(b))
}

func gatherProcessors(ctx context.Context, p *Provider, need uint32, q query, f func(*cpuRow) error) error {
	id, one := q.text("DeviceID")
	sockets := p.sockets()
	var loads map[int]float64
	if need&cpuLoad != 0 {
		loads = p.loads.measure(ctx, p)
	}
	var described []structure
	if need&cpuFirmware != 0 {
		described = p.populatedSockets()
	}
	for i, s := range sockets {
		r := &cpuRow{socket: s, p: p, index: i, load: -1}
		if one && !cim.EqualFold(id, "CPU"+strconv.Itoa(i)) {
			continue
		}
		if len(described) == len(sockets) {
			r.firmware = described[i]
		}
		if loads != nil {
			total, n := 0.0, 0
			for _, c := range s.cpus {
				if l, ok := loads[c.Number]; ok {
					total, n = total+l, n+1
				}
			}
			if n > 0 {
				r.load = total / float64(n)
			}
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}
