package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/procs"
	"github.com/casementhq/casement/providers/host/internal/nl"
	"github.com/casementhq/casement/security"
)

// traceInterval is how often processes are looked for that the kernel did not tell of.
const traceInterval = time.Second

// trace is what is known of a process that began or ended.
type trace struct {
	pid     int
	known   bool // what follows
	process procs.Process
	status  cim.Value // how it ended, NULL where that is not known
}

const traceFields = procs.Stat | procs.Status | procs.Session

// emit makes the event of a process.
func (t *trace) emit(p *Provider, c *cim.Class, ended bool, emit func(*cim.Instance) error) error {
	i := cim.NewInstance(c)
	err := i.Set("ProcessID", cim.U32(uint32(t.pid)))
	if q := &t.process; t.known {
		err = errors.Join(err, i.Set("ProcessName", strOrNull(q.Name)), i.Set("ParentProcessID", cim.U32(uint32(q.PPID))))
		if q.Known&procs.Session != 0 {
			session := q.LoginSession
			if session == procs.NoSession {
				session = 0
			}
			err = errors.Join(err, i.Set("SessionID", cim.U32(session)))
		}
		if sid, bad := security.ParseSID(p.sidOfUser(q.UID)); q.Known&procs.Status != 0 && bad == nil {
			err = errors.Join(err, i.Set("Sid", cim.Bytes(sid.Bytes())))
		}
	}
	if ended {
		err = errors.Join(err, i.Set("ExitStatus", t.status))
	}
	if err != nil {
		return err
	}
	return emit(i)
}

// exitStatus is the exit code of a process by its status of wait(2), as a shell shows it.
func exitStatus(status uint32) cim.Value {
	if signal := status & 0x7F; signal != 0 {
		return cim.U32(128 + signal)
	}
	return cim.U32(status >> 8 & 0xFF)
}

// tracer follows the processes of a machine.
type tracer struct {
	table       *procs.Table
	known       map[int]trace
	began, over func(trace) error
}

// processWatch follows the processes of a machine once for all who want to know of them.
type processWatch struct {
	life sync.Mutex // held while the watch begins or ends
	end  func()

	mu       sync.Mutex
	watchers map[*watcher]struct{}
	failed   error // why the watch is over, for those who come too late to be told
}

// watcher is one who wants to know.
type watcher struct {
	began, over func(trace) error
	failed      chan error
}

// fail ends a watcher with the first error.
func (w *watcher) fail(err error) {
	select {
	case w.failed <- err:
	default:
	}
}

// each gives every watcher one trace, or the end of the watch.
func (s *processWatch) each(f func(*watcher) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		if err := f(w); err != nil {
			w.fail(err)
		}
	}
}

// traceProcesses calls began and over with processes as they begin and end: at once where the kernel tells, otherwise
// within a second, and then without those that were gone by that time.
func (p *Provider) traceProcesses(ctx context.Context, began, over func(trace) error) error {
	w := &watcher{began: began, over: over, failed: make(chan error, 1)}
	s := &p.watch
	s.life.Lock()
	s.mu.Lock()
	first := len(s.watchers) == 0
	if first {
		s.watchers, s.failed = map[*watcher]struct{}{}, nil
	}
	s.watchers[w] = struct{}{}
	if s.failed != nil {
		w.fail(s.failed)
	}
	s.mu.Unlock()
	if first {
		s.end = p.startWatch(context.WithoutCancel(ctx))
	}
	s.life.Unlock()
	defer func() {
		s.life.Lock()
		defer s.life.Unlock()
		s.mu.Lock()
		delete(s.watchers, w)
		last := len(s.watchers) == 0
		s.mu.Unlock()
		if last {
			s.end()
		}
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-w.failed:
		return err
	}
}

// startWatch begins the watch; end ends it and waits until nothing of it is left. It returns when what there is has been
// seen.
func (p *Provider) startWatch(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		err := p.followProcesses(ctx, sync.OnceFunc(func() { close(ready) }))
		if ctx.Err() == nil {
			p.watch.mu.Lock()
			p.watch.failed = err
			p.watch.mu.Unlock()
			p.watch.each(func(*watcher) error { return err })
		}
	}()
	select {
	case <-ready:
	case <-done:
	}
	return func() {
		cancel()
		<-done
	}
}

// followProcesses follows the processes until ctx ends; ready is called when those that there are have been seen.
func (p *Provider) followProcesses(ctx context.Context, ready func()) error {
	table, err := p.openProcs()
	if err != nil {
		return err
	}
	t := tracer{
		table: table, known: map[int]trace{}, began: func(trace) error { return nil },
		over: func(one trace) error {
			p.watch.each(func(w *watcher) error { return w.over(one) })
			return nil
		},
	}
	told := make(chan nl.ProcessEvent, 1024)
	if p.system.processes != nil {
		quit := make(chan struct{})
		defer func() { <-quit }()
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			defer close(quit)
			if err := p.system.processes(ctx, told); err != nil {
				p.log.Debug("the kernel does not tell of processes; they are looked for", "error", err)
			}
		}()
	}
	if err := t.look(ctx); err != nil {
		return err
	}
	t.began = func(one trace) error {
		p.watch.each(func(w *watcher) error { return w.began(one) })
		return nil
	}
	ready()
	clock := time.NewTicker(traceInterval)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-told:
			err = t.tell(e)
		case <-clock.C:
			err = t.look(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// tell takes what the kernel says.
func (t *tracer) tell(e nl.ProcessEvent) error {
	have, known := t.known[e.PID]
	switch {
	case e.Ended && known:
		delete(t.known, e.PID)
		have.status = exitStatus(e.Code)
		return t.over(have)
	case e.Ended || known: // it never ran a program of its own, or runs another one
		return nil
	}
	one := trace{pid: e.PID, status: cim.Null(cim.Uint32)}
	if process, err := t.table.One(e.PID, traceFields); err == nil { // else it has ended already
		one.process, one.known = process, true
	}
	t.known[e.PID] = one
	return t.began(one)
}

// look finds what the kernel did not tell.
func (t *tracer) look(ctx context.Context) error {
	seen := make(map[int]bool, len(t.known))
	err := t.table.Each(ctx, traceFields, func(q *procs.Process) error {
		seen[q.PID] = true
		have, known := t.known[q.PID]
		if known && (!have.known || have.process.StartTime.Equal(q.StartTime)) {
			return nil
		}
		if known { // the number has a new process
			if err := t.over(have); err != nil {
				return err
			}
		}
		process := *q
		process.Cmdline = nil
		one := trace{pid: q.PID, known: true, process: process, status: cim.Null(cim.Uint32)}
		t.known[q.PID] = one
		return t.began(one)
	})
	if err != nil {
		return err
	}
	for pid, one := range t.known {
		if !seen[pid] {
			delete(t.known, pid)
			if err := t.over(one); err != nil {
				return err
			}
		}
	}
	return nil
}
