package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"

	"github.com/casementhq/casement/cim"
	"github.com/spf13/cobra"
)

func wmiSubscribe(s Streams) *cobra.Command {
	var f wmiFlags
	var count int
	c := &cobra.Command{Use: "subscribe WQL", Short: "Print events as they come", Args: operands(1, 1, "a query, in quotes"),
		Long: "Wait for the events that a WQL event query names, and print each as it comes, until Ctrl-C, --count\nevents or --timeout. __CLASS says what happened. A table names embedded objects by their paths; list\nand json show what is in them." + remoteHelp +
			"\n\nExit codes: 0 stopped by Ctrl-C or --count, 1 the subscription failed or --timeout was over, 2 wrong command line.",
		Example: "  casement wmi subscribe \"SELECT * FROM __InstanceModificationEvent WITHIN 5 WHERE TargetInstance ISA 'Win32_Service'\" -o json\n" +
			"  casement wmi subscribe 'SELECT * FROM Win32_ProcessStartTrace' --count 1"}
	f.flags(c)
	f.namespaceFlag(c)
	c.Flags().IntVar(&count, "count", 0, "end after so many events (default: never)")
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
		defer stop()
		err := f.do(ctx, s, f.namespace, func(ctx context.Context, session cim.Session) error {
			subscriber, ok := session.(cim.Subscriber)
			if !ok {
				return &cim.Error{Status: cim.ErrNotSupported, Operation: "Subscribe", Detail: "this way to the host carries no events"}
			}
			e, err := subscriber.Subscribe(ctx, args[0], cim.SubscribeOptions{})
			if err != nil {
				return err
			}
			return printEvents(ctx, eventRows(*format, newRows(*format, s.Out)), e, count)
		})
		if ctx.Err() != nil && c.Context().Err() == nil && errors.Is(err, context.Canceled) {
			return nil // Ctrl-C
		}
		return err
	}
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
