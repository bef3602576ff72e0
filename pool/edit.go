package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool/internal/bus"
)

// writers is how many writes go to the store at once: each waits for the disk.
const writers = 16

// MaxServers bounds a pool.
const MaxServers = 20_000

// Add adds all servers or none: cim.ErrAlreadyExists, cim.ErrInvalidParameter.
// Each is made clean as Server.Clean does; Added is now where it is zero.
func (p *Pool) Add(ctx context.Context, servers []Server) error {
	const operation = "add servers"
	values, seen := make(map[string][]byte, len(servers)), map[string]bool{}
	order := make([]string, 0, len(servers))
	for _, s := range servers {
		if err := s.Clean(); err != nil {
			return err
		}
		if s.Added.IsZero() {
			s.Added = time.Now().UTC()
		}
		key := keyOf(s.Name)
		if _, there := p.fleet.get(key); there || seen[key] {
			return exists(operation, s.Name)
		}
		if s.Credential != "" {
			if _, err := p.credential(ctx, s.Credential); err != nil {
				return err
			}
		}
		value, err := json.Marshal(s)
		if err != nil {
			return err
		}
		seen[key], values[key] = true, value
		order = append(order, key)
	}
	if len(p.Servers())+len(order) > MaxServers {
		return &cim.Error{Status: cim.ErrInvalidParameter, Operation: operation, Detail: fmt.Sprintf("a pool has at most %d servers", MaxServers)}
	}
	var mu sync.Mutex
	var made []string
	err := atOnce(ctx, order, func(ctx context.Context, key string) error {
		if _, state := p.fleet.revisions(key); state != 0 {
			// What an earlier server of this name left is not this one's.
			if err := p.state.Delete(ctx, key); err != nil {
				return err
			}
		}
		_, err := p.servers.Create(ctx, key, values[key])
		if errors.Is(err, bus.ErrConflict) {
			name, _ := bus.Text(key)
			return exists(operation, name)
		}
		if err == nil {
			mu.Lock()
			made = append(made, key)
			mu.Unlock()
		}
		return err
	})
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return errors.Join(err, atOnce(undo, made, func(ctx context.Context, key string) error { return p.servers.Delete(ctx, key) }))
	}
	return p.fleet.await(ctx, func() bool {
		for _, key := range order {
			if _, ok := p.fleet.get(key); !ok {
				return false
			}
		}
		return true
	})
}

func exists(operation, name string) error {
	return &cim.Error{Status: cim.ErrAlreadyExists, Operation: operation, Path: name, Detail: "a server of this name is in the pool already"}
}

// atOnce does something for each key, several at a time, and returns the first error.
func atOnce(ctx context.Context, keys []string, do func(context.Context, string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan string)
	var all sync.WaitGroup
	for range min(writers, len(keys)) {
		all.Go(func() {
			for key := range next {
				if err := do(ctx, key); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for _, key := range keys {
		select {
		case next <- key:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

// Update changes what is written about a server; change may be called again
// where somebody else was faster. The name stays. cim.ErrNotFound, and what
// change and Server.Clean return.
func (p *Pool) Update(ctx context.Context, name string, change func(*Server) error) error {
	key := keyOf(name)
	for {
		e, err := p.servers.Get(ctx, key)
		if errors.Is(err, bus.ErrNotFound) {
			_, err = p.Get(name)
			return err
		}
		if err != nil {
			return err
		}
		var s Server
		if err := json.Unmarshal(e.Value, &s); err != nil {
			return err
		}
		was, credential := s.Name, s.Credential
		if err := change(&s); err != nil {
			return err
		}
		s.Name = was
		if err := s.Clean(); err != nil {
			return err
		}
		if s.Credential != "" && s.Credential != credential {
			if _, err := p.credential(ctx, s.Credential); err != nil {
				return err
			}
		}
		value, err := json.Marshal(s)
		if err != nil {
			return err
		}
		revision, err := p.servers.Update(ctx, key, value, e.Revision)
		if errors.Is(err, bus.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return p.fleet.await(ctx, func() bool {
			server, _ := p.fleet.revisions(key)
			return server >= revision
		})
	}
}

// Rename gives a server another name, under which it is asked anew: what was found under
// the old one is forgotten, and the old one stands in Former. cim.ErrNotFound, cim.ErrAlreadyExists, and what Server.Clean
// returns.
func (p *Pool) Rename(ctx context.Context, name, to string) error {
	e, err := p.Get(name)
	if err != nil {
		return err
	}
	s := e.Server
	if s.Name = to; keyOf(to) != keyOf(name) {
		s.Former = append(slices.DeleteFunc(slices.Clone(s.Former), func(n string) bool { return keyOf(n) == keyOf(to) || keyOf(n) == keyOf(name) }), e.Name)
		s.Former = s.Former[max(0, len(s.Former)-maxFormer):]
		if err := p.Add(ctx, []Server{s}); err != nil {
			return err
		}
		return p.Remove(ctx, name)
	}
	if err := s.Clean(); err != nil {
		return err
	}
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	key := keyOf(name)
	was, _ := p.fleet.revisions(key)
	revision, err := p.servers.Update(ctx, key, value, was)
	if err != nil {
		return err
	}
	return p.fleet.await(ctx, func() bool {
		server, _ := p.fleet.revisions(key)
		return server >= revision
	})
}

// Remove forgets a server and what is known of it: cim.ErrNotFound.
func (p *Pool) Remove(ctx context.Context, name string) error {
	if _, err := p.Get(name); err != nil {
		return err
	}
	key := keyOf(name)
	if err := p.servers.Delete(ctx, key); err != nil {
		return err
	}
	if _, state := p.fleet.revisions(key); state != 0 {
		if err := p.state.Delete(ctx, key); err != nil {
			return err
		}
	}
	return p.fleet.await(ctx, func() bool {
		_, there := p.fleet.get(key)
		return !there
	})
}
