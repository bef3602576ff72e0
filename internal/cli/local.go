package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/casementhq/casement/service"
	"github.com/spf13/cobra"
)

// openState opens the state folder for a tool that reads or writes it beside a
// running service. The caller closes it.
func openState(flag string) (*service.State, error) {
	st, err := service.OpenState(stateFolder(flag), service.StateOptions{})
	if errors.Is(err, fs.ErrPermission) {
		return nil, denied(err)
	}
	return st, err
}

// denied says what to do about a state folder of somebody else.
func denied(err error) error {
	return fmt.Errorf("access is denied (5): %w; run it as the owner of the state folder, or with sudo", err)
}

// withState runs f on the open state folder.
func withState(flag string, f func(*service.State) error) error {
	st, err := openState(flag)
	if err != nil {
		return err
	}
	err = f(st)
	if errors.Is(err, fs.ErrPermission) {
		err = denied(err)
	}
	return errors.Join(err, st.Close())
}

// takeState removes --state DIR from the arguments of a tool whose own switches
// are those of Windows.
func takeState(args []string) (state string, rest []string, err error) {
	for i := 0; i < len(args); i++ {
		if dir, ok := strings.CutPrefix(args[i], "--state="); ok {
			state = dir
			continue
		}
		if args[i] != "--state" {
			rest = append(rest, args[i])
			continue
		}
		if i++; i == len(args) {
			return "", nil, usageError("--state needs a folder")
		}
		state = args[i]
	}
	return state, rest, nil
}

// listed makes a tool with switches of its own appear in help and completion.
func listed(name, short, long string, run personality) {
	personalities[name] = run
	subcommands = append(subcommands, func(s Streams) *cobra.Command {
		return &cobra.Command{
			Use: name, Short: short, Long: long, DisableFlagParsing: true,
			RunE: func(c *cobra.Command, args []string) error { return run(c.Context(), s, args) },
		}
	})
}

// wantsHelp tells whether the arguments of a Windows tool ask for its help.
func wantsHelp(args []string) bool {
	if len(args) == 0 {
		return false
	}
	switch strings.ToLower(args[len(args)-1]) {
	case "/?", "-?", "--help", "-h":
		return true
	}
	return false
}
