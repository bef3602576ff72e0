package wmiserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// sink is where an asynchronous operation goes: an IWbemObjectSink of the client. Its methods are called one after the other.
type sink interface {
	// reach finds out where the sink is, so that it stays there until it is called.
	reach(ctx context.Context) error
	// indicate gives objects. An HRESULT with the severity bit, or no answer, is an error.
	indicate(ctx context.Context, objects []*cim.Instance) error
	// setStatus tells the end. info is the error object, nil for success.
	setStatus(ctx context.Context, status uint32, text string, info *cim.Instance) error
	// release gives the references back; no call may follow.
	release(ctx context.Context)
}

// sinkKey names a sink of a caller: the object that he passed, whatever pointer to it. See ClientSyncPointer in [MS-WMI] 3.1.1.
type sinkKey struct {
	owner     string
	oxid, oid uint64
}

// What calls into a sink may take.
const (
	sinkTimer   = 30 * time.Second // [MS-WMI] 3.1.2
	cancelTimer = 2 * time.Second  // for all that is left to say after CancelAsyncCall: it does not wait for the client
)

// sinkBatch is how many objects one Indicate carries at most, and sinkOctets how many octets about. See [MS-WMI] note 81.
const (
	sinkBatch  = 128
	sinkOctets = 0x40000
)

// errCancelled is why an operation ends that the client cancels.
var errCancelled = cim.ErrCallCancelled

// deadSink is the failure of a call into a sink; what the sink said, if it said anything.
type deadSink struct {
	stage string // resolve, dial, bind, call, refused
	err   error
}

func (e *deadSink) Error() string {
	return "the sink cannot be called (" + e.stage + "): " + e.err.Error()
}

func (e *deadSink) Unwrap() error { return e.err }

// asyncTable is the table of asynchronous operations under way. See AsyncOperationTable in [MS-WMI] 3.1.1.
type asyncTable struct {
	mu    sync.Mutex
	calls map[sinkKey][]*asyncCall
}

// asyncCall is one of them.
type asyncCall struct {
	key  sinkKey
	sink sink
	log  *slog.Logger
	subject
	cancel context.CancelCauseFunc
	forget func()        // takes it out of the table, if it is there
	done   chan struct{} // closed when the sink was released
}

// begin enters a call into the table and runs it. run delivers the results into the sink; its error is what SetStatus tells. Whatever
// happens then, the sink gets exactly one final SetStatus, unless it cannot be called, and is released. done is called at the end, also
// where the call does not begin any more.
func (v *Server) begin(c *asyncCall, run func(ctx context.Context) (status uint32, text string, err error), done func()) error {
	ctx, cancel := context.WithCancelCause(v.base)
	c.cancel, c.done, c.forget = cancel, make(chan struct{}), func() { v.calls.remove(c) }
	v.calls.add(c)
	if v.spawn(func() {
		defer done()
		defer close(c.done)
		defer c.forget()
		defer cancel(nil)
		err := c.timed(ctx, c.sink.reach)
		status, text := uint32(0), ""
		if err == nil {
			status, text, err = run(ctx)
		}
		c.finish(ctx, status, text, err)
	}) {
		return nil
	}
	c.forget()
	close(c.done)
	cancel(nil)
	done()
	return errClosed
}

func (t *asyncTable) add(c *asyncCall) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls == nil {
		t.calls = map[sinkKey][]*asyncCall{}
	}
	t.calls[c.key] = append(t.calls[c.key], c)
}

func (t *asyncTable) remove(c *asyncCall) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.calls[c.key]
	for n, other := range list {
		if other == c {
			list = append(list[:n:n], list[n+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(t.calls, c.key)
	} else {
		t.calls[c.key] = list
	}
}

// stop cancels every operation that a caller began with a sink, and waits until the sink is released: at most as long as the last
// word to it may take. It fails with WBEM_E_NOT_FOUND where there is none. See [MS-WMI] 3.1.4.3.2.
func (t *asyncTable) stop(key sinkKey) error {
	t.mu.Lock()
	list := append([]*asyncCall(nil), t.calls[key]...)
	t.mu.Unlock()
	if len(list) == 0 {
		return refuse(cim.ErrNotFound, "no operation of yours is under way with this sink")
	}
	for _, c := range list {
		c.cancel(errCancelled)
	}
	for _, c := range list {
		<-c.done
	}
	return nil
}

// finish says the last word and releases the sink.
func (c *asyncCall) finish(ctx context.Context, status uint32, text string, err error) {
	limit := sinkTimer
	cause := context.Cause(ctx)
	if cause != nil {
		limit = cancelTimer
		err, status, text = cause, 0, ""
		if !errors.Is(cause, errCancelled) {
			err = cim.ErrShuttingDown // the service ends
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	var dead *deadSink
	if errors.As(err, &dead) {
		c.log.Warn("an asynchronous operation is cancelled: its sink cannot be called", "operation", c.operation, "user", c.key.owner, "stage", dead.stage, "error", dead.err)
		if dead.stage != stageRefused {
			c.forget() // there is nothing to cancel any more, however long it takes to tell a sink that does not listen
			ctx, cancel := context.WithTimeout(ctx, cancelTimer)
			defer cancel()
			c.sink.release(ctx)
			return
		}
		err = errCancelled
	}
	if err != nil {
		status = result(err)
	}
	if err := c.sink.setStatus(ctx, status, text, errorObject(err, c.subject)); err != nil {
		stage := stageCall
		if errors.As(err, &dead) {
			stage = dead.stage
		}
		c.log.Warn("the end of an asynchronous operation cannot be told to its sink", "operation", c.operation, "user", c.key.owner, "stage", stage, "error", err)
	}
	c.sink.release(ctx)
}

// The stages at which calling a client back can fail, in their order.
const (
	stagePolicy  = "identity"     // no identity may be shown to this client
	stageResolve = "resolve OXID" // the client's resolver does not answer
	stageDial    = "dial sink"    // the port of the sink does not
	stageDenied  = "access denied"
	stageCall    = "call"    // the call itself failed, or took too long
	stageRefused = "refused" // the sink answered with a failure
)

// indicate gives a batch.
func (c *asyncCall) indicate(ctx context.Context, batch []*cim.Instance) error {
	return c.timed(ctx, func(ctx context.Context) error { return c.sink.indicate(ctx, batch) })
}

// timed runs what waits for the client, within the time for that.
func (c *asyncCall) timed(ctx context.Context, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, sinkTimer)
	defer cancel()
	err := f(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return &deadSink{stageCall, errors.New("no answer within " + sinkTimer.String())}
	}
	return err
}

// deliver runs an operation and gives what it has to the sink.
func (c *asyncCall) deliver(ctx context.Context, run func(context.Context) (outcome, error)) (uint32, string, error) {
	out, err := run(ctx)
	if err != nil {
		return 0, "", err
	}
	switch {
	case out.enum != nil:
		defer out.enum.Close()
		err := c.stream(ctx, out.enum)
		if f, ok := out.enum.(cim.Filtered); ok && f.LeftOut() {
			return uint32(cim.StatusAccessDenied), "", err
		}
		return 0, "", err
	case out.object != nil:
		return 0, out.text, c.indicate(ctx, []*cim.Instance{out.object})
	}
	return 0, out.text, nil
}

// stream gives all objects of an enumeration. The provider is asked again when the sink has answered: a sink that is slow slows its own
// operation down, and nothing piles up for it. Events pile up in the queue of their subscription, which is bounded.
func (c *asyncCall) stream(ctx context.Context, enum cim.Enumerator) error {
	for {
		batch, err := enum.Next(ctx, sinkBatch)
		for len(batch) > 0 {
			n := portion(batch)
			if err := c.indicate(ctx, batch[:n]); err != nil {
				return err
			}
			batch = batch[n:]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// portion is how many objects of a batch go into one Indicate.
func portion(batch []*cim.Instance) int {
	octets := int64(0)
	for n, i := range batch {
		octets += weight(i)
		if octets > sinkOctets && n > 0 {
			return n
		}
	}
	return len(batch)
}

// next gives up to n objects from a cursor, as NextAsync does: WBEM_S_FALSE at the end where there were fewer. No other call on the
// enumerator comes between. See [MS-WMI] 3.1.4.4.3.
func (c *asyncCall) next(ctx context.Context, from *cursor, n int) (status uint32, text string, err error) {
	err = from.alone(ctx, func() (err error) {
		for n > 0 && err == nil && status == resultOK {
			var batch []*cim.Instance
			var got int
			got, status, err = from.advance(ctx, min(n, sinkBatch), func(i *cim.Instance) error {
				batch = append(batch, i.Clone())
				return nil
			})
			n -= got
			if status == resultTimedOut { // fewer, and the next turn tells why
				status, err = resultOK, ctx.Err()
			}
			for len(batch) > 0 && err == nil {
				k := portion(batch)
				err = c.indicate(ctx, batch[:k])
				batch = batch[k:]
			}
		}
		return err
	})
	return status, "", err
}
