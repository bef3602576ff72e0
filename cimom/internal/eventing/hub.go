package eventing

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// Options are the options of New; Host is required.
type Options struct {
	Host   Host
	Limits Limits
	// Logger receives failures of consumers, filters and polls. Default:
	// nothing is logged.
	Logger *slog.Logger
}

// MaxWait is how long a publisher waits at most for a consumer that asked for
// synchronous delivery or that slows down providers: MaxWaitOnEvents. See
// spec/wmi.md 5.2.
const MaxWait = 2 * time.Second

// closeWait is how long Close waits for providers and consumers to heed the
// end of their context.
const closeWait = 5 * time.Second

// Hub brings events to subscriptions. It is safe for use by several
// goroutines.
type Hub struct {
	host   Host
	log    *slog.Logger
	ledger *ledger
	turns  turns
	work   sync.WaitGroup // goroutines of feeds and consumers

	own atomic.Pointer[map[string]*feed] // what the manager writes, by folded namespace

	mu     sync.Mutex
	closed bool
	feeds  map[string]*feed // polls and providers that run, by key
	open   map[*Subscription]struct{}
	// holders may hold events that nobody has read yet: those of open, and
	// those that ended.
	holders map[*Subscription]struct{}

	bareMu sync.RWMutex
	bare   map[*cim.Class]*cim.Class

	timers  timers
	lasting lasting
}

// New makes a hub without subscriptions.
func New(o Options) *Hub {
	h := &Hub{
		host: o.Host, log: o.Logger, ledger: newLedger(o.Limits),
		feeds: map[string]*feed{}, open: map[*Subscription]struct{}{},
		holders: map[*Subscription]struct{}{}, bare: map[*cim.Class]*cim.Class{},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.own.Store(&map[string]*feed{})
	h.timers.init(h)
	h.lasting.init(h)
	return h
}

// SetLimits changes the limits for what comes from now on.
func (h *Hub) SetLimits(l Limits) { h.ledger.set(l) }

// Close ends every subscription, poll, provider, timer and consumer. A
// provider that does not heed the end of its context is left behind after a
// while. It may be called twice.
func (h *Hub) Close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	open := slices.Collect(maps.Keys(h.open))
	for _, f := range h.feeds {
		f.cancel()
	}
	h.mu.Unlock()
	h.timers.close()
	h.lasting.close()
	for _, s := range open {
		s.end(&cim.Error{Status: cim.ErrShuttingDown})
	}
	done := make(chan struct{})
	go func() {
		h.work.Wait()
		close(done)
	}()
	t := time.NewTimer(closeWait)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		h.log.Warn("an event provider or consumer does not stop")
	}
}

// ownFeed is the feed of what the manager writes in a namespace, nil where
// nobody asked for anything there.
func (h *Hub) ownFeed(namespace string) *feed { return (*h.own.Load())[cim.Fold(namespace)] }

// mostClasses bounds the caches that are keyed by a class.
const mostClasses = 4096

// bareClass is an event class as its events show it: without namespace and
// server, since an event has no path (T-72 of spec/wmi.md).
func (h *Hub) bareClass(c *cim.Class) *cim.Class {
	if c.Namespace == "" && c.Server == "" {
		return c
	}
	h.bareMu.RLock()
	b := h.bare[c]
	h.bareMu.RUnlock()
	if b != nil {
		return b
	}
	h.bareMu.Lock()
	defer h.bareMu.Unlock()
	if b := h.bare[c]; b != nil {
		return b
	}
	if len(h.bare) >= mostClasses {
		clear(h.bare)
	}
	copied := *c
	copied.Namespace, copied.Server = "", ""
	b = copied.Seal()
	h.bare[c] = b
	return b
}

// service is who publishes what no caller did: the service itself.
var service = &security.Token{
	User: security.SIDLocalSystem,
	Groups: []security.GroupEntry{
		{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone},
	},
}
