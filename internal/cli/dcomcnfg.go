package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/internal/dcomcnfg"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/spf13/cobra"
)

const dcomcnfgHelp = `DCOMCNFG shows and changes who may use DCOM of this machine, and with it WMI from afar. Without a
command it shows what its window shows on Windows. A caller of another machine must be granted by a
limit of the machine and by the application both. A running service follows a change at once.

Which permission:
  --limits launch|access            My Computer, COM Security, Edit Limits
  --default launch|access           My Computer, COM Security, Edit Default
  --app wmi launch|access|config    DCOM Config, Windows Management Instrumentation, Security

RIGHTS stand with commas between:
  launch   local-launch, remote-launch, local-activation, remote-activation
  access   local-access, remote-access
  config   read, full: who may change the permissions and the endpoint of the application

PRINCIPAL is a local user or group, also with HOST\ or BUILTIN\ before it, a name such as
"ANONYMOUS LOGON" or "Authenticated Users", a SID, or an account of a domain: DOMAIN\name where this
machine can ask for its SID, or user@REALM.

Exit codes: 0 done, 1 refused or failed, nothing was changed, 2 wrong command line.`

func init() {
	subcommands = append(subcommands, newDcomcnfg)
	stands("dcomcnfg", "dcomcnfg")
}

func newDcomcnfg(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "dcomcnfg", Short: "Show and change the permissions of DCOM (DCOMCNFG.exe)", Long: dcomcnfgHelp,
		Example: "  casement dcomcnfg\n  casement dcomcnfg get wmi -o json\n" +
			"  casement dcomcnfg grant --limits launch alice remote-launch,remote-activation\n" +
			"  casement dcomcnfg grant --limits access \"ANONYMOUS LOGON\" remote-access\n" +
			"  casement dcomcnfg endpoint 24158"}
	c.AddCommand(dcomGet(s), dcomGrant(s), dcomDeny(s), dcomRevoke(s), dcomSet(s), dcomReset(s), dcomEndpoint(s))
	state := stateFlag(c)
	group(c)
	unknown := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(c, args)
		}
		return withDCOM(*state, func(t *dcomcnfg.Tool, st *service.State) error {
			machine, err := st.Accounts.Machine()
			if err != nil {
				return err
			}
			return t.View(harmless{s.Out}, machine)
		})
	}
	return c
}

// withDCOM runs f with the tool over a state folder.
func withDCOM(state string, f func(*dcomcnfg.Tool, *service.State) error) error {
	return withState(state, func(st *service.State) error {
		caller, err := st.LocalCaller()
		if err != nil {
			return err
		}
		user, err := st.ServiceUser()
		if err != nil {
			return err
		}
		err = f(&dcomcnfg.Tool{Hive: st.Hive, Caller: caller, Names: accountNames{state}, User: user}, st)
		if errors.Is(err, dcomcnfg.ErrUsage) {
			return usageError("%w", err)
		}
		return err
	})
}

// comPage are the flags that name a permission.
type comPage struct {
	state                  *string
	limits, defaults, apps string
}

func (p *comPage) flags(c *cobra.Command) {
	p.state = stateFlag(c)
	c.Flags().StringVar(&p.limits, "limits", "", "a limit of the machine: launch or access")
	c.Flags().StringVar(&p.defaults, "default", "", "a default of the machine: launch or access")
	c.Flags().StringVar(&p.apps, "app", "", "an application: wmi; launch, access or config follows")
	c.MarkFlagsMutuallyExclusive("limits", "default", "app")
}

// comPages are the permissions by their words.
var comPages = map[string]settings.COMSetting{
	"limits launch": settings.LaunchLimit, "limits access": settings.AccessLimit,
	"default launch": settings.DefaultLaunch, "default access": settings.DefaultAccess,
	"app launch": settings.WMILaunch, "app access": settings.WMIAccess, "app config": settings.WMIConfigure,
}

// of finds the permission, whose word is the first operand where an application is
// named, and gives the other operands.
func (p *comPage) of(c *cobra.Command, args []string) (settings.COMSetting, []string, error) {
	words := ""
	switch {
	case p.limits != "":
		words = "limits " + p.limits
	case p.defaults != "":
		words = "default " + p.defaults
	case p.apps != "":
		if !strings.EqualFold(p.apps, "wmi") && !strings.EqualFold(p.apps, wmiServiceTitle) {
			return 0, nil, usageError("%q is no DCOM application of this machine, wmi is the one", p.apps)
		}
		if len(args) > 0 {
			words, args = "app "+args[0], args[1:]
		}
	}
	s, ok := comPages[strings.ToLower(words)]
	if !ok {
		return 0, nil, usageError("%s wants --limits launch|access, --default launch|access or --app wmi launch|access|config (see '%s --help')", c.CommandPath(), c.CommandPath())
	}
	return s, args, nil
}

// comCommand is a command that changes one permission and wants low to high operands
// beside its name.
func comCommand(s Streams, use, short, example string, low, high int, want string, do func(t *dcomcnfg.Tool, s settings.COMSetting, args []string) error) *cobra.Command {
	var p comPage
	c := &cobra.Command{Use: use, Short: short, Long: short + ".\n\n" + dcomcnfgHelp, Example: example, Args: cobra.ArbitraryArgs}
	p.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		which, args, err := p.of(c, args)
		if err != nil {
			return err
		}
		if err := operands(low, high, want)(c, args); err != nil {
			return err
		}
		return withDCOM(*p.state, func(t *dcomcnfg.Tool, _ *service.State) error {
			err := do(t, which, args)
			if err == nil {
				_, err = fmt.Fprintf(s.Out, "%s was changed.\n", which.ValueName())
			}
			return err
		})
	}
	return c
}

func dcomGrant(s Streams) *cobra.Command {
	return comCommand(s, "grant PRINCIPAL RIGHTS", "Allow rights, beside what the principal has",
		"  casement dcomcnfg grant --limits launch alice remote-launch,remote-activation\n  casement dcomcnfg grant --app wmi config alice full",
		2, 2, "a principal and rights", func(t *dcomcnfg.Tool, w settings.COMSetting, args []string) error {
			return t.Grant(w, args[0], args[1])
		})
}

func dcomDeny(s Streams) *cobra.Command {
	return comCommand(s, "deny PRINCIPAL RIGHTS", "Deny rights, whatever else allows them",
		"  casement dcomcnfg deny --limits access bob remote-access",
		2, 2, "a principal and rights", func(t *dcomcnfg.Tool, w settings.COMSetting, args []string) error { return t.Deny(w, args[0], args[1]) })
}

func dcomRevoke(s Streams) *cobra.Command {
	return comCommand(s, "revoke PRINCIPAL [RIGHTS]", "Take rights away, or the principal altogether",
		"  casement dcomcnfg revoke --limits launch alice\n  casement dcomcnfg revoke --app wmi launch alice remote-launch",
		1, 2, "a principal and at most one list of rights", func(t *dcomcnfg.Tool, w settings.COMSetting, args []string) error {
			return t.Revoke(w, args[0], strings.Join(args[1:], ""))
		})
}

func dcomReset(s Streams) *cobra.Command {
	return comCommand(s, "reset", "Give a permission its default back", "  casement dcomcnfg reset --limits launch",
		0, 0, "no operand", func(t *dcomcnfg.Tool, w settings.COMSetting, _ []string) error { return t.Reset(w) })
}

func dcomSet(s Streams) *cobra.Command {
	c := comCommand(s, "set SDDL | set enable-dcom yes|no", "Replace a permission, or switch DCOM on and off",
		"  casement dcomcnfg set enable-dcom no\n  casement dcomcnfg set --limits launch 'O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)'",
		1, 1, "a descriptor as SDDL", func(t *dcomcnfg.Tool, w settings.COMSetting, args []string) error { return t.Set(w, args[0]) })
	page := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		named := c.Flags().Changed("limits") || c.Flags().Changed("default") || c.Flags().Changed("app")
		if named || len(args) != 2 || !strings.EqualFold(args[0], "enable-dcom") {
			return page(c, args)
		}
		on := strings.EqualFold(args[1], "yes") || strings.EqualFold(args[1], "y")
		if !on && !strings.EqualFold(args[1], "no") && !strings.EqualFold(args[1], "n") {
			return usageError("enable-dcom is yes or no")
		}
		return withDCOM(c.Flag("state").Value.String(), func(t *dcomcnfg.Tool, _ *service.State) error {
			err := t.Enable(on)
			if err == nil {
				_, err = fmt.Fprintln(s.Out, "EnableDCOM was changed.")
			}
			return err
		})
	}
	return c
}

func dcomEndpoint(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "endpoint PORT|dynamic", Short: "Give WMI a port of its own", Args: operands(1, 1, "a port, or dynamic"),
		Long:    "Give WMI a port of 1024 to 65535, as the page Endpoints of its application does, or a dynamic one.\nIt counts when WMI starts next.",
		Example: "  casement dcomcnfg endpoint 24158\n  net stop winmgmt\n  net start winmgmt"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		port := uint64(0)
		if !strings.EqualFold(args[0], "dynamic") {
			var err error
			if port, err = strconv.ParseUint(args[0], 10, 16); err != nil || port == 0 {
				return usageError("%q is no port of 1024 to 65535, and not 'dynamic'", args[0])
			}
		}
		return withDCOM(*state, func(t *dcomcnfg.Tool, _ *service.State) error {
			err := t.Endpoint(uint16(port))
			if err == nil {
				_, err = fmt.Fprintln(s.Out, "Endpoints was changed. It counts when WMI starts: 'net stop winmgmt', 'net start winmgmt'.")
			}
			return err
		})
	}
	return c
}

func dcomGet(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "get machine|wmi", Short: "List the settings of the machine, or of the WMI application", Args: operands(1, 1, "machine or wmi"),
		Example: "  casement dcomcnfg get machine\n  casement dcomcnfg get wmi -o json"}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		rows := map[string]func(*dcomcnfg.Tool) []dcomcnfg.Row{"machine": (*dcomcnfg.Tool).Machine, "wmi": (*dcomcnfg.Tool).WMI}[strings.ToLower(args[0])]
		if rows == nil {
			return usageError("%q is not known: machine or wmi", args[0])
		}
		return withDCOM(*state, func(t *dcomcnfg.Tool, _ *service.State) error {
			l := &listing{format: *format, columns: []string{"Setting", "Type", "Account", "Value", "Source"}}
			for _, r := range rows(t) {
				l.add(r.Setting, r.Type, r.Account, r.Value, r.Source)
			}
			return l.print(s.Out)
		})
	}
	return c
}
