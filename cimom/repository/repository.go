package repository

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// formatVersion is the version of the file. A higher one is refused.
const formatVersion = 1

// Options are the options of Open; the zero value is good.
type Options struct {
	// Timeout is how long to wait for another process that has the file open.
	Timeout time.Duration
	// NoSync leaves it to the system when changes reach the disk: for tests.
	NoSync bool
	Log    *slog.Logger // nil: none
}

// Repository holds what users stored. Its methods may be called at any time
// from any goroutine, though not from inside of the functions that Update and
// Scan are given.
type Repository struct {
	store *store.Store
	path  string
	log   *slog.Logger

	plansMu sync.Mutex
	plans   map[planKey]*plan
}

// Memory makes a repository that nothing outlives.
func Memory() *Repository { return repositoryOn(store.Memory(), "", Options{}) }

// Open opens the repository in a file, which it makes where there is none. It
// fails with ErrNotAvailable, naming the process, where another one has it open,
// and with ErrDatabaseVerMismatch where a newer release wrote it. A damaged file
// opens: what can be read is read; see [Repository.Damage].
func Open(path string, o Options) (*Repository, error) {
	s, err := store.Open(path, store.Options{Timeout: o.Timeout, NoSync: o.NoSync})
	if err != nil {
		return nil, fromStore(err)
	}
	r := repositoryOn(s, path, o)
	if err := r.Damage(); err != nil {
		r.log.Error("the repository is damaged and cannot be written; salvage it", "file", path, "error", err)
	}
	if err := r.checkFormat(); err != nil {
		s.Close()
		return nil, err
	}
	return r, nil
}

func repositoryOn(s *store.Store, path string, o Options) *Repository {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Repository{store: s, path: path, log: o.Log, plans: map[planKey]*plan{}}
}

var formatKey = []byte{kindFormat}

// checkFormat refuses the file of a newer release and marks a new file. Damage
// is no reason to refuse.
func (r *Repository) checkFormat() error {
	err := r.store.View(context.Background(), func(tx *store.Tx) error {
		record, err := tx.Get(formatKey)
		if err != nil || record == nil {
			return err
		}
		b, err := content(formatKey, record)
		if errors.Is(err, errVersion) || err == nil && (len(b) != 1 || b[0] > formatVersion) {
			return &cim.Error{Status: cim.ErrDatabaseVerMismatch, Detail: "a newer release wrote this repository"}
		}
		return nil
	})
	if errors.Is(err, cim.ErrDatabaseVerMismatch) || err != nil && !IsDamaged(err) {
		return fromStore(err)
	}
	if err != nil || r.Damage() != nil {
		return nil
	}
	return fromStore(r.store.Update(context.Background(), putFormat))
}

func putFormat(tx *store.Tx) error {
	if old, err := tx.Get(formatKey); err != nil || old != nil {
		return err
	}
	return tx.Put(formatKey, end(formatKey, append(begin(nil), formatVersion)))
}

// Close waits for what is under way and closes the file.
func (r *Repository) Close() error { return r.store.Close() }

// Damage is why the repository cannot be written, or nil: the file is damaged
// where it matters to more than one record. [Repository.Salvage] and
// [Repository.Restore] put it right.
func (r *Repository) Damage() error { return fromStore(r.store.Damage()) }

// Update makes several changes as one: all of them are durable when it returns
// nil, and none happened otherwise. Writers take turns; ctx ends the waiting.
// It fails with what f fails with, ErrOutOfDiskSpace, or ErrCriticalError where
// the repository is damaged.
func (r *Repository) Update(ctx context.Context, f func(*Tx) error) error {
	return fromStore(r.store.Update(ctx, func(tx *store.Tx) error {
		return f(&Tx{r: r, tx: tx})
	}))
}

// Tx changes the repository; it ends with the function that Update was given.
// It sees its own changes.
type Tx struct {
	r  *Repository
	tx *store.Tx
}

func (r *Repository) view(ctx context.Context, f func(*store.Tx) error) error {
	return fromStore(r.store.View(ctx, f))
}

// put writes a record.
func (t *Tx) put(key []byte, e *encoder) error {
	if e.err != nil {
		namespace, path := describe(key)
		return &cim.Error{Status: cim.ErrInvalidObject, Namespace: namespace, Path: path, Detail: e.err.Error()}
	}
	if len(e.b)+recordFrame > maxRecord {
		namespace, path := describe(key)
		return &cim.Error{Status: cim.ErrTooMuchData, Namespace: namespace, Path: path, Detail: "the object is larger than 16 MB"}
	}
	return t.tx.Put(key, end(key, e.b))
}

// maxRecord bounds one record.
const maxRecord = 16 << 20
