package service

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// rankedClasses are the classes that clients use most, by their rank in
// spec/wmi.md 8.2, with their keys; @ is a singleton, - a class of static
// methods alone, abstract one that has no instances of its own.
const rankedClasses = `
1  root\cimv2 Win32_OperatingSystem @
2  root\cimv2 Win32_ComputerSystem Name
3  root\cimv2 Win32_Process Handle
4  root\cimv2 Win32_Service Name
5  root\cimv2 Win32_Processor DeviceID
6  root\cimv2 Win32_NetworkAdapterConfiguration Index
7  root\cimv2 Win32_NetworkAdapter DeviceID
8  root\cimv2 Win32_LogicalDisk DeviceID
9  root\cimv2 Win32_DiskDrive DeviceID
10 root\cimv2 Win32_Volume DeviceID
11 root\cimv2 Win32_BIOS Name,SoftwareElementID,SoftwareElementState,TargetOperatingSystem,Version
12 root\cimv2 Win32_ComputerSystemProduct IdentifyingNumber,Name,Version
13 root\cimv2 Win32_SystemEnclosure Tag
14 root\default StdRegProv -
14 root\cimv2 StdRegProv -
15 root\cimv2 Win32_UserAccount Domain,Name
16 root\cimv2 Win32_Group Domain,Name
17 root\cimv2 Win32_GroupUser GroupComponent,PartComponent
18 root\cimv2 Win32_PageFileUsage Name
19 root\cimv2 Win32_PageFileSetting Name
20 root\cimv2 Win32_PerfFormattedData_PerfOS_Processor Name
20 root\cimv2 Win32_PerfRawData_PerfOS_Processor Name
21 root\cimv2 Win32_PerfFormattedData_PerfOS_Memory @
21 root\cimv2 Win32_PerfRawData_PerfOS_Memory @
22 root\cimv2 Win32_PerfFormattedData_PerfOS_System @
22 root\cimv2 Win32_PerfRawData_PerfOS_System @
23 root\cimv2 Win32_PerfFormattedData_PerfDisk_PhysicalDisk Name
23 root\cimv2 Win32_PerfRawData_PerfDisk_PhysicalDisk Name
24 root\cimv2 Win32_PerfFormattedData_PerfDisk_LogicalDisk Name
24 root\cimv2 Win32_PerfRawData_PerfDisk_LogicalDisk Name
25 root\cimv2 Win32_PerfFormattedData_PerfProc_Process Name
25 root\cimv2 Win32_PerfRawData_PerfProc_Process Name
26 root\cimv2 Win32_PerfFormattedData_Tcpip_NetworkInterface Name
26 root\cimv2 Win32_PerfRawData_Tcpip_NetworkInterface Name
27 root\cimv2 Win32_PerfFormattedData_Tcpip_TCPv4 @
27 root\cimv2 Win32_PerfRawData_Tcpip_TCPv4 @
28 root\cimv2 Win32_NTLogEvent Logfile,RecordNumber
29 root\cimv2 Win32_NTEventlogFile Name
30 root\cimv2 Win32_Product IdentifyingNumber,Name,Version
31 root\cimv2 Win32_QuickFixEngineering HotFixID,ServicePackInEffect
32 root\cimv2 Win32_Share Name
33 root\cimv2 Win32_PhysicalMemory Tag
34 root\cimv2 Win32_PhysicalMemoryArray Tag
35 root\cimv2 Win32_BaseBoard Tag
36 root\cimv2 Win32_DiskPartition DeviceID
37 root\cimv2 Win32_DiskDriveToDiskPartition Antecedent,Dependent
38 root\cimv2 Win32_LogicalDiskToPartition Antecedent,Dependent
39 root\cimv2 Win32_PnPEntity DeviceID
40 root\cimv2 Win32_PnPSignedDriver DeviceID
41 root\cimv2 Win32_VideoController DeviceID
42 root\cimv2\security\microsoftvolumeencryption Win32_EncryptableVolume DeviceID
43 root\standardcimv2 MSFT_NetAdapter CreationClassName,DeviceID,SystemCreationClassName,SystemName
44 root\cimv2 Win32_Printer DeviceID
45 root\cimv2 Win32_LogonSession LogonId
46 root\cimv2 Win32_LoggedOnUser Antecedent,Dependent
47 root\cimv2 Win32_UserProfile SID
48 root\cimv2 Win32_TimeZone StandardName
49 root\cimv2 Win32_LocalTime @
49 root\cimv2 Win32_UTCTime @
49 root\cimv2 Win32_CurrentTime abstract
50 root\cimv2 Win32_StartupCommand Command,Location,Name,User
51 root\cimv2 Win32_ScheduledJob JobId
52 root\cimv2 Win32_IP4RouteTable Destination,InterfaceIndex,Mask,NextHop
53 root\cimv2 Win32_PingStatus Address,BufferSize,NoFragmentation,RecordRoute,ResolveAddressNames,SourceRoute,SourceRouteType,TimeStampRoute,TimeToLive,Timeout,TypeofService
54 root\cimv2 CIM_DataFile Name
55 root\cimv2 Win32_Directory Name
56 root\cimv2 Win32_Environment Name,UserName
57 root\cimv2 Win32_DependentService Antecedent,Dependent
58 root\cimv2 Win32_SystemDriver Name
59 root\cimv2 Win32_MappedLogicalDisk DeviceID,SessionID
60 root\cimv2 Win32_CacheMemory DeviceID
61 root\cimv2 Win32_Battery DeviceID
62 root\cimv2 Win32_ServerFeature ID
62 root\cimv2 Win32_OptionalFeature Name
63 root\cimv2 SoftwareLicensingProduct ID
64 root\microsoft\windows\storage MSFT_PhysicalDisk ObjectId
64 root\microsoft\windows\storage MSFT_Volume ObjectId
64 root\microsoft\windows\storage MSFT_Disk ObjectId
65 root\cimv2 Win32_WMISetting @
65 root\cimv2 __Win32Provider Name
65 root\cimv2 Win32_Perf abstract
65 root\cimv2 Win32_PerfRawData abstract
65 root\cimv2 Win32_PerfFormattedData abstract
65 root\wmi MSAcpi_ThermalZoneTemperature InstanceName
66 root\standardcimv2 MSFT_NetFirewallRule CreationClassName,PolicyRuleName,SystemCreationClassName,SystemName
66 root\cimv2 ScriptingStandardConsumerSetting @
`

// Every class that clients use most is there with its keys, and every dynamic
// one says where its values come from and has a provider that serves it, which
// its namespace knows by name.
func TestRankedClasses(t *testing.T) {
	svc, err := New(at(t, filepath.Join(t.TempDir(), "state"), testTime()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	ranks := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(rankedClasses)) {
		f := strings.Fields(line)
		rank, namespace, name, want := f[0], f[1], f[2], f[3]
		ranks[rank] = true
		s, err := svc.objects.Open(t.Context(), system, namespace, cim.OpenOptions{})
		if err != nil {
			t.Errorf("%s %s: %v", rank, name, err)
			continue
		}
		c, err := s.GetClass(t.Context(), name, cim.GetOptions{})
		if err != nil {
			t.Errorf("%s: %v", rank, err)
			continue
		}
		var keys []string
		for _, n := range c.Keys() {
			keys = append(keys, c.Properties[n].Name)
		}
		slices.Sort(keys)
		got := strings.Join(keys, ",")
		switch {
		case c.IsSingleton():
			got = "@"
		case c.IsAbstract():
			got = "abstract"
		case got == "":
			got = "-"
		}
		if !strings.EqualFold(got, want) {
			t.Errorf("%s %s: its keys are %s, want %s", rank, name, got, want)
		}
		if !c.Qualifiers.True("Dynamic") || c.IsAbstract() {
			continue
		}
		if v, ok := c.Qualifiers.Get("MappingStrings"); !ok || len(v.Elems()) == 0 {
			t.Errorf("%s %s: nothing says where its values come from", rank, name)
		}
		provider := c.Qualifiers.Text("Provider")
		e, err := s.Query(t.Context(), `SELECT * FROM __Win32Provider WHERE Name='`+provider+`'`, cim.QueryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if list, err := cim.Collect(t.Context(), e); err != nil || len(list) != 1 {
			t.Errorf("%s %s: %d providers %q in %s, %v", rank, name, len(list), provider, namespace, err)
		}
		if want == "-" {
			continue
		}
		// it is refused at once where nobody lists instances of the class
		if e, err = s.Enumerate(t.Context(), name, cim.EnumerateOptions{}); err != nil {
			t.Errorf("%s %s: %v", rank, name, err)
		} else {
			e.Close()
		}
	}
	if len(ranks) != 66 {
		t.Errorf("%d ranks, want 64 and those without one", len(ranks))
	}
}

// ScriptingStandardConsumerSetting has its documented values until somebody
// changes them, and again when that is deleted: spec/wmi.md 5.4.
func TestScriptingSetting(t *testing.T) {
	svc, err := New(at(t, filepath.Join(t.TempDir(), "state"), testTime()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	s, err := svc.objects.Open(t.Context(), system, `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := cim.ObjectPath{Class: "ScriptingStandardConsumerSetting", Singleton: true}
	check := func(maximum string) *cim.Instance {
		t.Helper()
		i, err := s.Get(t.Context(), path, cim.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"MaximumScripts": maximum, "Timeout": "0", "SettingID": "ScriptingStandardConsumerSetting",
			"Caption": "Scripting Standard Consumer Setting", "Description": "Registration data common to all instances of the Scripting Standard Consumer"} {
			if got := i.Get(name).String(); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		e, err := s.Enumerate(t.Context(), path.Class, cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if list, err := cim.Collect(t.Context(), e); err != nil || len(list) != 1 || !list[0].Equal(i) {
			t.Errorf("listed: %v, %v", list, err)
		}
		return i
	}
	i := check("300")
	if err := i.Set("MaximumScripts", cim.U32(5)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), i, cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	check("5")
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	check("300")
}
