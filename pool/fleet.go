package pool

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool/internal/bus"
)

// Entry is a server and what is known of it; Snapshot is nil where nothing is.
// What a Snapshot points to is shared: it is not changed.
type Entry struct {
	Server

	Snapshot *Snapshot `json:"snapshot,omitempty"`
}

// keyOf is the key of a server by its name.
func keyOf(name string) string { return bus.Token(strings.ToLower(name)) }

// fleet is what the store has of servers, in memory.
type fleet struct {
	mu      sync.Mutex
	members map[string]*member // by key
	changed chan struct{}      // closed at each change, and replaced
	watch   map[*watcher]struct{}
}

// member is one server. Revisions are those of the store, 0 for none.
type member struct {
	server         *Server // nil where it was removed, or is not read yet
	state          *Snapshot
	serverRevision uint64
	stateRevision  uint64
}

func newFleet() *fleet {
	return &fleet{members: map[string]*member{}, changed: make(chan struct{}), watch: map[*watcher]struct{}{}}
}

func (f *fleet) takeServer(e bus.Entry) error {
	var s *Server
	if !e.Deleted {
		var err error
		if s, err = readServer(e); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.member(e.Key)
	if e.Revision <= m.serverRevision {
		return nil
	}
	m.server, m.serverRevision = s, e.Revision
	f.tell(e.Key)
	return nil
}

func (f *fleet) takeState(e bus.Entry) error {
	var s *Snapshot
	if !e.Deleted {
		var err error
		if s, err = readSnapshot(e); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.member(e.Key)
	if e.Revision <= m.stateRevision {
		return nil
	}
	m.state, m.stateRevision = s, e.Revision
	f.tell(e.Key)
	return nil
}

func (f *fleet) member(key string) *member {
	m := f.members[key]
	if m == nil {
		m = &member{}
		f.members[key] = m
	}
	return m
}

// tell wakes who waits and who watches. f.mu is held.
func (f *fleet) tell(key string) {
	close(f.changed)
	f.changed = make(chan struct{})
	for w := range f.watch {
		w.add(key)
	}
}

// get is a server by its key; ok is false where there is none.
func (f *fleet) get(key string) (e Entry, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.entry(key)
}

func (f *fleet) entry(key string) (Entry, bool) {
	m := f.members[key]
	if m == nil || m.server == nil {
		return Entry{}, false
	}
	s := *m.server
	s.Tags = slices.Clone(s.Tags)
	return Entry{s, m.state}, true
}

// list is every server, by name.
func (f *fleet) list() []Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Entry, 0, len(f.members))
	for _, key := range slices.Sorted(maps.Keys(f.members)) {
		if e, ok := f.entry(key); ok {
			list = append(list, e)
		}
	}
	return list
}

// revisions are those of a server and its state.
func (f *fleet) revisions(key string) (server, state uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.members[key]; m != nil {
		return m.serverRevision, m.stateRevision
	}
	return 0, 0
}

// await waits until what was written is read here.
func (f *fleet) await(ctx context.Context, ready func() bool) error {
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		if ready() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// watcher collects which servers changed until somebody reads.
type watcher struct {
	mu    sync.Mutex
	keys  map[string]struct{}
	order []string
	wake  chan struct{}
}

func (w *watcher) add(key string) {
	w.mu.Lock()
	if _, waits := w.keys[key]; !waits {
		w.keys[key] = struct{}{}
		w.order = append(w.order, key)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	order := w.order
	w.order = nil
	clear(w.keys)
	return order
}

// Servers are those of the pool, by name.
func (p *Pool) Servers() []Entry { return p.fleet.list() }

// Get is a server by its name, in any case: cim.ErrNotFound.
func (p *Pool) Get(name string) (Entry, error) {
	e, ok := p.fleet.get(keyOf(name))
	if !ok {
		return Entry{}, &cim.Error{Status: cim.ErrNotFound, Operation: "find the server", Path: name, Detail: "no server of the pool has this name"}
	}
	return e, nil
}

// Watch calls f with each server, then with nil, then with each change: the
// entry as it is then, or gone and only its key's name. Changes that come while
// f runs are put together. It returns when ctx ends, with its cause.
func (p *Pool) Watch(ctx context.Context, f func(e *Entry, gone bool)) error {
	w := &watcher{keys: map[string]struct{}{}, wake: make(chan struct{}, 1)}
	p.fleet.mu.Lock()
	p.fleet.watch[w] = struct{}{}
	p.fleet.mu.Unlock()
	defer func() {
		p.fleet.mu.Lock()
		delete(p.fleet.watch, w)
		p.fleet.mu.Unlock()
	}()
	seen := map[string]string{} // names that f was told, by key
	for _, e := range p.fleet.list() {
		seen[keyOf(e.Name)] = e.Name
		f(&e, false)
	}
	f(nil, false)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.wake:
		}
		for _, key := range w.take() {
			e, ok := p.fleet.get(key)
			name, told := seen[key]
			switch {
			case ok:
				seen[key] = e.Name
				f(&e, false)
			case told:
				delete(seen, key)
				f(&Entry{Server: Server{Name: name}}, true)
			}
		}
	}
}
