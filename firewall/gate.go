package firewall

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// GateOptions say which rules a Gate asks.
type GateOptions struct {
	// Snapshot is the hive as it is now. Where it fails nothing passes but traffic within
	// the machine. It is required.
	Snapshot func() (Snapshot, error)
	// Log records refusals at level Debug, at most one each ten seconds at level Info, and
	// once each rule that cannot be used; nil discards it.
	Log *slog.Logger
}

// Gate asks the rules as they are now about each connection. It is safe for concurrent
// use.
type Gate struct {
	snapshot func() (Snapshot, error)
	log      *slog.Logger
	subnets  subnets
	now      atomic.Pointer[asked]

	mu      sync.Mutex
	told    map[string]bool // problems
	last    time.Time       // of a refusal at level Info
	refused int             // since then
}

// asked is the filter of a snapshot.
type asked struct {
	of     Snapshot
	filter *Filter
}

// maxTold bounds the problems that are remembered.
const maxTold = 256

// NewGate makes a gate.
func NewGate(o GateOptions) *Gate {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Gate{snapshot: o.Snapshot, log: o.Log, told: map[string]bool{}}
}

// Filter is the filter as it is now.
func (g *Gate) Filter() (*Filter, error) {
	s, err := g.snapshot()
	if err != nil {
		return nil, err
	}
	if a := g.now.Load(); a != nil && a.of == s {
		return a.filter, nil
	}
	f := Compile(s, g.subnets.get)
	g.now.Store(&asked{s, f})
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range f.Problems() {
		if text := p.Error(); !g.told[text] && len(g.told) < maxTold {
			g.told[text] = true
			g.log.Warn("a rule of the firewall cannot be used as it stands", "error", p)
		}
	}
	return f, nil
}

// RefusedError says that a rule, or the lack of one, keeps a connection away.
type RefusedError struct {
	Traffic Traffic
	Verdict Verdict
	Err     error // why the rules could not be asked; nil where they were
}

func (e *RefusedError) Error() string {
	way := "in to"
	if e.Traffic.Dir == Out {
		way = "out from"
	}
	why := e.Verdict.String()
	if e.Err != nil {
		why = "its rules cannot be read: " + e.Err.Error()
	}
	return fmt.Sprintf("the firewall of this machine lets no connection %s %s: %s", way, e.Traffic.Part, why)
}

// Unwrap gives Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// String names a part as a rule does.
func (p Part) String() string {
	if p.Service != "" {
		return p.Program + " (" + p.Service + ")"
	}
	return p.Program
}

// Admit asks whether a connection that came in may stay. The error is a *RefusedError.
func (g *Gate) Admit(p Part, local, remote net.Addr) error {
	return g.ask(Traffic{Part: p, Dir: In, Local: addrPort(local), Remote: addrPort(remote)})
}

// Dial asks whether a part may connect, and then connects. Address is no name.
func (g *Gate) Dial(p Part, dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		remote, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		if err := g.ask(Traffic{Part: p, Dir: Out, Local: netip.AddrPortFrom(source(ctx, address), 0), Remote: remote}); err != nil {
			return nil, err
		}
		return dial(ctx, network, address)
	}
}

// source is the address from which another one is reached, not valid where that cannot
// be told. Nothing is sent.
func source(ctx context.Context, address string) netip.Addr {
	c, err := new(net.Dialer).DialContext(ctx, "udp", address)
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	return addrPort(c.LocalAddr()).Addr()
}

func (g *Gate) ask(t Traffic) error {
	if t.Remote.Addr().Unmap().IsLoopback() {
		return nil // whatever the hive says, and where it cannot be read
	}
	f, err := g.Filter()
	if err != nil {
		return g.refuse(&RefusedError{Traffic: t, Err: err})
	}
	if v := f.Verdict(t); !v.Allowed {
		return g.refuse(&RefusedError{Traffic: t, Verdict: v})
	}
	return nil
}

// sayEach is the least time between two refusals at level Info.
const sayEach = 10 * time.Second

func (g *Gate) refuse(e *RefusedError) error {
	g.mu.Lock()
	level, more := slog.LevelDebug, g.refused
	if now := time.Now(); now.Sub(g.last) >= sayEach {
		level, g.last, g.refused = slog.LevelInfo, now, 0
	} else {
		g.refused++
	}
	g.mu.Unlock()
	if !g.log.Enabled(context.Background(), level) {
		return e
	}
	attrs := []any{"dir", e.Traffic.Dir, "program", e.Traffic.Program, "service", e.Traffic.Service, "local", e.Traffic.Local, "remote", e.Traffic.Remote,
		"rule", e.Verdict.Rule, "why", e.Verdict.String()}
	if e.Err != nil {
		attrs = append(attrs, "error", e.Err)
	}
	if level == slog.LevelInfo && more > 0 {
		attrs = append(attrs, "more", more)
	}
	g.log.Log(context.Background(), level, "the firewall refuses a connection", attrs...)
	return e
}

// addrPort is the address of a TCP connection, the zero value of another one.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	if u, ok := a.(*net.UDPAddr); ok {
		return u.AddrPort()
	}
	return netip.AddrPort{}
}

// subnets are those that the machine is in. They are read once a second at most.
type subnets struct {
	mu   sync.Mutex
	read time.Time
	list []netip.Prefix
}

func (s *subnets) get() []netip.Prefix {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.read) < time.Second {
		return s.list
	}
	s.list, s.read = nil, time.Now()
	links, err := net.Interfaces()
	if err != nil {
		return nil // no subnet is known, so none is local
	}
	for _, l := range links {
		if l.Flags&net.FlagUp == 0 || l.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := l.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, ok := netip.AddrFromSlice(n.IP)
			ones, size := n.Mask.Size()
			if ok && size > 0 {
				s.list = append(s.list, netip.PrefixFrom(addr.Unmap(), ones).Masked())
			}
		}
	}
	return s.list
}
