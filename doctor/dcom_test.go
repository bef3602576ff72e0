package doctor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcerpc/epm"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
)

// patient is a service with one fault, and who examines it.
type patient struct {
	*casementtest.Server
	t      *testing.T
	target Target
	o      Options
	title  string // of the first cause that was named
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	s := casementtest.New(t, casementtest.Options{})
	at := netip.MustParseAddrPort(s.DCOM)
	p := &patient{Server: s, t: t, target: Target{Name: at.Addr().String(), ResolverPort: at.Port(), Transports: []string{"dcom"}}}
	p.as(s.User, s.Password)
	return p
}

func (p *patient) as(user, password string) {
	p.o.Credentials = auth.Credentials{Username: user, Password: password}
}

// beside has WinRM examined as well.
func (p *patient) beside() { p.target.Transports, p.target.Endpoint = nil, p.HTTP }

// dial answers in the place of the network, by port; nil lets through.
func (p *patient) dial(f func(ctx context.Context, port string) error) {
	p.o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		if err := f(ctx, port); err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// resolver is the port of the endpoint mapper, dynamic tells any other but WinRM's.
func (p *patient) resolver() string { return p.DCOM[strings.LastIndexByte(p.DCOM, ':')+1:] }

func (p *patient) dynamic(port string) bool {
	return port != p.resolver() && !strings.Contains(p.HTTP, ":"+port+"/")
}

func silent(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (p *patient) ole(key, name string, v registry.Value) {
	p.Apply(settings.Change{Key: key, Name: name, Value: v})
}

// limits gives a permission of DCOM another descriptor.
func (p *patient) descriptor(key, name, sddl string) {
	p.t.Helper()
	sd, err := security.ParseSDDL(sddl)
	if err != nil {
		p.t.Fatal(err)
	}
	v, err := settings.COMDescriptor(sd)
	if err != nil {
		p.t.Fatal(err)
	}
	p.ole(key, name, v)
}

// local opens CIM sessions as the service itself, past every gate.
func (p *patient) local(namespace string) cim.Session {
	p.t.Helper()
	c, err := casement.Dial(p.t.Context(), ".", casement.Options{Opener: asSystem{p.Service.CIM}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	s, err := c.Session(p.t.Context(), namespace)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

type asSystem struct{ cim.Opener }

func (s asSystem) Open(ctx context.Context, _ cim.Caller, namespace string, o cim.OpenOptions) (cim.Session, error) {
	groups := []security.GroupEntry{{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone}}
	return s.Opener.Open(ctx, cim.Caller{Token: &security.Token{User: security.SIDLocalSystem, Groups: groups}}, namespace, o)
}

// session is one of a user's.
func (p *patient) session(user, password, namespace string) cim.Session {
	p.t.Helper()
	c, err := casement.Dial(p.t.Context(), "dcom://"+p.DCOM, casement.Options{User: user, Password: password})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	s, err := c.Session(p.t.Context(), namespace)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

// namespaceSD gives a namespace another descriptor.
func (p *patient) namespaceSD(namespace, sddl string) {
	p.t.Helper()
	sd, err := security.ParseSDDL(sddl)
	if err != nil {
		p.t.Fatal(err)
	}
	b, err := sd.Bytes()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.local(namespace).Invoke(p.t.Context(), cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "SetSD", cim.Arguments{{Name: "SD", Value: cim.Bytes(b)}}, cim.OperationOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

// compile makes what MOF text says.
func (p *patient) compile(namespace, mof string) {
	p.t.Helper()
	_, err := p.local("root").Invoke(p.t.Context(), cim.ObjectPath{Class: "Casement_Repository"}, "Compile",
		cim.Arguments{{Name: "MOF", Value: cim.Str(mof)}, {Name: "Namespace", Value: cim.Str(namespace)}}, cim.OperationOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
}

// want is what the doctor says about a fault.
type want struct {
	cause      string // its check
	confidence Confidence
	row        int
	failed     string // the first check that fails, or warns
	outcome    Outcome
	code       string
	remedy     string // the first
	says       string // of the title
	reach      Reach
}

func (p *patient) examine() *Report {
	p.t.Helper()
	return Examine(p.t.Context(), p.target, p.o)
}

func (p *patient) says(w want) *Report {
	p.t.Helper()
	r := p.examine()
	w.check(p.t, r)
	if r.Cause != nil && p.title == "" {
		p.title = r.Cause.Title
	}
	return r
}

func (w want) check(t *testing.T, r *Report) {
	t.Helper()
	text := show(t, r)
	validReport(t, r)
	if r.Cause == nil {
		t.Errorf("no cause, want %s", w.cause)
		return
	}
	c := result(t, r, w.failed)
	if w.outcome == "" {
		w.outcome = Fail
	}
	if w.reach == "" {
		w.reach = ReachBlocked
	}
	got := want{r.Cause.Check, r.Cause.Confidence, r.Cause.Row, c.ID, c.Outcome, c.Code, "", w.says, r.Transports["dcom"]}
	if len(r.Remedies) > 0 {
		got.remedy = r.Remedies[0].ID
	}
	if got != w {
		t.Errorf("got  %+v\nwant %+v", got, w)
	}
	if !strings.Contains(r.Cause.Title, w.says) {
		t.Errorf("the title is %q, want %q in it", r.Cause.Title, w.says)
	}
	if r.Cause.Confidence != Certain && r.Cause.Test == "" {
		t.Error("a cause that is not certain names no test")
	}
	for n, m := range r.Remedies {
		if m.Rank != n+1 || len(m.Commands) == 0 || m.Where == "" || m.Verify == "" {
			t.Errorf("the remedy %+v", m)
		}
		for _, c := range m.Commands {
			if m.Where == OnTarget && !strings.Contains(text, c) {
				t.Errorf("the text does not have %q", c)
			}
		}
	}
	if secret := "Secret"; strings.Contains(text, secret) {
		t.Error("the password is in the report")
	}
}

func TestHealthyDCOM(t *testing.T) {
	p := newPatient(t)
	p.beside()
	r := p.examine()
	show(t, r)
	if r.Verdict != OK || r.Transports["dcom"] != ReachWorks || r.Transports["winrm"] != ReachWorks || r.Cause != nil || len(r.Remedies) > 0 {
		t.Errorf("%s, %v, %+v", r.Verdict, r.Transports, r.Cause)
	}
	for _, c := range r.Checks {
		if c.Outcome != Pass && c.Outcome != Info {
			t.Errorf("%s: %s, %s", c.ID, c.Outcome, c.Detail)
		}
	}
}

// faults are rows of the decision table in spec/wmi.md 1.9, each caused at a
// running service and named by the doctor with its first remedy.
var faults = map[string]func(p *patient){
	"row 2: nothing listens at port 135": func(p *patient) {
		p.dial(func(_ context.Context, port string) error {
			if port == p.resolver() {
				return errRefused
			}
			return nil
		})
		p.says(want{cause: "tcp.135", confidence: Certain, row: 2, failed: "tcp.135", code: "0x800706BA", remedy: "start-wmi", says: "nothing listens"})
	},
	"row 2: EnableDCOM is N": func(p *patient) {
		p.ole(settings.KeyOle, "EnableDCOM", registry.SZ("N"))
		p.waitShut()
		p.beside()
		p.says(want{cause: "dcom.enabled", confidence: Certain, row: 2, failed: "tcp.135", code: "0x800706BA", remedy: "enable-dcom", says: "DCOM is switched off"})
	},
	"row 3: port 135 is silent, and the machine is up": func(p *patient) {
		p.beside()
		p.o.Limit = time.Second
		p.dial(func(ctx context.Context, port string) error {
			if port == p.resolver() {
				return silent(ctx)
			}
			return nil
		})
		p.says(want{cause: "tcp.135", confidence: Certain, row: 3, failed: "tcp.135", code: "0x800706BA", remedy: "wmi-group", says: "Windows Firewall"})
	},
	"row 3: everything is silent": func(p *patient) {
		p.o.Limit = 300 * time.Millisecond
		p.dial(func(ctx context.Context, _ string) error { return silent(ctx) })
		p.says(want{cause: "tcp.135", confidence: Likely, row: 3, failed: "tcp.135", code: "0x800706BA", remedy: "wmi-group", says: "or the machine is off"})
	},
	"row 4: the port of WMI is silent": func(p *patient) {
		p.beside()
		p.o.Limit = 2 * time.Second
		p.dial(func(ctx context.Context, port string) error {
			if p.dynamic(port) {
				return silent(ctx)
			}
			return nil
		})
		r := p.says(want{cause: "tcp.dynamic", confidence: Certain, row: 4, failed: "tcp.dynamic", code: "0x800706BA", remedy: "wmi-group", says: "closed by a firewall"})
		if c := result(p.t, r, "dcom.call"); c.Outcome != Skip {
			p.t.Errorf("dcom.call: %s", c.Outcome)
		}
		if r.Remedies[len(r.Remedies)-1].ID != "fixed-port" {
			p.t.Errorf("the remedies are %+v", r.Remedies)
		}
	},
	"row 4: the port of WMI is refused": func(p *patient) {
		p.dial(func(_ context.Context, port string) error {
			if p.dynamic(port) {
				return errRefused
			}
			return nil
		})
		p.says(want{cause: "tcp.dynamic", confidence: Likely, row: 4, failed: "tcp.dynamic", code: "0x800706BA", remedy: "wmi-group", says: "nothing listens at the port that WMI told"})
	},
	"row 5: behind a translation that does not pass the port on": func(p *patient) {
		p.ole(settings.KeyCasement, "DCOMBindings", registry.MultiSZ("192.0.2.7", "inner-name.invalid"))
		p.restart()
		p.o.Limit = 3 * time.Second
		p.dial(func(ctx context.Context, port string) error {
			if p.dynamic(port) {
				return silent(ctx)
			}
			return nil
		})
		p.says(want{cause: "tcp.dynamic", confidence: Likely, row: 5, failed: "tcp.dynamic", code: "0x800706BA", remedy: "fixed-port", says: "NAT"})
	},
	"row 5: internal addresses that our client passes over": func(p *patient) {
		p.ole(settings.KeyCasement, "DCOMBindings", registry.MultiSZ("192.0.2.7"))
		p.restart()
		r := p.says(want{cause: "dcom.bindings", confidence: Certain, row: 5, failed: "dcom.bindings", outcome: Warn, remedy: "port-only", says: "do not lead to it", reach: ReachWorks})
		seen := fmt.Sprint(result(p.t, r, "dcom.bindings").Seen)
		if !strings.Contains(seen, "192.0.2.7[") {
			p.t.Errorf("the bindings are not printed: %s", seen)
		}
	},
	"row 6: activation at packet": func(p *patient) {
		p.o.Authentication = wmi.AuthenticationPkt
		p.says(want{cause: "dcom.activate", confidence: Certain, row: 6, failed: "dcom.activate", code: "0x80070005", remedy: "raise-level", says: "KB5004442"})
	},
	"row 7: a wrong password": func(p *patient) {
		p.as(p.User, "Secret-and-wrong")
		p.says(want{cause: "rpc.auth", confidence: Certain, row: 7, failed: "rpc.auth", code: "0x80070005", remedy: "manage-as", says: "the name or the password"})
	},
	"row 7: no account": func(p *patient) {
		p.as("", "")
		p.says(want{cause: "rpc.auth", confidence: Certain, row: 7, failed: "rpc.auth", remedy: "name-user", says: "no account was named"})
	},
	"row 8: launch rights, as the built-in Administrator": func(p *patient) {
		p.descriptor(settings.KeyOle, "MachineLaunchRestriction", "O:BAG:BAD:(A;;CCDCSW;;;WD)")
		p.says(want{cause: "dcom.launch", confidence: Certain, row: 8, failed: "dcom.activate", code: "0x80070005", remedy: "dcom-users", says: "DCOM: the account lacks Remote Launch"})
	},
	"row 8: launch rights, where WinRM works": func(p *patient) {
		p.AddUser("reader", "Secret-Read-1", "WinRMRemoteWMIUsers__")
		p.namespaceSD(`root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x6003f;;;BA)(A;;0x21;;;AU)")
		p.as("reader", "Secret-Read-1")
		p.beside()
		p.says(want{cause: "dcom.launch", confidence: Certain, row: 8, failed: "dcom.activate", code: "0x80070005", remedy: "dcom-users", says: "DCOM: the account lacks Remote Launch"})
		if err := p.Service.State.Accounts.AddMember("Distributed COM Users", "reader"); err != nil { // what the first remedy types
			p.t.Fatal(err)
		}
		if r := p.examine(); r.Transports["dcom"] != ReachWorks {
			p.t.Errorf("mended, and still %v: %+v", r.Transports, r.Cause)
		}
	},
	"row 9: UAC": func(p *patient) {
		p.AddUser("ops", "Secret-Ops-1", "Administrators")
		p.as("ops", "Secret-Ops-1")
		p.beside()
		w := want{cause: "uac.filter", confidence: Likely, row: 9, failed: "dcom.activate", code: "0x80070005", remedy: "manage-as", says: "UAC filters"}
		r := p.says(w)
		if !strings.Contains(fmt.Sprint(r.Cause.For), "both ways refuse") || len(r.Cause.Against) > 0 || !strings.Contains(r.Cause.Test, "Administrator") {
			p.t.Errorf("the signs are %q, against %q, the test %q", r.Cause.For, r.Cause.Against, r.Cause.Test)
		}
		last := r.Remedies[len(r.Remedies)-1]
		if !strings.Contains(last.Commands[0], "LocalAccountTokenFilterPolicy") || len(last.Undo) == 0 {
			p.t.Errorf("the last remedy is %+v", last)
		}
		p.target.Transports = []string{"dcom"} // the same without WinRM
		p.says(w)
		p.as(p.User, p.Password) // the test that the report names
		if r := p.examine(); r.Transports["dcom"] != ReachWorks {
			p.t.Errorf("the deciding test: %v", r.Transports)
		}
		p.Apply(settings.SetLocalAccountTokenFilterPolicy(true))
		p.as("ops", "Secret-Ops-1")
		if r := p.examine(); r.Transports["dcom"] != ReachWorks {
			p.t.Errorf("mended, and still %v", r.Transports)
		}
	},
	"row 8: no Remote Access": func(p *patient) {
		p.descriptor(settings.KeyOle, "MachineAccessRestriction", "O:BAG:BAD:(A;;CCDC;;;WD)")
		p.says(want{cause: "dcom.call", confidence: Certain, row: 8, failed: "dcom.call", code: "0x80070005", remedy: "dcomcnfg-access", says: "lacks Remote Access"})
	},
	"row 12: a namespace that demands encryption": func(p *patient) {
		p.compile("root", `[RequiresEncryption] instance of __NAMESPACE { Name = "sealed"; };`)
		p.target.Namespace = `root\sealed`
		p.o.Authentication = wmi.AuthenticationPktIntegrity
		p.says(want{cause: "wmi.namespace", confidence: Certain, row: 12, failed: "wmi.namespace", code: "0x80041003", remedy: "pkt-privacy", says: "demands encryption"})
	},
	"row 13: no Remote Enable": func(p *patient) {
		p.AddUser("reader", "Secret-Read-1", "Distributed COM Users")
		p.namespaceSD(`root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x1;;;AU)")
		p.as("reader", "Secret-Read-1")
		p.says(want{cause: "wmi.namespace", confidence: Certain, row: 13, failed: "wmi.namespace", code: "0x80041003", remedy: "namespace-rights", says: "Remote Enable is missing"})
	},
	"row 14: no Execute Methods": func(p *patient) {
		p.AddUser("reader", "Secret-Read-1", "Distributed COM Users")
		p.namespaceSD(`root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x21;;;AU)")
		p.as("reader", "Secret-Read-1")
		p.says(want{cause: "wmi.rights", confidence: Certain, row: 14, failed: "wmi.rights", outcome: Warn, code: "0x80041003", remedy: "namespace-rights", says: "Execute Methods is missing", reach: ReachWorks})
	},
	"row 19: no such namespace": func(p *patient) {
		p.target.Namespace = `root\nothing`
		p.says(want{cause: "wmi.namespace", confidence: Certain, row: 19, failed: "wmi.namespace", code: "0x8004100E", remedy: "namespaces", says: `no namespace root\nothing`})
	},
	"row 27: the quota of subscriptions is used up": func(p *patient) {
		root := p.local("root")
		i, err := root.Get(p.t.Context(), cim.ObjectPath{Class: "__ArbitratorConfiguration", Singleton: true}, cim.GetOptions{})
		if err == nil {
			err = i.Set("TemporarySubscriptionsPerUser", cim.U32(1))
		}
		if err == nil {
			err = root.Put(p.t.Context(), i, cim.PutOptions{})
		}
		if err != nil {
			p.t.Fatal(err)
		}
		e, err := p.session(p.User, p.Password, `root\cimv2`).(cim.Subscriber).Subscribe(p.t.Context(), "SELECT * FROM __NamespaceOperationEvent", cim.SubscribeOptions{})
		if err != nil {
			p.t.Fatal(err)
		}
		defer e.Close()
		p.says(want{cause: "wmi.quota", confidence: Certain, row: 27, failed: "wmi.quota", code: "0x8004106C", remedy: "ask-less", says: "a quota of WMI is used up", reach: ReachDegraded})
	},
	"no RPC at port 135": func(p *patient) {
		p.target.ResolverPort = p.at(func(c net.Conn) {
			io.ReadAtLeast(c, make([]byte, 64), 1)
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		})
		p.says(want{cause: "tcp.135", confidence: Certain, failed: "tcp.135", code: "0x800706BA", remedy: "who-listens", says: "something else than RPC"})
	},
	"row 3: a firewall that speaks for the host": func(p *patient) {
		p.target.ResolverPort = p.at(func(net.Conn) {})
		p.says(want{cause: "tcp.135", confidence: Certain, row: 3, failed: "tcp.135", code: "0x800706BA", remedy: "wmi-group", says: "cuts them off"})
	},
	"row 34: RPC without DCOM": func(p *patient) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			p.t.Fatal(err)
		}
		s := dcerpc.NewServer(dcerpc.ServerOptions{})
		s.Register(new(epm.Mapper).Interface())
		done := make(chan struct{})
		go func() { defer close(done); s.Serve(l) }()
		defer func() { s.Close(); <-done }()
		p.target.ResolverPort = netip.MustParseAddrPort(l.Addr().String()).Port()
		p.says(want{cause: "epm", confidence: Certain, row: 34, failed: "epm", code: "0x800706D9", remedy: "start-wmi", says: "DCOM is not there"})
	},
}

// waitShut waits until the port of the endpoint mapper is closed.
func (p *patient) waitShut() {
	p.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", p.DCOM)
		if err != nil {
			return
		}
		c.Close()
	}
	p.t.Fatal("the port stays open")
}

// restart starts WMI over DCOM anew.
func (p *patient) restart() {
	p.t.Helper()
	p.ole(settings.KeyOle, "EnableDCOM", registry.SZ("N"))
	p.waitShut()
	p.ole(settings.KeyOle, "EnableDCOM", registry.SZ("Y"))
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if at := p.Service.DCOM().Resolver; at != "" {
			if c, err := net.Dial("tcp", at); err == nil {
				c.Close()
				p.DCOM, p.target.ResolverPort = at, netip.MustParseAddrPort(at).Port()
				return
			}
		}
	}
	p.t.Fatal("the port stays shut")
}

// at serves a port of its own.
func (p *patient) at(serve func(net.Conn)) uint16 {
	p.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(20 * time.Second))
			serve(c)
			c.Close()
		}
	}()
	p.t.Cleanup(func() { l.Close(); <-done })
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

// TestDCOMFaults: one fault at a time, and the doctor names that one. Checklist
// 0.01, issue 6 shown by 1.
func TestDCOMFaults(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("faults", func(t *testing.T) {
		for name, cause := range faults {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cause(newPatient(t))
			})
		}
	})
}
