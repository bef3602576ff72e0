//go:build !nonats

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/casementhq/casement/pool"
	"github.com/spf13/cobra"
)

func init() { poolCommands = append(poolCommands, poolInvoke, poolManagement, poolCopy) }

func poolInvoke(s Streams, f *poolFlags) *cobra.Command {
	var t poolTask
	var p pool.InvokeParameters
	c := &cobra.Command{Use: "invoke SERVERS PATH METHOD [NAME=VALUE...]", Short: "Call a method of a class or an instance on many servers",
		Args: operands(3, -1, "servers, a path, a method, and its parameters"),
		Long: "Call a method of the class or instance that PATH names; what it gives is printed as JSON, one line\n" +
			"for each server. A PATH that begins with SELECT is a query: the method is called on each instance\n" +
			"that it finds, 500 at most, one line for each. A ReturnValue other than 0 is a failure. It is called\n" +
			"once and never again by itself.\n\n" + poolHelp + poolExitCodes,
		Example: "  casement pool invoke tag:web 'Win32_Service.Name=\"Spooler\"' StopService\n  casement pool invoke web1 Win32_Process Create CommandLine='sleep 60'\n" +
			"  casement pool invoke all \"SELECT * FROM Win32_Process WHERE Name='notepad.exe'\" Terminate Reason=0"}
	t.flags(c)
	c.Flags().StringVarP(&p.Namespace, "namespace", "n", "", `namespace (default root\cimv2)`)
	c.RunE = func(c *cobra.Command, args []string) error {
		p.Path, p.Method, p.Arguments = args[1], args[2], map[string]string{}
		if first, _, _ := strings.Cut(strings.TrimSpace(args[1]), " "); strings.EqualFold(first, "SELECT") {
			p.Path, p.Query = "", args[1]
		}
		for _, a := range args[3:] {
			name, value, ok := strings.Cut(a, "=")
			if !ok || name == "" {
				return usageError("a parameter is NAME=VALUE, and not %s", a)
			}
			if _, twice := p.Arguments[name]; twice {
				return usageError("the parameter %s is given twice; 'casement invoke' makes arrays, on one host", name)
			}
			p.Arguments[name] = value
		}
		return t.do(c, s, f, args[0], pool.KindInvoke, p, func(ctx context.Context, p *pool.Pool, w pool.Work, results []pool.Result) error {
			for _, r := range results {
				out := &prefixWriter{mu: new(sync.Mutex), w: harmless{s.Out}, prefix: r.Server}
				if r.Words == "ReturnValue" { // the method itself was called
					fmt.Fprintf(out, "ReturnValue %s ", r.Code)
				}
				if err := pourOutput(ctx, p, w.ID, r, out); err != nil {
					return err
				}
				if err := out.end(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}

func poolManagement(s Streams, f *poolFlags) *cobra.Command {
	var t poolTask
	var yes bool
	c := &cobra.Command{Use: "remote-management SERVERS on|off", Short: "Switch the management of servers over WinRM on or off", Args: operands(2, 2, "servers, and on or off"),
		Long: "Have servers run Configure-SMRemoting, and look whether WinRM answers this computer afterwards. A\n" +
			"server whose WinRM is off is switched on over DCOM, which this switch does not concern; where DCOM\n" +
			"does not answer either, 'Configure-SMRemoting.exe -enable' is typed at the server itself.\n\n" + poolHelp + poolExitCodes,
		Example: "  casement pool remote-management web1 off\n  casement pool remote-management tag:web on"}
	t.flags(c)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask before it is switched off")
	c.RunE = func(c *cobra.Command, args []string) error {
		on := strings.EqualFold(args[1], "on")
		if !on && !strings.EqualFold(args[1], "off") {
			return usageError("remote management is switched on or off, and not %s", args[1])
		}
		if !on && !yes {
			question := fmt.Sprintf("Casement itself will lose %s, unless DCOM answers there. Switch remote management off", args[0])
			sure, err := confirm(s, question, "--yes")
			if err == nil && !sure {
				_, err = fmt.Fprintln(s.Out, "Nothing was changed.")
			}
			if err != nil || !sure {
				return err
			}
		}
		return t.do(c, s, f, args[0], pool.KindRemoteManagement, pool.RemoteManagementParameters{On: on}, func(_ context.Context, _ *pool.Pool, _ pool.Work, results []pool.Result) error {
			for _, r := range results {
				if r.State == pool.Done {
					fmt.Fprintf(s.Out, "%s: %s\n", r.Server, printable(r.Words))
				}
			}
			return nil
		})
	}
	return c
}

func poolCopy(s Streams, f *poolFlags) *cobra.Command {
	var t poolTask
	c := &cobra.Command{Use: "copy SERVERS FILE TO", Short: "Copy a small file to many servers", Args: operands(3, 3, "servers, a file, and where to"),
		Long: fmt.Sprintf("Copy a file of at most %d kB to a file or folder of servers. It is compared by its SHA-256, and\n"+
			"takes its name when it is whole. 'casement cp' copies what is larger to one server.\n\n", pool.MaxCopy>>10) + poolHelp + poolExitCodes,
		Example: "  casement pool copy tag:web motd /etc/motd"}
	t.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		file, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer file.Close()
		data, err := io.ReadAll(io.LimitReader(file, pool.MaxCopy+1))
		if err != nil {
			return err
		}
		p := pool.CopyParameters{To: args[2], Name: filepath.Base(args[1]), Data: data}
		return t.do(c, s, f, args[0], pool.KindCopy, p, func(_ context.Context, _ *pool.Pool, w pool.Work, _ []pool.Result) error {
			_, err := fmt.Fprintf(s.Out, "%d of %d done.\n", w.Tally.Done, len(w.Targets))
			return err
		})
	}
	return c
}
