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

	"github.com/casementhq/casement/internal/hosts"
	"github.com/casementhq/casement/privilege"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
)

func init() {
	subcommands = append(subcommands, newUp, newServe, newPrivilegeHelper)
}

// serveFlags are what up and serve have in common.
type serveFlags struct {
	state    *string
	defaults string
	verbose  bool
}

func (f *serveFlags) add(c *cobra.Command) {
	f.state = stateFlag(c)
	c.Flags().StringVar(&f.defaults, "defaults", "", "default values of settings: current, or documented as in the Windows documentation; kept in the state folder")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log each request that fails and why")
}

func (f *serveFlags) logger(w io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

func newUp(s Streams) *cobra.Command {
	var f serveFlags
	var o service.BootstrapOptions
	var name string
	var noHosts bool
	c := &cobra.Command{
		Use:   "up",
		Short: "Make this machine manageable and serve it",
		Long: `Make this machine manageable and serve it until Ctrl-C or SIGTERM.

The first time, up makes the state folder: an administrator whose password it
prints once, a certificate that the machine signs itself, and listeners for HTTP
and HTTPS on the loopback address. It also enters this machine in your hosts
file, so that the commands that it prints work as they stand.

As an ordinary user it serves that user alone. As root it leaves a small helper
behind and serves as the system user casement, or nobody.`,
		Example: `  casement up
  casement up --listen 0.0.0.0
  casement up --state /tmp/demo --http 127.0.0.1:0 --https 127.0.0.1:0`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if noHosts {
				name = ""
			}
			return runUp(c.Context(), s, f, o, name)
		},
	}
	f.add(c)
	c.Flags().StringVar(&o.HTTP, "http", "", "address of the HTTP listener, host:port; port 0 takes a free one (default 127.0.0.1:5985)")
	c.Flags().StringVar(&o.HTTPS, "https", "", "address of the HTTPS listener (default 127.0.0.1:5986)")
	c.Flags().StringSliceVar(&o.Listen, "listen", nil, "more addresses to listen on, on the standard ports; 0.0.0.0 is all of them")
	c.Flags().StringVar(&name, "name", "here", "name of this machine in your hosts file")
	c.Flags().BoolVar(&noHosts, "no-hosts", false, "leave the hosts file alone")
	return c
}

func newServe(s Streams) *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve what the configuration says",
		Long: `Serve the listeners of the configuration until Ctrl-C or SIGTERM.

A state folder that is new has no listener, as on Windows: 'winrm quickconfig'
makes one while the service runs, and 'casement up' does more.`,
		Example: "  casement serve\n  casement serve --defaults documented",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runServe(c.Context(), s, f)
		},
	}
	f.add(c)
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

// prepare makes the state folder and what belongs to it, before root is given
// up.
func prepare(dir string, f serveFlags, log *slog.Logger, with func(*service.State) error) error {
	state, err := service.OpenState(dir, service.StateOptions{Create: true, Service: true, Logger: log})
	if err != nil {
		return err
	}
	defer state.Close()
	if f.defaults != "" {
		d, err := settings.ParseDefaults(f.defaults)
		if err != nil {
			return usageError("--defaults: %w", err)
		}
		if err := state.SetDefaults(d); err != nil {
			return err
		}
	}
	if with != nil {
		if err := with(state); err != nil {
			return err
		}
	}
	if os.Geteuid() == 0 {
		return service.WritePolicy(state.Dir, state.Accounts)
	}
	return nil
}

func runUp(ctx context.Context, s Streams, f serveFlags, o service.BootstrapOptions, name string) error {
	log := f.logger(s.Err)
	dir, err := filepath.Abs(stateFolder(*f.state))
	if err != nil {
		return err
	}
	var made service.Bootstrapped
	err = prepare(dir, f, log, func(state *service.State) error {
		var err error
		made, err = state.Bootstrap(o)
		return err
	})
	if err != nil {
		return err
	}
	if name != "" {
		if err := enterSelf(name, made); err != nil {
			return err
		}
	}
	return serve(ctx, s, dir, log, func() { announce(s.Out, dir, name, made) })
}

// enterSelf puts this machine into the hosts file. Without a fresh password
// the entry keeps the one that it has.
func enterSelf(name string, made service.Bootstrapped) error {
	path, err := hosts.DefaultPath()
	if err != nil {
		return err
	}
	entries, err := hosts.Load(path)
	if err != nil {
		return err
	}
	e, _ := hosts.Find(entries, name)
	e.Name, e.URL, e.User = name, made.HTTP, made.User
	if made.HTTP == "" {
		e.URL, e.Thumbprint = made.HTTPS, made.Thumbprint
	}
	if made.Password != "" {
		e.Password = made.Password
	}
	return hosts.Put(path, e)
}

func announce(w io.Writer, dir, name string, made service.Bootstrapped) {
	fmt.Fprintf(w, "This machine is manageable. Its state is in %s.\n\n", dir)
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-9s %s\n", label, value)
		}
	}
	line("HTTP", made.HTTP)
	line("HTTPS", made.HTTPS)
	line("User", made.User)
	if made.Password != "" {
		line("Password", made.Password)
		fmt.Fprintln(w, "\nThe password is shown this once; 'casement user passwd "+made.User+"' sets another.")
	}
	if name != "" {
		self := os.Args[0]
		fmt.Fprintf(w, "\nIn another terminal:\n\n  %s query %s 'SELECT Caption, Version, LastBootUpTime FROM Win32_OperatingSystem'\n"+
			"  %s run %s -- uname -a\n  %s cp README.md %s:/tmp/\n", self, name, self, name, self, name)
	}
	fmt.Fprintln(w, "\nCtrl-C ends it.")
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
	return serve(ctx, s, dir, log, func() { fmt.Fprintf(s.Out, "Serving the state in %s. Ctrl-C ends it.\n", dir) })
}

// serve runs the service until Ctrl-C or SIGTERM.
func serve(ctx context.Context, s Streams, dir string, log *slog.Logger, ready func()) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := service.Options{Logger: log}
	if os.Geteuid() == 0 {
		helper, own, err := service.GiveUpRoot(ctx, dir)
		if err != nil {
			return err
		}
		defer helper.Close()
		log.Info("root is given up", "user", own.UnixUser)
		o.Starter, o.Listen = helper, helper.Listen
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-helper.Done():
				log.Error("the privilege helper has ended; the service cannot go on")
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	state, err := service.OpenState(dir, service.StateOptions{Service: true, Logger: log})
	if err != nil {
		return err
	}
	defer state.Close()
	svc, err := service.New(state, o)
	if err != nil {
		return err
	}
	if err := svc.Serve(ctx, ready); err != nil {
		return err
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		fmt.Fprintln(s.Err, "casement: ended")
	}
	return nil
}
