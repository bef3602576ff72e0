package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/service"
)

// openGroup is what lets in what the group of WMI is for.
const openGroup = `set rule group="windows management instrumentation (wmi)" new enable=yes`

// netshCommand is a command about the rules of a state folder, as this program is
// called.
func netshCommand(dir, rest string) string {
	text := invocation() + " netsh"
	if dir != defaultState() {
		text += " --state " + shellWord(dir)
	}
	return text + " advfirewall firewall " + rest
}

// sayShut tells where the firewall keeps WMI over DCOM shut that listens for others.
func sayShut(w io.Writer, svc *service.Service) {
	if svc.DCOMShut() {
		fmt.Fprintf(w, "\nThe firewall lets no other machine reach WMI over DCOM. This opens it:\n  %s\n", netshCommand(svc.State.Dir, openGroup))
	}
}

// folderFirewall are the rules of a state folder, for what is called back. What it
// refuses is told by who asks.
func folderFirewall(dir string) *firewall.Gate {
	return firewall.NewGate(firewall.GateOptions{Snapshot: firewall.FolderSnapshot(dir)})
}

// firewallHint tells how to let in what the firewall refuses.
func firewallHint(dir string, err error) string {
	var refused *firewall.RefusedError
	if !errors.As(err, &refused) || refused.Verdict.Why != firewall.ByDefault || refused.Err != nil {
		return ""
	}
	if p := refused.Traffic.Program; p != firewall.ProgramSvchost && p != firewall.ProgramUnsecapp {
		return "; this lets it in:\n  " + netshCommand(dir, "add rule name=casement dir=in action=allow program="+shellWord(p)+" protocol=TCP")
	}
	return "; this lets it in:\n  " + netshCommand(dir, openGroup)
}
