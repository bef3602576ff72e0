package firewall

import (
	"slices"
	"strings"
)

// Names of the built-in groups, as netsh and the firewall's window show them.
const (
	GroupWinRM       = "Windows Remote Management"
	GroupWinRMCompat = "Windows Remote Management - Compatibility Mode (HTTP-In)"
	GroupWMI         = "Windows Management Instrumentation (WMI)"
	GroupCOM         = "COM+ Network Access"
	GroupEventLog    = "Remote Event Log Management"
)

// The programs of Windows whose parts this machine has.
const (
	ProgramSystem   = "System" // the kernel, which has the listeners of WinRM
	ProgramSvchost  = `%systemroot%\system32\svchost.exe`
	ProgramUnsecapp = `%systemroot%\system32\wbem\unsecapp.exe`
)

// The services within svchost.exe that this machine has.
const (
	ServiceRPC = "rpcss"   // endpoint mapper, object resolver and activator
	ServiceWMI = "winmgmt" // WMI
)

// Builtin returns the rules that exist without any configuration. All are off. WinRM's
// rule for public networks lets only the local subnet in.
func Builtin() []Rule {
	var out []Rule
	for _, t := range []struct{ id, name, group, port string }{
		{"WINRM-HTTP-In-TCP", "Windows Remote Management (HTTP-In)", GroupWinRM, "5985"},
		{"WINRM-HTTPS-In-TCP", "Windows Remote Management (HTTPS-In)", GroupWinRM, "5986"},
		{"WINRM-HTTP-Compat-In-TCP", GroupWinRMCompat, GroupWinRMCompat, "80"},
	} {
		r := Rule{ID: t.id + "-NoScope", Action: Allow, Dir: In, Protocol: 6, Profiles: Domain | Private,
			LocalPorts: []string{t.port}, Program: ProgramSystem, Name: t.name, Group: t.group,
			Description: "Inbound WS-Management requests on TCP port " + t.port + "."}
		out = append(out, r)
		r.ID, r.Profiles, r.RemoteAddrs = t.id, Public, []string{"LocalSubnet"}
		out = append(out, r)
	}
	for _, t := range []struct {
		id, name, group, program, service string
		dir                               Direction
		port, about                       string
	}{
		{"WMI-RPCSS-In-TCP", "Windows Management Instrumentation (DCOM-In)", GroupWMI, ProgramSvchost, ServiceRPC, In, "135",
			"Inbound DCOM requests for WMI on TCP port 135."},
		{"WMI-WINMGMT-In-TCP", "Windows Management Instrumentation (WMI-In)", GroupWMI, ProgramSvchost, ServiceWMI, In, "",
			"Inbound requests to WMI, whatever port it has."},
		{"WMI-ASYNC-In-TCP", "Windows Management Instrumentation (ASync-In)", GroupWMI, ProgramUnsecapp, "", In, "",
			"Inbound callbacks of WMI into Unsecapp.exe."},
		{"WMI-WINMGMT-Out-TCP", "Windows Management Instrumentation (WMI-Out)", GroupWMI, ProgramSvchost, ServiceWMI, Out, "",
			"Outbound callbacks of WMI."},
		{"ComPlusNetworkAccess-DCOM-In", "COM+ Network Access (DCOM-In)", GroupCOM, ProgramSvchost, ServiceRPC, In, "135",
			"Inbound DCOM requests on TCP port 135."},
		{"RemoteEventLogSvc-In-TCP", "Remote Event Log Management (RPC)", GroupEventLog, ProgramSvchost, "Eventlog", In, "RPC",
			"Inbound requests to the event log over RPC."},
		{"RemoteEventLogSvc-NP-In-TCP", "Remote Event Log Management (NP-In)", GroupEventLog, ProgramSystem, "", In, "445",
			"Inbound requests to the event log over named pipes."},
		{"RemoteEventLogSvc-RPCSS-In-TCP", "Remote Event Log Management (RPC-EPMAP)", GroupEventLog, ProgramSvchost, "RPCSS", In, "RPC-EPMap",
			"Inbound requests to the endpoint mapper for the event log."},
	} {
		r := Rule{ID: t.id, Action: Allow, Dir: t.dir, Protocol: 6, Program: t.program, Service: t.service, Name: t.name, Group: t.group, Description: t.about}
		if t.port != "" {
			r.LocalPorts = []string{t.port}
		}
		out = append(out, r)
	}
	return out
}

// Note says in one sentence why a rule guards nothing on this machine, "" where it may
// guard something. A rule for a program by its own path may.
func Note(r Rule) string {
	_, unchecked := compile(&r)
	switch {
	case r.Protocol != AnyProtocol && r.Protocol != TCP:
		return "It guards nothing here: this machine serves TCP alone."
	case r.Action == ByPass || unchecked != nil && r.Action == Allow:
		return "It admits nothing here: it has a condition that this machine does not check."
	case samePart(r.Program, ProgramSystem) && len(r.LocalPorts) > 0 && !slices.ContainsFunc(r.LocalPorts, func(p string) bool { return p != "445" && p != "139" }):
		return "It guards nothing here: this machine serves no named pipes over the network."
	case samePart(r.Program, ProgramSvchost) && !slices.ContainsFunc([]string{"", "*", ServiceRPC, ServiceWMI}, func(s string) bool { return strings.EqualFold(r.Service, s) }):
		return "It guards nothing here: this machine has no service " + r.Service + " that is reached over the network."
	}
	return ""
}
