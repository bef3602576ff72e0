package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newWMI) }

func newWMI(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use: "wmi", Short: "Look at namespaces, classes and their security, and wait for events",
		Long: "Namespaces, classes, security and events of this machine, or of another with --host." + remoteHelp,
		Example: "  casement wmi ns\n  casement wmi ls 'Win32_*Disk*'\n  casement wmi class Win32_LogicalDisk\n" +
			"  casement wmi sd grant root/cimv2 alice 'Enable Account,Remote Enable'\n" +
			"  casement wmi subscribe \"SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Win32_Process'\"",
	}
	c.AddCommand(wmiNamespaces(s), wmiClasses(s), wmiClass(s), wmiProviders(s), wmiSecurity(s), wmiSubscribe(s))
	return group(c)
}

// wmiFlags are the flags of the commands below wmi.
type wmiFlags struct {
	remote
	host, namespace string
}

func (f *wmiFlags) flags(c *cobra.Command) {
	f.remote.flags(c)
	c.Flags().StringVar(&f.host, "host", ".", "the machine; . is this one, with or without a service that runs")
}

func (f *wmiFlags) namespaceFlag(c *cobra.Command) {
	namespaceFlag(c, &f.namespace)
}

// do runs f with a session in a namespace.
func (f *wmiFlags) do(ctx context.Context, s Streams, namespace string, run func(context.Context, cim.Session) error) error {
	return f.single(ctx, s, f.host, func(ctx context.Context, c *casement.Connection) error {
		session, err := c.Session(ctx, namespaceOf(namespace))
		if err != nil {
			return err
		}
		defer session.Close() //nolint:errcheck // what matters was said before
		return run(ctx, session)
	})
}

func wmiNamespaces(s Streams) *cobra.Command {
	var f wmiFlags
	c := &cobra.Command{Use: "ns [NAMESPACE]", Short: "List the namespaces below one", Args: operands(0, 1, "at most one namespace"),
		Long:    "List the namespaces below one, all of them without an operand. A namespace that the account may not\nread is listed and not entered." + remoteHelp,
		Example: "  casement wmi ns\n  casement wmi ns root/cimv2 --host web1"}
	f.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		top := "root"
		if len(args) == 1 {
			top = namespaceOf(args[0])
		}
		return f.single(c.Context(), s, f.host, func(ctx context.Context, conn *casement.Connection) error {
			return walkNamespaces(ctx, conn, top, true, func(_ cim.Session, name string) error {
				_, err := fmt.Fprintln(harmless{s.Out}, name)
				return err
			})
		})
	}
	return c
}

// deepest is how many namespaces stand within each other at most.
const deepest = 64

// walkNamespaces visits a namespace and those below it. One that cannot be read
// below the first is passed to visit without a session.
func walkNamespaces(ctx context.Context, conn *casement.Connection, name string, first bool, visit func(session cim.Session, name string) error) error {
	if strings.Count(name, `\`) > deepest {
		return fmt.Errorf("the host has more than %d namespaces within each other", deepest)
	}
	session, err := conn.Session(ctx, name)
	var below []*cim.Instance
	if err == nil {
		defer session.Close() //nolint:errcheck // what matters was said before
		below, err = collect(ctx, session, "__NAMESPACE")
	}
	if err != nil {
		if first || ctx.Err() != nil {
			return err
		}
		session = nil
	}
	if err := visit(session, name); err != nil {
		return err
	}
	var names []string
	for _, i := range below {
		if n, ok := i.Get("Name").Str(); ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(cim.Fold(a), cim.Fold(b)) })
	for _, n := range names {
		if err := walkNamespaces(ctx, conn, name+`\`+n, false, visit); err != nil {
			return err
		}
	}
	return nil
}

func wmiClasses(s Streams) *cobra.Command {
	var f wmiFlags
	var super string
	var shallow bool
	c := &cobra.Command{Use: "ls [PATTERN]", Short: "List the classes of a namespace", Args: operands(0, 1, "at most one pattern"),
		Long: "List the classes of a namespace whose names match PATTERN, where * stands for any characters\nand ? for one." + remoteHelp,
		Example: "  casement wmi ls\n  casement wmi ls 'Win32_Perf*' -o csv\n  casement wmi ls --below CIM_LogicalDevice\n" +
			"  casement wmi ls -n root/standardcimv2 --host web1"}
	f.flags(c)
	f.namespaceFlag(c)
	c.Flags().StringVar(&super, "below", "", "only classes derived from this one")
	c.Flags().BoolVar(&shallow, "shallow", false, "only direct subclasses: with --below of that class, else of none")
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		pattern := "*"
		if len(args) == 1 {
			pattern = args[0]
		}
		return f.do(c.Context(), s, f.namespace, func(ctx context.Context, session cim.Session) error {
			classes, err := session.EnumerateClasses(ctx, super, !shallow)
			if err != nil {
				return err
			}
			slices.SortFunc(classes, func(a, b *cim.Class) int { return cmp.Compare(cim.Fold(a.Name), cim.Fold(b.Name)) })
			l := listing{format: *format, columns: []string{"Name", "Superclass"}}
			for _, k := range classes {
				if matches(cim.Fold(pattern), cim.Fold(k.Name)) {
					l.add(k.Name, k.Superclass)
				}
			}
			return l.print(s.Out)
		})
	}
	return c
}

// matches tells whether a name fits a pattern of * and ?.
func matches(pattern, name string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if len(name) < len(before) {
		return false
	}
	for n := range len(before) {
		if before[n] != '?' && before[n] != name[n] {
			return false
		}
	}
	name = name[len(before):]
	if !star {
		return name == ""
	}
	for n := range len(name) + 1 {
		if matches(after, name[n:]) {
			return true
		}
	}
	return false
}

func wmiClass(s Streams) *cobra.Command {
	var f wmiFlags
	c := &cobra.Command{Use: "class NAME...", Short: "Print the definition of classes as MOF", Args: operands(1, -1, "a class"),
		Long:    "Print what classes declare themselves, as MOF that 'mofcomp' takes." + remoteHelp,
		Example: "  casement wmi class Win32_LogicalDisk\n  casement wmi class -n root/subscription CommandLineEventConsumer > clec.mof"}
	f.flags(c)
	f.namespaceFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.do(c.Context(), s, f.namespace, func(ctx context.Context, session cim.Session) error {
			for _, name := range args {
				class, err := session.GetClass(ctx, name, cim.GetOptions{Amended: true})
				if err != nil {
					return err
				}
				if _, err := (harmless{s.Out}).Write(mof.AppendClass(nil, class, mof.PrintOptions{})); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}
