package dcom

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/casementhq/casement/dcerpc"
)

// defaultPingPeriod is the period of [MS-DCOM] 3.1.2.2.
const defaultPingPeriod = 2 * time.Minute

// ResolverOptions configure a Resolver.
type ResolverOptions struct {
	// Endpoint is the listener of the dcerpc.Server that has the resolver's Interface. Port 135 is implied in bindings, any other is told.
	Endpoint Endpoint
	// Security tells how to authenticate to resolver and exporters, at each moment: it is asked for every answer. Nil is nothing.
	Security func() []SecurityBinding
	// PingPeriod is how often clients are expected to ping, 2 minutes, which is also the most that the specification permits.
	PingPeriod time.Duration
	// Access is asked before pings and resolutions; an error is ERROR_ACCESS_DENIED. Nil permits everybody: these tell nothing but addresses, and only
	// to who knows a random number.
	Access func(ctx context.Context, call *dcerpc.Call) error
	// Resolved is told of each peer that asked where an exporter is and was told; nil is not.
	Resolved func(peer net.Addr)
	// MaxSets and MaxPinged bound the ping sets of one address, 64, and the objects in a set, 10,000.
	MaxSets, MaxPinged int
	// Log takes what happens to ping sets; nil discards it.
	Log *slog.Logger
}

// Resolver tells where exporters are, and keeps their objects alive while their clients ping ([MS-DCOM] 3.1.2). Close ends it.
type Resolver struct {
	opts      ResolverOptions
	at        *advertiser
	iface     *dcerpc.Interface
	stop      chan struct{}
	wg        sync.WaitGroup
	closeOnce sync.Once

	mu        sync.Mutex
	exporters map[uint64]*Exporter
	sets      map[uint64]*pingSet
	perHost   map[string]int
}

// pingSet is what one client pings for.
type pingSet struct {
	host     string // of the client that made it
	sequence uint16
	oids     map[uint64]*Exporter
	pinged   time.Time
}

// NewResolver makes a resolver, which watches over its exporters until Close.
func NewResolver(opts ResolverOptions) *Resolver {
	if opts.Security == nil {
		opts.Security = func() []SecurityBinding { return nil }
	}
	if opts.PingPeriod <= 0 {
		opts.PingPeriod = defaultPingPeriod
	}
	if opts.MaxSets <= 0 {
		opts.MaxSets = 64
	}
	if opts.MaxPinged <= 0 {
		opts.MaxPinged = maxPinged
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	r := &Resolver{opts: opts, at: &advertiser{Endpoint: opts.Endpoint}, stop: make(chan struct{}), exporters: map[uint64]*Exporter{}, sets: map[uint64]*pingSet{}, perHost: map[string]int{}}
	r.iface = &dcerpc.Interface{ID: dcerpc.SyntaxID{UUID: IIDObjectExporter}, Name: "IObjectExporter", MinLevel: dcerpc.LevelNone, PrefersNDR20: true, Serve: r.serve}
	r.wg.Add(1)
	go r.watch()
	return r
}

// NewExporter makes an exporter that the resolver resolves.
func (r *Resolver) NewExporter(opts ExporterOptions) *Exporter {
	x := newExporter(r, opts)
	r.mu.Lock()
	r.exporters[x.oxid] = x
	r.mu.Unlock()
	return x
}

func (r *Resolver) forget(x *Exporter) {
	r.mu.Lock()
	delete(r.exporters, x.oxid)
	r.mu.Unlock()
}

// Interface is IObjectExporter, for the dcerpc.Server at the resolver's endpoint.
func (r *Resolver) Interface() *dcerpc.Interface { return r.iface }

// Close stops watching. Exporters are their owners' to close.
func (r *Resolver) Close() error {
	r.closeOnce.Do(func() { close(r.stop) })
	r.wg.Wait()
	return nil
}

// bindings tells a peer that came to local where the resolver is.
func (r *Resolver) bindings(local, peer net.Addr) DualStringArray {
	return DualStringArray{r.at.bindings(local, peer, resolverPort), r.opts.Security()}
}

// watch ends what is not pinged. An object that is expired is gone for calls at once; here its memory goes.
func (r *Resolver) watch() {
	defer r.wg.Done()
	tick := time.NewTicker(r.opts.PingPeriod / 2)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
			r.sweep(time.Now())
		}
	}
}

// sweep ends ping sets that were not pinged for three periods, and then the objects that this leaves ([MS-DCOM] 3.1.2.6).
func (r *Resolver) sweep(now time.Time) {
	var exporters []*Exporter
	r.mu.Lock()
	for id, s := range r.sets {
		if now.Sub(s.pinged) >= 3*r.opts.PingPeriod {
			r.drop(id, s)
		}
	}
	for _, x := range r.exporters {
		exporters = append(exporters, x)
	}
	r.mu.Unlock()
	for _, x := range exporters {
		x.sweep(now)
	}
}

// drop ends a set. mu is held.
func (r *Resolver) drop(id uint64, s *pingSet) {
	for oid, x := range s.oids {
		x.leaveSet(oid, s.pinged)
	}
	delete(r.sets, id)
	if r.perHost[s.host]--; r.perHost[s.host] == 0 {
		delete(r.perHost, s.host)
	}
	r.opts.Log.Debug("dcom: ping set ended", "peer", s.host, "objects", len(s.oids))
}

// joinSet counts a ping set for an object.
func (x *Exporter) joinSet(oid uint64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	obj := x.objects[oid]
	if obj == nil || x.expired(obj, time.Now()) {
		return false
	}
	obj.sets++
	return true
}

// leaveSet is its inverse; the object was last pinged for at a time.
func (x *Exporter) leaveSet(oid uint64, pinged time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if obj := x.objects[oid]; obj != nil {
		obj.sets--
		if pinged.After(obj.alive) {
			obj.alive = pinged
		}
	}
}

// serve answers the methods of IObjectExporter ([MS-DCOM] 3.1.2.5.1).
func (r *Resolver) serve(ctx context.Context, call *dcerpc.Call) error {
	switch call.Opnum {
	case opServerAlive:
		(&StatusResponse{}).MarshalNDR(call.Out)
		return nil
	case opServerAlive2:
		(&ServerAlive2Response{Version: Version, Bindings: r.bindings(call.Local, call.Peer)}).MarshalNDR(call.Out)
		return nil
	}
	var denied uint32
	if r.opts.Access != nil {
		if err := r.opts.Access(ctx, call); err != nil {
			denied = ERROR_ACCESS_DENIED
		}
	}
	switch call.Opnum {
	case opResolveOxid, opResolveOxid2:
		var in ResolveOxidRequest
		if in.UnmarshalNDR(call.In); call.In.Err() != nil {
			return call.In.Err()
		}
		out := ResolveOxid2Response{ResolveOxidResponse{Status: denied}}
		if denied == 0 {
			out.Exporter, out.Status = r.resolve(call, in.OXID)
		}
		if out.Status == 0 && r.opts.Resolved != nil {
			r.opts.Resolved(call.Peer)
		}
		if call.Opnum == opResolveOxid2 {
			out.MarshalNDR(call.Out)
		} else {
			out.ResolveOxidResponse.MarshalNDR(call.Out)
		}
		return nil
	case opSimplePing:
		var in SimplePingRequest
		if in.UnmarshalNDR(call.In); call.In.Err() != nil {
			return call.In.Err()
		}
		if denied == 0 {
			denied = r.simplePing(in.SetID)
		}
		(&StatusResponse{denied}).MarshalNDR(call.Out)
		return nil
	case opComplexPing:
		var in ComplexPingRequest
		if in.UnmarshalNDR(call.In); call.In.Err() != nil {
			return call.In.Err()
		}
		out := &ComplexPingResponse{SetID: in.SetID, Status: denied}
		if denied == 0 {
			out.SetID, out.Status = r.complexPing(call, &in)
		}
		out.MarshalNDR(call.Out)
		return nil
	}
	return &dcerpc.Fault{Status: dcerpc.StatusOpRange}
}

func (r *Resolver) resolve(call *dcerpc.Call, oxid uint64) (ExporterInfo, uint32) {
	r.mu.Lock()
	x := r.exporters[oxid]
	r.mu.Unlock()
	if x == nil {
		return ExporterInfo{}, OR_INVALID_OXID
	}
	return x.info(call.Local, call.Peer), S_OK
}

func (r *Resolver) simplePing(id uint64) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.set(id)
	if s == nil {
		return OR_INVALID_SET
	}
	s.pinged = time.Now()
	return S_OK
}

// set finds a ping set that is still alive. mu is held.
func (r *Resolver) set(id uint64) *pingSet {
	s := r.sets[id]
	if s != nil && time.Since(s.pinged) >= 3*r.opts.PingPeriod {
		r.drop(id, s)
		return nil
	}
	return s
}

func (r *Resolver) complexPing(call *dcerpc.Call, in *ComplexPingRequest) (uint64, uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, s := in.SetID, r.set(in.SetID)
	fresh := id == 0
	switch {
	case fresh:
		host := addrOf(call.Peer).String()
		if r.perHost[host] >= r.opts.MaxSets {
			r.opts.Log.Warn("dcom: too many ping sets", "peer", host)
			return 0, ERROR_OUTOFMEMORY
		}
		id, s = randomID(), &pingSet{host: host, oids: map[uint64]*Exporter{}}
		r.sets[id] = s
		r.perHost[host]++
	case s == nil:
		return id, OR_INVALID_SET
	case int16(s.sequence-in.Sequence) > 0:
		return id, S_OK // what comes late is old
	}
	s.sequence, s.pinged = in.Sequence, time.Now()
	status := S_OK
	for _, oid := range in.Add {
		if s.oids[oid] != nil {
			continue
		}
		if len(s.oids) >= r.opts.MaxPinged {
			return id, ERROR_OUTOFMEMORY
		}
		if x := r.join(oid); x != nil {
			s.oids[oid] = x
		} else if !fresh {
			status = OR_INVALID_OID
		}
	}
	for _, oid := range in.Del {
		if x := s.oids[oid]; x != nil {
			x.leaveSet(oid, s.pinged)
			delete(s.oids, oid)
		}
	}
	return id, status
}

// join finds who exports an object and counts a set for it. mu is held; exporters never take it while they hold their own.
func (r *Resolver) join(oid uint64) *Exporter {
	for _, x := range r.exporters {
		if x.joinSet(oid) {
			return x
		}
	}
	return nil
}
