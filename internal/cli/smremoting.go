package cli

import (
	"context"

	"github.com/casementhq/casement/internal/smremoting"
	"github.com/casementhq/casement/service"
)

func init() {
	listed("configure-smremoting", "Windows' Configure-SMRemoting: remote management on and off", smremoting.Usage, runSMRemoting)
}

func runSMRemoting(ctx context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	if wantsHelp(args) {
		args = []string{"-help"}
	}
	t := &smremoting.Tool{Machine: &service.QuickConfig{Dir: stateFolder(state)}, Out: s.Out, Err: s.Err}
	return exitCode(t.Run(ctx, args))
}
