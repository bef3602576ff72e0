package firewall

// Names of the built-in groups, as netsh and the firewall's window show them.
const (
	GroupWinRM       = "Windows Remote Management"
	GroupWinRMCompat = "Windows Remote Management - Compatibility Mode (HTTP-In)"
	GroupWMI         = "Windows Management Instrumentation (WMI)"
)

// Builtin returns the rules that exist without any configuration. All are off. WinRM's
// rule for public networks lets only the local subnet in.
func Builtin() []Rule {
	svchost, unsecapp := `%systemroot%\system32\svchost.exe`, `%systemroot%\system32\wbem\unsecapp.exe`
	var out []Rule
	for _, t := range []struct{ id, name, group, port string }{
		{"WINRM-HTTP-In-TCP", "Windows Remote Management (HTTP-In)", GroupWinRM, "5985"},
		{"WINRM-HTTPS-In-TCP", "Windows Remote Management (HTTPS-In)", GroupWinRM, "5986"},
		{"WINRM-HTTP-Compat-In-TCP", GroupWinRMCompat, GroupWinRMCompat, "80"},
	} {
		r := Rule{ID: t.id + "-NoScope", Action: Allow, Dir: In, Protocol: 6, Profiles: Domain | Private,
			LocalPorts: []string{t.port}, Program: "System", Name: t.name, Group: t.group,
			Description: "Inbound WS-Management requests on TCP port " + t.port + "."}
		out = append(out, r)
		r.ID, r.Profiles, r.RemoteAddrs = t.id, Public, []string{"LocalSubnet"}
		out = append(out, r)
	}
	wmi := Rule{Action: Allow, Dir: In, Protocol: 6, Group: GroupWMI}
	for _, t := range []struct {
		id, name, program, service string
		dir                        Direction
		ports                      []string
	}{
		{"WMI-RPCSS-In-TCP", "Windows Management Instrumentation (DCOM-In)", svchost, "rpcss", In, []string{"135"}},
		{"WMI-WINMGMT-In-TCP", "Windows Management Instrumentation (WMI-In)", svchost, "winmgmt", In, nil},
		{"WMI-ASYNC-In-TCP", "Windows Management Instrumentation (ASync-In)", unsecapp, "", In, nil},
		{"WMI-WINMGMT-Out-TCP", "Windows Management Instrumentation (WMI-Out)", svchost, "winmgmt", Out, nil},
	} {
		r := wmi
		r.ID, r.Name, r.Program, r.Service, r.Dir, r.LocalPorts = t.id, t.name, t.program, t.service, t.dir, t.ports
		out = append(out, r)
	}
	return out
}
