package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/internal/netsh"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/spf13/cobra"
)

const firewallHelp = `The firewall of this service: who may reach WinRM, WMI over DCOM and the callbacks of WMI. Rules and
groups are those of Windows; 'casement netsh' makes, changes and deletes rules in its syntax. A
running service follows at once; connections that stand stay. WF.msc is 'casement firewall list'.

Source is Built-in, Local, or GPO for a rule of Group Policy, which is changed there. A note says
why a rule guards nothing on this machine.`

func init() {
	subcommands = append(subcommands, newFirewall)
	stands("wf", "firewall", "list")
}

func newFirewall(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "firewall", Short: "Show the firewall's rules, and enable and disable groups of them", Long: firewallHelp,
		Example: "  casement firewall list --in\n  casement firewall enable 'Windows Management Instrumentation (WMI)'\n  casement firewall show 'COM+ Network Access (DCOM-In)'"}
	c.AddCommand(firewallList(s), firewallShow(s), firewallGroups(s), firewallProfiles(s), firewallSwitch(s, "enable", true), firewallSwitch(s, "disable", false), firewallKernel(s))
	return group(c)
}

// withRules runs f on the rules to show.
func withRules(s Streams, state string, f func(rules []firewall.Rule, tree *registry.Tree) error) error {
	return withState(state, func(st *service.State) error {
		tree := st.Hive.Snapshot()
		rules, bad := netsh.Rules(tree)
		for _, err := range bad {
			fmt.Fprintln(s.Err, "casement:", printable(err.Error()))
		}
		return f(rules, tree)
	})
}

func firewallList(s Streams) *cobra.Command {
	var in, out, enabled bool
	c := &cobra.Command{Use: "list [NAME|GROUP]", Short: "List the rules", Args: operands(0, 1, "at most one name of a rule or a group"), Long: firewallHelp,
		Example: "  casement firewall list\n  casement firewall list 'windows remote management' -o json\n  casement firewall list --in --enabled"}
	state := stateFlag(c)
	format := formatFlag(c)
	c.Flags().BoolVar(&in, "in", false, "only inbound rules")
	c.Flags().BoolVar(&out, "out", false, "only outbound rules")
	c.Flags().BoolVar(&enabled, "enabled", false, "only rules that are enabled")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if in && out {
			return usageError("--in and --out exclude each other")
		}
		return withRules(s, *state, func(rules []firewall.Rule, _ *registry.Tree) error {
			if len(args) == 1 {
				var err error
				if rules, err = pickRules(rules, args[0]); err != nil {
					return err
				}
			}
			l := listing{format: *format, columns: []string{"Name", "Enabled", "Direction", "Action", "Profiles", "Protocol", "LocalPort", "Source", "Group", "Note"}}
			for _, r := range rules {
				if in && r.Dir != firewall.In || out && r.Dir != firewall.Out || enabled && !r.Active {
					continue
				}
				l.add(r.Name, r.Active, string(r.Dir), string(r.Action), netsh.Profiles(r).String(), netsh.Protocol(r), netsh.Ports(r.LocalPorts), sourceOf(r), r.Group, firewall.Note(r))
			}
			return l.print(s.Out)
		})
	}
	return c
}

func firewallShow(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "show NAME|GROUP", Short: "Show all of a rule, or of the rules of a group", Args: operands(1, 1, "the name of a rule or a group"), Long: firewallHelp,
		Example: "  casement firewall show 'COM+ Network Access (DCOM-In)'\n  casement firewall show 'windows remote management' -o xml"}
	state := stateFlag(c)
	format := formatValue("list")
	c.Flags().VarP(&format, "output", "o", "form of the output: "+strings.Join(formats, ", "))
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withRules(s, *state, func(rules []firewall.Rule, _ *registry.Tree) error {
			rules, err := pickRules(rules, args[0])
			if err != nil {
				return err
			}
			l := listing{format: string(format), columns: []string{"Name", "Description", "Enabled", "Direction", "Action", "Profiles", "Group", "Protocol", "LocalIP", "LocalPort", "RemoteIP", "RemotePort",
				"Program", "Service", "Source", "ID", "Note"}}
			for _, r := range rules {
				l.add(r.Name, r.Description, r.Active, string(r.Dir), string(r.Action), netsh.Profiles(r).String(), r.Group, netsh.Protocol(r),
					netsh.Addresses(r.LocalAddrs), netsh.Ports(r.LocalPorts), netsh.Addresses(r.RemoteAddrs), netsh.Ports(r.RemotePorts),
					r.Program, r.Service, sourceOf(r), r.ID, firewall.Note(r))
			}
			return l.print(s.Out)
		})
	}
	return c
}

func firewallGroups(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "groups", Short: "List the groups of rules", Args: operands(0, 0, "no operand"), Example: "  casement firewall groups", Long: firewallHelp}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		return withRules(s, *state, func(rules []firewall.Rule, _ *registry.Tree) error {
			l := listing{format: *format, columns: []string{"Group", "Rules", "Enabled"}}
			for _, name := range groupNames(rules) {
				all, on := 0, 0
				for _, r := range rules {
					if strings.EqualFold(r.Group, name) {
						all++
						if r.Active {
							on++
						}
					}
				}
				l.add(name, all, on)
			}
			return l.print(s.Out)
		})
	}
	return c
}

func groupNames(rules []firewall.Rule) []string {
	var names []string
	for _, r := range rules {
		if r.Group != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, r.Group) }) {
			names = append(names, r.Group)
		}
	}
	slices.Sort(names)
	return names
}

func firewallProfiles(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "profiles", Short: "Show the network profiles and what each does without a rule", Args: operands(0, 0, "no operand"), Example: "  casement firewall profiles -o json",
		Long: firewallHelp + "\n\nPresent is the profile of this machine's network, whose rules count. 'netsh advfirewall set' changes\na profile."}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		return withRules(s, *state, func(_ []firewall.Rule, tree *registry.Tree) error {
			l := listing{format: *format, columns: []string{"Profile", "Present", "Enabled", "Inbound", "Outbound", "NoExceptions", "LocalRules"}}
			for _, p := range []firewall.Profile{firewall.Domain, firewall.Private, firewall.Public} {
				set, bad := firewall.LoadSettings(tree, p)
				for _, err := range bad {
					fmt.Fprintln(s.Err, "casement:", printable(err.Error()))
				}
				l.add(p.String(), p == firewall.Present(tree), set.Enabled, string(set.Inbound), string(set.Outbound), set.Shielded, set.LocalRules)
			}
			return l.print(s.Out)
		})
	}
	return c
}

// pickRules are the rules of a group, or else of a name; case does not count.
func pickRules(rules []firewall.Rule, name string) ([]firewall.Rule, error) {
	for _, of := range []func(firewall.Rule) string{
		func(r firewall.Rule) string { return r.Group },
		func(r firewall.Rule) string { return r.Name },
		func(r firewall.Rule) string { return r.ID },
	} {
		var out []firewall.Rule
		for _, r := range rules {
			if strings.EqualFold(of(r), name) {
				out = append(out, r)
			}
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, noRule(rules, name)
}

func noRule(rules []firewall.Rule, name string) error {
	return fmt.Errorf("no rule or group is called %q; groups are: %s", printable(name), strings.Join(groupNames(rules), ", "))
}

// sourceOf is the source of a rule in one word.
func sourceOf(r firewall.Rule) string {
	switch source := netsh.Source(r); source {
	case "Group Policy Setting":
		return "GPO"
	case "Local Setting":
		return "Local"
	default:
		return source
	}
}

func firewallSwitch(s Streams, verb string, active bool) *cobra.Command {
	word := map[bool]string{true: "Enable", false: "Disable"}[active]
	c := &cobra.Command{Use: verb + " GROUP|NAME...", Short: word + " groups of rules, or single rules", Args: operands(1, -1, "the name of a group or a rule"), Long: firewallHelp,
		Example: "  casement firewall " + verb + " 'windows management instrumentation (wmi)'\n  casement firewall " + verb + " 'COM+ Network Access (DCOM-In)'"}
	state := stateFlag(c)
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return groupNames(firewall.Builtin()), cobra.ShellCompDirectiveNoFileComp
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			for _, name := range args {
				rules, _ := netsh.Rules(st.Hive.Snapshot())
				picked, err := pickRules(rules, name)
				if err != nil {
					return err
				}
				n, err := netsh.Switch(st.Hive, name, active)
				if err != nil {
					return err
				}
				what := picked[0].Group
				if !strings.EqualFold(what, name) {
					what = picked[0].Name
				}
				plural := map[bool]string{true: "1 rule", false: fmt.Sprintf("%d rules", n)}[n == 1]
				if _, err := fmt.Fprintf(s.Out, "%s: %s %sd.\n", what, plural, verb); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}
