package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/casementhq/casement/service"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newKeytab) }

const keytabHelp = `The keys of this machine's account in a domain. With them it offers Kerberos: over WinRM by
Negotiate and by the scheme Kerberos, over DCOM by SPNEGO and by Kerberos alone, and its
callbacks to sinks prove who calls. An administrator of the domain makes the file with
samba-tool domain exportkeytab, adcli, ktutil or ktpass; it needs keys of AES for the
names host/NAME and HTTP/NAME, or for the account that has these names.

The file is copied into the state folder, for the service's user alone. A running service
knows a change at once; what clients of DCOM are told when they ask for a way to sign in
changes when WMI starts again ('net stop winmgmt', 'net start winmgmt').`

func newKeytab(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "keytab", Short: "Give this machine the keys of its account in a domain", Long: keytabHelp,
		Example: "  casement keytab add /etc/krb5.keytab\n  casement keytab show\n  casement keytab remove"}
	c.AddCommand(keytabAdd(s), keytabShow(s), keytabRemove(s))
	return group(c)
}

func keytabAdd(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "add FILE", Short: "Add the keys of a keytab file", Args: operands(1, 1, "one keytab file"), Long: keytabHelp,
		Example: "  casement keytab add /etc/krb5.keytab"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error { return addKeytab(s, st, args[0]) })
	}
	return c
}

func addKeytab(s Streams, st *service.State, file string) error {
	keys, err := st.AddKeytab(file)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.Out, "This machine has keys of", strings.Join(keys.Principals(), ", ")+".")
	class := func(name string) bool {
		for _, p := range keys.Principals() {
			if c, _, ok := strings.Cut(p, "/"); ok && strings.EqualFold(c, name) {
				return true
			}
		}
		return false
	}
	if !class("HTTP") && !class("WSMAN") && !class("host") {
		fmt.Fprintln(s.Err, "casement: note: the file names no HTTP/, WSMAN/ or host/ principal; clients get tickets only where the account has such names in the domain")
	}
	return nil
}

func keytabShow(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "show", Short: "Show whose keys this machine has; keys are never shown", Args: operands(0, 0, "no operand"),
		Example: "  casement keytab show -o json"}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		return withState(*state, func(st *service.State) error {
			t := listing{format: *format, columns: []string{"Principal"}}
			keys := st.Keytab()
			if _, err := os.Stat(st.KeytabPath()); keys == nil && err == nil {
				return fmt.Errorf("the keytab %s cannot be used: it is damaged, or others can read it", st.KeytabPath())
			}
			if keys != nil {
				for _, p := range keys.Principals() {
					t.add(p)
				}
			}
			return t.print(s.Out)
		})
	}
	return c
}

func keytabRemove(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "remove", Short: "Take the keys away; Kerberos is offered no longer", Args: operands(0, 0, "no operand"),
		Example: "  casement keytab remove"}
	state := stateFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		return withState(*state, func(st *service.State) error {
			there, err := st.RemoveKeytab()
			if err != nil {
				return err
			}
			text := "This machine had no keytab."
			if there {
				text = "The keytab was removed."
			}
			_, err = fmt.Fprintln(s.Out, text)
			return err
		})
	}
	return c
}
