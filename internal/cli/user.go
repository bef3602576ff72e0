package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/shell"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newUser) }

const userHelp = `Local users of this Casement machine. They are Casement's own and have nothing to do with
the passwords of Unix; each may be mapped to the Unix user as whom its commands run. A
running service knows a change at once.

A password is asked for without echo, or comes from --password-stdin (its first line) or
--generate (printed once). It is never an argument, since everybody can read arguments.`

func newUser(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Add, change and list local users", Long: userHelp,
		Example: "  casement user add alice --generate --unix alice\n  casement group add 'Remote Management Users' alice\n  casement user list"}
	c.AddCommand(userAdd(s), userPasswd(s), userList(s), userMap(s), userLockouts(s), userUnlock(s),
		userSimple(s, "delete NAME...", "Delete users and their memberships", "deleted", (*accounts.Store).DeleteUser),
		userSimple(s, "disable NAME...", "Stop users from signing in", "disabled", setDisabled(true)),
		userSimple(s, "enable NAME...", "Let users sign in again", "enabled", setDisabled(false)))
	return group(c)
}

// group makes a command with subcommands refuse an unknown one with exit code 2.
func group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError("%s needs a subcommand: %s (see '%s --help')", c.CommandPath(), subcommandNames(c), c.CommandPath())
		}
		return usageError("%s has no subcommand %q; it has %s (see '%s --help')", c.CommandPath(), args[0], subcommandNames(c), c.CommandPath())
	}
	return c
}

func subcommandNames(c *cobra.Command) string {
	var names []string
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return strings.Join(names, ", ")
}

// exactly, atLeast check the number of operands and name them.
func operands(low, high int, names string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < low || high >= 0 && len(args) > high {
			return usageError("%s wants %s, %d given (see '%s --help')", c.CommandPath(), names, len(args), c.CommandPath())
		}
		return nil
	}
}

func setDisabled(off bool) func(*accounts.Store, string) error {
	return func(st *accounts.Store, name string) error { return st.SetDisabled(name, off) }
}

// newPassword are the flags by which a new password arrives.
type newPassword struct{ stdin, generate bool }

func (p *newPassword) flags(c *cobra.Command) {
	c.Flags().BoolVar(&p.stdin, "password-stdin", false, "read the password from the first line of the standard input")
	c.Flags().BoolVar(&p.generate, "generate", false, "make a random password and print it once")
	c.MarkFlagsMutuallyExclusive("password-stdin", "generate")
}

func (p *newPassword) get(s Streams, name string) (string, error) {
	switch {
	case p.generate:
		return service.NewPassword()
	case p.stdin:
		line, err := readLine(s.In)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		if line == "" {
			return "", errors.New("read the password: the first line of the standard input is empty")
		}
		return line, nil
	}
	first, err := askSecret(s, "New password for "+name+": ")
	if errors.Is(err, errNoTerminal) {
		return "", usageError("a password for %s is needed and %w: give --password-stdin or --generate", name, err)
	}
	if err != nil {
		return "", err
	}
	second, err := askSecret(s, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ, nothing was changed")
	}
	return first, nil
}

func (p *newPassword) print(s Streams, password string) error {
	if !p.generate {
		return nil
	}
	_, err := fmt.Fprintln(s.Out, "Password:", password, "(shown only now)")
	return err
}

// unixMapping are the flags of a mapping to a Unix user.
type unixMapping struct {
	name      string
	allowRoot bool
}

func (m *unixMapping) check(s Streams) error {
	if m.name == "" {
		return nil
	}
	u, err := shell.LookupIdentity(m.name)
	if err != nil {
		return fmt.Errorf("map to the Unix user %s: %w; 'getent passwd' lists those of this machine", m.name, err)
	}
	if os.Geteuid() >= 0 && u.UID == 0 {
		if !m.allowRoot {
			return fmt.Errorf("map to the Unix user %s: %w; --allow-root gives it", m.name, accounts.ErrRootMapping)
		}
		fmt.Fprintln(s.Err, "casement: warning: whoever knows the password of this account runs commands as root on this machine")
	} else if euid := os.Geteuid(); euid > 0 && int64(u.UID) != int64(euid) {
		fmt.Fprintf(s.Err, "casement: warning: only a service that was started as root can run commands as %s\n", m.name)
	}
	return nil
}

func userAdd(s Streams) *cobra.Command {
	var p newPassword
	var m unixMapping
	n := accounts.NewUser{}
	c := &cobra.Command{
		Use: "add NAME", Short: "Add a user, who becomes a member of Users", Args: operands(1, 1, "one user name"),
		Long: userHelp + "\n\nExit codes: 0 added, 1 refused (the name is taken or not usable, the Unix user is unknown), 2 wrong command line.",
		Example: "  casement user add alice\n  pass show alice | casement user add alice --password-stdin --full-name 'Alice L.'\n" +
			"  casement user add deploy --generate --unix www-data",
	}
	state := stateFlag(c)
	p.flags(c)
	c.Flags().StringVar(&m.name, "unix", "", "run its commands as this Unix user (default: as the service's own user)")
	c.Flags().BoolVar(&m.allowRoot, "allow-root", false, "permit --unix root")
	c.Flags().StringVar(&n.FullName, "full-name", "", "full name")
	c.Flags().StringVar(&n.Comment, "comment", "", "comment")
	c.Flags().BoolVar(&n.Disabled, "disabled", false, "add it disabled")
	c.RunE = func(_ *cobra.Command, args []string) error {
		n.Name, n.UnixUser, n.AllowRoot = args[0], m.name, m.allowRoot
		return withState(*state, func(st *service.State) (err error) {
			if _, err := st.Accounts.LookupUser(n.Name); err == nil {
				return fmt.Errorf("add user %s: %w; 'casement user passwd' changes its password", n.Name, accounts.ErrExists)
			}
			if err := m.check(s); err != nil {
				return err
			}
			if n.Password, err = p.get(s, n.Name); err != nil {
				return err
			}
			u, err := st.Accounts.AddUser(n)
			if err != nil {
				return err
			}
			if err := st.Permit(u.Name); err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "User %s was added (%s).\n", u.Name, u.SID)
			return p.print(s, n.Password)
		})
	}
	return c
}

func userPasswd(s Streams) *cobra.Command {
	var p newPassword
	c := &cobra.Command{Use: "passwd NAME", Short: "Give a user a new password", Args: operands(1, 1, "one user name"), Long: userHelp,
		Example: "  casement user passwd Administrator\n  casement user passwd alice --generate"}
	state := stateFlag(c)
	p.flags(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			u, err := st.Accounts.LookupUser(args[0])
			if err != nil {
				return unknownUser(err)
			}
			password, err := p.get(s, u.Name)
			if err != nil {
				return err
			}
			if err := st.Accounts.SetPassword(u.Name, password); err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "The password of %s was changed.\n", u.Name)
			return p.print(s, password)
		})
	}
	return c
}

func unknownUser(err error) error {
	if errors.Is(err, accounts.ErrNoSuchUser) {
		return fmt.Errorf("%w; 'casement user list' shows the users", err)
	}
	return err
}

func userSimple(s Streams, use, short, done string, do func(*accounts.Store, string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: operands(1, -1, "user names")}
	c.Example = "  casement user " + strings.Replace(use, "NAME...", "alice bob", 1)
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			for _, name := range args {
				if err := do(st.Accounts, name); err != nil {
					return unknownUser(err)
				}
				if err := st.Permit(""); err != nil {
					return err
				}
				fmt.Fprintf(s.Out, "User %s was %s.\n", name, done)
			}
			return nil
		})
	}
	return c
}

func userMap(s Streams) *cobra.Command {
	var m unixMapping
	c := &cobra.Command{Use: "map NAME", Short: "Say as which Unix user the commands of a user run", Args: operands(1, 1, "one user name"),
		Long: "Without --unix the commands of an administrator run as the service's own user, and those of\nanybody else are refused. " +
			"A user of a domain, DOMAIN\\user or user@REALM, is mapped in the same way. With --nss\nthe users of a whole domain, DOMAIN\\* or *@realm, run as the Unix users that the name service " +
			"switch\nhas for them (winbind, SSSD), unless they are mapped; root permits that, and takes it back by the same\nline without --nss.",
		Example: "  casement user map alice --unix alice\n  casement user map alice\n  casement user map 'CORP\\bob' --unix bob\n  sudo casement user map 'CORP\\*' --nss"}
	state := stateFlag(c)
	c.Flags().StringVar(&m.name, "unix", "", "the Unix user")
	c.Flags().BoolVar(&m.allowRoot, "allow-root", false, "permit --unix root")
	nss := c.Flags().Bool("nss", false, "permit the users of a domain, DOMAIN\\* or *@realm, to be those of the name service switch")
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			if *nss || strings.Contains(args[0], "*") {
				return mapDomain(s, st, args[0], *nss, m)
			}
			if err := m.check(s); err != nil {
				return err
			}
			if err := st.Accounts.SetUnixUser(args[0], m.name, m.allowRoot); err != nil {
				return unknownUser(err)
			}
			if err := st.Permit(args[0]); err != nil {
				return err
			}
			as := m.name
			switch _, err := st.Accounts.LookupUser(args[0]); {
			case as == "" && err != nil:
				as = "the Unix user of the name service switch, where its domain is permitted that (--nss)"
			case as == "":
				as = "the service's own user"
			}
			_, err := fmt.Fprintf(s.Out, "Commands of %s run as %s.\n", args[0], as)
			return err
		})
	}
	return c
}

// mapDomain permits the users of a domain to be those of the name service switch, or no longer.
func mapDomain(s Streams, st *service.State, domain string, nss bool, m unixMapping) error {
	if m != (unixMapping{}) {
		return usageError("the users of a whole domain have no Unix user in common: give --nss, or neither")
	}
	if err := st.PermitDomain(domain, nss); err != nil {
		return err
	}
	as := "only where they are mapped one by one"
	if nss {
		as = "as the Unix users of the name service switch"
	}
	_, err := fmt.Fprintf(s.Out, "Commands of %s run %s.\n", domain, as)
	return err
}

func userList(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the users", Args: operands(0, 0, "no operand"), Example: "  casement user list -o json"}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		return withState(*state, func(st *service.State) error {
			users, err := st.Accounts.Users()
			if err != nil {
				return err
			}
			t := listing{format: *format, columns: []string{"Name", "SID", "Enabled", "Password", "UnixUser", "FullName", "Comment"}}
			for _, u := range users {
				t.add(u.Name, u.SID.String(), !u.Disabled, !u.PasswordSet.IsZero(), u.UnixUser, u.FullName, u.Comment)
			}
			mapped, err := st.Accounts.DomainUsers()
			if err != nil {
				return err
			}
			for _, u := range mapped {
				t.add(u.Name, "", true, false, u.UnixUser, "", "of a domain, mapped here")
			}
			for _, d := range st.PermittedDomains() {
				t.add(d, "", true, false, "", "", "of a domain, as the name service switch has them")
			}
			return t.print(s.Out)
		})
	}
	return c
}
