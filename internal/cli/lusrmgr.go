package cli

import (
	"context"
	"fmt"
)

const lusrmgrHelp = `lusrmgr.msc is a window on Windows: Local Users and Groups. Here it lists both; what it changes there,
'casement user' and 'casement group' change, as 'net user' and 'net localgroup' do.

--state DIR   the state folder (default: $CASEMENT_STATE, else that of 'casement up')

Examples:
  lusrmgr.msc
  casement group add WinRMRemoteWMIUsers__ alice

Exit codes: 0 listed, 1 the state folder cannot be read.
`

func init() {
	listed("lusrmgr", "List local users and groups (Windows' lusrmgr.msc)", lusrmgrHelp, runLusrmgr)
}

func runLusrmgr(ctx context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	if wantsHelp(args) {
		_, err := fmt.Fprint(s.Out, lusrmgrHelp)
		return err
	}
	if len(args) > 0 {
		return usageError("lusrmgr: %q is not known; 'lusrmgr /?' says what it does", args[0])
	}
	for n, list := range []string{"user", "group"} {
		if _, err := fmt.Fprint(s.Out, []string{"Users\n\n", "\nGroups\n\n"}[n]); err != nil {
			return err
		}
		root := newRoot(s)
		line := []string{list, "list"}
		if state != "" {
			line = append(line, "--state", state)
		}
		root.SetArgs(line)
		if err := root.ExecuteContext(ctx); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(s.Out, "\nTo add a member: casement group add WinRMRemoteWMIUsers__ USER")
	return err
}
