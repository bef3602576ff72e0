package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newRun) }

// shellFlags are the flags of commands that open a shell.
type shellFlags struct {
	remote
	env       []string
	directory string
	codePage  uint32
	noProfile bool
}

func (f *shellFlags) flags(c *cobra.Command) {
	f.remote.flags(c)
	c.Flags().StringArrayVarP(&f.env, "env", "e", nil, "NAME=VALUE to add to the environment; may be repeated")
	c.Flags().StringVarP(&f.directory, "directory", "d", "", "where the command starts (default: the account's home)")
	c.Flags().Uint32Var(&f.codePage, "codepage", 65001, "code page of the streams; 65001 is UTF-8")
	c.Flags().BoolVar(&f.noProfile, "no-profile", false, "do not load the account's profile")
}

func (f *shellFlags) options() (wsmanclient.ShellOptions, error) {
	o := wsmanclient.ShellOptions{WorkingDirectory: f.directory, CodePage: f.codePage, NoProfile: f.noProfile}
	for _, e := range f.env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			return o, usageError("--env %q is not NAME=VALUE", e)
		}
		o.Environment = append(o.Environment, winrs.Variable{Name: name, Value: value})
	}
	return o, nil
}

func newRun(s Streams) *cobra.Command {
	var f shellFlags
	var fan fanout
	var noStdin bool
	c := &cobra.Command{
		Use: "run HOST -- COMMAND...", Short: "Run a command on a host",
		Long: "Run a command line on a host and pass its input, output and exit code through. The words\n" +
			"are joined with blanks and read by the host's shell: cmd on Windows, sh elsewhere. Quote for\n" +
			"that shell. The first Ctrl-C is sent to the command, the second ends it. Several hosts, with\n" +
			"commas between or from --hosts, get an empty input, and each line of output shows its host." + remoteHelp + `

Exit codes of one host: that of the command (its low eight bits; 1 where these are 0 and the code is not),
1 where it could not be run, 2 wrong command line. Of several: 1 where any of them failed.`,
		Example: "  casement run here -- uname -a\n  casement run web1 -- \"ipconfig /all | findstr IPv4\"\n" +
			"  tar c src | casement run here -d /tmp -- tar x\n" +
			"  casement run web1,web2 -- uptime",
		Args: operands(1, -1, "a host and a command"),
	}
	f.flags(c)
	fan.flags(c)
	c.Flags().BoolVarP(&noStdin, "no-stdin", "N", false, "give the command an empty input")
	c.RunE = func(c *cobra.Command, args []string) error {
		hosts, words, err := fan.split(args)
		if err != nil {
			return err
		}
		command := strings.Join(words, " ")
		if strings.TrimSpace(command) == "" {
			return usageError("the command is missing: %s HOST -- COMMAND (see '%s --help')", c.CommandPath(), c.CommandPath())
		}
		if len(hosts) > 1 {
			return f.runMany(c.Context(), s, &fan, hosts, command)
		}
		o, err := f.options()
		if err != nil {
			return err
		}
		in := s.In
		if noStdin {
			in = nil
		}
		return f.single(c.Context(), s, hosts[0], func(ctx context.Context, conn *casement.Connection) error {
			return runCommand(ctx, conn, o, wsmanclient.CommandOptions{Command: command, Stdout: s.Out, Stderr: s.Err}, in)
		})
	}
	return c
}

// runCommand runs one command in a shell of its own and turns its exit code into the
// program's.
func runCommand(ctx context.Context, conn *casement.Connection, so wsmanclient.ShellOptions, co wsmanclient.CommandOptions, stdin io.Reader) error {
	shell, err := conn.Shell(ctx, so)
	if err != nil {
		return err
	}
	// The shell is deleted even where ctx has ended: nothing stays on the host.
	defer shell.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the host ends it when it is idle
	code, err := runIn(ctx, shell, co, stdin)
	if err != nil {
		return err
	}
	if code == 0 {
		return nil
	}
	return &exitError{code: processCode(code)}
}

// processCode fits a code of 32 bits into the eight that a process has.
func processCode(code uint32) int {
	if c := int(code & 0xff); c != 0 {
		return c
	}
	return exitFailure
}

// runIn runs a command, feeds it, and hands Ctrl-C on.
func runIn(ctx context.Context, shell *wsmanclient.Shell, o wsmanclient.CommandOptions, stdin io.Reader) (uint32, error) {
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	cmd, err := shell.Start(ctx, o)
	if err != nil {
		return 0, err
	}
	defer cmd.Close() //nolint:errcheck // the shell goes with it
	go feed(cmd, stdin)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-interrupts:
			case <-done:
				return
			}
			code := winrs.SignalCtrlC
			if n > 0 {
				code = winrs.SignalTerminate
			}
			if err := cmd.Signal(ctx, code); err != nil && n > 0 {
				cmd.Close() //nolint:errcheck // the last resort
			}
		}
	}()
	return cmd.Wait(ctx)
}

// feed copies the input to a command and ends it. A command that ends before its
// input does is no error.
func feed(cmd *wsmanclient.Command, stdin io.Reader) {
	if stdin != nil {
		buf := make([]byte, 256<<10)
		for {
			n, err := stdin.Read(buf)
			if n > 0 {
				if _, werr := cmd.Stdin.Write(buf[:n]); werr != nil {
					return
				}
			}
			if err != nil {
				break
			}
		}
	}
	_ = cmd.Stdin.Close()
}
