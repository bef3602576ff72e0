package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("there is no such key")
	// ErrConflict says that the key was there already, or has another revision.
	ErrConflict = errors.New("the key was changed meanwhile")
	// ErrFull says that a task of the same topic waits already.
	ErrFull = errors.New("a task of this topic waits already")
	// ErrClosed says that the bus was closed.
	ErrClosed = errors.New("the bus is closed")
)

// reconnectWait is the time between two attempts to reach the server again.
const reconnectWait = 50 * time.Millisecond

// Options say where the bus is. Dir or URL is needed.
type Options struct {
	// Dir is the folder, mode 0700 and of this user. It is made where it is missing.
	Dir string
	// URL is that of a cluster, with commas between several; TLS is how it and we
	// prove ourselves.
	URL string
	TLS *tls.Config
	// Name is what the server calls this connection.
	Name string
	// Log may be nil.
	Log *slog.Logger
}

// Bus is a connection to the store. It is safe for concurrent use.
type Bus struct {
	house *house // nil with a cluster
	conn  *nats.Conn
	js    jetstream.JetStream
	log   *slog.Logger

	mu   sync.Mutex
	line chan struct{} // closed when the connection that is there now is lost
}

// Open connects, and runs the server where nobody holds the folder yet.
func Open(ctx context.Context, o Options) (*Bus, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &Bus{log: log, line: make(chan struct{})}
	options := []nats.Option{
		nats.Name(o.Name), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.Timeout(10 * time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Debug("bus", "error", err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			log.Debug("bus: the connection is lost", "error", err)
			b.hangUp()
		}),
	}
	url := o.URL
	if o.URL == "" {
		house, err := newHouse(o.Dir, log)
		if err != nil {
			return nil, err
		}
		b.house = house
		url = "nats://pool" // the dialer goes to the folder, whatever stands here
		options = append(options, nats.SetCustomDialer(house))
	} else {
		if o.TLS == nil {
			return nil, errors.New("a cluster is reached over TLS only: name the certificate, the key and the authority")
		}
		options = append(options, nats.Secure(o.TLS))
	}
	err := b.connect(ctx, url, options)
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Bus) connect(ctx context.Context, url string, options []nats.Option) (err error) {
	if err = ctx.Err(); err != nil {
		return err
	}
	if b.conn, err = nats.Connect(url, options...); err != nil {
		if b.house != nil && b.house.lastErr() != nil {
			err = b.house.lastErr()
		}
		return fmt.Errorf("the pool's store: %w", err)
	}
	if b.js, err = jetstream.New(b.conn, jetstream.WithDefaultTimeout(10*time.Second), jetstream.WithPublishAsyncMaxPending(1024)); err != nil {
		return fmt.Errorf("the pool's store: %w", err)
	}
	if _, err = b.js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("the pool's store answers without JetStream: %w", err)
	}
	return nil
}

// Holder tells whether this process runs the server of the folder.
func (b *Bus) Holder() bool { return b.house != nil && b.house.holds() }

// Close ends the connection and, where this process holds the folder, the
// server, after what it has is on the disk.
func (b *Bus) Close() {
	if b.conn != nil {
		b.conn.Close()
	}
	b.hangUp()
	if b.house != nil {
		b.house.close()
	}
}

// patience is how long a call goes on without a server.
const patience = 20 * time.Second

// hangUp ends the attempts whose answer the lost connection would have brought.
func (b *Bus) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.line)
	b.line = make(chan struct{})
}

// current is closed when the connection that is there now is lost.
func (b *Bus) current() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.line
}

// call makes an attempt, and another one where the connection was lost meanwhile.
// again tells the attempt that one before it may have done its work.
func (b *Bus) call(ctx context.Context, attempt func(ctx context.Context, again bool) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for again := false; ; again = true {
		line := b.current()
		one, end := context.WithCancel(ctx)
		go func() {
			select {
			case <-line:
				end()
			case <-one.Done():
			}
		}()
		err := attempt(one, again)
		end()
		if err == nil || ctx.Err() != nil || b.conn.IsClosed() {
			return err
		}
		select {
		case <-line:
		default:
			return err
		}
	}
}

// failed makes an error of ours of one of NATS.
func failed(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrKeyDeleted):
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	case errors.Is(err, jetstream.ErrKeyExists):
		return fmt.Errorf("%s: %w", what, ErrConflict)
	case errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("%s: %w", what, ErrClosed)
	}
	return fmt.Errorf("%s: %w", what, err)
}
