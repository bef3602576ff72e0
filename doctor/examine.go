package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
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
	"github.com/casementhq/casement/wmi"
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

// asks tells whether a transport is to be examined.
func (t Target) asks(transport string) bool {
	return len(t.Transports) == 0 || slices.Contains(t.Transports, transport)
}

// Options say who asks and how. The zero value asks without credentials.
type Options struct {
	Credentials auth.Credentials
	Tickets     *tickets.Source
	// TLS is what is checked of the certificate over https; Target.Thumbprint goes before it.
	TLS wsmanclient.TLSOptions
	// Certificate is the user's, for the scheme Certificate.
	Certificate *tls.Certificate
	// Proxy is that of WinRM, as wsmanclient.Options has it.
	Proxy string
	// Unencrypted sends WinRM's messages in the clear over http.
	Unencrypted bool
	// SPN is the class of the service principal name over WinRM, HTTP by default;
	// SPNPort puts the port into it.
	SPN     string
	SPNPort bool
	// Strict obeys TrustedHosts to the letter, as Windows does. The default
	// permits sealed NTLM to a host that the user named.
	Strict bool
	// Settings are the client's, of winrm/config/client.
	Settings func() *settings.Client
	NTLM     func() settings.NTLM
	// Authentication is how calls over DCOM are protected. It is examined as it is: what is too low is
	// not raised, as clients do. The default is PktPrivacy.
	Authentication wmi.AuthenticationLevel
	// Sinks are where the callback path is tried; nil leaves it out.
	Sinks *wmiclient.Sinks
	// DialContext opens connections; the default is a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolver looks names up; the default is that of this machine.
	Resolver *net.Resolver
	// Limit is how long a check may take; the default is 5 s, and other limits grow
	// and shrink with it: 15 s for a callback, 60 s for all of it.
	Limit time.Duration
	// Only are the IDs of checks to run, with what they need; none means all.
	Only []string
	// Progress is told of each result as it comes, from one goroutine at a time; nil is not.
	Progress func(Result)
	// Log takes what is wrong with the doctor itself; nil is silent.
	Log *slog.Logger
}

// scaled is a limit as Limit stretches it.
func (o Options) scaled(limit time.Duration) time.Duration {
	if o.Limit <= 0 {
		return limit
	}
	return time.Duration(float64(limit) * float64(o.Limit) / float64(defaultLimit))
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
	winrm     winrmFacts   // the checks of WinRM
	dcom      dcomPath     // the checks of DCOM

	mu      sync.Mutex
	host    hostFacts
	notes   map[string]string // by transport
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

// hostFacts are what the machine said about itself, over whichever transport.
type hostFacts struct {
	kind hostKind
	// os is its own name for its system, "" where it told none.
	os string
	// version is that of the system, "10.0.17763"; "" where it told none.
	version string
}

// hostKind is which software answers.
type hostKind string

const (
	unknownHost  hostKind = ""
	windowsHost  hostKind = "windows"
	casementHost hostKind = "casement"
)

// told adds what the machine said about itself. What is empty stays as it was.
func (x *examination) told(h hostFacts) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.host.kind = cmp.Or(h.kind, x.host.kind)
	x.host.os = cmp.Or(clean(h.os), x.host.os)
	x.host.version = cmp.Or(clean(h.version), x.host.version)
}

// facts are what the machine said about itself so far.
func (x *examination) facts() hostFacts {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.host
}

// note sums up how a transport works, for the head of the report.
func (x *examination) note(transport, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.notes == nil {
		x.notes = map[string]string{}
	}
	x.notes[transport] = clean(text)
}

func (x *examination) summary(transport string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.notes[transport]
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
	ctx, cancel := context.WithTimeout(ctx, o.scaled(wholeLimit))
	defer cancel()
	x := newExamination(t, o)
	r := &Report{Schema: Schema, Command: "casement doctor " + t.command(), Target: ReportTarget{Input: t.Name}, Started: x.start.UTC()}
	if o.Sinks != nil {
		r.Command += " --callbacks"
	}
	r.From, _ = os.Hostname() //nolint:errcheck // a machine without a name is ""
	r.Account = o.Credentials.Username
	list := wanted(t, o)
	r.Checks = runAll(ctx, x, list)
	x.close()
	for _, a := range x.addresses {
		r.Target.Addresses = append(r.Target.Addresses, a.String())
	}
	if os := x.facts().system(); os != "" {
		r.Target.OS = &os
	}
	if s := x.winrm.signed; s != nil && s.err == nil {
		r.Mechanism = s.mechanism()
	}
	r.Mechanism = cmp.Or(r.Mechanism, x.dcom.mechanism)
	conclude(x, list, r)
	r.walk(printable) // causes and remedies quote what the peer said, too
	r.TookMS = x.since().Milliseconds()
	return r
}

// registered are all checks in the order in which their files are named.
var registered []check

func register(c check) { registered = append(registered, c) }

// order is the path: every check, in the order of the report. tcp.winrm stands
// for the port of the endpoint and is named after it.
var order = []string{
	"resolve", "route",
	"tcp.winrm", "tls", "http", "auth.offer", "clock", "auth.client", "auth.kerberos", "auth.ntlm", "auth.other", "bindings", "encryption",
	"winrm.identify", "winrm.authorize", "winrm.quota",
	"tcp.135", "epm", "rpc.auth", "dcom.activate", "dcom.enabled", "dcom.bindings", "tcp.dynamic", "dcom.call", "wmi.namespace", "wmi.rights",
	"uac.filter", "wmi.quota", "wmi.subscriptions",
	"callback.in135", "callback.sink", "callback.level", "callback.anonymous", "callback.allow",
}

// winrmPort is the name of the check of WinRM's port until the port is known.
const winrmPort = "tcp.winrm"

// named is a check under the name that it has for a target.
func (c check) named(t Target) check {
	if c.id == winrmPort {
		c.id = t.portCheck()
	}
	if slices.Contains(c.needs, winrmPort) {
		c.needs = slices.Clone(c.needs)
		c.needs[slices.Index(c.needs, winrmPort)] = t.portCheck()
	}
	return c
}

// wanted are the checks that apply, in order.
func wanted(t Target, o Options) []check {
	byID := map[string]check{}
	for _, c := range registered {
		byID[c.id] = c
	}
	var path []check
	for _, id := range order {
		c, ok := byID[id]
		if ok && (c.transport == "" || t.asks(c.transport)) && (c.applies == nil || c.applies(t, o)) {
			path = append(path, c.named(t))
		}
	}
	if len(o.Only) == 0 {
		return path
	}
	only := map[string]bool{}
	var need func(id string)
	need = func(id string) {
		only[id] = true
		for _, c := range path {
			if c.id == id {
				for _, n := range c.needs {
					need(n)
				}
			}
		}
	}
	for _, id := range o.Only {
		need(id)
	}
	return slices.DeleteFunc(path, func(c check) bool { return !only[c.id] })
}

// CheckIDs are the names of the checks that a target has, in order.
func CheckIDs(t Target, o Options) []string {
	o.Only = nil
	var ids []string
	for _, c := range wanted(t, o) {
		ids = append(ids, c.id)
	}
	return ids
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
