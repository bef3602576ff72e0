package cli

import (
	"context"

	"github.com/casementhq/casement/internal/netsh"
	"github.com/casementhq/casement/registry"
)

func init() {
	listed("netsh", "Windows' netsh: rules, groups and profiles of the firewall", netsh.Help, runNetsh)
}

func runNetsh(_ context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	t := netsh.Tool{Out: harmless{s.Out}, Err: harmless{s.Err}, Open: func() (*registry.Hive, func() error, error) {
		st, err := openState(state)
		if err != nil {
			return nil, nil, err
		}
		return st.Hive, st.Close, nil
	}}
	return exitCode(t.Run(args))
}
