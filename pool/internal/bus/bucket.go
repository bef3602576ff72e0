package bus

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Entry is a value as it was written.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Written  time.Time
	Deleted  bool
}

// BucketOptions say how a bucket keeps its values.
type BucketOptions struct {
	Name string
	// Age is how long a value is kept; 0 is for ever.
	Age time.Duration
}

// Bucket is a map of keys to values, each with a revision. Keys are made of
// [Token] and dots.
type Bucket struct {
	bus  *Bus
	name string
	kv   jetstream.KeyValue
}

// Bucket opens a bucket, and makes it where it is missing.
func (b *Bus) Bucket(ctx context.Context, o BucketOptions) (*Bucket, error) {
	kv, err := b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: o.Name, History: 1, TTL: o.Age, Storage: jetstream.FileStorage, MaxValueSize: MaxPayload})
	if err != nil {
		return nil, failed("the bucket "+o.Name, err)
	}
	return &Bucket{b, o.Name, kv}, nil
}

// Get fails with ErrNotFound where the key has no value.
func (b *Bucket) Get(ctx context.Context, key string) (entry Entry, err error) {
	err = b.bus.call(ctx, func(ctx context.Context, _ bool) error {
		e, err := b.kv.Get(ctx, key)
		if err == nil {
			entry = entryOf(e)
		}
		return err
	})
	return entry, failed(b.name+": "+key, err)
}

// Put writes whatever was there. It returns the revision.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.write(ctx, key, nil, func(ctx context.Context) (uint64, error) { return b.kv.Put(ctx, key, value) })
}

// Create fails with ErrConflict where the key has a value. A value that tells
// who wrote it is taken for the caller's own where the server was lost between.
func (b *Bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.write(ctx, key, value, func(ctx context.Context) (uint64, error) { return b.kv.Create(ctx, key, value) })
}

// Update fails with ErrConflict where the key has another revision than the one
// that was read; 0 is that of a key that never had a value.
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return b.write(ctx, key, value, func(ctx context.Context) (uint64, error) { return b.kv.Update(ctx, key, value, revision) })
}

// write writes; a conflict after an attempt without an answer is none where the
// value that is there is the one that was to be written.
func (b *Bucket) write(ctx context.Context, key string, value []byte, put func(context.Context) (uint64, error)) (revision uint64, err error) {
	err = b.bus.call(ctx, func(ctx context.Context, again bool) error {
		var err error
		if revision, err = put(ctx); again && errors.Is(err, jetstream.ErrKeyExists) {
			if e, gerr := b.kv.Get(ctx, key); gerr == nil && bytes.Equal(e.Value(), value) {
				revision, err = e.Revision(), nil
			}
		}
		return err
	})
	return revision, failed(b.name+": "+key, err)
}

// Delete forgets the value; that a key has none is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return failed(b.name+": "+key, b.bus.call(ctx, func(ctx context.Context, _ bool) error { return b.kv.Purge(ctx, key) }))
}

// List gives the values whose keys match, * standing for one part between dots
// and > for all that follow; "" is all. Their order is that of writing.
func (b *Bucket) List(ctx context.Context, keys string) ([]Entry, error) {
	w, err := b.watch(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer stop(w)
	var list []Entry
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return nil, failed(b.name, ErrClosed)
			case e == nil:
				return list, nil
			}
			list = append(list, entryOf(e))
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Watch gives each value whose key matches, as in List: first those that are
// there, then an entry without a key, then each change as it comes. It ends with
// ctx or the bus, and goes on by itself where the server was away. What is not
// read waits; nothing is left out.
func (b *Bucket) Watch(ctx context.Context, keys string) (<-chan Entry, error) {
	return b.from(ctx, keys, follower{})
}

// Changes is Watch without the values that are there already.
func (b *Bucket) Changes(ctx context.Context, keys string) (<-chan Entry, error) {
	status, err := b.kv.Status(ctx)
	if err != nil {
		return nil, failed(b.name, err)
	}
	last := uint64(0)
	if s, ok := status.(*jetstream.KeyValueBucketStatus); ok {
		last = s.StreamInfo().State.LastSeq
	}
	return b.from(ctx, keys, follower{last: last, marked: true}, jetstream.UpdatesOnly())
}

func (b *Bucket) from(ctx context.Context, keys string, f follower, o ...jetstream.WatchOpt) (<-chan Entry, error) {
	line := b.bus.current()
	w, err := b.watch(ctx, keys, o...)
	if err != nil {
		return nil, err
	}
	out := make(chan Entry, 64)
	f.out = out
	go func() {
		defer close(out)
		for f.follow(ctx, line, w) {
			stop(w)
			if line, w = b.resume(ctx, keys, f.last); w == nil {
				return
			}
		}
		stop(w)
	}()
	return out, nil
}

// follower hands on what watchers of one bucket give, one after the other.
type follower struct {
	out    chan<- Entry
	last   uint64 // revision
	marked bool   // the entry without a key was given
}

// follow returns true where the line ended and another watcher should go on.
func (f *follower) follow(ctx context.Context, line <-chan struct{}, w jetstream.KeyWatcher) bool {
	for {
		var entry Entry
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return true
			case e != nil:
				entry = entryOf(e)
				f.last = max(f.last, entry.Revision)
			case f.marked:
				continue
			default:
				f.marked = true
			}
		case <-line:
			return true
		case <-ctx.Done():
			return false
		}
		select {
		case f.out <- entry:
		case <-ctx.Done():
			return false
		}
	}
}

// resume watches from behind a revision on, as soon as there is a server; nil
// where the bus or ctx ended.
func (b *Bucket) resume(ctx context.Context, keys string, last uint64) (<-chan struct{}, jetstream.KeyWatcher) {
	for ctx.Err() == nil && !b.bus.conn.IsClosed() {
		if b.bus.conn.IsConnected() {
			line := b.bus.current()
			var o []jetstream.WatchOpt
			if last > 0 {
				o = append(o, jetstream.ResumeFromRevision(last+1))
			}
			if w, err := b.watch(ctx, keys, o...); err == nil {
				return line, w
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(reconnectWait / 2):
		}
	}
	return nil, nil
}

func (b *Bucket) watch(ctx context.Context, keys string, o ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	if keys == "" {
		keys = ">"
	}
	w, err := b.kv.Watch(ctx, keys, o...)
	if err != nil {
		return nil, failed(b.name, err)
	}
	return w, nil
}

// stop ends a watcher, which may be waiting for somebody to read.
func stop(w jetstream.KeyWatcher) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range w.Updates() {
		}
	}()
	if err := w.Stop(); err != nil && !errors.Is(err, context.Canceled) {
		// The subscription is gone with the connection; its channel is closed by that.
		_ = err
	}
	<-done
}

func entryOf(e jetstream.KeyValueEntry) Entry {
	return Entry{Key: e.Key(), Value: e.Value(), Revision: e.Revision(), Written: e.Created(), Deleted: e.Operation() != jetstream.KeyValuePut}
}
