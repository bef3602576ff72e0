package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/casementhq/casement/internal/winrstool"
)

func init() {
	listed("winrs", "Windows' winrs: run a command in a remote shell",
		"winrs as on Windows: 'winrs /?' lists its switches. It also answers by its own name.", runWinrs)
}

func runWinrs(ctx context.Context, s Streams, args []string) error {
	state, args, err := takeLeadingState(args)
	if err != nil {
		return err
	}
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGQUIT)
	defer signal.Stop(interrupts)
	conn := &connector{state: stateFolder(state), log: newWarnings(s.Err)}
	t := &winrstool.Tool{
		Connector: conn, In: s.In, Out: s.Out, Err: s.Err,
		CodePage: consoleCodePage(), Password: passwordOf(s), EchoOff: echoOff(s.In), Interrupts: interrupts,
	}
	code := t.Run(ctx, args)
	if runtime.GOOS != "windows" && code != 0 && code&0xFF == 0 {
		code = 0xFF // this system keeps eight bits, and a failure must stay one
	}
	return errors.Join(exitCode(code), conn.close())
}

// takeLeadingState is takeState for a tool that must not look into the command
// at the end of its arguments.
func takeLeadingState(args []string) (state string, rest []string, err error) {
	n := 0
	for n < len(args) && len(args[n]) > 1 && (args[n][0] == '-' || args[n][0] == '/') {
		if args[n] == "--state" {
			n++
		}
		n++
	}
	n = min(n, len(args))
	state, rest, err = takeState(args[:n])
	return state, append(rest, args[n:]...), err
}
