//go:build !nonats

package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newPool) }

const poolHelp = `The pool is the servers that you manage: how each is reached and as whom, what state it is in and
why. It lies in the folder pool of the state folder, and several commands may use it at once. With
--nats it lies on a cluster of NATS that several machines share.

SERVERS is a list of names with commas, all, or a filter such as tag:web or "state:blocked os:2019".`

// poolCommands make the commands of casement pool; each file adds its own.
var poolCommands []func(Streams, *poolFlags) *cobra.Command

func newPool(s Streams) *cobra.Command {
	var f poolFlags
	c := &cobra.Command{Use: "pool", Short: "Manage many servers: their state, and work on all of them", Long: poolHelp,
		Example: "  casement pool add web1,web2 --tag web\n  casement pool credential add ops --user 'CORP\\ops' --for all\n  casement pool list state:blocked,attention\n  casement pool run tag:web -- uptime"}
	p := c.PersistentFlags()
	p.StringVar(&f.state, "state", "", "state folder (default $CASEMENT_STATE, else "+defaultState()+")")
	p.StringVar(&f.nats, "nats", "", "URL of a NATS cluster that keeps the pool, with commas between several")
	p.StringVar(&f.cert, "nats-cert", "", "file of the certificate for the cluster, PEM")
	p.StringVar(&f.key, "nats-key", "", "file of its key")
	p.StringVar(&f.ca, "nats-ca", "", "file of the authority that the cluster's certificate is checked by")
	p.StringVar(&f.identity, "identity", "", "file of the key that opens credentials (default: in the pool's folder)")
	p.Uint16Var(&f.sinkPort, "sink-port", 0, "port that servers call beside 135 where callbacks are tried (default: a free one)")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		hint := ""
		if strings.Contains(c.Use, "FILTER") || strings.Contains(c.Use, "SERVERS") {
			hint = "; a filter or a tag that begins with - stands behind --, as in '" + c.CommandPath() + " -- -tag:web'"
		}
		return usageError("%w (see '%s --help'%s)", err, c.CommandPath(), hint)
	})
	c.PersistentPreRunE = func(*cobra.Command, []string) error {
		named := 0
		for _, file := range []string{f.cert, f.key, f.ca} {
			if file != "" {
				named++
			}
		}
		switch {
		case f.nats == "" && named > 0:
			return usageError("--nats-cert, --nats-key and --nats-ca belong to --nats")
		case f.nats != "" && named < 3:
			return usageError("a cluster is reached by mutual TLS: --nats wants --nats-cert, --nats-key and --nats-ca, too")
		}
		return nil
	}
	for _, add := range poolCommands {
		c.AddCommand(add(s, &f))
	}
	return group(c)
}

// poolFlags say where the pool is.
type poolFlags struct {
	state, nats, cert, key, ca, identity string
	metrics                              string // of those that work for the pool
	sinkPort                             uint16
}

// options are those of the pool that the flags name.
func (f *poolFlags) options(log *slog.Logger) pool.Options {
	dir := stateFolder(f.state)
	return pool.Options{Dir: filepath.Join(dir, "pool"), NATS: f.nats, Cert: f.cert, Key: f.key, CA: f.ca, Identity: f.identity, Log: log, Sinks: poolSinks(dir, f.sinkPort)}
}

// poolSinks are where the callbacks of servers are tried that are to work over DCOM,
// too; port 0 is a free one. Who is refused there is in the doctor's report.
func poolSinks(dir string, port uint16) *wmiclient.Sinks {
	return (&asyncFlags{port: port}).sinks(dir, io.Discard)
}

// with opens the pool for do.
func (f *poolFlags) with(c *cobra.Command, do func(ctx context.Context, p *pool.Pool) error) error {
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
	defer stop()
	p, err := pool.Open(ctx, f.options(nil))
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // what was written is on the disk
	return do(ctx, p)
}

// whoAmI is who an entry or a work is said to be of.
func whoAmI() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// splitNames splits a list with commas.
func splitNames(args []string) []string {
	var list []string
	for _, arg := range args {
		for name := range strings.SplitSeq(arg, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// pickServers finds what SERVERS names: names, all, or a filter. What is not there is a
// wrong command line, since nothing was tried.
func pickServers(p *pool.Pool, operand string) ([]string, error) {
	all := p.Servers()
	if len(all) == 0 {
		return nil, usageError("the pool is empty; 'casement pool add NAME' adds the first server")
	}
	if strings.EqualFold(operand, "all") {
		return serverNames(all), nil
	}
	list := splitNames([]string{operand})
	isName := func(name string) bool { _, err := p.Get(name); return err == nil }
	if !slices.ContainsFunc(list, isName) && (strings.ContainsAny(operand, ":\" ") || strings.HasPrefix(operand, "-")) {
		filter, err := pool.ParseFilter(operand)
		if err != nil {
			return nil, usageError("%w", err)
		}
		picked := filter.Pick(all, time.Now())
		if len(picked) == 0 {
			return nil, usageError("none of the %d servers of the pool matches %s; 'casement pool list' shows them", len(all), operand)
		}
		return serverNames(picked), nil
	}
	if len(list) == 0 {
		return nil, usageError("SERVERS is empty")
	}
	for n, name := range list {
		e, err := p.Get(name)
		if err != nil {
			return nil, noServer(all, name)
		}
		list[n] = e.Name
	}
	return list, nil
}

// noServer says that no server has a name, and what may have been meant.
func noServer(all []pool.Entry, name string) error {
	isTag := func(e pool.Entry) bool {
		return slices.ContainsFunc(e.Tags, func(t string) bool { return strings.EqualFold(t, name) })
	}
	if slices.ContainsFunc(all, isTag) {
		return usageError("no server of the pool has the name %s; tag:%s are those with this tag", name, name)
	}
	return usageError("no server of the pool has the name %s; 'casement pool list' shows what is there", name)
}

func serverNames(list []pool.Entry) []string {
	names := make([]string, len(list))
	for n, e := range list {
		names[n] = e.Name
	}
	return names
}
