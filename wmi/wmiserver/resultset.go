package wmiserver

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/casementhq/casement/cim"
)

// resultSet is what one operation gives, for the enumerator that the client got and the clones of it. The operation runs ahead on its
// own; its objects are taken as they are asked for. Those of an enumerator that can go back are kept, as far as the limits permit. See
// SemiSinkResultSetObject in [MS-WMI] 3.1.1.
type resultSet struct {
	ledger *ledger
	owner  string
	replay bool // Reset and Clone are possible
	cancel context.CancelFunc
	opened chan struct{} // closed once enum or final is there
	done   func()        // gives back what the operation took

	// turn holds one token. Who has it may ask the provider, and look at batch. No lock is held meanwhile.
	turn  chan struct{}
	batch []*cim.Instance // the last objects of the provider, valid until it is asked again

	mu      sync.Mutex
	enum    cim.Enumerator
	kept    []*cim.Instance // copies, from position base on
	base    int
	read    int   // how many objects the provider gave
	final   error // why there are no more after them; io.EOF at the regular end
	charged int64
	users   int // enumerators
	closed  bool
}

// most is how many objects are asked of a provider at a time.
const most = 128

// newResultSet begins an operation. begin runs on a goroutine of its own; its context ends when the set is closed. done is called when
// the operation needs nothing more.
func (v *Server) newResultSet(owner string, replay bool, begin func(context.Context) (cim.Enumerator, error), done func()) *resultSet {
	ctx, cancel := context.WithCancel(v.base)
	s := &resultSet{
		ledger: v.ledger, owner: owner, replay: replay, cancel: cancel, done: sync.OnceFunc(done),
		opened: make(chan struct{}), turn: make(chan struct{}, 1), users: 1,
	}
	s.turn <- struct{}{}
	context.AfterFunc(ctx, s.close) // with the last enumerator, or the server
	opening := func() {
		defer close(s.opened)
		enum, err := begin(ctx)
		s.mu.Lock()
		s.enum, s.final = enum, err
		closed := s.closed
		s.mu.Unlock()
		if err != nil {
			s.done()
		} else if closed {
			enum.Close()
		}
	}
	if !v.spawn(opening) {
		begin = func(context.Context) (cim.Enumerator, error) { return nil, errClosed }
		opening()
	}
	return s
}

// wait waits until the operation has begun, and tells how that went.
func (s *resultSet) wait(ctx context.Context) error {
	select {
	case <-s.opened:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.enum == nil {
		return s.final
	}
	return nil
}

// collect takes all objects that there are, as a synchronous call must before it returns, or as many as may be kept: the rest is taken
// as it is asked for. An error of the operation is the error of the call; the end is none.
func (s *resultSet) collect(ctx context.Context) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	for {
		all, err := s.fetch(ctx, true)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !all:
			return nil
		}
	}
}

// take gives up to n objects from position at on to visit, and waits only until there is one. An object is valid during its visit. The
// error after the last one tells the end. An error of visit leaves the object where it is.
func (s *resultSet) take(ctx context.Context, at, n int, visit func(*cim.Instance) error) (got int, err error) {
	if err := s.wait(ctx); err != nil {
		return 0, err
	}
	for n > 0 {
		if list := s.stored(at, n); len(list) > 0 {
			got, err := each(list, visit)
			s.drop(at + got)
			return got, err
		}
		got, err := s.current(ctx, at, n, visit)
		if got > 0 || err != nil {
			return got, err
		}
	}
	return 0, nil
}

func each(list []*cim.Instance, visit func(*cim.Instance) error) (int, error) {
	for n, i := range list {
		if err := visit(i); err != nil {
			return n, err
		}
	}
	return len(list), nil
}

// stored is what is kept from a position on.
func (s *resultSet) stored(at, n int) []*cim.Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at < s.base || at >= s.base+len(s.kept) || s.closed {
		return nil
	}
	list := s.kept[at-s.base:]
	return list[:min(n, len(list))]
}

// drop frees what an enumerator that cannot go back has passed.
func (s *resultSet) drop(at int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.replay && len(s.kept) > 0 && at >= s.base+len(s.kept) {
		s.base, s.kept = at, nil
		s.ledger.keep(s.owner, -s.charged)
		s.charged = 0
	}
}

// errGone: objects that a clone, or Reset, would need again.
var errGone = refuse(cim.ErrQuotaViolation, "the objects are not kept: the result is larger than an enumerator may keep")

// current gives objects that are not kept to visit. Neither objects nor an error mean that the caller shall look again.
func (s *resultSet) current(ctx context.Context, at, n int, visit func(*cim.Instance) error) (int, error) {
	if err := s.acquire(ctx); err != nil {
		return 0, err
	}
	defer s.handOn()
	s.mu.Lock()
	read, end, closed := s.read, s.base+len(s.kept), s.closed
	s.mu.Unlock()
	first := read - len(s.batch)
	switch {
	case closed:
		return 0, cim.ErrCallCancelled
	case at >= s.base && at < end:
		return 0, nil // kept meanwhile
	case at >= first && at < read:
		list := s.batch[at-first:]
		return each(list[:min(n, len(list))], visit)
	case at < read:
		return 0, errGone
	}
	_, err := s.ask(ctx, s.replay)
	return 0, err
}

func (s *resultSet) acquire(ctx context.Context) error {
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *resultSet) handOn() { s.turn <- struct{}{} }

// fetch asks the provider once.
func (s *resultSet) fetch(ctx context.Context, keep bool) (all bool, err error) {
	if err := s.acquire(ctx); err != nil {
		return false, err
	}
	defer s.handOn()
	return s.ask(ctx, keep)
}

// ask asks the provider for the next objects, which are then the batch, and keeps copies of them where they all fit. An error means
// that there are no more, or that the time of this call is over. The caller has the turn.
func (s *resultSet) ask(ctx context.Context, keep bool) (kept bool, err error) {
	s.mu.Lock()
	enum, final, closed := s.enum, s.final, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return false, cim.ErrCallCancelled
	case final != nil:
		return false, final
	}
	batch, err := enum.Next(ctx, most)
	if err != nil && len(batch) == 0 && ctx.Err() != nil {
		return false, ctx.Err() // nothing is lost, the operation goes on
	}
	s.batch = batch
	s.mu.Lock()
	kept = keep && s.keep(batch)
	s.read += len(batch)
	s.final = err
	s.mu.Unlock()
	if err != nil {
		enum.Close()
		s.done()
	}
	if len(batch) > 0 {
		err = nil // it comes after them
	}
	return kept, err
}

// keep keeps copies of a batch, all or none.
func (s *resultSet) keep(batch []*cim.Instance) bool {
	if s.closed || s.base+len(s.kept) != s.read {
		return false // what came before was not kept
	}
	n := int64(0)
	for _, i := range batch {
		n += weight(i)
	}
	if s.charged+n > s.ledger.limits.ReplayBytes || !s.ledger.keep(s.owner, n) {
		return false
	}
	s.charged += n
	for _, i := range batch {
		s.kept = append(s.kept, i.Clone())
	}
	return true
}

// retain counts one more enumerator.
func (s *resultSet) retain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

// release counts one enumerator less. The last one ends the operation: its provider's context ends. See [MS-WMI] 3.1.1.1.2.1.
func (s *resultSet) release() {
	s.mu.Lock()
	s.users--
	last := s.users == 0
	s.mu.Unlock()
	if last {
		s.cancel()
		s.close()
	}
}

// close ends the operation and frees what is kept.
func (s *resultSet) close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.ledger.keep(s.owner, -s.charged)
	s.charged, s.kept = 0, nil
	enum := s.enum
	s.mu.Unlock()
	if enum != nil {
		enum.Close()
	}
	s.done()
}
