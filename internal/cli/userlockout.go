package cli

import (
	"fmt"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/service"
	"github.com/spf13/cobra"
)

const lockoutHelp = `A user who fails to sign in again and again from one address is locked out from there, over
WinRM and DCOM alike; other addresses are not concerned, so that a stranger cannot lock the owner
out. 'net accounts' shows and changes after how many failures, for how long, and how far apart
they may lie. Before that, delays of seconds slow guessing down; they are not listed here.`

func userLockouts(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "lockouts", Short: "List who is locked out, from where and until when", Args: operands(0, 0, "no operand"),
		Long: lockoutHelp, Example: "  casement user lockouts\n  casement user lockouts -o json"}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		return withState(*state, func(st *service.State) error {
			t := listing{format: *format, columns: []string{"User", "Address", "Failures", "Until"}}
			for _, l := range st.Accounts.Lockouts() {
				until := "it is unlocked"
				if !l.Until.IsZero() {
					until = l.Until.UTC().Format(time.RFC3339)
				}
				t.add(l.User, addressText(l), l.Failures, until)
			}
			return t.print(s.Out)
		})
	}
	return c
}

// addressText is the address of a lockout as people write it.
func addressText(l accounts.Lockout) string {
	switch {
	case l.Address.Addr().IsUnspecified():
		return "this machine"
	case l.Address.IsSingleIP():
		return l.Address.Addr().String()
	}
	return l.Address.String()
}

func userUnlock(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "unlock NAME...", Short: "End the lockouts of users", Args: operands(1, -1, "user names"), Long: lockoutHelp,
		Example: "  casement user unlock alice"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			for _, name := range args {
				n, err := st.Accounts.Unlock(name)
				if err != nil {
					return err
				}
				if n == 0 {
					fmt.Fprintf(s.Out, "User %s was not locked out.\n", name)
					continue
				}
				fmt.Fprintf(s.Out, "User %s was unlocked.\n", name)
			}
			return nil
		})
	}
	return c
}
