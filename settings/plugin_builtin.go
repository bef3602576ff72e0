package settings

// Security descriptors of the built-in plug-ins: Administrators and the group Remote
// Management Users, and for WMI interactive users too.
const (
	sddlShell = "O:NSG:BAD:P(A;;GA;;;BA)(A;;GA;;;RM)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)"
	sddlWMI   = "O:NSG:BAD:P(A;;GA;;;BA)(A;;GA;;;IU)(A;;GA;;;RM)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)"
)

const (
	wsman1     = "http://schemas.microsoft.com/wbem/wsman/1"
	powershell = "http://schemas.microsoft.com/powershell/"
)

// BuiltinPlugins returns the plug-ins that exist without any configuration. See
// [MS-WSMV] 2.2.4.22 and the plug-in list of Windows.
func BuiltinPlugins() []Plugin {
	list := []Plugin{
		wmiPlugin(),
		subscribePlugin("Event Forwarding Plugin", wsman1+"/windows/EventLog"),
		subscribePlugin("SEL Plugin", wsman1+"/logrecord/sel"),
		shellPlugin("microsoft.powershell", "64"),
		shellPlugin("microsoft.powershell32", "32"),
		shellPlugin("microsoft.powershell.workflow", "64"),
		shellPlugin("microsoft.powershell.workflow32", "32"),
		shellPlugin("microsoft.windows.servermanagerworkflows", "64"),
	}
	sm := &list[len(list)-1]
	sm.SDKVersion, sm.UseSharedProcess = 1, true
	sm.Quotas = &PluginQuotas{MaxConcurrentUsers: 5, MaxShells: 100, MaxProcessesPerShell: 45,
		MaxMemoryPerShellMB: 2000, MaxShellsPerUser: 25, MaxConcurrentCommandsPerShell: 5000}
	return list
}

func wmiPlugin() Plugin {
	frag := func(t string) Capability { return Capability{Type: t, SupportsFragment: true} }
	filter := func(t string) Capability { return Capability{Type: t, SupportsFiltering: true} }
	dmtf := "http://schemas.dmtf.org/wbem/wscim/1/"
	full := []Capability{{Type: "Identify"}, frag("Get"), frag("Put"), {Type: "Invoke"}, {Type: "Create"},
		{Type: "Delete"}, filter("Enumerate"), filter("Subscribe")}
	class := []Capability{frag("Get"), frag("Put"), {Type: "Invoke"}, {Type: "Create"}, {Type: "Delete"}, filter("Enumerate")}
	p := Plugin{Xmlns: NamespacePlugin, Name: "WMI Provider", Filename: `%systemroot%\system32\WsmWmiPl.dll`, SDKVersion: 1,
		XMLRenderingType: "text", UseSharedProcess: true,
		Resources: []Resource{
			{ResourceURI: wsman1 + "/wmi", SupportsOptions: true, Capabilities: full},
			{ResourceURI: dmtf + "cim-schema", SupportsOptions: true, Capabilities: class},
			{ResourceURI: dmtf + "*", SupportsOptions: true, ExactMatch: true,
				Capabilities: []Capability{filter("Enumerate"), filter("Subscribe")}},
			{ResourceURI: "http://schemas.dmtf.org/wbem/cim-xml/2/cim-schema/2/*", SupportsOptions: true, ExactMatch: true,
				Capabilities: []Capability{{Type: "Get"}, {Type: "Put"}, {Type: "Invoke"}, {Type: "Enumerate"}}},
		},
		Quotas: &PluginQuotas{MaxConcurrentUsers: 100, MaxConcurrentOperationsPerUser: 15, MaxConcurrentOperations: 1500},
	}
	for i := range p.Resources {
		p.Resources[i].secure(sddlWMI)
	}
	return p
}

func subscribePlugin(name, uri string) Plugin {
	p := Plugin{Xmlns: NamespacePlugin, Name: name, Filename: `%systemroot%\system32\wevtfwd.dll`, SDKVersion: 1,
		XMLRenderingType: "text", UseSharedProcess: true,
		Resources: []Resource{{ResourceURI: uri, SupportsOptions: true,
			Capabilities: []Capability{{Type: "Subscribe", SupportsFiltering: true}}}}}
	if name == "SEL Plugin" {
		p.Filename = `%systemroot%\system32\wsmselpl.dll`
	}
	return p
}

func shellPlugin(name, architecture string) Plugin {
	p := Plugin{Xmlns: NamespacePlugin, Name: name, Filename: `%windir%\system32\pwrshplugin.dll`, SDKVersion: 2,
		XMLRenderingType: "text", Architecture: architecture,
		Resources: []Resource{{ResourceURI: powershell + name, SupportsOptions: true, ExactMatch: true,
			Capabilities: []Capability{{Type: "Shell"}}}}}
	p.Resources[0].secure(sddlShell)
	return p
}

func (r *Resource) secure(sddl string) {
	r.Security = []PluginSecurity{{URI: r.ResourceURI, SDDL: sddl, ExactMatch: r.ExactMatch}}
}
