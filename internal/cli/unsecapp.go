package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newUnsecapp) }

// unsecappPort is the port of its sinks, beside that of WMI's fixed one.
const unsecappPort = 24159

// unsecappSocket is where programs find it: one for the machine where root runs it,
// else one for each user, and "" where there is no folder for that.
func unsecappSocket(root bool) string {
	if root {
		return "/run/casement-unsecapp.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "casement-unsecapp.sock")
	}
	return ""
}

// findUnsecapp is the socket that a program takes: its user's, or that of the
// machine.
func findUnsecapp(named string) string {
	if named != "" {
		return named
	}
	if own := unsecappSocket(os.Geteuid() == 0); own != "" {
		if _, err := os.Stat(own); err == nil {
			return own
		}
	}
	return unsecappSocket(true)
}

func newUnsecapp(s Streams) *cobra.Command {
	var f asyncFlags
	var address, socket string
	c := &cobra.Command{
		Use: "unsecapp", Short: "Be called back by hosts for the programs of this machine", Args: cobra.NoArgs,
		Long: `Host the sinks of other programs of this machine, such as 'casement watch --async --unsecapp', until
Ctrl-C or SIGTERM. Hosts then call one program, at port 135 and one more that stays the same, which a
firewall can let in; the programs need no port, and no right to port 135. The ports are open only
while there is a sink, and only for the machines that were given one.

Who may call is decided here: --anonymous, the firewall and the registry of the state folder, as for
'watch --async'. The firewall's group "Windows Management Instrumentation (WMI)" lets calls in. As root it serves all users of the machine, else the one who runs it.

Exit codes: 0 ended by Ctrl-C or SIGTERM, 1 it could not serve, 2 wrong command line.`,
		Example: "  sudo casement unsecapp --anonymous\n  casement watch dcom://web1 --async --unsecapp 'SELECT * FROM Win32_ProcessStartTrace'",
	}
	state := stateFlag(c)
	c.Flags().StringVar(&address, "listen", "", "IP address to listen on (default: all)")
	c.Flags().Uint16Var(&f.port, "port", unsecappPort, "port of the sinks")
	c.Flags().BoolVar(&f.anonymous, "anonymous", false, "let hosts call without proving who they are, where MachineAccessRestriction is not set")
	c.Flags().StringVar(&socket, "socket", "", "Unix socket for the programs (default: /run/casement-unsecapp.sock for root, else in $XDG_RUNTIME_DIR)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if socket == "" {
			if socket = unsecappSocket(os.Geteuid() == 0); socket == "" {
				return usageError("--socket names the Unix socket: there is no XDG_RUNTIME_DIR to make it in")
			}
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		l, err := listenUnsecapp(ctx, socket)
		if err != nil {
			return err
		}
		o := f.options(stateFolder(*state), s.Err)
		o.Address, o.Logger, o.Program = address, (&serveFlags{}).logger(s.Err), firewall.ProgramUnsecapp
		fmt.Fprintf(s.Out, "Programs find this one at %s; hosts call it at port %d, and at 135 where that can be had. Ctrl-C ends it.\n", socket, f.port)
		return wmiclient.NewSinks(o).ServeUnsecapp(ctx, l)
	}
	return c
}

// listenUnsecapp opens the socket, in the place of one that nobody serves any more.
func listenUnsecapp(ctx context.Context, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		dctx, cancel := context.WithTimeout(ctx, time.Second)
		c, err := new(net.Dialer).DialContext(dctx, "unix", path)
		cancel()
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("another program serves %s", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o600)
	if os.Geteuid() == 0 {
		mode = 0o666 // every user of the machine may have a sink; none can read what another one's gets
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
