package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/casementhq/casement/service"
)

func init() { subcommands = append(subcommands, newUp) }

func newUp(s Streams) *cobra.Command {
	var f serveFlags
	var o service.BootstrapOptions
	var name string
	var noHosts bool
	page := &consolePage{}
	c := &cobra.Command{
		Use:   "up",
		Short: "Make this machine manageable and serve it",
		Long: `Make this machine manageable and serve it until Ctrl-C or SIGTERM.

The first time, up makes the state folder: an administrator whose password it
prints once, a certificate that the machine signs itself, and listeners for HTTP
and HTTPS on the loopback address, where it serves WMI over DCOM too. It also enters this machine in your hosts
file, so that the commands that it prints work as they stand. What is there
already stays as it is.

With --listen the firewall is opened for WinRM and not for WMI over DCOM, as on
Windows; what opens it is printed.

As an ordinary user it serves that user alone. As root it leaves a small helper
behind and serves as the system user casement, or nobody; with sudo the entry
goes to the hosts file of who called sudo.

Exit codes: 0 ended by Ctrl-C or SIGTERM, 1 it could not serve, 2 wrong command line.`,
		Example: `  casement up
  casement up --listen 0.0.0.0
  casement up --state /tmp/demo --http 127.0.0.1:0 --https 127.0.0.1:0`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if noHosts {
				name = ""
			}
			page.free = !c.Flags().Changed("console")
			if f.page = page; page.listen == "off" {
				f.page = nil
			}
			return runUp(c.Context(), s, f, o, name)
		},
	}
	f.add(c)
	c.Flags().StringVar(&o.HTTP, "http", "", "address of the HTTP listener, host:port; port 0 takes a free one (default 127.0.0.1:5985)")
	c.Flags().StringVar(&o.HTTPS, "https", "", "address of the HTTPS listener (default 127.0.0.1:5986)")
	c.Flags().StringVar(&o.Listen, "listen", "", "IP address to listen on with all of them, on the standard ports; 0.0.0.0 is all addresses")
	c.Flags().StringVar(&name, "name", "here", "name of this machine in your hosts file")
	c.Flags().StringVar(&page.listen, "console", consoleAddress, "address of the web page of the pool (HTTPS), host:port; another port is taken where this one is in use and was not asked for; off serves none")
	c.Flags().BoolVar(&noHosts, "no-hosts", false, "leave the hosts file alone")
	return c
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
		if made, err = state.Bootstrap(o); err != nil || name == "" {
			return err
		}
		return enterSelf(state, name, &made)
	})
	if err != nil {
		return err
	}
	return serve(ctx, s, dir, f, log, func(svc *service.Service) error { return announce(s.Out, svc, f.page, name, made) })
}

// announce tells a person what is there now and what to try first. It fails
// where nothing could be opened.
func announce(w io.Writer, svc *service.Service, page *consolePage, name string, made service.Bootstrapped) error {
	open := svc.WinRM.Listening()
	plain, secure := isOpen(open, made.HTTP), isOpen(open, made.HTTPS)
	if !plain && !secure {
		return fmt.Errorf("no listener could be opened (%s); --http and --https name other addresses, such as 127.0.0.1:0",
			strings.Join(strings.Fields(made.HTTP+" "+made.HTTPS), ", "))
	}
	fmt.Fprintf(w, "This machine is manageable. Its state is in %s.\n\n", svc.State.Dir)
	listener := func(label, url, flag string, open bool) {
		switch {
		case url == "":
		case open:
			fmt.Fprintf(w, "%-9s %s\n", label, url)
		default:
			fmt.Fprintf(w, "%-9s is not open: %s could not be listened on, see the log; %s 127.0.0.1:0 moves it to a free port\n", label, url, flag)
		}
	}
	listener("HTTP", made.HTTP, "--http", plain)
	listener("HTTPS", made.HTTPS, "--https", secure)
	switch dcom := svc.DCOM(); {
	case dcom.Err != nil:
		fmt.Fprintf(w, "%-9s is not open: %v\n", "DCOM", dcom.Err)
	case dcom.Resolver != "":
		fmt.Fprintf(w, "%-9s dcom://%s\n", "DCOM", dcom.Resolver)
	}
	page.announce(w)
	fmt.Fprintf(w, "%-9s %s\n", "User", made.User)
	if made.Password != "" {
		fmt.Fprintf(w, "%-9s %s\n", "Password", made.Password)
		fmt.Fprintln(w, "\nThe password is shown this once; 'casement user passwd "+made.User+"' sets another.")
	}
	if len(made.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, n := range made.Notes {
		fmt.Fprintln(w, n)
	}
	if r := service.RemoteManagementOf(svc.State.Snapshot()); !r.Enabled {
		fmt.Fprintf(w, "\nRemote management over WinRM is disabled. %s\n", r.Why)
	}
	sayShut(w, svc)
	if name != "" {
		self := invocation()
		fmt.Fprintf(w, "\nIn another terminal:\n\n  %s query %s 'SELECT Caption, Version, LastBootUpTime FROM Win32_OperatingSystem'\n"+
			"  %s run %s -- uname -a\n  %s cp README.md %s:/tmp/\n", self, name, self, name, self, name)
	}
	fmt.Fprintln(w, "\nCtrl-C ends it.")
	return nil
}

// isOpen tells whether a listener with the port of a URL is open.
func isOpen(listening []string, raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || raw == "" {
		return false
	}
	for _, l := range listening {
		host, port, err := net.SplitHostPort(l)
		if err != nil || port != u.Port() {
			continue
		}
		if ip := net.ParseIP(host); host == u.Hostname() || ip != nil && ip.IsUnspecified() {
			return true
		}
	}
	return false
}

// invocation is this program as it was called, so that it works when it is
// pasted into a shell of another terminal.
func invocation() string {
	text := shellWord(os.Args[0])
	if env := os.Getenv("CASEMENT_HOSTS"); env != "" {
		text = "CASEMENT_HOSTS=" + shellWord(env) + " " + text
	}
	return text
}

// shellWord quotes a word for a POSIX shell where it needs that.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// prepare makes the state folder and what belongs to it, before root is given
// up.
func prepare(dir string, f serveFlags, log *slog.Logger, with func(*service.State) error) error {
	done := false
	setUp := func(state *service.State) error {
		done = true
		if err := f.keep(state, log); err != nil || with == nil {
			return err
		}
		return with(state)
	}
	state, err := service.OpenState(dir, service.StateOptions{Create: true, Service: true, SetUp: setUp, AnswerFile: f.answers, Logger: log})
	if errors.Is(err, fs.ErrPermission) {
		return denied(err)
	}
	if err != nil {
		return err
	}
	defer state.Close()
	if !done {
		if err := setUp(state); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	permitted, err := state.WritePolicy()
	for _, name := range permitted.Root {
		log.Warn("whoever knows the password of this account runs commands as root", "account", name)
	}
	for _, u := range permitted.Refused {
		log.Warn("commands of this account do not run: root has not permitted the Unix user that it is mapped to; "+
			"'casement user map "+u.Name+" --unix "+u.UnixUser+"' as root does", "account", u.Name, "unix", u.UnixUser)
	}
	return err
}
