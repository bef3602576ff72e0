package host

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// statTimeout is how long a file system behind a server may take to say how large it is. The server of a hard mount
// may never answer.
const statTimeout = 2 * time.Second

// slowMounts keeps at most one question open for each such mount.
type slowMounts struct {
	mu   sync.Mutex
	open map[string]*slowMount
}

type slowMount struct {
	done chan struct{}
	fs   fileSystem
	err  error
}

// statFS asks for the size of a file system; mayHang says that the answer may never come.
func (p *Provider) statFS(ctx context.Context, path string, mayHang bool) (fileSystem, error) {
	if p.system.statFS == nil {
		return fileSystem{}, errNoSystem
	}
	if !mayHang {
		return p.system.statFS(path)
	}
	m := p.slow.ask(path, p.system.statFS)
	timer := time.NewTimer(statTimeout)
	defer timer.Stop()
	select {
	case <-m.done:
		return m.fs, m.err
	case <-ctx.Done():
		return fileSystem{}, ctx.Err()
	case <-timer.C:
		return fileSystem{}, fmt.Errorf("statfs %s: no answer within %v", path, statTimeout)
	}
}

func (s *slowMounts) ask(path string, statFS func(string) (fileSystem, error)) *slowMount {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.open[path]; m != nil {
		return m
	}
	m := &slowMount{done: make(chan struct{})}
	if s.open == nil {
		s.open = map[string]*slowMount{}
	}
	s.open[path] = m
	go func() {
		m.fs, m.err = statFS(path)
		s.mu.Lock()
		delete(s.open, path)
		s.mu.Unlock()
		close(m.done)
	}()
	return m
}
