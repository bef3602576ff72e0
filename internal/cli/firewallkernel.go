package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/spf13/cobra"
)

const firewallKernelHelp = `Have the kernel (nftables, on Linux) drop what the firewall refuses, for a service that root starts.

Without it the service takes each connection and resets one that the rules refuse, so that its peer
knows at once that something is there. With it a port that is shut is silent, and floods of
connections from addresses that may not come in stop before the service. The service decides as
before: what the kernel cannot be told is refused there.

The table is Casement's own, "casement" of the family inet; it names the ports that this service
listens on and no others, drops nothing else and goes with the service. Other tables are not touched.
One service of a machine can have it.`

func firewallKernel(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "kernel [on|off]", Short: "Have the kernel drop what the firewall refuses, or not", Args: operands(0, 1, "on or off"), Long: firewallKernelHelp,
		Example: "  sudo casement firewall kernel on\n  casement firewall kernel", ValidArgs: []string{"on", "off"}}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "on" && args[0] != "off" {
			return usageError("%q: want on or off", args[0])
		}
		return withState(*state, func(st *service.State) error {
			if len(args) == 1 {
				if err := switchKernel(st, args[0] == "on"); err != nil {
					return err
				}
			}
			word := map[bool]string{true: "on", false: "off"}[service.InKernel(st.Snapshot().Reader)]
			_, err := fmt.Fprintf(s.Out, "Kernel: %s\n", word)
			return err
		})
	}
	return c
}

// switchKernel changes the permission and the setting; who is not root can only switch it
// off.
func switchKernel(st *service.State, on bool) error {
	if err := st.PermitKernel(on); err != nil && (on || !errors.Is(err, fs.ErrPermission) || os.Geteuid() == 0) {
		return err
	}
	return st.Hive.Update(func(tx *registry.Tx) error { return settings.Apply(tx, []settings.Change{service.SetInKernel(on)}) })
}
