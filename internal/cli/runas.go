package cli

import (
	"context"
	"fmt"
	"strings"
)

const runasHelp = `runas asks for the password of another account on Windows and starts a program as it. Here that is
sudo's: runas starts nothing and prints the line to type.

  runas [/user:NAME] "PROGRAM ARGUMENTS"

Example:
  runas /user:Administrator "winrm quickconfig"

Exit codes: 1 always, since nothing was started.
`

func init() {
	listed("runas", "Say how a program is started as another account (Windows' runas)", runasHelp, runRunas)
}

// runRunas gives the equal of a line of runas. See checklist 2.23.
func runRunas(_ context.Context, s Streams, args []string) error {
	if wantsHelp(args) {
		_, err := fmt.Fprint(s.Out, runasHelp)
		return err
	}
	user, line := "", []string{}
	for _, a := range args {
		name, isUser := strings.CutPrefix(strings.ToLower(a), "/user:")
		switch {
		case isUser:
			user = name[strings.LastIndexByte(name, '\\')+1:]
		case strings.HasPrefix(a, "/") && len(line) == 0 && !strings.Contains(a[1:], "/"):
		default:
			line = append(line, a)
		}
	}
	if len(line) == 0 {
		line = []string{"winrm quickconfig"}
	}
	as := ""
	if user != "" && user != "administrator" && user != "root" {
		as = " -u " + user
	}
	return fmt.Errorf("runas: nothing was started: an elevated prompt is sudo's here. Type: sudo%s %s", as, strings.Join(line, " "))
}
