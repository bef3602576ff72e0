//go:build !nonats

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/console"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/internal/metrics"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/service"
)

// consoleAddress is where the console listens unless somebody says otherwise.
const consoleAddress = "127.0.0.1:9443"

func init() { subcommands = append(subcommands, newConsole) }

func newConsole(s Streams) *cobra.Command {
	var listen string
	var names []string
	var verbose bool
	c := &cobra.Command{
		Use:   "console",
		Short: "Serve the web page of the pool",
		Long: `Serve the web page of the pool, and its API, until Ctrl-C or SIGTERM.

'casement up' serves it too; this command is for a service that runs by 'casement
serve'. Who opens the page signs in with an account of this machine's service:
Administrators are administrators of the console, members of the groups "Casement
Operators" and "Casement Readers" may change servers, and look.

It listens with HTTPS and a certificate that this machine signs itself; its
fingerprint is printed, to be compared in the browser the first time. Browsers may
ask for it by this machine's name, by its addresses, and by what --name adds.

Exit codes: 0 ended by Ctrl-C or SIGTERM, 1 it could not serve, 2 wrong command line.`,
		Example: "  casement console\n  casement console --listen 0.0.0.0:9443 --name mgmt1.corp.example\n  casement console audit verify",
		Args:    cobra.NoArgs,
	}
	state := stateFlag(c)
	c.Flags().StringVar(&listen, "listen", consoleAddress, "address to listen on, host:port; port 0 takes a free one")
	c.Flags().StringSliceVar(&names, "name", nil, "more host names by which browsers ask for the page")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "log more")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return runConsole(c.Context(), s, *state, &consolePage{listen: listen, names: names}, serveFlags{verbose: verbose}.logger(s.Err))
	}
	c.AddCommand(consoleAudit(s))
	return c
}

func consoleAudit(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Check the audit log of the console",
		Long: "AUDIT checks the record of who did what with the console.", Example: "  casement console audit verify"}
	var file string
	verify := &cobra.Command{Use: "verify", Short: "Check that no line was changed, moved or taken out of the middle", Args: operands(0, 0, "no operand"),
		Long: `Check that each line of the audit log is what was written and follows the one before it. A log whose
end was cut off, or that was written anew as a whole, looks right: compare it with a copy elsewhere.

Exit codes: 0 all lines are as they were written, 1 one is not, 2 wrong command line.`,
		Example: "  casement console audit verify\n  casement console audit verify --file audit.jsonl"}
	state := stateFlag(verify)
	verify.Flags().StringVar(&file, "file", "", "a copy of the log (default that of the state folder)")
	verify.RunE = func(*cobra.Command, []string) error {
		if file == "" {
			file = filepath.Join(consoleFolder(stateFolder(*state)), console.AuditName)
		}
		f, err := os.Open(file) // #nosec G304 -- the user names it
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // it was read only
		n, err := auditlog.Verify(f)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fmt.Fprintf(s.Out, "%d lines are as they were written.\n", n)
		return nil
	}
	c.AddCommand(verify)
	group(c)
	return c
}

// consoleFolder and poolFolder are where the console and the pool of a state folder
// keep what is theirs.
func consoleFolder(state string) string { return filepath.Join(state, "console") }

func poolFolder(state string) string { return filepath.Join(state, "pool") }

func runConsole(ctx context.Context, s Streams, state string, p *consolePage, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := filepath.Abs(stateFolder(state))
	if err != nil {
		return err
	}
	st, err := service.OpenState(dir, service.StateOptions{Logger: log})
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // nothing of it was written
	if err := p.start(ctx, st, log); err != nil {
		return err
	}
	p.announce(s.Out)
	fmt.Fprintln(s.Out, "\nCtrl-C ends it.")
	select {
	case <-ctx.Done():
	case err := <-p.ended:
		p.ended <- err
	}
	return p.stop()
}

// consolePage is a console that is served: by its own command, or beside the service.
type consolePage struct {
	listen string
	names  []string
	free   bool // where the address is taken, any port will do

	url, fingerprint string
	failed           error // why it is not served
	cancel           context.CancelFunc
	ended            chan error
}

// start opens the pool and the console and serves it. What it opened is closed by
// stop, or before it returns an error.
func (p *consolePage) start(ctx context.Context, st *service.State, log *slog.Logger) (err error) {
	var opened []func() error
	defer func() {
		if err != nil {
			for n := len(opened) - 1; n >= 0; n-- {
				err = errors.Join(err, opened[n]())
			}
		}
	}()
	l, err := p.open(ctx)
	if err != nil {
		return err
	}
	opened = append(opened, func() error { l.Close(); return nil })
	certificate, err := st.OwnCertificate()
	if err != nil {
		return err
	}
	cert, err := certificate(nil)
	if err != nil {
		return err
	}
	var client casement.Options
	clientSettings(st.Dir, &client)
	counts := metrics.New(versionNumber())
	servers, err := pool.Open(ctx, pool.Options{Dir: poolFolder(st.Dir), Settings: client.Settings, NTLM: client.NTLM, Log: log, Observer: counts.Pool(), Sinks: poolSinks(st.Dir, 0)})
	if err != nil {
		return err
	}
	counts.Counts(servers.Count)
	opened = append(opened, servers.Close)
	people := consolePeople{st}
	machine, err := os.Hostname()
	if err != nil {
		return err
	}
	names := append(cert.Leaf.DNSNames, p.names...)
	names = append(names, machine)
	for _, ip := range cert.Leaf.IPAddresses {
		names = append(names, ip.String())
	}
	names = append(names, listenNames(l.Addr())...)
	p.fingerprint = service.Fingerprint(cert.Leaf)
	page, err := console.New(console.Options{Pool: servers, Dir: consoleFolder(st.Dir), SignIn: people.signIn, Current: people.current, Names: names, Machine: machine,
		Fingerprint: p.fingerprint, Version: versionNumber(), Metrics: counts.Handler(), Log: log})
	if err != nil {
		return err
	}
	opened = append(opened, page.Close)
	p.url = "https://" + l.Addr().String() + "/"
	ctx, p.cancel = context.WithCancel(ctx)
	p.ended = make(chan error, 1)
	work := make(chan error, 1)
	go func() { work <- servers.Serve(ctx, pool.ServeOptions{Schedule: true}) }()
	go func() {
		err := page.Serve(ctx, l, certificate)
		p.cancel()
		p.ended <- errors.Join(err, <-work, page.Close(), servers.Close())
	}()
	return nil
}

// open listens, on any port where the usual one is taken and that is permitted.
func (p *consolePage) open(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", p.listen)
	if err != nil && p.free {
		if host, _, split := net.SplitHostPort(p.listen); split == nil {
			l, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the console cannot listen: %w", err)
	}
	return l, nil
}

// listenNames are the addresses by which a listener is reached.
func listenNames(a net.Addr) (names []string) {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return nil
	}
	if !t.IP.IsUnspecified() {
		return []string{t.IP.String()}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			names = append(names, n.IP.String())
		}
	}
	return names
}

// announce says where the console is, or why it is not.
func (p *consolePage) announce(w io.Writer) {
	switch {
	case p == nil:
	case p.failed != nil:
		fmt.Fprintf(w, "%-9s is not open: %v\n", "Console", p.failed)
	default:
		fmt.Fprintf(w, "%-9s %s\n%-9s %s, of its certificate\n", "Console", p.url, "SHA-256", p.fingerprint)
	}
}

// stop ends it and waits until all of it is closed.
func (p *consolePage) stop() error {
	if p == nil || p.cancel == nil {
		return nil
	}
	p.cancel()
	return <-p.ended
}

// beside serves it beside the service. That it cannot be served is no reason for the
// service to end.
func (p *consolePage) beside(ctx context.Context, st *service.State, log *slog.Logger) {
	if p == nil {
		return
	}
	if p.failed = p.start(ctx, st, log); p.failed != nil {
		log.Warn("the console is not served", "error", p.failed)
	}
}
