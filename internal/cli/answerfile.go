package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/internal/answerfile"
)

func init() { subcommands = append(subcommands, newAnswerFile) }

const answerFileHelp = `An answer file (unattend.xml) says what a machine shall be when it is installed. Of one this machine
heeds EnableServerRemoteManagement of Microsoft-Windows-Web-Services-for-Management-Core, and of
Networking-MPSSVC-Svc FirewallGroups and EnableFirewall of the three profiles, in the passes specialize
and oobeSystem. Other components are named and ignored.

'casement serve' and 'casement up' heed the file of --answer-file, or unattend.xml in the state
folder, when they make that folder, and never again.`

func newAnswerFile(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "answerfile", Short: "Check an answer file of an unattended installation", Long: answerFileHelp,
		Example: "  casement answerfile check unattend.xml"}
	check := &cobra.Command{Use: "check FILE", Short: "Check an answer file and show what it makes of a machine", Args: operands(1, 1, "a file"),
		Long:    answerFileHelp + "\n\nExit codes: 0 it can be used, 1 it cannot, 2 wrong command line.",
		Example: "  casement answerfile check unattend.xml"}
	check.RunE = func(_ *cobra.Command, args []string) error {
		f, err := os.Open(args[0])
		if err != nil {
			return fmt.Errorf("answerfile: %w", err)
		}
		defer f.Close()
		a, err := answerfile.Parse(f)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		printAnswers(s, a)
		return nil
	}
	c.AddCommand(check)
	return group(c)
}

func printAnswers(s Streams, a *answerfile.Answers) {
	word := map[bool]string{true: "on", false: "off"}
	fmt.Fprintln(s.Out, "The answer file can be used.")
	if a.RemoteManagement != nil {
		fmt.Fprintln(s.Out, "    remote management:", word[*a.RemoteManagement])
	}
	for _, p := range []firewall.Profile{firewall.Domain, firewall.Private, firewall.Public} {
		if on, ok := a.Firewall[p]; ok {
			fmt.Fprintf(s.Out, "    firewall, %s profile: %s\n", p, word[on])
		}
	}
	for _, g := range a.Groups {
		fmt.Fprintf(s.Out, "    firewall group %q, %s: %s\n", g.Name, g.Profiles, word[g.Active])
	}
	for _, name := range a.Ignored {
		fmt.Fprintln(s.Out, "    ignored:", printableLines(name))
	}
}
