package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newWatch) }

const watchHelp = `Wait for the events that a WQL event query names, and print each as it comes, until Ctrl-C, --count
events or --timeout. __CLASS says what happened. A table names embedded objects by their paths; list
and json show what is in them.`

const watchCodes = "\n\nExit codes: 0 stopped by Ctrl-C or --count, 1 the subscription failed or --timeout was over, 2 wrong command line."

// watchFlags are the flags of the commands that wait for events.
type watchFlags struct {
	wmiFlags
	async  asyncFlags
	count  int
	format *string
}

func (f *watchFlags) flags(c *cobra.Command) {
	f.namespaceFlag(c)
	c.Flags().IntVar(&f.count, "count", 0, "end after so many events (default: never)")
	f.format = formatFlag(c)
}

// run prints the events of one host.
func (f *watchFlags) run(command context.Context, s Streams, query string) error {
	ctx, stop := signal.NotifyContext(command, os.Interrupt)
	defer stop()
	if f.async.on {
		f.sinks = f.async.sinks(stateFolder(*f.state), s.Err)
	}
	err := f.do(ctx, s, f.namespace, func(ctx context.Context, session cim.Session) error {
		e, err := f.subscribe(ctx, session, query, s.Err)
		if err != nil {
			return err
		}
		return printEvents(ctx, eventRows(*f.format, newRows(*f.format, s.Out)), e, f.count)
	})
	if ctx.Err() != nil && command.Err() == nil && errors.Is(err, context.Canceled) && !errors.Is(err, wmiclient.ErrNeverCalled) {
		return nil // Ctrl-C
	}
	return err
}

func (f *watchFlags) subscribe(ctx context.Context, session cim.Session, query string, stderr io.Writer) (cim.Enumerator, error) {
	if f.async.on {
		return f.async.subscribe(ctx, session, query, stderr)
	}
	subscriber, ok := session.(cim.Subscriber)
	if !ok {
		return nil, &cim.Error{Status: cim.ErrNotSupported, Operation: "Subscribe", Detail: "this way to the host carries no events"}
	}
	return subscriber.Subscribe(ctx, query, cim.SubscribeOptions{})
}

func newWatch(s Streams) *cobra.Command {
	var f watchFlags
	c := &cobra.Command{Use: "watch HOST WQL", Short: "Print the events of a host as they come", Args: operands(2, 2, "a host and an event query"),
		Long: watchHelp + "\n\nThe host is asked again and again for what has happened, so that no port is open here." + asyncHelp + remoteHelp + watchCodes,
		Example: "  casement watch here \"SELECT * FROM __InstanceCreationEvent WITHIN 2 WHERE TargetInstance ISA 'Win32_Process'\"\n" +
			"  casement watch web1 'SELECT * FROM Win32_ProcessStartTrace' --count 1 -o json\n" +
			"  casement watch dcom://web1 --async --anonymous 'SELECT * FROM Win32_ProcessStartTrace'"}
	f.remote.flags(c)
	f.flags(c)
	f.async.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		f.host = args[0]
		return f.run(c.Context(), s, args[1])
	}
	return c
}

func wmiSubscribe(s Streams) *cobra.Command {
	var f watchFlags
	c := &cobra.Command{Use: "subscribe WQL", Short: "Print events as they come", Args: operands(1, 1, "a query, in quotes"),
		Long: watchHelp + "\n'casement watch HOST' is the same for any host." + remoteHelp + watchCodes,
		Example: "  casement wmi subscribe \"SELECT * FROM __InstanceModificationEvent WITHIN 5 WHERE TargetInstance ISA 'Win32_Service'\" -o json\n" +
			"  casement wmi subscribe 'SELECT * FROM Win32_ProcessStartTrace' --count 1"}
	f.wmiFlags.flags(c)
	f.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error { return f.run(c.Context(), s, args[0]) }
	return c
}

// printEvents prints up to count events, all for 0.
func printEvents(ctx context.Context, out rowWriter, e cim.Enumerator, count int) (err error) {
	defer func() { err = errors.Join(err, e.Close(), out.close()) }()
	for left := count; count == 0 || left > 0; {
		batch, err := e.Next(ctx, left)
		if len(batch) > 0 {
			left -= len(batch)
			if err := out.write("", batch); err != nil {
				return err
			}
		}
		if err != nil {
			return endOf(err)
		}
	}
	return nil
}
