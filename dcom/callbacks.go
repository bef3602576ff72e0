package dcom

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
)

// CallbackOptions configure how a client is called back.
type CallbackOptions struct {
	// Objects takes the calls. It belongs to the Callbacks from now on.
	Objects net.Listener
	// Resolver is a listener at port 135 where there is one. Without it the port of Objects resolves as well, and references tell that port.
	Resolver net.Listener
	// HostName and Advertise are told as in Endpoint.
	HostName  string
	Advertise []string
	// Acceptor proves who calls; nil takes calls without authentication alone, as far as Level permits them.
	Acceptor func(t dcerpc.AuthType, peer net.Addr) (auth.Acceptor, error)
	// Level is the least protection of a call, LevelPacket by default. LevelNone has to be said: anybody who reaches the port may then call.
	Level dcerpc.Level
	// Access is asked before each call; nil permits all.
	Access func(ctx context.Context, call *dcerpc.Call) error
	// Admit is asked for each connection, for example whether it comes from the machine that was given a reference; nil admits all.
	Admit func(local, peer net.Addr) error
	// Resolved is told of each peer that asked where an object is and was told; nil is not.
	Resolved func(peer net.Addr)
	// Log takes what happens; nil discards it.
	Log *slog.Logger
}

// Callbacks has objects of a client that other machines call: sinks. Close ends them and the listeners.
type Callbacks struct {
	resolver *Resolver
	exporter *Exporter
	servers  []*dcerpc.Server
	wg       sync.WaitGroup
}

// ListenCallbacks begins to take calls.
func ListenCallbacks(opts CallbackOptions) (*Callbacks, error) {
	objects, err := endpointOf(opts.Objects, &opts)
	if err != nil {
		return nil, err
	}
	resolver := objects
	if opts.Resolver != nil {
		if resolver, err = endpointOf(opts.Resolver, &opts); err != nil {
			return nil, err
		}
	}
	ways := securityBindings(&opts)
	c := &Callbacks{resolver: NewResolver(ResolverOptions{Endpoint: resolver, Security: func() []SecurityBinding { return ways }, Resolved: opts.Resolved, Log: opts.Log})}
	c.exporter = c.resolver.NewExporter(ExporterOptions{Endpoint: objects, Level: opts.Level, Access: opts.Access, Log: opts.Log})
	server := func() *dcerpc.Server {
		return dcerpc.NewServer(dcerpc.ServerOptions{
			Acceptor: opts.Acceptor, Admit: opts.Admit, Lookup: c.exporter.Lookup, Log: opts.Log,
			// Who calls back without authentication brings as much as others; few machines call at once.
			MaxAnonymous: 4 << 20, MaxConns: 64, MaxConnsPerAddress: 16,
		})
	}
	calls := server()
	calls.Register(c.resolver.Interface())
	c.serve(calls, opts.Objects)
	if opts.Resolver != nil {
		s := server()
		s.Register(c.resolver.Interface())
		c.serve(s, opts.Resolver)
	}
	return c, nil
}

func endpointOf(l net.Listener, opts *CallbackOptions) (Endpoint, error) {
	if l == nil {
		return Endpoint{}, errors.New("dcom: callbacks need a listener")
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return Endpoint{}, err
	}
	return Endpoint{Addr: at, HostName: opts.HostName, Advertise: opts.Advertise}, nil
}

// securityBindings tell how to authenticate: not at all where nobody would take it.
func securityBindings(opts *CallbackOptions) []SecurityBinding {
	if opts.Acceptor == nil {
		return nil
	}
	return []SecurityBinding{{AuthnSvc: uint16(dcerpc.AuthSPNEGO)}, {AuthnSvc: uint16(dcerpc.AuthNTLM)}}
}

func (c *Callbacks) serve(s *dcerpc.Server, l net.Listener) {
	c.servers = append(c.servers, s)
	c.wg.Go(func() { _ = s.Serve(l) }) // it ends with Close, or with its listener: then nobody calls
}

// Export makes a sink callable and gives the reference to pass, in a call of the proxy to (which may be nil). It is not pinged for: it stays until Revoke.
func (c *Callbacks) Export(o Object, opts ExportOptions, to *Proxy) (*ObjRef, error) {
	opts.Anyone, opts.NoPing = true, true
	if to != nil {
		opts.Local, opts.Peer = to.Addrs()
	}
	return c.exporter.Export(o, opts)
}

// Exporter has the objects.
func (c *Callbacks) Exporter() *Exporter { return c.exporter }

// Close ends listeners, connections and calls, and releases the objects.
func (c *Callbacks) Close() error {
	for _, s := range c.servers {
		s.Close()
	}
	c.wg.Wait()
	c.exporter.Close()
	return c.resolver.Close()
}
