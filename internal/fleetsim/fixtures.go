package fleetsim

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/host"
)

// osVersion is what every host tells of its system.
const osVersion = "10.0.20348"

// objects are what all hosts answer from.
type objects struct {
	*cimom.Manager

	provider *provider
}

// newObjects is the object manager of all hosts: the classes of providers/host,
// with made-up instances.
func newObjects(log *slog.Logger) (*objects, error) {
	p := &provider{instances: map[string][]*cim.Instance{}, states: map[string]string{}, held: map[string]bool{}, stops: map[string]int{}, logged: map[string][]*cim.Instance{}, has: map[*cim.Instance]func(Kind) bool{}}
	taken := map[string]bool{}
	for _, of := range []cimom.Provider{host.NewFiles(host.Options{}), host.New(host.Options{})} {
		for _, c := range of.Classes() {
			if key := cim.Fold(c.Namespace + ":" + c.Name); !taken[key] {
				taken[key] = true
				p.classes = append(p.classes, c)
			}
		}
	}
	if err := p.fill(); err != nil {
		return nil, err
	}
	m := cimom.New(cimom.Options{Logger: log})
	if err := m.Register(p); err != nil {
		_ = m.Close()
		return nil, err
	}
	return &objects{m, p}, nil
}

// provider lists the made-up instances, under the name of the host that is asked.
type provider struct {
	classes   []*cim.Class
	instances map[string][]*cim.Instance        // by folded class name
	has       map[*cim.Instance]func(Kind) bool // the hosts that have one; nil: all

	mu     sync.Mutex
	states map[string]string          // of services that are not as all hosts have them: HOST00001/Spooler
	held   map[string]bool            // hosts that answer nothing that their services are told
	stops  map[string]int             // how often a service was told to stop: HOST00001/Spooler
	logged map[string][]*cim.Instance // events of hosts that happened since they began
}

func (p *provider) Classes() []*cim.Class { return p.classes }

// named are the properties that hold the name of the host.
var named = map[string][]string{
	cim.Fold("Win32_OperatingSystem"): {"CSName"},
	cim.Fold("Win32_ComputerSystem"):  {"Name", "DNSHostName", "Caption"},
	cim.Fold("Win32_Service"):         {"SystemName"},
	cim.Fold("Win32_LogicalDisk"):     {"SystemName"},
	cim.Fold("Win32_NTLogEvent"):      {"ComputerName"},
}

// List yields the instances of one host. Those of a flooding host do not end.
func (p *provider) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	class := cim.Fold(r.Class.Name)
	name, kind := contextValue(r, contextHost), Kind(contextValue(r, contextKind))
	for round := 0; ; round++ {
		for _, i := range p.of(name, class) {
			if has := p.has[i]; has != nil && !has(kind) {
				continue
			}
			i = i.Clone()
			for _, property := range named[class] {
				if err := i.Set(property, cim.Str(name)); err != nil {
					return err
				}
			}
			if err := p.now(name, i); err != nil {
				return err
			}
			if err := yield(i); err != nil {
				return err
			}
		}
		if kind != Flooding || len(p.instances[class]) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// of are the instances of a class that a host has or may have.
func (p *provider) of(name, class string) []*cim.Instance {
	list := p.instances[class]
	if class != cim.Fold(eventClass) {
		return list
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(slices.Clone(list), p.logged[name]...)
}

const eventClass = "Win32_NTLogEvent"

// log writes an error into the log of a host.
func (p *provider) log(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	class := p.instances[cim.Fold(eventClass)][0].Class()
	i := cim.NewInstance(class)
	for property, text := range (values{"Logfile": "System", "RecordNumber": fmt.Sprint(5000 + len(p.logged[name])), "EventCode": "41", "EventType": "1", "SourceName": "Kernel-Power",
		"Message": "The system has rebooted without cleanly shutting down first.", "TimeGenerated": stamp(0)}) {
		value, err := cim.ParseValue(i.Get(property).Type(), text)
		if err == nil {
			err = i.Set(property, value)
		}
		if err != nil {
			return err
		}
	}
	p.logged[name] = append(p.logged[name], i)
	return nil
}

func contextValue(r *cimom.Request, name string) string {
	for _, v := range r.Context {
		if v.Name == name {
			text, _ := v.Value.Str()
			return text
		}
	}
	return ""
}

// values are properties of an instance, as text that is converted to their types.
type values map[string]string

func (p *provider) add(class string, v values) error {
	for _, c := range p.classes {
		if !cim.EqualFold(c.Name, class) {
			continue
		}
		i := cim.NewInstance(c)
		for name, text := range v {
			value, err := cim.ParseValue(i.Get(name).Type(), text)
			if err == nil {
				err = i.Set(name, value)
			}
			if err != nil {
				return fmt.Errorf("%s.%s: %w", class, name, err)
			}
		}
		key := cim.Fold(class)
		p.instances[key] = append(p.instances[key], i)
		return nil
	}
	return fmt.Errorf("there is no class %s on this system", class)
}

// addTo adds an instance to the hosts of some kinds.
func (p *provider) addTo(has func(Kind) bool, class string, v values) error {
	if err := p.add(class, v); err != nil {
		return err
	}
	list := p.instances[cim.Fold(class)]
	p.has[list[len(list)-1]] = has
	return nil
}

// services, disks and events of one host.
const (
	services = 60
	events   = 20
)

// stamp is the time a while ago, as text.
func stamp(ago time.Duration) string {
	return string(cim.Time(cim.AtTime(time.Now().Add(-ago))).AppendText(nil))
}

// fill makes the instances of one host.
func (p *provider) fill() error {
	booted := stamp(36 * time.Hour)
	list := []struct {
		class string
		values
	}{
		{"Win32_OperatingSystem", values{"Caption": "Simulated Server", "Version": osVersion, "BuildNumber": "20348", "ProductType": "3",
			"LastBootUpTime": booted, "LocalDateTime": stamp(0), "TotalVisibleMemorySize": "16777216",
			"FreePhysicalMemory": "8388608", "OSArchitecture": "64-bit", "CurrentTimeZone": "60"}},
		{"Win32_ComputerSystem", values{"Domain": "WORKGROUP", "PartOfDomain": "false", "Manufacturer": "Casement", "Model": "Simulated",
			"TotalPhysicalMemory": "17179869184", "NumberOfLogicalProcessors": "4", "NumberOfProcessors": "1", "DomainRole": "2"}},
		{"Win32_LogicalDisk", values{"DeviceID": "D:", "DriveType": "3", "FileSystem": "NTFS", "Size": "536870912000", "FreeSpace": "268435456000", "VolumeName": "Data"}},
		{"Win32_PerfFormattedData_PerfOS_Processor", values{"Name": "_Total", "PercentProcessorTime": "12", "PercentIdleTime": "88"}},
		{"Win32_PerfFormattedData_PerfOS_Memory", values{"AvailableBytes": "8589934592", "AvailableMBytes": "8192"}},
		{"Win32_ServerFeature", values{"ID": "2", "ParentID": "0", "Name": "Web Server"}},
		{"Win32_ServerFeature", values{"ID": "481", "ParentID": "0", "Name": "File and Storage Services"}},
	}
	for _, i := range list {
		if err := p.add(i.class, i.values); err != nil {
			return err
		}
	}
	for free, has := range map[string]func(Kind) bool{"64424509440": func(k Kind) bool { return k != Full }, "4294967296": func(k Kind) bool { return k == Full }} {
		if err := p.addTo(has, "Win32_LogicalDisk", values{"DeviceID": "C:", "DriveType": "3", "FileSystem": "NTFS", "Size": "107374182400", "FreeSpace": free, "VolumeName": "System"}); err != nil {
			return err
		}
	}
	for n, e := range []values{
		{"SourceName": "disk", "EventCode": "7", "Message": `The device, \Device\Harddisk0\DR0, has a bad block.`},
		{"SourceName": "disk", "EventCode": "7", "Message": `The device, \Device\Harddisk0\DR0, has a bad block.`},
		{"SourceName": "disk", "EventCode": "7", "Message": `The device, \Device\Harddisk0\DR0, has a bad block.`},
		{"SourceName": "Ntfs", "EventCode": "55", "Message": "The file system structure on volume C: cannot be used."},
	} {
		e["Logfile"], e["RecordNumber"], e["EventType"], e["TimeGenerated"] = "System", fmt.Sprint(1000+n), "1", stamp(time.Duration(n)*time.Minute)
		if err := p.addTo(func(k Kind) bool { return k == Failing }, "Win32_NTLogEvent", e); err != nil {
			return err
		}
	}
	for _, service := range []string{dependent} {
		reference := func(name string) string { return `Win32_Service.Name="` + name + `"` }
		if err := p.add("Win32_DependentService", values{"Antecedent": reference(antecedents[service]), "Dependent": reference(service)}); err != nil {
			return err
		}
	}
	for n := range services {
		state, mode, started := "Running", "Auto", "true"
		if n%3 == 0 {
			state, mode, started = "Stopped", "Manual", "false"
		}
		name := fmt.Sprintf("service%02d", n+1)
		if known, ok := namedServices[n]; ok {
			name = known
		}
		if name == dependent {
			mode = "Manual"
		}
		if err := p.add("Win32_Service", values{"Name": name, "DisplayName": fmt.Sprintf("Service %d", n+1),
			"State": state, "StartMode": mode, "Started": started, "Status": "OK"}); err != nil {
			return err
		}
	}
	for n := range events {
		if err := p.add("Win32_NTLogEvent", values{"Logfile": "System", "RecordNumber": fmt.Sprint(n + 1), "EventCode": "7036", "EventType": fmt.Sprint(n%3 + 1),
			"SourceName": "Service Control Manager", "Message": fmt.Sprintf("Event %d", n+1),
			"TimeGenerated": stamp(time.Duration(n) * time.Hour)}); err != nil {
			return err
		}
	}
	return nil
}
