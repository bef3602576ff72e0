package wmiserver

import (
	"context"
	"sync"

	"github.com/casementhq/casement/cim"
)

// pending is an operation with at most one result that runs while the client does something else: what IWbemCallResult tells about.
// See WbemCallResultTable in [MS-WMI] 3.1.1.
type pending struct {
	subject
	done chan struct{} // closed once out and err are there
	out  outcome
	err  error

	leave func() // ends what was counted: called once the operation has ended and nobody has its result

	mu    sync.Mutex
	users int // the operation, and the client's call result
}

// newPending begins an operation that was counted until leave; done is called when it has ended.
func (v *Server) newPending(op operation, session cim.Session, leave, done func()) *pending {
	p := &pending{subject: op.subject, done: make(chan struct{}), leave: leave, users: 2}
	if !v.spawn(func() {
		defer done()
		defer p.release()
		defer close(p.done)
		p.out, p.err = op.run(v.base, session)
	}) {
		done()
		return finished(op.subject, outcome{}, errClosed, leave)
	}
	return p
}

// finished is an operation that has ended.
func finished(of subject, out outcome, err error, leave func()) *pending {
	p := &pending{subject: of, done: make(chan struct{}), out: out, err: err, leave: leave, users: 1}
	close(p.done)
	return p
}

// wait waits up to timeout milliseconds for the end: WBEM_S_NO_ERROR, or WBEM_S_TIMEDOUT, after which the client may ask again.
func (p *pending) wait(ctx context.Context, timeout uint32) uint32 {
	select {
	case <-p.done:
		return resultOK
	default:
	}
	if timeout == 0 {
		return resultTimedOut
	}
	limited, cancel := waiting(ctx, timeout)
	defer cancel()
	select {
	case <-p.done:
		return resultOK
	case <-limited.Done():
	}
	if ctx.Err() != nil {
		return uint32(cim.ErrCallCancelled)
	}
	return resultTimedOut
}

// errNoResult is what asking for a result of another kind fails with. See [MS-WMI] 3.1.4.5.2.
var errNoResult = refuse(cim.ErrInvalidOperation, "the operation has no result of this kind")

// object is the object that the operation gave.
func (p *pending) object(ctx context.Context, timeout uint32) (*cim.Instance, uint32, error) {
	if code, err := p.ended(ctx, timeout); code != resultOK {
		return nil, code, err
	}
	if p.out.object == nil {
		return nil, result(errNoResult), errNoResult
	}
	return p.out.object, resultOK, nil
}

// text is the string that the operation gave.
func (p *pending) text(ctx context.Context, timeout uint32) (string, uint32, error) {
	if code, err := p.ended(ctx, timeout); code != resultOK {
		return "", code, err
	}
	if p.out.text == "" {
		return "", result(errNoResult), errNoResult
	}
	return p.out.text, resultOK, nil
}

// session is the namespace that the operation opened, for one more user.
func (p *pending) session(ctx context.Context, timeout uint32) (*connection, uint32, error) {
	if code, err := p.ended(ctx, timeout); code != resultOK {
		return nil, code, err
	}
	if p.out.session == nil {
		return nil, result(errNoResult), errNoResult
	}
	return p.out.session.retain(), resultOK, nil
}

// status is how the operation ended.
func (p *pending) status(ctx context.Context, timeout uint32) (status, code uint32) {
	if code := p.wait(ctx, timeout); code != resultOK {
		return 0, code
	}
	return result(p.err), resultOK
}

// ended waits and gives what there is to say instead of a result.
func (p *pending) ended(ctx context.Context, timeout uint32) (uint32, error) {
	if code := p.wait(ctx, timeout); code != resultOK {
		return code, nil
	}
	return result(p.err), p.err
}

// release gives up the result. An operation that is under way goes on: the client gives up what it gives, not what it does.
func (p *pending) release() {
	p.mu.Lock()
	p.users--
	last := p.users == 0
	p.mu.Unlock()
	if !last {
		return
	}
	if p.out.session != nil {
		p.out.session.release()
	}
	p.leave()
}
