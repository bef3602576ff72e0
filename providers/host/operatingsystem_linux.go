package host

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/procs"
)

// What is read of the operating system only where it is wanted.
const (
	osMemory uint32 = 1 << iota
	osProcesses
	osUsers
	osBoot
	osInstall
	osDevices
)

type osRow struct {
	p         *Provider
	release   osRelease
	now       time.Time
	location  *time.Location
	memory    procs.Memory
	processes int // -1: unknown
	users     int // -1: unknown
	boot      time.Time
	installed time.Time
	rootDev   string
	bootDev   string
	locale    locale
}

type osColumn = column[osRow]

func osText(name string, get func(*osRow) string) osColumn {
	return osColumn{name: name, get: func(r *osRow) cim.Value { return strOrNull(get(r)) }}
}

func osKilobytes(name string, get func(*procs.Memory) *uint64) osColumn {
	return osColumn{name: name, need: osMemory, get: func(r *osRow) cim.Value { return kilobytes(get(&r.memory)) }}
}

func osTime(name string, need uint32, get func(*osRow) time.Time) osColumn {
	return osColumn{name: name, need: need, get: func(r *osRow) cim.Value { return timeOrNull(get(r), r.location) }}
}

var osTable = &table[osRow]{name: "Win32_OperatingSystem", gather: gatherOS, columns: []osColumn{
	{name: "CreationClassName", get: fixedStr[osRow]("Win32_OperatingSystem")},
	{name: "CSCreationClassName", get: fixedStr[osRow]("Win32_ComputerSystem")},
	osText("CSName", func(r *osRow) string { return r.p.hostName() }),
	osText("Name", func(r *osRow) string { return r.release.prettyName() }),
	osText("Caption", func(r *osRow) string { return r.release.prettyName() }),
	osText("Description", func(r *osRow) string { return assignments(r.p.read("etc/machine-info"))["PRETTY_HOSTNAME"] }),
	osText("Version", func(r *osRow) string { return r.p.osVersion(r.release) }),
	osText("BuildNumber", func(r *osRow) string { return r.p.kernelRelease() }),
	osText("BuildType", func(r *osRow) string { return r.p.read("proc/sys/kernel/version") }),
	osText("Manufacturer", func(r *osRow) string { return vendor(r.release) }),
	{name: "OSArchitecture", get: func(r *osRow) cim.Value {
		if addressWidth(r.p.machine()) == 64 {
			return cim.Str("64-bit")
		}
		return cim.Str("32-bit")
	}},
	{name: "OSType", get: fixedValue[osRow](cim.U16(36))}, // LINUX
	{name: "ProductType", get: productType},
	{name: "Primary", get: fixedValue[osRow](cim.Bool(true))},
	{name: "Distributed", get: fixedValue[osRow](cim.Bool(false))},
	{name: "Status", get: fixedStr[osRow]("OK")},
	{name: "SystemDrive", get: fixedStr[osRow]("/")},
	{name: "SystemDevice", need: osDevices, get: func(r *osRow) cim.Value { return strOrNull(r.rootDev) }},
	{name: "BootDevice", need: osDevices, get: func(r *osRow) cim.Value { return strOrNull(r.bootDev) }},
	osTime("InstallDate", osInstall, func(r *osRow) time.Time { return r.installed }),
	osTime("LastBootUpTime", osBoot, func(r *osRow) time.Time { return r.boot }),
	osTime("LocalDateTime", 0, func(r *osRow) time.Time { return r.now }),
	{name: "CurrentTimeZone", get: func(r *osRow) cim.Value { return zoneMinutes(r.now, r.location) }},
	osKilobytes("TotalVisibleMemorySize", func(m *procs.Memory) *uint64 { return m.Total }),
	osKilobytes("FreePhysicalMemory", func(m *procs.Memory) *uint64 { return m.Available }),
	osKilobytes("TotalVirtualMemorySize", func(m *procs.Memory) *uint64 { return sum(m.Total, m.SwapTotal) }),
	osKilobytes("FreeVirtualMemory", func(m *procs.Memory) *uint64 { return sum(m.Available, m.SwapFree) }),
	osKilobytes("SizeStoredInPagingFiles", func(m *procs.Memory) *uint64 { return m.SwapTotal }),
	osKilobytes("FreeSpaceInPagingFiles", func(m *procs.Memory) *uint64 { return m.SwapFree }),
	{name: "MaxNumberOfProcesses", get: func(r *osRow) cim.Value { return number(cim.Uint32, r.p.read("proc/sys/kernel/pid_max")) }},
	{name: "MaxProcessMemorySize", get: func(*osRow) cim.Value {
		if runtime.GOARCH != "amd64" {
			return cim.Value{}
		}
		return cim.U64(1<<37 - 4) // 47 bits of addresses without the last page
	}},
	{name: "NumberOfProcesses", need: osProcesses, get: func(r *osRow) cim.Value { return countOrNull(r.processes) }},
	{name: "NumberOfUsers", need: osUsers, get: func(r *osRow) cim.Value { return countOrNull(r.users) }},
	{name: "OSLanguage", get: func(r *osRow) cim.Value { return r.locale.lcid() }},
	{name: "Locale", get: func(r *osRow) cim.Value { return r.locale.hex() }},
	{name: "MUILanguages", get: func(r *osRow) cim.Value { return strsOrNull(r.locale.tags()) }},
	{name: "CodeSet", get: func(r *osRow) cim.Value { return r.locale.codePage() }},
}}

// productType is 1 for a workstation and 3 for a server, where the distribution says which it is.
func productType(r *osRow) cim.Value {
	switch r.release["VARIANT_ID"] {
	case "workstation", "desktop":
		return cim.U32(1)
	case "server":
		return cim.U32(3)
	}
	return cim.Value{}
}

// vendor is who makes the distribution.
func vendor(r osRelease) string {
	if v := r["VENDOR_NAME"]; v != "" {
		return v
	}
	return strings.TrimSuffix(r["NAME"], " Linux")
}

func countOrNull(n int) cim.Value {
	if n < 0 {
		return cim.Value{}
	}
	return cim.U32(uint32(n))
}

// zoneMinutes is the offset of local time from UTC in minutes.
func zoneMinutes(now time.Time, l *time.Location) cim.Value {
	_, offset := now.In(l).Zone()
	return cim.S16(int16(offset / 60))
}

func gatherOS(_ context.Context, p *Provider, need uint32, _ query, f func(*osRow) error) error {
	r := &osRow{p: p, release: p.osRelease(), now: p.now(), location: p.location(), processes: -1, users: -1, locale: p.locale()}
	if need&osMemory != 0 {
		r.memory = p.memory()
	}
	if t, err := p.openProcs(); err == nil {
		if need&osProcesses != 0 {
			if pids, err := t.PIDs(); err == nil {
				r.processes = len(pids)
			}
		}
		if need&osBoot != 0 {
			r.boot, _ = t.BootTime()
		}
	}
	if need&osUsers != 0 {
		r.users = p.sessionCount()
	}
	if need&osInstall != 0 {
		r.installed = p.installed()
	}
	if need&osDevices != 0 {
		r.rootDev, r.bootDev = p.bootDevices()
	}
	return f(r)
}

// installed is when the machine id was made, which is when the system was first set up; zero where the file system
// does not keep the time of birth.
func (p *Provider) installed() time.Time {
	for _, path := range []string{"etc/machine-id", "."} {
		if t, ok := birthTime(filepath.Join(p.root, path)); ok {
			return t
		}
	}
	return time.Time{}
}
