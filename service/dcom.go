package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcerpc/epm"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/internal/audit"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi/wmiserver"
)

// dcomServers are what serves the two ports: the resolver's has the resolver of
// objects and the activator, the other one the objects.
type dcomServers struct {
	rpc      [2]*dcerpc.Server
	resolver *dcom.Resolver
	exporter *dcom.Exporter
	wmi      *wmiserver.Server
	wg       sync.WaitGroup
}

// serveDCOM serves the two ports of WMI over DCOM.
func (s *Service) serveDCOM(p dcomPorts, people *people) (io.Closer, error) {
	now := s.State.Snapshot().DCOM
	endpoint := func(l net.Listener) dcom.Endpoint {
		return dcom.Endpoint{Addr: l.Addr().(*net.TCPAddr).AddrPort(), HostName: bindingName(p.Address), Advertise: now.Bindings}
	}
	gate := &dcomGate{state: s.State, people: people, log: s.log, audit: audit.New(s.log)}
	d := &dcomServers{}
	d.resolver = dcom.NewResolver(dcom.ResolverOptions{
		Endpoint: endpoint(p.Resolver), Log: s.log,
		Security: people.securityBindings,
	})
	d.exporter = d.resolver.NewExporter(dcom.ExporterOptions{
		Endpoint: endpoint(p.WMI), Level: dcerpc.Level(p.Level), Access: gate.access, Principal: gate.principal, Log: s.log, // #nosec G115 -- 2 to 6
	})
	activator := dcom.NewActivator(dcom.ActivatorOptions{Permit: gate.activation, Level: gate.activationLevel, Refused: gate.tooLow, Log: s.log})
	d.wmi = wmiserver.New(s.wmiOptions(gate))
	for clsid, class := range d.wmi.Classes(d.exporter) {
		activator.Register(clsid, class)
	}

	options := dcerpc.ServerOptions{Acceptor: observeRPC(s.watched, people.rpc), Admit: s.admit(firewall.EndpointMapper()), Log: s.log}
	d.rpc[0] = dcerpc.NewServer(options)
	var mapper epm.Mapper
	for _, i := range append(activator.Interfaces(), d.resolver.Interface(), mapper.Interface()) {
		d.rpc[0].Register(i)
		mapper.Register(epm.Endpoint{Interface: i.ID, Port: p.Resolver.Addr().(*net.TCPAddr).AddrPort().Port()})
	}
	options.Lookup, options.Admit = d.exporter.Lookup, s.admit(firewall.WMI())
	d.rpc[1] = dcerpc.NewServer(options)
	d.run(d.rpc[0], p.Resolver, s.log)
	d.run(d.rpc[1], p.WMI, s.log)
	return d, nil
}

// wmiOptions are those of the WMI service over the object manager.
func (s *Service) wmiOptions(gate *dcomGate) wmiserver.Options {
	o := wmiserver.Options{
		Opener: s.CIM, Caller: gate.caller, Logger: s.log,
		Callbacks: wmiserver.Callbacks{
			Anonymous: func() bool { return s.State.Snapshot().Callbacks.AnonymousRetry() },
			Identity:  s.account.initiator, Known: s.account.known,
			Dial: s.gate.Dial(firewall.WMI(), new(net.Dialer).DialContext),
		},
	}
	if s.objects != nil {
		o.ServerName, o.Repository = s.objects.Server(), repositoryFiles{s.objects}
	}
	return o
}

// bindingName is the name of the host that clients are told beside addresses:
// none where only one address is listened on.
func bindingName(address string) string {
	if _, err := netip.ParseAddr(address); err == nil {
		return ""
	}
	return hostName()
}

func (d *dcomServers) run(server *dcerpc.Server, l net.Listener, log *slog.Logger) {
	d.wg.Go(func() {
		if err := server.Serve(l); !errors.Is(err, dcerpc.ErrServerClosed) {
			log.Error("a listener ended", "address", l.Addr(), "protocol", "DCOM", "error", err)
		}
	})
}

// Close implements io.Closer. It ends connections and calls, and then the
// objects.
func (d *dcomServers) Close() error {
	err := errors.Join(d.rpc[0].Close(), d.rpc[1].Close())
	d.wg.Wait()
	err = errors.Join(err, d.exporter.Close(), d.resolver.Close())
	d.wmi.Close()
	return err
}

// rpc is the service's side of an exchange over RPC. What a client believes to
// sign in to is not compared: clients of DCOM name all sorts of services, as
// Windows lets them.
func (p *people) rpc(kind dcerpc.AuthType, peer net.Addr) (auth.Acceptor, error) {
	switch kind {
	case dcerpc.AuthSPNEGO:
		return p.spnego(peer, ntlm.AcceptorOptions{}, true), nil
	case dcerpc.AuthNTLM:
		return p.ntlm(peer, ntlm.AcceptorOptions{}), nil
	case dcerpc.AuthKerberos:
		return p.rpcKerberos(peer)
	}
	return nil, errors.New("this machine has no " + kind.String())
}

// dcomGate decides who may activate and call: the limits of the machine and the
// permissions of the WMI application, as they are now.
type dcomGate struct {
	state  *State
	people *people
	log    *slog.Logger
	audit  *audit.Log
}

// token is the token of who calls, made once for each identity of a connection.
func (g *dcomGate) token(ctx context.Context, call *dcerpc.Call) (*security.Token, error) {
	if call.Security == nil {
		return nil, errors.New("an anonymous caller has no token")
	}
	v, err := call.Security.Value(func() (any, error) { return g.people.token(ctx, call.Security.Identity()) })
	if err != nil {
		return nil, err
	}
	return v.(*security.Token), nil
}

// present is token for who may still be here: not an account that was deleted or
// disabled, or that lost a group, since it signed in. A connection of DCOM has no
// end by itself, so that waiting for the next sign-in could be for ever.
func (g *dcomGate) present(ctx context.Context, call *dcerpc.Call) (*security.Token, error) {
	t, err := g.token(ctx, call)
	if err != nil {
		return nil, err
	}
	_, err = g.people.store.Refresh(t)
	return t, err
}

// caller tells who makes a call. All that comes over TCP is from another machine.
func (g *dcomGate) caller(ctx context.Context, call *dcerpc.Call) (cim.Caller, error) {
	t, err := g.token(ctx, call)
	return cim.Caller{Token: t, Remote: true, Protection: cim.Protection(call.Security.Level()),
		Impersonation: cim.ImpersonationImpersonate, Address: call.Peer.String()}, err
}

// principal names the account that objects belong to.
func (g *dcomGate) principal(ctx context.Context, call *dcerpc.Call) (string, error) {
	t, err := g.token(ctx, call)
	if err != nil {
		return "", err
	}
	return t.User.String(), nil
}

// access is asked before each call of an object.
func (g *dcomGate) access(ctx context.Context, call *dcerpc.Call) error {
	t, err := g.present(ctx, call)
	if err != nil {
		return err
	}
	d := g.state.Snapshot().DCOM
	err = d.CheckAccess(t)
	g.record(ctx, gateRecord{call: call, token: t, err: err, refused: "a call over DCOM is refused", audited: d.AuditsAccess(t, err == nil)})
	return err
}

// The numbers of the events that Windows logs with the source DistributedCOM.
const (
	eventActivationDenied = 10016 // by a descriptor
	eventActivationLevel  = 10036 // by KB5004442
)

// activation is asked for each activation.
func (g *dcomGate) activation(ctx context.Context, a dcom.Activation) error {
	t, err := g.present(ctx, a.Call)
	if err != nil {
		return err
	}
	d := g.state.Snapshot().DCOM
	err = d.CheckActivation(t)
	g.record(ctx, gateRecord{call: a.Call, token: t, err: err, refused: "an activation over DCOM is refused", event: eventActivationDenied,
		class: a.CLSID, audited: d.AuditsActivation(t, err == nil)})
	return err
}

// activationLevel is the least level of an activation: packet integrity, unless
// the hive says otherwise. See KB5004442.
func (g *dcomGate) activationLevel() dcerpc.Level {
	if g.state.Snapshot().DCOM.RequireIntegrity {
		return dcerpc.LevelIntegrity
	}
	return dcerpc.LevelConnect
}
