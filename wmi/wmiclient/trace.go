package wmiclient

import (
	"context"
	"time"

	"github.com/casementhq/casement/dcerpc"
)

// Trace has hooks that are called as an operation goes through its layers, as net/http/httptrace has. Each may be nil, may be called from several
// goroutines, and must not block. No secret reaches a hook.
type Trace struct {
	// RPC are the hooks of the connections below; those of a context are not asked.
	RPC *dcerpc.Trace
	// Activated tells of an activation of the login object, or why there is none.
	Activated func(host string, err error)
	// LoggedIn tells of a login to a namespace.
	LoggedIn func(resource string, err error)
	// Called tells of each call of a method: IWbemServices::ExecQuery, its HRESULT and how long it took. err is nil where the host answered.
	Called func(method string, result uint32, took time.Duration, err error)
	// CalledBack tells of each step of the host on its way to the sink of an asynchronous operation, where this process hosts the sink. Hosts
	// at the same address are not told apart.
	CalledBack func(Callback)
	// Without tells what the host does not have and the client does without.
	Without func(what string, err error)
}

type traceKey struct{}

// WithTrace returns a context whose operations call the hooks of t, instead of those of Options.Trace.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// ContextTrace is the trace that WithTrace put into ctx, or nil.
func ContextTrace(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

func (c *Client) trace(ctx context.Context) *Trace {
	if t := ContextTrace(ctx); t != nil {
		return t
	}
	if c.opts.Trace != nil {
		return c.opts.Trace
	}
	return &Trace{}
}

func (t *Trace) activated(host string, err error) {
	if t.Activated != nil {
		t.Activated(host, err)
	}
}

func (t *Trace) loggedIn(resource string, err error) {
	if t.LoggedIn != nil {
		t.LoggedIn(resource, err)
	}
}

func (t *Trace) called(method string, result uint32, took time.Duration, err error) {
	if t.Called != nil {
		t.Called(method, result, took, err)
	}
}

func (t *Trace) calledBack(b Callback) {
	if t.CalledBack != nil {
		t.CalledBack(b)
	}
}

func (t *Trace) without(what string, err error) {
	if t.Without != nil {
		t.Without(what, err)
	}
}
