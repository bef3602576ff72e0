package pool

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Each release of Windows Server, with what it needs and without: the state, the part that
// is named as missing, the transport, and whether data came all the same. Rows 3.03 to
// 3.10, 3.18 and 3.20; the texts are those of spec/winrm.md 9.
func TestReleases(t *testing.T) {
	for name, c := range map[string]struct {
		host      simulated
		state     State
		reason    string // a part of it
		transport Transport
		why       string // a part of why DCOM
		counters  string // a part of why there are none
	}{
		"2022": {simulated{caption: "Microsoft Windows Server 2022 Standard", version: "10.0.20348", stack: "3.0"}, "Online", "", WinRM, "", ""},
		"2012 R2 with all": {simulated{caption: "Microsoft Windows Server 2012 R2", version: "6.3.9600", stack: "3.0", powerShell: "5.0.10586.117", framework: 393295},
			"Online", "", WinRM, "", ""},
		"2012 R2 as it came": {simulated{caption: "Microsoft Windows Server 2012 R2", version: "6.3.9600", stack: "3.0", powerShell: "4.0", framework: 378675},
			"Not accessible", "missing: .NET Framework 4.6, Windows Management Framework 5.0", WinRM, "", ""},
		"2012 without WMF 5.0": {simulated{caption: "Microsoft Windows Server 2012", version: "6.2.9200", stack: "3.0", powerShell: "3.0", framework: 393297},
			"Not accessible", "missing: Windows Management Framework 5.0", WinRM, "", ""},
		"2008 R2 with all": {simulated{caption: "Microsoft Windows Server 2008 R2", version: "6.1.7601", stack: "3.0", powerShell: "4.0", framework: 378389, fixes: []string{"KB2682011"}},
			"Online", "", WinRM, "", ""},
		"2008 R2 without KB2682011": {simulated{caption: "Microsoft Windows Server 2008 R2", version: "6.1.7601", stack: "3.0", powerShell: "4.0", framework: 378389},
			"Online - Performance counters not started", "KB2682011", WinRM, "", "not available: the update KB2682011"},
		"2008 R2 with WMF 3.0": {simulated{caption: "Microsoft Windows Server 2008 R2", version: "6.1.7601", stack: "3.0", powerShell: "3.0", framework: 378389, fixes: []string{"KB2682011"}},
			"Not accessible", "missing: Windows Management Framework 4.0", WinRM, "", ""},
		"2008 R2 as it came": {simulated{caption: "Microsoft Windows Server 2008 R2", version: "6.1.7601", stack: "2.0", powerShell: "2.0"},
			"Not accessible", "missing: .NET Framework 4.5, Windows Management Framework 4.0", DCOM, "Windows Server 2008 R2 has WinRM 2.0", "KB2682011"},
		"2008 with all": {simulated{caption: "Microsoft Windows Server 2008", version: "6.0.6002", stack: "3.0", powerShell: "3.0", dotNet4: true, fixes: []string{"KB2682011"}},
			"Online", "", WinRM, "", ""},
		"2008 with WinRM 1.1": {simulated{caption: "Microsoft Windows Server 2008", version: "6.0.6002", stack: "1.1", dotNet4: true},
			"Not accessible - Verify earlier versions run Windows Management Framework 3.0", "missing: Windows Management Framework 3.0", DCOM, "has WinRM 1.1", "KB2682011"},
		"2008 without WinRM": {simulated{caption: "Microsoft Windows Server 2008", version: "6.0.6002"},
			"Not accessible - Verify earlier versions run Windows Management Framework 3.0", "missing: .NET Framework 4, Windows Management Framework 3.0", DCOM,
			"does not answer over WinRM", "KB2682011"},
		"2003": {simulated{caption: "Microsoft(R) Windows(R) Server 2003", version: "5.2.3790"},
			"Online", "no more than whether it is online", DCOM, "Windows Server 2003 does not answer over WinRM", ""},
		"client": {simulated{caption: "Microsoft Windows 11 Pro", version: "10.0.22631", productType: "1", stack: "3.0"},
			"Not manageable - client operating system", "Microsoft Windows 11 Pro is a client operating system", WinRM, "", ""},
		"restart":  {simulated{caption: "Microsoft Windows Server 2022 Standard", version: "10.0.20348", stack: "3.0", restart: true}, "Online - Restart pending", "restart", WinRM, "", ""},
		"no roles": {simulated{caption: "Microsoft Windows Server 2022 Standard", version: "10.0.20348", stack: "3.0", noRoles: true}, "Online - Cannot get role and feature data", "Roles and features: ", WinRM, "", ""},
		"no counters": {simulated{caption: "Microsoft Windows Server 2022 Standard", version: "10.0.20348", stack: "3.0", noCounters: true},
			"Online - Performance counters not started", "not started", WinRM, "", "not started"},
	} {
		t.Run(name, func(t *testing.T) {
			entry, as := c.host.start(t)
			g := newTestGatherer(t, gatherOptions{})
			got := g.refresh(t.Context(), entry, as, Snapshot{}, asking{full: true})
			if got.State != c.state || !strings.Contains(got.Reason, c.reason) || got.Transport != c.transport {
				t.Errorf("%q because %q over %s", got.State, got.Reason, got.Transport)
			}
			if (c.why == "") != (got.WhyDCOM == "") || !strings.Contains(got.WhyDCOM, c.why) {
				t.Errorf("DCOM because %q, want %q", got.WhyDCOM, c.why)
			}
			only := name == "2003" || name == "client"
			if got.Facts == nil || got.Facts.OS != c.host.caption || got.Contact.IsZero() || (got.Services == nil) != only {
				t.Errorf("the data is missing: %+v, failures %+v", got.Facts, got.Failures)
			}
			if only {
				return
			}
			missing := ""
			if got.Counters != nil {
				missing = got.Counters.Missing
			}
			if (c.counters == "") != (missing == "") || !strings.Contains(missing, c.counters) {
				t.Errorf("no counters because %q, want %q", missing, c.counters)
			}
		})
	}
}

// What is read of a simulated Windows Server 2022, value by value.
func TestFullRefresh(t *testing.T) {
	entry, as := simulated{caption: "Microsoft Windows Server 2022 Standard", version: "10.0.20348", stack: "3.0", cpu: "91"}.start(t)
	for _, transport := range []Transport{WinRM, DCOM} {
		t.Run(string(transport), func(t *testing.T) {
			entry := entry
			entry.Transport = transport
			g := newTestGatherer(t, gatherOptions{})
			s := g.refresh(t.Context(), entry, as, Snapshot{}, asking{full: true})
			if len(s.Failures) > 0 || s.Facts == nil || s.Services == nil || s.Events == nil || s.Counters == nil || s.Counters.CPU == nil || s.Counters.Available == nil {
				t.Fatalf("%+v", s)
			}
			f := s.Facts
			if f.ComputerName != "sim" || f.Domain != "corp.example" || !f.InDomain || !f.Windows || f.ProductType != 3 || f.Model != "Virtual Machine" ||
				f.Processors != 4 || f.Memory != 8<<30 || f.TimeZone != "UTC+09:00" || f.RestartPending == nil || *f.RestartPending {
				t.Errorf("facts are %+v", f)
			}
			if !slices.Equal(f.Addresses, []string{"10.0.4.14", "fd00::414"}) {
				t.Errorf("addresses are %v", f.Addresses)
			}
			// W32Time is Automatic and stands, and has a trigger; RemoteRegistry is Manual.
			if s.Services.Total != 4 || s.Services.Running != 1 || !slices.Equal(s.Services.Stopped, []string{"Spooler"}) {
				t.Errorf("services are %+v", s.Services)
			}
			// Not: older than a day, information, and the log Security.
			if s.Events.Errors != 2 || s.Events.Warnings != 2 || s.Events.Critical != nil || s.Events.More {
				t.Errorf("events are %+v", s.Events)
			}
			if k := s.Events.Kinds; len(k) != 4 || s.Events.KindsMore || !k[0].Error || k[0].Log != "System" || k[0].Source != "disk" || k[0].ID != 7 || k[0].Count != 1 ||
				time.Since(k[0].Newest) < time.Hour || time.Since(k[0].Newest) > 2*time.Hour || k[1].Log != "Setup" || k[2].Log != "System" || k[2].Error || k[3].Log != "Application" {
				t.Errorf("kinds of events are %+v", k)
			}
			if len(s.Disks) != 1 || s.Disks[0] != (Disk{Name: "C:", Label: "OS", FileSystem: "NTFS", Size: 100e9, Free: 40e9}) {
				t.Errorf("disks are %+v", s.Disks)
			}
			if *s.Counters.CPU != 91 || *s.Counters.Available != 900e6 {
				t.Errorf("counters are %v, %v", *s.Counters.CPU, *s.Counters.Available)
			}
			kinds := map[string]string{}
			for _, r := range s.Roles {
				kinds[r.Name] = r.Type
			}
			if len(kinds) != 4 || kinds["Web Server (IIS)"] != "Role" || kinds["Web Server"] != "Role Service" ||
				kinds[".NET Framework 3.5.1 Features"] != "Feature" || kinds[".NET Framework 3.5.1"] != "Feature" {
				t.Errorf("roles are %v", kinds)
			}
			var alerts []string
			for _, a := range s.Alerts {
				alerts = append(alerts, a.Resource)
			}
			slices.Sort(alerts)
			if !slices.Equal(alerts, []string{"CPU", "Service Spooler"}) || s.State != Online || s.Level != LevelAttention || s.Reason != "CPU: 91 %; Service Spooler: stopped" {
				t.Errorf("%s %s %q, alerts %v", s.State, s.Level, s.Reason, alerts)
			}
		})
	}
}

// What the Local Server page shows beside the facts, from a host that has it and from
// one that does not: spec/console.md 2.1.
func TestProperties(t *testing.T) {
	const full, release = "Microsoft Windows Server 2022 Standard", "10.0.20348"
	on, off := true, false
	for name, k := range map[string]struct {
		host            simulated
		desktop, teamed *bool
		update          string
	}{
		"all":     {simulated{caption: full, version: release, stack: "3.0", desktop: "0", teams: []string{"Team 1"}, fixes: []string{"KB1", "KB2"}}, &on, &on, "2026-02-09"},
		"none":    {simulated{caption: full, version: release, stack: "3.0", desktop: "1", teams: []string{}}, &off, &off, "0001-01-01"},
		"unknown": {simulated{caption: full, version: release, stack: "3.0"}, nil, nil, "0001-01-01"},
		"older":   {simulated{caption: "Microsoft Windows Server 2008 R2 Standard", version: "6.1.7601", stack: "3.0", powerShell: "4.0", framework: 378389, dotNet4: true, desktop: "0", teams: []string{"Team 1"}}, &on, nil, "0001-01-01"},
	} {
		entry, as := k.host.start(t)
		s := newTestGatherer(t, gatherOptions{}).refresh(t.Context(), entry, as, Snapshot{}, asking{full: true})
		if len(s.Failures) > 0 || s.Facts == nil {
			t.Errorf("%s: %+v", name, s)
			continue
		}
		f := s.Facts
		if f.ProductID != "00454-10000-00001-AA123" || !sameFlag(f.RemoteDesktop, k.desktop) || !sameFlag(f.Teaming, k.teamed) || f.LastUpdate.Format(time.DateOnly) != k.update {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func sameFlag(a, b *bool) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
