package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/casementhq/casement/internal/metrics"
	"github.com/casementhq/casement/privilege"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
)

func init() { subcommands = append(subcommands, newServe, newPrivilegeHelper) }

// serveFlags are what up and serve have in common.
type serveFlags struct {
	state    *string
	defaults string
	role     string
	answers  string
	keytab   string
	verbose  bool
	trace    string
	dcomPort int
	noDCOM   bool
	metrics  string
	page     *consolePage // served beside the service; nil is none
}

func (f *serveFlags) add(c *cobra.Command) {
	f.state = stateFlag(c)
	c.Flags().StringVar(&f.defaults, "defaults", "", "default values of settings: current, or documented as in the Windows documentation; kept in the state folder")
	c.Flags().StringVar(&f.keytab, "keytab", "", "keys of this machine's account in a domain, which let it offer Kerberos; kept in the state folder ('casement keytab')")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log each request that fails and why")
	c.Flags().IntVar(&f.dcomPort, "dcom-port", service.ResolverPort, "port of the endpoint mapper of WMI over DCOM; other clients find no other port than 135; 0 takes a free one")
	c.Flags().BoolVar(&f.noDCOM, "no-dcom", false, "do not serve WMI over DCOM")
	c.Flags().StringVar(&f.answers, "answer-file", "", "answer file of an unattended installation, heeded when the state folder is made and never again (default unattend.xml in it, where there is one)")
	c.Flags().StringVar(&f.metrics, "metrics", "", "serve /metrics for Prometheus on this address of this machine alone, as in 127.0.0.1:9985; it has no sign-in")
	c.Flags().StringVar(&f.trace, "trace", "", "soap: write every message of WinRM, with secrets blanked, to "+soapTraceName+" in the state folder")
}

func (f serveFlags) logger(w io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// keep writes what the flags choose into the state folder.
func (f *serveFlags) keep(state *service.State, log *slog.Logger) error {
	if f.dcomPort < 0 || f.dcomPort > 65535 {
		return usageError("--dcom-port: %d is no port, want 0 to 65535", f.dcomPort)
	}
	if f.trace != "" && f.trace != "soap" {
		return usageError("--trace: %q cannot be traced, only soap", f.trace)
	}
	if f.metrics != "" {
		if err := metrics.CheckAddress(f.metrics); err != nil {
			return usageError("--metrics: %w", err)
		}
	}
	if f.defaults != "" {
		d, err := settings.ParseDefaults(f.defaults)
		if err != nil {
			return usageError("--defaults: %w", err)
		}
		if err := state.SetDefaults(d); err != nil {
			return err
		}
	}
	if f.keytab != "" {
		if _, err := state.AddKeytab(f.keytab); err != nil {
			return err
		}
	}
	if f.role == "" {
		return nil
	}
	r, err := service.ParseRole(f.role)
	if err != nil {
		return usageError("--role: %w", err)
	}
	done, err := state.SetRole(r)
	for _, line := range done {
		log.Info(line)
	}
	return err
}

func newServe(s Streams) *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve what the configuration says",
		Long: `Serve the listeners of the configuration until Ctrl-C or SIGTERM.

A state folder that is new has no listener, as on a Windows client: 'winrm
quickconfig' makes one while the service runs, and 'casement up' does more. With
--role server a machine is manageable from its first start, as Windows Server
is: it listens for HTTP on all addresses and opens the firewall for that, and it
serves WMI over DCOM on port 135 and one more of all addresses, which the
firewall keeps shut until its group for WMI is enabled.

Exit codes: 0 ended by Ctrl-C or SIGTERM, 1 it could not serve, 2 wrong command line.`,
		Example: "  casement serve\n  casement serve --role server\n  casement serve --defaults documented",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runServe(c.Context(), s, f)
		},
	}
	f.add(c)
	c.Flags().StringVar(&f.role, "role", "", "server enables remote management at the first start, client does not; kept in the state folder")
	return c
}

func newPrivilegeHelper(s Streams) *cobra.Command {
	return &cobra.Command{
		Use: service.HelperCommand + " POLICY", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "The part of the service that stays root; it is started by the service",
		RunE: func(c *cobra.Command, args []string) error {
			log := slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return privilege.ServeInherited(context.WithoutCancel(c.Context()), privilege.ServeOptions{PolicyPath: args[0], Log: log})
		},
	}
}

func runServe(ctx context.Context, s Streams, f serveFlags) error {
	log := f.logger(s.Err)
	dir, err := filepath.Abs(stateFolder(*f.state))
	if err != nil {
		return err
	}
	if err := prepare(dir, f, log, nil); err != nil {
		return err
	}
	return serve(ctx, s, dir, f, log, func(svc *service.Service) error {
		sayShut(s.Out, svc)
		_, err := fmt.Fprintf(s.Out, "Serving the state in %s. Ctrl-C ends it.\n", dir)
		return err
	})
}

// soapTraceName is the file that --trace soap writes.
const soapTraceName = "soap-trace.xml"

// openSOAPTrace begins a new trace in the state folder, for the service's user
// alone.
func openSOAPTrace(dir string) (*os.File, error) {
	name := filepath.Join(dir, soapTraceName)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--trace soap: %w", err)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--trace soap: %w", err)
	}
	return file, nil
}

// serve runs the service until Ctrl-C or SIGTERM, or until ready, which is
// called once the listeners are open, fails.
func serve(ctx context.Context, s Streams, dir string, f serveFlags, log *slog.Logger, ready func(*service.Service) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 2)
	fail := func(err error) {
		failed <- err
		cancel()
	}
	o := service.Options{Logger: log, DCOMPort: f.dcomPort, NoDCOM: f.noDCOM}
	if f.dcomPort == 0 {
		o.DCOMPort = -1
	}
	if os.Geteuid() == 0 {
		helper, own, err := service.GiveUpRoot(ctx, dir)
		if err != nil {
			return err
		}
		defer helper.Close()
		log.Info("root is given up", "user", own.UnixUser)
		o.Starter, o.Listen, o.PacketFilter = helper, helper.Listen, helper.Firewall
		go func() {
			select {
			case <-helper.Done():
				fail(errors.New("the privilege helper has ended; the service cannot go on"))
			case <-ctx.Done():
			}
		}()
	}
	state, err := service.OpenState(dir, service.StateOptions{Service: true, Logger: log})
	if err != nil {
		return err
	}
	defer state.Close()
	if f.trace != "" {
		file, err := openSOAPTrace(dir)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // a trace that cannot be closed harms nothing
		o.SOAPTrace = file
		log.Warn("every message is written down until the service ends", "file", file.Name())
	}
	counts, err := openMetrics(ctx, f.metrics, &o)
	if err != nil {
		return err
	}
	defer counts.close()
	o.Tools = shellTools(dir, log)
	svc, err := service.New(state, o)
	if err != nil {
		return err
	}
	stopMetrics := counts.serve(ctx, svc, log)
	err = svc.Serve(ctx, func() {
		f.page.beside(ctx, state, log)
		if err := ready(svc); err != nil {
			fail(err)
		}
	})
	err = errors.Join(err, f.page.stop(), stopMetrics(), svc.Close())
	select {
	case why := <-failed:
		return errors.Join(why, err)
	default:
	}
	if err == nil {
		fmt.Fprintln(s.Err, "casement: ended")
	}
	return err
}
