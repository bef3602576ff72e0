package decoupled

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// maxHosts bounds the provider hosts of one user.
const maxHosts = 4

// startTimeout is how long a new host has to say hello.
const startTimeout = 30 * time.Second

// PerUserOptions are the options of NewPerUser.
type PerUserOptions struct {
	// Name is the provider's name, which its hosts say first.
	Name string
	// Classes are the classes that the hosts serve. Required.
	Classes []*cim.Class
	// User tells as which Unix user a caller acts. Required; its error refuses
	// the operation.
	User func(cim.Caller) (string, error)
	// Start starts a provider host as a user whom User gave and returns its
	// standard input and output as one stream, whose Close ends the host. ctx
	// bounds the start only. Required.
	Start func(ctx context.Context, user string) (io.ReadWriteCloser, error)
	// Loaded is told when a host has started and when it has ended. A stream with
	// a method PID() int says in which process.
	Loaded func(p cimom.ProviderProcess, loaded bool)
	// ClearAfter is how long an idle host stays: it ends between once and twice
	// that time. Default: 5 minutes.
	ClearAfter time.Duration
}

// PerUser is a provider whose operations run in provider hosts: processes of
// the Unix user that the caller is mapped to, so that they reach what that
// user may reach and nothing else. It starts hosts as they are needed and ends
// them when they are idle.
type PerUser struct {
	remote
	o    PerUserOptions
	stop chan struct{}

	mu     sync.Mutex
	users  map[string]*user
	closed bool
}

type user struct {
	pool  *pool
	conns map[*conn]time.Time // the hosts that run, and when each became free
}

var _ cimom.Named = (*PerUser)(nil)

// NewPerUser makes a provider over hosts of its own.
func NewPerUser(o PerUserOptions) *PerUser {
	if o.ClearAfter == 0 {
		o.ClearAfter = 5 * time.Minute
	}
	p := &PerUser{o: o, stop: make(chan struct{}), users: map[string]*user{}}
	p.classes = o.Classes
	byName := map[string]*cim.Class{}
	for _, c := range o.Classes {
		byName[cim.Fold(c.Name)] = c
	}
	p.lookup = func(string) Lookup { return func(class string) *cim.Class { return byName[cim.Fold(class)] } }
	p.acquire = p.host
	go p.clear()
	return p
}

// ProviderName is the provider's name.
func (p *PerUser) ProviderName() string { return p.o.Name }

// Publisher is the caller: its hosts run as the caller's Unix user.
func (p *PerUser) Publisher(r *cimom.Request) *security.Token {
	if r.Caller.Token == nil {
		return anybody
	}
	return r.Caller.Token
}

// host gives a free host of the caller's user, or a new one, or waits.
func (p *PerUser) host(ctx context.Context, caller cim.Caller) (*conn, func(bool), error) {
	name, err := p.o.User(caller)
	if err != nil {
		return nil, nil, &cim.Error{Status: cim.ErrAccessDenied, Detail: "the account may act as no Unix user here; map it to one", Err: err}
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, nil, cim.ErrShuttingDown
	}
	u := p.users[name]
	if u == nil {
		u = &user{pool: newPool(), conns: map[*conn]time.Time{}}
		p.users[name] = u
	}
	p.mu.Unlock()
	c, err := u.pool.take(ctx, maxHosts)
	if err == nil && c == nil {
		if c, err = p.start(ctx, u, name); err != nil {
			u.pool.unmade()
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return c, func(ok bool) {
		p.mu.Lock()
		if _, running := u.conns[c]; running {
			u.conns[c] = time.Now()
		}
		p.mu.Unlock()
		u.pool.give(c, ok)
	}, nil
}

// start starts a host of a user and stays with it to its end.
func (p *PerUser) start(ctx context.Context, u *user, name string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	failed := func(err error) (*conn, error) {
		return nil, &cim.Error{Status: cim.ErrProviderLoadFailure, Detail: "the provider host of the caller's user does not start", Err: err}
	}
	stream, err := p.o.Start(ctx, name)
	if err != nil {
		return failed(err)
	}
	c := newConn(stream)
	c.calls = &cimom.CallCounts{}
	line, err := c.next(ctx)
	var h hello
	if err == nil {
		err = decode(line, &h)
	}
	if err == nil && (h.Protocol != Protocol || h.Register != p.o.Name) {
		err = broken("the host is %.64q of protocol %d", h.Register, h.Protocol)
	}
	if err == nil {
		line, _ = json.Marshal(hello{Register: h.Register, Protocol: Protocol, Welcome: true})
		err = c.send(ctx, line)
	}
	if err == nil {
		p.mu.Lock()
		if u.conns[c] = time.Now(); p.closed {
			err = cim.ErrShuttingDown
		}
		p.mu.Unlock()
	}
	if err != nil {
		c.close()
		return failed(err)
	}
	if p.o.Loaded != nil {
		p.o.Loaded(p.processOf(name, c), true)
	}
	go func() {
		<-c.done
		c.close()
		u.pool.drop(c)
		p.mu.Lock()
		delete(u.conns, c)
		p.mu.Unlock()
		if p.o.Loaded != nil {
			p.o.Loaded(p.processOf(name, c), false)
		}
	}()
	return c, nil
}

// Hold gives one host of the caller's user for several operations, one after
// the other, so that it may remember something between them. release gives it
// back, or ends it where keep is false or an operation broke it.
func (p *PerUser) Hold(ctx context.Context, caller cim.Caller) (h cimom.MethodInvoker, release func(keep bool), err error) {
	c, give, err := p.host(ctx, caller)
	if err != nil {
		return nil, nil, err
	}
	whole := true
	held := func(context.Context, cim.Caller) (*conn, func(bool), error) {
		return c, func(ok bool) { whole = whole && ok }, nil
	}
	return &remote{classes: p.classes, lookup: p.lookup, acquire: held}, func(keep bool) { give(keep && whole) }, nil
}

// clear ends the hosts that were free for ClearAfter, once in that time.
func (p *PerUser) clear() {
	t := time.NewTicker(p.o.ClearAfter)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-t.C:
			p.mu.Lock()
			for _, u := range p.users {
				for c, since := range u.conns {
					if now.Sub(since) >= p.o.ClearAfter && u.pool.drop(c) {
						c.close()
					}
				}
			}
			p.mu.Unlock()
		}
	}
}

// Close ends every host.
func (p *PerUser) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	close(p.stop)
	for _, u := range p.users {
		u.pool.close()
		for c := range u.conns {
			c.close()
		}
	}
	return nil
}
