//go:build nonats

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/casementhq/casement/service"
)

// The build without the pool and its console, by the tag nonats: for a machine that
// is managed, or asks others one by one. See docs/adr/0009.

// consoleAddress is what 'casement up' takes unless somebody says otherwise.
const consoleAddress = "off"

var errNoPool = errors.New("this casement was built without the pool and its console (build tag nonats); take the full one")

func init() {
	for _, name := range []string{"pool", "console"} {
		subcommands = append(subcommands, func(Streams) *cobra.Command {
			return &cobra.Command{Use: name, Hidden: true, DisableFlagParsing: true, Short: "Not in this build",
				Long: "POOL and CONSOLE are not in this build.", Example: "  casement " + name,
				RunE: func(*cobra.Command, []string) error { return errNoPool }}
		})
	}
}

// consolePage is the console that is not there.
type consolePage struct {
	listen string
	free   bool
	failed error
}

func (p *consolePage) beside(_ context.Context, _ *service.State, log *slog.Logger) {
	if p != nil {
		p.failed = errNoPool
		log.Warn("the console is not served", "error", p.failed)
	}
}

func (p *consolePage) announce(w io.Writer) {
	if p != nil {
		fmt.Fprintf(w, "%-9s is not open: %v\n", "Console", p.failed)
	}
}

func (p *consolePage) stop() error { return nil }
