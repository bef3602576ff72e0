package pool

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/providers/stdregprov"
	"github.com/casementhq/casement/registry"
)

// simulated is a Windows of one release as its classes show it: with the properties
// that it had then, and no more.
type simulated struct {
	caption, version string
	productType      string // "" is 3
	stack            string // of WinRM; "" has none, DCOM alone
	powerShell       string // of HKLM\SOFTWARE\Microsoft\PowerShell; "" is not installed
	framework        uint32 // Release; 0 is .NET 4.0, where dotNet4 is set
	dotNet4          bool
	fixes            []string
	restart          bool
	noRoles          bool
	noCounters       bool
	teams            []string // nil: no class of them
	desktop          string   // fDenyTSConnections; "" is not there
	cpu, free        string   // "" are 12 and 900000000
}

// opener is its object manager.
func (w simulated) opener(t testing.TB) cim.Opener {
	t.Helper()
	const ns = `root\cimv2`
	str, u32, u64, when := cim.String, cim.Uint32, cim.Uint64, cim.Datetime
	class := func(name string) *cim.ClassBuilder { return cim.NewClass(name, nil).Dynamic() }
	service := class("Win32_Service").Key("Name", str).Property("State", str).Property("StartMode", str)
	if strings.HasPrefix(w.version, "10.") {
		service.Property("DelayedAutoStart", cim.Boolean)
	}
	classes := map[string]*cim.Class{}
	for _, b := range []*cim.ClassBuilder{
		class("Win32_OperatingSystem").Key("Name", str).Property("Caption", str).Property("Version", str).Property("OSType", cim.Uint16).
			Property("ProductType", u32).Property("CSName", str).Property("LastBootUpTime", when).Property("LocalDateTime", when).
			Property("CurrentTimeZone", cim.Sint16).Property("TotalVisibleMemorySize", u64).Property("SerialNumber", str),
		class("Win32_ComputerSystem").Key("Name", str).Property("DNSHostName", str).Property("Domain", str).Property("PartOfDomain", cim.Boolean).
			Property("Model", str).Property("Manufacturer", str).Property("NumberOfLogicalProcessors", u32).Property("TotalPhysicalMemory", u64),
		service,
		class("Win32_LogicalDisk").Key("DeviceID", str).Property("VolumeName", str).Property("FileSystem", str).Property("DriveType", u32).
			Property("Size", u64).Property("FreeSpace", u64),
		class("Win32_NTLogEvent").Key("Logfile", str).Key("RecordNumber", u32).Property("EventType", cim.Uint8).Property("TimeGenerated", when).
			Property("SourceName", str).Property("EventCode", cim.Uint16),
		class("Win32_PerfFormattedData_PerfOS_Processor").Key("Name", str).Property("PercentProcessorTime", u64),
		class("Win32_PerfFormattedData_PerfOS_Memory").Key("Name", str).Property("AvailableBytes", u64),
		class("Win32_ServerFeature").Key("ID", u32).Property("ParentID", u32).Property("Name", str),
		class("Win32_NetworkAdapterConfiguration").Key("Index", u32).Property("IPEnabled", cim.Boolean).Property("IPAddress", cim.String|cim.ArrayFlag),
		class("Win32_QuickFixEngineering").Key("HotFixID", str).Property("InstalledOn", str),
	} {
		c := b.Build(ns)
		switch {
		case w.noRoles && c.Name == "Win32_ServerFeature", w.noCounters && strings.HasPrefix(c.Name, "Win32_Perf"):
		default:
			classes[c.Name] = c
		}
	}
	var list []*cim.Class
	if w.teams != nil {
		c := class("MSFT_NetLbfoTeam").Key("InstanceID", str).Property("Name", str).Build(`root\standardcimv2`)
		classes[c.Name] = c
	}
	for _, c := range classes {
		list = append(list, c)
	}
	p := static.New(list...)
	add := func(name string, values map[string]string) {
		t.Helper()
		c := classes[name]
		if c == nil {
			return
		}
		i := cim.NewInstance(c)
		for property, text := range values {
			v, err := cim.ParseValue(c.Properties[c.PropertyIndex(property)].Type, text)
			if err == nil {
				err = i.Set(property, v)
			}
			must(t, err)
		}
		must(t, p.Add(i))
	}
	now := time.Now()
	stamp := func(d time.Duration) string { return string(cim.AtTime(now.Add(d).UTC())) }
	add("Win32_OperatingSystem", map[string]string{"Name": w.caption, "Caption": w.caption, "Version": w.version, "OSType": "18", "ProductType": firstOf(w.productType, "3"),
		"CSName": "SIM", "LastBootUpTime": stamp(-48 * time.Hour), "LocalDateTime": stamp(0), "CurrentTimeZone": "540", "TotalVisibleMemorySize": "8000000", "SerialNumber": "00454-10000-00001-AA123"})
	add("Win32_ComputerSystem", map[string]string{"Name": "SIM", "DNSHostName": "sim", "Domain": "corp.example", "PartOfDomain": "true", "Model": "Virtual Machine",
		"Manufacturer": "Microsoft Corporation", "NumberOfLogicalProcessors": "4", "TotalPhysicalMemory": "8589934592"})
	for _, s := range [][3]string{{"Spooler", "Stopped", "Auto"}, {"W32Time", "Stopped", "Auto"}, {"EventLog", "Running", "Auto"}, {"RemoteRegistry", "Stopped", "Manual"}} {
		add("Win32_Service", map[string]string{"Name": s[0], "State": s[1], "StartMode": s[2]})
	}
	add("Win32_LogicalDisk", map[string]string{"DeviceID": "C:", "VolumeName": "OS", "FileSystem": "NTFS", "DriveType": "3", "Size": "100000000000", "FreeSpace": "40000000000"})
	add("Win32_LogicalDisk", map[string]string{"DeviceID": "D:", "DriveType": "5", "Size": "100", "FreeSpace": "0"})
	for n, e := range []struct {
		log, kind string
		age       time.Duration
	}{{"System", "1", time.Hour}, {"System", "2", 2 * time.Hour}, {"Application", "2", 3 * time.Hour}, {"Setup", "1", 4 * time.Hour},
		{"System", "1", 30 * time.Hour}, {"System", "3", time.Hour}, {"Security", "1", time.Hour}} {
		add("Win32_NTLogEvent", map[string]string{"Logfile": e.log, "RecordNumber": string(rune('1' + n)), "EventType": e.kind, "TimeGenerated": stamp(-e.age),
			"SourceName": "disk", "EventCode": "7"})
	}
	add("Win32_PerfFormattedData_PerfOS_Processor", map[string]string{"Name": "_Total", "PercentProcessorTime": firstOf(w.cpu, "12")})
	add("Win32_PerfFormattedData_PerfOS_Memory", map[string]string{"Name": "@", "AvailableBytes": firstOf(w.free, "900000000")})
	for _, r := range [][3]string{{"2", "0", "Web Server (IIS)"}, {"140", "2", "Web Server"}, {"36", "0", ".NET Framework 3.5.1 Features"}, {"220", "36", ".NET Framework 3.5.1"}} {
		add("Win32_ServerFeature", map[string]string{"ID": r[0], "ParentID": r[1], "Name": r[2]})
	}
	if c := classes["Win32_NetworkAdapterConfiguration"]; c != nil {
		i := cim.NewInstance(c)
		must(t, i.Set("Index", cim.U32(1)))
		must(t, i.Set("IPEnabled", cim.Bool(true)))
		must(t, i.Set("IPAddress", cim.Strs([]string{"10.0.4.14", "fe80::1", "fd00::414"})))
		must(t, p.Add(i))
	}
	for n, f := range w.fixes {
		add("Win32_QuickFixEngineering", map[string]string{"HotFixID": f, "InstalledOn": fmt.Sprintf("%d/9/2026", n+1)})
	}
	for _, name := range w.teams {
		add("MSFT_NetLbfoTeam", map[string]string{"InstanceID": name, "Name": name})
	}
	reg, err := stdregprov.New(stdregprov.Options{Hive: w.hive(t)})
	must(t, err)
	m := cimom.New(cimom.Options{Server: "SIM"})
	t.Cleanup(func() { m.Close() })
	must(t, m.Register(p))
	must(t, m.Register(reg))
	return m
}

// hive is its registry. W32Time has a trigger, as on Windows.
func (w simulated) hive(t testing.TB) *registry.Hive {
	h, err := registry.Open(filepath.Join(t.TempDir(), "hive.reg"), registry.Options{})
	must(t, err)
	t.Cleanup(func() { h.Close() })
	must(t, h.Update(func(tx *registry.Tx) error {
		const ms = `HKLM\SOFTWARE\Microsoft\`
		if err := tx.CreateKey(`HKLM\SYSTEM\CurrentControlSet\Services\W32Time\TriggerInfo\0`); err != nil {
			return err
		}
		if w.powerShell != "" {
			n := "3"
			if w.powerShell < "3" {
				n = "1"
			}
			if err := tx.Set(ms+`PowerShell\`+n+`\PowerShellEngine`, "PowerShellVersion", registry.SZ(w.powerShell)); err != nil {
				return err
			}
		}
		const full = ms + `NET Framework Setup\NDP\v4\Full`
		if w.dotNet4 {
			if err := tx.CreateKey(full); err != nil {
				return err
			}
		}
		if w.framework != 0 {
			if err := tx.Set(full, "Release", registry.DWORD(w.framework)); err != nil {
				return err
			}
		}
		if w.desktop != "" {
			if err := tx.Set(`HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server`, "fDenyTSConnections", registry.DWORD(uint32(w.desktop[0]-'0'))); err != nil {
				return err
			}
		}
		if w.restart {
			return tx.CreateKey(ms + `Windows\CurrentVersion\Component Based Servicing\RebootPending`)
		}
		return nil
	}))
	return h
}

// start serves it. Its entry says where it is; that of one without WinRM leads to a port
// where nothing listens.
func (w simulated) start(t testing.TB) (Server, signIn) {
	t.Helper()
	o := casementtest.Options{Opener: w.opener(t)}
	if w.stack != "" {
		o.Vendor, o.Product = "Microsoft Corporation", "OS: "+w.version+" SP: 1.0 Stack: "+w.stack
	}
	s := casementtest.New(t, o)
	entry, as := entryOf(t, s)
	if w.stack == "" {
		entry.Endpoint = "http://" + closedPort(t) + "/wsman"
	}
	return entry, as
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
