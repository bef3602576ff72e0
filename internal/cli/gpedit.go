package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/casementhq/casement/internal/gpedit"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
)

func init() {
	subcommands = append(subcommands, newGpedit)
	stands("gpedit", "gpedit")
}

const gpeditHelp = `

A policy is named by its name or its path in the tree of the editor, in any case, with or without
'Computer Configuration\Administrative Templates' before it and with less of the path where that is
enough. In a POSIX shell put it in quotes. The policies are kept in Registry.pol of the state
folder; a running service follows each change at once, shows what a policy rules with
[Source="GPO"] and refuses local writes of it (0x8033808A).

It takes root or the owner of the state folder.

Exit codes: 0 done, 1 refused or not found, 2 wrong command line.`

func newGpedit(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "gpedit", Short: "The policies of this machine (Group Policy editor, gpedit.msc)",
		Long: "Read and change the policies of this machine, as the Group Policy editor does. Without arguments it lists them." + gpeditHelp,
		Example: `  casement gpedit
  casement gpedit show 'Allow remote server management through WinRM'
  casement gpedit set 'WinRM Service\Allow Basic authentication' enabled
  casement gpedit set 'Allow remote server management through WinRM' enabled --option IPv4Filter=10.0.0.1-10.0.0.254
  casement gpedit clear 'Allow remote server management through WinRM'`,
	}
	list := gpeditList(s)
	c.AddCommand(list, gpeditShow(s), gpeditSet(s), gpeditClear(s), gpeditImport(s), gpeditExport(s))
	group(c)
	state := stateFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError("%q is no command of gpedit: list, show, set, clear, import or export", args[0])
		}
		return printPolicies(s, *state, "", "table")
	}
	c.Args = cobra.ArbitraryArgs
	return c
}

func gpeditList(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "list [PATH]", Short: "List the policies below a folder of the tree", Args: cobra.ArbitraryArgs,
		Long:    "List the policies below a folder of the tree, or all." + gpeditHelp,
		Example: "  casement gpedit list\n  casement gpedit list 'Windows Components\\Windows Remote Management (WinRM)\\WinRM Service'"}
	state, format := stateFlag(c), formatFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return printPolicies(s, *state, strings.Join(args, " "), *format)
	}
	return c
}

// printPolicies lists a folder of the tree: as a tree, or as rows in the other formats.
func printPolicies(s Streams, state, path, format string) error {
	found, err := gpedit.In(path)
	if err != nil {
		return err
	}
	return withState(state, func(st *service.State) error {
		file := st.Hive.Policy()
		rows := &listing{format: format, columns: []string{"Policy", "State", "Folder"}}
		folder := ""
		for i := range found {
			p := &found[i]
			set := p.Read(file)
			if format != "table" {
				rows.add(p.Name, set.State.String(), gpedit.Root+`\`+p.Folder)
				continue
			}
			if p.Folder != folder {
				if folder != "" {
					fmt.Fprintln(s.Out)
				}
				folder = p.Folder
				fmt.Fprintln(s.Out, gpedit.Root+`\`+folder)
			}
			fmt.Fprintf(s.Out, "    %-16s%s\n", set.State, p.Name)
		}
		if format != "table" {
			return rows.print(s.Out)
		}
		if n := len(gpedit.Foreign(file)); n > 0 && path == "" {
			fmt.Fprintf(s.Out, "\n%d more entries of %s are none of these; 'gpresult /z' shows them.\n", n, st.Hive.PolicyFile())
		}
		return nil
	})
}

func gpeditShow(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "show POLICY", Short: "Explain a policy and show its state", Args: operands(1, 64, "a policy"),
		Long: "Explain a policy and show its state. A folder of the tree explains all policies in it." + gpeditHelp, Example: "  casement gpedit show 'Trusted Hosts'"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		name := strings.Join(args, " ")
		p, err := gpedit.Find(name)
		found := []gpedit.Policy{}
		if err == nil {
			found = append(found, *p)
		} else if below, other := gpedit.In(name); other == nil {
			found = below
		} else {
			return err
		}
		return withState(*state, func(st *service.State) error {
			for i := range found {
				if i > 0 {
					fmt.Fprintln(s.Out)
				}
				explainPolicy(s.Out, &found[i], found[i].Read(st.Hive.Policy()))
			}
			return nil
		})
	}
	return c
}

// explainPolicy prints what the Extended tab and the dialog of a policy show.
func explainPolicy(w io.Writer, p *gpedit.Policy, set gpedit.Setting) {
	fmt.Fprintln(w, p.Name)
	fmt.Fprintf(w, "    Path            %s\\%s\n", gpedit.Root, p.Folder)
	for _, older := range p.Older {
		fmt.Fprintf(w, "    Older name      %s\n", older)
	}
	fmt.Fprintf(w, "    State           %s\n", set.State)
	for _, g := range set.Options {
		fmt.Fprintf(w, "    Option          %s=%s\n", g.Name, printableLines(g.Text))
	}
	if set.Damage != "" {
		fmt.Fprintf(w, "    Damaged         %s\n", printableLines(set.Damage))
	}
	if p.Value != "" {
		fmt.Fprintf(w, "    Writes          HKLM\\%s: %s = %d enabled, %d disabled\n", p.Key, p.Value, p.On, p.Off)
	} else {
		for _, o := range p.Options {
			at := p.Key + ": " + o.Value
			if o.Key != "" {
				at = o.Key
			}
			fmt.Fprintf(w, "    Writes          HKLM\\%s\n", at)
		}
	}
	fmt.Fprintf(w, "\n%s\n", wrap(p.Text, 96, "    "))
	for _, t := range []struct{ name, text string }{
		{"Enabled: ", p.WhenEnabled}, {"Disabled: ", p.WhenDisabled}, {"Not configured: ", p.WhenNot}, {"Note: ", p.Note},
	} {
		if t.text != "" {
			fmt.Fprintln(w, wrap(t.name+t.text, 96, "    "))
		}
	}
	for i := range p.Options {
		o := &p.Options[i]
		text := "Option " + o.Name + ": " + o.Text
		if r := o.Range(); r != "" {
			text += " (" + r + ")"
		}
		switch {
		case o.Required:
			text += "; it must be given"
		case o.Default != "":
			text += "; default " + o.Default
		}
		fmt.Fprintln(w, wrap(text+".", 96, "    "))
	}
}

func gpeditSet(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "set POLICY enabled|disabled|'not configured'", Short: "Enable or disable a policy", Args: operands(2, 64, "a policy and enabled or disabled"),
		Long: "Enable or disable a policy. What an enabled policy asks for is given by --option NAME=VALUE; 'show' explains the options." + gpeditHelp,
		Example: "  casement gpedit set 'Allow remote server management through WinRM' disabled\n" +
			"  casement gpedit set 'Trusted Hosts' enabled --option 'TrustedHostsList=web1,*.example.org'"}
	state := stateFlag(c)
	options := c.Flags().StringArray("option", nil, "NAME=VALUE of an enabled policy; again for each option and each entry of a list")
	c.RunE = func(_ *cobra.Command, args []string) error {
		last := len(args) - 1
		want, ok := gpedit.ParseState(args[last])
		if !ok {
			return usageError("gpedit: %q is no state: enabled, disabled or 'not configured'", args[last])
		}
		var given []gpedit.Given
		for _, o := range *options {
			name, text, ok := strings.Cut(o, "=")
			if !ok {
				return usageError("gpedit: --option %q is not NAME=VALUE", o)
			}
			given = append(given, gpedit.Given{Name: strings.TrimSpace(name), Text: text})
		}
		return setPolicy(s, *state, strings.Join(args[:last], " "), want, given)
	}
	return c
}

func gpeditClear(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "clear POLICY", Short: "Set a policy to not configured", Args: operands(1, 64, "a policy"),
		Long: "Set a policy to not configured: the setting of the machine holds again." + gpeditHelp, Example: "  casement gpedit clear 'Trusted Hosts'"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return setPolicy(s, *state, strings.Join(args, " "), gpedit.NotConfigured, nil)
	}
	return c
}

func setPolicy(s Streams, state, name string, want gpedit.State, given []gpedit.Given) error {
	p, err := gpedit.Find(name)
	if err != nil {
		return err
	}
	return withState(state, func(st *service.State) error {
		if err := st.Hive.UpdatePolicy(func(file *registry.Policy) error { return p.Set(file, want, given) }); err != nil {
			return err
		}
		set := p.Read(st.Hive.Policy())
		fmt.Fprintf(s.Out, "%s: %s\n", set.State, p.Path())
		for _, g := range set.Options {
			fmt.Fprintf(s.Out, "    %s=%s\n", g.Name, printableLines(g.Text))
		}
		if p.Note != "" && set.State != gpedit.NotConfigured {
			fmt.Fprintln(s.Err, "gpedit:", p.Note)
		}
		return nil
	})
}

// maxPolicyFile bounds a policy file that is imported, in bytes.
const maxPolicyFile = 4 << 20

func gpeditImport(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "import FILE", Short: "Take over the policies of a Registry.pol file", Args: operands(1, 1, "a file"),
		Long: `Take over the policies of a Registry.pol file, such as Machine\Registry.pol of a Group Policy
object. The file is checked as a whole first. What it says takes the place of what was said about the
same before; other policies stay. Entries that are none of our policies are kept and named.` + gpeditHelp,
		Example: "  casement gpedit import Registry.pol"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		more, err := readPolicyFile(args[0])
		if err != nil {
			return err
		}
		if bad := gpedit.Check(more); len(bad) > 0 {
			return fmt.Errorf("gpedit: nothing of %s was imported, it has values that cannot be used:\n  %s", args[0], strings.Join(bad, "\n  "))
		}
		return withState(*state, func(st *service.State) error {
			err := st.Hive.UpdatePolicy(func(file *registry.Policy) error {
				gpedit.Merge(file, more)
				return nil
			})
			if err != nil {
				return err
			}
			foreign := gpedit.Foreign(more)
			fmt.Fprintf(s.Out, "Imported %d entries of %s.\n", len(more.Entries), args[0])
			for n, e := range foreign {
				if n == 0 {
					fmt.Fprintln(s.Out, "These are none of our policies; they are kept:")
				}
				if n == 100 {
					fmt.Fprintf(s.Out, "    and %d more\n", len(foreign)-n)
					break
				}
				fmt.Fprintln(s.Out, "    "+printableLines(gpedit.Describe(e)))
			}
			return nil
		})
	}
	return c
}

func readPolicyFile(name string) (*registry.Policy, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("gpedit: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPolicyFile+1))
	if err != nil {
		return nil, fmt.Errorf("gpedit: %w", err)
	}
	if len(b) > maxPolicyFile {
		return nil, fmt.Errorf("gpedit: %s has more than %d bytes", name, maxPolicyFile)
	}
	p, err := registry.ParsePol(b)
	if err != nil {
		return nil, fmt.Errorf("gpedit: %s: %w (0x80338088)", name, err)
	}
	return p, nil
}

func gpeditExport(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "export FILE", Short: "Write the policies as a Registry.pol file", Args: operands(1, 1, "a file, which may be -"),
		Long: "Write the policies as a Registry.pol file, which Windows and 'gpedit import' read. - is the standard output." + gpeditHelp, Example: "  casement gpedit export /tmp/Registry.pol"}
	state := stateFlag(c)
	force := c.Flags().Bool("force", false, "replace a file that is there")
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			b := st.Hive.Policy().AppendPol(nil)
			if args[0] == "-" {
				_, err := s.Out.Write(b)
				return err
			}
			if _, err := os.Lstat(args[0]); !*force && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("gpedit: %s is there already; --force replaces it", args[0])
			}
			if err := os.WriteFile(args[0], b, 0o600); err != nil {
				return fmt.Errorf("gpedit: export: %w", err)
			}
			_, err := fmt.Fprintf(s.Out, "The policies were written to %s.\n", args[0])
			return err
		})
	}
	return c
}
