package decoupled

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// Limits of a Registrar.
const (
	maxConnections = 64   // of one provider
	maxStrangers   = 64   // connections that have not registered yet
	maxProviders   = 1024 // providers
	helloTime      = 10 * time.Second
	maxName        = 255                    // bytes of the name of a provider
	acceptPause    = 100 * time.Millisecond // after a connection that could not be accepted
)

// RegistrarOptions are the options of a Registrar.
type RegistrarOptions struct {
	// UID is the Unix user at the other end of a connection. Required.
	UID func(net.Conn) (uint32, error)
	// Admit tells whether that user may be the provider that the instance of
	// __Win32Provider with that name in that namespace declares. Required. Its
	// error, a status, is the provider's answer.
	Admit func(ctx context.Context, uid uint32, namespace, provider string) error
	// PID is the process at the other end of a connection. Default: not known.
	PID func(net.Conn) (uint32, error)
	// UserName is the name of a Unix user. Default: users have none.
	UserName func(uid uint32) string
	// Loaded is told when a process has connected, and when its last connection
	// has ended. It must not call the registrar.
	Loaded func(p cimom.ProviderProcess, loaded bool)
	// Lookup finds the class of an embedded object. Default: none is found.
	Lookup func(namespace, class string) *cim.Class
	// Logger receives what providers do wrong. Default: nothing is logged.
	Logger *slog.Logger
}

// Registrar accepts decoupled providers: processes that connect, say which
// provider they are, and wait for operations. It is safe for use by several
// goroutines.
type Registrar struct {
	o      RegistrarOptions
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	pools     map[string]*pool // by namespace and name
	members   map[*conn]member // connections that registered
	processes map[member]*process
	strangers int
	listeners []net.Listener
}

// NewRegistrar makes a Registrar.
func NewRegistrar(o RegistrarOptions) *Registrar {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Lookup == nil {
		o.Lookup = func(string, string) *cim.Class { return nil }
	}
	g := &Registrar{o: o, pools: map[string]*pool{}, members: map[*conn]member{}, processes: map[member]*process{}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.wg.Go(g.watch)
	return g
}

// member is what a connection registered as.
type member struct {
	uid, pid            uint32
	namespace, provider string
}

// recheckTime is how often Admit is asked again about the connections: accounts
// and their groups change without telling.
const recheckTime = 10 * time.Second

func (g *Registrar) watch() {
	t := time.NewTicker(recheckTime)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			g.recheck(func(member) bool { return true })
		case <-g.ctx.Done():
			return
		}
	}
}

// Recheck ends the connections of the providers of a namespace that Admit does
// not admit any more; what they were about fails.
func (g *Registrar) Recheck(namespace string) {
	g.recheck(func(m member) bool { return cim.EqualFold(plain(m.namespace), plain(namespace)) })
}

// plain is the name of a namespace with backslashes alone.
func plain(namespace string) string { return strings.ReplaceAll(namespace, "/", `\`) }

func (g *Registrar) recheck(which func(member) bool) {
	g.mu.Lock()
	list := map[*conn]member{}
	for c, m := range g.members {
		if which(m) {
			list[c] = m
		}
	}
	g.mu.Unlock()
	answers := map[member]error{}
	for c, m := range list {
		err, known := answers[m]
		if !known {
			err = g.o.Admit(g.ctx, m.uid, m.namespace, m.provider)
			answers[m] = err
		}
		if err != nil && !errors.Is(err, cim.ErrShuttingDown) && g.ctx.Err() == nil {
			g.o.Logger.Warn("a provider is not admitted any more", "provider", m.provider, "namespace", m.namespace, "error", err)
			c.close()
		}
	}
}

func key(namespace, name string) string { return cim.Fold(namespace) + "\x00" + cim.Fold(name) }

// Serve accepts connections until Close, which makes it return nil.
func (g *Registrar) Serve(l net.Listener) error {
	g.mu.Lock()
	g.listeners = append(g.listeners, l)
	g.mu.Unlock()
	for {
		nc, err := l.Accept()
		if g.ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			l.Close()
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil { // as when there are no descriptors for a while
			g.o.Logger.Warn("no provider can connect for a moment", "error", err)
			select {
			case <-g.ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		if !g.enter() {
			nc.Close()
			continue
		}
		g.wg.Go(func() { g.meet(nc) })
	}
}

func (g *Registrar) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.strangers >= maxStrangers {
		return false
	}
	g.strangers++
	return true
}

// meet hears what a connection wants to be, and stays with it to its end.
func (g *Registrar) meet(nc net.Conn) {
	c := newConn(nc)
	defer c.close()
	name, p, err := g.register(nc, c)
	g.mu.Lock()
	g.strangers--
	g.mu.Unlock()
	defer g.leave(c)
	if err == nil && !p.reserve(maxConnections) {
		err = &cim.Error{Status: cim.ErrServerTooBusy, Detail: "the provider has as many connections as it may have"}
	}
	answer := hello{Register: name, Protocol: Protocol, Welcome: err == nil}
	if err != nil {
		answer.Error = faultOf(err)
		g.o.Logger.Warn("a provider is refused", "provider", name, "error", err)
	}
	line, _ := json.Marshal(answer)
	ctx, cancel := context.WithTimeout(g.ctx, helloTime)
	defer cancel()
	sent := c.send(ctx, line)
	if err != nil {
		return
	}
	if sent == nil {
		g.join(nc, c)
	}
	if p.give(c, sent == nil); sent != nil {
		return
	}
	select {
	case <-c.done:
	case <-g.ctx.Done():
	}
	p.drop(c)
}

func (g *Registrar) register(nc net.Conn, c *conn) (name string, p *pool, err error) {
	ctx, cancel := context.WithTimeout(g.ctx, helloTime)
	defer cancel()
	uid, err := g.o.UID(nc)
	if err != nil {
		return "", nil, &cim.Error{Status: cim.ErrAccessDenied, Detail: "the system does not tell who the provider is", Err: err}
	}
	line, err := c.next(ctx)
	if err != nil {
		return "", nil, err
	}
	var h hello
	if err := decode(line, &h); err != nil {
		return "", nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: err.Error()}
	}
	name = clip(h.Register, maxName)
	switch {
	case h.Protocol != Protocol:
		return name, nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "this service speaks version 1 of the protocol"}
	case h.Register == "" || len(h.Register) > maxName || h.Namespace == "" || len(h.Namespace) > maxName:
		return name, nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "the names of provider and namespace are missing or too long"}
	}
	g.mu.Lock()
	g.members[c] = member{uid: uid, namespace: h.Namespace, provider: h.Register} // before Admit, so that no change after it is missed
	g.mu.Unlock()
	if err := g.o.Admit(ctx, uid, h.Namespace, h.Register); err != nil {
		return name, nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	k := key(h.Namespace, h.Register)
	if p = g.pools[k]; p == nil {
		if len(g.pools) >= maxProviders {
			return name, nil, &cim.Error{Status: cim.ErrQuotaViolation, Detail: "there are too many providers"}
		}
		p = newPool()
		p.namespace, p.name = h.Namespace, h.Register
		g.pools[k] = p
	}
	return name, p, nil
}

// Provider is the provider of that name, connected or not: without a
// connection its operations fail with ErrProviderLoadFailure.
func (g *Registrar) Provider(namespace, name string) cimom.Provider {
	k := key(namespace, name)
	return &remote{
		lookup: func(namespace string) Lookup {
			return func(class string) *cim.Class { return g.o.Lookup(namespace, class) }
		},
		acquire: func(ctx context.Context, _ cim.Caller) (*conn, func(bool), error) {
			g.mu.Lock()
			p := g.pools[k]
			g.mu.Unlock()
			if p == nil {
				p = newPool() // it has no connections, and take says so
			}
			c, err := p.take(ctx, 0)
			if err != nil {
				return nil, nil, err
			}
			return c, func(ok bool) { p.give(c, ok) }, nil
		},
	}
}

// Connection is a provider that is connected.
type Connection struct {
	Namespace, Provider string // as it wrote them when it connected first
	Count               int    // its connections now
}

// Connected lists the providers with at least one connection, by namespace and
// name.
func (g *Registrar) Connected() []Connection {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []Connection
	for _, p := range g.pools {
		p.mu.Lock()
		if p.all > 0 {
			list = append(list, Connection{p.namespace, p.name, p.all})
		}
		p.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(cim.Fold(a.Namespace), cim.Fold(b.Namespace)), cmp.Compare(cim.Fold(a.Provider), cim.Fold(b.Provider)))
	})
	return list
}

// Close ends every connection; the operations that use one fail.
func (g *Registrar) Close() error {
	g.cancel()
	g.mu.Lock()
	var errs []error
	for _, l := range g.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for _, p := range g.pools { // a provider that is just being admitted adds one
		p.close()
	}
	g.mu.Unlock()
	g.wg.Wait()
	return errors.Join(errs...)
}
