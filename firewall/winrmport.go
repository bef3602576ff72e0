package firewall

import (
	"slices"
	"strings"

	"github.com/casementhq/casement/registry"
)

// AllowWinRMPort lets WinRM in at a port on the present profile, by a rule of its own
// where it is not the one that the built-in rule of the transport, HTTP or HTTPS, names.
// On Public it opens to the local subnet only. The rule is in WinRM's group.
func AllowWinRMPort(tx *registry.Tx, transport, port string, p Profile) error {
	transport = strings.ToUpper(transport)
	for _, b := range Builtin() {
		if isWinRM(b, transport) && slices.Contains(b.LocalPorts, port) {
			return nil
		}
	}
	r := Rule{ID: "WINRM-" + transport + "-In-TCP-" + port + "-" + p.String(), Action: Allow, Active: true, Dir: In, Protocol: TCP, Profiles: p, LocalPorts: []string{port},
		Program: ProgramSystem, Name: "Windows Remote Management (" + transport + "-In, port " + port + ")", Group: GroupWinRM,
		Description: "Inbound WS-Management requests on TCP port " + port + "."}
	if p == Public {
		r.RemoteAddrs = []string{"LocalSubnet"}
	}
	return Put(tx, r)
}
