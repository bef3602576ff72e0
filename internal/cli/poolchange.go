//go:build !nonats

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/casementhq/casement/pool"
	"github.com/spf13/cobra"
)

func init() { poolCommands = append(poolCommands, poolChange, poolRename) }

func poolChange(s Streams, f *poolFlags) *cobra.Command {
	var to pool.Server
	var transport string
	var pause, resume bool
	c := &cobra.Command{Use: "change SERVERS", Short: "Change how servers are reached, pause and resume them", Args: operands(1, 1, "servers"),
		Long: "Change what is written about servers. What no flag names stays; an empty value goes back to the\n" +
			"default. Tags have 'casement pool tag', the credential 'casement pool manage-as', the name\n" +
			"'casement pool rename'.\n\n" + poolHelp + "\n\nExit codes: 0 changed, 1 failed, 2 wrong command line or no such server.",
		Example: "  casement pool change db1 --address 10.0.0.8\n  casement pool change web1 --endpoint https://web1:5986/wsman\n  casement pool change tag:web --pause --note 'moves to the new hall'"}
	fl := c.Flags()
	fl.StringVar(&to.Address, "address", "", "what is dialled in place of the name")
	fl.StringVar(&to.Endpoint, "endpoint", "", "URL of WinRM (default http://NAME:5985/wsman)")
	fl.StringVar(&transport, "transport", "", "winrm, dcom or both (default: WinRM, and DCOM for those that cannot)")
	fl.StringVar(&to.Thumbprint, "thumbprint", "", "SHA-256 of the server's certificate, in place of all other checks of it")
	fl.StringVar(&to.Note, "note", "", "what people want to remember")
	fl.BoolVar(&pause, "pause", false, "ask them nothing until they are resumed")
	fl.BoolVar(&resume, "resume", false, "ask them again")
	c.MarkFlagsMutuallyExclusive("pause", "resume")
	c.RunE = func(c *cobra.Command, args []string) error {
		given := func(name string) bool { return fl.Changed(name) }
		one := given("address") || given("endpoint") || given("thumbprint")
		if !one && !given("transport") && !given("note") && !pause && !resume {
			return usageError("nothing to change is named (see 'casement pool change --help')")
		}
		to.Transport = pool.Transport(strings.ToLower(transport))
		trial := to
		if trial.Name = "trial"; trial.Clean() != nil {
			return usageError("%w", trial.Clean())
		}
		return f.with(c, func(ctx context.Context, p *pool.Pool) error {
			names, err := pickServers(p, args[0])
			if err != nil {
				return err
			}
			if one && len(names) > 1 {
				return usageError("--address, --endpoint and --thumbprint belong to one server; %s are %d", args[0], len(names))
			}
			return eachOf(ctx, s, p, names, "changed", func(ctx context.Context, p *pool.Pool, name string) error {
				return p.Update(ctx, name, func(e *pool.Server) error {
					for flag, set := range map[string]func(){
						"address": func() { e.Address = to.Address }, "endpoint": func() { e.Endpoint = to.Endpoint },
						"transport": func() { e.Transport = to.Transport }, "thumbprint": func() { e.Thumbprint = to.Thumbprint },
						"note": func() { e.Note = to.Note },
					} {
						if given(flag) {
							set()
						}
					}
					e.Paused = (e.Paused || pause) && !resume
					return nil
				})
			})
		})
	}
	return c
}

func poolRename(s Streams, f *poolFlags) *cobra.Command {
	return &cobra.Command{Use: "rename OLD NEW", Short: "Give a server another name", Args: operands(2, 2, "the name and the new one"),
		Long: "Give a server another name. Kerberos and certificates are asked for the new name, and it is dialled\n" +
			"where there is no --address. What was found under the old name is forgotten, and it is asked anew;\n" +
			"works that have been keep the old name.\n\nExit codes: 0 renamed, 1 failed, 2 wrong command line or no such server.",
		Example: "  casement pool rename 10.0.0.7 db1.corp.example",
		RunE: func(c *cobra.Command, args []string) error {
			if err := (&pool.Server{Name: args[1]}).Clean(); err != nil {
				return usageError("%w", err)
			}
			return f.with(c, func(ctx context.Context, p *pool.Pool) error {
				e, err := p.Get(args[0])
				if err != nil {
					return noServer(p.Servers(), args[0])
				}
				if err := p.Rename(ctx, e.Name, args[1]); err != nil {
					return err
				}
				_, err = fmt.Fprintf(s.Out, "%s is %s now.\n", e.Name, args[1])
				return err
			})
		}}
}
