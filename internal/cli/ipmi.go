package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/casementhq/casement/providers/ipmi"
	"github.com/casementhq/casement/service"
	"github.com/spf13/cobra"
)

func init() {
	subcommands = append(subcommands, newIPMI)
	listed("rundll32", "Answer to 'Rundll32 ipmisetp.dll, AddTheDevice': casement ipmi add", rundll32Help, runRundll32)
}

const ipmiHelp = `BMCs whose sensors, event logs and users the service shows in root\hardware: the one of this
machine, behind the kernel's driver (/dev/ipmi0), and others over the LAN. Only those in the
list are asked, and a running service follows the list at once.

The list is ipmi.json in the state folder. It holds the passwords of BMCs, so nobody else may
read it.`

func newIPMI(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "ipmi", Short: "Add, remove and show BMCs (IPMI)", Long: ipmiHelp,
		Example: "  casement ipmi status\n  sudo casement ipmi add\n  casement query . 'SELECT Name, CurrentReading, UnitModifier FROM NumericSensor' -n 'root\\hardware'"}
	c.AddCommand(ipmiStatus(s), ipmiAdd(s),
		ipmiSimple(s, "remove NAME...", "Take BMCs out of the list; their objects go", "removed", (*ipmi.Store).Remove),
		ipmiSimple(s, "disable NAME...", "Leave BMCs alone, and keep them in the list", "disabled",
			func(st *ipmi.Store, name string) error { return st.SetDisabled(name, true) }),
		ipmiSimple(s, "enable NAME...", "Use BMCs again", "enabled",
			func(st *ipmi.Store, name string) error { return st.SetDisabled(name, false) }))
	return group(c)
}

// withDevices runs f on the list of BMCs of a state folder.
func withDevices(state string, f func(*ipmi.Store) error) error {
	return withState(state, func(st *service.State) error { return f(ipmi.OpenStore(st.Dir)) })
}

func ipmiStatus(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Show each BMC, how it was found and whether it answers", Args: operands(0, 0, "no operand"), Example: "  casement ipmi status -o json",
		Long: ipmiHelp + "\n\nThe line 'local' is this machine: Found says whether its firmware declares a BMC (the SPMI table of\nACPI, SMBIOS type 38) and which device files there are, Driver which driver of the kernel is\nbound to it. Any driver counts. Exit codes: 0 shown, 1 the list cannot be read."}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withDevices(*state, func(st *ipmi.Store) error {
			devices, err := st.Devices()
			if err != nil {
				return err
			}
			return printStatus(c.Context(), s, *format, devices)
		})
	}
	return c
}

// probeTime bounds how long one BMC is asked who it is.
const probeTime = 10 * time.Second

func printStatus(ctx context.Context, s Streams, format string, devices []ipmi.Device) error {
	local := ipmi.Discover("/")
	l := listing{format: format, columns: []string{"Name", "Address", "State", "Detail", "Found", "Driver"}}
	row := func(d ipmi.Device, state, detail string) {
		found, driver := "added by hand", ""
		if d.Local() {
			found, driver = local.String(), strings.Join(local.Drivers, ", ")
		}
		l.add(d.Name, d.Address(), state, detail, found, driver)
	}
	added := false
	for _, d := range devices {
		added = added || d.Local()
		state, detail := "disabled", "'casement ipmi enable "+d.Name+"' uses it again"
		if !d.Disabled {
			state, detail = probe(ctx, d)
		}
		row(d, state, detail)
	}
	if here := (ipmi.Device{Name: ipmi.LocalName}); !added && local.Found() {
		row(here, "not added", "'casement ipmi add' adds it")
	} else if !added {
		row(here, "not found", "no BMC is declared and the kernel has no driver")
	}
	return l.print(s.Out)
}

// probe says whether a BMC answers.
func probe(ctx context.Context, d ipmi.Device) (state, detail string) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	a, err := ipmi.Probe(ctx, d, "/")
	switch {
	case err == nil:
		return "answers", fmt.Sprintf("IPMI %s, firmware %s, manufacturer %s, product %s", a.Version, a.Firmware, a.Manufacturer, a.Product)
	case errors.Is(err, ipmi.ErrNoBMC):
		return "no driver", "'casement ipmi add' as root loads it"
	case errors.Is(err, ipmi.ErrCredentials):
		return "refuses", "it refuses the user or the password; 'casement ipmi add' again changes them"
	}
	return "does not answer", err.Error()
}

func ipmiAdd(s Streams) *cobra.Command {
	var d ipmi.Device
	p := newPassword{}
	c := &cobra.Command{Use: "add [HOST]", Short: "Add the BMC of this machine, or that of HOST over the LAN", Args: operands(0, 1, "at most one host"),
		Long:    ipmiHelp + "\n\nWithout HOST it is the BMC of this machine: as root the kernel's driver is loaded where there is\nnone. With HOST it is a BMC that speaks IPMI 2.0 over the LAN; --user is needed, and adding the\nsame name again replaces it. Sessions are always encrypted (cipher suites 17 and 3). What was done is\nprinted.\n\nExit codes: 0 added, 1 not added, 2 wrong command line.",
		Example: "  sudo casement ipmi add\n  pass show bmc1 | casement ipmi add 10.0.0.9 --name bmc1 --user monitor --privilege user --password-stdin"}
	state := stateFlag(c)
	c.Flags().StringVar(&d.Name, "name", "", "what to call it (default: HOST)")
	c.Flags().IntVar(&d.Port, "port", 0, "UDP port of HOST (default 623)")
	c.Flags().StringVarP(&d.User, "user", "u", "", "user of the BMC")
	c.Flags().StringVar(&d.Privilege, "privilege", "", "what sessions may do: user (read), operator (and set thresholds, clear the\nlog, list users) or administrator (default)")
	c.Flags().BoolVar(&p.stdin, "password-stdin", false, "read the password from the first line of the standard input")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			if d.Name != "" || d.Port != 0 || d.User != "" || d.Privilege != "" || p.stdin {
				return usageError("--name, --port, --user, --privilege and --password-stdin need HOST (see '%s --help')", c.CommandPath())
			}
			return withDevices(*state, func(st *ipmi.Store) error { return addLocal(c.Context(), s, st) })
		}
		if d.Host = args[0]; d.Name == "" {
			d.Name = d.Host
		}
		if d.User == "" {
			return usageError("a BMC over the LAN needs --user")
		}
		return withDevices(*state, func(st *ipmi.Store) error { return addRemote(c.Context(), s, st, d, p) })
	}
	return c
}

func addLocal(ctx context.Context, s Streams, st *ipmi.Store) error {
	load := ipmi.LoadModules
	if os.Geteuid() != 0 {
		load = nil
	}
	said, err := ipmi.AddLocal(ctx, st, "/", load)
	for _, line := range said {
		fmt.Fprintln(s.Out, line)
	}
	if errors.Is(err, ipmi.ErrNoBMC) {
		return fmt.Errorf("nothing was added: %w; 'casement ipmi add HOST' adds one over the LAN", err)
	}
	if err == nil {
		state, detail := probe(ctx, ipmi.Device{Name: ipmi.LocalName})
		fmt.Fprintf(s.Out, "It %s: %s.\n", state, detail)
	}
	return err
}

func addRemote(ctx context.Context, s Streams, st *ipmi.Store, d ipmi.Device, p newPassword) (err error) {
	if d.Password, err = p.get(s, d.User+" on "+d.Host); err != nil {
		return err
	}
	if err := st.Put(d); err != nil {
		return err
	}
	state, detail := probe(ctx, d)
	_, err = fmt.Fprintf(s.Out, "The BMC %s at %s was added.\nIt %s: %s.\n", d.Name, d.Address(), state, detail)
	return err
}

func ipmiSimple(s Streams, use, short, done string, do func(*ipmi.Store, string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: operands(1, -1, "names of BMCs"), Long: ipmiHelp}
	c.Example = "  casement ipmi " + strings.Replace(use, "NAME...", "bmc1", 1)
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withDevices(*state, func(st *ipmi.Store) error {
			for _, name := range args {
				if err := do(st, name); errors.Is(err, ipmi.ErrNoDevice) {
					return fmt.Errorf("%w; 'casement ipmi status' shows it", err)
				} else if err != nil {
					return err
				}
				fmt.Fprintf(s.Out, "The BMC %s was %s.\n", name, done)
			}
			return nil
		})
	}
	return c
}

const rundll32Help = `Rundll32 ipmisetp.dll, AddTheDevice

is how Windows adds the device of a BMC. Here it is 'casement ipmi add', and what follows
AddTheDevice are the arguments of that. No other DLL and no other function is answered.

Exit codes: those of 'casement ipmi add'.
`

// runRundll32 answers to the one function of a DLL that the documents name.
func runRundll32(ctx context.Context, s Streams, args []string) error {
	if len(args) == 0 || wantsHelp(args[:1]) {
		_, err := fmt.Fprint(s.Out, rundll32Help)
		return err
	}
	entry, rest := args[0], args[1:]
	for len(rest) > 0 && (!strings.Contains(entry, ",") || strings.HasSuffix(entry, ",")) { // a blank and a comma part them, in any order
		entry, rest = entry+" "+rest[0], rest[1:]
	}
	dll, function, _ := strings.Cut(entry, ",")
	dll, function = strings.TrimSpace(dll), strings.TrimSpace(function)
	if !strings.EqualFold(dll, "ipmisetp.dll") || function != "AddTheDevice" {
		return usageError("rundll32 answers to 'ipmisetp.dll, AddTheDevice' alone, not to %q; nothing was done", strings.Join(args, " "))
	}
	root := newRoot(s)
	root.SetArgs(append([]string{"ipmi", "add"}, rest...))
	return root.ExecuteContext(ctx)
}
