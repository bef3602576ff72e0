package doctor

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Target is a machine and how it is meant to be reached.
type Target struct {
	// Name is what the user wrote and what Kerberos and certificates are asked for.
	Name string
	// Address is dialled in place of Name where it is set.
	Address string
	// Endpoint is the URL of WinRM where it is not http://NAME:5985/wsman.
	Endpoint string
	// ResolverPort is that of the endpoint mapper; 0 is 135.
	ResolverPort uint16
	// Transports are those to examine, "winrm" and "dcom"; none means both.
	Transports []string
	// Thumbprint pins the server's certificate, SHA-256 in hexadecimal.
	Thumbprint string
	// Scheme is the authentication scheme of WinRM; the default is chosen by rule.
	Scheme wsmanclient.Scheme
	// Namespace is the one whose rights are asked; "" is root\cimv2.
	Namespace string
}

// host is what is dialled.
func (t Target) host() string {
	if t.Address != "" {
		return t.Address
	}
	return t.Name
}

// Options say who asks and how. The zero value asks without credentials.
type Options struct {
	Credentials auth.Credentials
	Tickets     *tickets.Source
	// Settings are the client's, of winrm/config/client.
	Settings func() *settings.Client
	NTLM     func() settings.NTLM
	// Sinks are where the callback path is tried; nil leaves it out.
	Sinks *wmiclient.Sinks
	// DialContext opens connections; the default is a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolver looks names up; the default is that of this machine.
	Resolver *net.Resolver
	// Only are the IDs of checks to run, with what they need; none means all.
	Only []string
	// Progress is told of each result as it comes, from one goroutine at a time; nil is not.
	Progress func(Result)
	// Log takes what is wrong with the doctor itself; nil is silent.
	Log *slog.Logger
}

func (o Options) resolver() *net.Resolver {
	if o.Resolver != nil {
		return o.Resolver
	}
	return net.DefaultResolver
}

// examination is what the checks of one report share. What a check finds is
// written by it alone and read by those that need it.
type examination struct {
	target  Target
	options Options
	log     *slog.Logger
	start   time.Time

	addresses []netip.Addr // resolve
	dcom      dcomPath     // the checks of DCOM

	mu      sync.Mutex
	closers []func()
}

// atEnd has f called when the last check has run, in the order of a defer.
func (x *examination) atEnd(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closers = append(x.closers, f)
}

func (x *examination) close() {
	for _, f := range slices.Backward(x.closers) {
		f()
	}
}

func newExamination(t Target, o Options) *examination {
	x := &examination{target: t, options: o, log: o.Log, start: time.Now()}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	return x
}

func (x *examination) since() time.Duration { return time.Since(x.start) }

// Examine walks the path to a machine. It never fails: what cannot be found out
// is in the report.
func Examine(ctx context.Context, t Target, o Options) *Report {
	ctx, cancel := context.WithTimeout(ctx, wholeLimit)
	defer cancel()
	x := newExamination(t, o)
	r := &Report{Schema: Schema, Target: ReportTarget{Input: t.Name}, Started: x.start.UTC()}
	r.From, _ = os.Hostname() //nolint:errcheck // a machine without a name is ""
	r.Account = o.Credentials.Username
	r.Checks = runAll(ctx, x, wanted(t, o))
	x.close()
	for _, a := range x.addresses {
		r.Target.Addresses = append(r.Target.Addresses, a.String())
	}
	conclude(x, r)
	r.TookMS = x.since().Milliseconds()
	return r
}

// registered are all checks in the order in which their files are named in order.
var registered []check

func register(c check) { registered = append(registered, c) }

// order is the path: every check, in the order of the report.
var order = []string{
	"resolve", "route",
	"tcp.5985", "tcp.5986", "tls", "http", "auth.offer", "clock", "auth.kerberos", "auth.ntlm", "bindings", "encryption",
	"winrm.identify", "winrm.authorize", "winrm.quota",
	"tcp.135", "epm", "rpc.auth", "dcom.activate", "dcom.bindings", "tcp.dynamic", "dcom.call", "wmi.namespace", "wmi.rights",
	"uac.filter", "wmi.quota", "wmi.subscriptions",
	"callback.in135", "callback.sink", "callback.level", "callback.anonymous", "callback.allow",
}

// wanted are the checks that apply, in order.
func wanted(t Target, o Options) []check {
	byID := map[string]check{}
	for _, c := range registered {
		byID[c.id] = c
	}
	only := map[string]bool{}
	var need func(id string)
	need = func(id string) {
		only[id] = true
		for _, n := range byID[id].needs {
			need(n)
		}
	}
	for _, id := range o.Only {
		need(id)
	}
	var list []check
	for _, id := range order {
		c, ok := byID[id]
		applies := c.transport == "" || len(t.Transports) == 0 || slices.Contains(t.Transports, c.transport)
		if ok && applies && (len(o.Only) == 0 || only[id]) {
			list = append(list, c)
		}
	}
	return list
}

// runAll runs checks, those of the two transports beside each other, each after
// what it needs. The results have the order of the checks.
func runAll(ctx context.Context, x *examination, list []check) []Result {
	results := make([]Result, len(list))
	done := make(map[string]chan struct{}, len(list))
	for _, c := range list {
		done[c.id] = make(chan struct{})
	}
	var mu sync.Mutex
	outcome := map[string]Outcome{}
	var all sync.WaitGroup
	for n, c := range list {
		all.Go(func() {
			defer close(done[c.id])
			for _, id := range slices.Concat(c.needs, c.after) {
				if ch := done[id]; ch != nil {
					<-ch
				}
			}
			var failed []string
			mu.Lock()
			for _, id := range c.needs {
				if o := outcome[id]; o == Fail || o == Skip || o == Crash {
					failed = append(failed, id)
				}
			}
			mu.Unlock()
			if len(failed) > 0 {
				results[n] = Result{ID: c.id, Layer: c.layer, Title: c.title, Needs: c.needs, Outcome: Skip, Detail: "needs " + failed[0]}
			} else {
				results[n] = c.once(ctx, x)
			}
			mu.Lock()
			defer mu.Unlock()
			outcome[c.id] = results[n].Outcome
			if x.options.Progress != nil {
				x.options.Progress(results[n])
			}
		})
	}
	all.Wait()
	return results
}
