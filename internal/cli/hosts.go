package cli

import (
	"fmt"
	"strings"

	"github.com/casementhq/casement/internal/hosts"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newHosts) }

const hostsHelp = `The hosts file gives hosts short names, with the way to reach them and the account to use, so
that a command needs only the name. It is $CASEMENT_HOSTS, else casement/hosts.json in the
folder of your configuration. It may hold passwords, so nobody else may read it.`

func newHosts(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "hosts", Short: "Keep names, addresses and accounts of hosts", Long: hostsHelp,
		Example: "  casement hosts add web1 https://web1.example.com:5986/wsman --user Administrator\n  casement hosts list"}
	c.AddCommand(hostsList(s), hostsAdd(s), hostsRemove(s))
	return group(c)
}

func hostsList(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the hosts; passwords are not shown", Args: operands(0, 0, "no operand"), Example: "  casement hosts list -o json"}
	format := formatFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		path, err := hosts.DefaultPath()
		if err != nil {
			return err
		}
		entries, err := hosts.Load(path)
		if err != nil {
			return err
		}
		l := listing{format: *format, columns: []string{"Name", "URL", "User", "Password", "Authentication", "Thumbprint"}}
		for _, e := range entries {
			l.add(e.Name, e.URL, e.User, e.Password != "", e.Authentication, e.Thumbprint)
		}
		return l.print(s.Out)
	}
	return c
}

func hostsAdd(s Streams) *cobra.Command {
	var e hosts.Entry
	var stdin, ask bool
	c := &cobra.Command{Use: "add NAME [URL]", Short: "Add or replace a host", Args: operands(1, 2, "a name and at most one URL"),
		Long: hostsHelp + "\n\nWithout URL the name itself is the host. Exit codes: 0 kept, 1 not kept, 2 wrong command line.",
		Example: "  casement hosts add web1 web1.example.com --user Administrator --ask-password\n" +
			"  pass show web1 | casement hosts add web1 https://10.0.0.5:5986/wsman --user admin --password-stdin --pin 9f86d0..."}
	c.Flags().StringVarP(&e.User, "user", "u", "", `user, DOMAIN\user or user@realm`)
	c.Flags().BoolVar(&stdin, "password-stdin", false, "keep the password from the first line of the standard input")
	c.Flags().BoolVar(&ask, "ask-password", false, "ask for the password and keep it")
	c.Flags().StringVar(&e.Authentication, "auth", "", "Negotiate or Basic (default: chosen by rule)")
	c.Flags().StringVar(&e.Thumbprint, "pin", "", "SHA-256 of the server's certificate, in place of all other checks of it")
	c.MarkFlagsMutuallyExclusive("password-stdin", "ask-password")
	c.RunE = func(_ *cobra.Command, args []string) error {
		e.Name, e.URL = args[0], args[len(args)-1]
		if strings.ContainsAny(e.Name, ",:/ \\") || e.Name == "." {
			return usageError("the name %q cannot be used: it must do without commas, colons, slashes and blanks", e.Name)
		}
		scheme, err := schemeOf(e.Authentication)
		if err != nil {
			return err
		}
		e.Authentication = string(scheme)
		if stdin || ask {
			if e.User == "" {
				return usageError("a password needs --user")
			}
			p := newPassword{stdin: stdin}
			if e.Password, err = p.get(s, e.User+" on "+e.Name); err != nil {
				return err
			}
		}
		path, err := hosts.DefaultPath()
		if err != nil {
			return err
		}
		if err := hosts.Put(path, e); err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.Out, "%s is in %s.\n", e.Name, path)
		return err
	}
	return c
}

func hostsRemove(s Streams) *cobra.Command {
	return &cobra.Command{Use: "remove NAME...", Short: "Remove hosts", Args: operands(1, -1, "names"), Example: "  casement hosts remove web1",
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := hosts.DefaultPath()
			if err != nil {
				return err
			}
			for _, name := range args {
				found, err := hosts.Remove(path, name)
				if err != nil {
					return err
				}
				if !found {
					return fmt.Errorf("%s is not in %s; 'casement hosts list' shows what is", name, path)
				}
				fmt.Fprintf(s.Out, "%s was removed.\n", name)
			}
			return nil
		}}
}
