package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wsman/wsmanclient"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newDoctor) }

// Exit codes of the doctor beside those of every command.
const (
	exitUnexplained = 3
	exitBroken      = 4
)

const doctorHelp = `Say why a machine cannot be managed, and what to type.

The path of a remote call is walked in order, over WinRM and over DCOM: name, route, port,
certificate, HTTP, sign-in, rights, quotas; endpoint mapper, activation, the port behind it,
namespace. The first failure is explained, with what speaks for the cause and against it, and
what to do about it, least intrusive first. http://, https:// or winrm:// before the host asks
about WinRM alone, dcom:// about DCOM alone.

Nothing is changed without --fix, which shows the first thing that casement can do over a way
that works, asks, does it, prints how to undo it, and looks again. A user signs in once over
each way: a wrong password is a wrong try.`

const doctorCodes = `

Exit codes: 0 it works, also with warnings (with --strict: 1); 1 what was asked for is blocked,
and why is said (no way named: both are); 2 wrong command line; 3 blocked, and nothing that is
known here explains it; 4 the doctor itself failed.`

type doctorFlags struct {
	remote
	only                           []string
	explain, as, namespace, remedy string
	strict, verbose, redact, fix   bool
	yes, schema, callbacks         bool
	sinkPort                       uint16
	format                         *string
}

func newDoctor(s Streams) *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use: "doctor HOST", Short: "Say why a machine cannot be managed, and what to type",
		Long: doctorHelp + remoteHelp + doctorCodes,
		Example: "  casement doctor srv04\n  casement doctor https://srv04 --user 'CORP\\anna' -v\n  casement doctor dcom://srv04 --only tcp.dynamic\n" +
			"  casement doctor srv04 --fix\n  casement doctor srv04 -o json\n  casement doctor --explain uac",
		Args: operands(0, 1, "one host"),
	}
	f.flags(c)
	fl := c.Flags()
	namespaceFlag(c, &f.namespace)
	fl.StringSliceVar(&f.only, "only", nil, "only these checks, and what they need")
	fl.StringVar(&f.explain, "explain", "", "explain a topic: "+strings.Join(doctor.Topics(), ", "))
	fl.StringVar(&f.as, "as", "", "sign in as this user instead")
	fl.BoolVar(&f.strict, "strict", false, "exit with 1 where something is wrong although it works")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "show each check with what it saw")
	fl.BoolVar(&f.redact, "redact", false, "leave names, accounts and addresses out")
	fl.BoolVar(&f.callbacks, "callbacks", false, "try asynchronous calls, too: this machine listens for the host's connections")
	fl.Uint16Var(&f.sinkPort, "sink-port", 0, "with --callbacks: the port that the host calls beside 135 (default: a free one)")
	fl.BoolVar(&f.fix, "fix", false, "do what can be done about it, after asking")
	fl.StringVar(&f.remedy, "remedy", "", "with --fix: the number of what to do (default: the first that casement can do)")
	fl.BoolVar(&f.yes, "yes", false, "with --fix: do not ask")
	fl.BoolVar(&f.schema, "schema", false, "print the JSON schema of the report")
	f.format = formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case f.schema:
			_, err := s.Out.Write(doctor.SchemaJSON)
			return err
		case f.explain != "":
			return explainTopic(s.Out, f.explain)
		case len(args) != 1:
			return usageError("doctor wants one host (see 'casement doctor --help')")
		case *f.format != "table" && *f.format != "json":
			return usageError("-o %s: the doctor's report is table (text) or json", *f.format)
		case f.remedy != "" && !f.fix, f.yes && !f.fix:
			return usageError("--remedy and --yes belong to --fix")
		case f.sinkPort != 0 && !f.callbacks:
			return usageError("--sink-port belongs to --callbacks")
		case f.fix && *f.format == "json":
			return usageError("--fix asks and tells; it has no -o json")
		}
		return f.run(c.Context(), s, args[0])
	}
	return c
}

func explainTopic(w io.Writer, topic string) error {
	text, ok := doctor.Explain(topic)
	if !ok {
		return usageError("--explain %s: the topics are %s", topic, strings.Join(doctor.Topics(), ", "))
	}
	_, err := io.WriteString(w, text)
	return err
}

func (f *doctorFlags) run(ctx context.Context, s Streams, host string) error {
	if f.as != "" {
		f.user = f.as
	}
	target, err := doctorTarget(host)
	if err != nil {
		return err
	}
	target.Namespace = namespaceOf(f.namespace)
	ctx, cancel := f.context(ctx)
	defer cancel()
	d, err := f.open(s)
	if err != nil {
		return err
	}
	defer d.close() //nolint:errcheck // says nothing
	o, err := f.options(d, &target, host)
	if err != nil {
		return err
	}
	if f.callbacks {
		dir := stateFolder(*f.state)
		o.Sinks = (&asyncFlags{port: f.sinkPort}).sinks(dir, s.Err)
	}
	for _, id := range f.only {
		if !slices.Contains(doctor.CheckIDs(target, o), id) {
			return usageError("--only %s: the checks of %s are %s", id, target.Name, strings.Join(doctor.CheckIDs(target, o), ", "))
		}
	}
	o.Only = f.only
	r := f.examine(ctx, s, target, o)
	if err := f.print(s, r); err != nil {
		return err
	}
	if f.fix {
		if r, err = f.mend(ctx, s, d, host, target, o, r); err != nil {
			return err
		}
	}
	return doctorExit(r, f.strict)
}

// print writes the report in the form that was asked for.
func (f *doctorFlags) print(s Streams, r *doctor.Report) error {
	if f.redact {
		r = r.Redacted()
	}
	if *f.format == "json" {
		e := json.NewEncoder(s.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	return r.WriteText(s.Out, doctor.TextOptions{Verbose: f.verbose})
}

// doctorExit is the end that a report means.
func doctorExit(r *doctor.Report, strict bool) error {
	code := exitOK
	switch {
	case r.Verdict == doctor.Blocked:
		code = exitFailure
	case r.Verdict == doctor.Unknown && r.Crashed():
		code = exitBroken
	case r.Verdict == doctor.Unknown:
		code = exitUnexplained
	case r.Verdict == doctor.Degraded && strict:
		code = exitFailure
	}
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// waitingAfter is how long nothing is said.
const waitingAfter = 10 * time.Second

// examine runs the checks, and says what it waits for where that takes long and
// somebody looks on.
func (f *doctorFlags) examine(ctx context.Context, s Streams, target doctor.Target, o doctor.Options) *doctor.Report {
	if _, watched := terminal(s.Err); watched {
		w := &waiting{left: doctor.CheckIDs(target, o)}
		o.Progress = w.done
		stop := w.sayAfter(s.Err, waitingAfter)
		defer stop()
	}
	return doctor.Examine(ctx, target, o)
}

// waiting knows which checks have not ended.
type waiting struct {
	mu   sync.Mutex
	left []string
}

func (w *waiting) done(r doctor.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = slices.DeleteFunc(w.left, func(id string) bool { return id == r.ID })
}

// sayAfter writes one line after a time; the function that it gives ends that.
func (w *waiting) sayAfter(to io.Writer, after time.Duration) (stop func()) {
	t := time.AfterFunc(after, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.left) > 0 {
			fmt.Fprintf(to, "casement: waiting for %s, at most a minute in all\n", w.left[0])
		}
	})
	return func() { t.Stop() }
}

// doctorTarget reads how a host was named.
func doctorTarget(host string) (doctor.Target, error) {
	bad := func(why string) (doctor.Target, error) { return doctor.Target{}, usageError("%s: %s", host, why) }
	if host == "." {
		return bad("the doctor looks at a machine over the network; for this one 'casement status' tells")
	}
	if isMoniker(host) {
		m, err := wmi.ParseMoniker(host)
		if err != nil || m.Server == "" || m.Server == "." {
			return bad("the moniker names no machine of the network")
		}
		return doctor.Target{Name: m.Server, Transports: []string{"dcom"}, Namespace: m.Path.Namespace}, nil
	}
	scheme, rest, named := strings.Cut(host, "://")
	switch strings.ToLower(scheme) {
	case "dcom":
		t := doctor.Target{Name: strings.Trim(rest, "[]/"), Transports: []string{"dcom"}}
		if name, port, err := net.SplitHostPort(rest); err == nil {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil || n == 0 {
				return bad("the port is not a number from 1 to 65535")
			}
			t.Name, t.ResolverPort = name, uint16(n)
		}
		return t, nil
	case "winrm", "http", "https":
		if named {
			return endpointTarget(host, strings.Replace(host, "winrm://", "http://", 1), []string{"winrm"})
		}
	}
	if named {
		return bad("write winrm://, http://, https:// or dcom:// before the host, or the host alone")
	}
	e, err := hostEntry(host)
	if err != nil {
		return doctor.Target{}, err
	}
	switch {
	case strings.HasPrefix(strings.ToLower(e.URL), "dcom://"):
		return doctorTarget(e.URL)
	case e.URL != "":
		t, err := endpointTarget(host, strings.Replace(e.URL, "winrm://", "http://", 1), nil)
		t.Thumbprint, t.Scheme = e.Thumbprint, wsmanclient.Scheme(e.Authentication)
		return t, err
	case strings.Contains(host, "/") || strings.Count(host, ":") == 1:
		return endpointTarget(host, host, nil)
	}
	return doctor.Target{Name: strings.Trim(host, "[]")}, nil
}

// endpointTarget is the machine of an endpoint of WinRM.
func endpointTarget(host, endpoint string, transports []string) (doctor.Target, error) {
	name, err := doctor.HostOf(endpoint)
	if err != nil {
		return doctor.Target{}, usageError("%s: %w", host, err)
	}
	return doctor.Target{Name: name, Endpoint: endpoint, Transports: transports}, nil
}

// options are those of the flags, with the account.
func (f *doctorFlags) options(d *dialer, target *doctor.Target, host string) (doctor.Options, error) {
	b := d.base
	o := doctor.Options{Tickets: b.Tickets, TLS: b.TLS, Certificate: b.Certificate, Proxy: b.Proxy, Unencrypted: b.Unencrypted, SPN: b.SPN, SPNPort: b.SPNPort,
		Settings: b.Settings, NTLM: b.NTLM, DialContext: b.DialContext, Log: b.Logger, Authentication: b.DCOM.AuthenticationLevel}
	if b.Scheme != "" {
		target.Scheme = b.Scheme
	}
	if b.Certificate == nil {
		a, err := d.accounts.account(host)
		if err != nil {
			return o, err
		}
		o.Credentials = auth.Credentials{Username: a.user, Password: a.password}
	}
	return o, nil
}

// mend does what is first in the plan, and looks again.
func (f *doctorFlags) mend(ctx context.Context, s Streams, d *dialer, host string, target doctor.Target, o doctor.Options, r *doctor.Report) (*doctor.Report, error) {
	if r.Cause == nil || len(r.Remedies) == 0 {
		fmt.Fprintln(s.Out, "There is nothing to mend.")
		return r, nil
	}
	plan, err := r.Plan(f.remedy)
	if err != nil {
		return nil, err
	}
	if err := plan.WriteText(s.Out); err != nil {
		return nil, err
	}
	if !f.yes {
		question := "Do this now"
		if plan.Cuts != "" {
			question = "Do this now, although it ends the connection"
		}
		yes, err := confirm(s, question, "--yes")
		if err == nil && !yes {
			_, err = fmt.Fprintln(s.Out, "Nothing was changed.")
		}
		if err != nil || !yes {
			return r, err
		}
	}
	over := target.Name
	switch {
	case plan.Channel == "dcom" && target.ResolverPort != 0:
		over = "dcom://" + net.JoinHostPort(target.Name, strconv.Itoa(int(target.ResolverPort)))
	case plan.Channel == "dcom":
		over = "dcom://" + target.Name
	case target.Endpoint != "":
		over = target.Endpoint
	}
	base := d.base
	base.User, base.Password = o.Credentials.Username, o.Credentials.Password
	if target.Thumbprint != "" && plan.Channel != "dcom" {
		base.TLS.SHA256 = target.Thumbprint
	}
	conn, err := casement.Dial(ctx, over, base)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // what matters was done
	done, err := plan.Apply(ctx, doctor.Over(conn))
	for _, line := range done {
		fmt.Fprintln(s.Out, "done:", line)
	}
	if len(done) > 0 && len(plan.Remedy.Undo) > 0 {
		fmt.Fprintln(s.Out, "undo:", strings.Join(plan.Remedy.Undo, "; "))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	again := doctor.Examine(ctx, target, o)
	return again, f.print(s, again)
}
