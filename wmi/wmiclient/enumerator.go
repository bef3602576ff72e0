package wmiclient

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// How many objects a call asks for: few at first, so that they come soon.
const (
	firstBatch = 64
	nextBatch  = 1024
)

// enumerator is a stream of objects of the host, one page ahead of its reader: a call that is under way when its reader gives up waiting
// goes on, and the next reader has what it brings.
type enumerator struct {
	s               *Session
	operation, path string
	namespace       string // "" is the session's
	batch           int    // objects in a call, 0: as it fits
	events          bool   // they come one by one, whenever they do
	project         *projection

	enum *Enum

	pages  chan page
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing of it is left

	turn sync.Mutex // of Next
	rest []*cim.Instance
	end  error
}

// page is what one call brought. err is what comes after its objects, nil where more may come.
type page struct {
	objects []*cim.Instance
	err     error
}

// enumerate begins an operation that gives many objects, and makes e one of the session's streams.
func (s *Session) enumerate(ctx context.Context, e *enumerator, o cim.OperationOptions, begin func(context.Context, *Services) (*Enum, error)) (cim.Enumerator, error) {
	if err := s.begin(ctx, e, o, begin); err != nil {
		return nil, s.fail(e.operation, e.path, err)
	}
	return e, nil
}

func (s *Session) begin(ctx context.Context, e *enumerator, o cim.OperationOptions, begin func(context.Context, *Services) (*Enum, error)) error {
	limited, stop := s.limit(ctx, o)
	defer stop()
	err := s.do(limited, e.namespace, func(services *Services) (err error) {
		e.enum, err = begin(limited, services)
		return err
	})
	if err != nil {
		return err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.s, e.cancel, e.pages, e.done = s, cancel, make(chan page), make(chan struct{})
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		cancel()
		e.enum.release(ctx)
		return errClosed
	}
	s.streams[e] = struct{}{}
	s.mu.Unlock()
	go e.run(life, o)
	return nil
}

// run fetches pages until the end or until Close.
func (e *enumerator) run(ctx context.Context, o cim.OperationOptions) {
	defer close(e.done)
	defer e.enum.release(ctx)
	e.enum.optimize(ctx)
	for count := e.first(); ; count = e.next() {
		p := e.page(ctx, o, count)
		select {
		case e.pages <- p:
		case <-ctx.Done():
			return
		}
		if p.err != nil {
			return
		}
	}
}

// page waits for objects or the end. The time limit of an operation is that of each page; an event may take its time.
func (e *enumerator) page(ctx context.Context, o cim.OperationOptions, count uint32) (p page) {
	if !e.events {
		var stop context.CancelFunc
		ctx, stop = e.s.limit(ctx, o)
		defer stop()
	}
	for len(p.objects) == 0 && p.err == nil {
		p = e.fetch(ctx, count)
	}
	return p
}

func (e *enumerator) first() uint32 {
	switch {
	case e.events:
		return 1
	case e.batch > 0:
		return uint32(e.batch)
	}
	return firstBatch
}

func (e *enumerator) next() uint32 {
	if e.batch > 0 || e.events {
		return e.first()
	}
	return nextBatch
}

// fetch makes one call. An empty page without an error means that the time of the call was over.
func (e *enumerator) fetch(ctx context.Context, count uint32) (p page) {
	begin := time.Now()
	var status cim.Status
	p.objects, status, p.err = e.enum.Next(ctx, slice, count)
	if e.events && p.err == nil && len(p.objects) > 0 && status != cim.StatusFalse {
		var more []*cim.Instance
		more, status, p.err = e.enum.Next(ctx, 0, nextBatch) // those that are there already
		p.objects = append(p.objects, more...)
	}
	if e.project != nil {
		for n, i := range p.objects {
			p.objects[n] = e.project.apply(i)
		}
	}
	if p.err != nil {
		return p
	}
	switch status {
	case cim.StatusOK:
	case cim.StatusTimedOut:
		if len(p.objects) == 0 {
			p.err = pace(ctx, begin)
		}
	case cim.StatusFalse:
		p.err = io.EOF
	default: // the results are partial
		p.err = &cim.Error{Status: status, Remote: true}
	}
	return p
}

// Next implements cim.Enumerator.
func (e *enumerator) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	for len(e.rest) == 0 {
		if e.end != nil {
			return nil, e.end
		}
		select {
		case p := <-e.pages:
			e.rest = p.objects
			if e.end = p.err; e.end != io.EOF { //nolint:errorlint // its own
				e.end = e.s.fail(e.operation, e.path, e.end)
			}
		case <-e.done:
			e.end = e.s.fail(e.operation, e.path, &cim.Error{Status: cim.ErrCallCancelled, Detail: "the enumeration is closed"})
		case <-ctx.Done():
			return nil, e.s.fail(e.operation, e.path, &cim.Error{Status: cim.ErrCallCancelled, Err: context.Cause(ctx)})
		}
	}
	n := len(e.rest)
	if limit > 0 {
		n = min(n, limit)
	}
	out := e.rest[:n:n]
	e.rest = e.rest[n:]
	return out, nil
}

// Close implements cim.Enumerator: it cancels the operation at the host and waits until that is told.
func (e *enumerator) Close() error {
	e.s.mu.Lock()
	delete(e.s.streams, e)
	e.s.mu.Unlock()
	e.cancel()
	<-e.done
	return nil
}
