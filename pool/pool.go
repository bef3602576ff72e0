package pool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/seal"
	"github.com/casementhq/casement/pool/internal/bus"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// keepWork is how long works and their results are kept. See spec/console.md 3.11.
const keepWork = 30 * 24 * time.Hour

// Options say where the pool is and how its servers are reached. Dir is needed,
// also with NATS: the identity of this process lies there.
type Options struct {
	// Dir is the pool's folder, mode 0700; it is made where it is missing.
	Dir string
	// NATS is the URL of a cluster that keeps the pool in place of the folder, with
	// commas between several; Cert, Key and CA are files for mutual TLS with it.
	NATS, Cert, Key, CA string
	// Identity is the file of the key that opens credentials; "" is identity in Dir.
	Identity string
	// DialContext opens connections to servers; nil is a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Settings, NTLM and Tickets are those of the clients; nil means their defaults.
	Settings func() *settings.Client
	NTLM     func() settings.NTLM
	Tickets  *tickets.Source
	// Sinks are where the callback path of DCOM is tried; nil leaves it out.
	Sinks *wmiclient.Sinks
	// Log is for what goes wrong on this side; nil is silent.
	Log *slog.Logger
	// Observer is told what this process does for the pool; nil is nobody.
	Observer Observer

	silence time.Duration // after which a task counts as lost; 30 s where 0
}

// Pool is a way to the servers that are managed, whoever holds the folder or the
// cluster. It is safe for concurrent use. Its errors are *cim.Error where they
// are about what was asked for.
type Pool struct {
	o   Options
	log *slog.Logger
	bus *bus.Bus

	servers, state                   *bus.Bucket
	credentials, workers             *bus.Bucket
	works, attempts, results, output *bus.Bucket
	refreshes, tasks                 *bus.Queue

	fleet  *fleet
	gather *gatherer
	stop   context.CancelFunc
	all    sync.WaitGroup

	mu       sync.Mutex
	identity *seal.Identity // nil until it is needed
}

// Open opens a pool. Close it.
func Open(ctx context.Context, o Options) (*Pool, error) {
	if o.Dir == "" {
		return nil, &cim.Error{Status: cim.ErrInvalidParameter, Operation: "open the pool", Detail: "no folder is named"}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.Identity == "" {
		o.Identity = filepath.Join(o.Dir, "identity")
	}
	if o.silence == 0 {
		o.silence = 30 * time.Second
	}
	p := &Pool{o: o, log: o.Log, fleet: newFleet()}
	p.gather = newGatherer(gatherOptions{DialContext: o.DialContext, Settings: o.Settings, NTLM: o.NTLM, Tickets: o.Tickets, Sinks: o.Sinks, Log: o.Log})
	if err := p.open(ctx); err != nil {
		p.Close() //nolint:errcheck // the first error tells more
		return nil, err
	}
	return p, nil
}

func (p *Pool) open(ctx context.Context) (err error) {
	b := bus.Options{Dir: p.o.Dir, Name: me(), Log: p.log}
	if p.o.NATS != "" {
		b.URL = p.o.NATS
		if b.TLS, err = mutualTLS(p.o.Cert, p.o.Key, p.o.CA); err != nil {
			return err
		}
		if err = os.MkdirAll(p.o.Dir, 0o700); err != nil {
			return fmt.Errorf("the pool's folder: %w", err)
		}
	}
	if p.bus, err = bus.Open(ctx, b); err != nil {
		return err
	}
	for _, k := range []struct {
		to   **bus.Bucket
		name string
		age  time.Duration
	}{
		{&p.servers, "servers", 0}, {&p.state, "state", 0}, {&p.credentials, "credentials", 0}, {&p.workers, "workers", 0},
		{&p.works, "works", keepWork}, {&p.attempts, "attempts", keepWork}, {&p.results, "results", keepWork}, {&p.output, "output", keepWork},
	} {
		if *k.to, err = p.bus.Bucket(ctx, bus.BucketOptions{Name: k.name, Age: k.age}); err != nil {
			return err
		}
	}
	if p.refreshes, err = p.bus.Queue(ctx, bus.QueueOptions{Name: "refresh", Memory: true, Single: true, Age: 10 * time.Minute}); err != nil {
		return err
	}
	if p.tasks, err = p.bus.Queue(ctx, bus.QueueOptions{Name: "work", Age: keepWork, Silence: p.o.silence}); err != nil {
		return err
	}
	return p.follow(ctx)
}

// follow reads the servers and what is known of them, and then what changes.
func (p *Pool) follow(ctx context.Context) error {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	servers, err := p.servers.Watch(life, "")
	if err != nil {
		return err
	}
	state, err := p.state.Watch(life, "")
	if err != nil {
		return err
	}
	var read sync.WaitGroup
	for _, from := range []struct {
		entries <-chan bus.Entry
		take    func(bus.Entry) error
	}{{servers, p.fleet.takeServer}, {state, p.fleet.takeState}} {
		read.Add(1)
		p.all.Go(func() {
			done := sync.OnceFunc(read.Done)
			defer done()
			for e := range from.entries {
				if e.Key == "" {
					done()
				} else if err := from.take(e); err != nil {
					p.log.Error("the pool's store has an entry that cannot be read", "key", e.Key, "error", err)
				}
			}
		})
	}
	read.Wait()
	return nil
}

// Close ends the connection to the store, and gives the folder up where this
// process holds it.
func (p *Pool) Close() error {
	if p.stop != nil {
		p.stop()
	}
	p.all.Wait()
	p.gather.Close() //nolint:errcheck // it has none
	if p.bus != nil {
		p.bus.Close()
	}
	return nil
}

// Holder tells whether this process holds the folder; false with a cluster.
func (p *Pool) Holder() bool { return p.bus.Holder() }

// own is the identity of this process; it is made where none is and may is set.
func (p *Pool) own(may bool) (*seal.Identity, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.identity != nil {
		return p.identity, nil
	}
	load := seal.Load
	if may {
		load = seal.LoadOrCreate
	}
	i, err := load(p.o.Identity)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &cim.Error{Status: cim.ErrAccessDenied, Operation: "open a credential", Detail: "this process has no key: there is no file " + p.o.Identity, Err: err}
	}
	p.identity = i
	return i, err
}
