package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/casementhq/casement"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newIdentify) }

func newIdentify(s Streams) *cobra.Command {
	var r remote
	var anonymous bool
	c := &cobra.Command{
		Use: "identify HOST", Short: "Ask a host what it is",
		Long:    "Ask the WinRM service of a host for its vendor, product and protocol." + remoteHelp + "\n\nExit codes: 0 it answered, 1 it did not, 2 wrong command line.",
		Example: "  casement identify here\n  casement identify http://web1:5985/wsman --anonymous -o json",
		Args:    operands(1, 1, "one host"),
	}
	r.flags(c)
	c.Flags().BoolVar(&anonymous, "anonymous", false, "ask without authentication; the host then tells less")
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return r.single(c.Context(), s, args[0], func(ctx context.Context, conn *casement.Connection) error {
			id, err := conn.Identify(ctx, anonymous)
			if err != nil {
				return err
			}
			l := listing{format: *format, columns: []string{"ProtocolVersion", "ProductVendor", "ProductVersion"}}
			if l.format == "table" {
				l.format = "list"
			}
			l.add(strings.Join(id.ProtocolVersion, " "), id.ProductVendor, id.ProductVersion)
			if err := l.print(s.Out); err != nil {
				return fmt.Errorf("print the answer: %w", err)
			}
			return nil
		})
	}
	return c
}
