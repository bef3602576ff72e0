package registry

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/internal/filelock"
)

// Options say how a hive is opened. The zero value is a tool's: it reads and writes,
// beside a service too, and does not follow what others write until its own Update.
type Options struct {
	// Service holds the service lock until Close and follows changes of the files. At
	// most one process per hive may do so. Default false.
	Service bool
	// Policy is the path of the machine policy. Default: Registry.pol beside the hive.
	Policy string
	// Logger gets changes and errors of following the files. Default: none.
	Logger *slog.Logger
}

// ErrLocked is wrapped by the error of Open when another service runs on the hive, and
// by the error of Update when another process has been writing it for ten seconds.
var ErrLocked = filelock.ErrHeld

// Two locks stand beside the hive: .lock is held by a service for its life, so that a
// second one is refused; .writing is held by any writer from reading to renaming.

// turnLimit is how long a writer waits for its turn.
const turnLimit = 10 * time.Second

// ErrClosed is returned by Update after Close.
var ErrClosed = errors.New("registry: the hive is closed")

// Hive is the open HKLM hive of a state folder. Its methods are safe for concurrent use.
type Hive struct {
	path   string
	policy string
	log    *slog.Logger
	tree   atomic.Pointer[Tree]

	mu      sync.Mutex // serialises Update, reload and Close
	lock    *os.File   // the service lock, held for life by a service
	watch   *watcher
	seen    content
	seenPol content
	pol     *Policy
	badFile error
	closed  bool
	seal    func(*os.File) error // flushes the new file; replaced by tests

	subMu sync.Mutex
	subs  map[chan struct{}]struct{}
}

// Open opens the hive at path; a missing file is an empty hive and is created by the
// first Update. The folder must exist. Errors: ErrLocked when o.Service and another
// service runs, *ParseError for a damaged hive, ErrPolicyCorrupt for a damaged policy.
func Open(path string, o Options) (*Hive, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	h := &Hive{path: abs, policy: o.Policy, log: o.Logger, seal: (*os.File).Sync, subs: make(map[chan struct{}]struct{})}
	if h.policy == "" {
		h.policy = filepath.Join(filepath.Dir(abs), "Registry.pol")
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if o.Service {
		if h.lock, err = filelock.Take(abs + ".lock"); err != nil {
			return nil, fmt.Errorf("registry: opening hive %s for a service: %w; stop the other one first", abs, err)
		}
		if h.watch, err = newWatcher(h); err != nil {
			h.lock.Close()
			return nil, fmt.Errorf("registry: following changes of %s: %w", abs, err)
		}
	}
	if err := h.load(); err != nil {
		h.Close()
		return nil, err
	}
	if h.watch != nil {
		h.watch.start()
	}
	return h, nil
}

// Close ends following the files, closes the channels of all subscribers and releases
// the lock. Snapshots stay usable.
func (h *Hive) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	h.subMu.Lock()
	for ch := range h.subs {
		close(ch)
	}
	h.subs = nil
	h.subMu.Unlock()
	var err error
	if h.watch != nil {
		h.mu.Unlock()
		err = h.watch.close()
		h.mu.Lock()
	}
	if h.lock != nil {
		err = errors.Join(err, h.lock.Close())
	}
	return err
}

// Snapshot returns the present tree, policy included.
func (h *Hive) Snapshot() *Tree { return h.tree.Load() }

// Get returns the effective value of a name.
func (h *Hive) Get(key, name string) (Value, bool) { return h.Snapshot().Get(key, name) }

// Keys returns the names of the keys below a key, sorted.
func (h *Hive) Keys(key string) []string { return h.Snapshot().Keys(key) }

// Values returns the effective values of a key, sorted by name.
func (h *Hive) Values(key string) []Named { return h.Snapshot().Values(key) }

// Source tells where the value of a name comes from.
func (h *Hive) Source(key, name string) Source { return h.Snapshot().Source(key, name) }

// Err tells why the files on disk are not in use: nil, or the error of the last reload.
// The snapshot before it stays in force.
func (h *Hive) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.badFile
}

// Subscribe returns a channel that gets a message after each change of the effective
// tree; several changes may make one message. It is closed by cancel and by Close.
func (h *Hive) Subscribe() (changes <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	h.subMu.Lock()
	defer h.subMu.Unlock()
	if h.subs == nil {
		close(ch)
		return ch, func() {}
	}
	h.subs[ch] = struct{}{}
	return ch, func() {
		h.subMu.Lock()
		defer h.subMu.Unlock()
		if _, ok := h.subs[ch]; ok {
			delete(h.subs, ch)
			close(ch)
		}
	}
}

func (h *Hive) publish(t *Tree) {
	h.tree.Store(t)
	h.subMu.Lock()
	defer h.subMu.Unlock()
	for ch := range h.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Update runs f on a transaction and writes the result. All of it takes effect, on disk
// and for readers, or nothing does: when f fails, the disk is full or the process dies,
// the old hive stays. Writers of all processes take turns, and each first reads what the
// others wrote, so that no update is lost; a running service follows. The error wraps
// ErrLocked when a turn does not come within ten seconds.
func (h *Hive) Update(f func(tx *Tx) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	turn, err := filelock.Wait(h.path+".writing", turnLimit)
	if err != nil {
		return fmt.Errorf("registry: changing hive %s: %w", h.path, err)
	}
	defer turn.Close()
	if err := h.load(); err != nil {
		return err
	}
	tx := newTx(h.tree.Load().local)
	if err := f(tx); err != nil {
		return err
	}
	local := tx.tree()
	eff, err := Overlay(local, h.pol)
	if err != nil {
		return err
	}
	if h.seen, err = h.save(local); err != nil {
		return fmt.Errorf("registry: hive %s was not changed: %w", h.path, err)
	}
	h.publish(eff)
	return nil
}
