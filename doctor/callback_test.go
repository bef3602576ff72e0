package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// listening says which ports of this machine there are: one that asks for the
// resolver or the objects, and how it listens.
type listening struct {
	resolver, objects func(net.Listener) net.Listener
}

// deaf takes connections and never says so: what is sent there goes nowhere, as far
// as this machine sees.
func deaf(l net.Listener) net.Listener {
	closed := make(chan struct{})
	return &deafListener{l, closed, sync.OnceFunc(func() { close(closed); l.Close() })}
}

type deafListener struct {
	net.Listener
	closed chan struct{}
	close  func()
}

func (d *deafListener) Accept() (net.Conn, error) { <-d.closed; return nil, net.ErrClosed }
func (d *deafListener) Close() error              { d.close(); return nil }

// away is a listener that says it is at a port where nothing listens.
func away(l net.Listener) net.Listener {
	l.Close()
	return deaf(closedListener{l.Addr()})
}

type closedListener struct{ at net.Addr }

func (closedListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (closedListener) Close() error              { return nil }
func (c closedListener) Addr() net.Addr          { return c.at }

// sinks are ports of this machine. Where there is no resolver, the port of the
// objects answers for it.
func sinks(o wmiclient.SinkOptions, ports listening) *wmiclient.Sinks {
	o.Address, o.ResolverPort = "127.0.0.1", 1
	o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		how := ports.objects
		if strings.HasSuffix(address, ":1") {
			if how = ports.resolver; how == nil {
				return nil, errors.New("not for tests")
			}
		}
		l, err := new(net.ListenConfig).Listen(ctx, network, "127.0.0.1:0")
		if err == nil && how != nil {
			l = how(l)
		}
		return l, err
	}
	return wmiclient.NewSinks(o)
}

func heard(l net.Listener) net.Listener { return l }

func permitted() error { return nil }

func (p *patient) allow(n uint32) {
	p.ole(settings.KeyCIMOM, allowName, registry.DWORD(n))
}

// callbackFaults are the causes of spec/wmi.md 1.7, each broken alone. Checklist
// 4.01.
var callbackFaults = map[string]func(p *patient){
	"nothing is wrong": func(p *patient) {
		p.allow(1)
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{resolver: heard})
		r := p.examine()
		show(p.t, r)
		if r.Verdict != OK || r.Cause != nil {
			p.t.Errorf("%s, %+v", r.Verdict, r.Cause)
		}
		for _, id := range []string{"callback.in135", "callback.sink", "callback.anonymous", "callback.allow"} {
			if c := result(p.t, r, id); c.Outcome != Pass {
				p.t.Errorf("%s: %s, %s", id, c.Outcome, c.Detail)
			}
		}
		if c := result(p.t, r, "callback.level"); c.Outcome != Info || !strings.Contains(c.Detail, "without authentication") {
			p.t.Errorf("callback.level: %s, %s", c.Outcome, c.Detail)
		}
	},
	"the host may not call without authentication": func(p *patient) {
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{})
		r := p.says(want{cause: "callback.allow", confidence: Certain, row: 38, failed: "callback.in135", remedy: "semisynchronous", says: "CIMOM", reach: ReachDegraded})
		p.remedy(r, "allow-anonymous-callback")
		p.allow(1) // what it types
		p.fine()
	},
	"the host's own sinks are checked": func(p *patient) {
		p.allow(1)
		p.ole(settings.KeyCIMOM, controlName, registry.SZ("1"))
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{})
		r := p.says(want{cause: "callback.allow", confidence: Certain, row: 38, failed: "callback.in135", remedy: "semisynchronous", says: "CIMOM", reach: ReachDegraded})
		if !strings.Contains(r.Cause.Title, "UnsecAppAccessControlDefault is not 0") {
			p.t.Errorf("the title is %q", r.Cause.Title)
		}
		p.remedy(r, "callback-control")
		p.ole(settings.KeyCIMOM, controlName, registry.SZ("0"))
		p.fine()
	},
	"this machine is silent": func(p *patient) {
		p.allow(1)
		p.o.Limit = time.Second
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{resolver: deaf})
		r := p.says(want{cause: "callback.in135", confidence: Certain, row: 38, failed: "callback.in135", remedy: "semisynchronous", says: "cannot reach this machine", reach: ReachDegraded})
		m := p.remedy(r, "let-callback-in")
		if strings.Count(fmt.Sprint(m.Commands), "127.0.0.1") == 0 || len(m.Undo) == 0 {
			p.t.Errorf("the remedy is %+v", m)
		}
		if c := result(p.t, r, "callback.sink"); c.Outcome != Skip {
			p.t.Errorf("callback.sink: %s", c.Outcome)
		}
	},
	"the port of the sink is silent": func(p *patient) {
		p.allow(1)
		p.o.Limit = time.Second
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{resolver: heard, objects: deaf})
		p.says(want{cause: "callback.sink", confidence: Certain, row: 38, failed: "callback.sink", remedy: "semisynchronous", says: "not the port of the sink", reach: ReachDegraded})
	},
	"the port of the sink is refused": func(p *patient) {
		p.allow(1)
		p.o.Limit = time.Second
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{resolver: heard, objects: away})
		p.says(want{cause: "callback.sink", confidence: Certain, row: 38, failed: "callback.sink", remedy: "semisynchronous", says: "not the port of the sink", reach: ReachDegraded})
	},
	"this machine does not take a call without authentication": func(p *patient) {
		p.allow(1)
		p.o.Sinks = sinks(wmiclient.SinkOptions{}, listening{})
		r := p.says(want{cause: "callback.anonymous", confidence: Certain, row: 38, failed: "callback.anonymous", code: "0x80070005", remedy: "semisynchronous", says: "ANONYMOUS LOGON lacks Remote Access", reach: ReachDegraded})
		p.remedy(r, "anonymous-limit")
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{})
		p.fine()
	},
	"this machine's sinks are checked": func(p *patient) {
		p.allow(1)
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: func() error { return settings.ErrCheckedCallback }}, listening{})
		r := p.says(want{cause: "callback.anonymous", confidence: Certain, row: 38, failed: "callback.anonymous", code: "0x80070005", remedy: "semisynchronous", says: "UnsecAppAccessControlDefault is 1 here", reach: ReachDegraded})
		p.remedy(r, "sink-control")
	},
	"row 39: the namespace demands encryption": func(p *patient) {
		p.allow(1)
		p.compile("root", `[RequiresEncryption] instance of __NAMESPACE { Name = "sealed"; };`)
		p.target.Namespace = `root\sealed`
		p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{})
		p.says(want{cause: "callback.encrypted", confidence: Certain, row: 39, failed: "callback.in135", code: "0x80041003", remedy: "semisynchronous", says: "demands encryption", reach: ReachDegraded})
	},
}

// remedy is one of a report's.
func (p *patient) remedy(r *Report, id string) Remedy {
	p.t.Helper()
	n := slices.IndexFunc(r.Remedies, func(m Remedy) bool { return m.ID == id })
	if n < 0 {
		p.t.Fatalf("there is no remedy %s in %+v", id, r.Remedies)
	}
	return r.Remedies[n]
}

// fine fails where something is still wrong.
func (p *patient) fine() {
	p.t.Helper()
	if r := p.examine(); r.Verdict != OK {
		p.t.Errorf("mended, and still %s: %+v", r.Verdict, r.Cause)
		show(p.t, r)
	}
}

func TestCallbackFaults(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var mu sync.Mutex
	said := map[string]string{} // by the text of the cause
	t.Run("faults", func(t *testing.T) {
		for name, cause := range callbackFaults {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newPatient(t)
				cause(p)
				mu.Lock()
				defer mu.Unlock()
				if other := said[p.title]; other != "" && !strings.HasPrefix(name, "the port of the sink") {
					t.Errorf("it has the text of %q: %s", other, p.title)
				}
				said[p.title] = name
			})
		}
	})
}

// A firewall of this machine that refuses the host is named as such; the one of the
// state folder passes loopback always, so that the steps are given.
func TestOwnFirewallRefusesCallback(t *testing.T) {
	x := newExamination(Target{Name: "srv12"}, Options{})
	try := &callbackTry{changed: make(chan struct{}), ports: wmiclient.SinkPorts{Objects: 50124, Resolver: 135}}
	x.dcom.callback = try
	try.step(wmiclient.Callback{Leg: wmiclient.CallbackConnected, Peer: &net.TCPAddr{IP: net.IPv4(10, 0, 9, 12), Port: 50999}, Port: 135, Err: errors.New("no rule lets it in")})
	d := (&findings{x: x}).explain(Result{ID: "callback.in135", Outcome: Fail})
	if d == nil || d.Check != "callback.in135" || d.Row != 38 || !strings.Contains(d.Title, "the firewall of this machine refuses") || !strings.Contains(fmt.Sprint(d.For), "no rule lets it in") || d.remedies[1].ID != "own-firewall" {
		t.Errorf("%+v", d)
	}
}
