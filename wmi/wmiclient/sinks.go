package wmiclient

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/wmi"
)

// SinkOptions say how hosts reach the sinks of asynchronous operations and who may call them: what CoInitializeSecurity is to a program of Windows. With
// neither Acceptor nor Anonymous nobody may, and nothing arrives.
type SinkOptions struct {
	// Address is the IP address to listen on; "" is all of this machine.
	Address string
	// Port is that of the sinks; 0 takes a free one.
	Port uint16
	// ResolverPort is where hosts ask for that port; 0 is 135. Where it cannot be had, references name Port, which answers that question too.
	ResolverPort uint16
	// Advertise are names or addresses, with [port] where that differs, by which hosts reach this machine through a translation of addresses.
	Advertise []string
	// Acceptor proves who calls; nil: nobody can.
	Acceptor func(t dcerpc.AuthType, peer net.Addr) (auth.Acceptor, error)
	// Anonymous says why a call without authentication is refused, nil permits it; it is asked for each such call. A nil Anonymous refuses all.
	Anonymous func() error
	// Queue is how many octets of objects may wait for their reader, 16 MiB by default. A host that calls when they are there waits.
	Queue int
	// Unsecapp is the Unix socket of a program that hosts the sinks ([Sinks.ServeUnsecapp]). It decides who may call, and where: of the other options
	// only Queue and Logger count then. Default: this process hosts them itself.
	Unsecapp string
	// Firewall decides about each connection that comes in. Default: the rules in the state folder of the user, where nothing comes in from outside
	// by default.
	Firewall *firewall.Gate
	// Program is the one that listens, as rules of the firewall name it. Default: the path of this process's executable file.
	Program string
	// Listen opens the ports; the default is a net.ListenConfig.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Refused is told of each call that is refused and why; nil is not.
	Refused func(peer net.Addr, err error)
	// Logger records at level Debug what happens; nil is silent.
	Logger *slog.Logger
}

// defaultQueue is SinkOptions.Queue.
const defaultQueue = 16 << 20

// resolverPort is where hosts ask.
const resolverPort = 135

// Sinks are where hosts call the sinks of this process. The ports are open only while there is a sink, and only for the machines that were given one.
// Many clients may share one. It is safe for concurrent use.
type Sinks struct {
	o SinkOptions

	mu        sync.Mutex
	callbacks *dcom.Callbacks
	ports     SinkPorts
	peers     map[netip.Addr]*sinkPeer
	users     int
}

// sinkPeer is a machine that has sinks.
type sinkPeer struct {
	users   int
	reached chan struct{} // closed when it has connected
	seen    bool
	traces  []*Trace // of the users
}

// SinkPorts are the ports that are open for sinks.
type SinkPorts struct {
	Objects  uint16
	Resolver uint16 // 0 where the port of the sinks serves that as well
}

// NewSinks opens nothing yet.
func NewSinks(o SinkOptions) *Sinks {
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.ResolverPort == 0 {
		o.ResolverPort = resolverPort
	}
	if o.Listen == nil {
		o.Listen = new(net.ListenConfig).Listen
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Firewall == nil {
		o.Firewall = ownFirewall(o.Logger)
	}
	if o.Program == "" {
		o.Program, _ = os.Executable() // "" fits no rule for a program
	}
	return &Sinks{o: o, peers: map[netip.Addr]*sinkPeer{}}
}

func (k *Sinks) queue() int { return k.o.Queue }

// host makes a receiver callable.
func (k *Sinks) host(ctx context.Context, to receiver, local, peer net.Addr, trace *Trace) (*exported, error) {
	if k.o.Unsecapp != "" {
		return k.rent(ctx, to, local, peer)
	}
	return k.export(ctx, sinkObject{to}, local, peer, trace)
}

// Ports tells what is open now, nothing where there is no sink.
func (k *Sinks) Ports() SinkPorts {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ports
}

// exported is a sink that a host may call until end.
type exported struct {
	ref     *dcom.ObjRef
	ports   SinkPorts
	reached <-chan struct{}
	// again is another reference to it, for CancelAsyncCall: who reads one takes what it counts.
	again func() *dcom.ObjRef
	end   func()
}

// export makes an object callable for the machine at peer, which is reached from local.
func (k *Sinks) export(ctx context.Context, o dcom.Object, local, peer net.Addr, trace *Trace) (*exported, error) {
	at, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return nil, err
	}
	from := at.Addr().Unmap().WithZone("")
	callbacks, reached, err := k.enter(ctx, from, trace)
	if err != nil {
		return nil, err
	}
	end := sync.OnceFunc(func() { k.leave(from, trace) })
	opts := dcom.ExportOptions{IID: wmi.IIDObjectSink, Anyone: true, NoPing: true, Local: local, Peer: peer}
	ref, err := callbacks.Exporter().Export(o, opts)
	if err != nil {
		end()
		return nil, err
	}
	return &exported{ref: ref, ports: k.Ports(), reached: reached,
		again: func() *dcom.ObjRef {
			if other, err := callbacks.Exporter().Reference(ref.Std.OID, opts); err == nil {
				return other
			}
			return ref // the host has released it; it still names the operation
		},
		end: func() {
			callbacks.Exporter().Revoke(ref.Std.OID)
			end()
		}}, nil
}

// enter opens the ports for the first sink.
func (k *Sinks) enter(ctx context.Context, from netip.Addr, trace *Trace) (*dcom.Callbacks, <-chan struct{}, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.callbacks == nil {
		if err := k.listen(ctx); err != nil {
			return nil, nil, err
		}
	}
	k.users++
	p := k.peers[from]
	if p == nil {
		p = &sinkPeer{reached: make(chan struct{})}
		k.peers[from] = p
	}
	p.users++
	p.traces = append(p.traces, trace)
	return k.callbacks, p.reached, nil
}

// leave closes them after the last.
func (k *Sinks) leave(from netip.Addr, trace *Trace) {
	k.mu.Lock()
	p := k.peers[from]
	p.traces = slices.Delete(p.traces, slices.Index(p.traces, trace), slices.Index(p.traces, trace)+1)
	if p.users--; p.users == 0 {
		delete(k.peers, from)
	}
	var last *dcom.Callbacks
	if k.users--; k.users == 0 {
		last, k.callbacks, k.ports = k.callbacks, nil, SinkPorts{}
	}
	k.mu.Unlock()
	if last != nil {
		last.Close() //nolint:errcheck // nobody is left to call
	}
}

// listen opens the ports. mu is held.
func (k *Sinks) listen(ctx context.Context) error {
	at := func(port uint16) string { return net.JoinHostPort(k.o.Address, strconv.Itoa(int(port))) }
	objects, err := k.o.Listen(ctx, "tcp", at(k.o.Port))
	if err != nil {
		return &cim.Error{Status: cim.ErrTransportFailure, Detail: "no port can be opened for the sink", Err: err}
	}
	resolver, err := k.o.Listen(ctx, "tcp", at(k.o.ResolverPort))
	if err != nil {
		k.o.Logger.Debug("the reference names the sink's own port", "resolver", k.o.ResolverPort, "error", err)
	}
	o := dcom.CallbackOptions{Objects: objects, Advertise: k.o.Advertise, Access: k.access, Admit: k.admit, Resolved: k.resolved, Log: k.o.Logger}
	if k.o.Acceptor != nil {
		o.Acceptor = k.acceptor
	}
	if err == nil { // an interface that holds nothing is not nil
		o.Resolver = resolver
	}
	// A call below the least level gets the same answer as one that access refuses, and would not be told of.
	o.Level = dcerpc.LevelNone
	k.callbacks, err = dcom.ListenCallbacks(o)
	if err != nil {
		err = errors.Join(err, objects.Close())
		if o.Resolver != nil {
			err = errors.Join(err, o.Resolver.Close())
		}
		return err
	}
	k.ports.Objects = portOf(objects)
	if o.Resolver != nil {
		k.ports.Resolver = portOf(o.Resolver)
	}
	return nil
}

func portOf(l net.Listener) uint16 { return portAt(l.Addr()) }

func portAt(a net.Addr) uint16 {
	at, _ := netip.ParseAddrPort(a.String()) // 0 for what is no port
	return at.Port()
}

var errStranger = errors.New("this machine was given no sink")

// admit takes connections of machines that have a sink, as far as the firewall lets them in.
func (k *Sinks) admit(local, peer net.Addr) error {
	if err := k.o.Firewall.Admit(k.part(local), local, peer); err != nil {
		k.tell(peer, Callback{Leg: CallbackConnected, Port: portAt(local), Err: err})
		return k.refused(peer, err)
	}
	at, err := netip.ParseAddrPort(peer.String())
	if err == nil {
		k.mu.Lock()
		if p := k.peers[at.Addr().Unmap().WithZone("")]; p == nil {
			err = errStranger
		} else if !p.seen {
			p.seen = true
			close(p.reached)
		}
		k.mu.Unlock()
		k.tell(peer, Callback{Leg: CallbackConnected, Port: portAt(local), Err: err})
	}
	return k.refused(peer, err)
}

var (
	errNoAnonymous = errors.New("calls without authentication are not permitted")
	errLowLevel    = errors.New("the level of authentication is too low")
)

// access decides about a call: who proves an identity may, and who proves none where that is permitted.
func (k *Sinks) access(_ context.Context, call *dcerpc.Call) error {
	err := error(nil)
	switch s := call.Security; {
	case s == nil || s.Level() <= dcerpc.LevelNone || s.Identity().Anonymous:
		if err = errNoAnonymous; k.o.Anonymous != nil {
			err = k.o.Anonymous()
		}
	case s.Level() < dcerpc.LevelPacket:
		err = errLowLevel
	}
	k.tell(call.Peer, Callback{Leg: CallbackCalled, Port: portAt(call.Local), Level: call.Security.Level(), Identity: call.Security.Identity(), Err: err})
	return k.refused(call.Peer, err)
}

func (k *Sinks) refused(peer net.Addr, err error) error {
	if err != nil {
		k.o.Logger.Debug("a call to a sink is refused", "remote", peer, "error", err)
		if k.o.Refused != nil {
			k.o.Refused(peer, err)
		}
	}
	return err
}

// receiver takes what is called on a sink. Its answers are HRESULTs.
type receiver interface {
	indicate(ctx context.Context, objects [][]byte) uint32
	setStatus(ctx context.Context, s finalStatus) uint32
	// released tells that the host needs it no more.
	released()
}

// finalStatus are the arguments of SetStatus.
type finalStatus struct {
	Flags, Status uint32
	Text          string
	Object        []byte // nil for none
}

// sinkTimer bounds what a host is kept waiting; it waits 30 seconds at most.
const sinkTimer = 20 * time.Second
