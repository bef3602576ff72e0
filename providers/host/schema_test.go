//go:build linux

package host

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/casementhq/casement/cim"
)

// The numbers of properties, the superclasses and the keys are those of the product documentation.
func TestClassesAreTheDocumentedOnes(t *testing.T) {
	for _, want := range []struct {
		class      string
		properties int
		derivation []string
		keys       []string
	}{
		{"Win32_OperatingSystem", 66, []string{"CIM_OperatingSystem", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, nil},
		{"Win32_ComputerSystem", 64, []string{"CIM_UnitaryComputerSystem", "CIM_ComputerSystem", "CIM_System", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"Win32_ComputerSystemProduct", 8, []string{"CIM_Product"}, []string{"IdentifyingNumber", "Name", "Version"}},
		{"Win32_BIOS", 31, []string{"CIM_BIOSElement", "CIM_SoftwareElement", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name", "SoftwareElementID", "SoftwareElementState", "TargetOperatingSystem", "Version"}},
		{"Win32_Processor", 57, []string{"CIM_Processor", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_Process", 45, []string{"CIM_Process", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Handle"}},
		{"Win32_Service", 26, []string{"Win32_BaseService", "CIM_Service", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"Win32_LogicalDisk", 40, []string{"CIM_LogicalDisk", "CIM_StorageExtent", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_NetworkAdapter", 40, []string{"CIM_NetworkAdapter", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_NetworkAdapterConfiguration", 61, []string{"CIM_Setting"}, []string{"Index"}},
		{"Win32_UserAccount", 16, []string{"Win32_Account", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Domain", "Name"}},
		{"Win32_Group", 9, []string{"Win32_Account", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Domain", "Name"}},
		{"Win32_GroupUser", 2, []string{"CIM_Component"}, []string{"GroupComponent", "PartComponent"}},
		{"Win32_DependentService", 3, []string{"CIM_ServiceServiceDependency", "CIM_Dependency"}, []string{"Antecedent", "Dependent"}},
		{"Win32_TimeZone", 24, []string{"CIM_Setting"}, []string{"StandardName"}},
		{"Win32_LocalTime", 10, []string{"Win32_CurrentTime"}, nil},
		{"CIM_DataFile", 33, []string{"CIM_LogicalFile", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"Win32_Directory", 31, []string{"CIM_Directory", "CIM_LogicalFile", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"CIM_DirectoryContainsFile", 2, []string{"CIM_Component"}, []string{"GroupComponent", "PartComponent"}},
		{"Win32_SubDirectory", 2, []string{"CIM_Component"}, []string{"GroupComponent", "PartComponent"}},
		{"Win32_LogonSession", 9, []string{"Win32_Session", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"LogonId"}},
		{"Win32_LoggedOnUser", 2, []string{"CIM_Dependency"}, []string{"Antecedent", "Dependent"}},
		{"Win32_Share", 10, []string{"CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"Win32_UserProfile", 29, []string{}, []string{"SID"}},
		{"Win32_StartupCommand", 8, []string{"CIM_Setting"}, []string{"Command", "Location", "Name", "User"}},
		{"Win32_ScheduledJob", 19, []string{"CIM_Job", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"JobId"}},
		{"Win32_Environment", 8, []string{"CIM_SystemResource", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name", "UserName"}},
		{"Win32_QuickFixEngineering", 11, []string{"CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"HotFixID", "ServicePackInEffect"}},
		{"Win32_ServerFeature", 3, []string{}, []string{"ID"}},
		{"Win32_OptionalFeature", 6, []string{"CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"SoftwareLicensingProduct", 44, []string{}, []string{"ID"}},
		{"Win32_SystemEnclosure", 37, []string{"CIM_Chassis", "CIM_PhysicalFrame", "CIM_PhysicalPackage", "CIM_PhysicalElement", "CIM_ManagedSystemElement"}, []string{"Tag"}},
		{"Win32_BaseBoard", 29, []string{"CIM_Card", "CIM_PhysicalPackage", "CIM_PhysicalElement", "CIM_ManagedSystemElement"}, []string{"Tag"}},
		{"Win32_PhysicalMemory", 36, []string{"CIM_PhysicalMemory", "CIM_Chip", "CIM_PhysicalComponent", "CIM_PhysicalElement", "CIM_ManagedSystemElement"}, []string{"Tag"}},
		{"Win32_PhysicalMemoryArray", 28, []string{"CIM_PhysicalPackage", "CIM_PhysicalElement", "CIM_ManagedSystemElement"}, []string{"Tag"}},
		{"Win32_CacheMemory", 53, []string{"CIM_CacheMemory", "CIM_Memory", "CIM_StorageExtent", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_Battery", 33, []string{"CIM_Battery", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_PnPEntity", 26, []string{"CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_VideoController", 59, []string{"CIM_PCVideoController", "CIM_VideoController", "CIM_Controller", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_SystemDriver", 22, []string{"Win32_BaseService", "CIM_Service", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"Win32_IP4RouteTable", 18, []string{"CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Destination", "InterfaceIndex", "Mask", "NextHop"}},
		{"Win32_PingStatus", 24, nil, []string{"Address", "BufferSize", "NoFragmentation", "RecordRoute", "ResolveAddressNames", "SourceRoute", "SourceRouteType",
			"TimeStampRoute", "TimeToLive", "Timeout", "TypeofService"}},
		{"MSFT_NetAdapter", 83, []string{"CIM_NetworkPort", "CIM_LogicalPort", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"},
			[]string{"CreationClassName", "DeviceID", "SystemCreationClassName", "SystemName"}},
		{"Win32_DiskDrive", 51, []string{"CIM_DiskDrive", "CIM_MediaAccessDevice", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_DiskPartition", 40, []string{"CIM_DiskPartition", "CIM_StorageExtent", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_MappedLogicalDisk", 38, []string{"CIM_LogicalDisk", "CIM_StorageExtent", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID", "SessionID"}},
		{"Win32_PageFileUsage", 9, []string{"CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"Win32_PageFileSetting", 6, []string{"CIM_Setting"}, []string{"Name"}},
		{"Win32_DiskDriveToDiskPartition", 2, []string{"CIM_MediaPresent", "CIM_Dependency"}, []string{"Antecedent", "Dependent"}},
		{"Win32_LogicalDiskToPartition", 4, []string{"CIM_LogicalDiskBasedOnPartition", "CIM_BasedOn", "CIM_Dependency"}, []string{"Antecedent", "Dependent"}},
		{"Win32_EncryptableVolume", 8, nil, []string{"DeviceID"}},
		{"Win32_PerfRawData", 9, []string{"Win32_Perf", "CIM_StatisticalInformation"}, nil},
		{"Win32_PerfFormattedData", 9, []string{"Win32_Perf", "CIM_StatisticalInformation"}, nil},
		{"Win32_PerfRawData_PerfDisk_LogicalDisk", 43, []string{"Win32_PerfRawData", "Win32_Perf", "CIM_StatisticalInformation"}, []string{"Name"}},
		{"Win32_PerfFormattedData_PerfOS_Processor", 24, []string{"Win32_PerfFormattedData", "Win32_Perf", "CIM_StatisticalInformation"}, []string{"Name"}},
		{"Win32_WMISetting", 27, []string{"CIM_Setting"}, nil},
		{"Win32_Printer", 86, []string{"CIM_Printer", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"DeviceID"}},
		{"Win32_NTLogEvent", 16, []string{}, []string{"Logfile", "RecordNumber"}},
		{"Win32_NTEventlogFile", 39, []string{"CIM_DataFile", "CIM_LogicalFile", "CIM_LogicalElement", "CIM_ManagedSystemElement"}, []string{"Name"}},
		{"Win32_ProcessStartup", 14, []string{"Win32_MethodParameterClass"}, nil},
	} {
		c := classNamed(want.class)
		if len(c.Properties) != want.properties {
			t.Errorf("%s has %d properties, want %d", c.Name, len(c.Properties), want.properties)
		}
		if !slices.Equal(c.Derivation, want.derivation) {
			t.Errorf("%s derives from %v", c.Name, c.Derivation)
		}
		var keys []string
		for _, k := range c.Keys() {
			keys = append(keys, c.Properties[k].Name)
		}
		slices.Sort(keys)
		if !slices.Equal(keys, want.keys) {
			t.Errorf("%s has the keys %v, want %v", c.Name, keys, want.keys)
		}
	}
}

func TestTypesUnitsAndQualifiers(t *testing.T) {
	for _, want := range []struct {
		class, property string
		typ             cim.Type
		units           string
	}{
		{"Win32_Process", "Handle", cim.String, ""},
		{"Win32_Process", "KernelModeTime", cim.Uint64, "100 nanoseconds"},
		{"Win32_Process", "PageFileUsage", cim.Uint32, "kilobytes"},
		{"Win32_Process", "WorkingSetSize", cim.Uint64, "bytes"},
		{"Win32_OperatingSystem", "FreePhysicalMemory", cim.Uint64, "kilobytes"},
		{"Win32_OperatingSystem", "CurrentTimeZone", cim.Sint16, "minutes"},
		{"Win32_ComputerSystem", "TotalPhysicalMemory", cim.Uint64, "bytes"},
		{"Win32_ComputerSystem", "Roles", cim.String.Array(), ""},
		{"Win32_Processor", "MaxClockSpeed", cim.Uint32, "megahertz"},
		{"Win32_NetworkAdapter", "Speed", cim.Uint64, "bits per second"},
		{"Win32_DiskDrive", "Size", cim.Uint64, "bytes"},
		{"Win32_DiskPartition", "StartingOffset", cim.Uint64, "bytes"},
		{"Win32_PageFileUsage", "CurrentUsage", cim.Uint32, "megabytes"},
		{"Win32_PageFileSetting", "MaximumSize", cim.Uint32, "megabytes"},
		{"Win32_PerfRawData", "Timestamp_Sys100NS", cim.Uint64, "100 nanoseconds"},
		{"Win32_TimeZone", "Bias", cim.Sint32, "minutes"},
		{"Win32_DependentService", "Antecedent", cim.Reference, ""},
	} {
		p := classNamed(want.class).Property(want.property)
		if p == nil || p.Type != want.typ || p.Qualifiers.Text("Units") != want.units {
			t.Errorf("%s.%s is %+v", want.class, want.property, p)
		}
	}
	if c := classNamed("Win32_GroupUser"); !c.IsAssociation() || c.Property("PartComponent").RefClass != "Win32_Account" {
		t.Error("Win32_GroupUser is no association of accounts")
	}
	if !classNamed("Win32_OperatingSystem").IsSingleton() || !classNamed("Win32_LocalTime").IsSingleton() {
		t.Error("a singleton is none")
	}
	for _, c := range slices.Concat(NewFiles(Options{}).Classes(), New(Options{}).Classes()) {
		provider := ProviderName
		if isFileClass(c) {
			provider = FilesProviderName
		}
		if c.IsA("__Event") || c.Name == settingClass { // events have no instances, and that one is stored
			continue
		}
		dynamic := c.Qualifiers.True("Dynamic")
		if v, ok := c.Qualifiers.Get("MappingStrings"); dynamic && (!ok || len(v.Elems()) == 0) {
			t.Errorf("%s does not say where its values come from", c.Name)
		}
		if dynamic == c.IsAbstract() || dynamic && c.Qualifiers.Text("Provider") != provider {
			t.Errorf("%s: dynamic %v, abstract %v, provider %q", c.Name, dynamic, c.IsAbstract(), c.Qualifiers.Text("Provider"))
		}
	}
}

func TestMethodDefinitions(t *testing.T) {
	m := classNamed("Win32_Process").Method("create")
	if m == nil || !m.Static || m.Return != cim.Uint32 || len(m.In) != 3 || len(m.Out) != 1 {
		t.Fatalf("Create is %+v", m)
	}
	if p := m.In[2]; p.Type != cim.Object || p.RefClass != "Win32_ProcessStartup" || p.Name != "ProcessStartupInformation" {
		t.Errorf("the third parameter is %+v", p)
	}
	for i, p := range append(slices.Clone(m.In), m.Out...) {
		if id, _ := p.Qualifiers.Get("ID"); id.String() != []string{"0", "1", "2", "3"}[i] {
			t.Errorf("parameter %s has ID %v", p.Name, id)
		}
	}
	for key := range methods {
		found := false
		for _, c := range schema() {
			for i := range c.Methods {
				if cim.Fold(c.Name+"."+c.Methods[i].Name) == key {
					found = c.Methods[i].Qualifiers.True("Implemented")
				}
			}
		}
		if !found {
			t.Errorf("%s is not declared as implemented", key)
		}
	}
	for _, c := range schema() {
		for i := range c.Methods {
			_, known := methods[cim.Fold(c.Name+"."+c.Methods[i].Name)]
			if c.Methods[i].Qualifiers.True("Implemented") && !known {
				t.Errorf("%s.%s is declared as implemented", c.Name, c.Methods[i].Name)
			}
		}
	}
}

// Every column is a property of its class, and gives values of its type on this machine.
func TestColumnsFitTheirClasses(t *testing.T) {
	p := New(Options{Services: newFakeServices()})
	for _, s := range platformSources {
		if _, measures := s.(*cooked); measures { // a second of a clock that does not wait
			synctest.Test(t, func(t *testing.T) { columnsFit(t, New(Options{}), s) })
			continue
		}
		columnsFit(t, p, s)
	}
	for _, s := range fileSources {
		columnsFit(t, NewFiles(Options{}), s)
	}
}

func columnsFit(t *testing.T, p *Provider, s source) {
	c := classNamed(s.className())
	seen := map[string]bool{}
	for _, n := range s.columnNames() {
		if c.PropertyIndex(n) < 0 || seen[n] {
			t.Errorf("%s.%s is no property, or comes twice", c.Name, n)
		}
		seen[n] = true
	}
	q := query{}
	if c.Name == "Win32_Processor" { // without the load, which takes a second
		q.wants = func(i int) bool { return c.Properties[i].Name != "LoadPercentage" }
	}
	switch c.Name { // which are refused without a bound
	case "CIM_DataFile", "Win32_Directory":
		q = fixed(map[string]cim.Value{"Path": cim.Str("/etc/")})
	case "CIM_DirectoryContainsFile", "Win32_SubDirectory":
		q = fixed(map[string]cim.Value{"GroupComponent": cim.Ref("Win32_Directory.Name='/etc'")})
	case "Win32_PingStatus": // which asks one address only
		q = fixed(map[string]cim.Value{"Address": cim.Str("no.such.host.invalid")})
	}
	err := s.list(context.Background(), p, c, q, func(i *cim.Instance) error {
		for n := range c.Properties {
			if got := i.At(n).Type(); got != c.Properties[n].Type {
				t.Errorf("%s.%s has a value of type %v, want %v", c.Name, c.Properties[n].Name, got, c.Properties[n].Type)
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
	}
}
