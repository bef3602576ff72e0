package cimom

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/cim"
)

// Sizes of a slab. It grows from the small one to the large one, so that a
// short enumeration costs little and a long one few hand-overs.
const (
	firstInstances = 8
	mostInstances  = 128
	mostValues     = 6144
)

// errStopped ends a provider whose results nobody wants any more.
var errStopped = errors.New("the enumeration was closed")

// slab is a batch of instances that lies in two pieces of memory.
type slab struct {
	instances []cim.Instance
	pointers  []*cim.Instance
	values    []cim.Value
	used      int // values
	n         int // instances
}

func newSlab(instances, values int) *slab {
	b := &slab{instances: make([]cim.Instance, instances), values: make([]cim.Value, values)}
	b.pointers = make([]*cim.Instance, instances)
	for i := range b.instances {
		b.pointers[i] = &b.instances[i]
	}
	return b
}

// add copies i in; ok is false where there is no room.
func (b *slab) add(i *cim.Instance, s *shape) (ok bool) {
	width := len(s.class.Properties)
	if b.n == len(b.instances) || b.used+width > len(b.values) {
		return false
	}
	b.pointers[b.n] = &b.instances[b.n]
	if i.IsClass() {
		b.pointers[b.n] = i // immutable, and the slab has no mark for it
	} else {
		values := b.values[b.used : b.used+width : b.used+width]
		s.fill(values, i)
		cim.ResetInstance(&b.instances[b.n], s.class, values)
		b.used += width
	}
	b.n++
	return true
}

// stream is an enumeration. A goroutine, which the first Next starts, fills one
// slab while the caller reads another.
type stream struct {
	run     func(context.Context, *stream) error
	session *session
	limit   time.Duration
	name    string // the operation, for errors
	path    string
	leftOut atomic.Bool // a provider has more than the caller may see

	mu       sync.Mutex
	fill     *slab // the producer's
	read     *slab // the reader's
	next     int   // of read
	size     int   // instances of the next slab
	cancel   context.CancelFunc
	waiting  bool // the reader waits for ready
	ended    bool
	closed   bool
	final    error
	ready    chan struct{}
	space    chan struct{}
	released bool
}

// stream makes an enumeration whose instances run emits.
func (s *session) stream(name, path string, o cim.OperationOptions, run func(context.Context, *stream) error) (cim.Enumerator, error) {
	e := &stream{
		run: run, session: s, limit: s.manager.bound(o.Timeout), name: name, path: path,
		size: firstInstances, ready: make(chan struct{}, 1), space: make(chan struct{}, 1),
	}
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if s.shared.closed {
		return nil, s.fail(cim.ErrShuttingDown, name, path)
	}
	s.shared.open[e] = struct{}{}
	return e, nil
}

// Next returns instances as cim.Enumerator says.
func (e *stream) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		batch, err := e.take(ctx, limit)
		if batch != nil || err != nil {
			return batch, err
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// LeftOut implements cim.Filtered.
func (e *stream) LeftOut() bool { return e.leftOut.Load() }

// take is what is at hand; neither instances nor an error mean that the
// reader must wait.
func (e *stream) take(ctx context.Context, limit int) ([]*cim.Instance, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, io.EOF
	}
	if e.read == nil || e.next == e.read.n {
		if e.fill == nil || e.fill.n == 0 {
			return nil, e.idle(ctx)
		}
		e.swap()
	}
	end := e.read.n
	if limit > 0 && end-e.next > limit {
		end = e.next + limit
	}
	batch := e.read.pointers[e.next:end:end]
	e.next = end
	return batch, nil
}

// idle is called with nothing at hand: it starts the producer, or tells the
// end, or notes that the reader waits.
func (e *stream) idle(ctx context.Context) error {
	if e.ended {
		e.release()
		if e.final != nil {
			return e.final
		}
		return io.EOF
	}
	if e.cancel == nil {
		// the provider works beyond this call of Next, until Close
		ctx = context.WithoutCancel(ctx)
		if e.limit > 0 {
			ctx, e.cancel = context.WithTimeout(ctx, e.limit)
		} else {
			ctx, e.cancel = context.WithCancel(ctx)
		}
		// a provider that does not heed the end of its time is left behind
		context.AfterFunc(ctx, func() { e.finish(ctx.Err()) })
		go e.produce(ctx)
	}
	e.waiting = true
	return nil
}

// swap gives the reader the slab that was filled and the producer the one that
// was read.
func (e *stream) swap() {
	old := e.read
	e.read, e.next = e.fill, 0
	if old != nil && len(old.instances) >= e.size {
		old.n, old.used = 0, 0
	} else {
		old = nil
	}
	e.fill = old
	signal(e.space)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// produce runs the provider to its end.
func (e *stream) produce(ctx context.Context) {
	err := protect(func() error { return e.run(ctx, e) })
	if timeout := ctx.Err(); timeout != nil && err != nil && !errors.Is(err, errStopped) {
		err = timeout
	}
	e.finish(err)
}

func (e *stream) finish(err error) {
	if err != nil && !errors.Is(err, errStopped) {
		err = e.session.fail(err, e.name, e.path)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ended {
		e.ended, e.final = true, err
		e.cancel()
	}
	signal(e.ready)
}

// emit hands an instance to the reader in its shape, and waits while the
// reader has not taken the last slab.
func (e *stream) emit(ctx context.Context, i *cim.Instance, s *shape) error {
	for {
		ok, err := e.put(i, s)
		if ok || err != nil {
			return err
		}
		select {
		case <-e.space:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *stream) put(i *cim.Instance, s *shape) (ok bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.ended {
		return false, errStopped
	}
	if e.fill == nil || e.fill.n == 0 && len(s.class.Properties) > len(e.fill.values) {
		width := len(s.class.Properties)
		e.fill = newSlab(e.size, max(width, min(mostValues, width*e.size)))
	}
	if !e.fill.add(i, s) {
		e.size = min(mostInstances, 2*e.size)
		return false, nil
	}
	if e.waiting {
		e.waiting = false
		signal(e.ready)
	}
	return true, nil
}

// Close gives up the rest; the provider's context ends.
func (e *stream) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.fill, e.read = nil, nil
	if e.cancel != nil {
		e.cancel()
	}
	signal(e.ready)
	e.release()
	return nil
}

// abort ends the enumeration from the side of the host.
func (e *stream) abort(status cim.Status) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ended {
		e.ended, e.final = true, e.session.fail(status, e.name, e.path)
	}
	if e.cancel != nil {
		e.cancel()
	}
	signal(e.ready)
}

// release takes the stream off the list of its session.
func (e *stream) release() {
	if e.released {
		return
	}
	e.released = true
	h := e.session.shared
	h.mu.Lock()
	delete(h.open, e)
	h.mu.Unlock()
}
