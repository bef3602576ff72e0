package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/service"
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
	async  bool
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
	err := f.do(ctx, s, f.namespace, func(ctx context.Context, session cim.Session) error {
		if f.async {
			return f.pushed(ctx, s, session, query)
		}
		subscriber, ok := session.(cim.Subscriber)
		if !ok {
			return &cim.Error{Status: cim.ErrNotSupported, Operation: "Subscribe", Detail: "this way to the host carries no events"}
		}
		e, err := subscriber.Subscribe(ctx, query, cim.SubscribeOptions{})
		if err != nil {
			return err
		}
		return printEvents(ctx, eventRows(*f.format, newRows(*f.format, s.Out)), e, f.count)
	})
	if ctx.Err() != nil && command.Err() == nil && errors.Is(err, context.Canceled) {
		return nil // Ctrl-C
	}
	return err
}

func newWatch(s Streams) *cobra.Command {
	var f watchFlags
	c := &cobra.Command{Use: "watch HOST WQL", Short: "Print the events of a host as they come", Args: operands(2, 2, "a host and an event query"),
		Long: watchHelp + "\n\nThe host is asked again and again for what has happened, so that no port is open here. With --async\n" +
			"it calls back, over DCOM alone: a port is open here meanwhile, and 135 where it can be had, and\n" +
			"ANONYMOUS LOGON needs Remote Access in MachineAccessRestriction of this machine, since the host\n" +
			"cannot prove who it is. The host needs AllowAnonymousCallback." + remoteHelp + watchCodes,
		Example: "  casement watch here \"SELECT * FROM __InstanceCreationEvent WITHIN 2 WHERE TargetInstance ISA 'Win32_Process'\"\n" +
			"  casement watch web1 'SELECT * FROM Win32_ProcessStartTrace' --count 1 -o json\n" +
			"  casement watch dcom://web1 'SELECT * FROM Win32_ProcessStartTrace' --async"}
	f.remote.flags(c)
	f.flags(c)
	c.Flags().BoolVar(&f.async, "async", false, "have the host call back, over DCOM")
	c.RunE = func(c *cobra.Command, args []string) error {
		f.host = args[0]
		if f.async {
			f.sinks = wmiclient.NewSinks(wmiclient.SinkOptions{Anonymous: f.mayCallBack, Refused: func(peer net.Addr, err error) {
				fmt.Fprintf(s.Err, "casement: a call from %s is refused: %s\n", peer, printable(err.Error()))
			}})
		}
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

// mayCallBack is nil where a host may call back without proof, as this machine's
// settings have it now.
func (f *watchFlags) mayCallBack() error {
	return withState(*f.state, func(st *service.State) error { return st.Snapshot().DCOM.CheckAnonymousCallback() })
}

// unreached is how long a host may take to call back before a word about it.
const unreached = 5 * time.Second

// pushed prints the events that the host calls back with.
func (f *watchFlags) pushed(ctx context.Context, s Streams, session cim.Session, query string) error {
	over, ok := session.(*wmiclient.Session)
	if !ok {
		return usageError("--async is for WMI over DCOM: name the host as dcom://HOST")
	}
	e, err := over.SubscribeAsync(ctx, query, cim.SubscribeOptions{})
	if err != nil {
		return err
	}
	late := time.AfterFunc(unreached, func() {
		select {
		case <-e.Reached():
		default:
			fmt.Fprintf(s.Err, "casement: %s has not called back yet: it has to reach port %d of this machine, and needs AllowAnonymousCallback 1\n", f.host, e.Ports().Objects)
		}
	})
	defer late.Stop()
	return printEvents(ctx, eventRows(*f.format, newRows(*f.format, s.Out)), e, f.count)
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
