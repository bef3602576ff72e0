package wmiclient

import (
	"context"
	"io"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// sinkObject is an IWbemObjectSink that hosts call. See [MS-WMI] 3.1.4.2.
type sinkObject struct{ to receiver }

// Interface implements dcom.Object.
func (o sinkObject) Interface(iid security.GUID) dcom.Handler {
	if iid != wmi.IIDObjectSink {
		return nil
	}
	return o.serve
}

// Released implements dcom.Object.
func (o sinkObject) Released() { o.to.released() }

func (o sinkObject) serve(ctx context.Context, call *dcom.Call) (ndr.Marshaler, error) {
	ctx, cancel := context.WithTimeout(ctx, sinkTimer)
	defer cancel()
	switch call.Opnum {
	case iwbem.OpIndicate:
		var r iwbem.IndicateRequest
		if r.UnmarshalNDR(call.In); call.In.Err() != nil {
			return nil, call.In.Err()
		}
		units := make([][]byte, len(r.Objects))
		for n, unit := range r.Objects {
			units[n] = unit
		}
		return &iwbem.IndicateResponse{Result: o.to.indicate(ctx, units)}, nil
	case iwbem.OpSetStatus:
		var r iwbem.SetStatusRequest
		if r.UnmarshalNDR(call.In); call.In.Err() != nil {
			return nil, call.In.Err()
		}
		return &iwbem.SetStatusResponse{Result: o.to.setStatus(ctx, finalStatus{r.Flags, r.Status, r.Text.Text, r.Object})}, nil
	}
	return nil, &dcerpc.Fault{Status: dcerpc.StatusOpRange}
}

// queue is the receiver of one operation: what came and was not read yet, bounded in octets.
type queue struct {
	c     *Client
	limit int

	mu      sync.Mutex
	changed chan struct{} // closed at every change of what is below
	objects []*cim.Instance
	sizes   []int
	octets  int
	end     error  // io.EOF after success; nothing is taken after it
	text    string // what the host said with it
}

func newQueue(c *Client, limit int) *queue {
	return &queue{c: c, limit: limit, changed: make(chan struct{})}
}

// change wakes who waits. mu is held.
func (q *queue) change() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// indicate takes objects, which are decoded before the host has its answer: one that cannot be read ends the operation. It answers WBEM_S_NO_ERROR and
// not WBEM_S_NEW_STYLE: how a packet of objects stands among the arguments of Indicate, [MS-WMI] does not tell, and objects one by one are always right.
func (q *queue) indicate(ctx context.Context, units [][]byte) uint32 {
	objects, sizes, total := make([]*cim.Instance, 0, len(units)), make([]int, 0, len(units)), 0
	for _, unit := range units {
		i, err := q.c.decode(unit)
		if err != nil {
			return q.fail(&cim.Error{Status: cim.ErrInvalidObject, Detail: "the host sent an object that cannot be read", Err: err, Remote: true})
		}
		objects, sizes, total = append(objects, i), append(sizes, len(unit)), total+len(unit)
	}
	for {
		q.mu.Lock()
		if q.end != nil {
			q.mu.Unlock()
			return uint32(cim.ErrCallCancelled)
		}
		if q.octets == 0 || q.octets+total <= q.limit {
			q.objects, q.sizes, q.octets = append(q.objects, objects...), append(q.sizes, sizes...), q.octets+total
			q.change()
			q.mu.Unlock()
			return 0
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return q.fail(&cim.Error{Status: cim.ErrQueueOverflow, Detail: "what the host sent was not read within " + sinkTimer.String()})
		}
	}
}

// fail ends the operation for the reader, and is the answer that makes the host cancel it ([MS-WMI] 3.1.1.1.3).
func (q *queue) fail(err *cim.Error) uint32 {
	q.finish(err)
	return uint32(err.Status)
}

func (q *queue) finish(end error) { q.finishWith(end, "") }

func (q *queue) finishWith(end error, text string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end, q.text = end, text
		q.change()
	}
}

// ended tells whether the host has said, or made it known otherwise, that nothing more comes.
func (q *queue) ended() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.end != nil
}

// setStatus ends the operation, unless it tells of progress. See [MS-WMI] 3.1.4.2.2.
func (q *queue) setStatus(_ context.Context, s finalStatus) uint32 {
	switch s.Flags {
	case wmi.StatusProgress:
		return 0
	case wmi.StatusComplete:
	default:
		return uint32(cim.ErrInvalidParameter)
	}
	end := error(io.EOF)
	switch {
	case failed(s.Status):
		var info *cim.Instance
		if s.Object != nil {
			info, _ = q.c.decode(s.Object) // the status is there without it
		}
		end = resultError(s.Status, info)
	case cim.Status(s.Status) != cim.StatusOK && cim.Status(s.Status) != cim.StatusFalse:
		end = &cim.Error{Status: cim.Status(s.Status), Remote: true} // the results are partial
	}
	q.finishWith(end, s.Text)
	return 0
}

// released is the end where the host did not tell one.
func (q *queue) released() {
	q.finish(&cim.Error{Status: cim.ErrCallCancelled, Detail: "the host released the sink and did not say why", Remote: true})
}

// next waits for objects, or for the end behind them.
func (q *queue) next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	for {
		q.mu.Lock()
		if n := len(q.objects); n > 0 {
			if limit > 0 {
				n = min(n, limit)
			}
			out := q.objects[:n:n]
			for _, size := range q.sizes[:n] {
				q.octets -= size
			}
			q.objects, q.sizes = q.objects[n:], q.sizes[n:]
			q.change()
			q.mu.Unlock()
			return out, nil
		}
		end, changed := q.end, q.changed
		q.mu.Unlock()
		if end != nil {
			return nil, end
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, &cim.Error{Status: cim.ErrCallCancelled, Err: context.Cause(ctx)}
		}
	}
}
