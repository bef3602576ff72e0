package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newVersion) }

func newVersion(s Streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version and how this binary was built", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				_, err := fmt.Fprintln(s.Out, "casement (no build information)")
				return err
			}
			_, err := fmt.Fprintln(s.Out, "casement", info.Main.Version, info.GoVersion)
			return err
		},
	}
}
