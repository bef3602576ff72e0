package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/wmitool"
	"github.com/casementhq/casement/security"
	"github.com/spf13/cobra"
)

const sdHelp = `

RIGHTS are labels of WMI Control with commas between: Execute Methods, Full Write, Partial Write,
Provider Write, Enable Account, Remote Enable, Read Security, Edit Security, or All. A remote
caller needs Enable Account and Remote Enable to read. USER is an account or group of that
machine, or a SID.`

func init() {
	listed("wmimgmt", "Windows' WMI Control: the security of namespaces",
		"wmimgmt.msc is a window on Windows. Here its page Security is the command line of\n'casement wmi sd': get, set, grant, revoke.",
		standIn("wmi", "sd"))
}

func wmiSecurity(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "sd", Short: "Read and change the security of namespaces (WMI Control)",
		Long: "Read and change who may do what in a namespace, as the page Security of wmimgmt.msc does." + sdHelp + remoteHelp,
		Example: "  casement wmi sd get root/cimv2\n  casement wmi sd grant root/cimv2 alice 'Enable Account,Remote Enable'\n" +
			"  casement wmi sd revoke root/cimv2 alice 'Remote Enable'",
	}
	c.AddCommand(sdGet(s), sdSet(s), sdGrant(s), sdRevoke(s))
	return group(c)
}

func sdGet(s Streams) *cobra.Command {
	var f wmiFlags
	var sddl bool
	c := &cobra.Command{Use: "get NAMESPACE", Short: "Show who may do what in a namespace", Args: operands(1, 1, "a namespace"),
		Long:    "Show who may do what in a namespace." + sdHelp + remoteHelp,
		Example: "  casement wmi sd get root/cimv2\n  casement wmi sd get root/cimv2 --sddl --host web1"}
	f.flags(c)
	c.Flags().BoolVar(&sddl, "sddl", false, "print the descriptor as SDDL")
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.do(c.Context(), s, args[0], func(ctx context.Context, session cim.Session) error {
			sd, err := wmitool.ReadSecurity(ctx, session)
			if err != nil {
				return err
			}
			if sddl {
				_, err := fmt.Fprintln(s.Out, sd)
				return err
			}
			return f.table(*format, sd).print(s.Out)
		})
	}
	return c
}

// table lists the entries of a descriptor.
func (f *wmiFlags) table(format string, sd *security.SecurityDescriptor) *listing {
	l := &listing{format: format, columns: []string{"Type", "Account", "Rights", "AppliesTo", "Inherited"}}
	if sd.DACL == nil {
		return l
	}
	for _, e := range sd.DACL.ACEs {
		kind := "Allow"
		if e.Type != security.AccessAllowed {
			kind = "Deny"
		}
		applies := "this namespace"
		switch {
		case e.Flags&security.InheritOnly != 0:
			applies = "subnamespaces"
		case e.Flags&security.ContainerInherit != 0:
			applies = "this namespace and subnamespaces"
		}
		l.add(kind, f.accountName(e.SID), wmitool.FormatRights(e.Mask), applies, e.Flags&security.Inherited != 0)
	}
	return l
}

func (f *wmiFlags) accountName(sid security.SID) string {
	if domain, name, ok := security.WellKnownName(sid); ok {
		if domain != "" {
			return domain + `\` + name
		}
		return name
	}
	if f.host == "." {
		if name, ok := (accountNames{*f.state}).Name(sid); ok {
			return name
		}
	}
	return sid.String()
}

func (f *wmiFlags) trustee(ctx context.Context, session cim.Session, name string) (security.SID, error) {
	if f.host == "." {
		if sid, ok := (accountNames{*f.state}).SID(name); ok {
			return sid, nil
		}
	}
	return wmitool.Trustee(ctx, session, name)
}

// change reads, changes and writes a descriptor.
func (f *wmiFlags) change(ctx context.Context, s Streams, namespace string, change func(context.Context, cim.Session, *security.SecurityDescriptor) error) error {
	return f.do(ctx, s, namespace, func(ctx context.Context, session cim.Session) error {
		sd, err := wmitool.ReadSecurity(ctx, session)
		if err != nil {
			return err
		}
		if err := change(ctx, session, sd); err != nil {
			return err
		}
		return wmitool.WriteSecurity(ctx, session, sd)
	})
}

func sdSet(s Streams) *cobra.Command {
	var f wmiFlags
	c := &cobra.Command{Use: "set NAMESPACE SDDL", Short: "Replace the security of a namespace", Args: operands(2, 2, "a namespace and SDDL"),
		Long:    "Replace the security descriptor of a namespace. The machine refuses one without owner or group, or with\nFull Write but not the kinds of writing in it." + sdHelp + remoteHelp,
		Example: `  casement wmi sd set root/cimv2 'O:BAG:BAD:(A;CI;0x6003f;;;BA)(A;CI;0x13;;;AU)'`}
	f.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		sd, err := security.ParseSDDL(args[1])
		if err != nil {
			return usageError("%w", err)
		}
		return f.do(c.Context(), s, args[0], func(ctx context.Context, session cim.Session) error {
			return wmitool.WriteSecurity(ctx, session, sd)
		})
	}
	return c
}

func sdGrant(s Streams) *cobra.Command {
	var f wmiFlags
	var below bool
	c := &cobra.Command{Use: "grant NAMESPACE USER RIGHTS", Short: "Give rights in a namespace", Args: operands(3, 3, "a namespace, a user and rights"),
		Long: "Give rights in a namespace to a user or group, beside what it has." + sdHelp + remoteHelp,
		Example: "  casement wmi sd grant root/cimv2 alice 'Enable Account,Remote Enable'\n" +
			"  casement wmi sd grant root WinRMRemoteWMIUsers__ 'Enable Account,Remote Enable' --subnamespaces"}
	f.flags(c)
	c.Flags().BoolVar(&below, "subnamespaces", false, "in the namespaces below it too")
	c.RunE = func(c *cobra.Command, args []string) error {
		mask, err := wmitool.ParseRights(args[2])
		if err != nil {
			return usageError("%w", err)
		}
		return f.change(c.Context(), s, args[0], func(ctx context.Context, session cim.Session, sd *security.SecurityDescriptor) error {
			sid, err := f.trustee(ctx, session, args[1])
			if err != nil {
				return err
			}
			wmitool.Grant(sd, sid, mask, below)
			return nil
		})
	}
	return c
}

func sdRevoke(s Streams) *cobra.Command {
	var f wmiFlags
	c := &cobra.Command{Use: "revoke NAMESPACE USER [RIGHTS]", Short: "Take rights in a namespace away", Args: operands(2, 3, "a namespace, a user and at most one list of rights"),
		Long:    "Take rights in a namespace from a user or group, all of them without RIGHTS. What is inherited from\nthe namespace above is taken away there." + sdHelp + remoteHelp,
		Example: "  casement wmi sd revoke root/cimv2 alice\n  casement wmi sd revoke root/cimv2 alice 'Remote Enable'"}
	f.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		mask := ^uint32(0)
		if len(args) == 3 {
			var err error
			if mask, err = wmitool.ParseRights(args[2]); err != nil {
				return usageError("%w", err)
			}
		}
		return f.change(c.Context(), s, args[0], func(ctx context.Context, session cim.Session, sd *security.SecurityDescriptor) error {
			sid, err := f.trustee(ctx, session, args[1])
			if err != nil {
				return err
			}
			if !wmitool.Revoke(sd, sid, mask) {
				return errors.New("the namespace itself gives " + args[1] + " none of these rights; 'casement wmi sd get' shows where they come from")
			}
			return nil
		})
	}
	return c
}
