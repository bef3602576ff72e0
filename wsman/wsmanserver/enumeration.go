package wsmanserver

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/wscim"
)

// enumerations is the table of open enumeration contexts.
type enumerations struct {
	mu     sync.Mutex
	byID   map[string]*enumeration
	closed bool
}

// enumeration is one open context: what is left of a result, its owner, and
// the timer that ends it when no Pull comes.
type enumeration struct {
	id       string
	owner    string
	resource string
	source   source
	mode     wsman.EnumerationMode
	release  func()
	cancel   context.CancelFunc
	timer    *time.Timer
	idle     time.Duration

	mu     sync.Mutex
	busy   bool
	closed bool
	used   time.Time // when the last request of its owner ended
	once   sync.Once
}

// source gives items as XML.
type source interface {
	// next appends up to max items to dst, as long as they fit into budget
	// bytes, and waits only for the first. end tells that there are no more.
	next(ctx context.Context, dst []byte, max, budget int) (out []byte, n int, end bool, err error)
	// spaces are the namespaces whose prefixes the items use without declaring
	// them, beside those of every envelope.
	spaces() []soap.NS
	close()
}

// itemsBody is a response with items.
type itemsBody struct {
	wsman.Body
	more []soap.NS
}

func (b itemsBody) Namespaces() []soap.NS { return append(b.Body.Namespaces(), b.more...) }

// errTooLarge: one item alone does not fit into the response.
var errTooLarge = errors.New("an item does not fit into the envelope")

func (t *enumerations) add(e *enumeration) {
	e.mu.Lock()
	e.used = time.Now()
	e.timer = time.AfterFunc(e.idle, func() { t.expire(e) })
	e.mu.Unlock()
	t.mu.Lock()
	closed := t.closed
	if !closed {
		t.byID[e.id] = e
	}
	t.mu.Unlock()
	if closed {
		e.free()
	}
}

// expire ends a context that no Pull uses.
func (t *enumerations) expire(e *enumeration) {
	e.mu.Lock()
	if e.busy || e.closed {
		e.mu.Unlock()
		return
	}
	e.closed = true
	e.mu.Unlock()
	t.end(e)
}

// end closes a context; further Pulls do not find it. Where one is under way,
// it is cancelled and closes the context itself.
func (t *enumerations) end(e *enumeration) {
	t.mu.Lock()
	delete(t.byID, e.id)
	t.mu.Unlock()
	e.cancel()
	e.mu.Lock()
	e.closed = true
	busy := e.busy
	e.mu.Unlock()
	if !busy {
		e.free()
	}
}

// free gives back what the context holds; nobody may use it any more.
func (e *enumeration) free() {
	e.once.Do(func() {
		e.timer.Stop()
		e.cancel()
		e.source.close()
		e.release()
	})
}

func (t *enumerations) closeAll() {
	t.mu.Lock()
	t.closed = true
	all := make([]*enumeration, 0, len(t.byID))
	for _, e := range t.byID {
		all = append(all, e)
	}
	t.mu.Unlock()
	for _, e := range all {
		t.end(e)
	}
}

// begin finds a context for its owner and takes it for one Pull.
func (t *enumerations) begin(id, owner, resource string) (*enumeration, error) {
	t.mu.Lock()
	e := t.byID[id]
	t.mu.Unlock()
	if e == nil || e.owner != owner {
		return nil, wsman.NewFault(wsman.CodeInvalidEnumerationContext, "")
	}
	if !strings.EqualFold(e.resource, resource) {
		return nil, wsman.NewFault(wsman.CodePullParameters, "")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return nil, wsman.NewFault(wsman.CodeInvalidEnumerationContext, "")
	case e.busy:
		return nil, wsman.NewFault(wsman.CodePullInProgress, "")
	}
	e.busy = true
	e.timer.Stop()
	return e, nil
}

// drop ends a context of an owner, also while a Pull waits; false where there
// is none.
func (t *enumerations) drop(id, owner string) bool {
	t.mu.Lock()
	e := t.byID[id]
	t.mu.Unlock()
	if e == nil || e.owner != owner {
		return false
	}
	t.end(e)
	return true
}

// pause gives a context back until the next Pull; more is false where there
// will be none.
func (t *enumerations) pause(e *enumeration, more bool) {
	e.mu.Lock()
	e.busy, e.used = false, time.Now()
	over := e.closed || !more
	if !over {
		e.timer.Reset(e.idle)
	}
	e.mu.Unlock()
	if over {
		t.end(e)
	}
}

// abandonedAfter is how long a context must have been left alone before it
// makes room for a new one of its owner.
const abandonedAfter = 30 * time.Second

// makeRoom ends the context that an owner has left alone longest, so that
// enumerations which nobody finished do not keep their owner from working. ok
// is false where each was used within abandonedAfter.
func (t *enumerations) makeRoom(owner string) (ok bool) {
	limit := time.Now().Add(-abandonedAfter)
	var oldest *enumeration
	t.mu.Lock()
	for _, e := range t.byID {
		if e.owner != owner {
			continue
		}
		e.mu.Lock()
		if !e.busy && e.used.Before(limit) {
			limit, oldest = e.used, e
		}
		e.mu.Unlock()
	}
	t.mu.Unlock()
	if oldest == nil {
		return false
	}
	t.end(oldest)
	return true
}

// envelopeRoom is what an enumeration response needs beside its items.
const envelopeRoom = 2 << 10

// batch reads one batch of items into a response. MaxElements is the client's
// wish, 1 where it has none, at most MaxBatchItems. See [MS-WSMV] 3.1.4.1.14.
func (c *call) batch(ctx context.Context, s source, elements uint32) (*wsman.Items, error) {
	if elements == 0 {
		elements = 1
	}
	elements = min(elements, c.snap.WinRM.MaxBatchItems, 1<<20)
	buf := itemBuffers.Get().(*[]byte)
	c.release = append(c.release, func() {
		if cap(*buf) <= maxPooled {
			itemBuffers.Put(buf)
		}
	})
	out, n, end, err := s.next(ctx, (*buf)[:0], int(elements), c.room())
	*buf = out
	switch {
	case errors.Is(err, errTooLarge):
		return nil, c.tooLarge()
	case err != nil && n == 0:
		return nil, err
	}
	return &wsman.Items{HasItems: true, XML: out, EndOfSequence: end && err == nil}, nil
}

var itemBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// start answers an Enumerate: the context, and with OptimizeEnumeration the
// first items. cancel ends what the source runs on.
func (c *call) start(ctx context.Context, m *wsman.Enumerate, s source, cancel context.CancelFunc, release func()) (wsman.Body, error) {
	e := &enumeration{
		id: "uuid:" + wsman.NewUUID(), owner: userKey(c.caller.Token), resource: c.msg.ResourceURI, source: s, mode: m.Mode,
		release: release, cancel: cancel, idle: time.Duration(c.snap.WinRM.Service.EnumerationTimeoutms) * time.Millisecond,
	}
	kept := false
	defer func() {
		if !kept {
			cancel()
			s.close()
			release()
		}
	}()
	items := &wsman.Items{}
	if m.Optimize {
		var err error
		if items, err = c.batch(ctx, s, m.MaxElements); err != nil {
			return nil, err
		}
	}
	if !items.EndOfSequence {
		kept = true
		items.Context = e.id
		c.server.enums.add(e)
	}
	return itemsBody{items.EnumerateResponse(), s.spaces()}, nil
}

// pull answers a Pull. See [MS-WSMV] 3.1.4.9.
func (c *call) pull(ctx context.Context) (wsman.Body, error) {
	p, err := c.msg.ReadPull()
	if err != nil {
		return nil, err
	}
	e, err := c.server.enums.begin(p.Context, userKey(c.caller.Token), c.msg.ResourceURI)
	if err != nil {
		return nil, err
	}
	// MaxTimeoutms does not bound a Pull; MaxTime does where the client gives one.
	cancel := context.CancelFunc(func() {})
	if wait := p.MaxTime; wait > 0 {
		ctx, cancel = context.WithTimeout(ctx, wait)
	} else if c.asked > 0 {
		ctx, cancel = context.WithTimeout(ctx, max(c.asked, leastTimeout))
	}
	defer cancel()
	if p.MaxCharacters > 0 {
		c.limit = min(c.limit, int(min(p.MaxCharacters, 1<<30))+envelopeRoom)
	}
	more := false
	defer func() { c.server.enums.pause(e, more) }()
	items, err := c.batch(ctx, e.source, p.MaxElements)
	if errors.Is(err, context.DeadlineExceeded) {
		more = true
		if p.MaxTime > 0 {
			return nil, wsman.NewFault(wsman.CodeEnumerateTimedOut, "")
		}
		return nil, wsman.NewFault(wsman.CodeOperationTimedOut, "")
	}
	if err != nil {
		// What does not fit stays; the client may ask for it with more room.
		more = errors.Is(err, wsman.CodeMaxEnvelopeSizeExceeded) || errors.Is(err, wsman.CodeServerEnvelopeLimit)
		return nil, err
	}
	if more = !items.EndOfSequence; more {
		items.Context = e.id
	}
	return itemsBody{items.PullResponse(), e.source.spaces()}, nil
}

// releaseEnumeration ends a context before its time.
func (c *call) releaseEnumeration() (wsman.Body, error) {
	r, err := c.msg.ReadRelease()
	if err != nil {
		return nil, err
	}
	e, err := c.server.enums.begin(r.Context, userKey(c.caller.Token), c.msg.ResourceURI)
	if err != nil {
		return nil, err
	}
	c.server.enums.pause(e, false)
	return nil, nil
}

// cimSource gives the instances of an enumerator.
type cimSource struct {
	session  cim.Session
	enum     cim.Enumerator
	shared   *wscim.Encoders
	own      wscim.Encoders // for the projections of this query
	mode     wsman.EnumerationMode
	rest     []*cim.Instance
	finished error // what the enumerator ended with

	ended  <-chan struct{} // closed at the end of what the source runs on
	cancel context.CancelFunc
}

func (s *cimSource) spaces() []soap.NS { return nil }

func (s *cimSource) close() {
	s.enum.Close()
	s.session.Close()
}

func (s *cimSource) next(ctx context.Context, dst []byte, limit, budget int) (_ []byte, n int, end bool, err error) {
	patient := true
	for n < limit {
		if len(s.rest) == 0 {
			if s.finished != nil {
				break
			}
			if n > 0 && patient {
				patient = false
				// Items that are here already do not wait for slower ones.
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, linger)
				defer cancel()
			}
			s.rest, err = s.enum.Next(ctx, limit-n)
			switch {
			case err == nil:
			case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
				if n > 0 {
					err = nil
				}
				return dst, n, false, err
			default:
				s.finished = err
			}
			continue
		}
		mark := len(dst)
		if dst, err = s.append(dst, s.rest[0]); err != nil {
			return dst[:mark], n, false, err
		}
		if len(dst) > budget {
			if n == 0 {
				return dst[:mark], 0, false, errTooLarge
			}
			return dst[:mark], n, false, nil
		}
		s.rest = s.rest[1:]
		n++
	}
	if s.finished == nil || len(s.rest) > 0 {
		return dst, n, false, nil
	}
	if errors.Is(s.finished, io.EOF) {
		return dst, n, true, nil
	}
	if n > 0 {
		return dst, n, false, nil // the error goes with the next Pull
	}
	return dst, 0, true, s.finished
}

// linger is how long a batch that has items waits for more.
const linger = 20 * time.Millisecond

func (s *cimSource) append(dst []byte, i *cim.Instance) ([]byte, error) {
	switch s.mode {
	case wsman.EnumerateEPR:
		return s.appendEPR(dst, i)
	case wsman.EnumerateObjectAndEPR:
		dst = append(dst, `<w:Item xmlns:w="`+soap.URIWSMan+`">`...)
		dst, err := s.appendObject(dst, i)
		if err != nil {
			return dst, err
		}
		if dst, err = s.appendEPR(dst, i); err != nil {
			return dst, err
		}
		return append(dst, "</w:Item>"...), nil
	}
	return s.appendObject(dst, i)
}

func (s *cimSource) appendObject(dst []byte, i *cim.Instance) ([]byte, error) {
	if i.Class().Partial {
		return s.own.For(i.Class()).AppendFragment(dst, i)
	}
	return s.shared.For(i.Class()).AppendInstance(dst, i)
}

func (s *cimSource) appendEPR(dst []byte, i *cim.Instance) ([]byte, error) {
	path, whole := i.Path()
	if !whole {
		return dst, &cim.Error{Status: cim.ErrInvalidObject, Path: i.Class().Name, Detail: "an instance without keys has no endpoint reference"}
	}
	dst = append(dst, `<a:EndpointReference xmlns:a="`+soap.URIAddressing+`">`...)
	dst = s.shared.AppendEPR(dst, path)
	return append(dst, "</a:EndpointReference>"...), nil
}
