// Package cli is the command line: one file per subcommand, each of which
// parses, calls the library and prints. Nothing here decides anything about a
// protocol.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Streams are the standard streams of one run, so that tests can run commands
// in-process.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Exit codes. A remote command's own code is passed through by run, winrs,
// shell and ps.
const (
	exitOK      = 0
	exitFailure = 1 // the operation was tried and failed
	exitUsage   = 2 // the command line is wrong; nothing was tried
)

// exitError ends the program with a code; err may be nil where everything was
// said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError marks a wrong command line.
func usageError(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// personality is a program that the binary becomes by its name.
type personality func(ctx context.Context, s Streams, args []string) error

// personalities are the names, lower-cased and without an extension. The same
// names are subcommands of casement, for where no link by that name exists.
var personalities = map[string]personality{}

// Main runs one command line and returns its exit code. args[0] is the name
// that the program was called by.
func Main(args []string, s Streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return conclude(s, dispatch(ctx, args, s))
}

// conclude prints the error of a command line, if any, and gives its exit code.
func conclude(s Streams, err error) int {
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitFailure, err: err}
	}
	if exit.err != nil {
		fmt.Fprintln(s.Err, "casement:", printableLines(exit.err.Error()))
	}
	return exit.code
}

func dispatch(ctx context.Context, args []string, s Streams) error {
	if p := personalities[toolName(args[0])]; p != nil {
		return p(ctx, s, args[1:])
	}
	if len(args) > 1 {
		if p := personalities[toolName(args[1])]; p != nil {
			return p(ctx, s, args[2:])
		}
	}
	root := newRoot(s)
	root.SetArgs(args[1:])
	return root.ExecuteContext(ctx)
}

// toolName folds the name that a program was called by: names answer
// case-blind, with and without a folder and .exe, .cmd or .msc.
func toolName(arg string) string {
	name := strings.ToLower(filepath.Base(strings.ReplaceAll(arg, `\`, "/")))
	for _, ext := range []string{".exe", ".cmd", ".msc"} {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

func newRoot(s Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "casement",
		Short: "Windows remote management in the open: WMI and WinRM, both ends",
		Long: "Casement manages Windows hosts from any machine, and makes any machine manageable\n" +
			"with the tools that people use for Windows.",
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		SilenceErrors:              true,
	}
	root.Args = cobra.ArbitraryArgs
	root.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		return usageError("%q is not a command%s (see 'casement --help')", args[0], similar(c.SuggestionsFor(args[0])))
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetUsageFunc(usage)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError("%w (see '%s --help')", err, c.CommandPath())
	})
	for _, add := range subcommands {
		c := add(s)
		if c.Name() == "help" {
			root.SetHelpCommand(c)
			continue
		}
		root.AddCommand(c)
	}
	return root
}

func similar(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; is it " + strings.Join(names, " or ") + "?"
}

// subcommands make the commands of casement; each file of this package adds
// its own.
var subcommands []func(Streams) *cobra.Command

// stateFlag adds --state and returns the folder that it names.
func stateFlag(c *cobra.Command) *string {
	return c.Flags().String("state", "", "state folder (default $CASEMENT_STATE, else "+defaultState()+")")
}

// stateFolder is the folder to use: the flag, the environment, the default.
func stateFolder(flag string) string {
	if flag != "" {
		return flag
	}
	if env := os.Getenv("CASEMENT_STATE"); env != "" {
		return env
	}
	return defaultState()
}

// defaultState is /var/lib/casement for root and $XDG_STATE_HOME/casement for
// everybody else.
func defaultState() string {
	if os.Geteuid() == 0 {
		return "/var/lib/casement"
	}
	if x := os.Getenv("XDG_STATE_HOME"); x != "" {
		return filepath.Join(x, "casement")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "casement-state"
	}
	return filepath.Join(home, ".local", "state", "casement")
}
