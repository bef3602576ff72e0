package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/wmi"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newQuery, newGet) }

const rowsHelp = `

Rows print as they come. In a table NULL is empty, a terminal too narrow for it gets a list
instead; json is one array with null for NULL and datetimes in ISO 8601, csv has a head line,
xml is CIM-XML. With several hosts each row shows its host, and the hosts that failed stand in
a table on the standard error.

Exit codes: 0 all hosts answered, 1 at least one failed, 2 wrong command line.`

// rowFlags are the flags of a command that prints instances.
type rowFlags struct {
	remote
	fanout
	namespace string
	batch     int
	format    *string
	classes   bool // the rows are classes
}

func (f *rowFlags) flags(c *cobra.Command) {
	f.remote.flags(c)
	f.fanout.flags(c)
	namespaceFlag(c, &f.namespace)
	c.Flags().IntVar(&f.batch, "batch", 0, "rows in one message (default 20)")
	f.format = formatFlag(c)
}

// run asks every host and prints the rows that ask gives.
func (f *rowFlags) run(ctx context.Context, s Streams, hosts []string, ask func(ctx context.Context, session cim.Session) (cim.Enumerator, error)) error {
	ctx, cancel := f.remote.context(ctx)
	defer cancel()
	d, err := f.open(s, hosts...)
	if err != nil {
		return err
	}
	defer d.close() //nolint:errcheck // a trace that cannot be closed harms nothing
	print := newRows(*f.format, s.Out)
	if f.classes {
		print = classRows(*f.format, print)
	}
	out := &rows{out: print, many: len(hosts) > 1}
	err = f.each(ctx, s, d, hosts, func(ctx context.Context, host string, c *casement.Connection) error {
		session, err := c.Session(ctx, namespaceOf(f.namespace))
		if err != nil {
			return err
		}
		defer session.Close() //nolint:errcheck // what matters was said before
		e, err := ask(ctx, session)
		if err != nil {
			return err
		}
		return out.pour(ctx, host, e)
	})
	return errors.Join(err, out.out.close())
}

// endOf is nil for the end of an enumeration.
func endOf(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// namespaceOf accepts slashes, which shells leave alone.
func namespaceOf(name string) string {
	b := []byte(name)
	for n := range b {
		if b[n] == '/' {
			b[n] = '\\'
		}
	}
	return string(b)
}

// isEventQuery tells whether a query that is no data query asks for events.
func isEventQuery(query string) bool {
	_, data := wql.Parse(query)
	_, event := wql.ParseEvent(query)
	return data != nil && event == nil
}

// noteSystemProperties says that properties which a query names cannot come.
func noteSystemProperties(s Streams, query string) {
	q, err := wql.Parse(query)
	if err != nil {
		return
	}
	for _, n := range q.Select {
		if strings.HasPrefix(n.Parts[0], "__") {
			fmt.Fprintf(s.Err, "casement: %s will not be in the rows: they show no system properties\n", printable(n.String()))
		}
	}
}

// givesClasses tells whether the rows of a query are classes.
func givesClasses(query string) bool {
	a, err := wql.ParseAssociators(query)
	return wql.IsSchema(query) || err == nil && (a.ClassDefsOnly || a.SchemaOnly)
}

func newQuery(s Streams) *cobra.Command {
	var f rowFlags
	c := &cobra.Command{
		Use: "query HOST WQL", Short: "Run a WQL query on one or many hosts",
		Long: "Run a WQL query on one host, several with commas between, or those of --hosts. The rows of a schema query\n(SELECT * FROM meta_class, ClassDefsOnly, SchemaOnly) are classes; events come from 'casement watch'." + remoteHelp + rowsHelp,
		Example: "  casement query here 'SELECT Name, ProcessId FROM Win32_Process'\n" +
			"  casement query web1,web2 \"SELECT * FROM Win32_Service WHERE State = 'Stopped'\" -o json\n" +
			"  casement query --hosts servers.txt 'SELECT FreeSpace FROM Win32_LogicalDisk' -o csv\n" +
			"  casement query here \"ASSOCIATORS OF {Win32_Service.Name='cron.service'} WHERE ResultClass=Win32_Process\"\n" +
			"  casement query here \"SELECT * FROM meta_class WHERE __this ISA 'CIM_LogicalDevice'\"\n" +
			"  casement query dcom://web1 'SELECT Name, State FROM Win32_Service' --user Administrator\n" +
			"  casement query 'winmgmts:{authenticationLevel=pktPrivacy}!//web1/root/cimv2' 'SELECT * FROM Win32_Process'",
		Args: operands(1, 2, "a host and a query"),
	}
	f.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		hosts, rest, err := f.split(args)
		if err != nil {
			return err
		}
		if len(rest) != 1 {
			return usageError("%s wants one query after HOST, in quotes, or --hosts and one query (see '%s --help')", c.CommandPath(), c.CommandPath())
		}
		noteSystemProperties(s, rest[0])
		f.classes = givesClasses(rest[0])
		events := newEventless(rest[0])
		err = f.run(c.Context(), s, hosts, func(ctx context.Context, session cim.Session) (cim.Enumerator, error) {
			e, err := session.Query(ctx, rest[0], cim.QueryOptions{Batch: f.batch})
			if err != nil {
				events.ask(ctx, session)
				return nil, err
			}
			return events.watch(session, e), nil
		})
		if events.noticed.Load() {
			fmt.Fprintf(s.Err, "casement: %s is a class of events, which no query reads; they come from 'casement watch'\n", printable(events.class))
		}
		if errors.Is(err, cim.ErrInvalidQuery) && isEventQuery(rest[0]) {
			err = fmt.Errorf("%w; events come from 'casement watch'", err)
		}
		return err
	}
	return c
}

// monikerObject is the path of the object that a moniker names, "" for none.
func monikerObject(moniker string) string {
	m, err := wmi.ParseMoniker(moniker)
	if err != nil || m.Path.Class == "" {
		return ""
	}
	return m.Path.String()
}

func newGet(s Streams) *cobra.Command {
	var f rowFlags
	var properties []string
	c := &cobra.Command{
		Use: "get HOST CLASS[.KEY=VALUE,...]", Short: "Read one instance, or all of a class",
		Long: "Read the instance that a path names, the one of a singleton class (CLASS=@), or all\ninstances of a class." + remoteHelp + rowsHelp,
		Example: "  casement get here Win32_OperatingSystem=@ -o list\n  casement get here 'Win32_Process.Handle=1'\n" +
			"  casement get web1,web2 Win32_LogicalDisk --properties DeviceID,FreeSpace\n" +
			"  casement get 'winmgmts:!//web1/root/cimv2:Win32_OperatingSystem=@'",
		Args: operands(1, 2, "a host and a path"),
	}
	f.flags(c)
	c.Flags().StringSliceVarP(&properties, "properties", "p", nil, "only these properties")
	c.RunE = func(c *cobra.Command, args []string) error {
		hosts, rest, err := f.split(args)
		if err != nil {
			return err
		}
		if len(rest) == 0 && len(hosts) == 1 && isMoniker(hosts[0]) {
			rest = []string{monikerObject(hosts[0])}
		}
		if len(rest) != 1 || rest[0] == "" {
			return usageError("%s wants one path after HOST, or --hosts and one path, or a moniker with the object (see '%s --help')", c.CommandPath(), c.CommandPath())
		}
		path, err := cim.ParsePath(rest[0])
		if err != nil {
			return usageError("the path %s cannot be read: %w", rest[0], err)
		}
		if path.Namespace != "" {
			f.namespace = path.Namespace
		}
		return f.run(c.Context(), s, hosts, func(ctx context.Context, session cim.Session) (cim.Enumerator, error) {
			if path.IsClass() {
				return session.Enumerate(ctx, path.Class, cim.EnumerateOptions{Properties: properties, Batch: f.batch})
			}
			i, err := session.Get(ctx, path, cim.GetOptions{Properties: properties})
			if err != nil {
				return nil, err
			}
			return cim.SliceEnumerator([]*cim.Instance{i}, nil), nil
		})
	}
	return c
}
