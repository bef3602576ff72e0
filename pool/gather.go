package pool

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Limits of one refresh. See docs/pool.md, "One refresh".
const (
	reachLimit   = 12 * time.Second // Identify, or a login over DCOM
	answerLimit  = 5 * time.Second  // how long a host may work on Identify; NetworkDelayms comes on top
	tileLimit    = 10 * time.Second
	eventLimit   = 20 * time.Second // Windows reads its logs slowly
	collectLimit = 45 * time.Second // all tiles
	doctorLimit  = 20 * time.Second
	refreshLimit = 80 * time.Second // all of it
	doctorsAtA   = 4                // examinations at a time
)

// gatherOptions configure a gatherer. The zero value asks over the network, as this
// machine's clients do.
type gatherOptions struct {
	// DialContext opens connections; nil is a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Settings, NTLM and Tickets are those of the clients; nil means their defaults.
	Settings func() *settings.Client
	NTLM     func() settings.NTLM
	Tickets  *tickets.Source
	// Sinks are where the callback path is tried, for servers whose entry wants both
	// transports; nil leaves it out.
	Sinks *wmiclient.Sinks
	// Thresholds give alerts; nil means DefaultThresholds.
	Thresholds func() Thresholds
	// Now tells the time; nil is time.Now.
	Now func() time.Time
	// Log is for what goes wrong on this side; nil is silent.
	Log *slog.Logger
	// Examine finds why a server does not answer; nil is doctor.Examine.
	Examine func(context.Context, doctor.Target, doctor.Options) *doctor.Report
}

// signIn is who we are at a server.
type signIn struct {
	Credentials auth.Credentials
	Scheme      wsmanclient.Scheme
}

// asking is how a refresh is meant.
type asking struct {
	full   bool // all data, and not only whether it answers
	byHand bool // somebody waits for it: what it finds counts at once
}

// gatherer asks servers what they are and how they are. It keeps a connection to
// each. It is safe for concurrent use.
type gatherer struct {
	o       gatherOptions
	doctors chan struct{}

	mu      sync.Mutex
	links   map[string]*link // by folded name
	closed  bool
	closing sync.WaitGroup // links that nobody uses any more
}

// newGatherer makes a gatherer. Close it.
func newGatherer(o gatherOptions) *gatherer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Thresholds == nil {
		o.Thresholds = DefaultThresholds
	}
	if o.Examine == nil {
		o.Examine = doctor.Examine
	}
	return &gatherer{o: o, doctors: make(chan struct{}, doctorsAtA), links: map[string]*link{}}
}

// forget lets the connection to a server go that is not to be asked.
func (g *gatherer) forget(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retire(cim.Fold(name))
}

// Close ends every connection. A refresh under way fails.
func (g *gatherer) Close() error {
	g.mu.Lock()
	links := slices.Collect(maps.Values(g.links))
	for _, l := range links {
		l.retired = true // what its user opens after this ends with it
	}
	clear(g.links)
	g.closed = true
	g.mu.Unlock()
	for _, l := range links {
		l.close()
	}
	g.closing.Wait()
	return nil
}

// refresh asks a server whether it answers, and all its data where that is asked
// for, was never collected, or the server just came back. It makes of this and of
// what was known before the snapshot that is known now; where wanted ends it is prev.
func (g *gatherer) refresh(wanted context.Context, s Server, as signIn, prev Snapshot, ask asking) Snapshot {
	next := prev
	next.Server = s.Name
	if s.Paused {
		g.forget(s.Name)
		return paused(next)
	}
	l := g.hold(s, as)
	defer l.release()
	l.turn.Lock()
	defer l.turn.Unlock()
	ctx, cancel := context.WithTimeout(wanted, refreshLimit)
	defer cancel()

	next.Tried = g.o.Now().UTC()
	r := l.reach(ctx, prev)
	if r.err == nil {
		next.Transport, next.WhyDCOM, next.Account = r.transport, r.why, as.Credentials.Username
		if ask.full || next.Full.IsZero() || prev.wantsData() {
			r.err = g.collect(ctx, l, r, &next)
			ask.full = true
		}
	}
	if r.err == nil {
		next.Contact, next.Missed = g.o.Now().UTC(), 0
	}
	g.checkDCOM(ctx, l, r, ask, &next)
	v := decide(&next, r)
	v = g.explain(ctx, l, v, ask)
	if v.hint != "" {
		v.reason += "; " + v.hint
	}
	if wanted.Err() != nil {
		return prev // nobody waits any more, and it is not the server's fault
	}
	return settle(prev, next, v, ask.byHand)
}

// wantsData tells whether a server that answers is to be asked for everything: what
// is known of it says that it did not.
func (s *Snapshot) wantsData() bool {
	v := verdictOfData(s)
	return s.State.Level() == LevelBlocked && (v.state != s.State || v.state == AccessDenied)
}
