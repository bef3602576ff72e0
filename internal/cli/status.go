package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/wmitool"
	"github.com/casementhq/casement/service"
)

func init() { subcommands = append(subcommands, newStatus) }

func newStatus(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Show who may manage this machine, and why", Args: operands(0, 0, "nothing"),
		Long: `Show who may manage this machine, and why: its role, remote management, listeners, schemes and users
of WinRM, the policies in force, and the four places that may need a change before another machine can
open a namespace: Windows Firewall, UAC, DCOM and CIMOM. A source is Default, Hive (this machine) or GPO
(Group Policy). A service need not run. It takes root or the owner of the state folder.

Exit codes: 0 shown, 1 access is denied or there is no state, 2 wrong command line.`,
		Example: "  casement status\n  casement status -o json"}
	state, format := stateFlag(c), formatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		lines, err := statusLines(c.Context(), s, *state)
		if err != nil {
			return err
		}
		if *format == "table" {
			return printMachineStatus(s.Out, lines)
		}
		l := &listing{format: *format, columns: []string{"Place", "Item", "Value", "Source"}}
		for _, line := range lines {
			l.add(line.Place, line.Item, line.Value, line.Source)
		}
		return l.print(s.Out)
	}
	return c
}

// statusLines asks the state folder, and the object manager for its namespaces.
func statusLines(ctx context.Context, s Streams, state string) (lines []service.StatusLine, err error) {
	err = withState(state, func(st *service.State) error {
		lines = st.Status(ctx)
		more, err := namespaceLines(ctx, s, state, st)
		lines = append(lines, more...)
		return err
	})
	return lines, err
}

func namespaceLines(ctx context.Context, s Streams, state string, st *service.State) (lines []service.StatusLine, err error) {
	c, err := newWMIConnector(s, state)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	conn, err := c.dial(ctx, wmitool.Target{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return lines, walkNamespaces(ctx, conn, "root", true, func(session cim.Session, name string) error {
		line := service.StatusLine{Place: service.PlaceCIMOM, Item: name, Value: "it cannot be read"}
		if session != nil {
			sd, err := wmitool.ReadSecurity(ctx, session)
			if err != nil {
				line.Value = "its permissions cannot be read: " + err.Error()
			} else {
				line = st.NamespaceStatus(name, sd)
			}
		}
		lines = append(lines, line)
		return nil
	})
}

// printMachineStatus prints the lines place by place.
func printMachineStatus(w io.Writer, lines []service.StatusLine) error {
	place, width := "", map[string]int{}
	for _, l := range lines {
		width[l.Place] = min(max(width[l.Place], len(l.Item)), 60)
	}
	for _, l := range lines {
		if l.Place != place {
			if place != "" {
				fmt.Fprintln(w)
			}
			place = l.Place
			fmt.Fprintln(w, place)
		}
		text := l.Value
		if l.Source != "" {
			text += " [" + l.Source + "]"
		}
		if _, err := fmt.Fprintf(w, "    %-*s  %s\n", width[l.Place], printableLines(l.Item), printableLines(text)); err != nil {
			return err
		}
	}
	return nil
}
