package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/casementhq/casement/internal/filelock"
	"github.com/casementhq/casement/internal/fileowner"
)

// maxSize is the greatest size of a file, the same as that of a repository of
// Windows.
const maxSize = min(4<<30, math.MaxInt)

// growth is by how much the file grows at a time, as a hole.
const growth = 1 << 20

var bucketName = []byte("d")

// Options are the options of Open; the zero value is good.
type Options struct {
	// Timeout is how long to wait for another process that has the file open.
	Timeout time.Duration
	// NoSync leaves it to the system when changes reach the disk. What a crash
	// of the system leaves behind may then be damaged.
	NoSync bool
}

// Store is a set of keys and values. Its methods may be called at any time from
// any goroutine, though not from inside of View or Update.
type Store struct {
	path   string // "" in memory
	o      Options
	lock   *os.File
	writer chan struct{} // holds a token while somebody writes

	// mu is held for reading by every transaction and for writing while the file
	// is exchanged.
	mu     sync.RWMutex
	file   file
	root   *node // in memory
	closed bool
}

// file is one opened database.
type file struct {
	db *bbolt.DB
	fd *os.File // that of db
	// damage is why nothing is written; db is nil where nothing can be read either.
	damage error
	// stuck: a panic left locks of db behind; it is not closed but abandoned.
	stuck *atomic.Bool
}

// Memory makes a store without a file.
func Memory() *Store { return &Store{writer: make(chan struct{}, 1)} }

// Open opens the store in a file, which it makes, for its owner only, where
// there is none. It fails with ErrLocked where another process has it open. A
// damaged file opens: see [Store.Damage].
func Open(path string, o Options) (*Store, error) {
	lock, err := filelock.Wait(path+".lock", o.Timeout) // it outlives the file, which may be replaced
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	filelock.Sign(lock)
	s := &Store{path: path, o: o, lock: lock, writer: make(chan struct{}, 1)}
	if fi, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0 {
		// The file takes its name when it is whole.
		err = s.build(path+".new", func(*Store) error { return nil })
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			lock.Close()
			return nil, Full(err)
		}
		syncDir(filepath.Dir(path))
	}
	if s.file, err = openFile(path, o, true); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// openFile opens a database. Damage is no error here: it is in the file that is
// returned.
func openFile(path string, o Options, check bool) (f file, err error) {
	if check {
		problems, unsafe, err := checkFile(context.Background(), path)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return f, err
		}
		if err != nil {
			return file{damage: err}, nil
		}
		if len(problems) > 0 {
			f.damage = damaged("%s", summary(problems))
		}
		if unsafe {
			return f, nil
		}
	}
	defer func() {
		if errors.Is(err, ErrDamaged) {
			f.abandon()
			f, err = file{damage: err}, nil
		}
	}()
	defer caught(&err)
	restore := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(restore)
	f.stuck = new(atomic.Bool)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, NoSync: o.NoSync, FreelistType: bbolt.FreelistMapType, MaxSize: maxSize, ReadOnly: f.damage != nil,
		NoStatistics:    true,
		InitialMmapSize: mapped,
		OpenFile: func(name string, flag int, mode os.FileMode) (fd *os.File, err error) {
			if !check { // it was made just now: a link is somebody else's
				flag |= noFollow
			}
			fd, err = os.OpenFile(name, flag, mode)
			f.fd = fd
			return fd, err
		},
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return f, fmt.Errorf("%w by another process", ErrLocked)
	}
	if err != nil && f.damage != nil { // it is no wonder
		return f, fmt.Errorf("%w; %w", f.damage, err)
	}
	if err != nil {
		return f, err
	}
	db.AllocSize = growth
	f.db = db
	return f, nil
}

// checkFile walks the pages of a file that nobody writes.
func checkFile(ctx context.Context, path string) (problems []string, unsafe bool, err error) {
	err = readFile(path, func(p *pages) error {
		problems, unsafe, err = walkFile(ctx, p, nil)
		return err
	})
	return problems, unsafe, err
}

func readFile(path string, f func(*pages) error) error {
	fd, err := os.Open(path)
	if err != nil {
		return err
	}
	defer fd.Close()
	fi, err := fd.Stat()
	if err != nil {
		return err
	}
	p, err := openPages(fd, fi.Size())
	if err != nil {
		return err
	}
	return f(p)
}

func summary(problems []string) string {
	const shown = 3
	if len(problems) > shown {
		return strings.Join(problems[:shown], "; ") + fmt.Sprintf("; and %d more", len(problems)-shown)
	}
	return strings.Join(problems, "; ")
}

// Damage is why nothing can be written, or nil: an ErrDamaged from the opening
// of the file or from a later write. What can be read is read.
func (s *Store) Damage() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.file.damage
}

// View gives f a snapshot. f should end soon: what is deleted meanwhile keeps
// its place in the file until then.
func (s *Store) View(ctx context.Context, f func(*Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	if s.path == "" && !s.closed {
		root := s.root
		s.mu.RUnlock()
		return f(&Tx{root: root})
	}
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if s.file.db == nil {
		return s.file.damage
	}
	restore := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(restore)
	defer faulted(&err)
	tx, bucket, err := s.file.begin(false)
	if err != nil {
		return err
	}
	defer s.file.rollback(tx)
	return f(&Tx{bucket: bucket})
}

func (f *file) begin(writable bool) (tx *bbolt.Tx, bucket *bbolt.Bucket, err error) {
	begun := false
	defer func() {
		if err != nil && begun {
			f.rollback(tx)
		} else if errors.Is(err, ErrDamaged) {
			f.stuck.Store(true)
		}
	}()
	defer caught(&err)
	if tx, err = f.db.Begin(writable); err != nil {
		return nil, nil, err
	}
	begun = true
	if bucket = tx.Bucket(bucketName); bucket == nil && writable {
		bucket, err = tx.CreateBucket(bucketName)
	} else if bucket == nil {
		err = damaged("the bucket is not there")
	}
	return tx, bucket, err
}

// rollback ends a transaction, as far as that is possible.
func (f *file) rollback(tx *bbolt.Tx) {
	var err error
	func() {
		defer caught(&err)
		err = tx.Rollback()
	}()
	if err != nil {
		f.stuck.Store(true)
	}
}

func commit(tx *bbolt.Tx) (err error) {
	defer caught(&err)
	return tx.Commit()
}

// Update gives f the only transaction that writes; it waits for its turn until
// ctx ends. What f changed is durable when Update returns nil, and undone where
// f or the commit fails: ErrFull, ErrDamaged.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.give()
	if s.path == "" {
		tx := &Tx{root: s.root, writable: true}
		if err := f(tx); err != nil {
			return err
		}
		s.mu.Lock()
		s.root = tx.root
		s.mu.Unlock()
		return nil
	}
	trouble, err := s.update(f)
	if trouble {
		// What a failed write left in memory is not to be trusted: the file says
		// what is true.
		s.reopen()
	}
	return err
}

// take waits for the turn to write.
func (s *Store) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		s.give()
		return ErrClosed
	}
	return nil
}

func (s *Store) give() { <-s.writer }

func (s *Store) update(f func(*Tx) error) (trouble bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.file.damage != nil {
		return false, s.file.damage
	}
	restore := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(restore)
	defer faulted(&err)
	tx, bucket, err := s.file.begin(true)
	if err != nil {
		return true, err
	}
	done := false
	defer func() {
		if done {
			return
		}
		s.file.rollback(tx)
		trouble = trouble || s.file.stuck.Load()
	}()
	if err := f(&Tx{bucket: bucket, writable: true}); err != nil {
		return errors.Is(err, ErrDamaged), err
	}
	err = commit(tx)
	if err == nil {
		done = true
		return false, nil
	}
	// A commit that failed has rolled back; one that panicked has not.
	done = !errors.Is(err, ErrDamaged)
	return true, Full(err)
}

// reopen reads the file again after trouble. It waits for the readers.
func (s *Store) reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file.close()
	f, err := openFile(s.path, s.o, true)
	if err != nil {
		f = file{damage: damaged("it cannot be opened again: %v", err)}
	}
	s.file = f
}

func (f *file) close() {
	if f.stuck != nil && f.stuck.Load() {
		f.abandon()
		return
	}
	if f.db != nil {
		var err error
		func() {
			defer caught(&err)
			err = f.db.Close()
		}()
	}
	f.db = nil
}

// abandon gives up a database whose locks are held for ever. Its mapping stays,
// as addresses without memory.
func (f *file) abandon() {
	if f.fd != nil {
		f.fd.Close()
	}
	f.db = nil
}

// Close waits for transactions and closes the file. It may be called twice.
func (s *Store) Close() error {
	s.writer <- struct{}{}
	defer s.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed, s.root = true, nil
	s.file.close()
	if s.lock != nil {
		return s.lock.Close()
	}
	return nil
}

// Check walks the structure of the file and says what is wrong with it. Writers
// wait meanwhile. It knows nothing of what the values should be.
func (s *Store) Check(ctx context.Context) (problems []string, err error) {
	if err := s.take(ctx); err != nil || s.path == "" {
		if err == nil {
			s.give()
		}
		return nil, err
	}
	defer s.give()
	problems, _, err = checkFile(ctx, s.path)
	if errors.Is(err, ErrDamaged) {
		return []string{err.Error()}, nil
	}
	return problems, err
}

// Replace makes build fill an empty store and puts it in the place of this one,
// at once and durably; where build fails, everything stays. Readers go on
// meanwhile, writers wait. The old file is kept under the name aside where that
// is not "".
//
// build may View s. It also gets remains, which gives each every pair that is
// left in the file, in whatever state that is; a pair may be wrong and may come
// twice, the first time from where it belongs. In memory there is no damage, and
// remains gives what there is.
func (s *Store) Replace(ctx context.Context, aside string, build func(fresh *Store, remains Remains) error) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.give()
	if s.path == "" {
		fresh := Memory()
		if err := build(fresh, s.remains); err != nil {
			return err
		}
		s.mu.Lock()
		s.root = fresh.root
		s.mu.Unlock()
		return nil
	}
	next := s.path + ".new"
	err := s.build(next, func(fresh *Store) error { return build(fresh, s.remains) })
	if err != nil {
		return Full(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file.close()
	err = exchange(next, s.path, aside)
	f, e := openFile(s.path, s.o, true)
	if e != nil {
		f = file{damage: damaged("it cannot be opened again: %v", e)}
	}
	s.file = f
	return errors.Join(Full(err), e)
}

// build makes a store in a file of its own and leaves it closed and durable.
func (s *Store) build(path string, fill func(*Store) error) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an unfinished file: %w", err)
	}
	fd, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(path)
		}
	}()
	err = fileowner.Keep(fd, s.path)
	fd.Close()
	if err != nil {
		return fmt.Errorf("keeping the owner of the file: %w", err)
	}
	o := Options{NoSync: true}
	fresh := &Store{path: path, o: o, writer: make(chan struct{}, 1)}
	if fresh.file, err = openFile(path, o, false); err != nil {
		return err
	}
	defer fresh.Close()
	if fresh.file.damage != nil {
		return fresh.file.damage
	}
	if err := fresh.Update(context.Background(), func(*Tx) error { return nil }); err != nil { // makes the bucket
		return err
	}
	if err := fill(fresh); err != nil {
		return err
	}
	return fresh.file.db.Sync()
}

// exchange gives next the name path.
func exchange(next, path, aside string) error {
	if aside != "" {
		// A second name first, so that path is never missing; not every file
		// system has second names.
		if err := os.Link(path, aside); err != nil {
			if err := os.Rename(path, aside); err != nil {
				return err
			}
		}
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// syncDir makes a rename durable. The change is in force already, so that an
// error (some file systems cannot) is no failure.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// Remains gives each every pair that can be found in a file and says what is
// wrong with the file.
type Remains func(ctx context.Context, each func(key, value []byte) error) (problems []string, err error)

func (s *Store) remains(ctx context.Context, each func(key, value []byte) error) (problems []string, err error) {
	if s.path == "" {
		return nil, s.View(ctx, func(tx *Tx) error {
			c := tx.Cursor(nil)
			for ok := c.Seek(nil); ok; ok = c.Next() {
				if err := each(c.Key(), c.Value()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = readFile(s.path, func(p *pages) error {
		problems, _, err = walkFile(ctx, p, each)
		return err
	})
	if errors.Is(err, ErrDamaged) {
		return append(problems, err.Error()), nil
	}
	return problems, err
}
