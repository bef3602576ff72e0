// Package smremoting is Configure-SMRemoting, the tool that switches the remote management
// of Server Manager, without its command line. What it switches is in package service.
package smremoting

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/casementhq/casement/service"
)

// The words of -get. The text of Windows is documented nowhere, so these are ours
// (spec/winrm.md 9); scripts may rely on them.
const (
	TextEnabled  = "Remote management is enabled."
	TextDisabled = "Remote management is disabled."
	TextSource   = "Source: "
)

// Usage is what the tool prints without an argument.
const Usage = `Configure-SMRemoting switches the remote management of this machine by Server Manager and Windows PowerShell.

  Configure-SMRemoting.exe -enable     answer other machines over WinRM: the listener, the firewall, the service
  Configure-SMRemoting.exe -disable    answer no other machine over WinRM; DCOM and local sessions stay as they are
  Configure-SMRemoting.exe -get        tell which of the two it is, and who decides

It takes root or the owner of the state folder.

--state DIR   the state folder (default: $CASEMENT_STATE, else that of 'casement up')

Exit codes: 0 done, 1 refused, or a wrong command line.
`

// Tool runs the command.
type Tool struct {
	Machine  *service.QuickConfig // drives this machine
	Out, Err io.Writer
}

// Run does what the arguments say, and tells the exit code.
func (t *Tool) Run(ctx context.Context, args []string) int {
	verb := ""
	if len(args) == 1 {
		verb = strings.ToLower(strings.TrimLeft(args[0], "-/"))
	}
	if len(args) == 1 && verb == strings.ToLower(args[0]) {
		verb = "" // without its sign
	}
	var err error
	switch verb {
	case "enable":
		err = t.enable(ctx)
	case "disable":
		if err = t.Machine.DisableRemoteManagement(ctx); err == nil {
			err = t.get()
		}
	case "get":
		err = t.get()
	case "?", "help":
		fmt.Fprint(t.Out, Usage)
	default:
		fmt.Fprint(t.Err, Usage)
		return 1
	}
	if err != nil {
		fmt.Fprintln(t.Err, "Configure-SMRemoting:", err)
		return 1
	}
	return 0
}

func (t *Tool) enable(ctx context.Context) error {
	done, notes, err := t.Machine.EnableRemoteManagement(ctx)
	for _, line := range append(done, notes...) {
		fmt.Fprintln(t.Out, line)
	}
	if err != nil {
		return err
	}
	return t.get()
}

func (t *Tool) get() error {
	r, err := t.Machine.RemoteManagement()
	if err != nil {
		return err
	}
	text := TextDisabled
	if r.Enabled {
		text = TextEnabled
	}
	fmt.Fprintf(t.Out, "%s\n%s%s\n%s\n", text, TextSource, r.Source, r.Why)
	for _, line := range r.Limits {
		fmt.Fprintln(t.Out, line)
	}
	return nil
}
